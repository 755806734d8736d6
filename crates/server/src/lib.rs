//! The gateway process: initial load, listeners, reloads, signals, handover and drain.
//!
//! Workers serve requests; everything else runs here, on a separate control runtime. Events are reported to an
//! [`Observer`], so this layer does not depend on the terminal.

mod access_logs;
pub mod admin;
mod check;
#[cfg(target_os = "linux")]
mod code_pages;
mod descriptors;
pub mod handover;
mod lifecycle;
pub mod node;
mod reload;
mod reload_thread;
mod sd_notify;
mod signals;
mod warnings;
mod watch;

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

pub use access_logs::AccessLogs;
pub use admin::{Status, configuration_document};
pub use check::{CheckReport, check};
pub use reload::{ApplyOutcome, ConfigHash, empty_configuration};
use reload_thread::ReloadThread;
use socket2::Socket;
use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
};
pub use warnings::no_routes_warning;

use self::{
    access_logs::OpenLogs,
    handover::{ExecSpec, HandoverError, InheritedState},
};
use config::{
    Catalog, Input, LoadError, Loaded, Options as LoadOptions,
    settings::{Issue, Origin},
};
use net::Role;
use proxy::{Listener, Workers};
use router::Flavor;
use runtime::{Gateway, Options};
use store::{Clock, Queues};

/// Options of a gateway process.
pub struct ServeOptions {
    /// Where the configuration comes from.
    pub input: Input,
    /// Options for reading it.
    pub read: ReadOptions,
    /// Data-plane options.
    pub options: Options,
    /// Proxy and stream listeners.
    pub listeners: Vec<Listener>,
    /// Options of the admin and status APIs.
    pub admin: admin::Options,
    /// The access logs.
    pub access_logs: AccessLogs,
    /// Origin of each setting, for error messages.
    pub origins: BTreeMap<&'static str, Origin>,
    /// The node's id; generated if `None`.
    pub node_id: Option<uuid::Uuid>,
    /// Whether file changes trigger a reload.
    pub watch: bool,
    /// Time limit for in-flight requests after a termination signal.
    pub drain: Duration,
    /// How long connections are still accepted after a signal, while readiness probes already fail.
    pub drain_delay: Duration,
    /// Whether code pages are evicted after the start and after reloads.
    pub evict_code_pages: bool,
    /// Sockets and state inherited from systemd or from the previous process.
    pub inherited: InheritedState,
    /// The program started on `SIGUSR2` to replace this process; handover is impossible if `None`.
    pub exec: Option<ExecSpec>,
    /// Source of the current time.
    pub clock: Clock,
}

/// Options for reading a configuration, reused by every reload.
#[derive(Clone)]
pub struct ReadOptions {
    /// The schemas of the format and of the plugins.
    pub catalog: &'static Catalog,
    /// Reject decK's additions to the format.
    pub kong_strict: bool,
    /// The router's flavor.
    pub flavor: Flavor,
    /// Looks up an environment variable.
    pub env: Arc<dyn Fn(&str) -> Option<String> + Send + Sync>,
    /// What the names of variables begin with that `{vault://env/…}` reads.
    pub vault_env_prefix: Option<String>,
    /// Whether a plugin is enabled.
    pub plugin_enabled: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Warn about unsupported settings instead of rejecting them.
    pub allow_unsupported: bool,
}

impl ReadOptions {
    /// Converts them to the loader's options.
    pub fn options(&self) -> LoadOptions<'_> {
        LoadOptions {
            catalog: self.catalog,
            kong_strict: self.kong_strict,
            flavor: self.flavor,
            env: &*self.env,
            vault_env_prefix: self.vault_env_prefix.as_deref(),
            plugin_enabled: &*self.plugin_enabled,
            allow_unsupported: self.allow_unsupported,
        }
    }
}

/// Receives lifecycle events, on the control threads.
pub trait Observer: Send + Sync {
    /// The gateway accepts requests.
    fn ready(&self, ready: &ReadyInfo<'_>);
    /// A new configuration was applied.
    fn reloaded(&self, loaded: &Loaded, hash: ConfigHash, generation: u64, took: Duration);
    /// A configuration was rejected. `running`: an earlier one stays in effect.
    fn refused(&self, loaded: &Loaded, running: bool);
    /// A configuration could not be read; the running one stays in effect.
    fn unreadable(&self, error: &LoadError);
    /// The drain started: in-flight requests have `limit` to complete.
    fn draining(&self, signal: &str, limit: Duration);
    /// The gateway stopped; `cut` connections were closed by force.
    fn stopped(&self, cut: usize);

    /// A termination signal arrived: readiness probes fail, and requests are served normally for `delay`.
    fn readiness_failed(&self, _signal: &str, _delay: Duration) {}
    /// Another process took over; in-flight requests of this one complete.
    fn handed_over(&self, _to: u32) {}
    /// The handover failed; this process keeps serving.
    fn handover_failed(&self, _error: &HandoverError) {}
}

/// State of a gateway that has just started to accept requests.
pub struct ReadyInfo<'a> {
    /// The applied configuration.
    pub loaded: &'a Loaded,
    /// The proxy and stream listeners, with their bound addresses.
    pub listeners: &'a [Listener],
    /// Addresses of the admin API.
    pub admin: &'a [SocketAddr],
    /// Addresses of the status API.
    pub status: &'a [SocketAddr],
    /// Number of configurations applied so far.
    pub generation: u64,
    /// Time since the start of the load.
    pub took: Duration,
}

