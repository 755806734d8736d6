//! State of a worker thread, and the context of a client's connection.

use std::{
    cell::{Cell, OnceCell, RefCell},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::HeaderValue;
use tokio::sync::Notify;

use super::{
    active_request::Sinks,
    log_limit::LogLimit,
    request_metrics::{RESERVED, RequestMetrics},
};
use net::{ConnectionBudget, Pool};
use plugin::{Client, RequestId};
use runtime::{Gateway, Options, RealIp, SnapshotCache, SnapshotRef};
use telemetry::{Counter, Gauge, Registry};
use upstream::WorkerResolver;

/// Maximum time that an idle HTTP/1 connection stays open during a drain.
const MAX_IDLE_CLOSE_DELAY: Duration = Duration::from_secs(1);

/// State of one worker thread; not shared with others.
#[derive(Debug)]
pub struct Worker {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// Its options.
    pub options: Arc<Options>,
    /// Idle upstream connections.
    pub pool: Pool,
    /// Resolver of names.
    pub resolver: WorkerResolver,
    /// Whether a drain has started.
    pub draining: Cell<bool>,
    /// How long an idle HTTP/1 connection stays open during the drain.
    pub idle_close_delay: Cell<Duration>,
    /// Notifies idle connections when a drain starts.
    pub drain_started: Notify,
    /// Notifies the worker when a connection has closed.
    pub connection_closed: Notify,
    /// Notifies tasks with periodic checks, once per second.
    pub housekeeping_tick: Notify,
    /// Open connections.
    pub open_connections: Cell<usize>,
    /// Requests so far.
    pub requests: Cell<u64>,
    /// Rate limits of log lines for events that affect many clients at a time.
    pub log_limits: LogLimits,
    /// Where the records of requests are written.
    pub sinks: Sinks,
    /// Connections of clients for `/metrics`.
    pub connection_metrics: ConnectionMetrics,
    /// Whether the worker ends: what is dropped now is dropped by the gateway.
    pub is_shut_down: Cell<bool>,
    snapshot_cache: SnapshotCache,
    request_id_state: Cell<[u64; 2]>,
    /// The last peer's address as a header value: a client opens several connections, and a load balancer all
    /// of them.
    peer_header: RefCell<(IpAddr, HeaderValue)>,
    /// The last port, likewise.
    port_header: RefCell<(u16, HeaderValue)>,
}

impl Worker {
    /// Creates a worker's state.
    pub fn new(gateway: Arc<Gateway>) -> Rc<Self> {
        let seed = uuid::Uuid::new_v4().as_u64_pair();
        let sinks = Sinks {
            metrics: gateway.options.request_metrics.then(|| RequestMetrics::new(&gateway.stores.metrics)),
            access_log: gateway.options.access_log.clone(),
        };
        Rc::new(Worker {
            sinks,
            connection_metrics: ConnectionMetrics::new(&gateway.stores.metrics),
            is_shut_down: Cell::new(false),
            options: Arc::clone(&gateway.options),
            pool: Pool::new(gateway.options.keepalive),
            resolver: WorkerResolver::new(
                Arc::clone(&gateway.resolver),
                gateway.options.host_overrides.clone(),
            ),
            draining: Cell::new(false),
            idle_close_delay: Cell::new(Duration::ZERO),
            drain_started: Notify::new(),
            connection_closed: Notify::new(),
            housekeeping_tick: Notify::new(),
            open_connections: Cell::new(0),
            requests: Cell::new(0),
            log_limits: LogLimits::default(),
            snapshot_cache: SnapshotCache::new(&gateway),
            request_id_state: Cell::new([seed.0 | 1, seed.1]),
            peer_header: RefCell::new((NO_PEER, ip_header_value(NO_PEER))),
            port_header: RefCell::new((0, HeaderValue::from(0))),
            gateway,
        })
    }

    /// Counts a connection as open until the guard is dropped.
    pub fn track_connection(self: &Rc<Self>) -> ConnectionGuard {
        self.open_connections.set(self.open_connections.get() + 1);
        self.connection_metrics.accepted.increment();
        self.connection_metrics.open.add(1);
        ConnectionGuard(Rc::clone(self))
    }

    /// Starts a drain that lasts `limit` at most.
    pub fn drain(&self, limit: Duration) {
        self.draining.set(true);
        self.idle_close_delay.set(MAX_IDLE_CLOSE_DELAY.min(limit / 2));
        self.drain_started.notify_waiters();
    }

    /// Completes when a drain has started.
    pub async fn drain_signal(&self) {
        let mut drain = pin!(self.drain_started.notified());
        // Enabled before the flag is checked, so that no notification is lost in between.
        drain.as_mut().enable();
        if !self.draining.get() {
            drain.await;
        }
    }

    /// The current snapshot.
    pub fn snapshot(&self) -> SnapshotRef {
        self.snapshot_cache.get(&self.gateway)
    }

    /// Generates a request id: unique, but not unpredictable (xoroshiro128+, twice).
    pub fn request_id(&self) -> RequestId {
        let next = || {
            let [a, mut b] = self.request_id_state.get();
            let out = a.wrapping_add(b);
            b ^= a;
            self.request_id_state.set([a.rotate_left(24) ^ b ^ (b << 16), b.rotate_left(37)]);
            out
        };
        RequestId(u128::from(next()) << 64 | u128::from(next()))
    }
}

/// Rate limits of log lines, one per kind of event.
#[derive(Debug, Default)]
pub struct LogLimits {
    /// Accepting a connection failed.
    pub accept: LogLimit,
    /// A listener's UDP sessions, or their memory, are exhausted.
    pub udp_sessions: LogLimit,
    /// The memory for buffered bodies is exhausted.
    pub memory: LogLimit,
}

/// Counts a connection as open; RAII guard.
#[derive(Debug)]
pub struct ConnectionGuard(pub Rc<Worker>);

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.open_connections.set(self.0.open_connections.get() - 1);
        self.0.connection_metrics.open.add(-1);
        self.0.connection_closed.notify_one();
    }
}

