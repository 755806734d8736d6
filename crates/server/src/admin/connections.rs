//! The open connections of one API, bounded in number. At the limit, a new connection evicts the one that has been idle
//! for longest, so that slow or stalled clients cannot lock others out.

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

/// Activity of a connection, on which eviction depends.
#[derive(Debug)]
pub struct Activity {
    opened: Instant,
    /// Time of the last progress, in milliseconds since `opened`: data received, or a response created.
    progress_at_ms: AtomicU64,
    /// Number of requests being processed. The connection is not idle meanwhile.
    active_requests: AtomicUsize,
}

impl Activity {
    fn new() -> Arc<Self> {
        Arc::new(Activity {
            opened: Instant::now(),
            progress_at_ms: AtomicU64::new(0),
            active_requests: AtomicUsize::new(0),
        })
    }

    /// Records progress of the client.
    pub fn record_progress(&self) {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.progress_at_ms.store(now, Relaxed);
    }

    /// Marks a request as being processed until the guard is dropped.
    pub fn start_request(self: &Arc<Self>) -> RequestGuard {
        self.active_requests.fetch_add(1, Relaxed);
        RequestGuard(Arc::clone(self))
    }

    /// Returns how long the client has made no progress; `None` while a request is being processed.
    fn idle_time(&self) -> Option<Duration> {
        let progress_at = Duration::from_millis(self.progress_at_ms.load(Relaxed));
        (self.active_requests.load(Relaxed) == 0).then(|| self.opened.elapsed().saturating_sub(progress_at))
    }
}

/// Guard of a request being processed.
#[derive(Debug)]
pub struct RequestGuard(Arc<Activity>);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.record_progress();
        self.0.active_requests.fetch_sub(1, Relaxed);
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
    /// Creates an empty list with a limit.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Connections { max, open: Mutex::default(), closed: Notify::new() })
    }

    /// Spawns the task of a connection, after waiting for capacity.
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
        // The lock is held until the connection is listed, because the end of the task removes it from the list.
        let mut open = self.open.lock();
        let id = open.next;
        open.next += 1;
        let entry = ListEntry { connections: Arc::clone(self), id };
        let task = tokio::spawn(async move {
            let _entry = entry;
            future.await;
        });
        open.by_id.insert(id, (activity, task.abort_handle()));
    }

    /// Closes the connection that has been idle for longest, and at least for `min_idle`; returns whether there was one.
    pub fn evict(&self, min_idle: Duration) -> bool {
        let mut open = self.open.lock();
        let waiting = open.by_id.iter().filter_map(|(id, (activity, _))| Some((activity.idle_time()?, *id)));
        let Some((_, id)) = waiting.filter(|(idle, _)| *idle >= min_idle).max() else { return false };
        if let Some((_, task)) = open.by_id.remove(&id) {
            task.abort();
        }
        true
    }
}

/// Removes a connection from the list on drop.
struct ListEntry {
    connections: Arc<Connections>,
    id: u64,
}

impl Drop for ListEntry {
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
    async fn the_longest_idle_connection_is_evicted() {
        let connections = Connections::new(2);
        let (ended, mut ends) = mpsc::unbounded_channel();
        let ended = |number| Ended(number, ended.clone());
        let first = open(&connections, ended(0)).await;
        let _second = open(&connections, ended(1)).await;
        first.record_progress();
        let _third = open(&connections, ended(2)).await;
        assert_eq!(ends.recv().await, Some(1), "the first one has moved since");
        let working = first.start_request();
        let _fourth = open(&connections, ended(3)).await;
        assert_eq!(ends.recv().await, Some(2), "a request of the first one is being answered");
        assert!(!connections.evict(Duration::from_secs(60)), "none was waited for that long");
        drop(working);
    }
}
