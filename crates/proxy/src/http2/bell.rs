//! Who of a connection has to be looked at: its streams and its socket ring, and its one task is woken.
//!
//! All streams of a connection run in its task, so that what comes for several of them in one turn of the
//! event loop costs one, and each is polled only when it rang.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};
use std::task::{Wake, Waker};

/// Numbers that can ring.
pub const NUMBERS: usize = 128;

/// Streams by number.
pub type Set = u128;

/// A connection's bell.
#[derive(Debug, Default)]
pub struct Bell {
    low: AtomicU64,
    high: AtomicU64,
    socket: AtomicBool,
    /// Whether the task is at work, and will look at the bell before it sleeps.
    awake: AtomicBool,
    task: OnceLock<Waker>,
}

impl Bell {
    /// The task begins to work; it is always the same.
    pub fn attend(&self, task: &Waker) {
        self.awake.store(true, SeqCst);
        if self.task.get().is_none() {
            let _ = self.task.set(task.clone());
        }
    }

    /// Who has rung since it was asked last.
    pub fn rung(&self) -> Set {
        let take = |half: &AtomicU64| if half.load(SeqCst) == 0 { 0 } else { half.swap(0, SeqCst) };
        Set::from(take(&self.low)) | Set::from(take(&self.high)) << 64
    }

    /// Whether the socket has rung since it was asked last.
    pub fn socket(&self) -> bool {
        self.socket.load(SeqCst) && self.socket.swap(false, SeqCst)
    }

    /// The task is about to sleep; whether it may, since nobody has rung.
    pub fn rest(&self) -> bool {
        self.awake.store(false, SeqCst);
        let quiet = self.low.load(SeqCst) == 0 && self.high.load(SeqCst) == 0 && !self.socket.load(SeqCst);
        if !quiet {
            self.awake.store(true, SeqCst);
        }
        quiet
    }

    fn wake(&self) {
        if !self.awake.load(SeqCst)
            && let Some(task) = self.task.get()
        {
            task.wake_by_ref();
        }
    }
}

/// What rings for a stream's number.
struct Button {
    bell: Arc<Bell>,
    number: u8,
}

impl Wake for Button {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let half = if self.number < 64 { &self.bell.low } else { &self.bell.high };
        half.fetch_or(1 << (self.number % 64), SeqCst);
        self.bell.wake();
    }
}

/// What rings for the socket.
struct Socket(Arc<Bell>);

impl Wake for Socket {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.socket.store(true, SeqCst);
        self.0.wake();
    }
}

/// A waker for a stream's number. It outlives the stream: whoever still rings makes the next one look up.
pub fn button(bell: &Arc<Bell>, number: usize) -> Waker {
    debug_assert!(number < NUMBERS);
    Waker::from(Arc::new(Button { bell: Arc::clone(bell), number: number as u8 }))
}

/// A waker for the socket.
pub fn socket(bell: &Arc<Bell>) -> Waker {
    Waker::from(Arc::new(Socket(Arc::clone(bell))))
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
    fn whoever_rings_is_told_apart_and_wakes_a_task_that_sleeps() {
        let (task, bell) = (Arc::new(Task::default()), Arc::new(Bell::default()));
        let woken = || task.0.load(SeqCst);
        let buttons = [button(&bell, 0), button(&bell, 63), button(&bell, 64), button(&bell, 127)];
        bell.attend(&Waker::from(Arc::clone(&task)));
        buttons.iter().for_each(Waker::wake_by_ref);
        assert_eq!(woken(), 0, "it is awake");
        assert!(!bell.rest(), "somebody rang");
        assert_eq!(bell.rung(), 1 | 1 << 63 | 1 << 64 | 1 << 127);
        assert!(bell.rest());
        buttons[2].wake_by_ref();
        assert_eq!((woken(), bell.rung(), bell.socket()), (1, 1 << 64, false));
        socket(&bell).wake();
        assert_eq!((woken(), bell.rung(), bell.socket(), bell.socket()), (2, 0, true, false));
    }
}
