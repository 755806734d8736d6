//! Running a gateway: the first load, the listeners, every later load, signals, and the drain at the end.
//!
//! Requests are the workers' business; all that is not a request happens here, on a runtime of its own.
//! What there is to tell goes to an [`Observer`]: this layer knows nothing of terminals.

pub mod admin;
mod backroom;
mod check;
mod descriptors;
#[cfg(target_os = "linux")]
mod footprint;
pub mod handover;
mod life;
pub mod node;
mod notify;
mod reload;
mod signals;
mod warnings;
mod watch;

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc, time::Duration};

pub use admin::{Status, document};
use backroom::Backroom;
pub use check::{Checked, check};
pub use reload::{Hash, Outcome, build, nothing};
use socket2::Socket;
use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
};
pub use warnings::without_routes;

use self::handover::{HandoverError, Program, Received};
use config::{
    Catalog, Input, LoadError, Loaded, Options as LoadOptions,
    settings::{Issue, Origin},
};
use net::Role;
use proxy::{Listener, Workers};
use router::Flavor;
use runtime::{Gateway, Options};
use store::Clock;

/// Everything `serve` needs to know.
pub struct Serve {
    /// Where the configuration comes from.
    pub input: Input,
    /// How it is read.
    pub read: Read,
    /// Settings of the data plane.
    pub options: Options,
    /// Where requests are accepted.
    pub listeners: Vec<Listener>,
    /// How the admin and status APIs are served.
    pub admin: admin::Options,
    /// Where settings were given, for errors.
    pub origins: BTreeMap<&'static str, Origin>,
    /// The node's id; a new one if none.
    pub node_id: Option<uuid::Uuid>,
    /// Whether changes of the files are applied.
    pub watch: bool,
    /// How long requests in flight may take to end after a signal.
    pub drain: Duration,
    /// How long connections are still accepted after a signal while readiness is denied already.
    pub drain_delay: Duration,
    /// Sockets that need not be opened.
    pub received: Received,
    /// What takes this process's place on `SIGUSR2`; nothing can if absent.
    pub program: Option<Program>,
    /// What time it is.
    pub clock: Clock,
}

/// How a configuration is read, kept for later loads.
#[derive(Clone)]
pub struct Read {
    /// The format, and the plugins.
    pub catalog: &'static Catalog,
    /// Refuse decK's additions.
    pub kong_strict: bool,
    /// The router's flavor.
    pub flavor: Flavor,
    /// The environment.
    pub env: Arc<dyn Fn(&str) -> Option<String> + Send + Sync>,
    /// Which plugins are switched on.
    pub plugin_enabled: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Warn about settings that are not served yet, and do not refuse them.
    pub allow_unsupported: bool,
}

impl Read {
    /// As `config` wants it.
    pub fn options(&self) -> LoadOptions<'_> {
        LoadOptions {
            catalog: self.catalog,
            kong_strict: self.kong_strict,
            flavor: self.flavor,
            env: &*self.env,
            plugin_enabled: &*self.plugin_enabled,
            allow_unsupported: self.allow_unsupported,
        }
    }
}

