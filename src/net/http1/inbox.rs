//! What was read from a connection and not yet looked at.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

/// Bytes for which there is room at a read, at first and at most.
const ROOM: (usize, usize) = (8 * 1024, 256 * 1024);
/// Room that is left of a buffer and not worth a read.
const SCRAP: usize = 2 * 1024;

/// A buffer that grows while much arrives at once.
#[derive(Debug)]
pub struct Inbox {
    /// What is there.
    pub bytes: BytesMut,
    room: usize,
}

impl Default for Inbox {
    fn default() -> Self {
        Inbox { bytes: BytesMut::new(), room: ROOM.0 }
    }
}

impl Inbox {
    /// Reads what is there to be read; nothing means that the other side has finished.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.bytes.capacity() - self.bytes.len() < SCRAP.max(self.room / 4) {
            self.bytes.reserve(self.room);
        }
        let room = self.bytes.capacity() - self.bytes.len();
        let read = ready!(poll_read_buf(Pin::new(stream), cx, &mut self.bytes))?;
        // A buffer read full is a sign of much to come.
        if read == room {
            self.room = (self.room * 2).min(ROOM.1);
        } else if read < self.room / 4 {
            self.room = (self.room / 2).max(ROOM.0);
        }
        Poll::Ready(Ok(read))
    }

    /// Gives back room that only much data needs: the connection is about to be idle.
    pub fn rest(&mut self) {
        if self.room > ROOM.0 && self.bytes.is_empty() {
            *self = Inbox::default();
        }
    }
}
