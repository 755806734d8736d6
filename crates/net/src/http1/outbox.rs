//! What is on its way out of a connection: a head or a chunk's frame, the pieces of a body that follow it,
//! and what ends them, all in one system call.

use std::{
    io::{self, IoSlice, Write as _},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use tokio::io::AsyncWrite;

/// Longest piece that is copied behind the head: less work than a system call over several buffers, and short ones
/// leave together.
const COPIED: usize = 4 * 1024;
/// Room for a head and a short body, made at once.
const USUAL: usize = 2 * 1024;
/// Bytes that are gathered that way before they have to leave.
const GATHERED: usize = 32 * 1024;

/// Bytes on their way.
#[derive(Debug, Default)]
pub struct Outbox {
    /// What leaves first; so many bytes of it have left.
    head: Vec<u8>,
    left: usize,
    pieces: [Bytes; 2],
    ending: &'static [u8],
    /// Whether something was written that the stream may still hold back.
    held: bool,
    /// Bytes that the stream has taken since the connection was opened.
    written_bytes: u64,
}

impl Outbox {
    /// Where a head is to be written, its empty line included.
    pub fn head(&mut self) -> &mut Vec<u8> {
        if self.head.capacity() == 0 {
            self.head.reserve(USUAL);
        }
        &mut self.head
    }

    /// Lets a piece of a body follow.
    pub fn piece(&mut self, data: Bytes) {
        debug_assert!(self.pieces[1].is_empty() && self.ending.is_empty(), "there is room");
        if !self.pieces[0].is_empty() {
            self.pieces[1] = data;
        } else if data.len() <= COPIED {
            self.head.extend_from_slice(&data);
        } else {
            self.pieces[0] = data;
        }
    }

    /// Lets a piece of a chunked body follow.
    pub fn chunk(&mut self, data: Bytes) {
        write!(self.head, "{:x}\r\n", data.len()).expect("a vector takes what is written");
        self.piece(data);
        if self.pieces[0].is_empty() {
            self.head.extend_from_slice(b"\r\n");
        } else {
            self.ending = b"\r\n";
        }
    }

    /// Ends a chunked body.
    pub fn last_chunk(&mut self) {
        if self.ending.is_empty() {
            self.head.extend_from_slice(b"0\r\n\r\n");
        } else {
            self.ending = b"\r\n0\r\n\r\n";
        }
    }

    /// Ends a chunked body whose last piece has left with trailers.
    pub fn trailers(&mut self, trailers: &HeaderMap) {
        debug_assert!(self.pieces[0].is_empty() && self.ending.is_empty(), "the last piece has left");
        self.head.extend_from_slice(b"0\r\n");
        for (name, value) in trailers {
            self.head.extend_from_slice(name.as_str().as_bytes());
            self.head.extend_from_slice(b": ");
            self.head.extend_from_slice(value.as_bytes());
            self.head.extend_from_slice(b"\r\n");
        }
        self.head.extend_from_slice(b"\r\n");
    }

    /// Whether another piece may follow before what is there has left.
    pub fn has_room(&self) -> bool {
        self.pieces[1].is_empty() && self.ending.is_empty() && self.head.len() < GATHERED
    }

    /// Bytes that the stream has taken since the connection was opened.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Whether all has been written.
    pub fn is_empty(&self) -> bool {
        self.left == self.head.len() && self.has_no_piece() && self.ending.is_empty()
    }

    /// Whether all has been written, and the stream holds nothing back.
    pub fn is_flushed(&self) -> bool {
        self.is_empty() && !self.held
    }

    fn has_no_piece(&self) -> bool {
        self.pieces.iter().all(Bytes::is_empty)
    }

    /// Forgets what has not been written.
    pub fn clear(&mut self) {
        self.head.clear();
        self.left = 0;
        self.pieces = Default::default();
        self.ending = b"";
    }

    /// Writes all of it. The stream may hold it back until [`Outbox::poll_flush`].
    ///
    /// # Errors
    /// When the connection fails.
    pub fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let head = &self.head[self.left..];
            let stream = Pin::new(&mut *stream);
            let [first, second] = &self.pieces;
            let written = if first.is_empty() && second.is_empty() && self.ending.is_empty() {
                ready!(stream.poll_write(cx, head))?
            } else {
                let parts = [head, first, second, self.ending].map(IoSlice::new);
                ready!(stream.poll_write_vectored(cx, &parts))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.held = true;
            self.written_bytes += written as u64;
            self.wrote(written);
        }
        self.head.clear();
        self.left = 0;
        Poll::Ready(Ok(()))
    }

    fn wrote(&mut self, written: usize) {
        let of_head = written.min(self.head.len() - self.left);
        self.left += of_head;
        let mut rest = written - of_head;
        for piece in &mut self.pieces {
            let here = rest.min(piece.len());
            rest -= here;
            piece.advance(here);
            if piece.is_empty() {
                // So that who read it has its room back.
                *piece = Bytes::new();
            }
        }
        self.ending = &self.ending[rest..];
    }

    /// Makes the stream let go of what was written.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn poll_flush<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.held {
            ready!(Pin::new(stream).poll_flush(cx))?;
            self.held = false;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    #[tokio::test]
    async fn pieces_leave_in_order_however_little_is_taken_at_once() {
        for (room, length) in [(1, 18), (2, 18), (1000, 18), (7, COPIED + 1), (1 << 20, COPIED + 1)] {
            let data: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let (mut near, mut far) = duplex(room);
            let mut outbox = Outbox::default();
            outbox.head().extend_from_slice(b"head;");
            outbox.chunk(Bytes::from(data.clone()));
            assert_eq!(outbox.has_room(), length <= COPIED);
            outbox.last_chunk();
            let sending = async {
                std::future::poll_fn(|cx| outbox.poll_write(&mut near, cx)).await.expect("a peer that reads");
                assert!(outbox.is_empty());
                drop(near);
            };
            let mut got = Vec::new();
            let (_, read) = tokio::join!(sending, far.read_to_end(&mut got));
            read.expect("an end");
            let frame = format!("head;{length:x}\r\n");
            assert!(got == [frame.as_bytes(), &data, b"\r\n0\r\n\r\n"].concat(), "{room} {length}");
        }
    }

    #[test]
    fn what_is_forgotten_does_not_leave() {
        let mut outbox = Outbox::default();
        outbox.head().extend_from_slice(b"head");
        outbox.last_chunk();
        outbox.clear();
        assert!(outbox.is_empty());
        let mut nowhere = tokio::io::sink();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(outbox.poll_write(&mut nowhere, &mut cx).is_ready());
    }
}
