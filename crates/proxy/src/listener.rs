//! A listening socket of one worker: accepts connections and spawns their tasks.

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
    worker::{ConnContext, Peer, Worker},
};
use net::{DeferredListener, UnregisteredStream, defer_accept, session_parameters};

/// A listening socket owned by one worker.
pub struct ListenerTask {
    worker: Rc<Worker>,
    listener: Listener,
    acceptor: Option<Acceptor>,
    socket: DeferredListener,
    /// Local address of all connections, if the socket is bound to a specific one.
    local: Option<SocketAddr>,
}

impl ListenerTask {
    /// Registers a socket with the current runtime.
    ///
    /// # Errors
    /// If the runtime cannot register it.
    pub fn new(
        worker: Rc<Worker>,
        listener: Listener,
        acceptor: Option<Acceptor>,
        socket: Socket,
    ) -> io::Result<Rc<Self>> {
        // Accepted sockets inherit it on Linux, which saves a system call each. Best effort.
        let _ = socket.set_tcp_nodelay(true);
        if listener.deferred {
            defer_accept(SockRef::from(&socket), true);
        }
        let socket = DeferredListener::new(socket)?;
        // With an unspecified address, each connection has its own local address.
        let local = socket.local_addr().ok().filter(|local| !local.ip().is_unspecified());
        Ok(Rc::new(ListenerTask { worker, listener, acceptor, socket, local }))
    }

