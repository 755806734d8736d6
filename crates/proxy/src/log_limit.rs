//! Rate limit of log lines for events that may occur thousands of times a second.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// Minimum time between two lines about the same kind of event.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Lets one line pass per interval, and counts the events without one. One per worker and kind of event.
#[derive(Debug, Default)]
pub struct LogLimit {
    last_line_at: Cell<Option<Instant>>,
    unlogged_count: Cell<u64>,
}

impl LogLimit {
    /// Calls `log` if a line may be written, with the number of events since the last one.
    pub fn log(&self, log: impl FnOnce(u64)) {
        self.log_at(Instant::now(), log);
    }

    fn log_at(&self, now: Instant, log: impl FnOnce(u64)) {
        if self.last_line_at.get().is_some_and(|last| now.duration_since(last) < MIN_INTERVAL) {
            self.unlogged_count.set(self.unlogged_count.get() + 1);
        } else {
            self.last_line_at.set(Some(now));
            log(self.unlogged_count.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_logged_once_and_counted_in_the_next_line() {
        let limit = LogLimit::default();
        let start = Instant::now();
        let mut lines = Vec::new();
        for milliseconds in [0, 1, 999, 1000, 1001, 5000] {
            limit.log_at(start + Duration::from_millis(milliseconds), |unlogged| {
                lines.push((milliseconds, unlogged));
            });
        }
        assert_eq!(lines, [(0, 0), (1000, 2), (5000, 1)]);
    }
}
