//! The client: options, limits, and sending.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::{Request, Response, Uri, uri::Scheme};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use net::tls::ClientTls;
use tokio::time::{Instant, timeout_at};

use super::{
    AddressPolicy, Error, RequestBody, Resolve, ResponseBody, Stage, SystemResolver, connect::Connector,
};

/// Maximum length of a response head. Over HTTP/1.1 hyper checks it between two reads, so that a head of up to twice that
/// length may pass.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Options of a client, which apply to all of its requests.
#[derive(Clone)]
pub struct ClientOptions {
    /// TLS settings: trusted authorities and client certificate. `None`: the authorities of the system.
    pub tls: Option<Arc<ClientTls>>,
    /// Resolver of host names.
    pub resolver: Arc<dyn Resolve>,
    /// HTTP version.
    pub protocol: Protocol,
    /// Maximum time to open a connection: name resolution, TCP and TLS together.
    pub connect_timeout: Duration,
    /// Maximum number of idle connections per host.
    pub max_idle_per_host: usize,
    /// Time after which an idle connection is closed.
    pub idle_timeout: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        ClientOptions {
            tls: None,
            resolver: Arc::new(SystemResolver),
            protocol: Protocol::Auto,
            connect_timeout: Duration::from_secs(10),
            max_idle_per_host: 8,
            idle_timeout: Duration::from_secs(60),
        }
    }
}

/// HTTP version of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// With TLS what the server prefers, HTTP/2 or HTTP/1.1; without TLS HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, without TLS with prior knowledge, as gRPC needs it.
    Http2,
}

/// Limits of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum time from the start of the request to the end of the response head. Includes opening a connection.
    pub head_timeout: Duration,
    /// Maximum time from the start of the request to the end of the response body.
    pub total_timeout: Duration,
    /// Maximum length of the response body.
    pub max_response_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head_timeout: Duration::from_secs(30),
            total_timeout: Duration::from_secs(60),
            max_response_bytes: 1 << 20,
        }
    }
}

/// HTTP client with pooled connections. Cheap to clone: clones share the pools.
///
/// It has two sets of pools, because a connection that is permitted for a URL from the configuration may not be permitted
/// for one from outside: the client itself connects to all addresses, and [`Client::external`] only to public ones.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    options: ClientOptions,
    http: legacy::Client<Connector, RequestBody>,
    addresses: AddressPolicy,
    /// Client for URLs from outside.
    external: OnceLock<Client>,
}

impl Client {
    /// Creates a client. Opens no connection and reads no file.
    pub fn new(options: ClientOptions) -> Self {
        Self::with_policy(options, AddressPolicy::Any)
    }

    fn with_policy(options: ClientOptions, addresses: AddressPolicy) -> Self {
        let http = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(options.idle_timeout)
            .pool_max_idle_per_host(options.max_idle_per_host)
            .http1_max_buf_size(MAX_HEAD_BYTES)
            .http2_max_header_list_size(MAX_HEAD_BYTES as u32)
            .http2_only(options.protocol == Protocol::Http2)
            .build(Connector::new(options.clone(), addresses));
        Client(Arc::new(Shared { options, http, addresses, external: OnceLock::new() }))
    }

    /// Returns the client for URLs that come from outside, such as a token or a request, and not from the configuration.
    /// It has the same options, and connects to public addresses only.
    pub fn external(&self) -> &Client {
        match self.0.addresses {
            AddressPolicy::Public => self,
            AddressPolicy::Any => self
                .0
                .external
                .get_or_init(|| Self::with_policy(self.0.options.clone(), AddressPolicy::Public)),
        }
    }

    /// Returns the options, so that a client with other TLS settings can be created from them.
    pub fn options(&self) -> &ClientOptions {
        &self.0.options
    }

    /// Sends a request within the default [`Limits`] and returns the response when its head has arrived.
    ///
    /// # Errors
    /// If there is no response within the limits. A response with any status, also a redirect, is not an error.
    pub async fn send<B: Into<RequestBody>>(
        &self,
        request: Request<B>,
    ) -> Result<Response<ResponseBody>, Error> {
        self.send_within(request, Limits::default()).await
    }

    /// Sends a request within limits and returns the response when its head has arrived. The body is read from the
    /// response.
    ///
    /// # Errors
    /// If there is no response within the limits. A response with any status, also a redirect, is not an error.
    pub async fn send_within<B: Into<RequestBody>>(
        &self,
        request: Request<B>,
        limits: Limits,
    ) -> Result<Response<ResponseBody>, Error> {
        check_url(request.uri())?;
        let now = Instant::now();
        let (head_deadline, deadline) = (now + limits.head_timeout, now + limits.total_timeout);
        let response = self.0.http.request(request.map(Into::into));
        let response = match timeout_at(head_deadline.min(deadline), response).await {
            Ok(response) => response.map_err(|error| Error::from_hyper(error.into()))?,
            Err(_) if head_deadline <= deadline => return Err(Error::Timeout(Stage::Head)),
            Err(_) => return Err(Error::Timeout(Stage::Body)),
        };
        Ok(response.map(|incoming| ResponseBody::new(incoming, deadline, &limits)))
    }
}

/// Checks what the connector relies on.
fn check_url(url: &Uri) -> Result<(), Error> {
    match url.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS => {}
        _ => return Err(Error::Url("does not begin with http:// or https://")),
    }
    let authority = url.authority().map_or("", |authority| authority.as_str());
    if url.host().is_none_or(str::is_empty) {
        return Err(Error::Url("has no host"));
    }
    // It would be sent in the `Host` header.
    if authority.contains('@') {
        return Err(Error::Url("has user and password, which belong into the header Authorization"));
    }
    Ok(())
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("addresses", &self.0.addresses).finish_non_exhaustive()
    }
}

impl Default for Client {
    fn default() -> Self {
        Client::new(ClientOptions::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_with_a_scheme_and_a_host_are_requested() {
        let check = |url: &str| check_url(&url.parse().expect("a URI")).map_err(|error| error.to_string());
        for url in ["http://a", "https://a:8443/x?y", "HTTP://[::1]:80/"] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        for url in ["/x", "ftp://a/", "a:80"] {
            assert_eq!(check(url).unwrap_err(), "the URL does not begin with http:// or https://", "{url}");
        }
        let with_password = "the URL has user and password, which belong into the header Authorization";
        assert_eq!(check("http://a:b@c/").unwrap_err(), with_password);
    }
}
