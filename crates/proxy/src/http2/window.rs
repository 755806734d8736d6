//! Receive windows (RFC 9113 section 5.2).
//!
//! The windows of the streams bound the memory. The connection's window does not: it is credited when a frame
//! is received. If it were credited when a body is consumed, a stream whose upstream does not read would
//! exhaust it and block all others.
//!
//! A stream starts with [`INITIAL_WINDOW`], as with nginx. The window of a body that is consumed fast grows
//! up to [`MAX_WINDOW`], since the window bounds the bytes per round trip. The growth of all streams of a
//! connection is bounded by [`MAX_GROWTH`], so that a connection buffers at most 128 × 64 KiB + 8 MiB = 16
//! MiB of bodies.

use std::time::Duration;

use tokio::time::Instant;

use super::wake::MAX_SLOTS;

/// Initial receive window of a stream, in bytes.
pub const INITIAL_WINDOW: usize = 64 * 1024;
/// Maximum receive window of a stream, in bytes.
const MAX_WINDOW: usize = 1024 * 1024;
/// Bytes by which the windows of a connection's streams may grow together.
pub const MAX_GROWTH: usize = 8 * 1024 * 1024;
/// The connection's window: never the limit before the streams' windows are.
pub const CONNECTION_WINDOW: usize = MAX_SLOTS * INITIAL_WINDOW + MAX_GROWTH;
/// A window grows if half of it was consumed within this time: twice as long as most round trips take.
const FAST: Duration = Duration::from_secs(1);

/// Receive window of a connection.
#[derive(Debug)]
pub struct ConnectionWindow {
    available: usize,
    unacknowledged: usize,
}

impl Default for ConnectionWindow {
    fn default() -> Self {
        ConnectionWindow { available: CONNECTION_WINDOW, unacknowledged: 0 }
    }
}

impl ConnectionWindow {
    /// Counts a DATA frame, padding included, and credits it. Returns the increment of a WINDOW_UPDATE if one
    /// is due.
    ///
    /// # Errors
    /// If the client exceeds the window.
    pub fn receive(&mut self, length: usize) -> Result<Option<u32>, Exceeded> {
        self.available = self.available.checked_sub(length).ok_or(Exceeded)?;
        self.unacknowledged += length;
        if self.unacknowledged < CONNECTION_WINDOW / 2 {
            return Ok(None);
        }
        self.available += self.unacknowledged;
        Ok(Some(std::mem::take(&mut self.unacknowledged) as u32))
    }

    /// Whether all bytes received are credited or will be.
    pub(super) fn is_balanced(&self) -> bool {
        self.available + self.unacknowledged == CONNECTION_WINDOW
    }
}

/// Error: the client sent more than a window allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded;

/// Receive window of a stream.
#[derive(Debug)]
pub struct StreamWindow {
    size: usize,
    available: usize,
    /// Bytes consumed and not credited yet.
    unacknowledged: usize,
    updated_at: Instant,
}

impl StreamWindow {
    /// Creates a stream's window.
    pub fn new(now: Instant) -> Self {
        StreamWindow { size: INITIAL_WINDOW, available: INITIAL_WINDOW, unacknowledged: 0, updated_at: now }
    }

    /// Bytes buffered, plus those that the client may send.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Bytes that the client may send.
    pub fn available(&self) -> usize {
        self.available
    }

    /// Counts a DATA frame, padding included.
    ///
    /// # Errors
    /// If the client exceeds the window.
    pub fn receive(&mut self, length: usize) -> Result<(), Exceeded> {
        self.available = self.available.checked_sub(length).ok_or(Exceeded)?;
        Ok(())
    }

    /// Counts consumed bytes. Returns the increment of a WINDOW_UPDATE if one is due. The window grows by
    /// `growth` at most, the budget that the connection's streams share.
    pub fn consume(&mut self, count: usize, now: Instant, growth: &mut usize) -> Option<u32> {
        self.unacknowledged += count;
        if self.unacknowledged < self.size / 2 {
            return None;
        }
        let fast = now.duration_since(self.updated_at) < FAST;
        self.updated_at = now;
        let grown = if fast { self.size.min(MAX_WINDOW - self.size).min(*growth) } else { 0 };
        *growth -= grown;
        self.size += grown;
        let increment = std::mem::take(&mut self.unacknowledged) + grown;
        self.available += increment;
        Some(increment as u32)
    }

    /// Returns the growth to the budget, after the client has sent END_STREAM.
    pub fn release(&mut self, growth: &mut usize) {
        *growth += self.size - INITIAL_WINDOW;
        self.size = INITIAL_WINDOW;
    }

    /// Whether the window equals available, buffered and uncredited bytes together.
    pub(super) fn is_balanced(&self, buffered: usize) -> bool {
        self.size == self.available + self.unacknowledged + buffered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_is_credited_on_receipt() {
        let mut window = ConnectionWindow::default();
        let mut credited = 0;
        for _ in 0..10_000 {
            let increment = window.receive(16_384).expect("it is credited");
            credited += increment.map_or(0, |increment| increment as usize);
            assert!(window.is_balanced());
        }
        assert!(10_000 * 16_384 - credited < CONNECTION_WINDOW / 2);
        assert_eq!(window.receive(CONNECTION_WINDOW + 1), Err(Exceeded));
    }

    #[test]
    fn a_stream_is_credited_when_its_body_is_consumed() {
        let (now, mut growth) = (Instant::now(), MAX_GROWTH);
        let mut window = StreamWindow::new(now);
        assert_eq!(window.receive(INITIAL_WINDOW), Ok(()));
        assert_eq!(window.receive(1), Err(Exceeded));
        assert_eq!(window.consume(INITIAL_WINDOW / 2 - 1, now, &mut growth), None);
        assert!(window.is_balanced(INITIAL_WINDOW / 2 + 1));
        let later = now + FAST;
        assert_eq!(window.consume(1, later, &mut growth), Some(INITIAL_WINDOW as u32 / 2));
        assert_eq!(
            (window.size(), window.available(), growth),
            (INITIAL_WINDOW, INITIAL_WINDOW / 2, MAX_GROWTH)
        );
        assert!(window.is_balanced(INITIAL_WINDOW / 2));
    }

    #[test]
    fn windows_of_fast_consumed_bodies_grow_up_to_the_shared_budget() {
        let (now, mut growth) = (Instant::now(), MAX_GROWTH);
        let mut windows: Vec<_> = (0..MAX_SLOTS).map(|_| StreamWindow::new(now)).collect();
        for window in &mut windows {
            for _ in 0..10 {
                let length = window.available();
                window.receive(length).expect("available");
                let increment = window.consume(length, now, &mut growth).expect("more than half");
                assert_eq!(window.available(), increment as usize);
            }
        }
        assert_eq!((windows[0].size(), growth), (MAX_WINDOW, 0));
        assert_eq!(windows[MAX_SLOTS - 1].size(), INITIAL_WINDOW);
        let all: usize = windows.iter().map(StreamWindow::size).sum();
        assert_eq!(all, CONNECTION_WINDOW);
        windows.iter_mut().for_each(|window| window.release(&mut growth));
        assert_eq!(growth, MAX_GROWTH);
    }
}
