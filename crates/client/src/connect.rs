//! Connecting: name resolution, the address policy, TCP and TLS.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use http::{Uri, uri::Scheme};
use hyper::rt::{self, ReadBufCursor};
use hyper_util::{
    client::legacy::connect::{Connected, Connection as ConnectionInfo},
    rt::TokioIo,
};
use net::{
    Stream, system_authorities,
    tls::{ClientTls, TrustRoots},
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tower_service::Service;

use super::{AddressPolicy, ClientOptions, Error, Protocol, Stage};

/// Opens the connections of one client.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Shared>);

struct Shared {
    options: ClientOptions,
    addresses: AddressPolicy,
    /// Built for the first connection with TLS: reading the system's certificates takes time.
    tls: OnceLock<Result<Arc<ClientConfig>, Arc<io::Error>>>,
}

impl Connector {
    pub(crate) fn new(options: ClientOptions, addresses: AddressPolicy) -> Self {
        Connector(Arc::new(Shared { options, addresses, tls: OnceLock::new() }))
    }

    async fn connect(self, url: Uri) -> Result<Connection, Error> {
        let host: Arc<str> = url.host().unwrap_or_default().trim_matches(['[', ']']).into();
        let is_tls = url.scheme() == Some(&Scheme::HTTPS);
        let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let deadline = Instant::now() + self.0.options.connect_timeout;
        let opening = async {
            let stream = self.dial(&host, port, deadline).await?;
            if is_tls { self.handshake(host, stream).await } else { Ok(Connection::clear(stream)) }
        };
        timeout_at(deadline, opening).await.unwrap_or(Err(Error::Timeout(Stage::Connect)))
    }

    /// Opens a TCP connection to the first address that accepts one.
    async fn dial(&self, host: &Arc<str>, port: u16, deadline: Instant) -> Result<TcpStream, Error> {
        let addresses = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => {
                let failed = |error| Error::Resolve { host: Arc::clone(host), source: Arc::new(error) };
                self.0.options.resolver.resolve(host).await.map_err(failed)?
            }
        };
        let (permitted, refused): (Vec<_>, Vec<_>) =
            addresses.into_iter().partition(|address| self.0.addresses.permits(*address));
        let mut last_error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        let count = permitted.len();
        if let (0, Some(&address)) = (count, refused.first()) {
            return Err(Error::AddressNotPermitted { host: Arc::clone(host), address });
        }
        for (tried, address) in permitted.into_iter().enumerate() {
            // An address that drops packets must not use up the time of the others.
            let remaining = deadline.saturating_duration_since(Instant::now());
            let share = Instant::now() + remaining / u32::try_from(count - tried).unwrap_or(u32::MAX);
            match timeout_at(share, TcpStream::connect(SocketAddr::new(address, port))).await {
                Ok(Ok(stream)) => {
                    // Ignore the error: the connection works without the option.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last_error = error,
                Err(_) if tried + 1 == count => return Err(Error::Timeout(Stage::Connect)),
                Err(_) => {}
            }
        }
        Err(Error::Connect { host: Arc::clone(host), source: Arc::new(last_error) })
    }

    async fn handshake(&self, host: Arc<str>, stream: TcpStream) -> Result<Connection, Error> {
        let failed = |source| Error::Tls { host: Arc::clone(&host), source };
        let config = self.0.tls.get_or_init(|| self.0.options.tls_config().map_err(Arc::new));
        let config = config.clone().map_err(failed)?;
        let name = ServerName::try_from(host.to_string());
        let name = name.map_err(|error| failed(Arc::new(io::Error::other(error))))?;
        let stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await;
        let stream = stream.map_err(|error| failed(Arc::new(error)))?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Connection { io: TokioIo::new(Stream::Tls(Box::new(stream))), is_http2 })
    }
}

impl ClientOptions {
    fn tls_config(&self) -> io::Result<Arc<ClientConfig>> {
        let tls = match &self.tls {
            Some(tls) => Arc::clone(tls),
            None => {
                let authorities = system_authorities().unwrap_or_default();
                // As deep as rustls allows.
                let trusted = TrustRoots { authorities: &[&authorities], max_depth: usize::MAX };
                Arc::new(ClientTls::new(Some(trusted), None).map_err(io::Error::other)?)
            }
        };
        let mut config = (*tls.config).clone();
        config.alpn_protocols = match self.protocol {
            Protocol::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            Protocol::Http1 => vec![b"http/1.1".to_vec()],
            Protocol::Http2 => vec![b"h2".to_vec()],
        };
        Ok(Arc::new(config))
    }
}

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Connection, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        Box::pin(self.clone().connect(url))
    }
}

/// Connection to a server.
pub(crate) struct Connection {
    io: TokioIo<Stream>,
    is_http2: bool,
}

impl Connection {
    fn clear(stream: TcpStream) -> Self {
        Connection { io: TokioIo::new(Stream::Clear(stream)), is_http2: false }
    }
}

impl ConnectionInfo for Connection {
    fn connected(&self) -> Connected {
        if self.is_http2 { Connected::new().negotiated_h2() } else { Connected::new() }
    }
}

impl rt::Read for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl rt::Write for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
