//! Connections to upstreams, and the pool of idle ones. Each worker thread has its own pool.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use ahash::AHashMap;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use http_codec::ResponseHead;

use super::{BodyError, Deadline, ExchangeProgress, Http1, Http2, Phase, SendError};

/// Limits for idle connections (settings `upstream_keepalive_*`).
#[derive(Clone, Copy, Debug)]
pub struct KeepaliveLimits {
    /// Maximum number of idle connections per [`PoolKey`]; 0 disables reuse.
    pub max_idle: usize,
    /// Idle timeout; zero disables it.
    pub idle_timeout: Duration,
    /// Number of requests after which a connection is closed.
    pub max_requests: u32,
}

impl Default for KeepaliveLimits {
    fn default() -> Self {
        KeepaliveLimits { max_idle: 512, idle_timeout: Duration::from_secs(60), max_requests: 10_000 }
    }
}

/// Timeouts of an exchange without progress (fields `write_timeout` and `read_timeout` of a service).
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeouts {
    /// While the upstream must read more of the request.
    pub write: Duration,
    /// While the upstream must respond: until the complete head, then between two reads.
    pub read: Duration,
}

/// Key of interchangeable connections: the address, and the TLS settings and server name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PoolKey {
    /// Address.
    pub address: SocketAddr,
    /// Identity of the TLS settings and the server name; `None` for cleartext.
    pub tls: Option<Arc<str>>,
    /// Whether the connection uses HTTP/2.
    pub http2: bool,
}

/// Protocol of a connection, with its state.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all connections use HTTP/1, and a connection is boxed as a whole"
)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1(Http1),
    /// HTTP/2, for gRPC.
    Http2(Http2),
}

/// Dispatches a call to the protocol of the connection.
macro_rules! dispatch {
    ($self:ident, $protocol:ident => $call:expr) => {
        match &$self.protocol {
            Protocol::Http1($protocol) => $call,
            Protocol::Http2($protocol) => $call,
        }
    };
    (mut $self:ident, $protocol:ident => $call:expr) => {
        match &mut $self.protocol {
            Protocol::Http1($protocol) => $call,
            Protocol::Http2($protocol) => $call,
        }
    };
}

/// Connection to an upstream, with the deadlines of its current exchange.
pub struct Connection {
    /// Protocol and its state.
    pub protocol: Protocol,
    /// Key in the pool.
    pub key: PoolKey,
    /// Whether the connection is reused, so that the upstream may have closed it already.
    pub is_reused: bool,
    request_count: u32,
    idle_since: Instant,
    deadline: Deadline,
    timeouts: Timeouts,
    /// Progress of the exchange when the deadline was set.
    progress_at_reset: Option<ExchangeProgress>,
    /// Head of the response, until it is taken.
    head: Option<ResponseHead>,
}

impl Connection {
    pub(super) fn new(wire: Protocol, key: PoolKey) -> Box<Self> {
        Box::new(Connection {
            protocol: wire,
            key,
            is_reused: false,
            request_count: 0,
            idle_since: Instant::now(),
            deadline: Deadline::default(),
            timeouts: Timeouts::default(),
            progress_at_reset: None,
            head: None,
        })
    }

