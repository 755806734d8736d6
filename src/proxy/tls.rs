//! TLS towards clients: certificates by server name from the current snapshot, HTTP/2 by ALPN.

use std::{io, sync::Arc};

use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{Listener, Traffic};
use crate::runtime::Gateway;

/// Shows the certificate that the configuration of the moment has for a name.
#[derive(Debug)]
struct BySnapshot(Arc<Gateway>);

impl ResolvesServerCert for BySnapshot {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.snapshot().certificates.find(hello.server_name(), hello.signature_schemes())
    }
}

/// TLS as a listener speaks it; all workers share it, and with it the sessions that can be resumed.
#[derive(Clone)]
pub struct Acceptor(Arc<ServerConfig>);

impl Acceptor {
    /// An acceptor for that listener's protocols.
    ///
    /// # Errors
    /// When the settings leave no version or suite to speak.
    pub fn new(gateway: &Arc<Gateway>, listener: &Listener) -> io::Result<Self> {
        let alpn: &[&[u8]] = match (listener.traffic, listener.http2) {
            // What is spoken on a stream is none of ours.
            (Traffic::Streams | Traffic::Datagrams, _) => &[],
            // The last two are no protocols of their own: nginx lists them for clients that offer nothing else.
            (Traffic::Http, true) => &[b"h2", b"http/1.1", b"http/1.0", b"http/0.9"],
            (Traffic::Http, false) => &[b"http/1.1", b"http/1.0", b"http/0.9"],
        };
        // Where there is none it is made now, and not when the first client waits for it.
        let _ = gateway.snapshot().certificates.fallback();
        let certificates = Arc::new(BySnapshot(Arc::clone(gateway)));
        let config = gateway.options.tls.config(certificates, alpn).map_err(io::Error::other)?;
        Ok(Acceptor(Arc::new(config)))
    }

    /// The settings of the handshake.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0)
    }
}

/// Does the handshake.
///
/// # Errors
/// When it fails.
pub async fn accept_tls(acceptor: &Acceptor, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    TlsAcceptor::from(acceptor.config()).accept(stream).await
}
