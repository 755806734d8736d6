//! Idle connections to upstreams, one pool to a worker thread.

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

use http_codec::Head;

use super::{BodyError, Http1, Http2, Phase, Progress, SendError, Timer};

/// How long and how many connections are kept (settings `upstream_keepalive_*`).
#[derive(Clone, Copy, Debug)]
pub struct Keepalive {
    /// Idle connections to one destination; 0 keeps none.
    pub idle: usize,
    /// How long one may stay idle; zero for ever.
    pub timeout: Duration,
    /// Requests after which a connection is not used again.
    pub requests: u32,
}

impl Default for Keepalive {
    fn default() -> Self {
        Keepalive { idle: 512, timeout: Duration::from_secs(60), requests: 10_000 }
    }
}

/// How long an upstream may make no progress (fields `write_timeout` and `read_timeout` of a service).
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeouts {
    /// While it has to take more of a request.
    pub write: Duration,
    /// While it has to respond: for the response's whole head, then between two reads.
    pub read: Duration,
}

/// What connections are told apart by: where they lead, and as whom and to whom TLS was spoken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PoolKey {
    /// Address.
    pub address: SocketAddr,
    /// Identity of the TLS settings and the server name; none for clear text.
    pub tls: Option<Arc<str>>,
    /// Whether HTTP/2 is spoken.
    pub http2: bool,
}

/// A connection in its version of HTTP.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all speak HTTP/1, and a connection is boxed as a whole"
)]
pub enum Wire {
    /// HTTP/1.1.
    Http1(Http1),
    /// HTTP/2, for gRPC.
    Http2(Http2),
}

/// Calls the same function of whichever it is.
macro_rules! either {
    ($self:ident, $wire:ident => $call:expr) => {
        match &$self.wire {
            Wire::Http1($wire) => $call,
            Wire::Http2($wire) => $call,
        }
    };
    (mut $self:ident, $wire:ident => $call:expr) => {
        match &mut $self.wire {
            Wire::Http1($wire) => $call,
            Wire::Http2($wire) => $call,
        }
    };
}

/// A connection that can take a request.
pub struct Connection {
    /// What is spoken on it.
    pub wire: Wire,
    /// Where it goes back to.
    pub key: PoolKey,
    /// Whether it has served a request before.
    pub used: bool,
    requests: u32,
    idle_since: Instant,
    timer: Timer,
    timeouts: Timeouts,
    /// How far the exchange had got when the timer was set.
    timed: Option<Progress>,
    /// The head of the answer, until it is taken.
    head: Option<Head>,
}

impl Connection {
    pub(super) fn new(wire: Wire, key: PoolKey) -> Box<Self> {
        Box::new(Connection {
            wire,
            key,
            used: false,
            requests: 0,
            idle_since: Instant::now(),
            timer: Timer::default(),
            timeouts: Timeouts::default(),
            timed: None,
            head: None,
        })
    }

