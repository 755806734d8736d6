//! Compilation of a configuration to a snapshot, without I/O.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use ahash::AHashMap;
use uuid::Uuid;

use super::{
    Options, RouteEntry, ServiceEntry, Snapshot,
    certs::Certificates,
    chain::Chain,
    reuse::{self, BuiltPlugin},
    scope::{self, Scopes},
    service::TlsProfiles,
};
use model::{Ix, Kind, PluginEntity, Row, Service, State};
use plugin::BuildContext;
use router::{Flavor, RetainedRoutes, Router, StreamRouter};
use source::NodeId;
use store::Stores;
use upstream::{Balancer, Destination};

/// Error of compiling a row. The snapshot lacks that row and must not be served.
#[derive(Clone, Debug)]
pub struct CompileError {
    /// Kind of the row.
    pub kind: Kind,
    /// Its id.
    pub id: Uuid,
    /// Its position in the source text.
    pub origin: Option<NodeId>,
    /// JSON pointer into the row: `/config/header_name`; empty for the row as a whole.
    pub pointer: String,
    /// The reason.
    pub message: String,
}

/// Compiles a configuration. `previous` is the running snapshot, of which unchanged parts are reused.
pub fn compile(
    state: Arc<State>,
    options: &Options,
    stores: &Stores,
    previous: Option<&Snapshot>,
) -> (Snapshot, Vec<CompileError>) {
    let mut errors = Vec::new();
    let (router, streams) = routers(&state, options, previous, &mut errors);
    let plugins: Box<[_]> = state
        .plugins
        .rows()
        .iter()
        .map(|row| plugin(row, &state, options, stores, previous, &mut errors))
        .collect();
    let balancers = reuse::balancers(&state, previous);
    let services = services(&state, options, stores, &balancers, previous, &mut errors);
    let phases = |ix: Ix<PluginEntity>| plugins[ix.get()].as_ref().map(|built| built.phases);
    let scopes = Scopes::new(&state, &scope::HTTP, &options.registry, phases);
    let of_streams = Scopes::new(&state, &scope::STREAMS, &options.registry, phases);
    let routes = routes(&state, [&scopes, &of_streams], options.flavor == Flavor::Traditional);
    let global = Arc::new(scopes.global());
    let certificates = Certificates::new(&state, options, &stores.shared, &mut errors);
    let snapshot = Snapshot {
        id: next_id(),
        state,
        router,
        streams,
        global,
        certificates,
        routes,
        services,
        balancers,
        plugins,
    };
    (snapshot, errors)
}

/// Number of the next snapshot, from 1.
fn next_id() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Compiles the routers, or reuses those of the running snapshot as far as routes are unchanged.
fn routers(
    state: &State,
    options: &Options,
    previous: Option<&Snapshot>,
    errors: &mut Vec<CompileError>,
) -> (Arc<Router>, Arc<StreamRouter>) {
    let retained = previous.map(|previous| (previous, RetainedRoutes::of(&previous.state, state)));
    let ((router, failed), (streams, more)) = match &retained {
        // Flavor `traditional` also orders by creation time, which may be the time of loading.
        Some((previous, retained)) if retained.is_unchanged() && options.flavor != Flavor::Traditional => {
            return (Arc::clone(&previous.router), Arc::clone(&previous.streams));
        }
        Some((previous, retained)) => {
            (previous.router.rebuild(retained, state), previous.streams.rebuild(retained, state))
        }
        None => (
            Router::build(state, options.flavor, options.calculation),
            StreamRouter::build(state, options.flavor, options.calculation),
        ),
    };
    errors.extend(failed.into_iter().chain(more).map(|error| {
        let route = &state.routes[error.route];
        CompileError::new(route, "", error.reason)
    }));
    (Arc::new(router), Arc::new(streams))
}

fn plugin(
    row: &PluginEntity,
    state: &State,
    options: &Options,
    stores: &Stores,
    previous: Option<&Snapshot>,
    errors: &mut Vec<CompileError>,
) -> Option<BuiltPlugin> {
    if !row.enabled {
        return None;
    }
    if let Some(built) = reuse::plugin(row, previous) {
        return Some(built);
    }
    let Some(plugin_type) = options.registry.plugin_type(&row.name) else {
        errors.push(CompileError::new(row, "/name", format!("there is no plugin {}", row.name)));
        return None;
    };
    let mut with = BuildContext::new(row, state, stores);
    plugin_type
        .build(&*row.config, &mut with)
        .map(|instance| BuiltPlugin {
            phases: instance.phases(),
            instance,
            state_independent: !with.depends_on_state(),
        })
        .map_err(|error| {
            errors.push(CompileError::new(row, &format!("/config{}", error.pointer), error.message));
        })
        .ok()
}

/// Compiles the services, in the order of the table.
fn services(
    state: &State,
    options: &Options,
    stores: &Stores,
    balancers: &[Arc<Balancer>],
    previous: Option<&Snapshot>,
    errors: &mut Vec<CompileError>,
) -> Box<[Arc<ServiceEntry>]> {
    let mut profiles = TlsProfiles::new(&stores.shared);
    let one = |row: &Service| {
        let destination = match state.upstreams.by_name(&row.host) {
            Some(upstream) => Destination::Balanced(Arc::clone(&balancers[upstream.get()])),
            None => Destination::direct(&row.host, row.port),
        };
        let tls = profiles.of(row, state, options, errors);
        reuse::service(row, &destination, tls.as_ref(), previous)
            .unwrap_or_else(|| Arc::new(ServiceEntry::new(row, destination, tls)))
    };
    state.services.rows().iter().map(one).collect()
}

/// Compiles the routes, in the order of the table. Routes without plugins share the chain of their service.
fn routes(state: &State, scopes: [&Scopes; 2], traditional: bool) -> Box<[RouteEntry]> {
    let mut shared: AHashMap<(bool, Option<Ix<Service>>), Arc<Chain>> = AHashMap::new();
    state
        .routes
        .iter()
        .map(|(ix, route)| {
            let service = route.service.and_then(|r| state.services.find(r));
            let stream = route.protocols.iter().any(|p| scope::STREAMS.contains(p));
            let scopes = scopes[usize::from(stream)];
            let chain = if scopes.has_own(ix) {
                Arc::new(scopes.of(Some(ix), service))
            } else {
                let chain =
                    shared.entry((stream, service)).or_insert_with(|| Arc::new(scopes.of(None, service)));
                Arc::clone(chain)
            };
            RouteEntry::new(route, service, chain, traditional)
        })
        .collect()
}

impl CompileError {
    pub(super) fn new<R: Row>(row: &R, pointer: &str, message: impl Into<String>) -> Self {
        CompileError {
            kind: row.kind(),
            id: row.id(),
            origin: row.origin(),
            pointer: pointer.to_owned(),
            message: message.into(),
        }
    }
}
