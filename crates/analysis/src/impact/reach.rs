//! Routes that changes of entities reach: the routes themselves, those of a service, of an upstream, and those whose
//! plugins look at credentials. This is exact: a route that is neither here nor in the changes of chains treats a
//! request of its own as before.

use std::collections::BTreeMap;

use ahash::AHashMap;
use serde::Serialize;
use uuid::Uuid;

use super::side::Side;
use crate::diff::{Action, Change, FieldChange};
use model::{Ix, Route, Service, State};

/// Routes that the same changes reach.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteChange {
    /// The routes.
    pub routes: Vec<String>,
    /// What changes for them.
    pub causes: Vec<Cause>,
}

/// A changed entity that requests of a route depend on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cause {
    /// The entity: `service orders`.
    pub entity: String,
    /// What happens to it.
    pub action: Action,
    /// The fields of an update, secrets masked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// What stands for TLS connections of clients, which choose a certificate before there is a request.
pub const HANDSHAKES: &str = "(TLS handshakes)";

/// Which routes an entity matters to. Entities of one kind often share one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// A route, by its row on each side.
    Route([Option<usize>; 2]),
    /// Routes of a service, by its row on each side.
    Service([Option<usize>; 2]),
    /// Routes of services with that host.
    Host(String),
    /// Routes of services that refer to a certificate or authority, by its id on each side.
    Certificate([Option<Uuid>; 2]),
    /// Routes on which that plugin runs.
    Plugin(&'static str),
    /// Routes with a plugin that authenticates.
    Authentication,
    /// The choice of a certificate for a client.
    Handshakes,
}

/// Groups changes by the routes they reach. Plugins are compared as chains instead.
pub fn changes(changes: &[Change], old: &Side<'_>, new: &Side<'_>) -> Vec<RouteChange> {
    let mut causes: BTreeMap<Reach, Vec<Cause>> = BTreeMap::new();
    for change in changes {
        for reach in reaches(change, old.rows, new.rows) {
            let fields = change.fields.iter().filter(|field| matters(field)).cloned().collect();
            let cause = Cause { entity: change.to_string(), action: change.action, fields };
            causes.entry(reach).or_default().push(cause);
        }
    }
    let indexes = [Index::of(old), Index::of(new)];
    let mut alike: BTreeMap<Vec<String>, Vec<Cause>> = BTreeMap::new();
    for (reach, causes) in causes {
        let routes = reach.routes([old, new], &indexes);
        if !routes.is_empty() {
            alike.entry(routes).or_default().extend(causes);
        }
    }
    alike.into_iter().map(|(routes, causes)| RouteChange { routes, causes }).collect()
}

/// Whether traffic depends on a field.
fn matters(field: &FieldChange) -> bool {
    let name = field.name();
    name != "tags" && name != "name"
}

fn reaches(change: &Change, old: &State, new: &State) -> Vec<Reach> {
    if change.action == Action::Update && !change.fields.iter().any(matters) {
        return Vec::new();
    }
    let rows = change.rows;
    let states = [old, new];
    let of_sides = |find: &dyn Fn(&State, usize) -> Option<Uuid>| -> [Option<Uuid>; 2] {
        [0, 1].map(|side| rows[side].and_then(|row| find(states[side], row)))
    };
    let hosts = |find: &dyn Fn(&State, usize) -> Option<String>| -> Vec<Reach> {
        let mut found: Vec<_> = (0..2)
            .filter_map(|side| rows[side].and_then(|row| find(states[side], row)))
            .map(Reach::Host)
            .collect();
        found.dedup();
        found
    };
    match change.kind.key {
        "routes" => vec![Reach::Route(rows)],
        "services" => vec![Reach::Service(rows)],
        "upstreams" => hosts(&|state, row| Some(state.upstreams[Ix::new(row)].name.clone())),
        "targets" => hosts(&|state, row| {
            let upstream = state.upstreams.find(state.targets[Ix::new(row)].upstream)?;
            Some(state.upstreams[upstream].name.clone())
        }),
        "certificates" => {
            let id = of_sides(&|state, row| Some(state.certificates[Ix::new(row)].id));
            vec![Reach::Certificate(id), Reach::Handshakes]
        }
        "ca_certificates" => {
            vec![Reach::Certificate(of_sides(&|state, row| Some(state.ca_certificates[Ix::new(row)].id)))]
        }
        "snis" => vec![Reach::Handshakes],
        "consumers" => vec![Reach::Authentication],
        // Vault references are compared by value where a vault changes; plugins as chains; no request looks at the rest.
        _ => change.kind.identifies_for().map(Reach::Plugin).into_iter().collect(),
    }
}

