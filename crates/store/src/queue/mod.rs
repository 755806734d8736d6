//! Bounded queues that deliver entries in batches: log records, spans, metrics.
//!
//! ```text
//!              push                 max_batch_size or
//!                                 max_coalescing_delay           delivered
//!  +------+  -------->  +-------+  ----------------->  +---------+  ---->  removed
//!  | hook |             | queue |                      | attempt |
//!  +------+             +-------+                      +---------+  ---->  removed, counted as lost
//!                           |                           |       ^    max_retry_time
//!                     full: | oldest                    | error |
//!                           v                           +-------+
//!                   removed, counted as dropped         retry delay, doubled each time
//! ```
//!
//! Names, defaults and semantics of the options are those of Kong's queues. There is one queue per destination and process,
//! and not one per worker, so that batches fill up and limits hold for the process.

mod sender;
#[cfg(test)]
mod tests;

use std::{
    any::{Any, TypeId},
    collections::VecDeque,
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ahash::AHashMap;
use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::Notify,
    time::{Instant, timeout_at},
};

/// Maximum size of the entries of a queue without `max_bytes`. Kong has no limit then; entries contain what clients send.
const DEFAULT_MAX_BYTES: usize = 64 << 20;

/// Options of a queue, as in the `queue` record of Kong's plugins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueOptions {
    /// Maximum number of entries in a batch.
    pub max_batch_size: usize,
    /// Maximum time from the first entry until a batch is sent that is not full.
    pub max_coalescing_delay: Duration,
    /// Maximum number of entries, with those that are being sent.
    pub max_entries: usize,
    /// Maximum size of the entries, with those that are being sent; 64 MiB if absent.
    pub max_bytes: Option<usize>,
    /// Time before the first retry of a batch; doubled for each further retry.
    pub initial_retry_delay: Duration,
    /// Maximum time between two attempts.
    pub max_retry_delay: Duration,
    /// Time after which a batch whose attempts fail is lost.
    pub max_retry_time: Duration,
    /// Maximum number of batches that are sent at a time.
    pub concurrency_limit: ConcurrencyLimit,
}

/// Number of batches that a queue sends at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConcurrencyLimit {
    /// One: batches are delivered in order (Kong's `1`).
    #[default]
    One,
    /// Each entry is a batch, and is sent when it is pushed (Kong's `-1`). `max_entries` and `max_bytes` limit the entries
    /// that are being sent.
    Unlimited,
}

impl Default for QueueOptions {
    fn default() -> Self {
        QueueOptions {
            max_batch_size: 1,
            max_coalescing_delay: Duration::from_secs(1),
            max_entries: 10_000,
            max_bytes: None,
            initial_retry_delay: Duration::from_millis(10),
            max_retry_delay: Duration::from_secs(60),
            max_retry_time: Duration::from_secs(60),
            concurrency_limit: ConcurrencyLimit::One,
        }
    }
}

impl QueueOptions {
    fn max_bytes(&self) -> usize {
        self.max_bytes.unwrap_or(DEFAULT_MAX_BYTES)
    }

    /// Time before a retry, counted from 0.
    fn retry_delay(&self, retry: u32) -> Duration {
        let factor = 2_u32.checked_pow(retry).unwrap_or(u32::MAX);
        self.initial_retry_delay.saturating_mul(factor).min(self.max_retry_delay)
    }
}

/// Numbers of entries of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Waiting to be sent.
    pub waiting: usize,
    /// Being sent, or waiting for a retry.
    pub in_flight: usize,
    /// Delivered so far.
    pub delivered: u64,
    /// Dropped so far because the queue was full.
    pub dropped: u64,
    /// Lost so far because their batch could not be delivered.
    pub lost: u64,
}

/// The queues of a process, by the type of their entries and the key of their destination. Cheap to clone.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::{sync::Arc, time::Duration};
/// use store::{QueueOptions, Queues};
///
/// let queues = Queues::default();
/// let (delivered, batches) = std::sync::mpsc::channel();
/// let options = QueueOptions { max_batch_size: 2, ..QueueOptions::default() };
/// let queue = queues.open("http-log https://log.internal/", options, move |batch: Arc<[String]>| {
///     let delivered = delivered.clone();
///     async move { delivered.send(batch.len()).map_err(|error| error.to_string()) }
/// });
/// for path in ["/a", "/b", "/c"] {
///     queue.push(path.to_owned(), path.len());
/// }
/// assert_eq!(queues.flush(Duration::from_secs(5)).await, 0, "entries are lost");
/// assert_eq!(batches.try_iter().collect::<Vec<_>>(), [2, 1]);
/// # });
/// ```
#[derive(Clone, Default)]
pub struct Queues(Arc<Registry>);

