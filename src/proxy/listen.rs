//! Worker threads and what they accept.
//!
//! Each worker is a thread with its own runtime and its own listening sockets; the kernel spreads
//! connections over them (SO_REUSEPORT).

use std::{io, net::SocketAddr, pin::pin, rc::Rc, sync::Arc, thread, time::Duration};

use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    select,
    sync::watch,
    task::{JoinHandle, LocalSet, spawn_local},
    time::{interval, sleep, timeout},
};

use super::{
    Listener, Traffic, proxy_protocol,
    serve::{serve_http1, serve_http2, speaks_http2},
    stream,
    tls::{Acceptor, accept_tls},
    worker::{Link, Peer, Worker},
};
use crate::{
    config::listen::KeepAlive,
    net::{Inherited, Role},
    runtime::Gateway,
};

/// The running worker threads.
#[derive(Debug)]
pub struct Workers {
    addresses: Vec<SocketAddr>,
    sockets: Vec<(Role, Socket)>,
    drain: watch::Sender<Option<Duration>>,
    threads: Vec<thread::JoinHandle<usize>>,
}

/// Cuts a drain short.
#[derive(Debug)]
pub struct Hurry(watch::Sender<Option<Duration>>);

impl Hurry {
    /// What has not ended yet is cut.
    pub fn now(&self) {
        self.0.send_replace(Some(Duration::ZERO));
    }
}

impl Workers {
    /// Opens the listeners, those that are not among the inherited, and starts the threads.
    ///
    /// # Errors
    /// When an address cannot be bound or a thread cannot be started.
    pub fn start(
        gateway: Arc<Gateway>,
        listeners: &[Listener],
        inherited: &mut Inherited,
    ) -> io::Result<Workers> {
        let count = match gateway.options.workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let mut addresses = Vec::with_capacity(listeners.len());
        let mut shared = Vec::new();
        let mut sockets: Vec<Vec<(Spoken, Socket)>> = (0..count).map(|_| Vec::new()).collect();
        for listener in listeners {
            let acceptor = listener.tls.then(|| Acceptor::new(&gateway, listener)).transpose()?;
            let (address, open) = open(listener, count, inherited)?;
            for (number, socket) in open.into_iter().enumerate() {
                shared.push((listener.role(), socket.try_clone()?));
                sockets[number % count].push(((listener.clone(), acceptor.clone()), socket));
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

    /// The addresses bound, in the order of the listeners, with the ports that 0 became.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// All listening sockets.
    pub fn sockets(&self) -> &[(Role, Socket)] {
        &self.sockets
    }

    /// What cuts a drain short.
    pub fn hurry(&self) -> Hurry {
        Hurry(self.drain.clone())
    }

    /// Stops accepting, lets requests in flight end, for `limit` at most, and joins the threads. Blocks.
    /// Returns how many connections had to be cut.
    pub fn drain(self, limit: Duration) -> usize {
        // A socket is closed when the last that holds it lets go: that must be the worker.
        drop(self.sockets);
        self.drain.send_replace(Some(limit));
        self.threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
    }
}

/// A listener, and TLS as it speaks it.
type Spoken = (Listener, Option<Acceptor>);

/// Sockets for a listener, at least one to each of `count` workers, and their address.
fn open(
    listener: &Listener,
    count: usize,
    inherited: &mut Inherited,
) -> io::Result<(SocketAddr, Vec<Socket>)> {
    let mut address = listener.address;
    let mut sockets = inherited.take(listener.role(), address, listener.kind())?;
    if let Some(first) = sockets.first() {
        address = first.local_addr()?.as_socket().unwrap_or(address);
        // Fewer than workers: several accept from the same queue.
        for again in 0..count.saturating_sub(sockets.len()) {
            sockets.push(sockets[again].try_clone()?);
        }
        return Ok((address, sockets));
    }
    for _ in 0..count {
        let socket = bind(address, listener)?;
        // Where the system chose the port, the other workers take the same.
        address = socket.local_addr()?.as_socket().unwrap_or(address);
        sockets.push(socket);
    }
    Ok((address, sockets))
}

fn bind(address: SocketAddr, listener: &Listener) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), listener.kind(), None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
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
    Ok(socket)
}

/// A worker's life: accepts until it is told to drain, then waits for its connections.
fn run(
    gateway: Arc<Gateway>,
    sockets: Vec<(Spoken, Socket)>,
    mut drain: watch::Receiver<Option<Duration>>,
) -> usize {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("a worker cannot start: {error}");
            return 0;
        }
    };
    let worker = Worker::new(gateway);
    let local = LocalSet::new();
    let left = local.block_on(&runtime, async {
        let (mut doors, mut udp) = (Vec::new(), Vec::new());
        for ((listener, acceptor), socket) in sockets {
            if listener.traffic == Traffic::Datagrams {
                let Ok(socket) = UdpSocket::from_std(socket.into()) else { continue };
                udp.push(spawn_local(stream::datagrams(Rc::clone(&worker), socket)));
                continue;
            }
            let Ok(socket) = TcpListener::from_std(socket.into()) else { continue };
            let door = Rc::new(Door { worker: Rc::clone(&worker), listener, acceptor, socket });
            let accepting = spawn_local(accept(Rc::clone(&door)));
            doors.push((door, accepting));
        }
        let upkeep = spawn_local(upkeep(Rc::clone(&worker)));
        let limit = drain.wait_for(Option::is_some).await.ok().and_then(|limit| *limit).unwrap_or_default();
        worker.drain(limit);
        udp.iter().for_each(JoinHandle::abort);
        for (door, accepting) in doors {
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
            _ = drain.wait_for(|limit| *limit == Some(Duration::ZERO)) => {}
        }
        upkeep.abort();
        worker.links.get()
    });
    drop(local);
    left
}