/// Error of starting a gateway.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The configuration was rejected; the findings were reported to the observer.
    #[error("the configuration is not valid")]
    Refused,
    /// A setting cannot be applied: a file that cannot be read, an address that is in use.
    #[error("{0}")]
    Setting(Issue),
    /// The system cannot provide threads, signal handlers or the like.
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
}

/// Minimum time for sending queued entries when the process ends, also if draining has used all of its time.
const MIN_QUEUE_FLUSH: Duration = Duration::from_secs(1);

/// Handle of a running gateway, which owns its threads.
pub struct ServerHandle {
    gateway: Arc<Gateway>,
    workers: Workers,
    admin_addresses: Vec<SocketAddr>,
    status_addresses: Vec<SocketAddr>,
    control: tokio::runtime::Runtime,
    apply_requests: mpsc::Sender<reload::ApplyRequest>,
    barriers: mpsc::Sender<reload::Barrier>,
    status: Arc<Status>,
    observer: Arc<dyn Observer>,
    drain: Duration,
    drain_delay: Duration,
    /// Source of its configuration.
    input: Input,
    program: Option<ExecSpec>,
    /// Listening sockets of the admin and status APIs.
    api_sockets: Vec<(Role, Socket)>,
    /// Tasks aborted when another process takes over: the accept loops of the APIs, and the reloader.
    stopped_on_handover: Vec<AbortHandle>,
    logs: OpenLogs,
}

/// Runs a gateway until a termination signal or a handover.
///
/// # Errors
/// When it cannot start. Later errors are reported to the observer and do not stop it.
pub fn run(serve: ServeOptions, observer: Arc<dyn Observer>) -> Result<(), ServeError> {
    let control = control()?;
    // Handlers are installed before anything is accepted, so that every signal from now on drains.
    let signals = control.block_on(async { signals::Signals::new() })?;
    ServerHandle::begin(serve, observer, control)?.run_until_shutdown(signals);
    Ok(())
}

/// Builds the control runtime.
fn control() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("control").enable_all().build()
}

impl ServerHandle {
    /// Starts a gateway without signal handling, for tests and for programs that embed one.
    ///
    /// # Errors
    /// When it cannot start.
    pub fn start(serve: ServeOptions, observer: Arc<dyn Observer>) -> Result<Self, ServeError> {
        Self::begin(serve, observer, control()?)
    }

