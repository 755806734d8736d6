//! Selection of upstream addresses: load balancing over targets, and name resolution.
//!
//! A [`Destination`] is built when a configuration is compiled. `proxy` calls [`Destination::select`] once per try, and reports
//! the result. The crate opens no connections to upstreams.

mod balance;
mod destination;
mod resolver;
mod target;

pub use balance::{Balancer, BalancerTarget, InFlight, TargetState, Tried, TryCounts, TryResult};
pub use destination::{Destination, Endpoint, Selected};
pub use resolver::{DnsOptions, HostOverrides, OrderItem, QueryType, Resolver, WorkerResolver};
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