/// Is told what happens, on the control threads.
pub trait Observer: Send + Sync {
    /// Requests are accepted at these addresses.
    fn ready(&self, ready: &Ready<'_>);
    /// Another configuration serves now.
    fn reloaded(&self, loaded: &Loaded, generation: u64, took: Duration);
    /// A configuration was refused. `running`: an earlier one goes on.
    fn refused(&self, loaded: &Loaded, running: bool);
    /// A configuration could not be read; the running one stays.
    fn unreadable(&self, error: &LoadError);
    /// A signal came; requests in flight may end.
    fn draining(&self, signal: &str, limit: Duration);
    /// The end; that many connections had to be cut.
    fn ended(&self, cut: usize);

    /// A signal came; readiness is denied from now on, and for that long all goes on as before.
    fn unready(&self, _signal: &str, _delay: Duration) {}
    /// Another process serves now; requests in flight here may end.
    fn handed_over(&self, _to: u32) {}
    /// No other process took this one's place; it serves on.
    fn not_handed_over(&self, _error: &HandoverError) {}
}

/// What there is to tell once requests are accepted.
pub struct Ready<'a> {
    /// The configuration that serves.
    pub loaded: &'a Loaded,
    /// What is accepted where, with the real addresses.
    pub listeners: &'a [Listener],
    /// Where the admin API is.
    pub admin: &'a [SocketAddr],
    /// Where the status API is.
    pub status: &'a [SocketAddr],
    /// How many configurations have served.
    pub generation: u64,
    /// From the start of the load until now.
    pub took: Duration,
}

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The configuration is refused; the observer has seen why.
    #[error("the configuration is not valid")]
    Refused,
    /// A setting cannot be put into force: a file that cannot be read, an address that is in use.
    #[error("{0}")]
    Setting(Issue),
    /// The system refuses threads, signals or the like.
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
}

/// A gateway that serves, on threads of its own.
pub struct Running {
    gateway: Arc<Gateway>,
    workers: Workers,
    admin: Vec<SocketAddr>,
    status_api: Vec<SocketAddr>,
    control: tokio::runtime::Runtime,
    posts: mpsc::Sender<reload::Post>,
    asks: mpsc::Sender<reload::Ask>,
    status: Arc<Status>,
    observer: Arc<dyn Observer>,
    drain: Duration,
    drain_delay: Duration,
    /// Where its configuration comes from.
    input: Input,
    program: Option<Program>,
    /// Listening sockets of the APIs.
    api_sockets: Vec<(Role, Socket)>,
    /// What another process does once it has taken over: accepting for the APIs, and following the files.
    leaving: Vec<AbortHandle>,
}

/// Serves until a signal ends it.
///
/// # Errors
/// When it cannot start. Nothing that happens later ends it but a signal, or a process that takes over.
pub fn run(serve: Serve, observer: Arc<dyn Observer>) -> Result<(), ServeError> {
    let control = control()?;
    // Before anything is accepted: a signal from now on ends the gateway the gentle way.
    let signals = control.block_on(async { signals::Signals::new() })?;
    Running::begin(serve, observer, control)?.live(signals);
    Ok(())
}

/// The runtime of all that is not a request.
fn control() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("control").enable_all().build()
}

impl Running {
    /// Starts a gateway that no signal ends: for tests, and for programs that serve beside other work.
    ///
    /// # Errors
    /// When it cannot start.
    pub fn start(serve: Serve, observer: Arc<dyn Observer>) -> Result<Self, ServeError> {
        Self::begin(serve, observer, control()?)
    }

