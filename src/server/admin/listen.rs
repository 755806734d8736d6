//! The sockets of the admin and status APIs: HTTP/1.1, with or without TLS.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{ServerConfig, server::ResolvesServerCert, sign::CertifiedKey};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;

use super::{Admin, endpoints::Endpoints};
use crate::{
    net::tls::{certified_key, provider},
    proxy::Listener,
};

/// Most connections at a time; more wait in the system's queue.
const MOST: usize = 1024;
/// How long a client may take for a request's head, and a connection be idle.
const HEAD: Duration = Duration::from_secs(60);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Listens at those addresses and answers until the runtime ends; returns the real addresses. `certificate` is
/// shown where TLS is spoken: chain and key in PEM.
///
/// # Errors
/// When an address cannot be listened at, or there is no usable certificate.
pub async fn listen(
    admin: &Arc<Admin>,
    endpoints: &'static Endpoints,
    listeners: &[Listener],
    certificate: Option<&(String, String)>,
) -> io::Result<Vec<SocketAddr>> {
    let mut bound = Vec::new();
    for listener in listeners {
        let named =
            |e: io::Error| io::Error::new(e.kind(), format!("admin API at {}: {e}", listener.address));
        let tls = listener.tls.then(|| acceptor(admin, certificate)).transpose().map_err(named)?;
        let socket = TcpListener::bind(listener.address).await.map_err(named)?;
        bound.push(socket.local_addr()?);
        tokio::spawn(accept(Arc::clone(admin), endpoints, socket, tls));
    }
    Ok(bound)
}

/// The one certificate of the API.
#[derive(Debug)]
struct One(Arc<CertifiedKey>);

impl ResolvesServerCert for One {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// TLS with the API's own certificate, or with the one that the proxy shows where it knows no better.
fn acceptor(admin: &Admin, certificate: Option<&(String, String)>) -> io::Result<TlsAcceptor> {
    let own = match certificate {
        Some((cert, key)) => Some(certified_key(cert, key).map(Arc::new).map_err(io::Error::other)?),
        None => admin.gateway.snapshot().certificates.find(None),
    };
    let own = own.ok_or_else(|| io::Error::other("there is no certificate"))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(One(own)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(
    admin: Arc<Admin>,
    endpoints: &'static Endpoints,
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
) {
    let room = Arc::new(Semaphore::new(MOST));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, mostly: others are given back in a moment.
                tracing::warn!("the admin API cannot accept: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (admin, tls) = (Arc::clone(&admin), tls.clone());
        tokio::spawn(async move {
            connection(admin, endpoints, stream, tls).await;
            drop(place);
        });
    }
}

async fn connection(
    admin: Arc<Admin>,
    endpoints: &'static Endpoints,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve(admin, endpoints, stream).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                serve(admin, endpoints, stream).await;
            }
        }
    }
}

async fn serve<S>(admin: Arc<Admin>, endpoints: &'static Endpoints, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let admin = Arc::clone(&admin);
        async move { Ok::<_, Infallible>(admin.answer(endpoints, request).await) }
    });
    // A client that breaks off is its own business.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
