//! Load balancing over the targets of an upstream.

mod round_robin;
mod state;
#[cfg(test)]
mod tests;
mod tried;

use std::sync::Arc;

use ahash::AHashMap;
use http::HeaderValue;

use self::round_robin::RoundRobin;
pub(crate) use self::round_robin::weighted_sequence;
pub use self::{
    state::{InFlight, TargetState, TryCounts, TryResult},
    tried::Tried,
};
use super::{Endpoint, canonical_target, has_port, host_and_port, host_header};
use model::{Target, Upstream};

/// Weight of a target that has none.
const DEFAULT_WEIGHT: u32 = 100;

/// Target of an upstream.
#[derive(Debug)]
pub struct BalancerTarget {
    /// Host as configured.
    pub name: Box<str>,
    /// Address or name.
    pub endpoint: Endpoint,
    /// Host and port, which identify the target in the next configuration.
    identity: Box<str>,
    weight: u32,
    state: Arc<TargetState>,
    /// Host headers for HTTP and for HTTPS.
    host_headers: [HeaderValue; 2],
}

impl BalancerTarget {
    /// Creates a target. The Host header is `upstream_host`, or else the host of the target. As in Kong, the port of the
    /// target is added unless `upstream_host` has one.
    fn new(target: &Target, upstream_host: Option<&str>, states: &States<'_>) -> Self {
        let (host, port) = host_and_port(&target.target);
        let host_with_port =
            upstream_host.filter(|host| has_port(host)).and_then(|host| HeaderValue::from_str(host).ok());
        let host_headers = match host_with_port {
            Some(host) => [host.clone(), host],
            None => [80, 443].map(|default| host_header(upstream_host.unwrap_or(host), port, default)),
        };
        let identity = canonical_target(&target.target).to_ascii_lowercase().into_boxed_str();
        BalancerTarget {
            name: host.into(),
            endpoint: Endpoint::new(host, port),
            weight: target.weight.unwrap_or(DEFAULT_WEIGHT),
            state: states.get(&*identity).map(|state| Arc::clone(state)).unwrap_or_default(),
            identity,
            host_headers,
        }
    }

    /// Returns the Host header for HTTP or HTTPS.
    pub fn host_header(&self, tls: bool) -> &HeaderValue {
        &self.host_headers[usize::from(tls)]
    }

    /// Returns the state, which outlives the configuration.
    pub fn state(&self) -> &Arc<TargetState> {
        &self.state
    }
}

/// States of targets by identity.
type States<'a> = AHashMap<&'a str, &'a Arc<TargetState>>;

/// Load balancer over the targets of one upstream.
#[derive(Debug)]
pub struct Balancer {
    /// Name of the upstream.
    pub name: Box<str>,
    /// Field `host_header` of the upstream.
    pub host_header: Option<HeaderValue>,
    targets: Box<[BalancerTarget]>,
    /// Number of targets with a weight above 0.
    selectable: usize,
    algorithm: Algorithm,
}

/// How a target is selected. Consistent hashing, least connections and latency become variants.
#[derive(Debug)]
enum Algorithm {
    RoundRobin(RoundRobin),
}

impl Algorithm {
    /// Returns the index of a target that was not tried; `None` if there is none. Only an algorithm with affinity uses `key`.
    fn select(&self, _key: Option<&[u8]>, tried: &Tried) -> Option<u16> {
        match self {
            Algorithm::RoundRobin(round_robin) => round_robin.select(tried),
        }
    }
}

impl Balancer {
    /// Creates a balancer. Targets that `previous`, the balancer of the same upstream in the previous configuration, has too
    /// keep their state. Targets with weight 0 are never selected, but keep their state.
    pub fn new<'a>(
        upstream: &Upstream,
        targets: impl Iterator<Item = &'a Target>,
        previous: Option<&Balancer>,
    ) -> Self {
        let states: States<'_> = previous
            .into_iter()
            .flat_map(|previous| previous.targets.iter())
            .map(|target| (&*target.identity, &target.state))
            .collect();
        let host = upstream.host_header.as_deref();
        let targets: Box<[_]> = targets.map(|target| BalancerTarget::new(target, host, &states)).collect();
        let weights: Vec<u32> = targets.iter().map(|target| target.weight).collect();
        let position = previous.map_or(0, |previous| match &previous.algorithm {
            Algorithm::RoundRobin(round_robin) => round_robin.position(),
        });
        Balancer {
            name: upstream.name.as_str().into(),
            host_header: host.and_then(|host| HeaderValue::from_str(host).ok()),
            selectable: weights.iter().filter(|weight| **weight > 0).count(),
            targets,
            algorithm: Algorithm::RoundRobin(RoundRobin::new(&weights, position)),
        }
    }

    /// Returns the targets, also those with weight 0.
    pub fn targets(&self) -> &[BalancerTarget] {
        &self.targets
    }

    /// Returns the number of targets with a weight above 0.
    pub fn len(&self) -> usize {
        self.selectable
    }

    /// Returns whether there are no such targets.
    pub fn is_empty(&self) -> bool {
        self.selectable == 0
    }

    /// Selects a target that was not tried, or any if all were, and adds it to `tried`; `None` if there are no targets.
    pub fn select(&self, key: Option<&[u8]>, tried: &mut Tried) -> Option<&BalancerTarget> {
        let index = self.algorithm.select(key, tried).or_else(|| {
            tried.clear();
            self.algorithm.select(key, tried)
        })?;
        tried.insert(index);
        self.targets.get(usize::from(index))
    }
}
