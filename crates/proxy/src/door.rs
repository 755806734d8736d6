//! A worker's listening socket: what comes in is spoken to, and nobody is lost when it closes.

use std::{io, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use socket2::{SockRef, Socket};
use tokio::{
    net::TcpStream,
    task::spawn_local,
    time::{sleep, timeout},
};

use super::{
    Listener, Traffic, http1, http2, proxy_protocol, stream,
    tls::{Acceptor, accept_tls},
    worker::{Link, Peer, Worker},
};
use net::{LazyListener, LazyStream, defer_accept};

/// A listening socket, and how what comes in is spoken to.
pub struct Door {
    worker: Rc<Worker>,
    listener: Listener,
    acceptor: Option<Acceptor>,
    socket: LazyListener,
    /// Our end of all connections, if it is bound to one address.
    local: Option<SocketAddr>,
}

impl Door {
    /// Takes a socket over. To be called on the worker's runtime.
    ///
    /// # Errors
    /// When the runtime cannot watch it.
    pub fn new(
        worker: Rc<Worker>,
        listener: Listener,
        acceptor: Option<Acceptor>,
        socket: Socket,
    ) -> io::Result<Rc<Self>> {
        // Inherited by what is accepted on Linux, so that no connection has to ask. Only a hint.
        let _ = socket.set_tcp_nodelay(true);
        if listener.deferred {
            defer_accept(SockRef::from(&socket), true);
        }
        let socket = LazyListener::new(socket)?;
        // Bound to all addresses, each connection tells which of them it came to.
        let local = socket.local_addr().ok().filter(|local| !local.ip().is_unspecified());
        Ok(Rc::new(Door { worker, listener, acceptor, socket, local }))
    }

    /// Accepts for as long as it is let.
    pub async fn accept(self: Rc<Self>) {
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => self.enter(stream, peer),
                // Out of file descriptors: some will be free soon.
                Err(error) => {
                    self.worker.log_limits.accept.log(|unlogged_events| {
                        tracing::error!(unlogged_events, "cannot accept a connection: {error}");
                    });
                    sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }

    /// Lets a connection live.
    fn enter(&self, stream: LazyStream, peer: SocketAddr) {
        let guard = self.worker.open();
        let Some(local) = self.local.or_else(|| stream.local_addr().ok()) else { return };
        let Listener { traffic, http2, proxy_protocol, .. } = self.listener;
        // Boxed, or it would be copied with each step of a task's life.
        if traffic == Traffic::Http && self.acceptor.is_none() && !http2 && !proxy_protocol {
            let from = Peer { socket: peer, told: None };
            let link = Rc::new(Link::new(Rc::clone(&self.worker), from, local, false, None));
            spawn_local(Box::pin(async move {
                http1::serve(link, stream).await;
                drop(guard);
            }));
        } else {
            let (listener, acceptor) = (self.listener.clone(), self.acceptor.clone());
            spawn_local(Box::pin(async move {
                let worker = Rc::clone(&guard.0);
                match stream.watched() {
                    Ok(stream) => connection(worker, listener, acceptor, stream, peer, local).await,
                    Err(error) => tracing::error!(%peer, "cannot wait for a connection's bytes: {error}"),
                }
                drop(guard);
            }));
        }
    }

    /// Lets no new connection begin; those whose handshake has begun still come in. Nobody may listen at this
    /// socket later.
    pub fn refuse_newcomers(&self) {
        #[cfg(target_os = "linux")]
        {
            use socket2::SockFilter;
            // A classic BPF program over the TCP header: of its flags (byte 13) SYN without ACK is dropped.
            // A client whose SYN is lost tries again, and finds the socket closed.
            let program = [
                SockFilter::new(0x30, 0, 0, 13),          // ldb [13]
                SockFilter::new(0x54, 0, 0, 0x12),        // and SYN | ACK
                SockFilter::new(0x15, 0, 1, 0x02),        // jeq SYN, else skip one
                SockFilter::new(0x06, 0, 0, 0),           // ret nothing
                SockFilter::new(0x06, 0, 0, 0xffff_ffff), // ret all
            ];
            // Refused by the system, a connection may come too late by microseconds, as on other systems.
            let _ = self.socket.socket().attach_filter(&program);
        }
    }

    /// Takes in what the kernel holds for this socket: closing it would reset those connections, whose
    /// clients believe they are connected.
    pub fn empty(&self) {
        for _ in 0..self.listener.backlog {
            let Some((stream, peer)) = self.socket.waiting() else { return };
            self.enter(stream, peer);
        }
    }
}

/// Serves a connection as its listener says. What serves it is boxed, or it would be as large as all of these
/// futures together.
async fn connection(
    worker: Rc<Worker>,
    listener: Listener,
    acceptor: Option<Acceptor>,
    mut stream: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
) {
    let mut from = Peer { socket: peer, told: None };
    let patience = worker.options.client_timeout;
    if listener.proxy_protocol {
        match Box::pin(timeout(patience, proxy_protocol::read(&mut stream))).await {
            Ok(Ok(told)) => from.told = told,
            _ => return,
        }
    }
    if listener.traffic == Traffic::Streams {
        return Box::pin(stream::connection(worker, acceptor, stream, from, local)).await;
    }
    match acceptor {
        None => {
            let spoken = listener.http2
                && Box::pin(timeout(patience, http2::is_spoken(&stream))).await.is_ok_and(|spoken| spoken);
            let link = Rc::new(Link::new(worker, from, local, false, None));
            match spoken {
                true => Box::pin(http2::serve(link, stream)).await,
                false => Box::pin(http1::serve(link, stream)).await,
            }
        }
        Some(acceptor) => {
            let handshake = Box::pin(timeout(patience, accept_tls(&acceptor, stream)));
            let Ok(Ok(stream)) = handshake.await else { return };
            let (_, session) = stream.get_ref();
            let spoken = session.alpn_protocol() == Some(b"h2");
            let sni = session.server_name().map(Arc::from);
            let link = Rc::new(Link::new(worker, from, local, true, sni));
            match spoken {
                true => Box::pin(http2::serve(link, stream)).await,
                false => Box::pin(http1::serve(link, stream)).await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::Ipv4Addr};

    use tokio::{io::AsyncReadExt, task::LocalSet};

    use super::*;
    use model::State;
    #[cfg(target_os = "linux")]
    use net::is_held_back;
    use runtime::{self, Gateway, Options};
    use store::Stores;

    /// A door that nobody accepts at.
    fn door(deferred: bool) -> (Rc<Worker>, Rc<Door>, SocketAddr) {
        let (options, stores) = (Options::default(), Stores::default());
        let (snapshot, _) = runtime::compile(Arc::new(State::default()), &options, &stores, None);
        let worker = Worker::new(Gateway::new(options, stores, snapshot));
        let listener = Listener { deferred, ..Listener::plain((Ipv4Addr::LOCALHOST, 0).into()) };
        let socket = Socket::from(std::net::TcpListener::bind(listener.address).unwrap());
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let door = Door::new(Rc::clone(&worker), listener, None, socket).unwrap();
        (worker, door, address)
    }

    #[tokio::test]
    async fn connections_that_wait_in_the_queue_are_served_before_it_closes() {
        let (worker, door, address) = door(false);
        // The kernel connects them although nobody has accepted; one sends only after the socket is closed.
        let mut clients: Vec<_> = (0..10).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let ask = |mut client: &std::net::TcpStream| client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        clients[1..].iter().for_each(|client| ask(client).unwrap());
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
                assert!(answer.contains("Connection: close\r\n"), "{answer}");
            }
        };
        LocalSet::new().run_until(served).await;
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_door_that_refuses_newcomers_still_lets_in_who_stands_there() {
        let (worker, door, address) = door(false);
        let _client = std::net::TcpStream::connect(address).unwrap();
        door.refuse_newcomers();
        let late = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(50));
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut, "a SYN is dropped");
        let let_in = async {
            door.empty();
            worker.links.get()
        };
        assert_eq!(LocalSet::new().run_until(let_in).await, 1);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_client_comes_in_with_its_first_words() {
        let (_, door, address) = door(true);
        let mut client = std::net::TcpStream::connect(address).unwrap();
        assert!(door.socket.waiting().is_none(), "it has said nothing");
        client.write_all(b"G").unwrap();
        assert!(door.socket.waiting().is_some());
        // Nobody waits for words for ever.
        let _silent = std::net::TcpStream::connect(address).unwrap();
        assert!(door.socket.waiting().is_none() && is_held_back(&[address.port()]));
        timeout(Duration::from_secs(30), door.socket.accept()).await.unwrap().unwrap();
        assert!(!is_held_back(&[address.port()]));
        defer_accept(door.socket.socket(), false);
        let _silent = std::net::TcpStream::connect(address).unwrap();
        assert!(door.socket.waiting().is_some());
    }

    #[tokio::test]
    async fn clients_are_accepted_one_by_one_and_all() {
        let (_, door, address) = door(false);
        let accept = || timeout(Duration::from_secs(30), door.socket.accept());
        for clients in [1, 3, 1] {
            let _clients: Vec<_> =
                (0..clients).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
            for _ in 0..clients {
                accept().await.unwrap().unwrap();
            }
            assert!(timeout(Duration::ZERO, door.socket.accept()).await.is_err(), "nobody is left");
        }
    }
}
