//! A name in the cache, shared by all workers.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, futures::Notified};

use super::answer::Answer;

/// A name with its latest answer, and the lookup in flight.
#[derive(Debug)]
pub struct Entry {
    /// The name, in lower case.
    pub name: Box<str>,
    answer: ArcSwapOption<Answer>,
    is_in_flight: AtomicBool,
    completed: Notify,
    is_evicted: AtomicBool,
    /// Whether the last lookup has failed: log lines are written when this changes.
    is_failing: AtomicBool,
}

impl Entry {
    /// Creates an entry without an answer.
    pub fn new(name: &str) -> Self {
        Entry {
            name: name.into(),
            answer: ArcSwapOption::empty(),
            is_in_flight: AtomicBool::new(false),
            completed: Notify::new(),
            is_evicted: AtomicBool::new(false),
            is_failing: AtomicBool::new(false),
        }
    }

    /// Returns the latest answer; `None` before the first lookup has completed.
    pub fn answer(&self) -> Option<Arc<Answer>> {
        self.answer.load_full()
    }

    /// Starts a flight, unless there is one, or the answer is not the one that the caller has seen.
    pub fn take_off(self: &Arc<Self>, seen: Option<&Arc<Answer>>) -> Option<Flight> {
        // A flight publishes its answer before it ends.
        if self.is_in_flight.swap(true, Ordering::Acquire) {
            return None;
        }
        let flight = Flight(Arc::clone(self));
        let latest = self.answer.load();
        let is_unchanged = match (&*latest, seen) {
            (Some(latest), Some(seen)) => Arc::ptr_eq(latest, seen),
            (latest, seen) => latest.is_none() && seen.is_none(),
        };
        is_unchanged.then_some(flight)
    }

    /// Returns a future that completes when a flight ends.
    pub fn flight_end(&self) -> Notified<'_> {
        self.completed.notified()
    }

    /// Publishes the answer of a lookup, and logs a change between success and failure.
    pub fn publish(&self, answer: Arc<Answer>, failure: Option<&str>) {
        self.answer.store(Some(answer));
        let was_failing = self.is_failing.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(reason) if !was_failing => tracing::warn!("cannot resolve {}: {reason}", self.name),
            None if was_failing => tracing::info!("{} resolves again", self.name),
            _ => {}
        }
    }

    /// Notes that the cache has another entry for the name from now on, or none.
    pub fn evict(&self) {
        self.is_evicted.store(true, Ordering::Relaxed);
    }

    /// Returns whether the entry has been evicted.
    pub fn is_evicted(&self) -> bool {
        self.is_evicted.load(Ordering::Relaxed)
    }
}

/// A lookup in flight. It ends when this is dropped, also by a panic.
#[derive(Debug)]
pub struct Flight(Arc<Entry>);

impl Flight {
    /// Returns the entry that is looked up.
    pub fn entry(&self) -> &Entry {
        &self.0
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.is_in_flight.store(false, Ordering::Release);
        self.0.completed.notify_waiters();
    }
}
