//! The current snapshot, and how another takes its place.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::{Options, Snapshot};
use net::MemoryBudget;
use store::Stores;

/// The running gateway: settings that never change, and the snapshot that does.
#[derive(Debug)]
pub struct Gateway {
    /// Settings.
    pub options: Arc<Options>,
    /// What outlives a snapshot.
    pub stores: Stores,
    /// What buffered bodies take, of all workers.
    pub memory: Arc<MemoryBudget>,
    current: ArcSwap<Snapshot>,
    generation: AtomicU64,
    /// Snapshots that requests may still be using.
    retired: Mutex<Vec<Arc<Snapshot>>>,
}

impl Gateway {
    /// A gateway that begins with that snapshot, as generation 1.
    pub fn new(options: Options, stores: Stores, snapshot: Snapshot) -> Arc<Self> {
        Arc::new(Gateway {
            memory: MemoryBudget::new(options.max_buffered),
            options: Arc::new(options),
            stores,
            current: ArcSwap::from_pointee(snapshot),
            generation: AtomicU64::new(1),
            retired: Mutex::default(),
        })
    }

    /// The current snapshot, for what is not a request.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// How many snapshots there have been.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Puts another snapshot in place and returns its generation. Requests in flight end on the one they
    /// began with; [`Gateway::reap`] frees it when the last has.
    pub fn swap(&self, snapshot: Snapshot) -> u64 {
        let old = self.current.swap(Arc::new(snapshot));
        self.retired.lock().push(old);
        self.generation.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Whether there are former snapshots that are not freed yet.
    pub fn has_retired(&self) -> bool {
        !self.retired.lock().is_empty()
    }

    /// Frees former snapshots that no request uses any more, on the calling thread, which should not be one
    /// that serves requests. To be called now and then; tells how many were freed.
    pub fn reap(&self) -> usize {
        let mut retired = self.retired.lock();
        let (unused, used): (Vec<_>, _) = retired.drain(..).partition(|old| Arc::strong_count(old) == 1);
        *retired = used;
        drop(retired);
        unused.len()
    }
}

/// A snapshot as a request holds it. The outer count is the worker's own, so that requests of different
/// workers never write to the same memory.
#[allow(clippy::redundant_allocation, reason = "two counts: one per worker, one shared")]
pub type Held = Rc<Arc<Snapshot>>;

/// A worker's own handle on the current snapshot: cloning it touches no memory of other workers while the
/// generation stays.
#[derive(Debug)]
pub struct Current {
    held: RefCell<(u64, Held)>,
}

impl Current {
    /// A handle on what is current now.
    pub fn new(gateway: &Gateway) -> Self {
        Current { held: RefCell::new((gateway.generation(), Rc::new(gateway.snapshot()))) }
    }

    /// The current snapshot.
    pub fn get(&self, gateway: &Gateway) -> Held {
        let generation = gateway.generation();
        let mut held = self.held.borrow_mut();
        if held.0 != generation {
            *held = (generation, Rc::new(gateway.snapshot()));
        }
        Rc::clone(&held.1)
    }
}
