//! Streams: connections and datagrams that belong to routes of `tcp`, `tls`, `tls_passthrough` and `udp`.
//!
//! A connection finds its route by addresses and server name, passes the route's plugins (their access
//! hooks; an answer of one closes it), reaches its service, and is copied both ways by `relay` until both
//! ends have said all. Datagrams are in `udp`; reading the server name without taking TLS in is in `hello`.

mod hello;
mod open;
mod relay;
mod udp;

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
pub use udp::datagrams;

use self::{
    open::{Upstream, admit, connect, find},
    relay::relay,
};
use super::{
    tls::Acceptor,
    worker::{Link, Peer, Worker},
};

/// One connection's life.
pub async fn connection(
    worker: Rc<Worker>,
    acceptor: Option<Acceptor>,
    stream: TcpStream,
    from: Peer,
    local: SocketAddr,
) {
    let patience = worker.options.client_timeout;
    match acceptor {
        None => serve(Link::new(worker, from, local, false, None), from, stream, Vec::new()).await,
        Some(acceptor) => {
            let Ok(Some(hello)) = timeout(patience, hello::read(stream)).await else { return };
            let link = Link::new(worker, from, local, true, hello.server_name());
            let snap = link.worker.snapshot();
            // Found twice for those that are taken in: what TLS takes time for may outlive a snapshot.
            let Some(route) = find(&snap, &link, from, false) else { return };
            if snap.route(route).passthrough {
                drop(snap);
                let (stream, seen) = hello.pass_on();
                return serve(link, from, stream, seen).await;
            }
            drop(snap);
            let Ok(Ok(stream)) = timeout(patience, hello.take_in(acceptor.config())).await else { return };
            serve(link, from, stream, Vec::new()).await;
        }
    }
}

/// Copies a client's stream to its service and back. `seen` was read from it already.
async fn serve<C>(link: Link, from: Peer, client: C, seen: Vec<u8>)
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let snap = link.worker.snapshot();
    let Some(route) = find(&snap, &link, from, false) else {
        return tracing::debug!(peer = %link.client.peer, "no route for a stream");
    };
    let entry = snap.route(route);
    let Some(service) = entry.service.map(|service| Arc::clone(snap.service(service))) else { return };
    let passed_on = !seen.is_empty();
    if passed_on && !entry.passthrough {
        return; // The configuration has changed since.
    }
    if !admit(&snap, &link, route).await {
        return;
    }
    let upstream = connect(&link, &service, entry.preserve_host, passed_on).await;
    // A stream may live for days; the configuration that it began with need not.
    drop(snap);
    let limits = (service.read_timeout, service.write_timeout);
    let ended = match upstream {
        Ok(Upstream::Plain(upstream)) => relay(client, upstream, seen, limits).await,
        Ok(Upstream::Tls(upstream)) => relay(client, *upstream, seen, limits).await,
        Err(fault) => return tracing::warn!(peer = %link.client.peer, "a stream ends: {fault}"),
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %link.client.peer, "a stream ends: {error}");
    }
}
