//! Worker threads and their listening sockets.
//!
//! Each worker is a thread with its own runtime and its own sockets; the kernel spreads connections over them
//! (`SO_REUSEPORT`).

use std::{
    io,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use tokio::{
    net::UdpSocket,
    runtime, select,
    sync::watch,
    task::{JoinHandle, spawn_local},
    time::{interval, sleep, timeout},
};

use super::{Listener, Traffic, listener::ListenerTask, sched, stream, tls::Acceptor, worker::Worker};
use ::runtime::Gateway;
use config::listen::KeepAlive;
use net::{Inherited, MemoryReturnPolicy, Role, defer_accept, has_pending_handshakes};

/// The running worker threads.
#[derive(Debug)]
pub struct Workers {
    addresses: Vec<SocketAddr>,
    sockets: Vec<(Role, Socket)>,
    drain: watch::Sender<Option<Drain>>,
    threads: Vec<thread::JoinHandle<usize>>,
}

/// Why the workers cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened at.
    #[error("cannot listen at {address}: {error}")]
    Listen {
        /// Role of the address.
        role: Role,
        /// The address.
        address: SocketAddr,
        /// The reason.
        error: io::Error,
    },
    /// The system refuses a thread or another resource.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl StartError {
    fn listen(listener: &Listener, error: io::Error) -> Self {
        StartError::Listen { role: listener.role(), address: listener.address, error }
    }
}

/// How a drain proceeds.
#[derive(Clone, Copy, Debug, Default)]
struct Drain {
    /// Maximum duration.
    limit: Duration,
    /// Whether another process has taken the sockets over.
    handed_over: bool,
}

/// Handle that ends a drain early.
#[derive(Debug)]
pub struct ForceShutdown(watch::Sender<Option<Drain>>);

impl ForceShutdown {
    /// Closes the connections that are still open.
    pub fn trigger(&self) {
        self.0.send_replace(Some(Drain::default()));
    }
}

/// How long handshakes that have started may take before the sockets close.
const HANDSHAKE_GRACE: Duration = Duration::from_millis(10);

/// How long the kernel may hold a deferred connection back without bytes: one second, and a margin for the
/// handshake.
const DEFER_ACCEPT_MAX_WAIT: Duration = Duration::from_millis(1500);

/// Interval at which deferred connections are polled for.
const DEFER_ACCEPT_POLL_INTERVAL: Duration = Duration::from_millis(20);

impl Workers {
    /// Opens the listeners that are not inherited, and starts the threads.
    ///
    /// # Errors
    /// If an address cannot be bound or a thread cannot be started.
    pub fn start(
        gateway: Arc<Gateway>,
        listeners: &[Listener],
        inherited: &mut Inherited,
    ) -> Result<Workers, StartError> {
        let count = match gateway.options.workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let mut addresses = Vec::with_capacity(listeners.len());
        let mut shared = Vec::new();
        let mut sockets: Vec<Vec<WorkerSocket>> = (0..count).map(|_| Vec::new()).collect();
        // Slow work first: once one address accepts connections, all do.
        let acceptors = acceptors(&gateway, listeners)?;
        let mut bound = BoundAddresses::of(inherited);
        for (listener, acceptor) in listeners.iter().zip(&acceptors) {
            let (address, open, is_exclusive) = open(listener, count, inherited, &mut bound)
                .map_err(|error| StartError::listen(listener, error))?;
            for (number, socket) in open.into_iter().enumerate() {
                shared.push((listener.role(), socket.try_clone()?));
                let (listener, acceptor) = (listener.clone(), acceptor.clone());
                sockets[number % count].push(WorkerSocket { listener, acceptor, socket, is_exclusive });
            }
            addresses.push(address);
        }
        let (drain, _) = watch::channel(None);
        let threads = sockets
            .into_iter()
            .enumerate()
            .map(|(number, sockets)| {
                let gateway = Arc::clone(&gateway);
                let drain = drain.subscribe();
                thread::Builder::new()
                    .name(format!("worker-{number}"))
                    .spawn(move || run_worker(number, gateway, sockets, drain))
            })
            .collect::<io::Result<_>>()?;
        Ok(Workers { addresses, sockets: shared, drain, threads })
    }

    /// Does what [`Workers::start`] does before it opens a socket.
    ///
    /// # Errors
    /// If TLS cannot be configured for a listener.
    pub fn check(gateway: &Arc<Gateway>, listeners: &[Listener]) -> Result<(), StartError> {
        acceptors(gateway, listeners).map(|_| ())
    }

    /// The bound addresses in the order of the listeners, with the ports that the system chose for 0.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// All listening sockets.
    pub fn sockets(&self) -> &[(Role, Socket)] {
        &self.sockets
    }

