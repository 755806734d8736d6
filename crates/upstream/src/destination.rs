//! Destination of a service's requests, and the address that is selected for a try.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use crate::{Balancer, BalancerTarget, InFlight, SelectError, Tried, TryResult, WorkerResolver};

/// Destination of a service's requests.
#[derive(Debug)]
pub enum Destination {
    /// A host.
    Endpoint(Endpoint),
    /// The targets of an upstream.
    Balanced(Arc<Balancer>),
}

/// A host with a port.
#[derive(Debug)]
pub enum Endpoint {
    /// A literal address.
    Address(SocketAddr),
    /// A name to resolve.
    Name {
        /// Host name, in lower case.
        host: Box<str>,
        /// Port, unless an SRV record has another.
        port: u16,
    },
}

impl Endpoint {
    /// Creates the endpoint of a host: an address, also an IPv6 address in brackets, or a name.
    pub fn new(host: &str, port: u16) -> Self {
        match http_codec::authority::without_brackets(host).parse::<IpAddr>() {
            Ok(ip) => Endpoint::Address(SocketAddr::new(ip, port)),
            Err(_) => Endpoint::Name { host: host.to_ascii_lowercase().into(), port },
        }
    }

    /// Returns the address. Successive calls rotate through the addresses of a name.
    ///
    /// # Errors
    /// Returns an error if the name does not resolve.
    pub async fn resolve(&self, resolver: &WorkerResolver) -> Result<SocketAddr, SelectError> {
        match self {
            Endpoint::Address(address) => Ok(resolver.address(*address)),
            Endpoint::Name { host, port } => resolver.resolve(host, *port).await,
        }
    }
}

/// Address selected for one try.
#[derive(Debug)]
pub struct Selected<'a> {
    /// The address.
    pub address: SocketAddr,
    /// Target of the address, if the destination is balanced.
    pub target: Option<&'a BalancerTarget>,
    in_flight: Option<InFlight>,
}

impl Selected<'_> {
    /// Reports the result of the try, which balancing and passive health checks depend on.
    pub fn report(&self, result: TryResult) {
        if let Some(in_flight) = &self.in_flight {
            in_flight.report(result);
        }
    }

    /// Returns the guard that counts the request as in flight at its target, to hold it longer than this value.
    pub fn into_in_flight(self) -> Option<InFlight> {
        self.in_flight
    }
}

impl Destination {
    /// Creates the destination of a host that is not the name of an upstream.
    pub fn direct(host: &str, port: u16) -> Self {
        Destination::Endpoint(Endpoint::new(host, port))
    }

    /// Selects the address for the next try. Requests with equal keys go to the same target if the algorithm has affinity.
    /// Targets that were tried, or do not resolve, are not selected while others remain.
    ///
    /// # Errors
    /// Returns an error if the name does not resolve, or no target is usable.
    pub async fn select(
        &self,
        resolver: &WorkerResolver,
        key: Option<&[u8]>,
        tried: &mut Tried,
    ) -> Result<Selected<'_>, SelectError> {
        let balancer = match self {
            Destination::Endpoint(endpoint) => {
                let address = endpoint.resolve(resolver).await?;
                return Ok(Selected { address, target: None, in_flight: None });
            }
            Destination::Balanced(balancer) => balancer,
        };
        let mut last_error = None;
        for _ in 0..balancer.len() {
            let Some(target) = balancer.select(key, tried) else { break };
            match target.endpoint.resolve(resolver).await {
                Ok(address) => {
                    let in_flight = Some(target.state().enter());
                    return Ok(Selected { address, target: Some(target), in_flight });
                }
                Err(error) => last_error = Some(error),
            }
        }
        Err(last_error.unwrap_or_else(|| SelectError::NoTarget(balancer.name.to_string())))
    }
}
