//! The sockets of the admin and status APIs: HTTP/1.1 and, with TLS, HTTP/2.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ServerConfig, server::ResolvesServerCert, sign::CertifiedKey};
use socket2::{SockRef, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::AbortHandle,
};
use tokio_rustls::TlsAcceptor;

use super::{Admin, endpoints::Endpoints};
use crate::{
    net::{
        Inherited, Role, alpn,
        tls::{certified_key, provider},
    },
    proxy::Listener,
};

/// Most connections at a time; more wait in the system's queue.
const MOST: usize = 1024;
/// How long a client may take for a request's head, and a connection be idle.
const HEAD: Duration = Duration::from_secs(60);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// HTTP/2 by its name in the TLS handshake.
const H2: &[u8] = b"h2";

/// A socket that is listened at, whose connections wait.
pub struct Bound {
    role: Role,
    endpoints: &'static Endpoints,
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
}

/// Listens at those addresses; `certificate` is shown where TLS is spoken: chain and key in PEM.
///
/// # Errors
/// When an address cannot be listened at, or there is no usable certificate.
pub async fn bind(
    admin: &Admin,
    (role, endpoints): (Role, &'static Endpoints),
    listeners: &[Listener],
    certificate: Option<&(String, String)>,
    inherited: &mut Inherited,
) -> io::Result<Vec<Bound>> {
    let mut bound = Vec::new();
    for listener in listeners {
        let named =
            |e: io::Error| io::Error::new(e.kind(), format!("admin API at {}: {e}", listener.address));
        let tls = listener.tls.then(|| acceptor(admin, certificate, listener.http2)).transpose();
        let tls = tls.map_err(named)?;
        // One socket is enough, and all that are inherited may be the same one.
        let inherited = inherited.take(role, listener.address, Type::STREAM).map_err(named)?.pop();
        let socket = match inherited {
            Some(socket) => TcpListener::from_std(socket.into()),
            None => TcpListener::bind(listener.address).await,
        };
        bound.push(Bound { role, endpoints, socket: socket.map_err(named)?, tls });
    }
    Ok(bound)
}

impl Bound {
    /// The real address.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The socket, once more.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn share(&self) -> io::Result<(Role, Socket)> {
        Ok((self.role, SockRef::from(&self.socket).try_clone()?))
    }

    /// Answers until that is aborted or the runtime ends; connections open then go on.
    pub fn serve(self, admin: &Arc<Admin>) -> AbortHandle {
        tokio::spawn(accept(Arc::clone(admin), self)).abort_handle()
    }
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
fn acceptor(admin: &Admin, certificate: Option<&(String, String)>, http2: bool) -> io::Result<TlsAcceptor> {
    let own = match certificate {
        Some((cert, key)) => Some(certified_key(cert, key).map(Arc::new).map_err(io::Error::other)?),
        None => admin.gateway.snapshot().certificates.fallback(),
    };
    let own = own.ok_or_else(|| io::Error::other("there is no certificate"))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(One(own)));
    config.alpn_protocols = alpn(http2).iter().map(|name| name.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(admin: Arc<Admin>, bound: Bound) {
    let Bound { endpoints, socket, tls, .. } = bound;
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
        None => serve(admin, endpoints, stream, false).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                let http2 = stream.get_ref().1.alpn_protocol() == Some(H2);
                serve(admin, endpoints, stream, http2).await;
            }
        }
    }
}

async fn serve<S>(admin: Arc<Admin>, endpoints: &'static Endpoints, stream: S, http2: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let admin = Arc::clone(&admin);
        async move { Ok::<_, Infallible>(admin.answer(endpoints, request).await) }
    });
    let io = TokioIo::new(stream);
    // A client that breaks off is its own business.
    if http2 {
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).keep_alive_interval(HEAD).max_concurrent_streams(16);
        let _ = builder.serve_connection(io, service).await;
    } else {
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEAD);
        let _ = builder.serve_connection(io, service).await;
    }
}