    /// Clears `TCP_DEFER_ACCEPT`, so that connections are accepted without waiting for bytes. The earlier it
    /// is called before a drain, the less the drain has to wait.
    pub fn disable_defer_accept(&self) {
        self.sockets.iter().for_each(|(_, socket)| defer_accept(SockRef::from(socket), false));
    }

    /// Returns the handle that ends a drain early.
    pub fn force_shutdown_handle(&self) -> ForceShutdown {
        ForceShutdown(self.drain.clone())
    }

    /// Stops accepting, waits for requests in flight, for `limit` at most, and joins the threads. Blocks.
    /// Returns the number of connections that were closed forcibly.
    pub fn drain(self, limit: Duration) -> usize {
        self.shutdown(Drain { limit, handed_over: false })
    }

    /// Drains after another process has taken the sockets over.
    pub fn hand_over(self, limit: Duration) -> usize {
        self.shutdown(Drain { limit, handed_over: true })
    }

    /// Waits for the connections that the kernel holds back: closing the sockets would reset them. Waits for
    /// `limit` at most, and returns how long it took; connections are accepted as usual meanwhile.
    #[allow(clippy::disallowed_methods, reason = "the kernel has no event for it")]
    fn wait_for_deferred_connections(&self, limit: Duration) -> Duration {
        self.disable_defer_accept();
        let ports: Vec<u16> = self.addresses.iter().map(SocketAddr::port).collect();
        let (start, limit) = (Instant::now(), limit.min(DEFER_ACCEPT_MAX_WAIT));
        let is_forced = || self.drain.borrow().is_some();
        while start.elapsed() < limit && !is_forced() && has_pending_handshakes(&ports) {
            thread::sleep(DEFER_ACCEPT_POLL_INTERVAL);
        }
        start.elapsed()
    }

    fn shutdown(self, mut drain: Drain) -> usize {
        if !drain.handed_over {
            drain.limit = drain.limit.saturating_sub(self.wait_for_deferred_connections(drain.limit));
        }
        // A socket is closed with its last handle: that must be the worker's.
        drop(self.sockets);
        // Unless a forced shutdown came first.
        self.drain.send_if_modified(|drain_request| {
            drain_request.is_none() && drain_request.replace(drain).is_none()
        });
        self.threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
    }
}

/// A socket on its way to its worker.
struct WorkerSocket {
    listener: Listener,
    /// TLS configuration, if the listener uses TLS.
    acceptor: Option<Acceptor>,
    socket: Socket,
    /// Whether no other process can have a handle.
    is_exclusive: bool,
}

/// Creates the TLS configuration of each listener that uses it.
fn acceptors(gateway: &Arc<Gateway>, listeners: &[Listener]) -> Result<Vec<Option<Acceptor>>, StartError> {
    let acceptor = |listener: &Listener| {
        let acceptor = listener.tls.then(|| Acceptor::new(gateway, listener)).transpose();
        acceptor.map_err(|error| StartError::listen(listener, error))
    };
    listeners.iter().map(acceptor).collect()
}

/// Opens a listener's sockets, at least one per worker. Returns their address, and whether they are new.
fn open(
    listener: &Listener,
    count: usize,
    inherited: &mut Inherited,
    bound: &mut BoundAddresses,
) -> io::Result<(SocketAddr, Vec<Socket>, bool)> {
    let mut address = listener.address;
    let mut sockets = inherited.claim(listener.role(), address, listener.socket_type())?;
    if let Some(first) = sockets.first() {
        address = first.local_addr()?.as_socket().unwrap_or(address);
        // Fewer than workers: several accept from the same queue.
        for again in 0..count.saturating_sub(sockets.len()) {
            sockets.push(sockets[again].try_clone()?);
        }
        return Ok((address, sockets, false));
    }
    let is_exclusive = !listener.shared && !bound.overlap(listener);
    for number in 0..count {
        let socket = bind(address, listener, is_exclusive && number == 0)?;
        // Where the system chose the port, the other workers bind the same.
        address = socket.local_addr()?.as_socket().unwrap_or(address);
        sockets.push(socket);
    }
    bound.add(address, listener.socket_type(), listener.only_v6);
    Ok((address, sockets, true))
}

/// Addresses that this process, or the one that handed its sockets over, listens at: another listener may
/// include one of them (`0.0.0.0:80` includes `127.0.0.1:80`).
struct BoundAddresses(Vec<(SocketAddr, Type, bool)>);

impl BoundAddresses {
    fn of(inherited: &Inherited) -> Self {
        let mut bound = BoundAddresses(Vec::new());
        for (address, kind) in inherited.unclaimed() {
            bound.add(address, kind, false);
        }
        bound
    }

    fn add(&mut self, address: SocketAddr, kind: Type, only_v6: bool) {
        self.0.push((address, kind, only_v6));
    }

