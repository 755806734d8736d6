//! Deadlines of a connection.
//!
//! They bound idle connections, field blocks without an end, and clients that do not read. Each deadline
//! starts with the wait, and only the awaited event extends it.

use std::time::Duration;

use tokio::time::Instant;

use super::flood::FloodCounters;
use runtime::Options;

/// Reads between two requests that extend the idle timeout, as a multiple of the requests that a connection
/// may carry: nginx accepts as many PINGs.
const IDLE_READS_PER_REQUEST: u64 = 10;
/// Minimum rate at which a client has to read a response, beyond the send timeout.
const MIN_SEND_BYTES_PER_SECOND: u64 = 1024;
/// How long a client may take to close the connection after GOAWAY.
const GOAWAY_TIMEOUT: Duration = Duration::from_secs(5);

/// Timeouts and limits of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Http2Limits {
    /// Between two requests.
    pub idle_timeout: Duration,
    /// Until the first request, and for a field block.
    pub header_timeout: Duration,
    /// Between two writes.
    pub send_timeout: Duration,
    /// Requests until the client has to reconnect.
    pub max_requests: u64,
}

impl Http2Limits {
    /// Takes them from the node's options.
    pub fn new(options: &Options) -> Self {
        Http2Limits {
            idle_timeout: options.idle_timeout,
            header_timeout: options.header_timeout,
            send_timeout: options.send_timeout,
            max_requests: options.requests_per_connection(),
        }
    }

    /// How long a client may take to read so many bytes.
    pub fn send_timeout_for(&self, bytes: usize) -> Duration {
        self.send_timeout + Duration::from_secs(bytes as u64 / MIN_SEND_BYTES_PER_SECOND)
    }
}

/// What a deadline demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeoutAction {
    /// Nothing until that time, if there is one.
    Continue(Option<Instant>),
    /// A graceful shutdown.
    GoAway,
    /// Closing the connection now.
    Close,
}

/// Timestamps and counters of a connection.
#[derive(Debug)]
pub struct ConnStats {
    pub limits: Http2Limits,
    opened_at: Instant,
    /// Requests so far.
    pub requests: u64,
    /// When the last stream ended and the send buffer was empty.
    pub idle_since: Instant,
    /// When the client last sent something since, and how often.
    read_at: Instant,
    idle_reads: u64,
    /// Since when a field block has been incomplete.
    pub headers_open_since: Option<Instant>,
    /// Since when the socket has accepted no bytes.
    pub write_blocked_since: Option<Instant>,
    /// When GOAWAY was sent.
    pub goaway_sent_at: Option<Instant>,
    pub flood: FloodCounters,
}

impl ConnStats {
    /// Creates the counters of a new connection.
    pub fn new(limits: Http2Limits, now: Instant) -> Self {
        ConnStats {
            limits,
            opened_at: now,
            requests: 0,
            idle_since: now,
            read_at: now,
            idle_reads: 0,
            headers_open_since: None,
            write_blocked_since: None,
            goaway_sent_at: None,
            flood: FloodCounters::new(now),
        }
    }

    /// Counts a read while no stream is open.
    pub fn on_idle_read(&mut self, now: Instant) {
        self.idle_reads += 1;
        if self.idle_reads <= self.limits.max_requests.saturating_mul(IDLE_READS_PER_REQUEST) {
            self.read_at = now;
        }
    }

    /// Counts a request.
    pub fn on_request(&mut self) {
        self.requests += 1;
        self.idle_reads = 0;
        self.flood.on_request();
    }

    /// Returns the action that the deadlines demand.
    pub fn timeout_action(&self, has_open_streams: bool, now: Instant) -> TimeoutAction {
        let Http2Limits { idle_timeout, header_timeout, send_timeout, .. } = self.limits;
        let is_first = self.requests == 0;
        let headers_deadline = self.headers_open_since.map(|since| since + header_timeout);
        let write_deadline = self.write_blocked_since.map(|since| since + send_timeout);
        let idle_deadline = match self.goaway_sent_at {
            // A client that is slow to read its last response is not idle.
            _ if has_open_streams || self.write_blocked_since.is_some() => None,
            Some(sent_at) => Some(sent_at.max(self.idle_since) + GOAWAY_TIMEOUT),
            None if is_first => Some(self.opened_at + header_timeout),
            None => Some(self.idle_since.max(self.read_at) + idle_timeout),
        };
        let has_passed = |end: Option<Instant>| end.is_some_and(|end| end <= now);
        if has_passed(headers_deadline) || has_passed(write_deadline) {
            return TimeoutAction::Close;
        }
        if has_passed(idle_deadline) {
            return if self.goaway_sent_at.is_some() { TimeoutAction::Close } else { TimeoutAction::GoAway };
        }
        TimeoutAction::Continue([headers_deadline, write_deadline, idle_deadline].into_iter().flatten().min())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_depend_on_what_the_connection_waits_for() {
        let second = Duration::from_secs(1);
        let limits = Http2Limits {
            idle_timeout: second * 10,
            header_timeout: second * 20,
            send_timeout: second * 30,
            max_requests: 3,
        };
        let now = Instant::now();
        let fresh = || ConnStats::new(limits, now);
        assert_eq!(fresh().timeout_action(false, now), TimeoutAction::Continue(Some(now + second * 20)));
        assert_eq!(fresh().timeout_action(false, now + second * 20), TimeoutAction::GoAway);
        let used = || ConnStats { requests: 1, ..fresh() };
        assert_eq!(used().timeout_action(false, now), TimeoutAction::Continue(Some(now + second * 10)));
        assert_eq!(used().timeout_action(false, now + second * 10), TimeoutAction::GoAway);
        assert_eq!(used().timeout_action(true, now + second * 10), TimeoutAction::Continue(None));
        let mut pinged = used();
        for seconds in 1..=40 {
            pinged.on_idle_read(now + second * seconds);
        }
        assert_eq!(
            pinged.timeout_action(false, now + second * 39),
            TimeoutAction::Continue(Some(now + second * 40)),
            "30 of 40 reads extend it"
        );
        assert_eq!(pinged.timeout_action(false, now + second * 40), TimeoutAction::GoAway);
        pinged.goaway_sent_at = Some(now + second * 40);
        assert_eq!(
            pinged.timeout_action(false, now + second * 45),
            TimeoutAction::Close,
            "none after GOAWAY"
        );
        let leaving = ConnStats { goaway_sent_at: Some(now), ..used() };
        assert_eq!(leaving.timeout_action(true, now + second * 100), TimeoutAction::Continue(None));
        assert_eq!(leaving.timeout_action(false, now + second * 5), TimeoutAction::Close);
        let in_block = ConnStats { headers_open_since: Some(now), ..used() };
        assert_eq!(in_block.timeout_action(true, now + second * 20), TimeoutAction::Close);
        let blocked = ConnStats { write_blocked_since: Some(now), ..used() };
        assert_eq!(
            blocked.timeout_action(true, now + second * 29),
            TimeoutAction::Continue(Some(now + second * 30))
        );
        assert_eq!(blocked.timeout_action(true, now + second * 30), TimeoutAction::Close);
        assert_eq!(
            blocked.timeout_action(false, now + second * 15),
            TimeoutAction::Continue(Some(now + second * 30)),
            "only the write blocks"
        );
    }
}
