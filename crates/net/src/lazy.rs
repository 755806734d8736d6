//! A client's socket that the runtime watches only when somebody has to wait for it.
//!
//! To watch a socket and to stop watching it are two system calls, and one more turn of the event loop. A client
//! that connects for one request has often sent it by the time it is accepted, and takes its answer at once.

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

/// What can be asked of a stream before it is read.
pub trait Watch {
    /// Whether a read that finds nothing costs no more than itself.
    fn is_watched(&self) -> bool {
        true
    }

    /// Whether the client has reset the connection, told without reading what came before that.
    fn is_reset(&self) -> bool {
        false
    }
}

/// A pipe in memory, which the tests of connections use.
impl Watch for tokio::io::DuplexStream {}

impl Watch for TcpStream {
    fn is_reset(&self) -> bool {
        self.take_error().is_ok_and(|error| error.is_some())
    }
}

impl<S: Watch> Watch for tokio_rustls::server::TlsStream<S> {
    fn is_reset(&self) -> bool {
        self.get_ref().0.is_reset()
    }
}

/// Where clients connect.
#[derive(Debug)]
pub struct LazyListener {
    socket: AsyncFd<mio::net::TcpListener>,
    /// The last call took a client in, who may have been the only one.
    served: Cell<bool>,
}

impl LazyListener {
    /// Takes a listening socket over. To be called on a runtime.
    ///
    /// # Errors
    /// When the runtime cannot watch it.
    #[allow(unsafe_code, reason = "the type cannot tell that a descriptor stays open")]
    pub fn new(socket: Socket) -> io::Result<Self> {
        let listener = mio::net::TcpListener::from_std(socket.into());
        // SAFETY: the listener owns its descriptor, is owned by what watches it, and is never taken out of it.
        let watched = unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE) };
        Ok(LazyListener { socket: watched?, served: Cell::new(false) })
    }

    /// Waits for a client.
    ///
    /// # Errors
    /// When the system refuses to take one in.
    pub async fn accept(&self) -> io::Result<(LazyStream, SocketAddr)> {
        let next = |listener: &mio::net::TcpListener| {
            // Called in vain, accept has made a socket by the time it finds nobody: to look first costs less.
            if self.served.replace(false) && !somebody_waits(listener) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let client = listener.accept()?;
            self.served.set(true);
            Ok(client)
        };
        let (stream, peer) = self.socket.async_io(Interest::READABLE, next).await?;
        Ok((LazyStream::new(stream), peer))
    }

    /// A client that waits already.
    pub fn waiting(&self) -> Option<(LazyStream, SocketAddr)> {
        let (stream, peer) = self.socket.get_ref().accept().ok()?;
        Some((LazyStream::new(stream), peer))
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get_ref().local_addr()
    }

    /// Its socket, to be asked and set up.
    pub fn socket(&self) -> SockRef<'_> {
        SockRef::from(self.socket.get_ref())
    }
}

/// Whether a client may wait at the socket; yes, where the system does not tell.
fn somebody_waits(listener: &mio::net::TcpListener) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let at_once = Timespec::default();
        poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&at_once)) != Ok(0)
    }
    #[cfg(not(target_os = "linux"))]
    true
}

/// A client's TCP connection.
#[derive(Debug)]
pub struct LazyStream {
    /// Until it is watched.
    fresh: Option<mio::net::TcpStream>,
    watched: Option<TcpStream>,
}

impl LazyStream {
    /// A connection just accepted.
    fn new(stream: mio::net::TcpStream) -> Self {
        // Inherited from the listening socket elsewhere.
        #[cfg(not(target_os = "linux"))]
        let _ = stream.set_nodelay(true);
        LazyStream { fresh: Some(stream), watched: None }
    }

