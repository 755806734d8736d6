//! data → machine, and the swap.
//!
//! [`compile`] turns a configuration into a [`Snapshot`]: router, plugin chains, upstreams, certificates,
//! all that a request needs and nothing it has to work out. It does no I/O, so that checking a
//! configuration makes the same machine that serving it does. [`Gateway`] holds the current one.

mod certs;
mod chain;
mod compile;
mod options;
mod route;
mod scope;
mod service;
mod swap;

use std::sync::Arc;

pub use certs::Certificates;
pub use chain::{Chain, Picks, Slot};
pub use compile::{Problem, compile};
pub use options::{AddedHeaders, BodyForm, HeadLimits, Mock, Options, RealIp, Templates};
pub use route::{Encrypted, RouteEntry};
pub use service::ServiceEntry;
pub use swap::{Current, Gateway, Held};

use crate::{
    model::{Ix, Plugin, Route, Service, State},
    plugin::Instance,
    router::{Router, StreamRouter},
};

/// One configuration as a machine. Never changes.
pub struct Snapshot {
    /// The configuration it was made from.
    pub state: Arc<State>,
    /// Which route a request belongs to.
    pub router: Arc<Router>,
    /// Which route a stream belongs to.
    pub streams: Arc<StreamRouter>,
    /// What runs before routing and where no route matches: the global plugins.
    pub global: Arc<Chain>,
    /// Server names to certificates.
    pub certificates: Certificates,
    routes: Box<[RouteEntry]>,
    services: Box<[Arc<ServiceEntry>]>,
    plugins: Box<[Option<Arc<dyn Instance>>]>,
}

impl Snapshot {
    /// What is known of a route.
    pub fn route(&self, route: Ix<Route>) -> &RouteEntry {
        &self.routes[route.get()]
    }

    /// What is known of a service.
    pub fn service(&self, service: Ix<Service>) -> &Arc<ServiceEntry> {
        &self.services[service.get()]
    }

    /// A plugin ready to run; none if it could not be built or is disabled.
    pub fn plugin(&self, plugin: Ix<Plugin>) -> Option<&dyn Instance> {
        self.plugins[plugin.get()].as_deref()
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("routes", &self.routes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
