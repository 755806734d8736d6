//! Small writes gathered until whoever drives a connection says that it has done all it can.
//!
//! h2 flushes after every frame of a body, so that each answer would cost a system call and a TLS record of
//! its own, although a turn of the event loop often brings several answers to one connection.

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes gathered at most: then they are written, whoever asks.
const MOST: usize = 64 * 1024;
/// Bytes for which a connection keeps room once it writes less than that.
const KEPT: usize = 8 * 1024;

/// A stream whose flushes are put off until [`Outlet::poll`].
#[derive(Debug)]
pub struct Gathered<S>(Rc<RefCell<Held<S>>>);

/// Where what was gathered leaves.
#[derive(Debug)]
pub struct Outlet<S>(Rc<RefCell<Held<S>>>);

#[derive(Debug)]
struct Held<S> {
    stream: S,
    gathered: Vec<u8>,
    written: usize,
    /// Whether the stream may still hold something back.
    unflushed: bool,
}

/// Gathers what is written to a stream.
pub fn gather<S>(stream: S) -> (Gathered<S>, Outlet<S>) {
    let held = Held { stream, gathered: Vec::new(), written: 0, unflushed: false };
    let held = Rc::new(RefCell::new(held));
    (Gathered(Rc::clone(&held)), Outlet(held))
}

impl<S: AsyncWrite + Unpin> Held<S> {
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.gathered.len() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.gathered[self.written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            self.unflushed = true;
        }
        let quiet = self.gathered.len() < KEPT;
        self.gathered.clear();
        self.written = 0;
        if quiet {
            self.gathered.shrink_to(KEPT);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write(cx))?;
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Outlet<S> {
    /// Writes and flushes what was gathered.
    ///
    /// # Errors
    /// When the stream fails.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_flush(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut held = self.0.borrow_mut();
        if held.gathered.len() >= MOST {
            ready!(held.poll_write(cx))?;
        }
        let room = MOST - held.gathered.len();
        let mut taken = 0;
        for piece in pieces {
            let here = piece.len().min(room - taken);
            held.gathered.extend_from_slice(&piece[..here]);
            taken += here;
        }
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut held = self.0.borrow_mut();
        ready!(held.poll_flush(cx))?;
        Pin::new(&mut held.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Waker};

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn nothing_leaves_before_the_outlet_is_asked() {
        let (near, mut far) = duplex(1024);
        let (mut stream, outlet) = gather(near);
        stream.write_all(b"one ").await.expect("room");
        stream.flush().await.expect("put off");
        stream.write_all(b"two").await.expect("room");
        let mut cx = Context::from_waker(Waker::noop());
        let mut seen = [0; 16];
        assert!(Pin::new(&mut far).poll_read(&mut cx, &mut ReadBuf::new(&mut seen)).is_pending());
        poll_fn(|cx| outlet.poll(cx)).await.expect("a peer that reads");
        let count = far.read(&mut seen).await.expect("bytes");
        assert_eq!(&seen[..count], b"one two");
    }

    #[tokio::test]
    async fn more_than_is_gathered_waits_for_the_peer_and_arrives_whole() {
        let (near, mut far) = duplex(1000);
        let (mut stream, outlet) = gather(near);
        let sent: Vec<u8> = (0..3 * MOST + 7).map(|at| at as u8).collect();
        let writing = async {
            stream.write_all(&sent).await.expect("a peer that reads");
            stream.shutdown().await.expect("a peer that reads");
        };
        let mut got = Vec::new();
        let (_, read) = tokio::join!(writing, far.read_to_end(&mut got));
        read.expect("an end");
        assert!(got == sent);
        drop(outlet);
    }
}
