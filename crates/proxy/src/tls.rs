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
use net::alpn;
use runtime::Gateway;

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
        let offered: &[&[u8]] = match listener.traffic {
            // What is spoken on a stream is none of ours.
            Traffic::Streams | Traffic::Datagrams => &[],
            Traffic::Http => alpn(listener.http2),
        };
        // Where there is none it is made now, and not when the first client waits for it.
        let _ = gateway.snapshot().certificates.fallback();
        let certificates = Arc::new(BySnapshot(Arc::clone(gateway)));
        let config = gateway.options.tls.config(certificates, offered).map_err(io::Error::other)?;
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