    /// Whether the system treats the listener's address and one of these as the same.
    fn overlap(&self, listener: &Listener) -> bool {
        let (new, new_only_v6) = (listener.address, listener.only_v6);
        // An unspecified IPv6 address includes IPv4, unless `IPV6_V6ONLY` is set.
        let includes = |wide: SocketAddr, only_v6: bool, other: SocketAddr| {
            wide.ip().is_unspecified() && (wide.is_ipv4() == other.is_ipv4() || wide.is_ipv6() && !only_v6)
        };
        self.0.iter().any(|(bound, kind, bound_only_v6)| {
            *kind == listener.socket_type()
                && bound.port() == new.port()
                && (bound.ip() == new.ip()
                    || includes(*bound, *bound_only_v6, new)
                    || includes(new, new_only_v6, *bound))
        })
    }
}

/// Opens a listening socket. If it is exclusive, the address must be free: without `SO_REUSEPORT` the system
/// rejects an address with any listening socket, also one that another process opens at the same moment.
/// `SO_REUSEADDR` permits connections of an ended process (TIME_WAIT). Once it listens, the other workers'
/// sockets may join.
fn bind(address: SocketAddr, listener: &Listener, exclusive: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), listener.socket_type(), None)?;
    // For datagrams, it would permit several sockets at one address.
    socket.set_reuse_address(listener.socket_type() == Type::STREAM)?;
    socket.set_reuse_port(!exclusive)?;
    if address.is_ipv6() {
        socket.set_only_v6(listener.only_v6)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if listener.socket_type() == Type::STREAM {
        // Accepted sockets inherit it.
        match listener.so_keepalive {
            None => {}
            Some(KeepAlive::Off) => socket.set_keepalive(false)?,
            Some(KeepAlive::On) => socket.set_keepalive(true)?,
            Some(KeepAlive::Times { idle, interval, count }) => {
                let probes = TcpKeepalive::new();
                let probes = if let Some(time) = idle { probes.with_time(time) } else { probes };
                let probes = if let Some(time) = interval { probes.with_interval(time) } else { probes };
                let probes = if let Some(count) = count { probes.with_retries(count) } else { probes };
                socket.set_tcp_keepalive(&probes)?;
            }
        }
        socket.listen(i32::try_from(listener.backlog).unwrap_or(i32::MAX))?;
    }
    socket.set_reuse_port(true)?;
    Ok(socket)
}

/// Runs a worker: accepts until a drain is requested, then waits for its connections. Returns how many were
/// closed forcibly.
fn run_worker(
    number: usize,
    gateway: Arc<Gateway>,
    sockets: Vec<WorkerSocket>,
    mut drain: watch::Receiver<Option<Drain>>,
) -> usize {
    sched::set_short_timeslice();
    telemetry::set_worker(number);
    let options = runtime::LocalOptions::default();
    let runtime = match runtime::Builder::new_current_thread().enable_all().build_local(options) {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("a worker cannot start: {error}");
            return 0;
        }
    };
    let worker = Worker::new(gateway);
    runtime.block_on(async {
        let (mut listeners, mut udp) = (Vec::new(), Vec::new());
        for WorkerSocket { listener, acceptor, socket, is_exclusive } in sockets {
            if listener.traffic == Traffic::Datagrams {
                let Ok(socket) = UdpSocket::from_std(socket.into()) else { continue };
                udp.push(spawn_local(stream::serve_datagrams(Rc::clone(&worker), socket)));
                continue;
            }
            let Ok(task) = ListenerTask::new(Rc::clone(&worker), listener, acceptor, socket) else {
                continue;
            };
            let accepting = spawn_local(Rc::clone(&task).accept());
            listeners.push((task, is_exclusive, accepting));
        }
        let maintenance = spawn_local(run_maintenance(Rc::clone(&worker)));
        let requested = drain.wait_for(Option::is_some).await.ok().and_then(|drain| *drain);
        let Drain { limit, handed_over } = requested.unwrap_or_default();
        worker.drain(limit);
        udp.iter().for_each(JoinHandle::abort);
        if !handed_over && !limit.is_zero() {
            listeners
                .iter()
                .filter(|(_, is_exclusive, _)| *is_exclusive)
                .for_each(|(task, ..)| task.block_new_syns());
            sleep(HANDSHAKE_GRACE.min(limit)).await;
        }
        for (task, _, accepting) in listeners {
            accepting.abort();
            // The accept task has a handle of the socket: it must be dropped before the queue is drained, so
            // that the socket closes right after.
            let _ = accepting.await;
            task.drain_accept_queue();
        }
        let all_closed = async {
            while worker.open_connections.get() > 0 {
                worker.connection_closed.notified().await;
            }
        };
        select! {
            _ = timeout(limit, all_closed) => {}
            _ = drain.wait_for(|drain| drain.is_some_and(|drain| drain.limit.is_zero())) => {}
        }
        maintenance.abort();
        worker.is_shut_down.set(true);
        worker.open_connections.get()
    })
}

