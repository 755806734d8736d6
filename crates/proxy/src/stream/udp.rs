//! UDP: a session per client address, from its first datagram until none has passed for the service's read
//! timeout. The kernel delivers a client's datagrams to one worker, so that sessions need no lock.

use std::{cell::RefCell, io, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use ahash::AHashMap;
use bytes::Bytes;
use tokio::{
    net::UdpSocket,
    select,
    sync::mpsc,
    task::spawn_local,
    time::{Instant, sleep, sleep_until},
};

use super::{
    super::worker::{ConnContext, Peer, Worker},
    open::{Transferred, find_route, run_preread},
};
use model::Protocol;
use net::{ConnectionBudget, Reservation};
use runtime::ServiceEntry;
use upstream::Tried;

/// Maximum number of sessions of a listener and worker; datagrams of further clients are dropped.
const MAX_SESSIONS: usize = 4096;
/// Datagrams queued while a session's upstream is resolved; more are dropped.
const MAX_QUEUED_DATAGRAMS: usize = 64;
/// Bytes of queued datagrams, of all sessions of a listener and worker.
const MAX_QUEUED_BYTES: usize = 16 * 1024 * 1024;
/// Maximum length of a datagram.
const MAX_DATAGRAM_BYTES: usize = 65_535;

/// A queued datagram, and the memory reserved for it.
type QueuedDatagram = (Bytes, Reservation);

type Sessions = Rc<RefCell<AHashMap<SocketAddr, mpsc::Sender<QueuedDatagram>>>>;

/// State that the sessions of a listener share.
struct UdpListener {
    worker: Rc<Worker>,
    socket: UdpSocket,
    local: SocketAddr,
    /// Buffer for datagrams from upstreams; never borrowed across an await.
    buffer: RefCell<Box<[u8]>>,
}

/// Receives a listener's datagrams and dispatches them to sessions.
pub async fn serve_datagrams(worker: Rc<Worker>, socket: UdpSocket) {
    let Ok(local) = socket.local_addr() else { return };
    let buffer = RefCell::new(vec![0; MAX_DATAGRAM_BYTES].into_boxed_slice());
    let listener = Rc::new(UdpListener { worker, socket, local, buffer });
    let sessions = Sessions::default();
    let budget = ConnectionBudget::new(Arc::clone(&listener.worker.gateway.memory), MAX_QUEUED_BYTES);
    let mut buffer = vec![0; MAX_DATAGRAM_BYTES];
    loop {
        // An error here reports a datagram sent before, to a client that has closed its port.
        let Ok((count, peer)) = listener.socket.recv_from(&mut buffer).await else {
            sleep(Duration::from_millis(1)).await;
            continue;
        };
        let Ok(reserved) = budget.reserve(count) else {
            listener.worker.log_limits.udp_sessions.log(|unlogged_events| {
                tracing::warn!(%peer, unlogged_events, "a datagram is dropped: the memory for queued datagrams is exhausted");
            });
            continue;
        };
        let datagram = (Bytes::copy_from_slice(&buffer[..count]), reserved);
        let mut open_sessions = sessions.borrow_mut();
        if let Some(session) = open_sessions.get(&peer) {
            // Dropped if the queue is full.
            let _ = session.try_send(datagram);
            continue;
        }
        if open_sessions.len() >= MAX_SESSIONS {
            listener.worker.log_limits.udp_sessions.log(|unlogged_events| {
                tracing::warn!(%peer, unlogged_events, "a datagram is dropped: there are {MAX_SESSIONS} UDP sessions already");
            });
            continue;
        }
        let (sender, receiver) = mpsc::channel(MAX_QUEUED_DATAGRAMS);
        let _ = sender.try_send(datagram);
        open_sessions.insert(peer, sender);
        drop(open_sessions);
        let guard = SessionGuard(Rc::clone(&sessions), peer);
        let listener = Rc::clone(&listener);
        spawn_local(async move {
            if let Err(error) = run_session(&listener, peer, receiver).await {
                tracing::debug!(%peer, "a UDP session ends: {error}");
            }
            drop(guard);
        });
    }
}

/// Removes a session when it ends, also by a panic.
struct SessionGuard(Sessions, SocketAddr);

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.0.borrow_mut().remove(&self.1);
    }
}

async fn run_session(
    listener: &UdpListener,
    peer: SocketAddr,
    mut datagrams: mpsc::Receiver<QueuedDatagram>,
) -> io::Result<()> {
    let from = Peer { socket: peer, proxy_source: None };
    let conn_ctx = ConnContext::new(Rc::clone(&listener.worker), from, listener.local, false, None);
    let snap = conn_ctx.worker.snapshot();
    let Some(route) = find_route(&snap, &conn_ctx, from, true) else { return Ok(()) };
    let Some(service) = snap.route(route).service.map(|service| Arc::clone(snap.service(service))) else {
        return Ok(());
    };
    let Ok(session) = run_preread(&snap, &conn_ctx, route, Protocol::Udp).await else { return Ok(()) };
    drop(snap);
    let transferred = Transferred::default();
    let result = relay_datagrams(listener, &conn_ctx, &service, peer, &mut datagrams, &transferred).await;
    if let Some(session) = session {
        session.log(&transferred, result.as_ref().err().map(ToString::to_string));
    }
    result
}

/// Sends datagrams to the service and back, until none has passed for its read timeout.
async fn relay_datagrams(
    listener: &UdpListener,
    conn_ctx: &ConnContext,
    service: &ServiceEntry,
    peer: SocketAddr,
    datagrams: &mut mpsc::Receiver<QueuedDatagram>,
    transferred: &Transferred,
) -> io::Result<()> {
    let resolver = &conn_ctx.worker.resolver;
    // Counts the session as in flight at its target.
    let selected =
        service.destination.select(resolver, None, &mut Tried::default()).await.map_err(io::Error::other)?;
    let any: SocketAddr = match selected.address {
        SocketAddr::V4(_) => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let upstream = UdpSocket::bind(any).await?;
    upstream.connect(selected.address).await?;
    let mut idle_deadline = Instant::now() + service.read_timeout;
    loop {
        select! {
            datagram = datagrams.recv() => {
                let Some((datagram, _reserved)) = datagram else { return Ok(()) };
                upstream.send(&datagram).await?;
                let sent = &transferred.from_client;
                sent.set(sent.get() + datagram.len() as u64);
            }
            ready = upstream.readable() => {
                ready?;
                let mut buffer = listener.buffer.borrow_mut();
                match upstream.try_recv(&mut buffer) {
                    // Dropped if the socket's buffer is full.
                    Ok(count) => {
                        drop(listener.socket.try_send_to(&buffer[..count], peer));
                        let sent = &transferred.from_upstream;
                        sent.set(sent.get() + count as u64);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                    Err(error) => return Err(error),
                }
            }
            () = sleep_until(idle_deadline) => return Ok(()),
        }
        idle_deadline = Instant::now() + service.read_timeout;
    }
}
