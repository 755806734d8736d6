//! Numbers that a worker thread hands out by itself, so that cores do not wait for each other.

use std::cell::Cell;

use uuid::Uuid;

thread_local! {
    static WORKER: (Uuid, Cell<u64>) = (Uuid::new_v4(), Cell::new(0));
}

/// A number that no other request of this process gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The worker that hands it out; random.
    pub worker: Uuid,
    /// Counts from 1, per worker.
    pub number: u64,
}

/// The next ticket of the worker that asks.
pub fn ticket() -> Ticket {
    WORKER.with(|(worker, last)| {
        last.set(last.get() + 1);
        Ticket { worker: *worker, number: last.get() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_counts_on_and_another_is_another() {
        let (first, second) = (ticket(), ticket());
        assert_eq!((second.worker, second.number), (first.worker, first.number + 1));
        let other = std::thread::spawn(ticket).join().expect("the thread ends");
        assert_ne!(other.worker, first.worker);
    }
}
