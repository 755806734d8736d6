//! Single flight: concurrent callers share one run of an expensive operation.

use std::{fmt, future::Future};

use ahash::AHashMap;
use parking_lot::Mutex;
use tokio::sync::watch;

/// Operations in progress, by key. Callers may be on different runtimes.
///
/// The first caller of a key runs its operation; callers that arrive before it has completed wait and receive a clone of
/// the result. If the first caller is cancelled, one of the waiting callers runs its own operation.
pub struct SingleFlight<V> {
    flights: Mutex<AHashMap<Box<[u8]>, watch::Receiver<Option<V>>>>,
}

/// The run of an operation. Dropping it lets another caller take over.
struct Flight<'a, V> {
    group: &'a SingleFlight<V>,
    key: &'a [u8],
    result: watch::Sender<Option<V>>,
}

impl<V: Clone> SingleFlight<V> {
    /// Runs an operation, or waits for the same operation of another caller.
    pub async fn run<F: Future<Output = V>>(&self, key: &[u8], operation: impl FnOnce() -> F) -> V {
        loop {
            let mut other = match self.join(key) {
                Ok(flight) => {
                    let value = operation().await;
                    flight.result.send_replace(Some(value.clone()));
                    return value;
                }
                Err(other) => other,
            };
            // An error: the other caller was cancelled.
            if let Ok(value) = other.wait_for(Option::is_some).await
                && let Some(value) = &*value
            {
                return value.clone();
            }
        }
    }

    /// Starts a flight, or returns the result channel of the running one.
    fn join<'a>(&'a self, key: &'a [u8]) -> Result<Flight<'a, V>, watch::Receiver<Option<V>>> {
        let mut flights = self.flights.lock();
        if let Some(running) = flights.get(key) {
            return Err(running.clone());
        }
        let (result, receiver) = watch::channel(None);
        flights.insert(key.into(), receiver);
        Ok(Flight { group: self, key, result })
    }
}

impl<V> Drop for Flight<'_, V> {
    fn drop(&mut self) {
        self.group.flights.lock().remove(self.key);
    }
}

impl<V> Default for SingleFlight<V> {
    fn default() -> Self {
        SingleFlight { flights: Mutex::default() }
    }
}

impl<V> fmt::Debug for SingleFlight<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").field("flights", &self.flights.lock().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use tokio::{sync::Notify, task::yield_now};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn concurrent_callers_share_one_run() {
        let group = Arc::new(SingleFlight::default());
        let (runs, finish) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let callers: Vec<_> = (0..32)
            .map(|_| {
                let (group, runs, finish) = (Arc::clone(&group), Arc::clone(&runs), Arc::clone(&finish));
                tokio::spawn(async move {
                    let operation = || async {
                        finish.notified().await;
                        runs.fetch_add(1, Ordering::SeqCst) + 1
                    };
                    group.run(b"a", operation).await
                })
            })
            .collect();
        assert_eq!(group.run(b"b", || async { 7 }).await, 7, "keys are independent");
        // One permit: a second run would not complete.
        finish.notify_one();
        let mut results = Vec::new();
        for caller in callers {
            // Callers that arrive after the first run start another.
            finish.notify_one();
            results.push(caller.await.unwrap());
        }
        assert_eq!(*results.iter().max().unwrap(), runs.load(Ordering::SeqCst));
        assert!(group.flights.lock().is_empty());
    }

    #[tokio::test]
    async fn waiting_callers_receive_the_result_of_the_first() {
        let group = Arc::new(SingleFlight::default());
        let finish = Arc::new(Notify::new());
        let first = {
            let (group, finish) = (Arc::clone(&group), Arc::clone(&finish));
            tokio::spawn(async move {
                group
                    .run(b"a", || async {
                        finish.notified().await;
                        Err::<u32, &str>("failed")
                    })
                    .await
            })
        };
        yield_now().await;
        let others: Vec<_> = (0..8)
            .map(|_| {
                let group = Arc::clone(&group);
                tokio::spawn(async move { group.run(b"a", || async { unreachable!("it waits") }).await })
            })
            .collect();
        yield_now().await;
        finish.notify_one();
        assert_eq!(first.await.unwrap(), Err("failed"));
        for other in others {
            assert_eq!(other.await.unwrap(), Err("failed"), "an error is shared too");
        }
        assert_eq!(group.run(b"a", || async { Ok(1) }).await, Ok(1), "the next caller tries again");
    }

    #[tokio::test]
    async fn a_waiting_caller_takes_over_from_a_cancelled_one() {
        let group = Arc::new(SingleFlight::default());
        let first = {
            let group = Arc::clone(&group);
            tokio::spawn(async move { group.run(b"a", pending).await })
        };
        yield_now().await;
        let second = {
            let group = Arc::clone(&group);
            tokio::spawn(async move { group.run(b"a", || async { 2 }).await })
        };
        yield_now().await;
        assert!(!second.is_finished());
        first.abort();
        assert_eq!(second.await.unwrap(), 2);
        assert!(group.flights.lock().is_empty());
    }
}
