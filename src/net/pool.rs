//! Idle connections to upstreams, one pool to a worker thread.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use ahash::AHashMap;
use tokio::time::Sleep;

use super::Sender;

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

/// A connection that can take a request.
pub struct Connection {
    /// hyper's end of it.
    pub sender: Sender,
    /// Where it goes back to.
    pub key: PoolKey,
    /// Whether it has served a request before.
    pub used: bool,
    requests: u32,
    idle_since: Instant,
    /// Lives as long as the connection: moving a timer's deadline on costs nothing, making one does.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    pub(super) fn new(sender: Sender, key: PoolKey) -> Self {
        Connection { sender, key, used: false, requests: 0, idle_since: Instant::now(), timer: None }
    }

    /// The connection's timer, set to that deadline.
    pub fn deadline(&mut self, at: tokio::time::Instant) -> Pin<&mut Sleep> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if timer.deadline() != at {
            timer.as_mut().reset(at);
        }
        timer.as_mut()
    }

    /// The connection's timer as it was last set.
    pub fn timer(&mut self) -> Option<Pin<&mut Sleep>> {
        self.timer.as_mut().map(|timer| timer.as_mut())
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Idle connections of one worker. Not shared between threads, so it takes no lock.
#[derive(Debug)]
pub struct Pool {
    limits: Cell<Keepalive>,
    idle: RefCell<AHashMap<PoolKey, Vec<Connection>>>,
}

impl Pool {
    /// An empty pool.
    pub fn new(limits: Keepalive) -> Self {
        Pool { limits: Cell::new(limits), idle: RefCell::default() }
    }

    /// The idle connection used last, if one still stands.
    pub fn take(&self, key: &PoolKey) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let list = idle.get_mut(key)?;
        while let Some(connection) = list.pop() {
            if !connection.sender.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    /// Takes back a connection whose answer has come to its end.
    pub fn give(&self, mut connection: Connection) {
        let limits = self.limits.get();
        connection.requests += 1;
        connection.used = true;
        if connection.requests >= limits.requests || connection.sender.is_closed() {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if let Some(list) = idle.get_mut(&connection.key) {
            if list.len() < limits.idle {
                connection.idle_since = Instant::now();
                list.push(connection);
            }
        } else if limits.idle > 0 {
            connection.idle_since = Instant::now();
            idle.insert(connection.key.clone(), vec![connection]);
        }
    }

    /// Closes what has been idle for too long or was closed by the other side; to be called now and then.
    pub fn sweep(&self) {
        let limits = self.limits.get();
        let now = Instant::now();
        self.idle.borrow_mut().retain(|_, list| {
            list.retain(|c| {
                !c.sender.is_closed()
                    && (limits.timeout.is_zero() || now.duration_since(c.idle_since) < limits.timeout)
            });
            !list.is_empty()
        });
    }

    /// Closes all of them.
    pub fn clear(&self) {
        self.idle.borrow_mut().clear();
    }
}
