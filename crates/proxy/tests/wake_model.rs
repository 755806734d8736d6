//! Model of the HTTP/2 wakers (`src/http2/wake.rs`): loom runs the interleavings of a connection's task with threads that
//! wake its streams and its socket. A lost wake-up is a deadlock there, which loom reports. With one thread these are all
//! interleavings, with two those of up to [`MAX_PREEMPTIONS`]: beyond that there are millions.

#[path = "../src/http2/wake.rs"]
#[allow(dead_code, reason = "the unit tests of the file are compiled, and not run outside of a model")]
mod wake;

use std::{future::poll_fn, io::Write as _, sync::Arc, task::Poll};

use loom::{future::block_on, thread};

use self::wake::{SlotSet, WakeSet, socket_waker, stream_waker};

/// Preemptions of a thread in one execution of two threads and the task. Two suffice for most errors (loom's advice).
const MAX_PREEMPTIONS: usize = 2;

/// Atomics of loom that are sequentially consistent. Loom treats an access with `SeqCst` as `AcqRel`; fences with `SeqCst`
/// around it restore the order that the memory model guarantees.
mod atomic {
    pub use std::sync::atomic::Ordering;

    use loom::sync::atomic::{self, fence};

    #[derive(Debug, Default)]
    pub struct AtomicBool(atomic::AtomicBool);

    #[derive(Debug, Default)]
    pub struct AtomicU64(atomic::AtomicU64);

    fn ordered<T>(order: Ordering, access: impl FnOnce() -> T) -> T {
        assert_eq!(order, Ordering::SeqCst, "an order that this model does not know");
        fence(order);
        let value = access();
        fence(order);
        value
    }

    impl AtomicBool {
        pub fn load(&self, order: Ordering) -> bool {
            ordered(order, || self.0.load(order))
        }

        pub fn store(&self, value: bool, order: Ordering) {
            ordered(order, || self.0.store(value, order));
        }

        pub fn swap(&self, value: bool, order: Ordering) -> bool {
            ordered(order, || self.0.swap(value, order))
        }
    }

    impl AtomicU64 {
        pub fn load(&self, order: Ordering) -> u64 {
            ordered(order, || self.0.load(order))
        }

        pub fn swap(&self, value: u64, order: Ordering) -> u64 {
            ordered(order, || self.0.swap(value, order))
        }

        pub fn fetch_or(&self, value: u64, order: Ordering) -> u64 {
            ordered(order, || self.0.fetch_or(value, order))
        }
    }
}

/// Turns of a task that takes what was woken until it has all of it, and parks in between.
fn take_all(wake_set: &WakeSet, slots: SlotSet, socket: bool) {
    let (mut ready, mut socket_ready) = (0, false);
    block_on(poll_fn(|cx| {
        wake_set.register(cx.waker());
        loop {
            ready |= wake_set.take_ready();
            socket_ready |= wake_set.take_socket();
            if (ready, socket_ready) == (slots, socket) {
                return Poll::Ready(());
            }
            if wake_set.try_park() {
                return Poll::Pending;
            }
        }
    }));
}

/// Runs a task with a thread for each slot, and one for the socket.
fn model(name: &str, slots: &'static [usize], socket: bool) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = (slots.len() + usize::from(socket) > 1).then_some(MAX_PREEMPTIONS);
    builder.check(move || {
        let wake_set = Arc::new(WakeSet::default());
        let mut wakers: Vec<_> = slots.iter().map(|&slot| stream_waker(&wake_set, slot)).collect();
        wakers.extend(socket.then(|| socket_waker(&wake_set)));
        let threads: Vec<_> = wakers.into_iter().map(|waker| thread::spawn(move || waker.wake())).collect();
        take_all(&wake_set, slots.iter().fold(0, |set, slot| set | 1 << slot), socket);
        for thread in threads {
            thread.join().expect("the thread ends");
        }
        assert_eq!((wake_set.take_ready(), wake_set.take_socket()), (0, false), "each wake-up is taken once");
    });
    // Not captured, since this test has no harness.
    let _ = writeln!(std::io::stdout(), "{name}: ok");
}

fn main() {
    model("a stream", &[3], false);
    model("a stream of the upper half", &[100], false);
    model("the socket", &[], true);
    model("a stream and the socket", &[3], true);
    model("streams of both halves", &[3, 100], false);
}
