//! Limits on the work that a client causes: in one turn of the event loop, and over a period.
//!
//! Both are counted in units of about 0.1 µs, the cost of an empty control frame. Counting bytes or frames
//! would not suffice: a frame of 16 KiB may contain 2,730 settings, and one byte of a field block may
//! reference a field of 4 KiB.

use std::time::Duration;

use tokio::time::Instant;

/// Units of work per turn: about 1 ms. The connection yields to the other tasks of its worker after that.
const TURN_UNITS: i64 = 10_000;
/// Period over which a client's frames are counted.
const FLOOD_PERIOD: Duration = Duration::from_secs(10);
/// Maximum number of resets by the client in a period, if they are more than half of its streams (rapid
/// reset).
const MAX_RESETS: u32 = 100;
/// Maximum number of stream errors in a period.
const MAX_STREAM_ERRORS: u32 = 100;
/// Maximum units of overhead in a period, beyond the allowance for requests and bodies.
const MAX_OVERHEAD: u64 = 10_000;
/// Allowance for a request, or for a DATA frame with a payload in either direction: so many empty control
/// frames may accompany it. nginx allows eight bytes of frames for each byte of payload.
const MESSAGE_WORTH: u64 = 8;

/// Cost of polling a stream for the first time: routing, plugins, and an upstream connection.
pub const START_REQUEST: u64 = 64;
/// Cost of polling a stream.
pub const POLL_STREAM: u64 = 4;

/// Cost of a frame other than DATA, without its field block. Its entries cost more than its bytes.
pub fn control_frame(length: usize) -> u64 {
    1 + length as u64 / 64
}

/// Cost of a DATA frame in either direction: its payload is copied.
pub fn data_frame(length: usize) -> u64 {
    1 + length as u64 / 512
}

/// Cost of decoding a field block.
pub fn field_block(length: usize, fields: usize) -> u64 {
    4 + length as u64 / 16 + fields as u64 / 2
}

/// Work that a connection may still do in this turn.
#[derive(Debug)]
pub struct TurnBudget {
    units: i64,
}

impl Default for TurnBudget {
    fn default() -> Self {
        TurnBudget { units: TURN_UNITS }
    }
}

impl TurnBudget {
    /// Charges work to the budget.
    pub fn spend(&mut self, units: u64) {
        self.units = self.units.saturating_sub_unsigned(units);
    }

    /// Whether the connection has to yield.
    pub fn is_spent(&self) -> bool {
        self.units <= 0
    }
}

/// Frames of a client in the current period.
#[derive(Clone, Copy, Debug)]
pub struct FloodCounters {
    since: Instant,
    requests: u32,
    resets: u32,
    stream_errors: u32,
    overhead: u64,
    worth: u64,
}

impl FloodCounters {
    /// Starts a period.
    pub fn new(now: Instant) -> Self {
        FloodCounters { since: now, requests: 0, resets: 0, stream_errors: 0, overhead: 0, worth: 0 }
    }

    /// Starts another period if the current one has passed.
    pub fn advance(&mut self, now: Instant) {
        if now.duration_since(self.since) > FLOOD_PERIOD {
            *self = FloodCounters::new(now);
        }
    }

    /// Counts a HEADERS frame.
    pub fn on_headers(&mut self) {
        self.requests += 1;
    }

    /// Counts a request that is served.
    pub fn on_request(&mut self) {
        self.worth += MESSAGE_WORTH;
    }

    /// Counts a payload that is forwarded.
    pub fn on_payload(&mut self, length: usize) {
        self.worth += MESSAGE_WORTH + length as u64 / 128;
    }

    /// Counts an RST_STREAM frame.
    pub fn on_reset(&mut self) {
        self.resets += 1;
    }

    /// Counts a stream that is reset for an error of the client.
    pub fn on_stream_error(&mut self) {
        self.stream_errors += 1;
    }

    /// Counts a frame that neither starts a request nor carries a part of a body.
    pub fn on_overhead(&mut self, units: u64) {
        self.overhead += units;
    }

    /// Counts a field block that starts no request. Its bytes count less than they cost, since a client with
    /// too large cookies sends several in good faith; its fields count in full.
    pub fn on_wasted_block(&mut self, length: usize, fields: usize) {
        self.on_overhead(MESSAGE_WORTH + length as u64 / 256 + fields as u64 / 4);
    }

    /// Whether the connection has to be closed with ENHANCE_YOUR_CALM.
    pub fn is_flood(&self) -> bool {
        self.resets > MAX_RESETS && self.resets > self.requests / 2
            || self.stream_errors > MAX_STREAM_ERRORS
            || self.overhead > MAX_OVERHEAD + self.worth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters() -> FloodCounters {
        FloodCounters::new(Instant::now())
    }

    #[test]
    fn overhead_beyond_the_allowance_of_requests_and_bodies_is_a_flood() {
        let quiet = counters();
        assert!(!FloodCounters { resets: 100, ..quiet }.is_flood());
        assert!(FloodCounters { resets: 101, requests: 150, ..quiet }.is_flood());
        assert!(!FloodCounters { resets: 101, requests: 300, ..quiet }.is_flood());
        assert!(!FloodCounters { stream_errors: 100, ..quiet }.is_flood());
        assert!(FloodCounters { stream_errors: 101, requests: 10_000, ..quiet }.is_flood());
        assert!(!FloodCounters { overhead: 10_000, ..quiet }.is_flood());
        assert!(FloodCounters { overhead: 10_001, ..quiet }.is_flood());
        assert!(!FloodCounters { overhead: 90_000, worth: 80_000, ..quiet }.is_flood());
    }

    /// The number of these that a period allows.
    fn allowed(each: impl Fn(&mut FloodCounters)) -> u32 {
        let mut counters = counters();
        (0..1_000_000)
            .find(|_| {
                each(&mut counters);
                counters.is_flood()
            })
            .unwrap_or(u32::MAX)
    }

    #[test]
    fn frames_count_by_their_cost() {
        let settings = allowed(|counters| counters.on_overhead(control_frame(2730 * 6)));
        assert!(settings < 50, "{settings} frames of 2730 settings");
        let pings = allowed(|counters| counters.on_overhead(control_frame(8)));
        assert_eq!(pings, 10_000);
        let bombs = allowed(|counters| counters.on_wasted_block(16_000, 16_000));
        assert!(bombs < 5, "{bombs} blocks of 16,000 indexed fields");
        let cookies = allowed(|counters| counters.on_wasted_block(40_000, 10));
        assert!((50..100).contains(&cookies), "{cookies} requests with 40,000 bytes of cookies");
    }

    #[test]
    fn small_messages_are_no_flood() {
        // A gRPC stream whose client sends a PING (bandwidth estimate) and two WINDOW_UPDATEs with each
        // message.
        let stream = |counters: &mut FloodCounters| {
            counters.on_payload(10);
            (0..4).for_each(|_| counters.on_overhead(control_frame(8)));
        };
        assert_eq!(allowed(stream), u32::MAX);
        assert_eq!(allowed(|counters| counters.on_payload(1)), u32::MAX);
    }

    #[test]
    fn a_turn_ends_after_a_bounded_amount_of_work() {
        let frames = |cost: u64| {
            let (mut turn, mut count) = (TurnBudget::default(), 0);
            while !turn.is_spent() {
                turn.spend(cost);
                count += 1;
            }
            count
        };
        assert_eq!(frames(data_frame(1)), 10_000);
        assert!((300..310).contains(&frames(data_frame(16_384))), "5 MiB");
        assert!((150..160).contains(&frames(START_REQUEST)));
        assert_eq!(frames(u64::MAX), 1);
    }
}
