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

use super::{
    Admin, Client, access_log::ClientConnection, connections::Connections, endpoints::Endpoints,
    send_timeout::SendTimeout,
};
use net::{
    Inherited, Role, alpn, session_parameters,
    tls::{crypto_provider, parse_certificates, parse_certified_key},
};
use proxy::{Listener, StartError};
use runtime::Gateway;

/// Most connections per listener. At the limit, a new connection evicts the one that has been idle for longest.
const MAX_CONNECTIONS: usize = 256;
/// Time limit to receive a request head, and keep-alive timeout.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// Time limit between two writes of a response.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);
/// Time limit of a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// ALPN protocol name of HTTP/2.
const H2: &[u8] = b"h2";

/// A listening socket, not served yet.
pub struct Bound {
    role: Role,
    endpoints: &'static Endpoints,
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
}

/// TLS options of an API.
#[derive(Clone, Copy)]
pub struct Tls<'a> {
    /// The API's own certificate: chain and key in PEM.
    pub certificate: Option<&'a (String, String)>,
    /// Certificate authorities in PEM; if set, clients must present a certificate of one of them.
    pub client_authorities: Option<&'a str>,
}

/// Returns a function that adds the listener to an error.
fn failed(role: Role, listener: &Listener) -> impl Fn(io::Error) -> StartError {
    let address = listener.address;
    move |error| StartError::Listen { role, address, error }
}

/// Performs the checks of [`bind`] without opening a socket.
///
/// # Errors
/// When there is no usable certificate.
pub fn check(gateway: &Gateway, role: Role, listeners: &[Listener], tls: Tls<'_>) -> Result<(), StartError> {
    for listener in listeners.iter().filter(|listener| listener.tls) {
        acceptor(gateway, tls, listener.http2).map_err(failed(role, listener))?;
    }
    Ok(())
}

/// Binds the listeners.
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
        // FixedCert socket is enough, and all that are inherited may be the same one.
        let inherited = inherited.claim(role, listener.address, Type::STREAM).map_err(&failed)?.pop();
        let socket = match inherited {
            Some(socket) => TcpListener::from_std(socket.into()),
            None => TcpListener::bind(listener.address).await,
        };
        bound.push(Bound { role, endpoints, socket: socket.map_err(&failed)?, tls });
    }
    Ok(bound)
}

impl Bound {
    /// The bound address.
    ///
    /// # Errors
    /// When the system does not report it.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Duplicates the socket.
    ///
    /// # Errors
    /// When no file descriptor is available.
    pub fn share(&self) -> io::Result<(Role, Socket)> {
        Ok((self.role, SockRef::from(&self.socket).try_clone()?))
    }

    /// Spawns the accept loop, which runs until it is aborted or the runtime stops. Aborting keeps open connections.
    pub fn serve(self, admin: &Arc<Admin>) -> AbortHandle {
        tokio::spawn(accept(Arc::clone(admin), self)).abort_handle()
    }
}

/// Resolver that returns the same certificate for every server name.
#[derive(Debug)]
struct FixedCert(Arc<CertifiedKey>);

impl ResolvesServerCert for FixedCert {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Creates a TLS acceptor with the API's certificate, or else with the proxy's fallback certificate.
fn acceptor(gateway: &Gateway, tls: Tls<'_>, http2: bool) -> io::Result<TlsAcceptor> {
    let own = match tls.certificate {
        Some((cert, key)) => Some(parse_certified_key(cert, key).map(Arc::new).map_err(io::Error::other)?),
        None => gateway.snapshot().certificates.fallback(),
    };
    let own = own.ok_or_else(|| io::Error::other("there is no certificate"))?;
    let builder = ServerConfig::builder_with_provider(crypto_provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(io::Error::other)?;
    let builder = match tls.client_authorities {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(parse_certificates(pem).map_err(io::Error::other)?);
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crypto_provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(io::Error::other)?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(FixedCert(own)));
    config.alpn_protocols = alpn(http2).iter().map(|name| name.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(admin: Arc<Admin>, bound: Bound) {
    let Bound { role, endpoints, socket, tls, .. } = bound;
    let connections = Connections::new(MAX_CONNECTIONS);
    loop {
        let (stream, peer) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Usually no descriptor is available: a short delay lets other connections close.
                tracing::warn!("the admin API cannot accept: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (admin, tls) = (Arc::clone(&admin), tls.clone());
        let spawned = connections.spawn(|activity| {
            let local = stream.local_addr().unwrap_or(peer);
            let client = Client {
                role,
                endpoints,
                connections: Arc::clone(&connections),
                activity,
                connection: ClientConnection::new(peer, local, None),
            };
            connection(admin, client, (stream, peer, local), tls)
        });
        spawned.await;
    }
}

async fn connection(
    admin: Arc<Admin>,
    mut client: Client,
    (stream, peer, local): (TcpStream, SocketAddr, SocketAddr),
    tls: Option<TlsAcceptor>,
) {
    // An error only costs latency.
    let _ = stream.set_nodelay(true);
    let stream = SendTimeout::new(stream, SEND_TIMEOUT);
    match tls {
        None => serve(admin, client, stream, false).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
                let session = stream.get_ref().1;
                let http2 = session.alpn_protocol() == Some(H2);
                client.connection = ClientConnection::new(peer, local, session_parameters(session));
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
        async move { Ok::<_, Infallible>(admin.respond(client, request).await) }
    });
    let io = TokioIo::new(stream);
    // Connection errors are caused by the client and are not logged.
    if http2 {
        let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).keep_alive_interval(HEADER_TIMEOUT).max_concurrent_streams(16);
        let _ = builder.serve_connection(io, service).await;
    } else {
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
        let _ = builder.serve_connection(io, service).await;
    }
}
