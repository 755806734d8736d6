//! The cells that the current thread adds to.

use std::cell::Cell;

/// Shard of all threads that are not workers: several threads may add to it at the same time.
pub const SHARED: usize = 0;

thread_local! {
    static CURRENT: Cell<usize> = const { Cell::new(SHARED) };
}

/// Makes this thread the worker of that number, counted from 0. A number belongs to one thread at a time for each
/// registry: of two that add to the same cells, one may lose additions.
pub fn set_worker(number: usize) {
    CURRENT.set(number + 1);
}

/// Shard of this thread in a metric with so many shards.
#[inline]
pub fn current(shards: usize) -> usize {
    let shard = CURRENT.get();
    if shard < shards { shard } else { SHARED }
}
