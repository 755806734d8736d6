//! Request counters in fixed windows, independent of where they are stored.

use std::{fmt, net::IpAddr, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use smallvec::SmallVec;
use uuid::Uuid;

use super::{CalendarWindows, StoreError, StoreFuture, memory::MemoryCounters};

/// Backend of [`Counters`].
pub trait CounterStore: fmt::Debug + Send + Sync {
    /// Counts a request in all windows with a limit, unless one of them is full. Atomic: concurrent requests never exceed a
    /// limit. The returned future does not borrow the key.
    fn try_acquire<'a>(
        &'a self,
        key: &[u8],
        windows: &CalendarWindows,
        limits: &Limits,
    ) -> StoreFuture<'a, Result<Acquired, StoreError>>;
}

/// Counters that plugins use. Cheap to clone: clones share the counts. By default they are in the memory of this process:
/// exact over all workers, immediate, and outliving reloads, but not the process.
#[derive(Clone, Debug)]
pub struct Counters(Arc<dyn CounterStore>);

impl Default for Counters {
    fn default() -> Self {
        Counters::new(Arc::new(MemoryCounters::default()))
    }
}

/// Maximum number of requests in each window, in the order of [`Period::ALL`](super::Period::ALL). A request is counted
/// while the count is below the limit, so a limit of 1.5 admits two requests.
pub type Limits = [Option<f64>; 6];

/// Result of counting a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acquired {
    /// Number of requests counted before this one, by window; 0 for windows without a limit.
    pub used: [u64; 6],
    /// Whether this request was counted. `false` if a window is full; then it was counted in no window.
    pub counted: bool,
}

impl Counters {
    /// Creates counters with a backend.
    pub fn new(backend: Arc<dyn CounterStore>) -> Self {
        Counters(backend)
    }

    /// Counts a request in all windows with a limit, unless one of them is full. Atomic: concurrent requests never exceed a
    /// limit.
    pub fn try_acquire(
        &self,
        scope: &Scope,
        subject: CounterSubject<'_>,
        windows: &CalendarWindows,
        limits: &Limits,
    ) -> StoreFuture<'_, Result<Acquired, StoreError>> {
        self.0.try_acquire(&scope.key(subject), windows, limits)
    }
}

/// Namespace of a plugin's counters. Plugin entities with the same scope share counters. Consists of ids that do not
/// change when a configuration is reloaded, so that counts outlive a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(Box<[u8]>);

impl Scope {
    /// Creates the scope of a plugin, by the route and the service that it is configured on.
    pub fn new(plugin: &str, route: Option<Uuid>, service: Option<Uuid>) -> Self {
        let mut bytes = plugin.as_bytes().to_vec();
        bytes.push(0);
        bytes.extend_from_slice(route.unwrap_or_default().as_bytes());
        bytes.extend_from_slice(service.unwrap_or_default().as_bytes());
        Scope(bytes.into())
    }

    /// Builds the key of a subject's counters, which is unique to it.
    fn key(&self, subject: CounterSubject<'_>) -> CounterKey {
        let mut key = CounterKey::from_slice(&self.0);
        match subject {
            CounterSubject::Ip(IpAddr::V4(ip)) => {
                key.push(4);
                key.extend_from_slice(&ip.octets());
            }
            CounterSubject::Ip(IpAddr::V6(ip)) => {
                key.push(6);
                key.extend_from_slice(&ip.octets());
            }
            CounterSubject::Id(id) => {
                key.push(1);
                key.extend_from_slice(id.as_bytes());
            }
            CounterSubject::Text(text) if text.len() <= MAX_TEXT_BYTES => {
                key.push(2);
                key.extend_from_slice(text);
            }
            // Hash long texts: a client must not control how much memory its counters take.
            CounterSubject::Text(text) => {
                key.push(3);
                key.extend_from_slice(digest(&SHA256, text).as_ref());
            }
        }
        key
    }
}

/// CounterKey of a subject's counters, on the stack.
pub(super) type CounterKey = SmallVec<[u8; 128]>;

/// Maximum length of a text that is not hashed. With the scope it fits [`CounterKey`] without an allocation.
const MAX_TEXT_BYTES: usize = 64;

/// Identifier that requests are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterSubject<'a> {
    /// IP address of the client.
    Ip(IpAddr),
    /// Id of a consumer, a credential or a service.
    Id(Uuid),
    /// Value of a header, or a path.
    Text(&'a [u8]),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bounded_and_unique() {
        let scope = Scope::new("rate-limiting", Some(Uuid::new_v4()), Some(Uuid::new_v4()));
        let long = [vec![b'x'; 7000], vec![b'x'; 7001], vec![b'y'; 7000], vec![b'x'; MAX_TEXT_BYTES]];
        let keys = long.each_ref().map(|text| scope.key(CounterSubject::Text(text)));
        for (at, key) in keys.iter().enumerate() {
            assert!(key.len() <= 128 && !key.spilled(), "{} bytes", key.len());
            assert!(!keys[..at].contains(key), "different subjects have different keys");
        }
        assert_eq!(keys[0], scope.key(CounterSubject::Text(&[b'x'; 7000])));
    }
}