/// Closes idle upstream connections and lets go of former snapshots.
async fn upkeep(worker: Rc<Worker>) {
    let mut ticks = interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        worker.pool.sweep();
        drop(worker.snapshot());
    }
}

/// A listening socket, and how what comes in is spoken to.
struct Door {
    worker: Rc<Worker>,
    listener: Listener,
    acceptor: Option<Acceptor>,
    socket: TcpListener,
}

impl Door {
    /// Lets a connection live.
    fn enter(&self, stream: TcpStream, peer: SocketAddr) {
        let guard = self.worker.open();
        let (listener, acceptor) = (self.listener.clone(), self.acceptor.clone());
        spawn_local(async move {
            let worker = Rc::clone(&guard.0);
            connection(worker, listener, acceptor, stream, peer).await;
            drop(guard);
        });
    }

    /// Takes in what the kernel holds for this socket: closing it would reset those connections, whose
    /// clients believe they are connected.
    fn empty(&self) {
        let socket = SockRef::from(&self.socket);
        for _ in 0..self.listener.backlog {
            let Ok((stream, peer)) = socket.accept() else { return };
            let (Ok(()), Some(peer)) = (stream.set_nonblocking(true), peer.as_socket()) else { continue };
            if let Ok(stream) = TcpStream::from_std(stream.into()) {
                self.enter(stream, peer);
            }
        }
    }
}

async fn accept(door: Rc<Door>) {
    loop {
        match door.socket.accept().await {
            Ok((stream, peer)) => door.enter(stream, peer),
            // Out of file descriptors: some will be free soon.
            Err(error) => {
                tracing::warn!("cannot accept: {error}");
                sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

async fn connection(
    worker: Rc<Worker>,
    listener: Listener,
    acceptor: Option<Acceptor>,
    mut stream: TcpStream,
    peer: SocketAddr,
) {
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let patience = worker.options.client_timeout;
    let mut from = Peer { socket: peer, told: None };
    if listener.proxy_protocol {
        match timeout(patience, proxy_protocol::read(&mut stream)).await {
            Ok(Ok(told)) => from.told = told,
            _ => return,
        }
    }
    if listener.traffic == Traffic::Streams {
        return stream::connection(worker, acceptor, stream, from, local).await;
    }
    match acceptor {
        None => {
            let http2 =
                listener.http2 && timeout(patience, speaks_http2(&stream)).await.is_ok_and(|spoken| spoken);
            let link = Rc::new(Link::new(worker, from, local, false, None));
            if http2 { serve_http2(link, stream).await } else { serve_http1(link, stream).await }
        }
        Some(acceptor) => {
            let mut handshake = pin!(accept_tls(&acceptor, stream));
            let Ok(Ok(stream)) = timeout(patience, handshake.as_mut()).await else { return };
            let (_, session) = stream.get_ref();
            let http2 = session.alpn_protocol() == Some(b"h2");
            let sni = session.server_name().map(Arc::from);
            let link = Rc::new(Link::new(worker, from, local, true, sni));
            if http2 { serve_http2(link, stream).await } else { serve_http1(link, stream).await }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::Ipv4Addr};

    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::{model::State, runtime, runtime::Options, store::Stores};

    #[test]
    fn sockets_are_made_as_the_listener_s_flags_say() {
        let probes = KeepAlive::Times { idle: Some(Duration::from_secs(77)), interval: None, count: Some(3) };
        let listener = Listener {
            only_v6: false,
            so_keepalive: Some(probes),
            ..Listener::plain("[::]:0".parse().unwrap())
        };
        let socket = bind(listener.address, &listener).unwrap();
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        assert!(!socket.only_v6().unwrap());
        let _client = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        socket.set_nonblocking(false).unwrap();
        let (accepted, _) = socket.accept().unwrap();
        assert!(accepted.keepalive().unwrap());
        assert_eq!(accepted.tcp_keepalive_time().unwrap(), Duration::from_secs(77));
        assert_eq!(accepted.tcp_keepalive_retries().unwrap(), 3);
        let alone = Listener::plain("[::1]:0".parse().unwrap());
        assert!(bind(alone.address, &alone).unwrap().only_v6().unwrap());
    }

    #[tokio::test]
    async fn connections_that_wait_in_the_queue_are_served_before_it_closes() {
        let (options, stores) = (Options::default(), Stores::default());
        let (snapshot, _) = runtime::compile(Arc::new(State::default()), &options, &stores, None);
        let worker = Worker::new(Gateway::new(options, stores, snapshot));
        let listener = Listener::plain((Ipv4Addr::LOCALHOST, 0).into());
        let socket = TcpListener::from_std(bind(listener.address, &listener).unwrap().into()).unwrap();
        let address = socket.local_addr().unwrap();
        // The kernel connects them although nobody has accepted; one sends only after the socket is closed.
        let mut clients: Vec<_> = (0..10).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let ask = |mut client: &std::net::TcpStream| client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        clients[1..].iter().for_each(|client| ask(client).unwrap());
        let door = Door { worker: Rc::clone(&worker), listener, acceptor: None, socket };
        let served = async {
            worker.drain(Duration::from_secs(10));
            door.empty();
            drop(door);
            assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
            ask(&clients[0]).unwrap();
            for client in clients.drain(..) {
                client.set_nonblocking(true).unwrap();
                let mut answer = String::new();
                let mut client = TcpStream::from_std(client).unwrap();
                client.read_to_string(&mut answer).await.unwrap();
                assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
                assert!(answer.contains("connection: close\r\n"), "{answer}");
            }
        };
        LocalSet::new().run_until(served).await;
    }
}