#[derive(Default)]
struct Registry {
    /// Runtime that sends batches. `None`: the one of the caller of [`Queue::push`].
    runtime: Option<Handle>,
    queues: Mutex<AHashMap<(TypeId, Box<str>), Weak<dyn AnyQueue>>>,
    /// Whether entries are sent without waiting for their batch to fill up, because the process ends.
    is_flushing: AtomicBool,
}

impl Queues {
    /// Creates the queues of a process that sends batches on a runtime, and not on its workers.
    pub fn on(runtime: Handle) -> Self {
        Queues(Arc::new(Registry { runtime: Some(runtime), ..Registry::default() }))
    }

    /// Returns the queue of a destination, or creates it. The key consists of everything that identifies the destination.
    /// `send` delivers a batch, and returns the reason if it could not; the batch is tried again then.
    ///
    /// An existing queue keeps its entries, and has the options and `send` of the last caller from now on: a reload that
    /// changes a header or a limit loses nothing. A queue is removed when it is empty and all its handles are dropped.
    pub fn open<T, F>(
        &self,
        key: &str,
        options: QueueOptions,
        send: impl Fn(Arc<[T]>) -> F + Send + Sync + 'static,
    ) -> Queue<T>
    where
        T: Send + Sync + 'static,
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let send: SendFn<T> = Arc::new(move |batch| Box::pin(send(batch)));
        let mut queues = self.0.queues.lock();
        let id = (TypeId::of::<T>(), Box::from(key));
        let existing = queues.get(&id).and_then(Weak::upgrade);
        let existing =
            existing.and_then(|queue| (queue as Arc<dyn Any + Send + Sync>).downcast::<Shared<T>>().ok());
        if let Some(shared) = existing {
            let mut state = shared.state.lock();
            state.options = Arc::new(options);
            let former = std::mem::replace(&mut state.send, send);
            drop(state);
            drop(former);
            // A batch may be full now.
            shared.changed.notify_waiters();
            return Queue(shared);
        }
        queues.retain(|_, queue| queue.strong_count() > 0);
        let shared = Arc::new(Shared {
            key: key.into(),
            registry: Arc::clone(&self.0),
            state: Mutex::new(State::new(options, send)),
            changed: Notify::new(),
        });
        let weak: Weak<Shared<T>> = Arc::downgrade(&shared);
        queues.insert(id, weak);
        Queue(shared)
    }

    /// Sends what is in the queues, without waiting for batches to fill up, and returns the number of entries that are
    /// lost because they could not be delivered within `limit`. Called when the process ends.
    pub async fn flush(&self, limit: Duration) -> usize {
        let deadline = Instant::now() + limit;
        self.0.is_flushing.store(true, Ordering::Release);
        let queues: Vec<_> = self.0.queues.lock().values().filter_map(Weak::upgrade).collect();
        queues.iter().for_each(|queue| Arc::clone(queue).start_flush());
        let mut lost = 0;
        for queue in queues {
            let remaining = queue.flushed(deadline).await;
            if remaining > 0 {
                tracing::warn!("queue {}: {remaining} entries are lost: the process ends", queue.key());
            }
            lost += remaining;
        }
        self.0.is_flushing.store(false, Ordering::Release);
        lost
    }
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queues").field("queues", &self.0.queues.lock().len()).finish_non_exhaustive()
    }
}

/// Handle of the queue of one destination. Cheap to clone.
pub struct Queue<T>(Arc<Shared<T>>);

type SendFuture = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
type SendFn<T> = Arc<dyn Fn(Arc<[T]>) -> SendFuture + Send + Sync>;

struct Shared<T> {
    key: Box<str>,
    registry: Arc<Registry>,
    state: Mutex<State<T>>,
    /// Notifies the sender of new entries and options, and [`Queues::flush`] of removed entries.
    changed: Notify,
}

struct State<T> {
    options: Arc<QueueOptions>,
    send: SendFn<T>,
    /// Entries that are not being sent, with their size in bytes.
    waiting: VecDeque<(T, usize)>,
    /// Size of all entries, with those that are being sent.
    bytes: usize,
    /// Whether there is a task that sends the waiting entries.
    has_sender: bool,
    stats: QueueStats,
    /// Entries dropped since the last log line about it; `None` if the queue is not full.
    dropped_unreported: Option<u64>,
}

