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
    /// An acceptor that offers HTTP/2 or not.
    pub fn new(gateway: &Arc<Gateway>, http2: bool) -> Self {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .expect("the provider has the cipher suites of both versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(BySnapshot(Arc::clone(gateway))));
        config.alpn_protocols = match http2 {
            true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            false => vec![b"http/1.1".to_vec()],
        };
        match Ticketer::new() {
            Ok(ticketer) => config.ticketer = ticketer,
            Err(error) => tracing::warn!("no session tickets: {error}"),
        }
        Acceptor(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Does the handshake.
///
/// # Errors
/// When it fails.
pub async fn accept_tls(acceptor: &Acceptor, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    acceptor.0.accept(stream).await
}
