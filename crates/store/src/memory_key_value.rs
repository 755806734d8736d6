//! Key-value store in the memory of this process, sharded to reduce lock contention.
//!
//! A shard keeps its entries in the order of their last use. If a new entry exceeds a limit of its shard, expired entries
//! are evicted, then the least recently used.

use std::{fmt, time::Duration};

use ahash::RandomState;
use bytes::Bytes;
use hashlink::LinkedHashMap;
use parking_lot::Mutex;

use super::{Clock, KeyValueStore, StoreError, StoreFuture};

/// Number of shards: more than cores, so that two cores rarely contend for the same lock. Each has an equal share of the
/// limits.
const SHARD_COUNT: usize = 32;

/// Memory of an entry besides key and value: links, hash table slot, allocator overhead.
const ENTRY_OVERHEAD_BYTES: usize = 160;

/// Limits of a key-value store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyValueLimits {
    /// Maximum number of entries.
    pub max_entries: usize,
    /// Maximum size of keys and values, with the overhead of their entries. A single entry can have a 32nd of it.
    pub max_bytes: usize,
}

impl Default for KeyValueLimits {
    fn default() -> Self {
        KeyValueLimits { max_entries: 65_536, max_bytes: 64 << 20 }
    }
}

/// Key-value store in the memory of this process. Outlives reloads, but not the process.
pub struct MemoryKeyValue {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    clock: Clock,
    max_shard_entries: usize,
    max_shard_bytes: usize,
}

#[derive(Default)]
struct Shard {
    /// Entries; the least recently used is the first.
    entries: LinkedHashMap<Box<[u8]>, Entry, RandomState>,
    bytes: usize,
    /// Insertions after which the shard is searched for expired entries again.
    insertions_until_sweep: usize,
}

struct Entry {
    value: Bytes,
    /// Time since 1970.
    expires_at: Duration,
}

impl MemoryKeyValue {
    /// Creates an empty store.
    pub fn new(limits: KeyValueLimits, clock: Clock) -> Self {
        MemoryKeyValue {
            shards: (0..SHARD_COUNT).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            clock,
            max_shard_entries: (limits.max_entries / SHARD_COUNT).max(1),
            max_shard_bytes: limits.max_bytes / SHARD_COUNT,
        }
    }

    fn shard(&self, key: &[u8]) -> &Mutex<Shard> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARD_COUNT]
    }

    /// Stores an entry; with `if_absent` only if the key has none.
    fn insert(&self, key: &[u8], value: Bytes, ttl: Duration, if_absent: bool) -> Result<bool, StoreError> {
        let bytes = entry_bytes(key, &value);
        if bytes > self.max_shard_bytes {
            return Err(StoreError::EntryTooLarge { bytes, max_bytes: self.max_shard_bytes });
        }
        // Copied: a part of a larger buffer would keep that buffer allocated.
        let value = Bytes::copy_from_slice(&value);
        let now = self.clock.now();
        let expires_at = now.saturating_add(ttl);
        let mut shard = self.shard(key).lock();
        if if_absent && shard.get(key, now).is_some() {
            return Ok(false);
        }
        shard.remove(key);
        if expires_at <= now {
            return Ok(true);
        }
        shard.evict_for(bytes, self.max_shard_entries, self.max_shard_bytes, now);
        shard.bytes += bytes;
        shard.entries.insert(key.into(), Entry { value, expires_at });
        Ok(true)
    }

    /// Returns the number of entries and their size.
    fn usage(&self) -> (usize, usize) {
        self.shards
            .iter()
            .map(|shard| shard.lock())
            .fold((0, 0), |(entries, bytes), shard| (entries + shard.entries.len(), bytes + shard.bytes))
    }
}

fn entry_bytes(key: &[u8], value: &[u8]) -> usize {
    key.len() + value.len() + ENTRY_OVERHEAD_BYTES
}

