//! Connecting to upstreams: TCP, optionally TLS, then HTTP/1.1 or HTTP/2.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::spawn_local, time::timeout};

use super::{
    Connection, Http1, Http2, LocalExecutor, MemoryBudget, PoolKey, Protocol, Stream,
    tls::{ClientTls, TlsTarget},
};

/// Error while connecting.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The TCP connect or the TLS handshake timed out.
    #[error("connecting took too long")]
    Timeout,
    /// The TCP connect failed: refused or unreachable.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The TLS handshake failed: for example an untrusted certificate, or no common version.
    #[error("TLS handshake failed")]
    Tls(#[source] io::Error),
    /// The HTTP/2 handshake failed.
    #[error("the connection ended before the first request")]
    Http(#[source] hyper::Error),
}

/// Opens a connection. The task of an HTTP/2 connection runs on the current thread.
///
/// `connect_timeout` applies to TCP and to TLS separately, as in nginx. Large read buffers are reserved from `memory`.
///
/// # Errors
/// See [`DialError`].
pub async fn dial(
    address: SocketAddr,
    tls: Option<&TlsTarget>,
    connect_timeout: Duration,
    key: PoolKey,
    memory: &Arc<MemoryBudget>,
) -> Result<Box<Connection>, DialError> {
    let stream = match timeout(connect_timeout, TcpStream::connect(address)).await {
        Err(_) => return Err(DialError::Timeout),
        Ok(stream) => stream.map_err(DialError::Connect)?,
    };
    // Ignore the error: the connection works without the option.
    let _ = stream.set_nodelay(true);
    let stream = match tls {
        None => Stream::Clear(stream),
        Some(TlsTarget { profile, name, .. }) => {
            match timeout(connect_timeout, profile.connect(name.clone(), stream, key.http2)).await {
                Err(_) => return Err(DialError::Timeout),
                Ok(stream) => Stream::Tls(Box::new(stream.map_err(DialError::Tls)?)),
            }
        }
    };
    let protocol = if key.http2 {
        let handshake = http2::handshake(LocalExecutor, TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(DialError::Http)?;
        spawn_local(async move { drop(connection.await) });
        Protocol::Http2(Http2::new(sender))
    } else {
        let mut http1 = Http1::new(stream);
        http1.set_memory(Arc::clone(memory));
        Protocol::Http1(http1)
    };
    Ok(Connection::new(protocol, key))
}

impl ClientTls {
    /// Performs a TLS handshake over a connection.
    ///
    /// # Errors
    /// Returns an error if the handshake fails.
    pub async fn connect(
        &self,
        name: rustls::pki_types::ServerName<'static>,
        stream: TcpStream,
        http2: bool,
    ) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let config = if http2 { &self.http2 } else { &self.config };
        tokio_rustls::TlsConnector::from(Arc::clone(config)).connect(name, stream).await
    }
}
