//! Worker threads and what they accept.
//!
//! Each worker is a thread with its own runtime and its own listening sockets; the kernel spreads
//! connections over them (SO_REUSEPORT).

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

use super::{Listener, Traffic, door::Door, slice, stream, tls::Acceptor, worker::Worker};
use ::runtime::Gateway;
use config::listen::KeepAlive;
use net::{GiveBack, Inherited, Role, defer_accept, is_held_back};

/// The running worker threads.
#[derive(Debug)]
pub struct Workers {
    addresses: Vec<SocketAddr>,
    sockets: Vec<(Role, Socket)>,
    drain: watch::Sender<Option<Drain>>,
    threads: Vec<thread::JoinHandle<usize>>,
}

/// Why the workers do not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened at.
    #[error("cannot listen at {address}: {error}")]
    Listen {
        /// What the address is for.
        role: Role,
        /// The address.
        address: SocketAddr,
        /// The reason.
        error: io::Error,
    },
    /// The system refuses threads or the like.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl StartError {
    fn listening(listener: &Listener, error: io::Error) -> Self {
        StartError::Listen { role: listener.role(), address: listener.address, error }
    }
}

/// How a drain goes.
#[derive(Clone, Copy, Debug, Default)]
struct Drain {
    /// How long it may take.
    limit: Duration,
    /// Another process listens at the same sockets.
    handed_over: bool,
}

/// Cuts a drain short.
#[derive(Debug)]
pub struct Hurry(watch::Sender<Option<Drain>>);

impl Hurry {
    /// What has not ended yet is cut.
    pub fn now(&self) {
        self.0.send_replace(Some(Drain::default()));
    }
}

/// How long handshakes that have begun may take when the sockets close.
const HANDSHAKE: Duration = Duration::from_millis(10);

/// How long the kernel may hold back a client that says nothing: a second, and some time to hear from it.
const SILENCE: Duration = Duration::from_millis(1500);

/// How often is looked whether it still does.
const LOOK: Duration = Duration::from_millis(20);

impl Workers {
    /// Opens the listeners, those that are not among the inherited, and starts the threads.
    ///
    /// # Errors
    /// When an address cannot be bound or a thread cannot be started.
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
        let mut sockets: Vec<Vec<Opening>> = (0..count).map(|_| Vec::new()).collect();
        // What takes time comes first: when one address can be reached, so can all.
        let acceptors = acceptors(&gateway, listeners)?;
        let mut own_sockets = OwnSockets::of(inherited);
        for (listener, acceptor) in listeners.iter().zip(&acceptors) {
            let (address, open, own) = open(listener, count, inherited, &mut own_sockets)
                .map_err(|error| StartError::listening(listener, error))?;
            for (number, socket) in open.into_iter().enumerate() {
                shared.push((listener.role(), socket.try_clone()?));
                let (listener, acceptor) = (listener.clone(), acceptor.clone());
                sockets[number % count].push(Opening { listener, acceptor, socket, own });
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
                    .spawn(move || run(gateway, sockets, drain))
            })
            .collect::<io::Result<_>>()?;
        Ok(Workers { addresses, sockets: shared, drain, threads })
    }

    /// Everything that [`Workers::start`] does before it opens a socket.
    ///
    /// # Errors
    /// When TLS cannot be used as a listener is to use it.
    pub fn check(gateway: &Arc<Gateway>, listeners: &[Listener]) -> Result<(), StartError> {
        acceptors(gateway, listeners).map(|_| ())
    }

    /// The addresses bound, in the order of the listeners, with the ports that 0 became.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// All listening sockets.
    pub fn sockets(&self) -> &[(Role, Socket)] {
        &self.sockets
    }

    /// From now on clients come in as soon as they are connected. The longer this is called before a drain, the
    /// less has that to wait for them.
    pub fn take_in_the_silent(&self) {
        self.sockets.iter().for_each(|(_, socket)| defer_accept(SockRef::from(socket), false));
    }

    /// What cuts a drain short.
    pub fn hurry(&self) -> Hurry {
        Hurry(self.drain.clone())
    }

    /// Stops accepting, lets requests in flight end, for `limit` at most, and joins the threads. Blocks.
    /// Returns how many connections had to be cut.
    pub fn drain(self, limit: Duration) -> usize {
        self.end(Drain { limit, handed_over: false })
    }

    /// The same when another process listens at these sockets from now on.
    pub fn hand_over(self, limit: Duration) -> usize {
        self.end(Drain { limit, handed_over: true })
    }

    /// Clients that the kernel holds back would be cut off when the sockets close. Waits until they have come in,
    /// for `limit` at most, and says how long. Meanwhile all is as before.
    #[allow(clippy::disallowed_methods, reason = "the kernel has no event for it")]
    fn wait_for_the_silent(&self, limit: Duration) -> Duration {
        self.take_in_the_silent();
        let ports: Vec<u16> = self.addresses.iter().map(SocketAddr::port).collect();
        let (begin, limit) = (Instant::now(), limit.min(SILENCE));
        let hurried = || self.drain.borrow().is_some();
        while begin.elapsed() < limit && !hurried() && is_held_back(&ports) {
            thread::sleep(LOOK);
        }
        begin.elapsed()
    }

    fn end(self, mut drain: Drain) -> usize {
        if !drain.handed_over {
            drain.limit = drain.limit.saturating_sub(self.wait_for_the_silent(drain.limit));
        }
        // A socket is closed when the last that holds it lets go: that must be the worker.
        drop(self.sockets);
        // Unless somebody was in a hurry before it began.
        self.drain.send_if_modified(|told| told.is_none() && told.replace(drain).is_none());
        self.threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
    }
}