    /// Polls for the head of the response to the current request, which [`Connection::take_head`] returns then.
    ///
    /// # Errors
    /// Returns an error if the exchange fails.
    pub fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.head = Some(ready!(dispatch!(mut self, protocol => protocol.poll_response(cx)))?);
        Poll::Ready(Ok(()))
    }

    /// Takes the head of the response.
    pub fn take_head(&mut self) -> Option<ResponseHead> {
        self.head.take()
    }

    /// Polls for the next frame of the response body.
    ///
    /// # Errors
    /// Returns an error if the connection fails, or the framing is malformed.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        dispatch!(mut self, protocol => protocol.poll_frame(cx))
    }

    /// Returns whether the response body has ended.
    pub fn is_end_stream(&self) -> bool {
        dispatch!(self, protocol => protocol.is_end_stream())
    }

    /// Returns the remaining length of the response body.
    pub fn size_hint(&self) -> SizeHint {
        dispatch!(self, protocol => protocol.size_hint())
    }

    /// Returns whether another request can follow the current one.
    fn is_reusable(&self) -> bool {
        match &self.protocol {
            Protocol::Http1(http1) => http1.is_reusable(),
            Protocol::Http2(http2) => !http2.is_closed(),
        }
    }

    /// Returns whether an idle connection was closed by the upstream.
    fn is_closed(&mut self) -> bool {
        dispatch!(mut self, protocol => protocol.is_closed())
    }

    /// Starts the deadlines of a request, once its head is in the write buffer.
    pub fn start_timeouts(&mut self, timeouts: Timeouts, now: tokio::time::Instant) {
        self.timeouts = timeouts;
        let progress = self.progress();
        self.reset_deadline(progress, now);
    }

    /// Polls whether the exchange has made no progress for the timeout of its phase. Must be called after polling for the
    /// response returned pending: only a change of the phase or transferred bytes reset the deadline.
    pub fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let progress = self.progress();
        if self.progress_at_reset != Some(progress) {
            self.reset_deadline(progress, tokio::time::Instant::now());
        }
        self.deadline.poll(cx)
    }

    fn progress(&self) -> ExchangeProgress {
        dispatch!(self, protocol => protocol.progress())
    }

    fn reset_deadline(&mut self, progress: ExchangeProgress, now: tokio::time::Instant) {
        self.progress_at_reset = Some(progress);
        match progress.phase {
            Phase::ReadClient => self.deadline.clear(),
            Phase::WriteUpstream => self.deadline.reset(now + self.timeouts.write),
            Phase::ReadUpstream => self.deadline.reset(now + self.timeouts.read),
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Limit for the idle connections of a worker, over all keys: DNS names and plugins may yield any number of addresses.
const MAX_IDLE_COUNT: usize = 8192;

/// Idle connections of one worker. Not shared between threads, so it takes no lock.
#[derive(Debug)]
#[expect(clippy::vec_box, reason = "connections are large, and moved with each request")]
pub struct Pool {
    limits: Cell<KeepaliveLimits>,
    /// Time of the last sweep. Idle times start at it: reading the clock would cost more than the remainder of
    /// [`Pool::give`].
    swept_at: Cell<Instant>,
    idle: RefCell<AHashMap<PoolKey, Vec<Box<Connection>>>>,
    idle_count: Cell<usize>,
}

impl Pool {
    /// Creates an empty pool.
    pub fn new(limits: KeepaliveLimits) -> Self {
        Pool {
            limits: Cell::new(limits),
            swept_at: Cell::new(Instant::now()),
            idle: RefCell::default(),
            idle_count: Cell::new(0),
        }
    }

    /// Takes the most recently used idle connection that the upstream has not closed.
    pub fn checkout(&self, key: &PoolKey) -> Option<Box<Connection>> {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.get_mut(key)?;
        while let Some(mut connection) = connections.pop() {
            self.idle_count.set(self.idle_count.get() - 1);
            if !connection.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    /// Returns a connection to the pool after its response has ended. Closes it if it cannot be reused.
    pub fn put(&self, mut connection: Box<Connection>) {
        let limits = self.limits.get();
        connection.request_count += 1;
        connection.is_reused = true;
        let is_full = self.idle_count.get() >= MAX_IDLE_COUNT;
        if connection.request_count >= limits.max_requests || is_full || !connection.is_reusable() {
            return;
        }
        if let Protocol::Http1(http1) = &mut connection.protocol {
            http1.shrink_buffers();
        }
        let mut idle = self.idle.borrow_mut();
        if let Some(connections) = idle.get_mut(&connection.key) {
            if connections.len() < limits.max_idle {
                self.idle_count.set(self.idle_count.get() + 1);
                connection.idle_since = self.swept_at.get();
                connections.push(connection);
            }
        } else if limits.max_idle > 0 {
            self.idle_count.set(self.idle_count.get() + 1);
            connection.idle_since = self.swept_at.get();
            idle.insert(connection.key.clone(), vec![connection]);
        }
    }

    /// Evicts connections that exceed the idle timeout or were closed by the upstream. Must be called each second.
    pub fn evict_idle(&self) {
        let limits = self.limits.get();
        let now = Instant::now();
        self.swept_at.set(now);
        let mut count = 0;
        self.idle.borrow_mut().retain(|_, connections| {
            connections.retain_mut(|connection| {
                !connection.is_closed()
                    && (limits.idle_timeout.is_zero()
                        || now.duration_since(connection.idle_since) < limits.idle_timeout)
            });
            count += connections.len();
            !connections.is_empty()
        });
        self.idle_count.set(count);
    }

    /// Closes all idle connections.
    pub fn clear(&self) {
        self.idle.borrow_mut().clear();
        self.idle_count.set(0);
    }
}
