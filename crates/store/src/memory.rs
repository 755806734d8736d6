//! Counters in this process's memory, in shards with a lock each, so that cores rarely meet.
//!
//! A subject has one entry for all its windows: counts, and the second it was last counted in. A count
//! whose window began after that second is stale and reads as 0, so that nothing has to run when a window
//! ends. Stale entries are dropped when a shard has doubled; a shard that is full of fresh ones forgets
//! those that were quiet longest.

use std::fmt;

use ahash::{AHashMap, RandomState};
use parking_lot::Mutex;

use super::{Limits, Period, Taken, Windows};

/// Locks: many more than cores, so that two cores rarely want the same.
const SHARDS: usize = 128;

/// Subjects held at most, over all shards. One takes about 150 bytes, and never more than 250: `Scope::key` bounds
/// its name.
const SUBJECTS: usize = 1 << 18;

/// Length below which a shard is not swept.
const SMALL: usize = 64;

/// Counters of up to 262,144 subjects.
pub struct Memory {
    shards: Box<[Padded]>,
    hasher: RandomState,
}

/// Keeps shards on cache lines of their own.
#[repr(align(128))]
#[derive(Default)]
struct Padded(Mutex<Shard>);

#[derive(Default)]
struct Shard {
    entries: AHashMap<Box<[u8]>, Entry>,
    /// Length at which stale entries are looked for next.
    sweep_at: usize,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    counts: [u64; 6],
    /// Second of the last count, since 1970.
    last: u64,
}

impl Default for Memory {
    fn default() -> Self {
        Memory { shards: (0..SHARDS).map(|_| Padded::default()).collect(), hasher: RandomState::new() }
    }
}

impl Memory {
    /// See [`Counters::take`](super::Counters::take).
    pub(super) fn take(&self, key: &[u8], windows: &Windows, limits: &Limits) -> Taken {
        let shard = &self.shards[self.hasher.hash_one(key) as usize % SHARDS];
        let mut shard = shard.0.lock();
        match shard.entries.get_mut(key) {
            Some(entry) => entry.take(windows, limits),
            None => {
                let mut entry = Entry::default();
                let taken = entry.take(windows, limits);
                if taken.counted {
                    shard.make_room(windows);
                    shard.entries.insert(key.into(), entry);
                }
                taken
            }
        }
    }

    /// Subjects held now.
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.lock().entries.len()).sum()
    }
}

impl Shard {
    fn make_room(&mut self, windows: &Windows) {
        const FULL: usize = SUBJECTS / SHARDS;
        if self.entries.len() < self.sweep_at.max(SMALL) {
            return;
        }
        self.entries.retain(|_, entry| entry.is_fresh(windows));
        if self.entries.len() >= FULL {
            // An eighth at a time, so that the next sweep is that many new subjects away.
            let mut ages: Vec<u64> = self.entries.values().map(|entry| entry.last).collect();
            let (_, &mut oldest, _) = ages.select_nth_unstable(FULL / 8);
            let mut spare = FULL / 8;
            self.entries.retain(|_, entry| {
                let drop = spare > 0 && entry.last <= oldest;
                spare -= usize::from(drop);
                !drop
            });
        }
        self.sweep_at = (self.entries.len() * 2).clamp(SMALL, FULL);
        self.entries.shrink_to(self.sweep_at);
    }
}

impl Entry {
    fn take(&mut self, windows: &Windows, limits: &Limits) -> Taken {
        let mut taken = Taken { used: [0; 6], counted: true };
        for period in Period::ALL {
            let Some(limit) = limits[period.index()] else { continue };
            let used = self.used(period, windows);
            taken.used[period.index()] = used;
            taken.counted &= (used as f64) < limit;
        }
        if taken.counted {
            for period in Period::ALL {
                let counted = u64::from(limits[period.index()].is_some());
                self.counts[period.index()] = self.used(period, windows) + counted;
            }
            self.last = self.last.max(windows.now());
        }
        taken
    }

    /// What is counted in the window of now.
    fn used(&self, period: Period, windows: &Windows) -> u64 {
        if self.last < windows.start(period) { 0 } else { self.counts[period.index()] }
    }

