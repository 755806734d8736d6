//! Key-value stores with a time to live, independent of where the entries are stored.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{Clock, KeyValueLimits, MemoryKeyValue, SingleFlight, StoreError, StoreFuture};

/// Backend of a [`KeyValue`]. The returned futures do not borrow keys, so that callers can build keys on the stack.
pub trait KeyValueStore: fmt::Debug + Send + Sync {
    /// Returns the value of a key that has not expired.
    fn get<'a>(&'a self, key: &[u8]) -> StoreFuture<'a, Result<Option<Bytes>, StoreError>>;

    /// Stores a value, and replaces the previous one.
    fn set<'a>(&'a self, key: &[u8], value: Bytes, ttl: Duration) -> StoreFuture<'a, Result<(), StoreError>>;

    /// Stores a value unless the key has one that has not expired; returns whether it was stored. Atomic.
    fn set_if_absent<'a>(
        &'a self,
        key: &[u8],
        value: Bytes,
        ttl: Duration,
    ) -> StoreFuture<'a, Result<bool, StoreError>>;

    /// Removes a key.
    fn remove<'a>(&'a self, key: &[u8]) -> StoreFuture<'a, Result<(), StoreError>>;
}

/// Key-value store of one plugin, shared by all workers. Cheap to clone: clones share the entries.
///
/// Entries can be evicted before they expire, so that it is a cache and no database. Each plugin has its own, with its own
/// limits: clients that fill the store of one plugin evict no entries of another.
///
/// ```
/// use std::time::Duration;
/// use store::{Clock, KeyValue, KeyValueLimits, StoreFuture};
///
/// let nonces = KeyValue::memory(KeyValueLimits::default(), Clock::default());
/// // Nothing has to wait for the memory backend: a synchronous hook matches on the result.
/// match nonces.set_if_absent(b"nonce-1", "".into(), Duration::from_secs(300)) {
///     StoreFuture::Ready(stored) => assert_eq!(stored, Ok(true)),
///     StoreFuture::Boxed(_) => unreachable!("the backend is remote"),
/// }
/// ```
#[derive(Clone)]
pub struct KeyValue {
    backend: Arc<dyn KeyValueStore>,
    fetches: Arc<SingleFlight<FetchResult>>,
}

/// Value obtained by [`KeyValue::get_or_fetch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The value.
    pub value: Bytes,
    /// How long it is stored; zero: it is only passed to the callers that wait for it.
    pub ttl: Duration,
}

/// Error of a fetch, shared by all callers that waited for it.
pub type FetchError = Arc<dyn std::error::Error + Send + Sync>;

type FetchResult = Result<Bytes, FetchError>;

impl KeyValue {
    /// Creates a store with a backend.
    pub fn new(backend: Arc<dyn KeyValueStore>) -> Self {
        KeyValue { backend, fetches: Arc::default() }
    }

    /// Creates a store in the memory of this process.
    pub fn memory(limits: KeyValueLimits, clock: Clock) -> Self {
        Self::new(Arc::new(MemoryKeyValue::new(limits, clock)))
    }

    /// Returns the value of a key that has not expired.
    pub fn get(&self, key: &[u8]) -> StoreFuture<'_, Result<Option<Bytes>, StoreError>> {
        self.backend.get(key)
    }

    /// Stores a value, and replaces the previous one.
    pub fn set(&self, key: &[u8], value: Bytes, ttl: Duration) -> StoreFuture<'_, Result<(), StoreError>> {
        self.backend.set(key, value, ttl)
    }

    /// Stores a value unless the key has one that has not expired; returns whether it was stored. Atomic.
    pub fn set_if_absent(
        &self,
        key: &[u8],
        value: Bytes,
        ttl: Duration,
    ) -> StoreFuture<'_, Result<bool, StoreError>> {
        self.backend.set_if_absent(key, value, ttl)
    }

    /// Removes a key.
    pub fn remove(&self, key: &[u8]) -> StoreFuture<'_, Result<(), StoreError>> {
        self.backend.remove(key)
    }

    /// Returns the value of a key, or fetches and stores it. Concurrent callers share one fetch and its error. An error
    /// is not stored: the next caller fetches again. If the store is unavailable, the value is fetched and not stored.
    ///
    /// # Errors
    /// Returns the error of `fetch`.
    pub async fn get_or_fetch<F, E>(&self, key: &[u8], fetch: impl FnOnce() -> F) -> Result<Bytes, FetchError>
    where
        F: Future<Output = Result<Fetched, E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if let Ok(Some(value)) = self.get(key).finish().await {
            return Ok(value);
        }
        let fetch_and_store = || async {
            // Another fetch may have completed since.
            if let Ok(Some(value)) = self.get(key).finish().await {
                return Ok(value);
            }
            let fetched = fetch().await.map_err(|error| FetchError::from(error.into()))?;
            if !fetched.ttl.is_zero()
                && let Err(error) = self.set(key, fetched.value.clone(), fetched.ttl).finish().await
            {
                tracing::debug!("a fetched value is not stored: {error}");
            }
            Ok(fetched.value)
        };
        self.fetches.run(key, fetch_and_store).await
    }
}

