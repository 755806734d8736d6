//! Streams: TCP and TLS connections and UDP datagrams of routes with `tcp`, `tls`, `tls_passthrough` and
//! `udp`.
//!
//! A connection is routed by addresses and server name, runs the preread phase of the route's plugins, and is
//! copied to its service by `relay` until both directions have ended. Datagrams are in `udp`; `client_hello`
//! reads the server name without terminating TLS.

mod client_hello;
mod open;
mod relay;
mod udp;

use std::{net::SocketAddr, rc::Rc, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
pub use udp::serve_datagrams;

use self::{
    open::{Transferred, Upstream, connect, find_route, run_preread},
    relay::relay,
};
use super::{
    tls::Acceptor,
    worker::{ConnContext, Peer, Worker},
};
use model::Protocol;

/// Serves a connection of a stream listener.
pub async fn serve_connection(
    worker: Rc<Worker>,
    acceptor: Option<Acceptor>,
    stream: TcpStream,
    from: Peer,
    local: SocketAddr,
) {
    let client_timeout = worker.options.header_timeout;
    match acceptor {
        None => {
            proxy_stream(ConnContext::new(worker, from, local, false, None), from, stream, Vec::new()).await
        }
        Some(acceptor) => {
            let Ok(Some(hello)) = timeout(client_timeout, client_hello::read(stream)).await else { return };
            let conn_ctx = ConnContext::new(worker, from, local, true, hello.server_name());
            let snap = conn_ctx.worker.snapshot();
            // Looked up again after termination: the handshake may outlive the snapshot.
            let Some(route) = find_route(&snap, &conn_ctx, from, false) else { return };
            if snap.route(route).passthrough {
                drop(snap);
                let (stream, replay) = hello.into_replay();
                return proxy_stream(conn_ctx, from, stream, replay).await;
            }
            drop(snap);
            let Ok(Ok(stream)) = timeout(client_timeout, hello.complete_handshake(acceptor.config())).await
            else {
                return;
            };
            proxy_stream(conn_ctx, from, stream, Vec::new()).await;
        }
    }
}

/// Copies a client's stream to its service and back. `replay` has been read from it already.
async fn proxy_stream<C>(conn_ctx: ConnContext, from: Peer, client: C, replay: Vec<u8>)
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let snap = conn_ctx.worker.snapshot();
    let Some(route) = find_route(&snap, &conn_ctx, from, false) else {
        return tracing::debug!(peer = %conn_ctx.client.peer, "no route for a stream");
    };
    let entry = snap.route(route);
    let Some(service) = entry.service.map(|service| Arc::clone(snap.service(service))) else { return };
    let is_passthrough = !replay.is_empty();
    if is_passthrough && !entry.passthrough {
        return; // The configuration has changed since.
    }
    let protocol = match (is_passthrough, conn_ctx.client.is_tls) {
        (true, _) => Protocol::TlsPassthrough,
        (false, true) => Protocol::Tls,
        (false, false) => Protocol::Tcp,
    };
    let Ok(session) = run_preread(&snap, &conn_ctx, route, protocol).await else { return };
    let upstream = connect(&conn_ctx, &service, entry.preserve_host, is_passthrough).await;
    // A stream may last for days: its snapshot is released.
    drop(snap);
    let timeouts = (service.read_timeout, service.write_timeout);
    let transferred = Transferred::default();
    let relayed = match upstream {
        Ok((Upstream::Plain(upstream), _in_flight)) => {
            relay(client, upstream, replay, timeouts, &transferred).await
        }
        Ok((Upstream::Tls(upstream), _in_flight)) => {
            relay(client, *upstream, replay, timeouts, &transferred).await
        }
        Err(error) => {
            tracing::warn!(peer = %conn_ctx.client.peer, "a stream ends: {error}");
            if let Some(session) = session {
                session.log(&transferred, Some(error.to_string()));
            }
            return;
        }
    };
    if let Err(error) = &relayed {
        tracing::debug!(peer = %conn_ctx.client.peer, "a stream ends: {error}");
    }
    if let Some(session) = session {
        session.log(&transferred, relayed.err().map(|error| error.to_string()));
    }
}
