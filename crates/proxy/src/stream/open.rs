//! Opens a stream's upstream connection: route, access phase, address, dial.

use std::{io, sync::Arc, time::Duration};

use http::{Method, Request};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;

use super::super::worker::{ConnContext, Peer};
use model::{Ix, Route};
use net::{Body, tls::TlsTarget};
use plugin::{self, Ctx, Exchange, Phase};
use router::StreamInput;
use runtime::{ServiceEntry, Snapshot};
use upstream::{SelectError, Selected};

/// Why a stream cannot reach its service.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no address.
    #[error(transparent)]
    Pick(#[from] SelectError),
    /// The connection was refused or timed out.
    #[error("cannot connect to {address}: {error}")]
    Connect {
        /// The last address tried.
        address: std::net::SocketAddr,
        /// The reason.
        error: io::Error,
    },
}

/// A connection to a service.
pub enum Upstream {
    /// Without TLS.
    Plain(TcpStream),
    /// With TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Finds the route of a connection or datagram.
pub fn find_route(snap: &Snapshot, conn_ctx: &ConnContext, from: Peer, udp: bool) -> Option<Ix<Route>> {
    let client = &conn_ctx.client;
    let port = match from.proxy_source {
        Some(source) if source.ip().to_canonical() == client.ip => source.port(),
        _ => client.peer.port(),
    };
    snap.streams.find(&StreamInput {
        udp,
        sni: client.sni.as_deref(),
        source: (client.ip, port),
        destination: (client.local.ip().to_canonical(), conn_ctx.port),
    })
}

/// Runs the access hooks of the route's plugins; false if one rejects the stream. They see a request without
/// a head: only client, route and service.
pub async fn run_access_phase(snap: &Snapshot, conn_ctx: &ConnContext, route: Ix<Route>) -> bool {
    let entry = snap.route(route);
    if !entry.chain.phases.contains(Phase::Access) {
        return true;
    }
    let mut head = Request::new(());
    *head.method_mut() = Method::CONNECT;
    let request = plugin::Request::from_parts(head.into_parts().0, Body::Empty);
    let mut exchange = Exchange::new(conn_ctx.client.clone(), request, conn_ctx.worker.request_id());
    exchange.route_match = Some(plugin::RouteMatch {
        route,
        service: entry.service,
        matched_len: 0,
        captures: smallvec::SmallVec::new(),
    });
    for slot in &entry.chain.slots {
        if let Some(plugin) = slot.select(exchange.consumer).and_then(|row| snap.plugin(row, Phase::Access)) {
            let call = Ctx { exchange: &mut exchange, state: &snap.state };
            if plugin.access(call).finish().await.is_err() {
                tracing::info!(peer = %conn_ctx.client.peer, "a plugin rejects a stream");
                return false;
            }
        }
    }
    true
}

/// Connects to the service; retries as often as it allows, each time at the address that the balancer
/// selects.
///
/// # Errors
/// If there is no address, or the last attempt fails.
pub async fn connect(
    conn_ctx: &ConnContext,
    service: &ServiceEntry,
    preserve_host: bool,
    is_passthrough: bool,
) -> Result<Upstream, ConnectError> {
    let mut retries_left = service.retries;
    loop {
        let pick = service.destination.select(&conn_ctx.worker.resolver).await?;
        let tls = service.tls.as_ref().filter(|_| !is_passthrough).and_then(|profile| {
            let host = service.host.to_str().unwrap_or("");
            let requested = conn_ctx.client.sni.as_deref().filter(|_| preserve_host);
            let service_host =
                pick.peer.map_or(super::super::validate::split_host_port(host).0, |peer| &peer.name);
            TlsTarget::new(Arc::clone(profile), requested.unwrap_or(service_host))
        });
        match try_connect(&pick, tls.as_ref(), service.connect_timeout).await {
            Ok(upstream) => return Ok(upstream),
            Err(error) if retries_left == 0 => {
                return Err(ConnectError::Connect { address: pick.address, error });
            }
            Err(error) => {
                tracing::debug!("cannot connect to {}: {error}", pick.address);
                retries_left -= 1;
            }
        }
    }
}

/// Connects once; `limit` applies to TCP and TLS each.
async fn try_connect(pick: &Selected<'_>, tls: Option<&TlsTarget>, limit: Duration) -> io::Result<Upstream> {
    let timed_out = |_| io::Error::from(io::ErrorKind::TimedOut);
    let stream = timeout(limit, TcpStream::connect(pick.address)).await.map_err(timed_out)??;
    // Best effort: a socket without the option still works.
    let _ = stream.set_nodelay(true);
    match tls {
        None => Ok(Upstream::Plain(stream)),
        Some(TlsTarget { profile, name, .. }) => {
            let stream =
                timeout(limit, profile.connect(name.clone(), stream, false)).await.map_err(timed_out)??;
            Ok(Upstream::Tls(Box::new(stream)))
        }
    }
}