/// Routes of one side by what they depend on, so that many changes do not each walk all of them.
#[derive(Debug, Default)]
struct Index {
    /// By the row of their service.
    of_services: Vec<Vec<Ix<Route>>>,
    /// Services by host.
    of_hosts: AHashMap<String, Vec<Ix<Service>>>,
    /// Services by the certificates and authorities that they refer to, or their upstreams.
    of_certificates: AHashMap<Uuid, Vec<Ix<Service>>>,
}

impl Index {
    fn of(side: &Side<'_>) -> Self {
        let rows = side.rows;
        let mut index = Index { of_services: vec![Vec::new(); rows.services.len()], ..Index::default() };
        for (ix, route) in rows.routes.iter() {
            if let Some(service) = route.service.and_then(|service| rows.services.find(service)) {
                index.of_services[service.get()].push(ix);
            }
        }
        for (ix, service) in rows.services.iter() {
            index.of_hosts.entry(service.host.clone()).or_default().push(ix);
            let upstream = rows.upstreams.by_name(&service.host).map(|ix| &rows.upstreams[ix]);
            let shown = service.client_certificate.or(upstream.and_then(|u| u.client_certificate));
            let authorities = service.ca_certificates.iter().flatten().copied();
            for id in shown.map(|shown| shown.id).into_iter().chain(authorities) {
                index.of_certificates.entry(id).or_default().push(ix);
            }
        }
        index
    }

    fn routes(&self, services: Option<&Vec<Ix<Service>>>) -> Vec<Ix<Route>> {
        let services = services.into_iter().flatten();
        services.flat_map(|service| &self.of_services[service.get()]).copied().collect()
    }
}

impl Reach {
    /// Labels of the routes, sorted. Routes that only one side has are reported as such instead.
    fn routes(&self, sides: [&Side<'_>; 2], indexes: &[Index; 2]) -> Vec<String> {
        if *self == Reach::Handshakes {
            return vec![HANDSHAKES.to_owned()];
        }
        let mut found = Vec::new();
        for number in 0..2 {
            let (side, other) = (sides[number], sides[1 - number]);
            for route in self.of_side(side, &indexes[number], number) {
                let label = side.label(route);
                if other.by_label(label).is_some() {
                    found.push(label.to_owned());
                }
            }
        }
        found.sort();
        found.dedup();
        found
    }

    fn of_side(&self, side: &Side<'_>, index: &Index, number: usize) -> Vec<Ix<Route>> {
        let running = |is: &dyn Fn(&str) -> bool| -> Vec<Ix<Route>> {
            side.rows.routes.iter().map(|(ix, _)| ix).filter(|ix| runs(side, *ix, is)).collect()
        };
        match self {
            Reach::Route(rows) => rows[number].map(Ix::new).into_iter().collect(),
            Reach::Service(rows) => {
                rows[number].map(|row| index.of_services[row].clone()).unwrap_or_default()
            }
            Reach::Host(host) => index.routes(index.of_hosts.get(host)),
            Reach::Certificate(ids) => {
                index.routes(ids[number].and_then(|id| index.of_certificates.get(&id)))
            }
            Reach::Plugin(name) => running(&|plugin| plugin == *name),
            Reach::Authentication => running(&|plugin| side.catalog.registry().authenticates(plugin)),
            Reach::Handshakes => Vec::new(),
        }
    }
}

/// Whether a plugin runs on a route, for any consumer.
pub fn runs(side: &Side<'_>, route: Ix<Route>, is: impl Fn(&str) -> bool) -> bool {
    side.snapshot.route(route).chain.slots.iter().any(|slot| {
        let of_consumers = slot.by_consumer.iter().flat_map(|rows| rows.values().copied());
        slot.row.into_iter().chain(of_consumers).any(|row| is(&side.rows.plugins[row].name))
    })
}
