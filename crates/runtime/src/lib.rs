//! Compiled configurations, and their replacement at run time.
//!
//! [`compile`] turns a configuration into a [`Snapshot`]: router, plugin chains, upstreams, certificates, with everything
//! precomputed that requests need. It does no I/O, so that checking a configuration compiles the same snapshot as serving
//! it. [`Gateway`] holds the current snapshot.

mod build;
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

pub use build::build;
pub use certs::Certificates;
pub use chain::{Chain, SelectedPlugins, Slot};
pub use compile::{CompileError, compile};
pub use options::{
    AddedHeaders, ErrorFormat, ErrorTemplates, HeadLimits, Mock, Options, ProductToken, RealIp,
};
pub use route::{RouteEntry, TlsRequired};
pub use service::ServiceEntry;
pub use swap::{Gateway, SnapshotCache, SnapshotRef};

use model::{Ix, PluginEntity, Route, Service, State, Upstream};
use plugin::{DynPlugin, Phase};
use reuse::BuiltPlugin;
use router::{Router, StreamRouter};
use upstream::Balancer;

/// A compiled configuration. Immutable.
pub struct Snapshot {
    /// Number of the snapshot in the process; a later one has a higher number.
    pub id: u64,
    /// The configuration that was compiled.
    pub state: Arc<State>,
    /// Router of requests.
    pub router: Arc<Router>,
    /// Router of streams.
    pub streams: Arc<StreamRouter>,
    /// The global plugins, which run before routing and when no route matches.
    pub global: Arc<Chain>,
    /// Certificates by server name.
    pub certificates: Certificates,
    routes: Box<[RouteEntry]>,
    services: Box<[Arc<ServiceEntry>]>,
    balancers: Box<[Arc<Balancer>]>,
    plugins: Box<[Option<BuiltPlugin>]>,
}

impl Snapshot {
    /// The compiled route.
    pub fn route(&self, route: Ix<Route>) -> &RouteEntry {
        &self.routes[route.get()]
    }

    /// The compiled service.
    pub fn service(&self, service: Ix<Service>) -> &Arc<ServiceEntry> {
        &self.services[service.get()]
    }

    /// The balancer of an upstream.
    pub fn balancer(&self, upstream: Ix<Upstream>) -> &Arc<Balancer> {
        &self.balancers[upstream.get()]
    }

    /// The plugin instance, if it has a hook in that phase; `None` also if it could not be built or is disabled.
    #[inline]
    pub fn plugin(&self, plugin: Ix<PluginEntity>, phase: Phase) -> Option<&dyn DynPlugin> {
        let built = self.plugins[plugin.get()].as_ref()?;
        built.phases.contains(phase).then(|| &*built.instance)
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("routes", &self.routes.len()).finish_non_exhaustive()
    }
}

/// Hashes a sequence of texts, for use as a key.
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

/// The catalog with the schemas of all plugins.
#[cfg(test)]
fn catalog() -> &'static config::Catalog {
    static CATALOG: std::sync::LazyLock<&config::Catalog> =
        std::sync::LazyLock::new(|| config::Catalog::new(plugins::registry()).expect("the schemas compile"));
    *CATALOG
}
