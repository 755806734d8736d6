//! State → Snapshot, without I/O.

use std::sync::Arc;

use ahash::AHashMap;
use uuid::Uuid;

use super::{
    Options, RouteEntry, ServiceEntry, Snapshot,
    certs::Certificates,
    chain::Chain,
    reuse::{self, Built},
    scope::{self, Scopes},
    service::Profiles,
};
use model::{Ix, Kind, Plugin, Row, Service, State};
use plugin::Build;
use router::{Flavor, Kept, Router, StreamRouter};
use source::NodeId;
use store::Stores;
use upstream::{Balancer, Destination};

/// Something of the configuration that cannot be made to work. The snapshot leaves it out: it is not to be
/// served.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Kind of the row.
    pub kind: Kind,
    /// Its id.
    pub id: Uuid,
    /// Where it was written.
    pub origin: Option<NodeId>,
    /// JSON pointer into the row: `/config/header_name`; empty for the row as a whole.
    pub pointer: String,
    /// The reason.
    pub message: String,
}

/// Makes the machine of a configuration. `previous` is the running one, whose parts may be used again.
pub fn compile(
    state: Arc<State>,
    options: &Options,
    stores: &Stores,
    previous: Option<&Snapshot>,
) -> (Snapshot, Vec<Problem>) {
    let mut problems = Vec::new();
    let (router, streams) = routers(&state, options, previous, &mut problems);
    let plugins: Box<[_]> = state
        .plugins
        .rows()
        .iter()
        .map(|row| built(row, &state, options, stores, previous, &mut problems))
        .collect();
    let balancers = reuse::balancers(&state, previous);
    let services = services(&state, options, stores, &balancers, previous, &mut problems);
    let phases = |ix: Ix<Plugin>| plugins[ix.get()].as_ref().map(|built| built.instance.phases());
    let scopes = Scopes::new(&state, &scope::HTTP, &options.registry, phases);
    let of_streams = Scopes::new(&state, &scope::STREAMS, &options.registry, phases);
    let routes = routes(&state, [&scopes, &of_streams], options.flavor == Flavor::Traditional);
    let global = Arc::new(scopes.global());
    let certificates = Certificates::new(&state, options, &stores.carry, &mut problems);
    let machine =
        Snapshot { state, router, streams, global, certificates, routes, services, balancers, plugins };
    (machine, problems)
}

/// The running routers as far as the routes are the same, new ones otherwise.
fn routers(
    state: &State,
    options: &Options,
    previous: Option<&Snapshot>,
    problems: &mut Vec<Problem>,
) -> (Arc<Router>, Arc<StreamRouter>) {
    let kept = previous.map(|previous| (previous, Kept::of(&previous.state, state)));
    let ((router, failed), (streams, more)) = match &kept {
        // Flavor `traditional` also orders by when a route was made, which may be the time of loading.
        Some((previous, kept)) if kept.same() && options.flavor != Flavor::Traditional => {
            return (Arc::clone(&previous.router), Arc::clone(&previous.streams));
        }
        Some((previous, kept)) => (previous.router.follow(kept, state), previous.streams.follow(kept, state)),
        None => (
            Router::build(state, options.flavor, options.calculation),
            StreamRouter::build(state, options.flavor, options.calculation),
        ),
    };
    problems.extend(failed.into_iter().chain(more).map(|error| {
        let route = &state.routes[error.route];
        Problem::new(route, "", error.reason)
    }));
    (Arc::new(router), Arc::new(streams))
}

fn built(
    row: &Plugin,
    state: &State,
    options: &Options,
    stores: &Stores,
    previous: Option<&Snapshot>,
    problems: &mut Vec<Problem>,
) -> Option<Built> {
    if !row.enabled {
        return None;
    }
    if let Some(built) = reuse::plugin(row, previous) {
        return Some(built);
    }
    let Some(entry) = options.registry.find(&row.name) else {
        problems.push(Problem::new(row, "/name", format!("there is no plugin {}", row.name)));
        return None;
    };
    let mut with = Build::new(row, state, stores);
    (entry.build)(&*row.config, &mut with)
        .map(|instance| Built { instance, alone: !with.looked_around() })
        .map_err(|error| {
            problems.push(Problem::new(row, &format!("/config{}", error.pointer), error.message));
        })
        .ok()
}

/// The services in the table's order.
fn services(
    state: &State,
    options: &Options,
    stores: &Stores,
    balancers: &[Arc<Balancer>],
    previous: Option<&Snapshot>,
    problems: &mut Vec<Problem>,
) -> Box<[Arc<ServiceEntry>]> {
    let mut profiles = Profiles::new(&stores.carry);
    let one = |row: &Service| {
        let destination = match state.upstreams.by_name(&row.host) {
            Some(upstream) => Destination::Balanced(Arc::clone(&balancers[upstream.get()])),
            None => Destination::direct(&row.host, row.port),
        };
        let tls = profiles.of(row, state, options, problems);
        reuse::service(row, &destination, tls.as_ref(), previous)
            .unwrap_or_else(|| Arc::new(ServiceEntry::new(row, destination, tls)))
    };
    state.services.rows().iter().map(one).collect()
}

/// The routes in the table's order. Routes without plugins of their own share their service's chain.
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

impl Problem {
    pub(super) fn new<R: Row>(row: &R, pointer: &str, message: impl Into<String>) -> Self {
        Problem {
            kind: R::KIND,
            id: row.id(),
            origin: row.origin(),
            pointer: pointer.to_owned(),
            message: message.into(),
        }
    }
}
