//! One of the two configurations, with names for its routes and services that both sides share.

use std::{io, sync::Arc};

use ahash::AHashMap;

use super::SampleRequest;
use crate::diff::{self, Written};
use config::Catalog;
use model::{Ix, PluginEntity, Route, Row, Service, State, is_credential_name};
use proxy::Simulator;
use runtime::{Gateway, Snapshot};

/// A compiled configuration, and its rows as they are written.
#[derive(Clone, Copy, Debug)]
pub struct Compiled<'a> {
    /// A gateway that serves it. It receives no requests but those that are rehearsed; its clock is set on between
    /// two of them, so that no counter of one limits the next.
    pub gateway: &'a Arc<Gateway>,
    /// The gateway's snapshot.
    pub snapshot: &'a Snapshot,
    /// The rows.
    pub rows: diff::Side<'a>,
}

/// A compiled configuration and what its rows are called.
pub struct Side<'a> {
    pub catalog: &'static Catalog,
    pub gateway: &'a Arc<Gateway>,
    pub snapshot: &'a Snapshot,
    /// Rows as they are compared with the other side's, with the same numbers as in the snapshot.
    pub rows: &'a State,
    /// Rows as they are shown.
    pub written: &'a State,
    pub rehearsal: Simulator,
    /// A label for each route, in the table's order; no two are alike.
    pub labels: Vec<String>,
    routes: AHashMap<String, Ix<Route>>,
}

impl<'a> Side<'a> {
    pub fn new(compiled: &Compiled<'a>, other: &Compiled<'_>) -> io::Result<Self> {
        let snapshot = compiled.snapshot;
        let written = compiled.rows.written;
        let mut routes = AHashMap::new();
        let mut labels = Vec::new();
        for (ix, route) in written.routes.iter() {
            let plain = label(route, written);
            let mut unique = plain.clone();
            let mut n = 1;
            while routes.contains_key(&unique) {
                n += 1;
                unique = format!("{plain} #{n}");
            }
            routes.insert(unique.clone(), ix);
            labels.push(unique);
        }
        let rows = compiled.rows.compared(&other.rows);
        let rehearsal = Simulator::new(compiled.gateway)?;
        let catalog = compiled.rows.catalog;
        Ok(Side { catalog, gateway: compiled.gateway, snapshot, rows, written, rehearsal, labels, routes })
    }

    /// A plugin's row.
    pub fn plugin(&self, row: Ix<PluginEntity>) -> Written<'a> {
        Written { compared: &self.rows.plugins[row], written: &self.written.plugins[row] }
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
        self.snapshot.route(route).service.map(|ix| &self.rows.services[ix])
    }

    /// The route that a request belongs to.
    pub fn ask(&self, probe: &SampleRequest) -> Option<Ix<Route>> {
        probe.find_route(&self.snapshot.router)
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
