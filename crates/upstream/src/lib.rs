//! Where a request goes: a service's host becomes an address.
//!
//! A [`Destination`] is made when a configuration is compiled, and asked once a try. It knows addresses,
//! names and weights; it opens no connection.

mod balance;
mod dns;
mod target;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

pub use balance::{Balancer, Peer};
pub use dns::{Hosts, Resolver};
pub use target::{has_port, host_and_port, host_header, shown as shown_target};

/// Why there is no address to go to.
#[derive(Debug, thiserror::Error)]
pub enum PickError {
    /// The name does not resolve.
    #[error("cannot resolve {name}: {reason}")]
    Name {
        /// The name.
        name: String,
        /// What the resolver says.
        reason: String,
    },
    /// No target of the upstream can be used.
    #[error("upstream {0} has no target to go to")]
    NoPeer(String),
}

/// Where a service's requests go.
#[derive(Debug)]
pub enum Destination {
    /// A literal address.
    Address(SocketAddr),
    /// A name to resolve.
    Name {
        /// Host name.
        host: Box<str>,
        /// Port; an SRV record's replaces it.
        port: u16,
    },
    /// The targets of an upstream.
    Balanced(Arc<Balancer>),
}

/// What a destination came to, for one try.
#[derive(Debug)]
pub struct Pick<'a> {
    /// The address.
    pub address: SocketAddr,
    /// The target it belongs to, of a balanced destination.
    pub peer: Option<&'a Peer>,
}

impl Destination {
    /// The destination of a host that is no upstream.
    pub fn direct(host: &str, port: u16) -> Self {
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => Destination::Address(SocketAddr::new(ip, port)),
            Err(_) => Destination::Name { host: host.to_ascii_lowercase().into(), port },
        }
    }

    /// The address for the next try.
    ///
    /// # Errors
    /// When a name does not resolve or no target is left.
    pub async fn pick(&self, resolver: &Resolver) -> Result<Pick<'_>, PickError> {
        match self {
            Destination::Address(address) => Ok(Pick { address: resolver.address(*address), peer: None }),
            Destination::Name { host, port } => {
                Ok(Pick { address: resolver.resolve(host, *port).await?, peer: None })
            }
            Destination::Balanced(balancer) => {
                // A target whose name does not resolve is passed over.
                let mut failed = None;
                for _ in 0..balancer.len() {
                    let peer = balancer.next()?;
                    let address = match &peer.destination {
                        Destination::Address(address) => Ok(resolver.address(*address)),
                        Destination::Name { host, port } => resolver.resolve(host, *port).await,
                        Destination::Balanced(_) => Err(PickError::NoPeer(peer.name.to_string())),
                    };
                    match address {
                        Ok(address) => return Ok(Pick { address, peer: Some(peer) }),
                        Err(error) => failed = Some(error),
                    }
                }
                Err(failed.unwrap_or_else(|| PickError::NoPeer(balancer.name.to_string())))
            }
        }
    }
}