impl fmt::Debug for KeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.backend.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Backend whose operations have to be awaited, as those of a server.
    #[derive(Debug)]
    struct Remote(MemoryKeyValue, Option<StoreError>);

    impl Remote {
        fn later<T: Send + 'static>(
            &self,
            result: StoreFuture<'_, Result<T, StoreError>>,
        ) -> StoreFuture<'_, Result<T, StoreError>> {
            let StoreFuture::Ready(result) = result else { unreachable!("memory is immediate") };
            let result = self.1.clone().map_or(result, Err);
            StoreFuture::boxed(async {
                tokio::task::yield_now().await;
                result
            })
        }
    }

    impl KeyValueStore for Remote {
        fn get<'a>(&'a self, key: &[u8]) -> StoreFuture<'a, Result<Option<Bytes>, StoreError>> {
            self.later(self.0.get(key))
        }
        fn set<'a>(
            &'a self,
            key: &[u8],
            value: Bytes,
            ttl: Duration,
        ) -> StoreFuture<'a, Result<(), StoreError>> {
            self.later(self.0.set(key, value, ttl))
        }
        fn set_if_absent<'a>(
            &'a self,
            key: &[u8],
            value: Bytes,
            ttl: Duration,
        ) -> StoreFuture<'a, Result<bool, StoreError>> {
            self.later(self.0.set_if_absent(key, value, ttl))
        }
        fn remove<'a>(&'a self, key: &[u8]) -> StoreFuture<'a, Result<(), StoreError>> {
            self.later(self.0.remove(key))
        }
    }

    fn memory(clock: &Clock) -> MemoryKeyValue {
        MemoryKeyValue::new(KeyValueLimits::default(), clock.clone())
    }

    #[tokio::test]
    async fn a_value_is_fetched_once_until_it_expires() {
        let clock = Clock::manual(Duration::from_secs(1000));
        let remote = |error| KeyValue::new(Arc::new(Remote(memory(&clock), error)));
        for store in [KeyValue::new(Arc::new(memory(&clock))), remote(None)] {
            let fetches = AtomicUsize::new(0);
            let fetch = || async {
                let number = fetches.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::task::yield_now().await;
                Ok::<_, String>(Fetched { value: number.to_string().into(), ttl: Duration::from_secs(10) })
            };
            let (a, b) = tokio::join!(store.get_or_fetch(b"a", fetch), store.get_or_fetch(b"a", fetch));
            assert_eq!((&*a.unwrap(), &*b.unwrap()), (&b"1"[..], &b"1"[..]), "{store:?}");
            assert_eq!(store.get_or_fetch(b"a", fetch).await.unwrap(), "1");
            clock.advance(Duration::from_secs(10));
            assert_eq!(store.get_or_fetch(b"a", fetch).await.unwrap(), "2");
        }
        let store = remote(Some(StoreError::Unavailable("down".into())));
        let fetch = || async { Ok::<_, String>(Fetched { value: "x".into(), ttl: Duration::from_secs(1) }) };
        assert_eq!(store.get_or_fetch(b"a", fetch).await.unwrap(), "x", "fetched without the store");
    }

    #[tokio::test]
    async fn an_error_is_shared_and_not_stored() {
        let store = KeyValue::memory(KeyValueLimits::default(), Clock::default());
        let fetches = AtomicUsize::new(0);
        let fetch = || async {
            let number = fetches.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::task::yield_now().await;
            Err::<Fetched, _>(format!("failed {number}"))
        };
        let (a, b) = tokio::join!(store.get_or_fetch(b"a", fetch), store.get_or_fetch(b"a", fetch));
        assert_eq!(
            (a.unwrap_err().to_string(), b.unwrap_err().to_string()),
            ("failed 1".into(), "failed 1".into())
        );
        assert_eq!(store.get_or_fetch(b"a", fetch).await.unwrap_err().to_string(), "failed 2");
    }

    #[tokio::test]
    async fn a_value_without_a_time_to_live_is_only_passed_on() {
        let store = KeyValue::memory(KeyValueLimits::default(), Clock::default());
        let fetch = || async { Ok::<_, String>(Fetched { value: "x".into(), ttl: Duration::ZERO }) };
        assert_eq!(store.get_or_fetch(b"a", fetch).await.unwrap(), "x");
        assert_eq!(store.get(b"a").finish().await, Ok(None));
    }
}
