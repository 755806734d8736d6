//! Client sockets that are registered with the runtime's poller only once an operation returns EAGAIN.
//!
//! Registration and deregistration are two `epoll_ctl` calls and one more iteration of the event loop. A client that
//! connects for a single request has often sent it before it is accepted, and the response fits its receive buffer, so
//! that such a connection never has to wait.
//!
//! ```text
//!   unregistered ---(read, write or shutdown returns EAGAIN)---> registered with tokio
//!        |   ^
//!        +---+  system calls that complete
//! ```

use std::{
    cell::Cell,
    io::{self, IoSlice, Write as _},
    net::{Shutdown, SocketAddr},
    pin::Pin,
    task::{Context, Poll, ready},
};

use socket2::{SockRef, Socket};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf, unix::AsyncFd},
    net::TcpStream,
    task::coop::poll_proceed,
};

/// State of a stream that is known without reading from it.
pub trait ReadinessState {
    /// Returns whether the stream is registered with the poller, so that a read that would block has no further cost.
    fn is_registered(&self) -> bool {
        true
    }

    /// Returns whether the client has reset the connection. Unread data before the reset stays unread.
    fn is_reset(&self) -> bool {
        false
    }
}

/// In-memory pipe for tests of connections.
impl ReadinessState for tokio::io::DuplexStream {}

impl ReadinessState for TcpStream {
    fn is_reset(&self) -> bool {
        self.take_error().is_ok_and(|error| error.is_some())
    }
}

impl<S: ReadinessState> ReadinessState for tokio_rustls::server::TlsStream<S> {
    fn is_reset(&self) -> bool {
        self.get_ref().0.is_reset()
    }
}

/// Listening socket whose connections are [`UnregisteredStream`]s.
#[derive(Debug)]
pub struct DeferredListener {
    socket: AsyncFd<mio::net::TcpListener>,
    /// Whether the last call accepted a connection, which may have been the only one in the queue.
    has_just_accepted: Cell<bool>,
}

impl DeferredListener {
    /// Registers a listening socket. Must be called on a runtime.
    ///
    /// # Errors
    /// Returns an error if the runtime cannot register the socket.
    #[allow(unsafe_code, reason = "the type system cannot express that the descriptor stays open")]
    pub fn new(socket: Socket) -> io::Result<Self> {
        let listener = mio::net::TcpListener::from_std(socket.into());
        // SAFETY: the listener owns its descriptor, the `AsyncFd` owns the listener, and it is never taken out.
        let registered = unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE) };
        Ok(DeferredListener { socket: registered?, has_just_accepted: Cell::new(false) })
    }

    /// Waits for a connection and accepts it.
    ///
    /// # Errors
    /// Returns an error if `accept` fails.
    pub async fn accept(&self) -> io::Result<(UnregisteredStream, SocketAddr)> {
        let try_accept = |listener: &mio::net::TcpListener| {
            // Peek first: accept() allocates a socket even when it returns EAGAIN, which poll() does not.
            if self.has_just_accepted.replace(false) && !has_pending(listener) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let accepted = listener.accept()?;
            self.has_just_accepted.set(true);
            Ok(accepted)
        };
        let (stream, peer) = self.socket.async_io(Interest::READABLE, try_accept).await?;
        Ok((UnregisteredStream::new(stream), peer))
    }

    /// Accepts a connection that is in the queue; `None` if there is none.
    pub fn try_accept(&self) -> Option<(UnregisteredStream, SocketAddr)> {
        let (stream, peer) = self.socket.get_ref().accept().ok()?;
        Some((UnregisteredStream::new(stream), peer))
    }

    /// Returns the address that the socket is bound to.
    ///
    /// # Errors
    /// Returns an error if `getsockname` fails.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get_ref().local_addr()
    }

    /// Returns the socket, for its options.
    pub fn socket(&self) -> SockRef<'_> {
        SockRef::from(self.socket.get_ref())
    }
}

/// Returns whether the accept queue may have a connection. `true` if `poll` fails.
fn has_pending(listener: &mio::net::TcpListener) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let no_wait = Timespec::default();
        poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&no_wait)) != Ok(0)
    }
    #[cfg(not(target_os = "linux"))]
    true
}

/// TCP connection of a client that is registered with the poller on demand.
#[derive(Debug)]
pub struct UnregisteredStream {
    unregistered: Option<mio::net::TcpStream>,
    registered: Option<TcpStream>,
}

impl UnregisteredStream {
    /// Wraps a connection just accepted.
    fn new(stream: mio::net::TcpStream) -> Self {
        // On Linux the option is inherited from the listening socket.
        #[cfg(not(target_os = "linux"))]
        let _ = stream.set_nodelay(true);
        UnregisteredStream { unregistered: Some(stream), registered: None }
    }

