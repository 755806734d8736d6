//! Sequence numbers of requests. Each thread has its own sequence, so that cores do not contend for a counter.

use std::cell::Cell;

use uuid::Uuid;

thread_local! {
    static WORKER: (Uuid, Cell<u64>) = (Uuid::new_v4(), Cell::new(0));
}

/// Sequence number that is unique in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestSeq {
    /// Random id of the worker thread.
    pub worker: Uuid,
    /// Number in the worker's sequence, which starts at 1.
    pub number: u64,
}

/// Returns the next sequence number of the current thread.
pub fn next_request_seq() -> RequestSeq {
    WORKER.with(|(worker, last)| {
        last.set(last.get() + 1);
        RequestSeq { worker: *worker, number: last.get() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_its_own_sequence() {
        let (first, second) = (next_request_seq(), next_request_seq());
        assert_eq!((second.worker, second.number), (first.worker, first.number + 1));
        let other = std::thread::spawn(next_request_seq).join().expect("the thread ends");
        assert_ne!(other.worker, first.worker);
    }
}