impl Shard {
    /// Returns a value that has not expired, and marks it as used.
    fn get(&mut self, key: &[u8], now: Duration) -> Option<Bytes> {
        let entry = self.entries.to_back(key)?;
        if entry.expires_at > now {
            return Some(entry.value.clone());
        }
        self.remove(key);
        None
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry_bytes(key, &entry.value);
        }
    }

    /// Evicts entries until another one of that size fits.
    fn evict_for(&mut self, bytes: usize, max_entries: usize, max_bytes: usize, now: Duration) {
        self.insertions_until_sweep = self.insertions_until_sweep.saturating_sub(1);
        let is_full = |shard: &Self| shard.entries.len() >= max_entries || shard.bytes + bytes > max_bytes;
        if is_full(self) && self.insertions_until_sweep == 0 {
            let freed = &mut self.bytes;
            self.entries.retain(|key, entry| {
                let is_live = entry.expires_at > now;
                if !is_live {
                    *freed -= entry_bytes(key, &entry.value);
                }
                is_live
            });
            // The cost of a sweep is spread over as many insertions as it has searched entries, by eight.
            self.insertions_until_sweep = self.entries.len() / 8;
        }
        while is_full(self)
            && let Some((key, entry)) = self.entries.pop_front()
        {
            self.bytes -= entry_bytes(&key, &entry.value);
        }
    }
}

impl KeyValueStore for MemoryKeyValue {
    fn get<'a>(&'a self, key: &[u8]) -> StoreFuture<'a, Result<Option<Bytes>, StoreError>> {
        StoreFuture::Ready(Ok(self.shard(key).lock().get(key, self.clock.now())))
    }

    fn set<'a>(&'a self, key: &[u8], value: Bytes, ttl: Duration) -> StoreFuture<'a, Result<(), StoreError>> {
        StoreFuture::Ready(self.insert(key, value, ttl, false).map(|_| ()))
    }

    fn set_if_absent<'a>(
        &'a self,
        key: &[u8],
        value: Bytes,
        ttl: Duration,
    ) -> StoreFuture<'a, Result<bool, StoreError>> {
        StoreFuture::Ready(self.insert(key, value, ttl, true))
    }

    fn remove<'a>(&'a self, key: &[u8]) -> StoreFuture<'a, Result<(), StoreError>> {
        self.shard(key).lock().remove(key);
        StoreFuture::Ready(Ok(()))
    }
}

