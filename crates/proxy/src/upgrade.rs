//! WebSocket tunnels: after the upgrade, bytes are copied unchanged (RFC 6455).
//!
//! Frame boundaries are tracked, so that a drain can send a close frame (1001, going away) to both sides
//! between two frames.

use std::{cell::Cell, io, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    select,
    time::{Instant, sleep_until},
};

use super::{response_body::ResponseBody, worker::Worker};
use net::Stream;
use upstream::InFlight;

/// Close frame with status 1001, from a server.
const CLOSE_FRAME: &[u8] = &[0x88, 2, 0x03, 0xe9];
/// The same from a client: masked, with a mask of zeros.
const CLOSE_FRAME_MASKED: &[u8] = &[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

/// An upstream connection after the upgrade.
#[derive(Debug)]
pub struct UpgradedUpstream {
    /// The connection.
    pub stream: Stream,
    /// Bytes after the head of the response.
    pub read_ahead: Bytes,
    /// Maximum time without progress.
    pub idle_timeout: Duration,
    /// Counts the tunnel as in flight at its target.
    pub in_flight: Option<InFlight>,
}

/// Copies between client and upstream until both directions have ended, or none has progressed within the
/// idle timeout. The bytes are recorded as those of the request and the response.
pub async fn tunnel(
    worker: &Worker,
    (client, read_ahead): (impl AsyncRead + AsyncWrite + Unpin, BytesMut),
    upstream: UpgradedUpstream,
    mut response: ResponseBody,
) {
    let UpgradedUpstream { stream: upstream, read_ahead: read, idle_timeout: idle, in_flight: _guard } =
        upstream;
    let (from_client, to_client) = split(client);
    let from_client = io::Cursor::new(read_ahead).chain(from_client);
    let (from_upstream, to_upstream) = split(upstream);
    let from_upstream = io::Cursor::new(read).chain(from_upstream);
    let last_progress_at = Cell::new(Instant::now());
    let (received, sent) = (Cell::new(0), Cell::new(0));
    let tunnel = Tunnel { worker, last_progress_at: &last_progress_at };
    let both = async {
        tokio::try_join!(
            copy_one_way(from_upstream, to_client, CLOSE_FRAME, &tunnel, &sent),
            copy_one_way(from_client, to_upstream, CLOSE_FRAME_MASKED, &tunnel, &received),
        )
    };
    // Applies while one side does not read, too: only written bytes are progress.
    let idle_timeout = async {
        while last_progress_at.get() + idle > Instant::now() {
            sleep_until(last_progress_at.get() + idle).await;
        }
    };
    let copied = select! {
        copied = both => copied.map(|_| ()),
        () = idle_timeout => Err(io::ErrorKind::TimedOut.into()),
    };
    response.record_tunnel(received.get(), sent.get());
    if let Err(error) = copied {
        tracing::debug!("an upgraded connection ended: {error}");
    }
}

/// State that both directions share.
struct Tunnel<'a> {
    worker: &'a Worker,
    /// Time of the last progress in either direction.
    last_progress_at: &'a Cell<Instant>,
}

impl Tunnel<'_> {
    /// Writes all bytes and records the progress.
    async fn write_all(&self, to: &mut (impl AsyncWrite + Unpin), mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match to.write(bytes).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => bytes = &bytes[count..],
            }
            self.last_progress_at.set(Instant::now());
        }
        to.flush().await
    }
}

/// Copies one direction until it ends. In a drain, sends `close` between two frames, and then only waits for
/// the other side's close frame.
async fn copy_one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    close: &[u8],
    tunnel: &Tunnel<'_>,
    count: &Cell<u64>,
) -> io::Result<()> {
    let mut frames = WebSocketFrames::default();
    let mut buffer = vec![0; 16 * 1024];
    let mut is_close_sent = false;
    loop {
        if tunnel.worker.draining.get() && !is_close_sent && frames.is_at_boundary() {
            is_close_sent = true;
            tunnel.write_all(&mut to, close).await?;
        }
        let length = select! {
            length = from.read(&mut buffer) => length?,
            () = tunnel.worker.drain_signal(), if !tunnel.worker.draining.get() => continue,
        };
        if length == 0 {
            return to.shutdown().await;
        }
        tunnel.last_progress_at.set(Instant::now());
        count.set(count.get() + length as u64);
        frames.advance(&buffer[..length]);
        if !is_close_sent {
            tunnel.write_all(&mut to, &buffer[..length]).await?;
        } else if frames.has_close {
            return to.shutdown().await;
        }
    }
}

/// Tracks the frame boundaries of one direction.
#[derive(Debug, Default)]
struct WebSocketFrames {
    header: [u8; 14],
    /// Bytes of the current header so far.
    header_len: usize,
    /// Bytes of the current payload that remain.
    payload_remaining: u64,
    /// Whether a close frame has passed.
    has_close: bool,
}

impl WebSocketFrames {
    fn advance(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.payload_remaining > 0 {
                let here = usize::try_from(self.payload_remaining).unwrap_or(usize::MAX).min(bytes.len());
                self.payload_remaining -= here as u64;
                bytes = &bytes[here..];
                continue;
            }
            self.header[self.header_len] = first;
            self.header_len += 1;
            bytes = rest;
            if self.header_len >= 2 && self.header_len == self.full_header_len() {
                self.has_close |= self.header[0] & 0x0f == 8;
                self.payload_remaining = self.payload_len();
                self.header_len = 0;
            }
        }
    }

    fn extended_len_bytes(&self) -> usize {
        match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }

    fn full_header_len(&self) -> usize {
        2 + self.extended_len_bytes() + if self.header[1] & 0x80 == 0 { 0 } else { 4 }
    }

    fn payload_len(&self) -> u64 {
        let more = &self.header[2..2 + self.extended_len_bytes()];
        match more {
            [] => u64::from(self.header[1] & 0x7f),
            _ => more.iter().fold(0, |length, &byte| length << 8 | u64::from(byte)),
        }
    }

    /// Whether the next byte starts a frame.
    fn is_at_boundary(&self) -> bool {
        self.header_len == 0 && self.payload_remaining == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_boundaries_are_tracked_across_reads() {
        let mut stream = vec![0x81, 0x85, 1, 2, 3, 4, b'h', b'e', b'l', b'l', b'o'];
        stream.extend([0x82, 126, 0x01, 0x00]);
        stream.extend([7; 256]);
        let end = stream.len();
        stream.extend(CLOSE_FRAME_MASKED);
        for piece in [1, 2, 3, 7, 100, 1000] {
            let mut frames = WebSocketFrames::default();
            for bytes in stream[..end].chunks(piece) {
                frames.advance(bytes);
            }
            assert!(frames.is_at_boundary() && !frames.has_close, "{piece}");
            frames.advance(&stream[end..end + 3]);
            assert!(!frames.is_at_boundary(), "{piece}");
            frames.advance(&stream[end + 3..]);
            assert!(frames.is_at_boundary() && frames.has_close, "{piece}");
        }
    }
}
