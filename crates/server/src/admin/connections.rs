//! The open connections of one API, bounded in number. Where all are taken, a new client takes the place of the one
//! that has kept the API waiting longest: clients that are slow, or only pretend to send, cannot lock others out.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use ahash::AHashMap;
use parking_lot::Mutex;
use tokio::{sync::Notify, task::AbortHandle};

/// What a connection is doing, as far as eviction depends on it.
#[derive(Debug)]
pub struct Activity {
    opened: Instant,
    /// When the client last sent something that was waited for, or was sent a response: milliseconds since `opened`.
    moved_at: AtomicU64,
    /// Requests that are being answered: the API's turn, not the client's.
    working: AtomicUsize,
}

impl Activity {
    fn new() -> Arc<Self> {
        Arc::new(Activity {
            opened: Instant::now(),
            moved_at: AtomicU64::new(0),
            working: AtomicUsize::new(0),
        })
    }

    /// Notes that the client did what is waited for.
    pub fn moved(&self) {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved_at.store(now, Relaxed);
    }

    /// Marks a request as being answered until the guard is dropped.
    pub fn work(self: &Arc<Self>) -> Working {
        self.working.fetch_add(1, Relaxed);
        Working(Arc::clone(self))
    }

    /// How long the client has been waited for; `None` if a request is being answered.
    fn waited(&self) -> Option<Duration> {
        let moved_at = Duration::from_millis(self.moved_at.load(Relaxed));
        (self.working.load(Relaxed) == 0).then(|| self.opened.elapsed().saturating_sub(moved_at))
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub struct Working(Arc<Activity>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.moved();
        self.0.working.fetch_sub(1, Relaxed);
    }
}

/// The connections of one API.
#[derive(Debug)]
pub struct Connections {
    max: usize,
    open: Mutex<Open>,
    closed: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    by_id: AHashMap<u64, (Arc<Activity>, AbortHandle)>,
}

impl Connections {
    /// None yet, and at most that many at a time.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Connections { max, open: Mutex::default(), closed: Notify::new() })
    }

    /// Runs a connection on a task of its own, once there is a place for it.
    pub async fn spawn<F>(self: &Arc<Self>, connection: impl FnOnce(Arc<Activity>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        while self.open.lock().by_id.len() >= self.max {
            let closed = self.closed.notified();
            if !self.evict(Duration::ZERO) {
                closed.await;
            }
        }
        let activity = Activity::new();
        let future = connection(Arc::clone(&activity));
        // The lock is held until the connection is listed: its end takes it off the list.
        let mut open = self.open.lock();
        let id = open.next;
        open.next += 1;
        let place = Place { connections: Arc::clone(self), id };
        let task = tokio::spawn(async move {
            let _place = place;
            future.await;
        });
        open.by_id.insert(id, (activity, task.abort_handle()));
    }

    /// Closes the connection whose client has been waited for longest, and at least for so long; whether there is one.
    pub fn evict(&self, least: Duration) -> bool {
        let mut open = self.open.lock();
        let waiting = open.by_id.iter().filter_map(|(id, (activity, _))| Some((activity.waited()?, *id)));
        let Some((_, id)) = waiting.filter(|(waited, _)| *waited >= least).max() else { return false };
        if let Some((_, task)) = open.by_id.remove(&id) {
            task.abort();
        }
        true
    }
}

/// A connection's entry in the list.
struct Place {
    connections: Arc<Connections>,
    id: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.open.lock().by_id.remove(&self.id);
        self.connections.closed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    /// Reports the number of a connection when it ends.
    struct Ended(usize, mpsc::UnboundedSender<usize>);

    impl Drop for Ended {
        fn drop(&mut self) {
            self.1.send(self.0).expect("the test listens");
        }
    }

    async fn open(connections: &Arc<Connections>, ended: Ended) -> Arc<Activity> {
        let mut activity = None;
        let spawned = connections.spawn(|own| {
            activity = Some(own);
            async move {
                let _ended = ended;
                std::future::pending::<()>().await;
            }
        });
        spawned.await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        activity.expect("the connection runs")
    }

    #[tokio::test]
    async fn the_client_that_was_waited_for_longest_gives_way() {
        let connections = Connections::new(2);
        let (ended, mut ends) = mpsc::unbounded_channel();
        let ended = |number| Ended(number, ended.clone());
        let first = open(&connections, ended(0)).await;
        let _second = open(&connections, ended(1)).await;
        first.moved();
        let _third = open(&connections, ended(2)).await;
        assert_eq!(ends.recv().await, Some(1), "the first one has moved since");
        let working = first.work();
        let _fourth = open(&connections, ended(3)).await;
        assert_eq!(ends.recv().await, Some(2), "a request of the first one is being answered");
        assert!(!connections.evict(Duration::from_secs(60)), "none was waited for that long");
        drop(working);
    }
}