    /// Our end of it.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match (&self.fresh, &self.watched) {
            (Some(fresh), _) => fresh.local_addr(),
            (None, Some(watched)) => watched.local_addr(),
            (None, None) => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Has it watched from now on.
    ///
    /// # Errors
    /// When the runtime cannot.
    pub fn watched(mut self) -> io::Result<TcpStream> {
        self.watch()?;
        self.watched.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn watch(&mut self) -> io::Result<&mut TcpStream> {
        if let Some(fresh) = self.fresh.take() {
            self.watched = Some(TcpStream::from_std(fresh.into())?);
        }
        self.watched.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Tries, unless it is watched; none if it has to wait.
    fn at_once<T>(
        &mut self,
        mut attempt: impl FnMut(&mut mio::net::TcpStream) -> io::Result<T>,
    ) -> Option<io::Result<T>> {
        let fresh = self.fresh.as_mut()?;
        loop {
            match attempt(fresh) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Some(done),
            }
        }
    }
}

/// Reads into the room that is left.
#[allow(unsafe_code, reason = "the room is not zeroed first")]
fn receive(fresh: &mio::net::TcpStream, buf: &mut ReadBuf<'_>) -> io::Result<()> {
    // SAFETY: nothing but what is received is written to the room, and so much of it is initialised then.
    unsafe {
        let count = SockRef::from(fresh).recv(buf.unfilled_mut())?;
        buf.assume_init(count);
        buf.advance(count);
    }
    Ok(())
}

impl Watch for LazyStream {
    fn is_watched(&self) -> bool {
        self.fresh.is_none()
    }

    fn is_reset(&self) -> bool {
        let error = match (&self.fresh, &self.watched) {
            (Some(fresh), _) => fresh.take_error(),
            (None, Some(watched)) => watched.take_error(),
            (None, None) => return false,
        };
        error.is_ok_and(|error| error.is_some())
    }
}

/// Writes what the kernel takes at once, and only waits as tokio does: a socket hardly ever makes one wait.
pub(super) fn poll_write(
    stream: &mut TcpStream,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    match stream.try_write(bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Pin::new(stream).poll_write(cx, bytes),
        done => Poll::Ready(done),
    }
}

/// The same for several pieces.
pub(super) fn poll_write_vectored(
    stream: &mut TcpStream,
    cx: &mut Context<'_>,
    pieces: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    match stream.try_write_vectored(pieces) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Pin::new(stream).poll_write_vectored(cx, pieces)
        }
        done => Poll::Ready(done),
    }
}

impl AsyncRead for LazyStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.fresh.is_some() {
            // The runtime charges for reads of what it watches; a client that never makes a read wait is not to have
            // the worker for itself.
            ready!(poll_proceed(cx)).made_progress();
        }
        match this.at_once(|fresh| receive(fresh, buf)) {
            Some(done) => Poll::Ready(done),
            None => Pin::new(this.watch()?).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for LazyStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.at_once(|fresh| fresh.write(bytes)) {
            Some(done) => Poll::Ready(done),
            None => poll_write(this.watch()?, cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.at_once(|fresh| fresh.write_vectored(pieces)) {
            Some(done) => Poll::Ready(done),
            None => poll_write_vectored(this.watch()?, cx, pieces),
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
        match this.at_once(|fresh| fresh.shutdown(Shutdown::Write)) {
            Some(done) => Poll::Ready(done),
            None => Pin::new(this.watch()?).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read as _, net::Ipv4Addr};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn pair() -> (std::net::TcpStream, LazyStream) {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let client = std::net::TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let (stream, _) = listener.accept().expect("a client");
        stream.set_nonblocking(true).expect("a socket");
        (client, LazyStream::new(mio::net::TcpStream::from_std(stream)))
    }

    #[tokio::test]
    async fn what_can_be_done_at_once_needs_no_watching() {
        let (mut client, mut stream) = pair();
        client.write_all(b"ask").expect("room");
        // On loopback what was sent is there.
        let mut seen = [0; 16];
        assert_eq!(stream.read(&mut seen).await.expect("a connection"), 3);
        stream.write_all(b"answer").await.expect("room");
        assert!(!stream.is_watched());
        stream.shutdown().await.expect("a connection");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("text");
        assert_eq!((&seen[..3], &*answer), (&b"ask"[..], "answer"));
    }

    #[tokio::test]
    async fn who_has_to_wait_is_woken() {
        let (mut client, mut stream) = pair();
        let mut seen = [0; 16];
        let asking = async {
            tokio::task::yield_now().await;
            client.write_all(b"late").expect("room");
        };
        let (count, ()) = tokio::join!(stream.read(&mut seen), asking);
        assert_eq!(&seen[..count.expect("a connection")], b"late");
        assert!(stream.is_watched());
        // More than the kernel takes at once.
        let much = vec![7; 8 << 20];
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            client.read_to_end(&mut all).map(|_| all)
        });
        stream.write_all(&much).await.expect("a peer that reads");
        drop(stream);
        assert!(reader.join().expect("no panic").expect("an end") == much);
    }
}
