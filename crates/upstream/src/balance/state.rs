//! State of a target, which outlives configurations: requests in flight and the results of tries.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use http::StatusCode;

/// Result of a try: of sending a request to the selected address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryResult {
    /// The target has responded.
    Response(StatusCode),
    /// The connection of a stream is open.
    Connected,
    /// The connection could not be opened, or has failed.
    ConnectionFailed,
    /// The target has not accepted the connection or not responded in time.
    TimedOut,
}

/// Results of the tries of a target so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TryCounts {
    /// Responses and connections of streams.
    pub successes: u64,
    /// Failed connections.
    pub connection_failures: u64,
    /// Timeouts.
    pub timeouts: u64,
}

/// State of a target, shared by the workers and by successive configurations.
#[derive(Debug, Default)]
pub struct TargetState {
    in_flight: AtomicUsize,
    successes: AtomicU64,
    connection_failures: AtomicU64,
    timeouts: AtomicU64,
}

impl TargetState {
    /// Returns the number of requests in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Returns the results of tries so far.
    pub fn try_counts(&self) -> TryCounts {
        TryCounts {
            successes: self.successes.load(Ordering::Relaxed),
            connection_failures: self.connection_failures.load(Ordering::Relaxed),
            timeouts: self.timeouts.load(Ordering::Relaxed),
        }
    }

    /// Counts a request as in flight until the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    fn record(&self, result: TryResult) {
        let counter = match result {
            TryResult::Response(_) | TryResult::Connected => &self.successes,
            TryResult::ConnectionFailed => &self.connection_failures,
            TryResult::TimedOut => &self.timeouts,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts a request as in flight at a target; RAII guard. It is held until the response or the stream has ended.
#[derive(Debug)]
pub struct InFlight(Arc<TargetState>);

impl InFlight {
    /// Records the result of the try.
    pub fn report(&self, result: TryResult) {
        self.0.record(result);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
