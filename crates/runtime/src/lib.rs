//! data → machine, and the swap.
//!
//! [`compile`] turns a configuration into a [`Snapshot`]: router, plugin chains, upstreams, certificates,
//! all that a request needs and nothing it has to work out. It does no I/O, so that checking a
//! configuration makes the same machine that serving it does. [`Gateway`] holds the current one.

mod certs;
mod chain;
mod compile;
mod options;
mod reuse;
mod route;
mod scope;
mod service;
mod swap;

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

pub use certs::Certificates;
pub use chain::{Chain, Picks, Slot};
pub use compile::{Problem, compile};
pub use options::{AddedHeaders, BodyForm, HeadLimits, Mock, Options, RealIp, Templates};
pub use route::{Encrypted, RouteEntry};
pub use service::ServiceEntry;
pub use swap::{Current, Gateway, Held};

use model::{Ix, Plugin, Route, Service, State};
use plugin::Instance;
use reuse::Built;
use router::{Router, StreamRouter};
use upstream::Balancer;

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
    balancers: Box<[Arc<Balancer>]>,
    plugins: Box<[Option<Built>]>,
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
        self.plugins[plugin.get()].as_ref().map(|built| &*built.instance)
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("routes", &self.routes.len()).finish_non_exhaustive()
    }
}

/// A name for these texts that no others have.
fn digest<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for text in texts {
        context.update(&text.len().to_be_bytes());
        context.update(text.as_bytes());
    }
    STANDARD_NO_PAD.encode(context.finish())
}

#[cfg(test)]
mod tests;

/// The format with the settings of all plugins.
#[cfg(test)]
fn catalog() -> &'static config::Catalog {
    static CATALOG: std::sync::LazyLock<&config::Catalog> =
        std::sync::LazyLock::new(|| config::Catalog::new(plugins::registry()));
    *CATALOG
}
