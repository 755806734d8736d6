//! State → Snapshot, without I/O.

use std::sync::Arc;

use ahash::AHashMap;
use uuid::Uuid;

use super::{
    Options, RouteEntry, ServiceEntry, Snapshot,
    certs::Certificates,
    chain::Chain,
    scope::{self, Scopes},
    service::Profiles,
};
use crate::{
    model::{Ix, Kind, Plugin, Route, Row, Service, State},
    plugin::{Build, Instance},
    plugins,
    router::{Flavor, Router, StreamRouter},
    source::NodeId,
    store::Stores,
};

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
    let plugins: Box<[_]> =
        state.plugins.rows().iter().map(|row| instance(row, &state, stores, &mut problems)).collect();
    let mut profiles = Profiles::default();
    let services = state
        .services
        .rows()
        .iter()
        .map(|service| Arc::new(ServiceEntry::new(service, &state, options, &mut profiles, &mut problems)))
        .collect();
    let phases = |ix: Ix<Plugin>| plugins[ix.get()].as_ref().map(|p| p.phases());
    let scopes = Scopes::new(&state, &scope::HTTP, phases);
    let of_streams = Scopes::new(&state, &scope::STREAMS, phases);
    let routes = routes(&state, [&scopes, &of_streams], options.flavor == Flavor::Traditional);
    let global = Arc::new(scopes.global());
    let certificates = Certificates::new(&state, options, &mut problems);
    (Snapshot { state, router, streams, global, certificates, routes, services, plugins }, problems)
}

/// The running routers where the routes are the same; new ones otherwise.
fn routers(
    state: &State,
    options: &Options,
    previous: Option<&Snapshot>,
    problems: &mut Vec<Problem>,
) -> (Arc<Router>, Arc<StreamRouter>) {
    // Flavor `traditional` also orders by when a route was made, which may be the time of loading.
    if let Some(previous) = previous
        && options.flavor != Flavor::Traditional
        && same_routes(&previous.state, state)
    {
        return (Arc::clone(&previous.router), Arc::clone(&previous.streams));
    }
    let (router, failed) = Router::build(state, options.flavor, options.calculation);
    let (streams, more) = StreamRouter::build(state, options.flavor, options.calculation);
    problems.extend(failed.into_iter().chain(more).map(|error| {
        let route = &state.routes[error.route];
        Problem::new(route, "", error.reason)
    }));
    (Arc::new(router), Arc::new(streams))
}

/// Whether two configurations route alike: equal routes in the same places, of services equally enabled.
fn same_routes(old: &State, new: &State) -> bool {
    let enabled = |state: &State, route: &Route| {
        let service = route.service.and_then(|service| state.services.find(service));
        service.is_none_or(|service| state.services[service].enabled)
    };
    let (before, after) = (old.routes.rows(), new.routes.rows());
    before.len() == after.len()
        && before.iter().zip(after).all(|(a, b)| a.is_found_as(b) && enabled(old, a) == enabled(new, b))
}

fn instance(
    row: &Plugin,
    state: &State,
    stores: &Stores,
    problems: &mut Vec<Problem>,
) -> Option<Arc<dyn Instance>> {
    if !row.enabled {
        return None;
    }
    // A name that no plugin has was found when the configuration was checked.
    let entry = plugins::find(&row.name)?;
    (entry.build)(&*row.config, &mut Build { row, state, stores })
        .map_err(|error| {
            problems.push(Problem::new(row, &format!("/config{}", error.pointer), error.message));
        })
        .ok()
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