/// Each second: evicts idle upstream connections, releases replaced snapshots, and wakes tasks that wait for
/// the tick.
async fn run_maintenance(worker: Rc<Worker>) {
    let mut ticks = interval(Duration::from_secs(1));
    let mut memory = MemoryReturnPolicy::default();
    loop {
        ticks.tick().await;
        worker.pool.evict_idle();
        memory.tick(worker.open_connections.get(), worker.requests.get());
        worker.housekeeping_tick.notify_waiters();
        drop(worker.snapshot());
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use ::runtime::{self, Options};
    use model::State;
    use store::Stores;

    #[test]
    fn a_forced_shutdown_before_the_drain_applies() {
        use std::io::Write;
        let (options, stores) = (Options { workers: 1, ..Options::default() }, Stores::default());
        let (snapshot, _) = runtime::compile(Arc::new(State::default()), &options, &stores, None);
        let gateway = Gateway::new(options, stores, snapshot);
        let listeners = [Listener::plain((Ipv4Addr::LOCALHOST, 0).into())];
        let workers = Workers::start(gateway, &listeners, &mut Inherited::default()).unwrap();
        let mut client = std::net::TcpStream::connect(workers.addresses()[0]).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        workers.force_shutdown_handle().trigger();
        assert_eq!(workers.drain(Duration::from_secs(600)), 1, "the open connection is closed");
    }

    #[test]
    fn socket_options_follow_the_listener_flags() {
        let probes = KeepAlive::Times { idle: Some(Duration::from_secs(77)), interval: None, count: Some(3) };
        let listener = Listener {
            only_v6: false,
            so_keepalive: Some(probes),
            ..Listener::plain("[::]:0".parse().unwrap())
        };
        let socket = bind(listener.address, &listener, true).unwrap();
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        assert!(!socket.only_v6().unwrap());
        let _client = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        socket.set_nonblocking(false).unwrap();
        let (accepted, _) = socket.accept().unwrap();
        assert!(accepted.keepalive().unwrap());
        assert_eq!(accepted.tcp_keepalive_time().unwrap(), Duration::from_secs(77));
        assert_eq!(accepted.tcp_keepalive_retries().unwrap(), 3);
        let alone = Listener::plain("[::1]:0".parse().unwrap());
        assert!(bind(alone.address, &alone, true).unwrap().only_v6().unwrap());
    }

    #[test]
    fn an_address_in_use_is_rejected_unless_shared() {
        let open_with = |listener: &Listener, bound: &mut BoundAddresses| {
            open(listener, 2, &mut Inherited::default(), bound)
        };
        let fresh = || BoundAddresses(Vec::new());
        for traffic in [Traffic::Http, Traffic::Datagrams] {
            let free = Listener { traffic, ..Listener::plain((Ipv4Addr::LOCALHOST, 0).into()) };
            let mut bound = fresh();
            let (address, sockets, _) = open_with(&free, &mut bound).expect("a free port");
            assert_eq!(sockets.len(), 2, "both workers listen at the same address");
            let in_use = Listener { address, ..free.clone() };
            let rejected = open_with(&in_use, &mut fresh()).expect_err("in use");
            assert_eq!(rejected.kind(), io::ErrorKind::AddrInUse, "{traffic:?}");
            let wide = Listener { address: (Ipv4Addr::UNSPECIFIED, address.port()).into(), ..free.clone() };
            assert!(open_with(&wide, &mut fresh()).is_err(), "{traffic:?}: it includes the one in use");
            assert!(
                open_with(&wide, &mut bound).is_ok(),
                "{traffic:?}: a second address of the same process"
            );
            drop(sockets);
        }
        let free = Listener { shared: true, ..Listener::plain((Ipv4Addr::LOCALHOST, 0).into()) };
        let (address, _sockets, _) = open_with(&free, &mut fresh()).expect("a free port");
        let in_use = Listener { address, ..free };
        assert!(open_with(&in_use, &mut fresh()).is_ok(), "shared on purpose");
    }

    #[test]
    fn an_address_in_time_wait_can_be_bound_again() {
        let free = Listener::plain((Ipv4Addr::LOCALHOST, 0).into());
        let (address, sockets, _) =
            open(&free, 1, &mut Inherited::default(), &mut BoundAddresses(Vec::new())).expect("a free port");
        let client = std::net::TcpStream::connect(address).expect("a connection");
        sockets[0].set_nonblocking(false).unwrap();
        let (accepted, _) = sockets[0].accept().unwrap();
        // The side that closes first is left in TIME_WAIT.
        drop((accepted, sockets));
        drop(client);
        let again = Listener { address, ..free };
        open(&again, 1, &mut Inherited::default(), &mut BoundAddresses(Vec::new())).expect("restarted");
    }
}
