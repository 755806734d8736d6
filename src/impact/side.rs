//! One of the two machines, with names for its routes and services that both sides share.

use ahash::AHashMap;

use super::Probe;
use crate::{
    model::{Ix, Route, Row, Service, State, is_credential_name},
    runtime::Snapshot,
};

/// A machine and what its rows are called.
pub struct Side<'a> {
    pub snapshot: &'a Snapshot,
    /// A label for each route, in the table's order; no two are alike.
    pub labels: Vec<String>,
    routes: AHashMap<String, Ix<Route>>,
}

impl<'a> Side<'a> {
    pub fn new(snapshot: &'a Snapshot) -> Self {
        let mut routes = AHashMap::new();
        let mut labels = Vec::new();
        for (ix, route) in snapshot.state.routes.iter() {
            let plain = label(route, &snapshot.state);
            let mut unique = plain.clone();
            let mut n = 1;
            while routes.contains_key(&unique) {
                n += 1;
                unique = format!("{plain} #{n}");
            }
            routes.insert(unique.clone(), ix);
            labels.push(unique);
        }
        Side { snapshot, labels, routes }
    }

    pub fn state(&self) -> &'a State {
        &self.snapshot.state
    }

    pub fn label(&self, route: Ix<Route>) -> &str {
        &self.labels[route.get()]
    }

    pub fn by_label(&self, label: &str) -> Option<Ix<Route>> {
        self.routes.get(label).copied()
    }

    /// Routes that both sides have.
    pub fn shared<'s>(
        &'s self,
        other: &'s Side<'_>,
    ) -> impl Iterator<Item = (Ix<Route>, Ix<Route>, &'s str)> + 's {
        self.labels
            .iter()
            .enumerate()
            .filter_map(|(i, label)| Some((Ix::new(i), other.by_label(label)?, label.as_str())))
    }

    pub fn service_of(&self, route: Ix<Route>) -> Option<&'a Service> {
        self.snapshot.route(route).service.map(|ix| &self.state().services[ix])
    }

    /// The route that a request belongs to.
    pub fn ask(&self, probe: &Probe) -> Option<Ix<Route>> {
        probe.ask(&self.snapshot.router)
    }
}

/// What a route is called: its name, or what it asks of requests.
fn label(route: &Route, state: &State) -> String {
    if let Some(name) = &route.name {
        return name.clone();
    }
    let mut parts = Vec::new();
    let mut part = |list: Option<&[String]>| {
        if let Some(list) = list.filter(|l| !l.is_empty()) {
            parts.push(list.join(","));
        }
    };
    part(route.methods.as_deref());
    part(route.hosts.as_deref());
    part(route.paths.as_deref());
    part(route.snis.as_deref());
    parts.extend(route.expression.clone());
    for (name, values) in route.headers.as_deref().into_iter().flatten() {
        let values = if is_credential_name(name) { "***".to_owned() } else { values.join(",") };
        parts.push(format!("{name}:{values}"));
    }
    let service =
        route.service.and_then(|r| state.services.find(r)).map(|ix| service_label(&state.services[ix]));
    let to = service.map_or_else(String::new, |s| format!(" -> {s}"));
    format!("({}{to})", parts.join(" "))
}

/// What a service is called: its name, or where it leads.
pub fn service_label(service: &Service) -> String {
    match Row::name(service) {
        Some(name) => name.to_owned(),
        None => format!("({}:{})", service.host, service.port),
    }
}
