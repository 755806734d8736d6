//! The resolver of the process: the cache, and the lookups in flight.

use std::{
    pin::pin,
    sync::{Arc, OnceLock},
};

use ahash::RandomState;
use hashlink::LruCache;
use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, oneshot},
    time::Instant,
};

use super::{
    answer::{Answer, LookupError},
    entry::{Entry, Flight},
    lookup::Sources,
    options::DnsOptions,
    thread::Executor,
};

/// Maximum number of lookups at a time; further ones wait.
const MAX_CONCURRENT_LOOKUPS: usize = 256;

/// Resolver of the process. Workers use it through [`super::WorkerResolver`].
pub struct Resolver {
    lookups: Arc<Lookups>,
    /// Entries by name, in the order in which workers have asked for them.
    entries: Mutex<LruCache<Box<str>, Arc<Entry>, RandomState>>,
    executor: Executor,
}

/// What lookups share.
struct Lookups {
    options: DnsOptions,
    /// Read by the first lookup.
    sources: OnceLock<Sources>,
    permits: Semaphore,
}

impl Resolver {
    /// Creates a resolver, whose lookups run on a thread of their own. Does no I/O.
    pub fn new(options: DnsOptions) -> Arc<Self> {
        Self::with_executor(options, Executor::Thread(Default::default()))
    }

    /// Creates a resolver whose lookups run on that runtime.
    pub fn on_runtime(options: DnsOptions, runtime: Handle) -> Arc<Self> {
        Self::with_executor(options, Executor::Runtime(runtime))
    }

    fn with_executor(options: DnsOptions, executor: Executor) -> Arc<Self> {
        let entries = LruCache::with_hasher(options.cache_size.max(1), RandomState::new());
        let permits = Semaphore::new(MAX_CONCURRENT_LOOKUPS);
        let lookups = Arc::new(Lookups { options, sources: OnceLock::new(), permits });
        Arc::new(Resolver { lookups, entries: Mutex::new(entries), executor })
    }

    /// Returns the options.
    pub fn options(&self) -> &DnsOptions {
        &self.lookups.options
    }

    /// Returns the number of names in the cache.
    pub fn cached_names(&self) -> usize {
        self.entries.lock().len()
    }

    /// Returns the entry of a name, and marks it as used. Evicts the entry that was not used for the longest time if the
    /// cache is full.
    pub(super) fn entry(&self, name: &str) -> Arc<Entry> {
        let mut entries = self.entries.lock();
        if let Some(entry) = entries.get(name) {
            return Arc::clone(entry);
        }
        if entries.len() >= entries.capacity()
            && let Some((_, evicted)) = entries.remove_lru()
        {
            evicted.evict();
        }
        let entry = Arc::new(Entry::new(name));
        entries.insert(name.into(), Arc::clone(&entry));
        entry
    }

    /// Starts a lookup in the background, unless one is in flight or the answer is newer than the one that was seen.
    pub(super) fn refresh(&self, entry: &Arc<Entry>, seen: Option<&Arc<Answer>>) {
        let Some(flight) = entry.take_off(seen) else { return };
        // Once for each refresh, so that names in use are not evicted.
        self.entries.lock().get(&*entry.name);
        match self.executor.handle() {
            Ok(runtime) => {
                let lookups = Arc::clone(&self.lookups);
                runtime.spawn(async move {
                    lookups.run(flight.entry()).await;
                    drop(flight);
                });
            }
            Err(error) => self.lookups.refuse(&flight, &error),
        }
    }

    /// Waits for an answer: that of the lookup in flight, or of a new one. `seen` is the answer that the caller cannot use.
    pub(super) async fn answer(&self, entry: &Arc<Entry>, seen: Option<&Arc<Answer>>) -> Arc<Answer> {
        if self.options().no_sync {
            return self.own_answer(entry).await;
        }
        let is_newer = |answer: &Arc<Answer>| seen.is_none_or(|seen| !Arc::ptr_eq(answer, seen));
        // The second time if a flight has ended without an answer.
        for _ in 0..2 {
            let mut end = pin!(entry.flight_end());
            // Enabled before the flight starts, so that its end is not missed.
            end.as_mut().enable();
            self.refresh(entry, seen);
            if let Some(answer) = entry.answer().filter(is_newer) {
                return answer;
            }
            end.await;
            if let Some(answer) = entry.answer().filter(is_newer) {
                return answer;
            }
        }
        self.lookups.aborted()
    }

    /// Performs a lookup of the caller's own (setting `dns_no_sync`).
    async fn own_answer(&self, entry: &Arc<Entry>) -> Arc<Answer> {
        // Without a runtime nothing would ever be sent.
        let Ok(runtime) = self.executor.handle() else { return self.lookups.aborted() };
        let (sender, receiver) = oneshot::channel();
        let (lookups, entry) = (Arc::clone(&self.lookups), Arc::clone(entry));
        runtime.spawn(async move {
            // The caller may have gone; the answer is in the entry.
            let _ = sender.send(lookups.run(&entry).await);
        });
        receiver.await.unwrap_or_else(|_| self.lookups.aborted())
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").field("cached_names", &self.cached_names()).finish_non_exhaustive()
    }
}

impl Lookups {
    /// Looks a name up and publishes the answer.
    async fn run(&self, entry: &Entry) -> Arc<Answer> {
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await;
        let sources = self.sources.get_or_init(|| Sources::read(&self.options));
        let previous = entry.answer();
        let outcome = sources.look_up(&entry.name, &self.options, previous.as_deref()).await;
        let failure = outcome.as_ref().err().map(|error| Arc::clone(error.reason()));
        let answer = Arc::new(Answer::new(outcome, previous.as_deref(), &self.options, Instant::now()));
        entry.publish(Arc::clone(&answer), failure.as_deref());
        answer
    }

    /// Publishes that a lookup cannot start.
    fn refuse(&self, flight: &Flight, error: &std::io::Error) {
        let reason: Arc<str> = format!("cannot start a thread: {error}").into();
        let previous = flight.entry().answer();
        let outcome = Err(LookupError::Failed(Arc::clone(&reason)));
        let answer = Answer::new(outcome, previous.as_deref(), &self.options, Instant::now());
        flight.entry().publish(Arc::new(answer), Some(&reason));
    }

    /// Returns the answer of a lookup that has ended without one: by a panic, or the end of its runtime.
    fn aborted(&self) -> Arc<Answer> {
        let outcome = Err(LookupError::Failed("the lookup was aborted".into()));
        Arc::new(Answer::new(outcome, None, &self.options, Instant::now()))
    }
}