    /// Accepts connections until the task is aborted.
    pub async fn accept(self: Rc<Self>) {
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => self.spawn_connection(stream, peer),
                // EMFILE and the like: wait for descriptors to be freed.
                Err(error) => {
                    self.worker.log_limits.accept.log(|unlogged_events| {
                        tracing::error!(unlogged_events, "cannot accept a connection: {error}");
                    });
                    sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }

    /// Spawns the task of an accepted connection.
    fn spawn_connection(&self, stream: UnregisteredStream, peer: SocketAddr) {
        let guard = self.worker.track_connection();
        let Some(local) = self.local.or_else(|| stream.local_addr().ok()) else { return };
        let Listener { traffic, http2, proxy_protocol, .. } = self.listener;
        // Boxed, or the future would be copied at each move of the task.
        if traffic == Traffic::Http && self.acceptor.is_none() && !http2 && !proxy_protocol {
            let from = Peer { socket: peer, proxy_source: None };
            let conn_ctx = Rc::new(ConnContext::new(Rc::clone(&self.worker), from, local, false, None));
            spawn_local(Box::pin(async move {
                http1::serve(conn_ctx, stream).await;
                drop(guard);
            }));
        } else {
            let (listener, acceptor) = (self.listener.clone(), self.acceptor.clone());
            spawn_local(Box::pin(async move {
                let worker = Rc::clone(&guard.0);
                match stream.into_registered() {
                    Ok(stream) => serve_connection(worker, listener, acceptor, stream, peer, local).await,
                    Err(error) => tracing::error!(%peer, "cannot register a connection: {error}"),
                }
                drop(guard);
            }));
        }
    }

    /// Drops new SYNs, so that no further handshake starts; handshakes in progress complete. The socket must
    /// not be handed over afterwards.
    pub fn block_new_syns(&self) {
        #[cfg(target_os = "linux")]
        {
            use socket2::SockFilter;
            // Classic BPF on the TCP header: a SYN without ACK (flags in byte 13) is dropped. The client
            // retransmits it, and finds the socket closed.
            let program = [
                SockFilter::new(0x30, 0, 0, 13),          // ldb [13]
                SockFilter::new(0x54, 0, 0, 0x12),        // and SYN | ACK
                SockFilter::new(0x15, 0, 1, 0x02),        // jeq SYN, else skip one
                SockFilter::new(0x06, 0, 0, 0),           // ret nothing
                SockFilter::new(0x06, 0, 0, 0xffff_ffff), // ret all
            ];
            // Best effort: without the filter, as on other systems, a connection that arrives within
            // microseconds of the close is reset.
            let _ = self.socket.socket().attach_filter(&program);
        }
    }

    /// Accepts the connections in the kernel's queue before the socket is closed: closing it would reset
    /// them, although the clients see them as established.
    pub fn drain_accept_queue(&self) {
        for _ in 0..self.listener.backlog {
            let Some((stream, peer)) = self.socket.try_accept() else { return };
            self.spawn_connection(stream, peer);
        }
    }
}

/// Serves a connection as its listener is configured. Each protocol's future is boxed, or this one would be
/// as large as all of them together.
async fn serve_connection(
    worker: Rc<Worker>,
    listener: Listener,
    acceptor: Option<Acceptor>,
    mut stream: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
) {
    let mut from = Peer { socket: peer, proxy_source: None };
    let client_timeout = worker.options.header_timeout;
    if listener.proxy_protocol {
        match Box::pin(timeout(client_timeout, proxy_protocol::read(&mut stream))).await {
            Ok(Ok(source)) => from.proxy_source = source,
            _ => return,
        }
    }
    if listener.traffic == Traffic::Streams {
        return Box::pin(stream::serve_connection(worker, acceptor, stream, from, local)).await;
    }
    match acceptor {
        None => {
            let is_http2 = listener.http2
                && Box::pin(timeout(client_timeout, http2::sniff_preface(&stream)))
                    .await
                    .is_ok_and(|is_http2| is_http2);
            let conn_ctx = Rc::new(ConnContext::new(worker, from, local, false, None));
            match is_http2 {
                true => Box::pin(http2::serve(conn_ctx, stream)).await,
                false => Box::pin(http1::serve(conn_ctx, stream)).await,
            }
        }
        Some(acceptor) => {
            let handshake = Box::pin(timeout(client_timeout, accept_tls(&acceptor, stream)));
            let Ok(Ok(stream)) = handshake.await else { return };
            let (_, session) = stream.get_ref();
            let is_http2 = session.alpn_protocol() == Some(b"h2");
            let sni = session.server_name().map(Arc::from);
            let tls = session_parameters(session);
            let mut conn_ctx = ConnContext::new(worker, from, local, true, sni);
            conn_ctx.tls = tls;
            let conn_ctx = Rc::new(conn_ctx);
            match is_http2 {
                true => Box::pin(http2::serve(conn_ctx, stream)).await,
                false => Box::pin(http1::serve(conn_ctx, stream)).await,
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
    use net::has_pending_handshakes;
    use runtime::{self, Gateway, Options};
    use store::Stores;

    /// A listener whose queue is not accepted from.
    fn listener_task(deferred: bool) -> (Rc<Worker>, Rc<ListenerTask>, SocketAddr) {
        let (options, stores) = (Options::default(), Stores::default());
        let (snapshot, _) = runtime::compile(Arc::new(State::default()), &options, &stores, None);
        let worker = Worker::new(Gateway::new(options, stores, snapshot));
        let listener = Listener { deferred, ..Listener::plain((Ipv4Addr::LOCALHOST, 0).into()) };
        let socket = Socket::from(std::net::TcpListener::bind(listener.address).unwrap());
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let task = ListenerTask::new(Rc::clone(&worker), listener, None, socket).unwrap();
        (worker, task, address)
    }

    #[tokio::test]
    async fn queued_connections_are_served_before_the_socket_closes() {
        let (worker, task, address) = listener_task(false);
        // The kernel completes the handshakes; one client sends only after the socket is closed.
        let mut clients: Vec<_> = (0..10).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let send_request =
            |mut client: &std::net::TcpStream| client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        clients[1..].iter().for_each(|client| send_request(client).unwrap());
        let served = async {
            worker.drain(Duration::from_secs(10));
            task.drain_accept_queue();
            drop(task);
            assert!(std::net::TcpStream::connect(address).is_err(), "the socket is closed");
            send_request(&clients[0]).unwrap();
            for client in clients.drain(..) {
                client.set_nonblocking(true).unwrap();
                let mut response = String::new();
                let mut client = TcpStream::from_std(client).unwrap();
                client.read_to_string(&mut response).await.unwrap();
                assert!(response.starts_with("HTTP/1.1 404 "), "{response}");
                assert!(response.contains("Connection: close\r\n"), "{response}");
            }
        };
        LocalSet::new().run_until(served).await;
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn blocking_syns_keeps_the_connections_already_queued() {
        let (worker, task, address) = listener_task(false);
        let _client = std::net::TcpStream::connect(address).unwrap();
        task.block_new_syns();
        let late = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(50));
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut, "a SYN is dropped");
        let accepted = async {
            task.drain_accept_queue();
            worker.open_connections.get()
        };
        assert_eq!(LocalSet::new().run_until(accepted).await, 1);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_deferred_connection_is_accepted_with_its_first_bytes() {
        let (_, task, address) = listener_task(true);
        let mut client = std::net::TcpStream::connect(address).unwrap();
        assert!(task.socket.try_accept().is_none(), "no bytes yet");
        client.write_all(b"G").unwrap();
        assert!(task.socket.try_accept().is_some());
        // The kernel accepts a connection without bytes after a second.
        let _idle_client = std::net::TcpStream::connect(address).unwrap();
        assert!(task.socket.try_accept().is_none() && has_pending_handshakes(&[address.port()]));
        timeout(Duration::from_secs(30), task.socket.accept()).await.unwrap().unwrap();
        assert!(!has_pending_handshakes(&[address.port()]));
        defer_accept(task.socket.socket(), false);
        let _idle_client = std::net::TcpStream::connect(address).unwrap();
        assert!(task.socket.try_accept().is_some());
    }

    #[tokio::test]
    async fn every_queued_connection_is_accepted() {
        let (_, task, address) = listener_task(false);
        let accept = || timeout(Duration::from_secs(30), task.socket.accept());
        for clients in [1, 3, 1] {
            let _clients: Vec<_> =
                (0..clients).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
            for _ in 0..clients {
                accept().await.unwrap().unwrap();
            }
            assert!(timeout(Duration::ZERO, task.socket.accept()).await.is_err(), "the queue is empty");
        }
    }
}
