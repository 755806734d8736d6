//! Wakers of a connection: they record which streams and whether the socket are ready, and wake the
//! connection's one task.
//!
//! All streams run in that task, so that events of several streams in one turn of the event loop wake it
//! once, and only streams that were woken are polled (as `FuturesUnordered` does).
//!
//! No wake-up is lost, because all accesses are sequentially consistent: a waker sets its bit and then reads
//! whether the task runs, the task stores that it does not run and then reads the bits. `tests/wake_model.rs`
//! checks that in all interleavings; it compiles this file with other atomics.

use std::{
    sync::{Arc, OnceLock},
    task::{Wake, Waker},
};

use super::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

/// Number of slots.
pub const MAX_SLOTS: usize = 128;

/// A set of slots, one bit each.
pub type SlotSet = u128;

/// The slots and the socket that were woken.
#[derive(Debug, Default)]
pub struct WakeSet {
    low: AtomicU64,
    high: AtomicU64,
    socket: AtomicBool,
    /// Whether the task runs, and will check the set before it parks.
    is_polling: AtomicBool,
    task: OnceLock<Waker>,
}

impl WakeSet {
    /// Marks the task as running, and stores its waker, which never changes.
    pub fn register(&self, task: &Waker) {
        self.is_polling.store(true, SeqCst);
        if self.task.get().is_none() {
            let _ = self.task.set(task.clone());
        }
    }

    /// Takes the slots woken since the last call.
    pub fn take_ready(&self) -> SlotSet {
        let take = |half: &AtomicU64| if half.load(SeqCst) == 0 { 0 } else { half.swap(0, SeqCst) };
        SlotSet::from(take(&self.low)) | SlotSet::from(take(&self.high)) << 64
    }

    /// Whether the socket was woken since the last call.
    pub fn take_socket(&self) -> bool {
        self.socket.load(SeqCst) && self.socket.swap(false, SeqCst)
    }

    /// Marks the task as parked, unless something was woken in the meantime; whether it may return `Pending`.
    pub fn try_park(&self) -> bool {
        self.is_polling.store(false, SeqCst);
        let is_idle = self.low.load(SeqCst) == 0 && self.high.load(SeqCst) == 0 && !self.socket.load(SeqCst);
        if !is_idle {
            self.is_polling.store(true, SeqCst);
        }
        is_idle
    }

    fn wake(&self) {
        if !self.is_polling.load(SeqCst)
            && let Some(task) = self.task.get()
        {
            task.wake_by_ref();
        }
    }
}

/// Waker of one slot.
struct StreamWaker {
    wake_set: Arc<WakeSet>,
    slot: u8,
}

impl Wake for StreamWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let half = if self.slot < 64 { &self.wake_set.low } else { &self.wake_set.high };
        half.fetch_or(1 << (self.slot % 64), SeqCst);
        self.wake_set.wake();
    }
}

/// Waker of the socket.
struct SocketWaker(Arc<WakeSet>);

impl Wake for SocketWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.socket.store(true, SeqCst);
        self.0.wake();
    }
}

/// Creates a slot's waker. It may outlive the stream: a late wake polls the slot's next stream once, without
/// effect.
pub fn stream_waker(wake_set: &Arc<WakeSet>, slot: usize) -> Waker {
    debug_assert!(slot < MAX_SLOTS);
    Waker::from(Arc::new(StreamWaker { wake_set: Arc::clone(wake_set), slot: slot as u8 }))
}

/// Creates the socket's waker.
pub fn socket_waker(wake_set: &Arc<WakeSet>) -> Waker {
    Waker::from(Arc::new(SocketWaker(Arc::clone(wake_set))))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[derive(Default)]
    struct Task(AtomicU32);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn wakers_mark_their_slot_and_wake_a_parked_task() {
        let (task, wake_set) = (Arc::new(Task::default()), Arc::new(WakeSet::default()));
        let woken = || task.0.load(SeqCst);
        let wakers = [
            stream_waker(&wake_set, 0),
            stream_waker(&wake_set, 63),
            stream_waker(&wake_set, 64),
            stream_waker(&wake_set, 127),
        ];
        wake_set.register(&Waker::from(Arc::clone(&task)));
        wakers.iter().for_each(Waker::wake_by_ref);
        assert_eq!(woken(), 0, "the task is running");
        assert!(!wake_set.try_park(), "a stream was woken");
        assert_eq!(wake_set.take_ready(), 1 | 1 << 63 | 1 << 64 | 1 << 127);
        assert!(wake_set.try_park());
        wakers[2].wake_by_ref();
        assert_eq!((woken(), wake_set.take_ready(), wake_set.take_socket()), (1, 1 << 64, false));
        socket_waker(&wake_set).wake();
        assert_eq!(
            (woken(), wake_set.take_ready(), wake_set.take_socket(), wake_set.take_socket()),
            (2, 0, true, false)
        );
    }
}