impl fmt::Debug for MemoryKeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (entries, bytes) = self.usage();
        f.debug_struct("MemoryKeyValue").field("entries", &entries).field("bytes", &bytes).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn ready<T>(future: StoreFuture<'_, Result<T, StoreError>>) -> Result<T, StoreError> {
        match future {
            StoreFuture::Ready(result) => result,
            StoreFuture::Boxed(_) => panic!("memory is immediate"),
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[derive(Clone, Debug)]
    enum Operation {
        Get(u8),
        Set(u8, u16, u8),
        SetIfAbsent(u8, u16, u8),
        Remove(u8),
        Advance(u8),
    }

    fn operation() -> impl Strategy<Value = Operation> {
        let (key, length, ttl) = (0..24_u8, 0..600_u16, 0..20_u8);
        prop_oneof![
            key.clone().prop_map(Operation::Get),
            (key.clone(), length.clone(), ttl.clone()).prop_map(|(k, l, t)| Operation::Set(k, l, t)),
            (key.clone(), length, ttl).prop_map(|(k, l, t)| Operation::SetIfAbsent(k, l, t)),
            key.prop_map(Operation::Remove),
            (0..5_u8).prop_map(Operation::Advance),
        ]
    }

    /// Model of a store: all entries that have been set, whether or not they are evicted. Checks a store with one key per
    /// byte against it, and returns how many entries were missing.
    fn check(limits: KeyValueLimits, operations: &[Operation]) -> Result<usize, TestCaseError> {
        let clock = Clock::manual(Duration::from_secs(1000));
        let store = MemoryKeyValue::new(limits, clock.clone());
        let mut model: BTreeMap<u8, (Vec<u8>, Duration)> = BTreeMap::new();
        let mut missing = 0;
        for (number, operation) in operations.iter().enumerate() {
            let now = clock.now();
            model.retain(|_, (_, expires_at)| *expires_at > now);
            let value = |length: u16| vec![number as u8; length.into()];
            match *operation {
                Operation::Get(key) => {
                    let found = ready(store.get(&[key])).unwrap();
                    match (found, model.get(&key)) {
                        (Some(found), Some((expected, _))) => prop_assert_eq!(&*found, &expected[..]),
                        (Some(_), None) => prop_assert!(false, "key {} was removed, or has expired", key),
                        (None, Some(_)) => {
                            model.remove(&key);
                            missing += 1;
                        }
                        (None, None) => {}
                    }
                }
                Operation::Set(key, length, ttl) => {
                    let set = store.set(&[key], value(length).into(), SECOND * ttl.into());
                    match ready(set) {
                        Ok(()) => drop(model.insert(key, (value(length), now + SECOND * ttl.into()))),
                        Err(_) => {
                            prop_assert!(entry_bytes(&[key], &value(length)) > limits.max_bytes / SHARD_COUNT)
                        }
                    }
                    if ttl > 0 && entry_bytes(&[key], &value(length)) <= limits.max_bytes / SHARD_COUNT {
                        let found = ready(store.get(&[key])).unwrap();
                        prop_assert_eq!(found.as_deref(), Some(&value(length)[..]), "evicted by itself");
                    }
                }
                Operation::SetIfAbsent(key, length, ttl) => {
                    let set = store.set_if_absent(&[key], value(length).into(), SECOND * ttl.into());
                    match (ready(set), model.contains_key(&key)) {
                        (Ok(true), was_set) => {
                            missing += usize::from(was_set);
                            model.insert(key, (value(length), now + SECOND * ttl.into()));
                        }
                        (Ok(false), was_set) => prop_assert!(was_set, "key {} has no value", key),
                        (Err(_), _) => {
                            prop_assert!(
                                entry_bytes(&[key], &value(length)) > limits.max_bytes / SHARD_COUNT
                            );
                        }
                    }
                }
                Operation::Remove(key) => {
                    ready(store.remove(&[key])).unwrap();
                    model.remove(&key);
                }
                Operation::Advance(seconds) => clock.advance(SECOND * seconds.into()),
            }
            let (entries, bytes) = store.usage();
            prop_assert!(entries <= limits.max_entries.max(SHARD_COUNT) && bytes <= limits.max_bytes);
        }
        let counted: usize = store
            .shards
            .iter()
            .map(|shard| shard.lock().entries.iter().map(|(k, e)| entry_bytes(k, &e.value)).sum::<usize>())
            .sum();
        prop_assert_eq!(store.usage().1, counted);
        Ok(missing)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn it_is_a_map_while_the_limits_are_not_reached(operations in prop::collection::vec(operation(), 0..200)) {
            prop_assert_eq!(check(KeyValueLimits::default(), &operations)?, 0, "an entry was evicted");
        }

        #[test]
        fn limits_hold_and_no_value_is_wrong(operations in prop::collection::vec(operation(), 0..200), small: bool) {
            let limits = match small {
                true => KeyValueLimits { max_entries: 1, max_bytes: 1 << 20 },
                false => KeyValueLimits { max_entries: 1 << 16, max_bytes: SHARD_COUNT * 500 },
            };
            check(limits, &operations)?;
        }
    }

    #[test]
    fn expired_entries_are_evicted_before_the_least_recently_used() {
        let mut shard = Shard::default();
        let insert = |shard: &mut Shard, key: u8, expires_at: u64, now: u64| {
            shard.evict_for(entry_bytes(&[key], b""), 3, usize::MAX, SECOND * now as u32);
            shard.bytes += entry_bytes(&[key], b"");
            shard.entries.insert(
                [key].into(),
                Entry { value: Bytes::new(), expires_at: Duration::from_secs(expires_at) },
            );
        };
        insert(&mut shard, 1, 100, 0);
        insert(&mut shard, 2, 10, 0);
        insert(&mut shard, 3, 100, 0);
        insert(&mut shard, 4, 100, 20);
        let keys = |shard: &Shard| shard.entries.keys().map(|key| key[0]).collect::<Vec<_>>();
        assert_eq!(keys(&shard), [1, 3, 4], "2 has expired");
        assert!(shard.get(&[1], Duration::from_secs(20)).is_some());
        insert(&mut shard, 5, 100, 20);
        assert_eq!(keys(&shard), [4, 1, 5], "3 was used least recently");
    }

    #[test]
    fn a_value_does_not_retain_the_buffer_that_it_is_a_part_of() {
        let store = MemoryKeyValue::new(KeyValueLimits::default(), Clock::default());
        let buffer = Bytes::from(vec![b'x'; 1 << 20]);
        ready(store.set(b"a", buffer.slice(..10), SECOND)).unwrap();
        assert!(buffer.try_into_mut().is_ok(), "the buffer has another reference");
    }

    #[test]
    fn concurrent_callers_store_an_absent_key_once() {
        let store = MemoryKeyValue::new(KeyValueLimits::default(), Clock::default());
        let stored: usize = std::thread::scope(|scope| {
            let store = &store;
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(move || {
                        (0..100_u32)
                            .filter(|n| {
                                ready(store.set_if_absent(&n.to_be_bytes(), Bytes::new(), SECOND * 600))
                                    .unwrap()
                            })
                            .count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(stored, 100);
    }
}