    /// Returns the local address of the connection.
    ///
    /// # Errors
    /// Returns an error if `getsockname` fails.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match (&self.unregistered, &self.registered) {
            (Some(stream), _) => stream.local_addr(),
            (None, Some(stream)) => stream.local_addr(),
            (None, None) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Registers the stream, and converts it into tokio's.
    ///
    /// # Errors
    /// Returns an error if the runtime cannot register it.
    pub fn into_registered(mut self) -> io::Result<TcpStream> {
        self.register()?;
        self.registered.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Registers the stream unless it is registered.
    fn register(&mut self) -> io::Result<&mut TcpStream> {
        if let Some(stream) = self.unregistered.take() {
            self.registered = Some(TcpStream::from_std(stream.into())?);
        }
        self.registered.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Attempts an operation while the stream is unregistered; `None` if it is registered, or the operation would block.
    fn try_io<T>(
        &mut self,
        mut attempt: impl FnMut(&mut mio::net::TcpStream) -> io::Result<T>,
    ) -> Option<io::Result<T>> {
        let stream = self.unregistered.as_mut()?;
        loop {
            match attempt(stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Some(result),
            }
        }
    }
}

/// Reads into the unfilled part of a buffer.
#[allow(unsafe_code, reason = "avoids zeroing the buffer first")]
fn try_recv(stream: &mio::net::TcpStream, buf: &mut ReadBuf<'_>) -> io::Result<()> {
    // SAFETY: `recv` writes only received bytes to the unfilled part, and initializes `count` of them.
    unsafe {
        let count = SockRef::from(stream).recv(buf.unfilled_mut())?;
        buf.assume_init(count);
        buf.advance(count);
    }
    Ok(())
}

impl ReadinessState for UnregisteredStream {
    fn is_registered(&self) -> bool {
        self.unregistered.is_none()
    }

    fn is_reset(&self) -> bool {
        let error = match (&self.unregistered, &self.registered) {
            (Some(stream), _) => stream.take_error(),
            (None, Some(stream)) => stream.take_error(),
            (None, None) => return false,
        };
        error.is_ok_and(|error| error.is_some())
    }
}

/// Writes to a registered stream. Tries before it registers a waker with tokio: the socket buffer is rarely full.
pub(super) fn poll_write(
    stream: &mut TcpStream,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    match stream.try_write(bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Pin::new(stream).poll_write(cx, bytes),
        result => Poll::Ready(result),
    }
}

/// Vectored form of [`poll_write`].
pub(super) fn poll_write_vectored(
    stream: &mut TcpStream,
    cx: &mut Context<'_>,
    bufs: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    match stream.try_write_vectored(bufs) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Pin::new(stream).poll_write_vectored(cx, bufs)
        }
        result => Poll::Ready(result),
    }
}

impl AsyncRead for UnregisteredStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.unregistered.is_some() {
            // Charge the task's budget, as tokio does for registered streams: otherwise a client whose data is always
            // ready would monopolize the worker.
            ready!(poll_proceed(cx)).made_progress();
        }
        match this.try_io(|stream| try_recv(stream, buf)) {
            Some(result) => Poll::Ready(result),
            None => Pin::new(this.register()?).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for UnregisteredStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.try_io(|stream| stream.write(bytes)) {
            Some(result) => Poll::Ready(result),
            None => poll_write(this.register()?, cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.try_io(|stream| stream.write_vectored(bufs)) {
            Some(result) => Poll::Ready(result),
            None => poll_write_vectored(this.register()?, cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.try_io(|stream| stream.shutdown(Shutdown::Write)) {
            Some(result) => Poll::Ready(result),
            None => Pin::new(this.register()?).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, net::Ipv4Addr};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn pair() -> (std::net::TcpStream, UnregisteredStream) {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let client = std::net::TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let (stream, _) = listener.accept().expect("a client");
        stream.set_nonblocking(true).expect("a socket");
        (client, UnregisteredStream::new(mio::net::TcpStream::from_std(stream)))
    }

    #[tokio::test]
    async fn operations_that_do_not_block_need_no_registration() {
        let (mut client, mut stream) = pair();
        client.write_all(b"request").expect("buffer space");
        // Loopback delivers synchronously.
        let mut received = [0; 16];
        assert_eq!(stream.read(&mut received).await.expect("a connection"), 7);
        stream.write_all(b"response").await.expect("buffer space");
        assert!(!stream.is_registered());
        stream.shutdown().await.expect("a connection");
        let mut response = String::new();
        client.read_to_string(&mut response).expect("text");
        assert_eq!((&received[..7], &*response), (&b"request"[..], "response"));
    }

    #[tokio::test]
    async fn operations_that_block_register_the_stream_and_are_woken() {
        let (mut client, mut stream) = pair();
        let mut received = [0; 16];
        let sending = async {
            tokio::task::yield_now().await;
            client.write_all(b"late").expect("buffer space");
        };
        let (count, ()) = tokio::join!(stream.read(&mut received), sending);
        assert_eq!(&received[..count.expect("a connection")], b"late");
        assert!(stream.is_registered());
        // More than the socket buffers hold.
        let large = vec![7; 8 << 20];
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            client.read_to_end(&mut all).map(|_| all)
        });
        stream.write_all(&large).await.expect("a peer that reads");
        drop(stream);
        assert!(reader.join().expect("no panic").expect("end of stream") == large);
    }
}
