//! WebSocket: once both sides have agreed, bytes pass through untouched.
//!
//! Frames are only followed, never changed, so that at a drain both sides can be told to close (1001, going
//! away) between two frames. RFC 6455.

use std::{cell::Cell, io, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    select,
    time::{Instant, sleep_until},
};

use super::worker::Worker;
use net::Stream;

/// A close frame with status 1001, as a server sends it.
const CLOSE: &[u8] = &[0x88, 2, 0x03, 0xe9];
/// The same as a client sends it: masked, with a mask of zeros.
const CLOSE_MASKED: &[u8] = &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

/// What an upstream that has switched leaves: its stream, what was read of it, and how long both may be silent.
pub type Switched = (Stream, Bytes, Duration);

/// Joins the two connections, of each the stream and what was read of it. Ends when both sides have, or when
/// neither has said anything for as long as they may be silent.
pub async fn join(
    worker: &Worker,
    (client, said): (impl AsyncRead + AsyncWrite + Unpin, BytesMut),
    (upstream, read, idle): Switched,
) {
    let (from_client, to_client) = split(client);
    let from_client = io::Cursor::new(said).chain(from_client);
    let (from_upstream, to_upstream) = split(upstream);
    let from_upstream = io::Cursor::new(read).chain(from_upstream);
    let last = Cell::new(Instant::now());
    let shared = Shared { worker, last: &last };
    let both = async {
        tokio::try_join!(
            pump(from_upstream, to_client, CLOSE, &shared),
            pump(from_client, to_upstream, CLOSE_MASKED, &shared),
        )
    };
    // Also while one side takes nothing: bytes that wait to be written are no progress.
    let silence = async {
        while last.get() + idle > Instant::now() {
            sleep_until(last.get() + idle).await;
        }
    };
    let ended = select! {
        ended = both => ended.map(|_| ()),
        () = silence => Err(io::ErrorKind::TimedOut.into()),
    };
    if let Err(error) = ended {
        tracing::debug!("an upgraded connection ended: {error}");
    }
}

/// What both directions know.
struct Shared<'a> {
    worker: &'a Worker,
    /// When anything last moved, either way.
    last: &'a Cell<Instant>,
}

impl Shared<'_> {
    /// Writes all, noting each step.
    async fn pass(&self, to: &mut (impl AsyncWrite + Unpin), mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match to.write(bytes).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => bytes = &bytes[count..],
            }
            self.last.set(Instant::now());
        }
        to.flush().await
    }
}

/// Passes bytes on in one direction until they end. When the worker drains, says `close` between two frames
/// and from there on only waits for the other side's close.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    close: &[u8],
    shared: &Shared<'_>,
) -> io::Result<()> {
    let mut frames = Frames::default();
    let mut buffer = vec![0; 16 * 1024];
    let mut said = false;
    loop {
        if shared.worker.draining.get() && !said && frames.between() {
            said = true;
            shared.pass(&mut to, close).await?;
        }
        let length = select! {
            length = from.read(&mut buffer) => length?,
            () = shared.worker.drained(), if !shared.worker.draining.get() => continue,
        };
        if length == 0 {
            return to.shutdown().await;
        }
        shared.last.set(Instant::now());
        frames.advance(&buffer[..length]);
        if !said {
            shared.pass(&mut to, &buffer[..length]).await?;
        } else if frames.closed {
            return to.shutdown().await;
        }
    }
}

/// Follows the frames of one direction.
#[derive(Debug, Default)]
struct Frames {
    head: [u8; 14],
    /// Bytes of a head seen so far.
    seen: usize,
    /// Bytes left of a frame's payload.
    left: u64,
    /// Whether a close frame has been seen.
    closed: bool,
}

impl Frames {
    fn advance(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= here as u64;
                bytes = &bytes[here..];
                continue;
            }
            self.head[self.seen] = first;
            self.seen += 1;
            bytes = rest;
            if self.seen >= 2 && self.seen == self.head_length() {
                self.closed |= self.head[0] & 0x0f == 8;
                self.left = self.payload();
                self.seen = 0;
            }
        }
    }

    fn extra(&self) -> usize {
        match self.head[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }

    fn head_length(&self) -> usize {
        2 + self.extra() + if self.head[1] & 0x80 == 0 { 0 } else { 4 }
    }

    fn payload(&self) -> u64 {
        let more = &self.head[2..2 + self.extra()];
        match more {
            [] => u64::from(self.head[1] & 0x7f),
            _ => more.iter().fold(0, |length, &byte| length << 8 | u64::from(byte)),
        }
    }

    /// Whether the next byte begins a frame.
    fn between(&self) -> bool {
        self.seen == 0 && self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_followed_however_they_are_cut() {
        let mut stream = vec![0x81, 0x85, 1, 2, 3, 4, b'h', b'e', b'l', b'l', b'o'];
        stream.extend([0x82, 126, 0x01, 0x00]);
        stream.extend([7; 256]);
        let end = stream.len();
        stream.extend(CLOSE_MASKED);
        for piece in [1, 2, 3, 7, 100, 1000] {
            let mut frames = Frames::default();
            for bytes in stream[..end].chunks(piece) {
                frames.advance(bytes);
            }
            assert!(frames.between() && !frames.closed, "{piece}");
            frames.advance(&stream[end..end + 3]);
            assert!(!frames.between(), "{piece}");
            frames.advance(&stream[end + 3..]);
            assert!(frames.between() && frames.closed, "{piece}");
        }
    }
}
