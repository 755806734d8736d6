//! Reads TLS's ClientHello for the server name, and records it, so that the connection can still be passed
//! through unchanged. rustls parses it and bounds its length.

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

/// A connection whose ClientHello has been read.
pub struct ClientHello(StartHandshake<ReplayStream>);

/// Waits for the ClientHello; `None` if the client does not use TLS.
pub async fn read(stream: TcpStream) -> Option<ClientHello> {
    let stream = ReplayStream { stream, recorded: Some(Vec::new()) };
    LazyConfigAcceptor::new(server::Acceptor::default(), stream).await.ok().map(ClientHello)
}

impl ClientHello {
    /// The server name (SNI).
    pub fn server_name(&self) -> Option<Arc<str>> {
        self.0.client_hello().server_name().map(Arc::from)
    }

    /// Returns the connection and the bytes read from it.
    pub fn into_replay(self) -> (TcpStream, Vec<u8>) {
        let ReplayStream { stream, recorded } = self.0.io;
        (stream, recorded.unwrap_or_default())
    }

    /// Completes the handshake.
    ///
    /// # Errors
    /// If it fails.
    pub async fn complete_handshake(
        mut self,
        config: Arc<ServerConfig>,
    ) -> io::Result<TlsStream<ReplayStream>> {
        self.0.io.recorded = None;
        self.0.into_stream(config).await
    }
}

/// A connection that records what is read from it, until the handshake is completed.
pub struct ReplayStream {
    stream: TcpStream,
    recorded: Option<Vec<u8>>,
}

impl AsyncRead for ReplayStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(recorded) = &mut self.recorded {
            recorded.extend_from_slice(&buf.filled()[before..]);
        }
        read
    }
}

impl AsyncWrite for ReplayStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // An alert may be written before the handshake is continued.
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
