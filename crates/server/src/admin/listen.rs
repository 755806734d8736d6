//! The sockets of the admin and status APIs: HTTP/1.1 and, with TLS, HTTP/2.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{
    RootCertStore, ServerConfig,
    server::{ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
};
use socket2::{SockRef, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};
use tokio_rustls::TlsAcceptor;

use super::{Admin, Client, connections::Connections, endpoints::Endpoints, send::SendTimeout};
use net::{
    Inherited, Role, alpn,
    tls::{certificates, certified_key, provider},
};
use proxy::{Listener, StartError};
use runtime::Gateway;

/// Most connections at a time. Beyond it, a new one takes the place of the slowest.
const MAX_CONNECTIONS: usize = 256;
/// How long a client may take for a request's head, and a connection be idle.
const HEAD: Duration = Duration::from_secs(60);
/// How long a client may take none of a response.
const SEND: Duration = Duration::from_secs(60);
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

/// How TLS is spoken where it is.
#[derive(Clone, Copy)]
pub struct Tls<'a> {
    /// The API's own certificate: chain and key in PEM.
    pub certificate: Option<&'a (String, String)>,
    /// Authorities in PEM whose certificates clients have to show.
    pub client_authorities: Option<&'a str>,
}

/// Why that listener does not listen.
fn failed(role: Role, listener: &Listener) -> impl Fn(io::Error) -> StartError {
    let address = listener.address;
    move |error| StartError::Listen { role, address, error }
}

/// Everything that [`bind`] does before it opens a socket.
///
/// # Errors
/// When there is no usable certificate.
pub fn check(gateway: &Gateway, role: Role, listeners: &[Listener], tls: Tls<'_>) -> Result<(), StartError> {
    for listener in listeners.iter().filter(|listener| listener.tls) {
        acceptor(gateway, tls, listener.http2).map_err(failed(role, listener))?;
    }
    Ok(())
}

/// Listens at those addresses.
///
/// # Errors
/// When an address cannot be listened at, or there is no usable certificate.
pub async fn bind(
    gateway: &Gateway,
    (role, endpoints): (Role, &'static Endpoints),
    listeners: &[Listener],
    tls: Tls<'_>,
    inherited: &mut Inherited,
) -> Result<Vec<Bound>, StartError> {
    let mut bound = Vec::new();
    for listener in listeners {
        let failed = failed(role, listener);
        let acceptor = listener.tls.then(|| acceptor(gateway, tls, listener.http2)).transpose();
        let tls = acceptor.map_err(&failed)?;
        // One socket is enough, and all that are inherited may be the same one.
        let inherited = inherited.take(role, listener.address, Type::STREAM).map_err(&failed)?.pop();
        let socket = match inherited {
            Some(socket) => TcpListener::from_std(socket.into()),
            None => TcpListener::bind(listener.address).await,
        };
        bound.push(Bound { role, endpoints, socket: socket.map_err(&failed)?, tls });
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
fn acceptor(gateway: &Gateway, tls: Tls<'_>, http2: bool) -> io::Result<TlsAcceptor> {
    let own = match tls.certificate {
        Some((cert, key)) => Some(certified_key(cert, key).map(Arc::new).map_err(io::Error::other)?),
        None => gateway.snapshot().certificates.fallback(),
    };
    let own = own.ok_or_else(|| io::Error::other("there is no certificate"))?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(io::Error::other)?;
    let builder = match tls.client_authorities {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates(pem).map_err(io::Error::other)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(io::Error::other)?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(One(own)));
    config.alpn_protocols = alpn(http2).iter().map(|name| name.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(admin: Arc<Admin>, bound: Bound) {
    let Bound { role, endpoints, socket, tls, .. } = bound;
    let connections = Connections::new(MAX_CONNECTIONS);
    loop {
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
        let spawned = connections.spawn(|activity| {
            let client = Client { role, endpoints, connections: Arc::clone(&connections), activity };
            connection(admin, client, stream, tls)
        });
        spawned.await;
    }
}

async fn connection(admin: Arc<Admin>, client: Client, stream: TcpStream, tls: Option<TlsAcceptor>) {
    // Only costs latency where it fails.
    let _ = stream.set_nodelay(true);
    let stream = SendTimeout::new(stream, SEND);
    match tls {
        None => serve(admin, client, stream, false).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                let http2 = stream.get_ref().1.alpn_protocol() == Some(H2);
                serve(admin, client, stream, http2).await;
            }
        }
    }
}

async fn serve<S>(admin: Arc<Admin>, client: Client, stream: S, http2: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let (admin, client) = (Arc::clone(&admin), client.clone());
        async move { Ok::<_, Infallible>(admin.answer(client, request).await) }
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