    fn is_fresh(&self, windows: &Windows) -> bool {
        Period::ALL.into_iter().any(|period| self.used(period, windows) > 0)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("subjects", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;

    const START: u64 = 1_700_000_000;

    fn at(seconds: u64) -> Windows {
        Windows::at(Duration::from_secs(START + seconds))
    }

    fn limits(limits: &[(Period, f64)]) -> Limits {
        let mut all = [None; 6];
        for (period, limit) in limits {
            all[period.index()] = Some(*limit);
        }
        all
    }

    #[test]
    fn a_window_fills_and_the_next_begins_empty() {
        let memory = Memory::default();
        let limits = limits(&[(Period::Minute, 2.0)]);
        let take = |second| memory.take(b"a", &at(second), &limits);
        assert_eq!(take(0), Taken { used: [0; 6], counted: true });
        assert_eq!(take(39), Taken { used: [0, 1, 0, 0, 0, 0], counted: true });
        assert_eq!(take(39), Taken { used: [0, 2, 0, 0, 0, 0], counted: false });
        assert_eq!(take(40), Taken { used: [0; 6], counted: true });
    }

    #[test]
    fn a_refused_request_is_counted_nowhere() {
        let memory = Memory::default();
        let both = limits(&[(Period::Second, 1.0), (Period::Hour, 3.0)]);
        assert!(memory.take(b"a", &at(0), &both).counted);
        assert!(!memory.take(b"a", &at(0), &both).counted);
        assert_eq!(memory.take(b"a", &at(1), &both), Taken { used: [0, 0, 1, 0, 0, 0], counted: true });
    }

    #[test]
    fn a_fractional_limit_lets_a_request_pass_for_its_fraction() {
        let memory = Memory::default();
        let limits = limits(&[(Period::Hour, 1.5)]);
        let passed = (0..4).filter(|_| memory.take(b"a", &at(0), &limits).counted).count();
        assert_eq!(passed, 2);
    }

    #[test]
    fn limits_may_change_while_counts_stay() {
        let memory = Memory::default();
        assert!(memory.take(b"a", &at(0), &limits(&[(Period::Hour, 1.0)])).counted);
        let taken = memory.take(b"a", &at(0), &limits(&[(Period::Hour, 3.0), (Period::Day, 9.0)]));
        assert_eq!(taken, Taken { used: [0, 0, 1, 0, 0, 0], counted: true });
        let taken = memory.take(b"a", &at(0), &limits(&[(Period::Day, 9.0)]));
        assert_eq!(taken, Taken { used: [0, 0, 0, 1, 0, 0], counted: true });
    }

    #[test]
    fn a_clock_that_steps_back_refuses_rather_than_forgets() {
        let memory = Memory::default();
        let limits = limits(&[(Period::Minute, 1.0)]);
        assert!(memory.take(b"a", &at(60), &limits).counted);
        assert!(!memory.take(b"a", &at(0), &limits).counted);
    }

    #[test]
    fn threads_never_take_more_than_the_limit() {
        let memory = Arc::new(Memory::default());
        let limits = limits(&[(Period::Hour, 1000.0), (Period::Year, 5000.0)]);
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let memory = memory.clone();
                std::thread::spawn(move || {
                    (0..1000).filter(|_| memory.take(b"shared", &at(0), &limits).counted).count()
                })
            })
            .collect();
        let counted: usize = threads.into_iter().map(|t| t.join().expect("the thread ends")).sum();
        assert_eq!(counted, 1000);
    }

    #[test]
    fn entries_of_old_windows_make_room() {
        let memory = Memory::default();
        let limits = limits(&[(Period::Second, 5.0)]);
        for n in 0..100_000_u64 {
            memory.take(&n.to_le_bytes(), &at(n), &limits);
        }
        assert!(memory.len() <= SHARDS * SMALL, "{} subjects are held", memory.len());
    }

    #[test]
    fn memory_is_bounded_and_the_busy_are_kept() {
        let memory = Memory::default();
        let limits = limits(&[(Period::Year, 1.0)]);
        let mut busy = limits;
        busy[Period::Year.index()] = Some(f64::MAX);
        for n in 0..2 * SUBJECTS as u64 {
            memory.take(&n.to_le_bytes(), &at(n / 64), &limits);
            if n % 1024 == 0 {
                memory.take(b"busy", &at(n / 64), &busy);
            }
        }
        assert!(memory.len() <= SUBJECTS, "{} subjects are held", memory.len());
        assert!(memory.len() > SUBJECTS / 2, "{} subjects are held", memory.len());
        let taken = memory.take(b"busy", &at(2 * SUBJECTS as u64 / 64), &busy);
        assert_eq!(taken.used[Period::Year.index()], 2 * SUBJECTS as u64 / 1024);
    }
}
