//! Selection of upstream addresses: load balancing over targets, and name resolution.
//!
//! A [`Destination`] is built when a configuration is compiled. `proxy` calls [`Destination::select`] once per try. The crate
//! opens no connections to upstreams.

mod balance;
mod dns;
mod target;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

pub use balance::{Balancer, BalancerTarget};
pub use dns::{HostOverrides, Resolver};
pub use target::{canonical_target, has_port, host_and_port, host_header};

/// Error in the selection of an address.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The name does not resolve.
    #[error("cannot resolve {name}: {reason}")]
    Name {
        /// The name.
        name: String,
        /// Error of the resolver.
        reason: String,
    },
    /// The upstream has no usable target.
    #[error("upstream {0} has no target to go to")]
    NoTarget(String),
}

/// Destination of a service's requests.
#[derive(Debug)]
pub enum Destination {
    /// A literal address.
    Address(SocketAddr),
    /// A name to resolve.
    Name {
        /// Host name, in lower case.
        host: Box<str>,
        /// Port, unless an SRV record has another.
        port: u16,
    },
    /// The targets of an upstream.
    Balanced(Arc<Balancer>),
}

/// Address selected for one try.
#[derive(Debug)]
pub struct Selected<'a> {
    /// The address.
    pub address: SocketAddr,
    /// Target of the address, if the destination is balanced.
    pub peer: Option<&'a BalancerTarget>,
}

impl Destination {
    /// Creates the destination of a host that is not the name of an upstream.
    pub fn direct(host: &str, port: u16) -> Self {
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => Destination::Address(SocketAddr::new(ip, port)),
            Err(_) => Destination::Name { host: host.to_ascii_lowercase().into(), port },
        }
    }

    /// Selects the address for the next try.
    ///
    /// # Errors
    /// Returns an error if the name does not resolve, or no target is usable.
    pub async fn select(&self, resolver: &Resolver) -> Result<Selected<'_>, SelectError> {
        match self {
            Destination::Address(address) => Ok(Selected { address: resolver.address(*address), peer: None }),
            Destination::Name { host, port } => {
                Ok(Selected { address: resolver.resolve(host, *port).await?, peer: None })
            }
            Destination::Balanced(balancer) => {
                // Skip targets whose names do not resolve.
                let mut last_error = None;
                for _ in 0..balancer.len() {
                    let peer = balancer.next()?;
                    let address = match &peer.destination {
                        Destination::Address(address) => Ok(resolver.address(*address)),
                        Destination::Name { host, port } => resolver.resolve(host, *port).await,
                        Destination::Balanced(_) => Err(SelectError::NoTarget(peer.name.to_string())),
                    };
                    match address {
                        Ok(address) => return Ok(Selected { address, peer: Some(peer) }),
                        Err(error) => last_error = Some(error),
                    }
                }
                Err(last_error.unwrap_or_else(|| SelectError::NoTarget(balancer.name.to_string())))
            }
        }
    }
}
