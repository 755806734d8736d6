//! HTTP server for the tests: hyper's, at a port of loopback that the system chooses.

use std::{
    convert::Infallible,
    future::{Future, pending},
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use net::tls::{ClientTls, TrustRoots};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::{broadcast, watch},
};

pub type Body = BoxBody<Bytes, hyper::Error>;

/// What the server does with a request.
pub enum Reply {
    Response(Response<Body>),
    /// Sends the body back while it is received.
    Echo(Incoming),
    /// Chunks without a declared length.
    Chunks(Vec<String>),
    /// A part of a body, of which more is announced and not sent.
    Stalled(&'static str),
    /// No response.
    Never,
}

pub fn full(text: impl Into<Bytes>) -> Reply {
    Reply::Response(Response::new(Full::new(text.into()).map_err(|never| match never {}).boxed()))
}

/// Stream of the items of a collection.
pub fn iter<T>(items: impl IntoIterator<Item = T>) -> futures_util::stream::Iter<impl Iterator<Item = T>> {
    futures_util::stream::iter(items)
}

impl Reply {
    async fn response(self) -> Response<Body> {
        match self {
            Reply::Response(response) => response,
            Reply::Echo(body) => Response::new(body.boxed()),
            Reply::Chunks(chunks) => {
                let frames = chunks.into_iter().map(|chunk| Ok(Frame::data(chunk.into())));
                Response::new(BodyExt::boxed(StreamBody::new(iter(frames))))
            }
            Reply::Stalled(text) => {
                use futures_util::StreamExt;
                let first = iter([Ok(Frame::data(text.into()))]);
                Response::new(BodyExt::boxed(StreamBody::new(first.chain(futures_util::stream::pending()))))
            }
            Reply::Never => pending().await,
        }
    }
}

pub struct Server {
    pub address: SocketAddr,
    scheme: &'static str,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    open: watch::Receiver<usize>,
    close: broadcast::Sender<()>,
}

type Handler = Arc<dyn Fn(Request<Incoming>) -> Reply + Send + Sync>;

impl Server {
    pub async fn clear(handler: impl Fn(Request<Incoming>) -> Reply + Send + Sync + 'static) -> Self {
        Self::start("http", Arc::new(handler), |stream| async move { Ok((TokioIo::new(stream), false)) })
            .await
    }

    pub async fn clear_http2(handler: impl Fn(Request<Incoming>) -> Reply + Send + Sync + 'static) -> Self {
        Self::start("http", Arc::new(handler), |stream| async move { Ok((TokioIo::new(stream), true)) }).await
    }

    /// Starts a server with a certificate for 127.0.0.1, and returns settings that trust it.
    pub async fn tls(
        handler: impl Fn(Request<Incoming>) -> Reply + Send + Sync + 'static,
    ) -> (Self, Arc<ClientTls>) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let pem = made.cert.pem();
        let trusted = TrustRoots { authorities: &[&pem], max_depth: 1 };
        let tls = ClientTls::new(Some(trusted), None).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let mut config = rustls::ServerConfig::builder_with_provider(net::tls::crypto_provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let accept = move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let stream = acceptor.accept(stream).await?;
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                Ok((TokioIo::new(stream), is_http2))
            }
        };
        (Self::start("https", Arc::new(handler), accept).await, Arc::new(tls))
    }

    async fn start<S, F>(
        scheme: &'static str,
        handler: Handler,
        accept: impl Fn(tokio::net::TcpStream) -> F + Send + Sync + 'static,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = io::Result<(TokioIo<S>, bool)>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (open_now, open) = watch::channel(0);
        let (close, _) = broadcast::channel(1);
        let server = Server {
            address,
            scheme,
            connections: Arc::clone(&connections),
            requests: Arc::clone(&requests),
            open,
            close: close.clone(),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                open_now.send_modify(|open| *open += 1);
                let (accepted, handler, requests) =
                    (accept(stream), Arc::clone(&handler), Arc::clone(&requests));
                let (open_now, mut close) = (open_now.clone(), close.subscribe());
                tokio::spawn(async move {
                    let serving = async {
                        let Ok((io, is_http2)) = accepted.await else { return };
                        let service = service_fn(move |request| {
                            requests.fetch_add(1, Ordering::SeqCst);
                            let reply = handler(request);
                            async { Ok::<_, Infallible>(reply.response().await) }
                        });
                        let _ = if is_http2 {
                            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                                .serve_connection(io, service)
                                .await
                        } else {
                            hyper::server::conn::http1::Builder::new().serve_connection(io, service).await
                        };
                    };
                    tokio::select! { () = serving => {}, _ = close.recv() => {} }
                    open_now.send_modify(|open| *open -= 1);
                });
            }
        });
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Waits until no connection is open.
    pub async fn all_closed(&self) {
        let mut open = self.open.clone();
        let closed = open.wait_for(|open| *open == 0);
        tokio::time::timeout(Duration::from_secs(30), closed).await.unwrap().unwrap();
    }

    /// Closes the open connections.
    pub async fn close_connections(&self) {
        self.close.send(()).unwrap();
        self.all_closed().await;
    }
}