impl<T: Send + Sync + 'static> Queue<T> {
    /// Adds an entry of a size in bytes. Does not wait: if the queue is full, the oldest waiting entries are dropped and
    /// counted, and a warning is logged. An entry that is larger than the queue is dropped itself.
    pub fn push(&self, entry: T, bytes: usize) {
        let shared = &self.0;
        let mut state = shared.state.lock();
        if !state.make_room(bytes, &shared.key) {
            return;
        }
        state.bytes += bytes;
        match state.options.concurrency_limit {
            ConcurrencyLimit::One => {
                state.waiting.push_back((entry, bytes));
                state.stats.waiting += 1;
                let (has_sender, is_batch) =
                    (state.has_sender, state.waiting.len() >= state.options.max_batch_size);
                drop(state);
                if !has_sender {
                    shared.start_sender();
                } else if is_batch {
                    shared.changed.notify_waiters();
                }
            }
            ConcurrencyLimit::Unlimited => {
                state.stats.in_flight += 1;
                drop(state);
                shared.send_alone(entry, bytes);
            }
        }
    }

    /// Returns the numbers of entries.
    pub fn stats(&self) -> QueueStats {
        self.0.state.lock().stats
    }
}

impl<T> State<T> {
    fn new(options: QueueOptions, send: SendFn<T>) -> Self {
        State {
            options: Arc::new(options),
            send,
            waiting: VecDeque::new(),
            bytes: 0,
            has_sender: false,
            stats: QueueStats::default(),
            dropped_unreported: None,
        }
    }

    /// Drops the oldest waiting entries until another one fits; returns `false` if it cannot fit.
    fn make_room(&mut self, bytes: usize, key: &str) -> bool {
        let options = Arc::clone(&self.options);
        let is_full = |state: &Self| {
            state.waiting.len() + state.stats.in_flight >= options.max_entries
                || state.bytes + bytes > options.max_bytes()
        };
        let mut dropped = 0;
        let mut fits = bytes <= options.max_bytes();
        while fits && is_full(self) {
            match self.waiting.pop_front() {
                Some((_, bytes)) => {
                    self.bytes -= bytes;
                    self.stats.waiting -= 1;
                    dropped += 1;
                }
                // All entries are being sent.
                None => fits = false,
            }
        }
        dropped += u64::from(!fits);
        if dropped > 0 {
            self.stats.dropped += dropped;
            let unreported = self.dropped_unreported.get_or_insert_with(|| {
                tracing::error!("queue {key} is full: entries are dropped until others are delivered");
                0
            });
            *unreported += dropped;
        }
        fits
    }

    /// Counts entries that are no longer in the queue.
    fn finish(&mut self, count: usize, bytes: usize, is_delivered: bool, key: &str) {
        self.bytes -= bytes;
        self.stats.in_flight -= count;
        let counter = if is_delivered { &mut self.stats.delivered } else { &mut self.stats.lost };
        *counter += count as u64;
        if let Some(dropped) = self.dropped_unreported.take() {
            tracing::warn!("queue {key} was full: {dropped} entries were dropped");
        }
    }
}

/// A queue with entries of any type.
trait AnyQueue: Any + Send + Sync {
    fn key(&self) -> &str;
    /// Lets the sender send what is waiting; starts one if there is none.
    fn start_flush(self: Arc<Self>);
    /// Waits until the queue is empty, or the deadline; returns the number of entries left.
    fn flushed(&self, deadline: Instant) -> Pin<Box<dyn Future<Output = usize> + Send + '_>>;
}

impl<T: Send + Sync + 'static> Shared<T> {
    fn len(&self) -> usize {
        let stats = self.state.lock().stats;
        stats.waiting + stats.in_flight
    }
}

impl<T: Send + Sync + 'static> AnyQueue for Shared<T> {
    fn key(&self) -> &str {
        &self.key
    }

    fn start_flush(self: Arc<Self>) {
        self.start_sender();
        self.changed.notify_waiters();
    }

    fn flushed(&self, deadline: Instant) -> Pin<Box<dyn Future<Output = usize> + Send + '_>> {
        Box::pin(async move {
            let empty = async {
                loop {
                    let mut changed = pin!(self.changed.notified());
                    // Enabled before the queue is checked, so that no change in between is lost.
                    changed.as_mut().enable();
                    if self.len() == 0 {
                        return;
                    }
                    changed.await;
                }
            };
            let _ = timeout_at(deadline, empty).await;
            self.len()
        })
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Queue(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("key", &self.0.key).finish_non_exhaustive()
    }
}
