//! The first message of TLS: read for the server name, and kept, so that the connection can still be passed
//! on as if nobody had looked. rustls does the reading and bounds its length.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustls::{ServerConfig, server};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{
    LazyConfigAcceptor,
    server::{StartHandshake, TlsStream},
};

/// A connection whose client has said hello.
pub struct Hello(StartHandshake<Recorder>);

/// Waits for the hello; none if what comes is no TLS.
pub async fn read(stream: TcpStream) -> Option<Hello> {
    let recorder = Recorder { stream, seen: Some(Vec::new()) };
    LazyConfigAcceptor::new(server::Acceptor::default(), recorder).await.ok().map(Hello)
}

impl Hello {
    /// The server name asked for.
    pub fn server_name(&self) -> Option<Arc<str>> {
        self.0.client_hello().server_name().map(Arc::from)
    }

    /// The connection, and what has been read from it.
    pub fn pass_on(self) -> (TcpStream, Vec<u8>) {
        let Recorder { stream, seen } = self.0.io;
        (stream, seen.unwrap_or_default())
    }

    /// Goes on with the handshake.
    ///
    /// # Errors
    /// When it fails.
    pub async fn take_in(mut self, config: Arc<ServerConfig>) -> io::Result<TlsStream<Recorder>> {
        self.0.io.seen = None;
        self.0.into_stream(config).await
    }
}

/// A connection that keeps what is read from it, until told to stop.
pub struct Recorder {
    stream: TcpStream,
    seen: Option<Vec<u8>>,
}

impl AsyncRead for Recorder {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(seen) = &mut self.seen {
            seen.extend_from_slice(&buf.filled()[before..]);
        }
        read
    }
}

impl AsyncWrite for Recorder {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // While only the hello is read, there may be an alert to write.
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
