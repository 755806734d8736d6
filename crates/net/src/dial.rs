//! Opening a connection to an upstream: TCP, TLS where asked for, and HTTP/1.1 or HTTP/2 on top.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::spawn_local, time::timeout};

use super::{
    Connection, Http1, Http2, MemoryBudget, OnThisThread, PoolKey, Stream, Wire,
    tls::{ClientTls, TlsTarget},
};

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// It took too long.
    #[error("connecting took too long")]
    Timeout,
    /// The address refused, or cannot be reached.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// TLS did not come about: a certificate that is not trusted, no common version.
    #[error("TLS handshake failed")]
    Tls(#[source] io::Error),
    /// HTTP did not start.
    #[error("the connection ended before the first request")]
    Http(#[source] hyper::Error),
}

/// Opens a connection; its task runs on the current thread. The time limit covers TCP and TLS each, as a
/// connect timeout does in nginx. Buffers for fast transfers are reserved from `memory`.
///
/// # Errors
/// See [`DialError`].
pub async fn dial(
    address: SocketAddr,
    tls: Option<&TlsTarget>,
    limit: Duration,
    key: PoolKey,
    memory: &Arc<MemoryBudget>,
) -> Result<Box<Connection>, DialError> {
    let stream = match timeout(limit, TcpStream::connect(address)).await {
        Err(_) => return Err(DialError::Timeout),
        Ok(stream) => stream.map_err(DialError::Connect)?,
    };
    // Only a hint: a socket that cannot have it still works.
    let _ = stream.set_nodelay(true);
    let stream = match tls {
        None => Stream::Clear(stream),
        Some(TlsTarget { profile, name, .. }) => {
            match timeout(limit, profile.connect(name.clone(), stream, key.http2)).await {
                Err(_) => return Err(DialError::Timeout),
                Ok(stream) => Stream::Tls(Box::new(stream.map_err(DialError::Tls)?)),
            }
        }
    };
    let wire = if key.http2 {
        let handshake = http2::handshake(OnThisThread, TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(DialError::Http)?;
        spawn_local(async move { drop(connection.await) });
        Wire::Http2(Http2::new(sender))
    } else {
        let mut http1 = Http1::new(stream);
        http1.set_memory(Arc::clone(memory));
        Wire::Http1(http1)
    };
    Ok(Connection::new(wire, key))
}

impl ClientTls {
    /// Speaks TLS over a connection.
    ///
    /// # Errors
    /// When the handshake fails.
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
