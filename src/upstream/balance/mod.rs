//! Which target of an upstream takes the next request.

mod round_robin;

use http::HeaderValue;

use self::round_robin::RoundRobin;
use super::{Destination, PickError, host_and_port, host_header};
use crate::model::{Target, Upstream};

/// A target, ready to be asked for its address.
#[derive(Debug)]
pub struct Peer {
    /// Host as written.
    pub name: Box<str>,
    /// Where it is.
    pub destination: Destination,
    /// Host header in the clear, and through TLS.
    hosts: [HeaderValue; 2],
}

impl Peer {
    fn new(target: &str) -> Self {
        let (host, port) = host_and_port(target);
        Peer {
            name: host.into(),
            destination: Destination::direct(host, port),
            hosts: [80, 443].map(|own| host_header(host, port, own)),
        }
    }

    /// Host header, where the upstream has none for all of its targets.
    pub fn host(&self, tls: bool) -> &HeaderValue {
        &self.hosts[usize::from(tls)]
    }
}

/// The targets of one upstream and the order they take turns in.
#[derive(Debug)]
pub struct Balancer {
    /// The upstream's name.
    pub name: Box<str>,
    /// Host header for all targets, if the upstream has one.
    pub host_header: Option<HeaderValue>,
    peers: Box<[Peer]>,
    // Consistent hashing, least connections and latency become variants beside it.
    order: RoundRobin,
}

impl Balancer {
    /// A balancer over these targets; those of weight 0 take no part.
    pub fn new<'a>(upstream: &Upstream, targets: impl Iterator<Item = &'a Target>) -> Self {
        let (peers, weights): (Vec<_>, Vec<_>) = targets
            .filter_map(|target| {
                let weight = target.weight.unwrap_or(100);
                (weight > 0).then(|| (Peer::new(&target.target), weight))
            })
            .unzip();
        Balancer {
            name: upstream.name.as_str().into(),
            host_header: upstream.host_header.as_deref().and_then(|h| HeaderValue::from_str(h).ok()),
            peers: peers.into(),
            order: RoundRobin::new(&weights),
        }
    }

    /// Number of targets that take part.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// The target whose turn it is.
    ///
    /// # Errors
    /// When there is none.
    pub fn next(&self) -> Result<&Peer, PickError> {
        self.order
            .next()
            .and_then(|at| self.peers.get(at))
            .ok_or_else(|| PickError::NoPeer(self.name.to_string()))
    }
}
