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
use plugin::{Handshake, Phase};
use runtime::{Gateway, Snapshot};

/// Resolves certificates in the current snapshot.
#[derive(Debug)]
struct SnapshotCertResolver(Arc<Gateway>);

impl ResolvesServerCert for SnapshotCertResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let snap = self.0.snapshot();
        plugin_certificate(&snap, hello.server_name())
            .or_else(|| snap.certificates.find(hello.server_name(), hello.signature_schemes()))
    }
}

/// Returns the certificate that a global plugin selects.
fn plugin_certificate(snap: &Snapshot, server_name: Option<&str>) -> Option<Arc<CertifiedKey>> {
    if !snap.global.phases.contains(Phase::Certificate) {
        return None;
    }
    let rows = snap.global.slots.iter().filter_map(|slot| slot.select(None));
    let mut plugins = rows.filter_map(|row| snap.plugin(row, Phase::Certificate));
    plugins.find_map(|plugin| plugin.certificate(&Handshake { server_name }))
}

/// TLS configuration of a listener. All workers share it, and with it the session cache.
#[derive(Clone)]
pub struct Acceptor(Arc<ServerConfig>);

impl Acceptor {
    /// Creates the configuration of a listener.
    ///
    /// # Errors
    /// If the options leave no version or cipher suite.
    pub fn new(gateway: &Arc<Gateway>, listener: &Listener) -> io::Result<Self> {
        let alpn_protocols: &[&[u8]] = match listener.traffic {
            // The protocol inside a stream is not the gateway's.
            Traffic::Streams | Traffic::Datagrams => &[],
            Traffic::Http => alpn(listener.http2),
        };
        // Generates the fallback certificate now, rather than in the first handshake.
        let _ = gateway.snapshot().certificates.fallback();
        let certificates = Arc::new(SnapshotCertResolver(Arc::clone(gateway)));
        let config =
            gateway.options.tls.build_config(certificates, alpn_protocols).map_err(io::Error::other)?;
        Ok(Acceptor(Arc::new(config)))
    }

    /// The configuration of rustls.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0)
    }
}

/// Performs the handshake.
///
/// # Errors
/// If it fails.
pub async fn accept_tls(acceptor: &Acceptor, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    TlsAcceptor::from(acceptor.config()).accept(stream).await
}
