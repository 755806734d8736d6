//! Counters in the memory of this process, sharded to reduce lock contention.
//!
//! A key has one entry for all its windows: the counts, and the second of the last request counted. A count whose window
//! started after that second is stale and reads as 0, so that no timer is needed at the end of a window. Stale entries are
//! evicted when a shard has doubled. In a shard that is full of fresh entries, the least recently counted are evicted.

use std::fmt;

use ahash::{AHashMap, RandomState};
use parking_lot::Mutex;

use super::{Acquired, CalendarWindows, CounterStore, Limits, Period, StoreError, StoreFuture};

/// Number of shards: many more than cores, so that two cores rarely contend for the same lock.
const SHARD_COUNT: usize = 128;

/// Maximum number of entries, over all shards. An entry takes about 150 bytes, and never more than 250: `Scope::key`
/// bounds its key.
const MAX_ENTRIES: usize = 1 << 18;

/// Length below which a shard is not swept.
const MIN_SWEEP_LEN: usize = 64;

/// Counters with up to [`MAX_ENTRIES`] keys.
pub struct MemoryCounters {
    shards: Box<[CachePadded]>,
    hasher: RandomState,
}

/// Shard aligned to cache lines, so that two shards do not share one.
#[repr(align(128))]
#[derive(Default)]
struct CachePadded(Mutex<Shard>);

#[derive(Default)]
struct Shard {
    entries: AHashMap<Box<[u8]>, Entry>,
    /// Length at which stale entries are evicted next.
    sweep_at: usize,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    counts: [u64; 6],
    /// Second in which a request was counted last, since 1970.
    last_counted_at: u64,
}

impl Default for MemoryCounters {
    fn default() -> Self {
        MemoryCounters {
            shards: (0..SHARD_COUNT).map(|_| CachePadded::default()).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl MemoryCounters {
    /// See [`CounterStore::try_acquire`].
    fn acquire(&self, key: &[u8], windows: &CalendarWindows, limits: &Limits) -> Acquired {
        let shard = &self.shards[self.hasher.hash_one(key) as usize % SHARD_COUNT];
        let mut shard = shard.0.lock();
        match shard.entries.get_mut(key) {
            Some(entry) => entry.try_acquire(windows, limits),
            None => {
                let mut entry = Entry::default();
                let acquired = entry.try_acquire(windows, limits);
                if acquired.counted {
                    shard.reserve_one(windows);
                    shard.entries.insert(key.into(), entry);
                }
                acquired
            }
        }
    }

    /// Returns the number of entries.
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.lock().entries.len()).sum()
    }
}

impl Shard {
    /// Evicts entries if the shard has reached its limit.
    fn reserve_one(&mut self, windows: &CalendarWindows) {
        const MAX_SHARD_LEN: usize = MAX_ENTRIES / SHARD_COUNT;
        // Evict an eighth at a time, so that the next sweep follows after as many insertions.
        const EVICTION_COUNT: usize = MAX_SHARD_LEN / 8;
        if self.entries.len() < self.sweep_at.max(MIN_SWEEP_LEN) {
            return;
        }
        self.entries.retain(|_, entry| entry.is_fresh(windows));
        if self.entries.len() >= MAX_SHARD_LEN {
            let mut times: Vec<u64> = self.entries.values().map(|entry| entry.last_counted_at).collect();
            let (_, &mut threshold, _) = times.select_nth_unstable(EVICTION_COUNT);
            let mut remaining = EVICTION_COUNT;
            self.entries.retain(|_, entry| {
                let evict = remaining > 0 && entry.last_counted_at <= threshold;
                remaining -= usize::from(evict);
                !evict
            });
        }
        self.sweep_at = (self.entries.len() * 2).clamp(MIN_SWEEP_LEN, MAX_SHARD_LEN);
        self.entries.shrink_to(self.sweep_at);
    }
}

impl Entry {
    fn try_acquire(&mut self, windows: &CalendarWindows, limits: &Limits) -> Acquired {
        let mut acquired = Acquired { used: [0; 6], counted: true };
        for period in Period::ALL {
            let Some(limit) = limits[period.index()] else { continue };
            let used = self.used(period, windows);
            acquired.used[period.index()] = used;
            acquired.counted &= (used as f64) < limit;
        }
        if acquired.counted {
            for period in Period::ALL {
                let counted = u64::from(limits[period.index()].is_some());
                self.counts[period.index()] = self.used(period, windows) + counted;
            }
            self.last_counted_at = self.last_counted_at.max(windows.now());
        }
        acquired
    }

    /// Returns the count in the current window.
    fn used(&self, period: Period, windows: &CalendarWindows) -> u64 {
        if self.last_counted_at < windows.start(period) { 0 } else { self.counts[period.index()] }
    }

    fn is_fresh(&self, windows: &CalendarWindows) -> bool {
        Period::ALL.into_iter().any(|period| self.used(period, windows) > 0)
    }
}

impl CounterStore for MemoryCounters {
    fn try_acquire<'a>(
        &'a self,
        key: &[u8],
        windows: &CalendarWindows,
        limits: &Limits,
    ) -> StoreFuture<'a, Result<Acquired, StoreError>> {
        StoreFuture::Ready(Ok(self.acquire(key, windows, limits)))
    }
}

