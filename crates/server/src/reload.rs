//! Reloads: load, compile and swap a configuration, or report why the running one stays. One at a time, on the reload
//! thread.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    select,
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    Observer, ReadOptions, Status,
    reload_thread::{JobFailed, ReloadThread},
    watch::{Change, Watcher},
};
use config::{self, Input, LoadError, Loaded};
use runtime::{self, Gateway};
use telemetry::{CounterFamily, Registry};

/// First delay after a swap until retired snapshots are collected: a busy worker has released them by then.
const MIN_COLLECT_INTERVAL: Duration = Duration::from_millis(20);
/// Longest interval of collection, while an idle worker or a long request still references a retired snapshot.
const MAX_COLLECT_INTERVAL: Duration = Duration::from_millis(500);
/// Delay after the last load until code pages are evicted. Pages of the serving code are evicted too, and the next
/// request faults them in again.
const CODE_EVICTION_DELAY: Duration = Duration::from_secs(1);

/// Source name of the empty configuration.
const EMPTY_NAME: &str = "no configuration";

/// Returns the empty configuration: with it a gateway has no routes and is not ready.
pub fn empty_configuration() -> Input {
    Input::Text { name: EMPTY_NAME.to_owned(), text: b"_format_version: \"3.0\"\n".to_vec() }
}

/// Hash of the text of a configuration, displayed as 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigHash([u8; 16]);

impl ConfigHash {
    /// Hash of the empty configuration.
    pub const EMPTY: Self = ConfigHash([0; 16]);

    /// Hashes all files that were read.
    pub fn of(loaded: &Loaded) -> Self {
        if loaded.sources.iter().all(|(_, file)| file.name() == EMPTY_NAME) {
            return Self::EMPTY;
        }
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        for (_, file) in loaded.sources.iter() {
            context.update(file.text().as_bytes());
            context.update(&[0]);
        }
        let mut short = [0; 16];
        short.copy_from_slice(&context.finish().as_ref()[..16]);
        ConfigHash(short)
    }
}

impl fmt::Display for ConfigHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A request to apply a configuration.
pub struct ApplyRequest {
    /// The configuration.
    pub input: Input,
    /// Do nothing if the running configuration has the same hash.
    pub check_hash: bool,
    /// Reject decK's additions, even if they are allowed in files.
    pub kong_strict: bool,
    /// Receives the outcome.
    pub outcome_tx: oneshot::Sender<ApplyOutcome>,
}

/// A request to be notified when no configuration is being applied.
pub struct Barrier {
    /// Reload the files first.
    pub load: bool,
    /// Notified when the barrier is reached.
    pub done: oneshot::Sender<()>,
}

/// Outcome of applying a configuration.
pub enum ApplyOutcome {
    /// It is in effect.
    Applied(Box<Loaded>),
    /// The running configuration has the same text.
    Unchanged,
    /// It was rejected.
    Refused(Box<Loaded>),
    /// It cannot be read.
    Unreadable(LoadError),
}

impl From<JobFailed> for LoadError {
    fn from(failed: JobFailed) -> Self {
        LoadError { path: "configuration".to_owned(), reason: failed.to_string() }
    }
}

/// The task that applies configurations one after another.
pub struct Reloader {
    pub input: Input,
    pub read: ReadOptions,
    pub gateway: Arc<Gateway>,
    pub status: Arc<Status>,
    pub observer: Arc<dyn Observer>,
    pub reload_thread: ReloadThread,
    /// Whether code pages are evicted after loads.
    pub evict_code_pages: bool,
    /// Reloads by result.
    pub reloads: CounterFamily,
}

/// Registers the counter of reloads, with all results at 0.
pub fn reload_counter(metrics: &Registry) -> CounterFamily {
    let family =
        metrics.counter("gateway_reloads_total", "Reloads of the configuration by result", &["result"]);
    let family = family.expect("only the gateway registers metrics named gateway_*");
    for result in ["applied", "unchanged", "rejected", "unreadable"] {
        family.with(&[result]);
    }
    family
}

