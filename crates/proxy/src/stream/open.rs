//! Opens a stream's upstream connection: route, preread phase, address, dial.

use std::{cell::Cell, io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;

use super::super::worker::{ConnContext, Peer};
use model::{Ix, Protocol, Route};
use net::tls::TlsTarget;
use plugin::{Phase, StreamCtx, StreamEnd, StreamRejection, StreamSession};
use router::StreamInput;
use runtime::{ServiceEntry, Snapshot, SnapshotRef};
use upstream::{InFlight, SelectError, Tried, TryResult};

/// Why a stream cannot reach its service.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no address.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The connection was refused or timed out.
    #[error("cannot connect to {address}: {error}")]
    Connect {
        /// The last address tried.
        address: SocketAddr,
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

/// A stream's session while plugins are interested in it, and the snapshot whose plugins these are.
pub struct PluginSession {
    session: StreamSession,
    snap: SnapshotRef,
}

/// Runs the preread hooks of the route's plugins, and returns the session for their log hooks; `Err` if one closes the
/// stream. A chain without hooks for streams costs nothing.
pub async fn run_preread(
    snap: &SnapshotRef,
    conn_ctx: &ConnContext,
    route: Ix<Route>,
    protocol: Protocol,
) -> Result<Option<PluginSession>, ()> {
    let entry = snap.route(route);
    let phases = entry.chain.phases;
    if !phases.contains(Phase::Preread) && !phases.contains(Phase::StreamLog) {
        return Ok(None);
    }
    let id = conn_ctx.worker.request_id();
    let session = StreamSession::new(conn_ctx.client.clone(), id, protocol, route, entry.service);
    let mut opened = PluginSession { session, snap: SnapshotRef::clone(snap) };
    for slot in &entry.chain.slots {
        if let Some(plugin) = slot.select(None).and_then(|row| snap.plugin(row, Phase::Preread)) {
            let ctx = StreamCtx { session: &mut opened.session, state: &snap.state };
            if let Err(StreamRejection(reason)) = plugin.preread(ctx).finish().await {
                tracing::info!(peer = %conn_ctx.client.peer, "a plugin rejects a stream: {reason}");
                opened.log(&Transferred::default(), Some(reason));
                return Err(());
            }
        }
    }
    // A stream may last for days: its snapshot is released, unless a plugin will log it.
    Ok(phases.contains(Phase::StreamLog).then_some(opened))
}

/// Bytes that have been copied in each direction.
#[derive(Debug, Default)]
pub struct Transferred {
    pub from_client: Cell<u64>,
    pub from_upstream: Cell<u64>,
}

impl PluginSession {
    /// Runs the log hooks.
    pub fn log(mut self, transferred: &Transferred, error: Option<String>) {
        let session = &mut self.session;
        session.end = Some(StreamEnd {
            bytes_from_client: transferred.from_client.get(),
            bytes_from_upstream: transferred.from_upstream.get(),
            duration: session.started_at.elapsed(),
            error,
        });
        for slot in &self.snap.route(session.route).chain.slots {
            if let Some(plugin) = slot.select(None).and_then(|row| self.snap.plugin(row, Phase::StreamLog)) {
                plugin.stream_log(StreamCtx { session, state: &self.snap.state });
            }
        }
    }
}

/// Connects to the service; retries as often as it allows, each time at the address that the balancer
/// selects. The guard counts the stream as in flight at its target.
///
/// # Errors
/// If there is no address, or the last attempt fails.
pub async fn connect(
    conn_ctx: &ConnContext,
    service: &ServiceEntry,
    preserve_host: bool,
    is_passthrough: bool,
) -> Result<(Upstream, Option<InFlight>), ConnectError> {
    let mut retries_left = service.retries;
    let mut tried = Tried::default();
    loop {
        let selected = service.destination.select(&conn_ctx.worker.resolver, None, &mut tried).await?;
        let tls = service.tls.as_ref().filter(|_| !is_passthrough).and_then(|profile| {
            let host = service.host.to_str().unwrap_or("");
            let requested = conn_ctx.client.sni.as_deref().filter(|_| preserve_host);
            let service_host = selected
                .target
                .map_or(super::super::validate::split_host_port(host).0, |target| &target.name);
            TlsTarget::new(Arc::clone(profile), requested.unwrap_or(service_host))
        });
        let address = selected.address;
        let error = match try_connect(address, tls.as_ref(), service.connect_timeout).await {
            Ok(upstream) => {
                selected.report(TryResult::Connected);
                return Ok((upstream, selected.into_in_flight()));
            }
            Err(error) => error,
        };
        selected.report(match error.kind() {
            io::ErrorKind::TimedOut => TryResult::TimedOut,
            _ => TryResult::ConnectionFailed,
        });
        if retries_left == 0 {
            return Err(ConnectError::Connect { address, error });
        }
        tracing::debug!("cannot connect to {address}: {error}");
        retries_left -= 1;
    }
}

/// Connects once; `limit` applies to TCP and TLS each.
async fn try_connect(address: SocketAddr, tls: Option<&TlsTarget>, limit: Duration) -> io::Result<Upstream> {
    let timed_out = |_| io::Error::from(io::ErrorKind::TimedOut);
    let stream = timeout(limit, TcpStream::connect(address)).await.map_err(timed_out)??;
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