/// A socket on its way to a worker.
struct Opening {
    listener: Listener,
    /// TLS as the listener speaks it.
    acceptor: Option<Acceptor>,
    socket: Socket,
    /// Whether no other process can hold it.
    own: bool,
}

/// TLS for each listener that uses it.
fn acceptors(gateway: &Arc<Gateway>, listeners: &[Listener]) -> Result<Vec<Option<Acceptor>>, StartError> {
    let acceptor = |listener: &Listener| {
        let acceptor = listener.tls.then(|| Acceptor::new(gateway, listener)).transpose();
        acceptor.map_err(|error| StartError::listening(listener, error))
    };
    listeners.iter().map(acceptor).collect()
}

/// Sockets for a listener, at least one to each of `count` workers; their address, and whether they are new.
fn open(
    listener: &Listener,
    count: usize,
    inherited: &mut Inherited,
    own_sockets: &mut OwnSockets,
) -> io::Result<(SocketAddr, Vec<Socket>, bool)> {
    let mut address = listener.address;
    let mut sockets = inherited.take(listener.role(), address, listener.kind())?;
    if let Some(first) = sockets.first() {
        address = first.local_addr()?.as_socket().unwrap_or(address);
        // Fewer than workers: several accept from the same queue.
        for again in 0..count.saturating_sub(sockets.len()) {
            sockets.push(sockets[again].try_clone()?);
        }
        return Ok((address, sockets, false));
    }
    let exclusive = !listener.shared && !own_sockets.overlap(listener);
    for number in 0..count {
        let socket = bind(address, listener, exclusive && number == 0)?;
        // Where the system chose the port, the other workers take the same.
        address = socket.local_addr()?.as_socket().unwrap_or(address);
        sockets.push(socket);
    }
    own_sockets.add(address, listener.kind(), listener.only_v6);
    Ok((address, sockets, true))
}

/// Addresses at which this process, or the one that handed its sockets over, listens: another address of ours may
/// include one of them (`0.0.0.0:80` includes `127.0.0.1:80`).
struct OwnSockets(Vec<(SocketAddr, Type, bool)>);

impl OwnSockets {
    fn of(inherited: &Inherited) -> Self {
        let mut own = OwnSockets(Vec::new());
        for (address, kind) in inherited.bound() {
            own.add(address, kind, false);
        }
        own
    }

    fn add(&mut self, address: SocketAddr, kind: Type, only_v6: bool) {
        self.0.push((address, kind, only_v6));
    }

    /// Whether the system takes the listener's address and one of these for the same.
    fn overlap(&self, listener: &Listener) -> bool {
        let (new, new_only_v6) = (listener.address, listener.only_v6);
        // An unspecified IPv6 address takes IPv4 connections too, unless told otherwise.
        let includes = |wide: SocketAddr, only_v6: bool, other: SocketAddr| {
            wide.ip().is_unspecified() && (wide.is_ipv4() == other.is_ipv4() || wide.is_ipv6() && !only_v6)
        };
        self.0.iter().any(|(own, kind, own_only_v6)| {
            *kind == listener.kind()
                && own.port() == new.port()
                && (own.ip() == new.ip()
                    || includes(*own, *own_only_v6, new)
                    || includes(new, new_only_v6, *own))
        })
    }
}