    /// Waits for the head of the answer to the request that was begun; [`Connection::take_head`] has it then.
    ///
    /// # Errors
    /// When there will be none.
    pub fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.head = Some(ready!(either!(mut self, wire => wire.poll_answer(cx)))?);
        Poll::Ready(Ok(()))
    }

    /// The head of the answer, once.
    pub fn take_head(&mut self) -> Option<Head> {
        self.head.take()
    }

    /// The next piece of the answer's body.
    ///
    /// # Errors
    /// When the connection fails, or the body's framing is malformed.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        either!(mut self, wire => wire.poll_frame(cx))
    }

    /// Whether the answer's body has ended.
    pub fn is_end_stream(&self) -> bool {
        either!(self, wire => wire.is_end_stream())
    }

    /// Bytes of the answer's body that are left.
    pub fn size_hint(&self) -> SizeHint {
        either!(self, wire => wire.size_hint())
    }

    /// Whether another request may follow the one that has ended.
    fn is_reusable(&self) -> bool {
        match &self.wire {
            Wire::Http1(http1) => http1.is_reusable(),
            Wire::Http2(http2) => !http2.is_closed(),
        }
    }

    /// Whether it has been closed while it was idle.
    fn is_closed(&mut self) -> bool {
        either!(mut self, wire => wire.is_closed())
    }

    /// Starts the deadlines of a request whose head is written, at that time.
    pub fn start_timeouts(&mut self, timeouts: Timeouts, now: tokio::time::Instant) {
        self.timeouts = timeouts;
        let progress = self.progress();
        self.time(progress, now);
    }

    /// Waits until the exchange has made no progress for as long as its phase allows. To be called when polling for the
    /// response was pending: a deadline starts with its phase, and moves with bytes alone.
    pub fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let progress = self.progress();
        if self.timed != Some(progress) {
            self.time(progress, tokio::time::Instant::now());
        }
        self.timer.poll(cx)
    }

    fn progress(&self) -> Progress {
        either!(self, wire => wire.progress())
    }

    fn time(&mut self, progress: Progress, now: tokio::time::Instant) {
        self.timed = Some(progress);
        match progress.phase {
            Phase::ReadClient => self.timer.stop(),
            Phase::WriteUpstream => self.timer.set(now + self.timeouts.write),
            Phase::ReadUpstream => self.timer.set(now + self.timeouts.read),
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Idle connections that a worker keeps, whatever their destinations are: names and plugins may lead to any number.
const MAX_IDLE_COUNT: usize = 8192;

/// Idle connections of one worker. Not shared between threads, so it takes no lock.
#[derive(Debug)]
#[expect(clippy::vec_box, reason = "a connection is moved from hand to hand with each request")]
pub struct Pool {
    limits: Cell<Keepalive>,
    /// When it was looked through last: the age of idle connections is told by that, for reading the clock costs
    /// more than anything else about giving one back.
    swept: Cell<Instant>,
    idle: RefCell<AHashMap<PoolKey, Vec<Box<Connection>>>>,
    idle_count: Cell<usize>,
}

impl Pool {
    /// An empty pool.
    pub fn new(limits: Keepalive) -> Self {
        Pool {
            limits: Cell::new(limits),
            swept: Cell::new(Instant::now()),
            idle: RefCell::default(),
            idle_count: Cell::new(0),
        }
    }

    /// The idle connection used last, if one still stands.
    pub fn take(&self, key: &PoolKey) -> Option<Box<Connection>> {
        let mut idle = self.idle.borrow_mut();
        let list = idle.get_mut(key)?;
        while let Some(mut connection) = list.pop() {
            self.idle_count.set(self.idle_count.get() - 1);
            if !connection.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    /// Takes back a connection whose answer has come to its end.
    pub fn give(&self, mut connection: Box<Connection>) {
        let limits = self.limits.get();
        connection.requests += 1;
        connection.used = true;
        let is_full = self.idle_count.get() >= MAX_IDLE_COUNT;
        if connection.requests >= limits.requests || is_full || !connection.is_reusable() {
            return;
        }
        if let Wire::Http1(http1) = &mut connection.wire {
            http1.rest();
        }
        let mut idle = self.idle.borrow_mut();
        if let Some(list) = idle.get_mut(&connection.key) {
            if list.len() < limits.idle {
                self.idle_count.set(self.idle_count.get() + 1);
                connection.idle_since = self.swept.get();
                list.push(connection);
            }
        } else if limits.idle > 0 {
            self.idle_count.set(self.idle_count.get() + 1);
            connection.idle_since = self.swept.get();
            idle.insert(connection.key.clone(), vec![connection]);
        }
    }

    /// Closes what has been idle for too long or was closed by the other side; to be called each second.
    pub fn sweep(&self) {
        let limits = self.limits.get();
        let now = Instant::now();
        self.swept.set(now);
        let mut count = 0;
        self.idle.borrow_mut().retain(|_, list| {
            list.retain_mut(|c| {
                !c.is_closed()
                    && (limits.timeout.is_zero() || now.duration_since(c.idle_since) < limits.timeout)
            });
            count += list.len();
            !list.is_empty()
        });
        self.idle_count.set(count);
    }

    /// Closes all of them.
    pub fn clear(&self) {
        self.idle.borrow_mut().clear();
        self.idle_count.set(0);
    }
}
