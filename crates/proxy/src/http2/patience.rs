//! How long a client may take.
//!
//! A connection that stays idle, a field block that never ends, a client that opens a window and never reads.
//! Each deadline is set when the wait starts, and only what is waited for moves it.

use std::time::Duration;

use tokio::time::Instant;

use super::flood::FloodCounters;
use runtime::Options;

/// Reads without a request, as a multiple of the requests that a connection may carry, that keep it open: so many PINGs
/// keep one with nginx.
const IDLE_READS_PER_REQUEST: u64 = 10;
/// The slowest that an answer may be taken, in bytes a second, beyond the time a client may pause.
const SLOWEST: u64 = 1024;
/// How long a connection that has been told to end may take to agree.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Between two requests.
    pub idle: Duration,
    /// For its first request, and for any header block.
    pub head: Duration,
    /// To take what it is given.
    pub taking: Duration,
    /// Requests until it has to connect anew.
    pub requests: u64,
}

impl Patience {
    /// What the settings say.
    pub fn new(options: &Options) -> Self {
        Patience {
            idle: options.idle_timeout,
            head: options.client_timeout,
            taking: options.send_timeout,
            requests: options.requests_per_connection(),
        }
    }

    /// How long a client may take for a piece of an answer.
    pub fn for_piece(&self, bytes: usize) -> Duration {
        self.taking + Duration::from_secs(bytes as u64 / SLOWEST)
    }
}

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on, and is looked at again then.
    Go(Option<Instant>),
    /// It ends after what is in flight.
    End,
    /// It ends now.
    Cut,
}

/// What a connection has done so far.
#[derive(Debug)]
pub struct Account {
    pub patience: Patience,
    begun: Instant,
    /// Requests so far.
    pub requests: u64,
    /// When the last stream ended and all that it had to send was written.
    pub idle_since: Instant,
    /// When the client has sent something since, and how often.
    read_at: Instant,
    idle_reads: u64,
    /// Since when a header block has been open.
    pub block: Option<Instant>,
    /// Since when the client has taken nothing.
    pub stuck: Option<Instant>,
    /// When it was told to end.
    pub told: Option<Instant>,
    pub flood: FloodCounters,
}

impl Account {
    /// A connection's, from now on.
    pub fn new(patience: Patience, now: Instant) -> Self {
        Account {
            patience,
            begun: now,
            requests: 0,
            idle_since: now,
            read_at: now,
            idle_reads: 0,
            block: None,
            stuck: None,
            told: None,
            flood: FloodCounters::new(now),
        }
    }

    /// The client has sent something while no stream was open.
    pub fn on_idle_read(&mut self, now: Instant) {
        self.idle_reads += 1;
        if self.idle_reads <= self.patience.requests.saturating_mul(IDLE_READS_PER_REQUEST) {
            self.read_at = now;
        }
    }

    /// A request begins.
    pub fn on_request(&mut self) {
        self.requests += 1;
        self.idle_reads = 0;
        self.flood.on_request();
    }

    /// What is to become of the connection, some of whose streams may be open.
    pub fn verdict(&self, open: bool, now: Instant) -> Verdict {
        let Patience { idle, head, taking, .. } = self.patience;
        let first = self.requests == 0;
        let block = self.block.map(|since| since + head);
        let stuck = self.stuck.map(|since| since + taking);
        let rest = match self.told {
            // A client that is slow to read its last response is not idle.
            _ if open || self.stuck.is_some() => None,
            Some(told) => Some(told.max(self.idle_since) + FAREWELL),
            None if first => Some(self.begun + head),
            None => Some(self.idle_since.max(self.read_at) + idle),
        };
        let passed = |end: Option<Instant>| end.is_some_and(|end| end <= now);
        if passed(block) || passed(stuck) {
            return Verdict::Cut;
        }
        if passed(rest) {
            return if self.told.is_some() { Verdict::Cut } else { Verdict::End };
        }
        Verdict::Go([block, stuck, rest].into_iter().flatten().min())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_may_take_time_for_depends_on_where_it_stands() {
        let second = Duration::from_secs(1);
        let patience = Patience { idle: second * 10, head: second * 20, taking: second * 30, requests: 3 };
        let now = Instant::now();
        let fresh = || Account::new(patience, now);
        assert_eq!(fresh().verdict(false, now), Verdict::Go(Some(now + second * 20)));
        assert_eq!(fresh().verdict(false, now + second * 20), Verdict::End);
        let used = || Account { requests: 1, ..fresh() };
        assert_eq!(used().verdict(false, now), Verdict::Go(Some(now + second * 10)));
        assert_eq!(used().verdict(false, now + second * 10), Verdict::End);
        assert_eq!(used().verdict(true, now + second * 10), Verdict::Go(None));
        let mut pinged = used();
        for seconds in 1..=40 {
            pinged.on_idle_read(now + second * seconds);
        }
        assert_eq!(
            pinged.verdict(false, now + second * 39),
            Verdict::Go(Some(now + second * 40)),
            "30 of 40 count"
        );
        assert_eq!(pinged.verdict(false, now + second * 40), Verdict::End);
        pinged.told = Some(now + second * 40);
        assert_eq!(pinged.verdict(false, now + second * 45), Verdict::Cut, "none counts after GOAWAY");
        let told = Account { told: Some(now), ..used() };
        assert_eq!(told.verdict(true, now + second * 100), Verdict::Go(None));
        assert_eq!(told.verdict(false, now + second * 5), Verdict::Cut);
        let block = Account { block: Some(now), ..used() };
        assert_eq!(block.verdict(true, now + second * 20), Verdict::Cut);
        let stuck = Account { stuck: Some(now), ..used() };
        assert_eq!(stuck.verdict(true, now + second * 29), Verdict::Go(Some(now + second * 30)));
        assert_eq!(stuck.verdict(true, now + second * 30), Verdict::Cut);
        assert_eq!(stuck.verdict(false, now + second * 15), Verdict::Go(Some(now + second * 30)), "it reads");
    }
}
