//! Memory that this thread has freed, and the allocator keeps for it.

/// Gives memory that is free back to the system. With `force`, also what is likely to be needed again.
///
/// The allocator keeps what a thread frees for that thread, and looks at it again only as the thread goes on allocating:
/// after a burst of clients or a reload, a thread that is idle would hold it for ever.
#[allow(unsafe_code, reason = "the crate has no safe call for it")]
pub fn give_back(force: bool) {
    // SAFETY: it takes no pointers and may be called at any time from any thread.
    unsafe { libmimalloc_sys::mi_collect(force) };
}

/// Decides when a worker gives memory back: once it is idle after having worked, or when more than half of its
/// clients have left.
#[derive(Debug, Default)]
pub struct GiveBack {
    last: (usize, u64),
    peak_connection_count: usize,
    has_worked: bool,
}

/// Connections below which it makes no difference whether they leave.
const MIN_PEAK: usize = 16;

impl GiveBack {
    /// Looks at a worker's open connections and its requests so far. To be called each second.
    pub fn tick(&mut self, connection_count: usize, request_count: u64) {
        if let Some(force) = self.decide(connection_count, request_count) {
            give_back(force);
        }
    }

    fn decide(&mut self, connection_count: usize, request_count: u64) -> Option<bool> {
        let now = (connection_count, request_count);
        let is_idle = std::mem::replace(&mut self.last, now) == now;
        self.has_worked |= !is_idle;
        self.peak_connection_count = self.peak_connection_count.max(connection_count);
        if is_idle && std::mem::take(&mut self.has_worked) {
            self.peak_connection_count = connection_count;
            return Some(true);
        }
        let have_left =
            self.peak_connection_count >= MIN_PEAK && connection_count < self.peak_connection_count / 2;
        if have_left {
            self.peak_connection_count = connection_count;
        }
        have_left.then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_once_after_work_and_when_most_clients_have_left() {
        let mut keeper = GiveBack::default();
        let mut tick = |connections, requests| keeper.decide(connections, requests);
        assert_eq!(tick(0, 0), None, "nothing has happened");
        assert_eq!(tick(100, 50), None);
        assert_eq!(tick(60, 90), None);
        assert_eq!(tick(40, 95), Some(false), "most have left");
        assert_eq!(tick(40, 99), None);
        assert_eq!(tick(40, 99), Some(true), "idle");
        assert_eq!(tick(40, 99), None, "once");
    }
}