/// Metrics of a worker's client connections.
#[derive(Debug)]
pub struct ConnectionMetrics {
    /// Connections accepted so far.
    pub accepted: Counter,
    /// Open connections.
    pub open: Gauge,
    /// Those of them with a request in progress.
    pub active: Gauge,
}

impl ConnectionMetrics {
    fn new(registry: &Registry) -> Self {
        let accepted = registry.counter(
            "gateway_connections_accepted_total",
            "Client connections that were accepted",
            &[],
        );
        let state = registry.gauge(
            "gateway_connections",
            "Client connections by state: open ones, and those of them with a request in progress",
            &["state"],
        );
        let (accepted, state) = (accepted.expect(RESERVED), state.expect(RESERVED));
        ConnectionMetrics {
            accepted: accepted.with(&[]),
            open: state.with(&["open"]),
            active: state.with(&["active"]),
        }
    }

    /// Counts a connection as active until the guard is dropped.
    pub fn track_active(&self) -> ActiveGuard<'_> {
        self.active.add(1);
        ActiveGuard(&self.active)
    }
}

/// Counts a connection as active.
pub struct ActiveGuard<'a>(&'a Gauge);

impl Drop for ActiveGuard<'_> {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

/// Context of a client's connection, shared by its requests.
#[derive(Debug)]
pub struct ConnContext {
    /// The worker.
    pub worker: Rc<Worker>,
    /// The client, as far as the connection determines it.
    pub client: Client,
    /// The peer's address as a header value.
    pub peer_header: HeaderValue,
    /// The listener's port after `port_maps`.
    pub port: u16,
    /// That port as a header value.
    pub port_header: HeaderValue,
    /// TLS version and cipher suite.
    pub tls: Option<(&'static str, &'static str)>,
    /// Requests so far.
    pub requests: Cell<u64>,
    /// Budget of the connection's buffered bodies; created with the first one.
    budget: OnceCell<ConnectionBudget>,
}

/// The source of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The socket's peer.
    pub socket: SocketAddr,
    /// The source in the PROXY protocol header.
    pub proxy_source: Option<SocketAddr>,
}

const NO_PEER: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Connections since the process started.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

impl ConnContext {
    /// Creates the context of an accepted connection.
    pub fn new(worker: Rc<Worker>, from: Peer, local: SocketAddr, tls: bool, sni: Option<Arc<str>>) -> Self {
        let peer = SocketAddr::new(from.socket.ip().to_canonical(), from.socket.port());
        let ip = peer.ip();
        let options = &worker.options;
        let port = options.port_maps.get(&local.port()).copied().unwrap_or(local.port());
        let trusted = is_trusted(options, ip);
        ConnContext {
            client: Client {
                peer,
                ip: match (&options.real_ip, from.proxy_source) {
                    (RealIp::ProxyProtocol, Some(source)) if trusted => source.ip().to_canonical(),
                    _ => ip,
                },
                local,
                is_tls: tls,
                sni,
                is_trusted: trusted,
                connection_number: CONNECTIONS.fetch_add(1, Ordering::Relaxed) + 1,
                request_number: 0,
            },
            tls: None,
            requests: Cell::new(0),
            budget: OnceCell::new(),
            peer_header: cached_header(&worker.peer_header, ip, ip_header_value),
            port,
            port_header: cached_header(&worker.port_header, port, HeaderValue::from),
            worker,
        }
    }

    /// Budget of the connection's buffered bodies.
    pub fn budget(&self) -> &ConnectionBudget {
        self.budget.get_or_init(|| {
            let max_bytes = self.worker.options.max_buffered_bytes_per_connection;
            ConnectionBudget::new(Arc::clone(&self.worker.gateway.memory), max_bytes)
        })
    }
}

/// Returns a value as a header; encodes it only if it differs from the last one.
fn cached_header<T: Copy + PartialEq>(
    last: &RefCell<(T, HeaderValue)>,
    value: T,
    encode: impl FnOnce(T) -> HeaderValue,
) -> HeaderValue {
    let mut last = last.borrow_mut();
    if last.0 != value {
        *last = (value, encode(value));
    }
    last.1.clone()
}

/// Encodes an address as a header value.
pub fn ip_header_value(ip: IpAddr) -> HeaderValue {
    HeaderValue::try_from(ip.to_string()).expect("an address is printable ASCII")
}

/// Whether an address is in `trusted_ips`.
pub fn is_trusted(options: &Options, ip: IpAddr) -> bool {
    options.trusted_ips.iter().any(|net| net.contains(&ip))
}