    fn begin(
        mut serve: ServeOptions,
        observer: Arc<dyn Observer>,
        control: tokio::runtime::Runtime,
    ) -> Result<Self, ServeError> {
        let started_at = std::time::Instant::now();
        let stores = check::stores(&serve, Queues::on(control.handle().clone()));
        let reload_thread = ReloadThread::spawn()?;
        // The watcher starts before the files are read, so that no change in between is missed.
        let watcher = serve.watch.then(|| watch::Watcher::of(&serve.input, &reload_thread)).flatten();
        let mut received = std::mem::take(&mut serve.inherited);
        let posted =
            received.configuration()?.map(|text| Input::Text { name: admin::POSTED.to_owned(), text });
        let first = move || {
            let input = posted.as_ref().unwrap_or(&serve.input);
            let mut loaded = config::load(input, &serve.read.options())?;
            let snapshot = runtime::build(&mut loaded, &serve.options, &stores, None);
            Ok::<_, LoadError>((serve, stores, loaded, snapshot))
        };
        let first = control.block_on(reload_thread.run(first)).map_err(LoadError::from)?;
        let (mut serve, stores, loaded, snapshot) = first?;
        let Some(snapshot) = snapshot else {
            observer.refused(&loaded, false);
            return Err(ServeError::Refused);
        };
        warnings::at_start(&serve, &loaded).iter().for_each(|warning| tracing::warn!("{warning}"));
        let to_serve_error = check::start_error_mapper(&serve.origins);
        let logs = serve.access_logs.open(&stores.metrics, &serve.origins)?;
        serve.options.access_log = logs.proxy.clone();
        let gateway = Gateway::new(serve.options, stores, snapshot);
        let (apply_requests, apply_rx) = mpsc::channel(1);
        let (barriers, barrier_rx) = mpsc::channel(1);
        let status = Arc::new(Status::new(&loaded));
        let api = control.block_on(admin::bind(
            serve.admin,
            Arc::clone(&gateway),
            Arc::clone(&status),
            serve.read.clone(),
            apply_requests.clone(),
            &logs,
            &mut received.sockets,
        ));
        let api = api.map_err(&to_serve_error)?;
        let api_sockets = api.share()?;
        let (admin, status_api) = (api.addresses.clone(), api.status_addresses.clone());
        let workers = Workers::start(Arc::clone(&gateway), &serve.listeners, &mut received.sockets)
            .map_err(&to_serve_error)?;
        let mut stopped_on_handover = control.block_on(async { api.serve() });
        for address in received.sockets.unclaimed_addresses() {
            tracing::warn!("a socket at {address} was passed to this process; no setting names it: closed");
        }
        let bound = serve.listeners.into_iter().zip(workers.addresses());
        let listeners: Vec<_> =
            bound.map(|(listener, address)| Listener { address: *address, ..listener }).collect();
        observer.ready(&ReadyInfo {
            loaded: &loaded,
            listeners: &listeners,
            admin: &admin,
            status: &status_api,
            generation: gateway.generation(),
            took: started_at.elapsed(),
        });
        received.ready();
        let freed = reload_thread.clone();
        control.spawn(async move {
            let _ = freed.run(move || drop(loaded)).await;
            freed.trim_heap().await;
            if serve.evict_code_pages {
                freed.evict_code_pages().await;
            }
        });
        let reloader = reload::Reloader {
            input: serve.input.clone(),
            read: serve.read,
            gateway: Arc::clone(&gateway),
            status: Arc::clone(&status),
            observer: Arc::clone(&observer),
            reload_thread,
            evict_code_pages: serve.evict_code_pages,
            reloads: reload::reload_counter(&gateway.stores.metrics),
        };
        stopped_on_handover.push(control.spawn(reloader.run(watcher, barrier_rx, apply_rx)).abort_handle());
        Ok(ServerHandle {
            gateway,
            workers,
            admin_addresses: admin,
            status_addresses: status_api,
            control,
            apply_requests,
            barriers,
            status,
            observer,
            drain: serve.drain,
            drain_delay: serve.drain_delay,
            input: serve.input,
            program: serve.exec,
            api_sockets,
            stopped_on_handover,
            logs,
        })
    }

    /// Bound addresses of the proxy, in the order of the listeners.
    pub fn proxy_addresses(&self) -> &[SocketAddr] {
        self.workers.addresses()
    }

    /// Bound addresses of the admin API.
    pub fn admin_addresses(&self) -> &[SocketAddr] {
        &self.admin_addresses
    }

    /// Bound addresses of the status API.
    pub fn status_addresses(&self) -> &[SocketAddr] {
        &self.status_addresses
    }

    /// The data plane.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Applies another configuration and waits for the outcome. `None` if the gateway has stopped.
    pub async fn apply(&self, input: Input) -> Option<ApplyOutcome> {
        let (outcome_tx, outcome) = oneshot::channel();
        self.apply_requests
            .send(reload::ApplyRequest { input, check_hash: false, kong_strict: false, outcome_tx })
            .await
            .ok()?;
        outcome.await.ok()
    }

    /// Drains in-flight requests within the configured limit, joins the threads, and sends what plugins have queued. Blocks.
    pub fn stop(self, why: &str) {
        let start = Instant::now();
        self.observer.draining(why, self.drain);
        let cut = if self.status.handed_over() {
            self.workers.hand_over(self.drain)
        } else {
            self.status.set_draining();
            self.workers.drain(self.drain)
        };
        let limit = self.drain.saturating_sub(start.elapsed()).max(MIN_QUEUE_FLUSH);
        flush_queues(&self.control, self.gateway.stores.queues.clone(), limit);
        self.logs.flush();
        self.observer.stopped(cut);
        // Admin connections and watchers have no work to complete.
        self.control.shutdown_background();
    }
}

/// Waits until the queues are empty, for `limit` at most. The workers have ended, and add nothing.
fn flush_queues(control: &tokio::runtime::Runtime, queues: Queues, limit: Duration) {
    let (flushed, has_flushed) = std::sync::mpsc::channel();
    // Not `block_on`, which panics if the caller is a task of another runtime.
    control.spawn(async move { flushed.send(queues.flush(limit).await) });
    let _ = has_flushed.recv();
}

/// The catalog with the schemas of all plugins.
#[cfg(test)]
fn catalog() -> &'static config::Catalog {
    static CATALOG: std::sync::LazyLock<&config::Catalog> =
        std::sync::LazyLock::new(|| config::Catalog::new(plugins::registry()).expect("the schemas compile"));
    *CATALOG
}
