//! Datagrams: a session to each client address, from its first datagram until it has been silent for as long
//! as the service allows. The kernel keeps a client's datagrams on one worker, so sessions need no lock.

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
    super::worker::{Link, Peer, Worker},
    open::{admit, find},
};
use net::{ConnectionBudget, Reservation};

/// Sessions of a listener and worker; a new client beyond them is not heard.
const SESSIONS: usize = 4096;
/// Datagrams that wait while a session's upstream is looked up; more are lost, as datagrams may be.
const WAITING: usize = 64;
/// Bytes of such datagrams, of all sessions of a listener and worker.
const WAITING_BYTES: usize = 16 * 1024 * 1024;
/// Longest datagram.
const LONGEST: usize = 65_535;

/// A datagram that waits, and the memory that it takes.
type Waiting = (Bytes, Reservation);

type Sessions = Rc<RefCell<AHashMap<SocketAddr, mpsc::Sender<Waiting>>>>;

/// What the sessions of a listener share.
struct Shared {
    worker: Rc<Worker>,
    socket: UdpSocket,
    local: SocketAddr,
    /// For datagrams on their way back; used without an await in between.
    buffer: RefCell<Box<[u8]>>,
}

/// A listener's life.
pub async fn datagrams(worker: Rc<Worker>, socket: UdpSocket) {
    let Ok(local) = socket.local_addr() else { return };
    let buffer = RefCell::new(vec![0; LONGEST].into_boxed_slice());
    let shared = Rc::new(Shared { worker, socket, local, buffer });
    let sessions = Sessions::default();
    let budget = ConnectionBudget::new(Arc::clone(&shared.worker.gateway.memory), WAITING_BYTES);
    let mut buffer = vec![0; LONGEST];
    loop {
        // An error here is about a datagram sent before, to a client that has gone.
        let Ok((count, peer)) = shared.socket.recv_from(&mut buffer).await else {
            sleep(Duration::from_millis(1)).await;
            continue;
        };
        let Ok(reserved) = budget.reserve(count) else {
            shared.worker.log_limits.udp_sessions.log(|unlogged_events| {
                tracing::warn!(%peer, unlogged_events, "a datagram is lost: the memory for those that wait is used up");
            });
            continue;
        };
        let datagram = (Bytes::copy_from_slice(&buffer[..count]), reserved);
        let mut held = sessions.borrow_mut();
        if let Some(session) = held.get(&peer) {
            // Full: lost, as datagrams may be.
            let _ = session.try_send(datagram);
            continue;
        }
        if held.len() >= SESSIONS {
            shared.worker.log_limits.udp_sessions.log(|unlogged_events| {
                tracing::warn!(%peer, unlogged_events, "a datagram is lost: there are {SESSIONS} UDP sessions already");
            });
            continue;
        }
        let (sender, receiver) = mpsc::channel(WAITING);
        let _ = sender.try_send(datagram);
        held.insert(peer, sender);
        drop(held);
        let end = End(Rc::clone(&sessions), peer);
        let shared = Rc::clone(&shared);
        spawn_local(async move {
            if let Err(error) = session(&shared, peer, receiver).await {
                tracing::debug!(%peer, "a UDP session ends: {error}");
            }
            drop(end);
        });
    }
}

/// Forgets a session when it ends, however it ends.
struct End(Sessions, SocketAddr);

impl Drop for End {
    fn drop(&mut self) {
        self.0.borrow_mut().remove(&self.1);
    }
}

async fn session(
    shared: &Shared,
    peer: SocketAddr,
    mut datagrams: mpsc::Receiver<Waiting>,
) -> io::Result<()> {
    let from = Peer { socket: peer, told: None };
    let link = Link::new(Rc::clone(&shared.worker), from, shared.local, false, None);
    let snap = link.worker.snapshot();
    let Some(route) = find(&snap, &link, from, true) else { return Ok(()) };
    let Some(service) = snap.route(route).service.map(|service| Arc::clone(snap.service(service))) else {
        return Ok(());
    };
    if !admit(&snap, &link, route).await {
        return Ok(());
    }
    drop(snap);
    let pick = service.destination.pick(&link.worker.resolver).await.map_err(io::Error::other)?;
    let any: SocketAddr = match pick.address {
        SocketAddr::V4(_) => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let upstream = UdpSocket::bind(any).await?;
    upstream.connect(pick.address).await?;
    let mut end = Instant::now() + service.read_timeout;
    loop {
        select! {
            datagram = datagrams.recv() => {
                let Some((datagram, _reserved)) = datagram else { return Ok(()) };
                upstream.send(&datagram).await?;
            }
            ready = upstream.readable() => {
                ready?;
                let mut buffer = shared.buffer.borrow_mut();
                match upstream.try_recv(&mut buffer) {
                    // A queue that is full loses a datagram; that is what they are like.
                    Ok(count) => drop(shared.socket.try_send_to(&buffer[..count], peer)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                    Err(error) => return Err(error),
                }
            }
            () = sleep_until(end) => return Ok(()),
        }
        end = Instant::now() + service.read_timeout;
    }
}
