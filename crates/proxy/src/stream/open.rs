//! What happens before the first byte is copied: the route, its plugins, the service's address, the connection.

use std::{io, sync::Arc, time::Duration};

use http::{Method, Request};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;

use super::super::worker::{Link, Peer};
use model::{Ix, Route};
use net::{Body, tls::TlsTarget};
use plugin::{self, Call, Exchange};
use router::Connection;
use runtime::{ServiceEntry, Snapshot};
use upstream::{Pick, PickError};

/// Why a stream does not reach its service.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// There is no address.
    #[error(transparent)]
    Pick(#[from] PickError),
    /// Nobody answers there.
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
    /// As it is.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

/// The route of a connection, or of a datagram.
pub fn find(snap: &Snapshot, link: &Link, from: Peer, udp: bool) -> Option<Ix<Route>> {
    let client = &link.client;
    let port = match from.told {
        Some(told) if told.ip().to_canonical() == client.ip => told.port(),
        _ => client.peer.port(),
    };
    snap.streams.find(&Connection {
        udp,
        sni: client.sni.as_deref(),
        source: (client.ip, port),
        destination: (client.local.ip().to_canonical(), link.port),
    })
}

/// Runs the access hooks of the route's plugins; false when one refuses. They see a request without a head:
/// who asks, the route and its service.
pub async fn admit(snap: &Snapshot, link: &Link, route: Ix<Route>) -> bool {
    let entry = snap.route(route);
    if !entry.chain.phases.access {
        return true;
    }
    let mut head = Request::new(());
    *head.method_mut() = Method::CONNECT;
    let request = plugin::Request::from_parts(head.into_parts().0, Body::Empty);
    let mut exchange = Exchange::new(link.client.clone(), request, link.worker.request_id());
    exchange.matched = Some(plugin::Matched {
        route,
        service: entry.service,
        matched: 0,
        captures: smallvec::SmallVec::new(),
    });
    for slot in entry.chain.slots.iter().filter(|slot| slot.phases.access) {
        if let Some(plugin) = slot.pick(exchange.consumer).and_then(|row| snap.plugin(row)) {
            let call = Call { exchange: &mut exchange, state: &snap.state };
            if plugin.access(call).finish().await.is_err() {
                tracing::info!(peer = %link.client.peer, "a plugin refuses a stream");
                return false;
            }
        }
    }
    true
}

/// Connects to the service: as often as it allows, each time where the balancer says.
///
/// # Errors
/// When there is no address, or nobody answers at the last one tried.
pub async fn connect(
    link: &Link,
    service: &ServiceEntry,
    preserve_host: bool,
    passed_on: bool,
) -> Result<Upstream, Fault> {
    let mut left = service.retries;
    loop {
        let pick = service.destination.pick(&link.worker.resolver).await?;
        let tls = service.tls.as_ref().filter(|_| !passed_on).and_then(|profile| {
            let host = service.host.to_str().unwrap_or("");
            let asked = link.client.sni.as_deref().filter(|_| preserve_host);
            let own = pick.peer.map_or(super::super::admit::split_host(host).0, |peer| &peer.name);
            TlsTarget::new(Arc::clone(profile), asked.unwrap_or(own))
        });
        match attempt(&pick, tls.as_ref(), service.connect_timeout).await {
            Ok(upstream) => return Ok(upstream),
            Err(error) if left == 0 => return Err(Fault::Connect { address: pick.address, error }),
            Err(error) => {
                tracing::debug!("cannot connect to {}: {error}", pick.address);
                left -= 1;
            }
        }
    }
}

/// One try; the limit covers TCP and TLS each.
async fn attempt(pick: &Pick<'_>, tls: Option<&TlsTarget>, limit: Duration) -> io::Result<Upstream> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    let stream = timeout(limit, TcpStream::connect(pick.address)).await.map_err(late)??;
    // Only a hint: a socket that cannot have it still works.
    let _ = stream.set_nodelay(true);
    match tls {
        None => Ok(Upstream::Plain(stream)),
        Some(TlsTarget { profile, name, .. }) => {
            let stream =
                timeout(limit, profile.connect(name.clone(), stream, false)).await.map_err(late)??;
            Ok(Upstream::Tls(Box::new(stream)))
        }
    }
}
