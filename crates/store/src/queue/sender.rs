//! The tasks that send the entries of a queue.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
};

use tokio::{
    runtime::Handle,
    time::{Instant, sleep, sleep_until},
};

use super::Shared;
use crate::catch_panic;

/// Entries that are being sent. Dropping it removes them from the queue and counts them.
struct Batch<T: Send + Sync + 'static> {
    queue: Arc<Shared<T>>,
    entries: Arc<[T]>,
    bytes: usize,
    state: BatchState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BatchState {
    InFlight,
    Delivered,
    GivenUp,
}

/// Task that sends the waiting entries of a queue.
struct Sender<T: Send + Sync + 'static> {
    queue: Arc<Shared<T>>,
    /// Whether the queue was empty, and no longer counts on this task.
    has_ended: bool,
}

impl<T: Send + Sync + 'static> Shared<T> {
    /// Starts the task that sends waiting entries, unless there is one. It ends when the queue is empty.
    pub(super) fn start_sender(self: &Arc<Self>) {
        let mut state = self.state.lock();
        if state.has_sender || state.waiting.is_empty() {
            return;
        }
        let Some(runtime) = self.runtime() else { return };
        state.has_sender = true;
        drop(state);
        let sender = Sender { queue: Arc::clone(self), has_ended: false };
        runtime.spawn(sender.run());
    }

    /// Sends one entry that does not wait in the queue.
    pub(super) fn send_alone(self: &Arc<Self>, entry: T, bytes: usize) {
        let batch = Batch::new(self, [entry].into(), bytes);
        if let Some(runtime) = self.runtime() {
            runtime.spawn(batch.deliver());
        }
    }

    /// The runtime that sends batches; `None` outside of a runtime, where nothing is sent.
    fn runtime(&self) -> Option<Handle> {
        self.registry.runtime.clone().or_else(|| Handle::try_current().ok())
    }

    /// Waits until a batch is full, or for the coalescing delay from now on. `None` if the queue is empty.
    async fn next_batch(self: &Arc<Self>) -> Option<Batch<T>> {
        let start = Instant::now();
        loop {
            let mut changed = pin!(self.changed.notified());
            // Enabled before the queue is checked, so that no change in between is lost.
            changed.as_mut().enable();
            let deadline = {
                let mut state = self.state.lock();
                let options = Arc::clone(&state.options);
                let deadline = start + options.max_coalescing_delay;
                let is_due =
                    || deadline <= Instant::now() || self.registry.is_flushing.load(Ordering::Acquire);
                if state.waiting.is_empty() {
                    // Decided under the lock: an entry that is pushed from now on starts another sender.
                    state.has_sender = false;
                    return None;
                }
                if state.waiting.len() >= options.max_batch_size || is_due() {
                    let count = state.waiting.len().min(options.max_batch_size.max(1));
                    let mut bytes = 0;
                    let entries = state.waiting.drain(..count).map(|(entry, size)| {
                        bytes += size;
                        entry
                    });
                    let entries: Arc<[T]> = entries.collect();
                    state.stats.waiting -= count;
                    state.stats.in_flight += count;
                    return Some(Batch::new(self, entries, bytes));
                }
                deadline
            };
            tokio::select! {
                () = changed => {}
                () = sleep_until(deadline) => {}
            }
        }
    }
}

impl<T: Send + Sync + 'static> Sender<T> {
    async fn run(mut self) {
        while let Some(batch) = self.queue.next_batch().await {
            batch.deliver().await;
        }
        self.has_ended = true;
    }
}

impl<T: Send + Sync + 'static> Batch<T> {
    fn new(queue: &Arc<Shared<T>>, entries: Arc<[T]>, bytes: usize) -> Self {
        Batch { queue: Arc::clone(queue), entries, bytes, state: BatchState::InFlight }
    }

    /// Sends the entries, and tries again until they are delivered or the time for retries has passed.
    async fn deliver(mut self) {
        let start = Instant::now();
        let mut retries = 0;
        loop {
            // Options and destination may change between two attempts.
            let (options, send) = {
                let state = self.queue.state.lock();
                (Arc::clone(&state.options), Arc::clone(&state.send))
            };
            let attempt = catch_panic(async { send(Arc::clone(&self.entries)).await }).await;
            let error = match attempt {
                Ok(Ok(())) => {
                    self.state = BatchState::Delivered;
                    return;
                }
                Ok(Err(error)) => error,
                Err(panic) => format!("panic: {panic}"),
            };
            let key = &self.queue.key;
            if start.elapsed() > options.max_retry_time {
                let count = self.entries.len();
                tracing::error!("queue {key}: {count} entries are lost after {retries} retries: {error}");
                self.state = BatchState::GivenUp;
                return;
            }
            tracing::warn!("queue {key}: entries could not be sent, trying again: {error}");
            sleep(options.retry_delay(retries)).await;
            retries += 1;
        }
    }
}

impl<T: Send + Sync + 'static> Drop for Batch<T> {
    fn drop(&mut self) {
        let (key, count) = (&self.queue.key, self.entries.len());
        if self.state == BatchState::InFlight {
            tracing::warn!("queue {key}: {count} entries are lost: their runtime has ended");
        }
        self.queue.state.lock().finish(count, self.bytes, self.state == BatchState::Delivered, key);
        self.queue.changed.notify_waiters();
    }
}

impl<T: Send + Sync + 'static> Drop for Sender<T> {
    fn drop(&mut self) {
        if !self.has_ended {
            // The runtime has ended: the next entry starts another sender.
            self.queue.state.lock().has_sender = false;
        }
    }
}