impl fmt::Debug for MemoryCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCounters").field("entries", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;

    const START: u64 = 1_700_000_000;

    fn at(seconds: u64) -> CalendarWindows {
        CalendarWindows::at(Duration::from_secs(START + seconds))
    }

    fn limits(limits: &[(Period, f64)]) -> Limits {
        let mut all = [None; 6];
        for (period, limit) in limits {
            all[period.index()] = Some(*limit);
        }
        all
    }

    #[test]
    fn the_next_window_starts_empty() {
        let memory = MemoryCounters::default();
        let limits = limits(&[(Period::Minute, 2.0)]);
        let try_acquire = |second| memory.acquire(b"a", &at(second), &limits);
        assert_eq!(try_acquire(0), Acquired { used: [0; 6], counted: true });
        assert_eq!(try_acquire(39), Acquired { used: [0, 1, 0, 0, 0, 0], counted: true });
        assert_eq!(try_acquire(39), Acquired { used: [0, 2, 0, 0, 0, 0], counted: false });
        assert_eq!(try_acquire(40), Acquired { used: [0; 6], counted: true });
    }

    #[test]
    fn a_rejected_request_is_counted_in_no_window() {
        let memory = MemoryCounters::default();
        let both = limits(&[(Period::Second, 1.0), (Period::Hour, 3.0)]);
        assert!(memory.acquire(b"a", &at(0), &both).counted);
        assert!(!memory.acquire(b"a", &at(0), &both).counted);
        assert_eq!(memory.acquire(b"a", &at(1), &both), Acquired { used: [0, 0, 1, 0, 0, 0], counted: true });
    }

    #[test]
    fn a_fractional_limit_is_rounded_up() {
        let memory = MemoryCounters::default();
        let limits = limits(&[(Period::Hour, 1.5)]);
        let acquired_count = (0..4).filter(|_| memory.acquire(b"a", &at(0), &limits).counted).count();
        assert_eq!(acquired_count, 2);
    }

    #[test]
    fn counts_outlive_a_change_of_limits() {
        let memory = MemoryCounters::default();
        assert!(memory.acquire(b"a", &at(0), &limits(&[(Period::Hour, 1.0)])).counted);
        let acquired = memory.acquire(b"a", &at(0), &limits(&[(Period::Hour, 3.0), (Period::Day, 9.0)]));
        assert_eq!(acquired, Acquired { used: [0, 0, 1, 0, 0, 0], counted: true });
        let acquired = memory.acquire(b"a", &at(0), &limits(&[(Period::Day, 9.0)]));
        assert_eq!(acquired, Acquired { used: [0, 0, 0, 1, 0, 0], counted: true });
    }

    #[test]
    fn counts_are_kept_when_the_clock_steps_back() {
        let memory = MemoryCounters::default();
        let limits = limits(&[(Period::Minute, 1.0)]);
        assert!(memory.acquire(b"a", &at(60), &limits).counted);
        assert!(!memory.acquire(b"a", &at(0), &limits).counted);
    }

    #[test]
    fn concurrent_threads_never_exceed_the_limit() {
        let memory = Arc::new(MemoryCounters::default());
        let limits = limits(&[(Period::Hour, 1000.0), (Period::Year, 5000.0)]);
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let memory = memory.clone();
                std::thread::spawn(move || {
                    (0..1000).filter(|_| memory.acquire(b"shared", &at(0), &limits).counted).count()
                })
            })
            .collect();
        let counted: usize = threads.into_iter().map(|t| t.join().expect("the thread ends")).sum();
        assert_eq!(counted, 1000);
    }

    #[test]
    fn stale_entries_are_evicted() {
        let memory = MemoryCounters::default();
        let limits = limits(&[(Period::Second, 5.0)]);
        for n in 0..100_000_u64 {
            memory.acquire(&n.to_le_bytes(), &at(n), &limits);
        }
        assert!(memory.len() <= SHARD_COUNT * MIN_SWEEP_LEN, "{} subjects are held", memory.len());
    }

    #[test]
    fn memory_is_bounded_and_recently_counted_entries_stay() {
        let memory = MemoryCounters::default();
        let limits = limits(&[(Period::Year, 1.0)]);
        let mut busy = limits;
        busy[Period::Year.index()] = Some(f64::MAX);
        for n in 0..2 * MAX_ENTRIES as u64 {
            memory.acquire(&n.to_le_bytes(), &at(n / 64), &limits);
            if n % 1024 == 0 {
                memory.acquire(b"busy", &at(n / 64), &busy);
            }
        }
        assert!(memory.len() <= MAX_ENTRIES, "{} subjects are held", memory.len());
        assert!(memory.len() > MAX_ENTRIES / 2, "{} subjects are held", memory.len());
        let acquired = memory.acquire(b"busy", &at(2 * MAX_ENTRIES as u64 / 64), &busy);
        assert_eq!(acquired.used[Period::Year.index()], 2 * MAX_ENTRIES as u64 / 1024);
    }
}
