//! The current snapshot, and its replacement.
//!
//! ```text
//!  swap:     current --> retired (referenced by requests in flight)
//!  reap:     retired --> freed   (once the last reference is dropped)
//! ```

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
use upstream::Resolver;

/// State of the data plane: immutable settings, and the current snapshot.
#[derive(Debug)]
pub struct Gateway {
    /// Data-plane options.
    pub options: Arc<Options>,
    /// State that outlives a snapshot.
    pub stores: Stores,
    /// Memory budget of buffered bodies, shared by all workers.
    pub memory: Arc<MemoryBudget>,
    /// Resolver of names, shared by all workers.
    pub resolver: Arc<Resolver>,
    current: ArcSwap<Snapshot>,
    generation: AtomicU64,
    /// Replaced snapshots that requests may still reference.
    retired: Mutex<Vec<Arc<Snapshot>>>,
}

impl Gateway {
    /// Creates a gateway with that snapshot as generation 1.
    pub fn new(options: Options, stores: Stores, snapshot: Snapshot) -> Arc<Self> {
        Arc::new(Gateway {
            memory: MemoryBudget::new(options.max_buffered_bytes),
            resolver: Resolver::new(options.dns.clone()),
            options: Arc::new(options),
            stores,
            current: ArcSwap::from_pointee(snapshot),
            generation: AtomicU64::new(1),
            retired: Mutex::default(),
        })
    }

    /// Returns the current snapshot. Requests use [`SnapshotCache`] instead.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Number of snapshots so far.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Replaces the snapshot and returns the new generation. Requests in flight complete on the snapshot they started with;
    /// [`Gateway::collect_retired`] frees it afterwards.
    pub fn swap(&self, snapshot: Snapshot) -> u64 {
        let old = self.current.swap(Arc::new(snapshot));
        self.retired.lock().push(old);
        self.generation.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Whether there are replaced snapshots that are not freed yet.
    pub fn has_retired(&self) -> bool {
        !self.retired.lock().is_empty()
    }

    /// Frees replaced snapshots without references and returns their number. Called periodically, on a thread that does not
    /// serve requests, since freeing takes time.
    pub fn collect_retired(&self) -> usize {
        let mut retired = self.retired.lock();
        let (unused, used): (Vec<_>, _) = retired.drain(..).partition(|old| Arc::strong_count(old) == 1);
        *retired = used;
        drop(retired);
        unused.len()
    }
}

/// A reference to a snapshot, held by a request. The outer count is local to the worker, so that requests of different
/// workers never write to the same cache line.
#[allow(clippy::redundant_allocation, reason = "two counts: one per worker, one shared")]
pub type SnapshotRef = Rc<Arc<Snapshot>>;

/// A worker's cache of the current snapshot: while the generation is unchanged, a reference is taken without writing to
/// shared memory.
#[derive(Debug)]
pub struct SnapshotCache {
    held: RefCell<(u64, SnapshotRef)>,
}

impl SnapshotCache {
    /// Creates a cache with the current snapshot.
    pub fn new(gateway: &Gateway) -> Self {
        SnapshotCache { held: RefCell::new((gateway.generation(), Rc::new(gateway.snapshot()))) }
    }

    /// Returns the current snapshot.
    pub fn get(&self, gateway: &Gateway) -> SnapshotRef {
        let generation = gateway.generation();
        let mut held = self.held.borrow_mut();
        if held.0 != generation {
            *held = (generation, Rc::new(gateway.snapshot()));
        }
        Rc::clone(&held.1)
    }
}