    fn begin(
        mut serve: Serve,
        observer: Arc<dyn Observer>,
        control: tokio::runtime::Runtime,
    ) -> Result<Self, ServeError> {
        let begun = std::time::Instant::now();
        let stores = check::stores(&serve);
        let backroom = Backroom::open()?;
        // Before the files are read: a change from here on is not missed.
        let watcher = serve.watch.then(|| watch::Watcher::of(&serve.input, &backroom)).flatten();
        let mut received = std::mem::take(&mut serve.received);
        let posted =
            received.configuration()?.map(|text| Input::Text { name: admin::POSTED.to_owned(), text });
        let first = move || {
            let input = posted.as_ref().unwrap_or(&serve.input);
            let mut loaded = config::load(input, &serve.read.options())?;
            let snapshot = reload::build(&mut loaded, &serve.options, &stores, None);
            Ok::<_, LoadError>((serve, stores, loaded, snapshot))
        };
        let first = control.block_on(backroom.run(first)).map_err(LoadError::from)?;
        let (serve, stores, loaded, snapshot) = first?;
        let Some(snapshot) = snapshot else {
            observer.refused(&loaded, false);
            return Err(ServeError::Refused);
        };
        warnings::of_start(&serve, &loaded).iter().for_each(|warning| tracing::warn!("{warning}"));
        let not_started = check::failure(&serve.origins);
        let gateway = Gateway::new(serve.options, stores, snapshot);
        let (posts, posted) = mpsc::channel(1);
        let (asks, asked) = mpsc::channel(1);
        let status = Arc::new(Status::new(&loaded));
        let api = control.block_on(admin::bind(
            serve.admin,
            Arc::clone(&gateway),
            Arc::clone(&status),
            serve.read.clone(),
            posts.clone(),
            &mut received.sockets,
        ));
        let api = api.map_err(&not_started)?;
        let api_sockets = api.share()?;
        let (admin, status_api) = (api.addresses.clone(), api.status_addresses.clone());
        let workers = Workers::start(Arc::clone(&gateway), &serve.listeners, &mut received.sockets)
            .map_err(&not_started)?;
        let mut leaving = control.block_on(async { api.serve() });
        for address in received.sockets.left() {
            tracing::warn!("a socket at {address} was passed to this process; no setting names it: closed");
        }
        let bound = serve.listeners.into_iter().zip(workers.addresses());
        let listeners: Vec<_> =
            bound.map(|(listener, address)| Listener { address: *address, ..listener }).collect();
        observer.ready(&Ready {
            loaded: &loaded,
            listeners: &listeners,
            admin: &admin,
            status: &status_api,
            generation: gateway.generation(),
            took: begun.elapsed(),
        });
        received.ready();
        let freed = backroom.clone();
        control.spawn(async move {
            let _ = freed.run(move || drop(loaded)).await;
            freed.give_back().await;
            freed.release_code().await;
        });
        let reloader = reload::Reloader {
            input: serve.input.clone(),
            read: serve.read,
            gateway: Arc::clone(&gateway),
            status: Arc::clone(&status),
            observer: Arc::clone(&observer),
            backroom,
        };
        leaving.push(control.spawn(reloader.run(watcher, asked, posted)).abort_handle());
        Ok(Running {
            gateway,
            workers,
            admin,
            status_api,
            control,
            posts,
            asks,
            status,
            observer,
            drain: serve.drain,
            drain_delay: serve.drain_delay,
            input: serve.input,
            program: serve.program,
            api_sockets,
            leaving,
        })
    }

    /// Where requests are accepted, in the order of the listeners.
    pub fn proxy(&self) -> &[SocketAddr] {
        self.workers.addresses()
    }

    /// Where the admin API is.
    pub fn admin(&self) -> &[SocketAddr] {
        &self.admin
    }

    /// Where health and metrics alone are.
    pub fn status_api(&self) -> &[SocketAddr] {
        &self.status_api
    }

    /// What serves.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Applies another configuration, and waits until it serves or is refused. None if the gateway has ended.
    pub async fn apply(&self, input: Input) -> Option<Outcome> {
        let (answer, outcome) = oneshot::channel();
        self.posts.send(reload::Post { input, check_hash: false, kong_strict: false, answer }).await.ok()?;
        outcome.await.ok()
    }

    /// Lets requests in flight end, for as long as `serve` allowed, and joins the threads. Blocks.
    pub fn stop(self, why: &str) {
        self.observer.draining(why, self.drain);
        let cut = if self.status.handed_over() {
            self.workers.hand_over(self.drain)
        } else {
            self.status.set_draining();
            self.workers.drain(self.drain)
        };
        self.observer.ended(cut);
        // Admin connections and watchers have nothing to finish.
        self.control.shutdown_background();
    }
}

/// The format with the settings of all plugins.
#[cfg(test)]
fn catalog() -> &'static config::Catalog {
    static CATALOG: std::sync::LazyLock<&config::Catalog> =
        std::sync::LazyLock::new(|| config::Catalog::new(plugins::registry()));
    *CATALOG
}