/// A listening socket. If it is exclusive, the address must be free: without `SO_REUSEPORT` the system refuses an
/// address at which any socket listens, and so it does if another process opens it at the same moment. Connections of a
/// process that has ended (TIME_WAIT) do not count, thanks to `SO_REUSEADDR`. Once it listens, the sockets of the other
/// workers may join it.
fn bind(address: SocketAddr, listener: &Listener, exclusive: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), listener.kind(), None)?;
    // With datagrams it would let several sockets have one address.
    socket.set_reuse_address(listener.kind() == Type::STREAM)?;
    socket.set_reuse_port(!exclusive)?;
    if address.is_ipv6() {
        socket.set_only_v6(listener.only_v6)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if listener.kind() == Type::STREAM {
        // What is accepted inherits it.
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

/// A worker's life: accepts until it is told to drain, then waits for its connections.
fn run(gateway: Arc<Gateway>, sockets: Vec<Opening>, mut drain: watch::Receiver<Option<Drain>>) -> usize {
    slice::ask_for_less();
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
        let (mut doors, mut udp) = (Vec::new(), Vec::new());
        for Opening { listener, acceptor, socket, own } in sockets {
            if listener.traffic == Traffic::Datagrams {
                let Ok(socket) = UdpSocket::from_std(socket.into()) else { continue };
                udp.push(spawn_local(stream::datagrams(Rc::clone(&worker), socket)));
                continue;
            }
            let Ok(door) = Door::new(Rc::clone(&worker), listener, acceptor, socket) else { continue };
            let accepting = spawn_local(Rc::clone(&door).accept());
            doors.push((door, own, accepting));
        }
        let upkeep = spawn_local(upkeep(Rc::clone(&worker)));
        let wanted = drain.wait_for(Option::is_some).await.ok().and_then(|drain| *drain);
        let Drain { limit, handed_over } = wanted.unwrap_or_default();
        worker.drain(limit);
        udp.iter().for_each(JoinHandle::abort);
        if !handed_over && !limit.is_zero() {
            doors.iter().filter(|(_, own, _)| *own).for_each(|(door, ..)| door.refuse_newcomers());
            sleep(HANDSHAKE.min(limit)).await;
        }
        for (door, _, accepting) in doors {
            accepting.abort();
            // It holds the socket: gone before the queue is emptied, so that closing follows at once.
            let _ = accepting.await;
            door.empty();
        }
        let ended = async {
            while worker.links.get() > 0 {
                worker.ended.notified().await;
            }
        };
        select! {
            _ = timeout(limit, ended) => {}
            _ = drain.wait_for(|drain| drain.is_some_and(|drain| drain.limit.is_zero())) => {}
        }
        upkeep.abort();
        worker.links.get()
    })
}

/// Each second: closes idle upstream connections, lets go of former snapshots, and wakes who waits for that.
async fn upkeep(worker: Rc<Worker>) {
    let mut ticks = interval(Duration::from_secs(1));
    let mut memory = GiveBack::default();
    loop {
        ticks.tick().await;
        worker.pool.sweep();
        memory.tick(worker.links.get(), worker.requests.get());
        worker.ticks.notify_waiters();
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
    fn whoever_is_in_a_hurry_before_a_drain_begins_is_heard() {
        use std::io::Write;
        let (options, stores) = (Options { workers: 1, ..Options::default() }, Stores::default());
        let (snapshot, _) = runtime::compile(Arc::new(State::default()), &options, &stores, None);
        let gateway = Gateway::new(options, stores, snapshot);
        let listeners = [Listener::plain((Ipv4Addr::LOCALHOST, 0).into())];
        let workers = Workers::start(gateway, &listeners, &mut Inherited::default()).unwrap();
        let mut client = std::net::TcpStream::connect(workers.addresses()[0]).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        workers.hurry().now();
        assert_eq!(workers.drain(Duration::from_secs(600)), 1, "what is open is cut");
    }

    #[test]
    fn sockets_are_made_as_the_listener_s_flags_say() {
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
    fn an_address_that_is_in_use_is_refused_unless_it_may_be_shared() {
        let open_with =
            |listener: &Listener, own: &mut OwnSockets| open(listener, 2, &mut Inherited::default(), own);
        let fresh = || OwnSockets(Vec::new());
        for traffic in [Traffic::Http, Traffic::Datagrams] {
            let free = Listener { traffic, ..Listener::plain((Ipv4Addr::LOCALHOST, 0).into()) };
            let mut own = fresh();
            let (address, sockets, _) = open_with(&free, &mut own).expect("a free port");
            assert_eq!(sockets.len(), 2, "both workers listen at the same address");
            let taken = Listener { address, ..free.clone() };
            let refused = open_with(&taken, &mut fresh()).expect_err("in use");
            assert_eq!(refused.kind(), io::ErrorKind::AddrInUse, "{traffic:?}");
            let wide = Listener { address: (Ipv4Addr::UNSPECIFIED, address.port()).into(), ..free.clone() };
            assert!(open_with(&wide, &mut fresh()).is_err(), "{traffic:?}: it includes the one in use");
            assert!(open_with(&wide, &mut own).is_ok(), "{traffic:?}: a second address of the same process");
            drop(sockets);
        }
        let free = Listener { shared: true, ..Listener::plain((Ipv4Addr::LOCALHOST, 0).into()) };
        let (address, _sockets, _) = open_with(&free, &mut fresh()).expect("a free port");
        let taken = Listener { address, ..free };
        assert!(open_with(&taken, &mut fresh()).is_ok(), "shared on purpose");
    }

    #[test]
    fn an_address_can_be_taken_again_while_connections_of_before_linger() {
        let free = Listener::plain((Ipv4Addr::LOCALHOST, 0).into());
        let (address, sockets, _) =
            open(&free, 1, &mut Inherited::default(), &mut OwnSockets(Vec::new())).expect("a free port");
        let client = std::net::TcpStream::connect(address).expect("a connection");
        sockets[0].set_nonblocking(false).unwrap();
        let (accepted, _) = sockets[0].accept().unwrap();
        // The side that closes first is left in TIME_WAIT.
        drop((accepted, sockets));
        drop(client);
        let again = Listener { address, ..free };
        open(&again, 1, &mut Inherited::default(), &mut OwnSockets(Vec::new())).expect("restarted");
    }
}