impl Reloader {
    /// Applies file changes as they happen, reloads requested through barriers, and posted configurations.
    pub async fn run(
        self,
        mut watcher: Option<Watcher>,
        mut barriers: mpsc::Receiver<Barrier>,
        mut apply_requests: mpsc::Receiver<ApplyRequest>,
    ) {
        let this = Arc::new(self);
        this.reload_thread.lower_priority().await;
        // When retired snapshots are collected next, and the interval after that.
        let (mut collect_at, mut collect_interval) = (Instant::now(), MIN_COLLECT_INTERVAL);
        // When code pages are evicted.
        let mut evict_code_at = None;
        loop {
            let had_no_retired = !this.gateway.has_retired();
            let changed = async {
                match &mut watcher {
                    Some(watcher) => watcher.changed().await,
                    None => std::future::pending().await,
                }
            };
            let loaded = select! {
                change = changed => {
                    let applied = this.apply_files(Some(change)).await;
                    if let (false, Some(watcher)) = (applied, &mut watcher) {
                        watcher.retry();
                    }
                    true
                }
                Some(barrier) = barriers.recv() => {
                    if barrier.load {
                        this.apply_files(None).await;
                    }
                    let _ = barrier.done.send(());
                    barrier.load
                }
                Some(request) = apply_requests.recv() => {
                    let outcome = this.apply(request.input, request.check_hash, request.kong_strict).await;
                    let _ = request.outcome_tx.send(outcome);
                    true
                }
                () = sleep_until(collect_at), if !had_no_retired => {
                    collect_interval = (2 * collect_interval).min(MAX_COLLECT_INTERVAL);
                    collect_at = Instant::now() + collect_interval;
                    this.collect_retired().await;
                    false
                }
                () = sleep_until(evict_code_at.unwrap_or(collect_at)), if evict_code_at.is_some() => {
                    evict_code_at = None;
                    this.reload_thread.evict_code_pages().await;
                    false
                }
            };
            if loaded && this.evict_code_pages {
                evict_code_at = Some(Instant::now() + CODE_EVICTION_DELAY);
            }
            if had_no_retired {
                collect_interval = MIN_COLLECT_INTERVAL;
                collect_at = Instant::now() + collect_interval;
            }
        }
    }

    /// Loads the files and applies them. Returns false if one of them was written to after the change was reported: the
    /// loaded text may be partial, and is discarded.
    async fn apply_files(self: &Arc<Self>, change: Option<Change>) -> bool {
        let this = Arc::clone(self);
        // The loaded configuration is freed on the reload thread too.
        let work = move || {
            let started_at = Instant::now();
            let loaded = this.load(&this.input, false);
            let is_whole = change.is_none_or(|change| change.is_whole());
            if is_whole {
                drop(this.swap(loaded, false, started_at));
            }
            is_whole
        };
        self.reload_thread.run(work).await.unwrap_or_else(|failed| {
            self.unreadable(failed.into());
            true
        })
    }

    async fn apply(self: &Arc<Self>, input: Input, check_hash: bool, strict: bool) -> ApplyOutcome {
        let this = Arc::clone(self);
        let work = move || {
            let started_at = Instant::now();
            this.swap(this.load(&input, strict), check_hash, started_at)
        };
        self.reload_thread.run(work).await.unwrap_or_else(|failed| self.unreadable(failed.into()))
    }

    fn unreadable(&self, error: LoadError) -> ApplyOutcome {
        self.reloads.with(&["unreadable"]).increment();
        self.status.unreadable(&error);
        self.observer.unreadable(&error);
        ApplyOutcome::Unreadable(error)
    }

    /// Frees retired snapshots without references, and returns their memory to the system.
    async fn collect_retired(self: &Arc<Self>) {
        let this = Arc::clone(self);
        if self.reload_thread.run(move || this.gateway.collect_retired()).await.is_ok_and(|freed| freed > 0) {
            self.reload_thread.trim_heap().await;
        }
    }

    fn load(&self, input: &Input, strict: bool) -> Result<Loaded, LoadError> {
        let mut options = self.read.options();
        options.kong_strict |= strict;
        config::load(input, &options)
    }

    fn swap(&self, loaded: Result<Loaded, LoadError>, check_hash: bool, started_at: Instant) -> ApplyOutcome {
        let mut loaded = match loaded {
            Ok(loaded) => loaded,
            Err(error) => {
                return self.unreadable(error);
            }
        };
        if check_hash && self.status.hash() == ConfigHash::of(&loaded) {
            self.status.unchanged();
            self.reloads.with(&["unchanged"]).increment();
            return ApplyOutcome::Unchanged;
        }
        let previous = self.gateway.snapshot();
        let built = runtime::build(&mut loaded, &self.gateway.options, &self.gateway.stores, Some(&previous));
        drop(previous);
        let Some(snapshot) = built else {
            self.status.refused(&loaded);
            self.reloads.with(&["rejected"]).increment();
            self.observer.refused(&loaded, true);
            return ApplyOutcome::Refused(Box::new(loaded));
        };
        let generation = self.gateway.swap(snapshot);
        self.status.applied(&loaded);
        self.reloads.with(&["applied"]).increment();
        self.observer.reloaded(&loaded, self.status.hash(), generation, started_at.elapsed());
        ApplyOutcome::Applied(Box::new(loaded))
    }
}
