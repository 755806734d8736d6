//! Returning freed memory of the current thread from the allocator to the operating system.

/// Returns free memory to the operating system. With `force`, includes pages that are likely to be reused soon.
///
/// mimalloc keeps freed pages in the heap of the thread, and purges them only while the thread allocates. A thread that
/// becomes idle after a burst of clients or a reload would retain them indefinitely.
#[allow(unsafe_code, reason = "the crate has no safe function for it")]
pub fn return_free_memory(force: bool) {
    // SAFETY: `mi_collect` takes no pointers, and any thread may call it at any time.
    unsafe { libmimalloc_sys::mi_collect(force) };
}

/// Decides when a worker returns memory: once it becomes idle, or when more than half of its connections have closed.
#[derive(Debug, Default)]
pub struct MemoryReturnPolicy {
    /// Connection count and request count of the last tick.
    last: (usize, u64),
    peak_connection_count: usize,
    has_worked: bool,
}

/// Number of connections below which their closing frees too little memory to matter.
const MIN_PEAK_CONNECTIONS: usize = 16;

impl MemoryReturnPolicy {
    /// Takes a worker's number of open connections and of requests so far. Must be called each second.
    pub fn tick(&mut self, connection_count: usize, request_count: u64) {
        if let Some(force) = self.decide(connection_count, request_count) {
            return_free_memory(force);
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
        let most_have_closed = self.peak_connection_count >= MIN_PEAK_CONNECTIONS
            && connection_count < self.peak_connection_count / 2;
        if most_have_closed {
            self.peak_connection_count = connection_count;
        }
        most_have_closed.then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_returned_once_after_work_and_when_most_connections_have_closed() {
        let mut policy = MemoryReturnPolicy::default();
        let mut tick = |connections, requests| policy.decide(connections, requests);
        assert_eq!(tick(0, 0), None, "no work yet");
        assert_eq!(tick(100, 50), None);
        assert_eq!(tick(60, 90), None);
        assert_eq!(tick(40, 95), Some(false), "most have closed");
        assert_eq!(tick(40, 99), None);
        assert_eq!(tick(40, 99), Some(true), "idle");
        assert_eq!(tick(40, 99), None, "once");
    }
}
