//! TLS towards clients: certificates by server name from the current snapshot, HTTP/2 by ALPN.

use std::{io, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::Ticketer,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{Listener, Traffic};
use crate::{net::tls::provider, runtime::Gateway};

/// Shows the certificate that the configuration of the moment has for a name.
#[derive(Debug)]
struct BySnapshot(Arc<Gateway>);

impl ResolvesServerCert for BySnapshot {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.snapshot().certificates.find(hello.server_name())
    }
}

/// Takes TLS connections in.
pub struct Acceptor(TlsAcceptor);

impl Acceptor {
    /// An acceptor for that listener's protocols.
    pub fn new(gateway: &Arc<Gateway>, listener: &Listener) -> Self {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .expect("the provider has the cipher suites of both versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(BySnapshot(Arc::clone(gateway))));
        config.alpn_protocols = match (listener.traffic, listener.http2) {
            // What is spoken on a stream is none of ours.
            (Traffic::Streams | Traffic::Datagrams, _) => Vec::new(),
            (Traffic::Http, true) => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            (Traffic::Http, false) => vec![b"http/1.1".to_vec()],
        };
        match Ticketer::new() {
            Ok(ticketer) => config.ticketer = ticketer,
            Err(error) => tracing::warn!("no session tickets: {error}"),
        }
        Acceptor(TlsAcceptor::from(Arc::new(config)))
    }

    /// The settings of the handshake.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(self.0.config())
    }
}

/// Does the handshake.
///
/// # Errors
/// When it fails.
pub async fn accept_tls(acceptor: &Acceptor, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    acceptor.0.accept(stream).await
}
