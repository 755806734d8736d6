//! Load balancing over the targets of an upstream.

mod round_robin;

use http::HeaderValue;

use self::round_robin::RoundRobin;
use super::{Destination, SelectError, has_port, host_and_port, host_header};
use model::{Target, Upstream};

/// Target of an upstream.
#[derive(Debug)]
pub struct BalancerTarget {
    /// Host as configured.
    pub name: Box<str>,
    /// Address or name.
    pub destination: Destination,
    /// Host headers for HTTP and for HTTPS.
    host_headers: [HeaderValue; 2],
}

impl BalancerTarget {
    /// Creates a target. The Host header is `upstream_host`, or else the host of the target. As in Kong, the port of the
    /// target is added unless `upstream_host` has one.
    fn new(target: &str, upstream_host: Option<&str>) -> Self {
        let (host, port) = host_and_port(target);
        let host_with_port =
            upstream_host.filter(|host| has_port(host)).and_then(|host| HeaderValue::from_str(host).ok());
        let host_headers = match host_with_port {
            Some(host) => [host.clone(), host],
            None => [80, 443].map(|default| host_header(upstream_host.unwrap_or(host), port, default)),
        };
        BalancerTarget { name: host.into(), destination: Destination::direct(host, port), host_headers }
    }

    /// Returns the Host header for HTTP or HTTPS.
    pub fn host_header(&self, tls: bool) -> &HeaderValue {
        &self.host_headers[usize::from(tls)]
    }
}

/// Load balancer over the targets of one upstream.
#[derive(Debug)]
pub struct Balancer {
    /// Name of the upstream.
    pub name: Box<str>,
    /// Field `host_header` of the upstream.
    pub host_header: Option<HeaderValue>,
    peers: Box<[BalancerTarget]>,
    // Other algorithms (consistent hashing, least connections, latency) become variants beside it.
    algorithm: RoundRobin,
}

impl Balancer {
    /// Creates a balancer. Targets with weight 0 are excluded.
    pub fn new<'a>(upstream: &Upstream, targets: impl Iterator<Item = &'a Target>) -> Self {
        let (peers, weights): (Vec<_>, Vec<_>) = targets
            .filter_map(|target| {
                let weight = target.weight.unwrap_or(100);
                (weight > 0)
                    .then(|| (BalancerTarget::new(&target.target, upstream.host_header.as_deref()), weight))
            })
            .unzip();
        Balancer {
            name: upstream.name.as_str().into(),
            host_header: upstream.host_header.as_deref().and_then(|h| HeaderValue::from_str(h).ok()),
            peers: peers.into(),
            algorithm: RoundRobin::new(&weights),
        }
    }

    /// Returns the number of targets with a weight above 0.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Returns whether there are no such targets.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Selects the next target.
    ///
    /// # Errors
    /// Returns an error if there are no targets.
    pub fn next(&self) -> Result<&BalancerTarget, SelectError> {
        self.algorithm
            .next()
            .and_then(|index| self.peers.get(index))
            .ok_or_else(|| SelectError::NoTarget(self.name.to_string()))
    }
}
