//! Which target of an upstream takes the next request.

mod round_robin;

use http::HeaderValue;

use self::round_robin::RoundRobin;
use super::{Destination, PickError, has_port, host_and_port, host_header};
use model::{Target, Upstream};

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
    /// A target whose Host header names itself, or what its upstream has in place of that. Kong adds the target's port
    /// to both; one that `named` brings stands.
    fn new(target: &str, named: Option<&str>) -> Self {
        let (host, port) = host_and_port(target);
        let whole = named.filter(|named| has_port(named)).and_then(|named| HeaderValue::from_str(named).ok());
        let hosts = match whole {
            Some(host) => [host.clone(), host],
            None => [80, 443].map(|own| host_header(named.unwrap_or(host), port, own)),
        };
        Peer { name: host.into(), destination: Destination::direct(host, port), hosts }
    }

    /// Host header, in the clear or through TLS.
    pub fn host(&self, tls: bool) -> &HeaderValue {
        &self.hosts[usize::from(tls)]
    }
}

/// The targets of one upstream and the order they take turns in.
#[derive(Debug)]
pub struct Balancer {
    /// The upstream's name.
    pub name: Box<str>,
    /// Host that the upstream names in place of its targets, if it does.
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
                (weight > 0).then(|| (Peer::new(&target.target, upstream.host_header.as_deref()), weight))
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
