//! What one worker thread has for itself, and what one connection knows.

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

use super::log_limit::LogLimit;
use net::{ConnectionBudget, Pool};
use plugin::{Client, RequestId};
use runtime::{Current, Gateway, Held, Options, RealIp};
use upstream::Resolver;

/// Longest that an HTTP/1 connection waits for a request when connections are to end.
const LINGER: Duration = Duration::from_secs(1);

/// One worker thread's own: nothing here is shared with another.
#[derive(Debug)]
pub struct Worker {
    /// The gateway all workers serve.
    pub gateway: Arc<Gateway>,
    /// Its settings.
    pub options: Arc<Options>,
    /// Idle upstream connections.
    pub pool: Pool,
    /// Names to addresses.
    pub resolver: Resolver,
    /// Whether connections are to end.
    pub draining: Cell<bool>,
    /// How long an HTTP/1 connection without a request stays when connections are to end.
    pub linger: Cell<Duration>,
    /// Wakes idle connections when draining begins.
    pub drain: Notify,
    /// Wakes the worker whenever a connection has ended.
    pub ended: Notify,
    /// Wakes each second who looks after something now and then.
    pub ticks: Notify,
    /// Connections open.
    pub links: Cell<usize>,
    /// Requests so far.
    pub requests: Cell<u64>,
    /// What may go wrong for many clients at one time.
    pub log_limits: LogLimits,
    current: Current,
    ids: Cell<[u64; 2]>,
    /// The last peer's address, as text: clients open several connections, and a balancer in front all of them.
    peer: RefCell<(IpAddr, HeaderValue)>,
    /// The last port, likewise.
    port: RefCell<(u16, HeaderValue)>,
}

impl Worker {
    /// A worker of that gateway.
    pub fn new(gateway: Arc<Gateway>) -> Rc<Self> {
        let seed = uuid::Uuid::new_v4().as_u64_pair();
        Rc::new(Worker {
            options: Arc::clone(&gateway.options),
            pool: Pool::new(gateway.options.keepalive),
            resolver: Resolver::new(gateway.options.hosts.clone()),
            draining: Cell::new(false),
            linger: Cell::new(Duration::ZERO),
            drain: Notify::new(),
            ended: Notify::new(),
            ticks: Notify::new(),
            links: Cell::new(0),
            requests: Cell::new(0),
            log_limits: LogLimits::default(),
            current: Current::new(&gateway),
            ids: Cell::new([seed.0 | 1, seed.1]),
            peer: RefCell::new((NOBODY, text(NOBODY))),
            port: RefCell::new((0, HeaderValue::from(0))),
            gateway,
        })
    }

    /// Counts a connection as open for as long as the guard lives.
    pub fn open(self: &Rc<Self>) -> Open {
        self.links.set(self.links.get() + 1);
        Open(Rc::clone(self))
    }

    /// Says that connections are to end within `limit`.
    pub fn drain(&self, limit: Duration) {
        self.draining.set(true);
        self.linger.set(LINGER.min(limit / 2));
        self.drain.notify_waiters();
    }

    /// Waits until connections are to end.
    pub async fn drained(&self) {
        let mut drain = pin!(self.drain.notified());
        // Enrolled before the flag is looked at, so that the call cannot be missed in between.
        drain.as_mut().enable();
        if !self.draining.get() {
            drain.await;
        }
    }

    /// The current snapshot.
    pub fn snapshot(&self) -> Held {
        self.current.get(&self.gateway)
    }

    /// A name for a request: unlike any other, but no secret (xoroshiro128+, twice).
    pub fn request_id(&self) -> RequestId {
        let next = || {
            let [a, mut b] = self.ids.get();
            let out = a.wrapping_add(b);
            b ^= a;
            self.ids.set([a.rotate_left(24) ^ b ^ (b << 16), b.rotate_left(37)]);
            out
        };
        RequestId(u128::from(next()) << 64 | u128::from(next()))
    }
}

/// Limits of log lines, one for each kind of event.
#[derive(Debug, Default)]
pub struct LogLimits {
    /// The system refuses to accept a connection.
    pub accept: LogLimit,
    /// A listener has as many UDP sessions as it may have, or they as much memory.
    pub udp_sessions: LogLimit,
    /// The memory for buffered bodies is used up.
    pub memory: LogLimit,
}

/// A connection that is open.
#[derive(Debug)]
pub struct Open(pub Rc<Worker>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.links.set(self.0.links.get() - 1);
        self.0.ended.notify_one();
    }
}

/// One client's connection.
#[derive(Debug)]
pub struct Link {
    /// The worker it belongs to.
    pub worker: Rc<Worker>,
    /// Who asks, as far as the connection tells.
    pub client: Client,
    /// The peer's address as a header value.
    pub peer_text: HeaderValue,
    /// The listener's port, as the outside world sees it.
    pub port: u16,
    /// That port as a header value.
    pub port_text: HeaderValue,
    /// Requests so far.
    pub requests: Cell<u64>,
    /// What the connection's buffered bodies are counted against, once it has one.
    budget: OnceCell<ConnectionBudget>,
}

/// Who a connection comes from.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The socket's other end.
    pub socket: SocketAddr,
    /// What the PROXY protocol says.
    pub told: Option<SocketAddr>,
}

const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Connections since the process started.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

impl Link {
    /// A connection just accepted.
    pub fn new(worker: Rc<Worker>, from: Peer, local: SocketAddr, tls: bool, sni: Option<Arc<str>>) -> Self {
        let peer = SocketAddr::new(from.socket.ip().to_canonical(), from.socket.port());
        let ip = peer.ip();
        let options = &worker.options;
        let port = options.port_maps.get(&local.port()).copied().unwrap_or(local.port());
        let trusted = is_trusted(options, ip);
        Link {
            client: Client {
                peer,
                ip: match (&options.real_ip, from.told) {
                    (RealIp::ProxyProtocol, Some(told)) if trusted => told.ip().to_canonical(),
                    _ => ip,
                },
                local,
                tls,
                sni,
                trusted,
                connection: CONNECTIONS.fetch_add(1, Ordering::Relaxed) + 1,
                request: 0,
            },
            requests: Cell::new(0),
            budget: OnceCell::new(),
            peer_text: told_before(&worker.peer, ip, text),
            port,
            port_text: told_before(&worker.port, port, HeaderValue::from),
            worker,
        }
    }

    /// What the connection's buffered bodies are counted against.
    pub fn budget(&self) -> &ConnectionBudget {
        self.budget.get_or_init(|| {
            let max_bytes = self.worker.options.max_buffered_per_connection;
            ConnectionBudget::new(Arc::clone(&self.worker.gateway.memory), max_bytes)
        })
    }
}

/// What `text` makes of a value, made only where it is not the last one.
fn told_before<T: Copy + PartialEq>(
    last: &RefCell<(T, HeaderValue)>,
    value: T,
    text: impl FnOnce(T) -> HeaderValue,
) -> HeaderValue {
    let mut last = last.borrow_mut();
    if last.0 != value {
        *last = (value, text(value));
    }
    last.1.clone()
}

/// An address as a header value.
pub fn text(ip: IpAddr) -> HeaderValue {
    HeaderValue::try_from(ip.to_string()).expect("an address is printable ASCII")
}

/// Whether an address is in `trusted_ips`.
pub fn is_trusted(options: &Options, ip: IpAddr) -> bool {
    options.trusted.iter().any(|net| net.contains(&ip))
}
