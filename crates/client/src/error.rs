//! Errors of requests.

use std::{fmt, io, net::IpAddr, sync::Arc};

use super::BoxError;

/// Reason why a request failed, or its response could not be read. Cheap to clone.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The URL cannot be requested.
    #[error("the URL {0}")]
    Url(&'static str),
    /// The host name does not resolve.
    #[error("cannot resolve {host}: {source}")]
    Resolve {
        /// The host.
        host: Arc<str>,
        /// The reason.
        source: Arc<io::Error>,
    },
    /// The host has only addresses that the client must not connect to.
    #[error("{host} has the address {address}, which is not public: a URL from outside must not lead there")]
    AddressNotPermitted {
        /// The host.
        host: Arc<str>,
        /// One of its addresses.
        address: IpAddr,
    },
    /// No address of the host accepted a connection.
    #[error("cannot connect: {source}")]
    Connect {
        /// The host.
        host: Arc<str>,
        /// The reason, of the address that was tried last.
        source: Arc<io::Error>,
    },
    /// TLS cannot be configured, or the handshake failed.
    #[error("TLS handshake failed: {source}")]
    Tls {
        /// The host.
        host: Arc<str>,
        /// The reason.
        source: Arc<io::Error>,
    },
    /// A time limit was exceeded.
    #[error("no {0} within the time limit")]
    Timeout(Stage),
    /// The response body is longer than the limit.
    #[error("the response body is longer than {max_bytes} bytes")]
    BodyTooLarge {
        /// The limit.
        max_bytes: usize,
    },
    /// The server violated HTTP, or the connection was closed.
    #[error("{}", Chain(&**.0))]
    Http(Arc<dyn std::error::Error + Send + Sync>),
}

/// What was awaited when a time limit was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The connection: name resolution, TCP and TLS.
    Connect,
    /// The response head.
    Head,
    /// The end of the response.
    Body,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Connect => "connection",
            Stage::Head => "response",
            Stage::Body => "complete response",
        })
    }
}

impl Error {
    /// Returns whether the request was certainly not sent, so that it can be repeated even if it is not idempotent.
    pub fn is_unsent(&self) -> bool {
        match self {
            Error::Url(_)
            | Error::Resolve { .. }
            | Error::AddressNotPermitted { .. }
            | Error::Connect { .. }
            | Error::Tls { .. }
            | Error::Timeout(Stage::Connect) => true,
            Error::Timeout(Stage::Head | Stage::Body) | Error::BodyTooLarge { .. } | Error::Http(_) => false,
        }
    }

    /// Finds the error of the connector, or of a request body, in an error of hyper.
    pub(crate) fn from_hyper(error: BoxError) -> Self {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&*error);
        while let Some(inner) = source {
            if let Some(own) = inner.downcast_ref::<Error>() {
                return own.clone();
            }
            source = inner.source();
        }
        Error::Http(error.into())
    }
}

/// Displays an error with its sources, which hyper's messages omit.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = self.0.to_string();
        f.write_str(&last)?;
        let mut source = self.0.source();
        while let Some(inner) = source {
            let text = inner.to_string();
            // Some errors already display their source.
            if !last.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            last = text;
            source = inner.source();
        }
        Ok(())
    }
}
