//! What lints look at, and the questions that several of them ask.

use std::collections::HashMap;

use crate::{
    config::Loaded,
    model::{Ix, Plugin, Route, Row, Service, State},
    plugins,
    router::Flavor,
    source::{Document, NodeId, SourceMap, Span, Step, Value},
};

/// What lints look at.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The data, secrets as they were written.
    pub state: &'a State,
    /// The text it was read from.
    pub document: &'a Document,
    /// The files.
    pub sources: &'a SourceMap,
    /// The router the file is for.
    pub flavor: Flavor,
}

impl<'a> Subject<'a> {
    /// What was read, as lints look at it; none if that was not valid.
    pub fn of(loaded: &'a Loaded, flavor: Flavor) -> Option<Self> {
        Some(Subject {
            // Secrets as written: neither hashed nor fetched from a vault.
            state: loaded.shown.as_deref().or(loaded.state.as_deref())?,
            document: &loaded.document,
            sources: &loaded.sources,
            flavor,
        })
    }

    /// The node of a row, or of a field of it: `["config", "origins"]`. None where that was not written.
    pub fn node<T: Row>(&self, row: &T, field: &[&str]) -> Option<NodeId> {
        let steps: Vec<Step<'_>> =
            field.iter().map(|part| part.parse().map_or(Step::Key(part), Step::Index)).collect();
        self.document.at(row.origin()?, &steps)
    }

    /// Where a row was written, or a field of it. A field that was not written leads to the row, and a row
    /// to its name.
    pub fn span<T: Row>(&self, row: &T, field: &[&str]) -> Option<Span> {
        let mut node: NodeId = row.origin()?;
        for part in field {
            let step = part.parse().map_or(Step::Key(part), Step::Index);
            let Some(next) = self.document.at(node, &[step]) else { break };
            node = next;
        }
        Some(self.head(node))
    }

    /// Where a map is best pointed at: its name, or its first key; other nodes as a whole.
    fn head(&self, node: NodeId) -> Span {
        let Value::Map(entries) = self.document.value(node) else { return self.document.span(node) };
        let named = ["name", "username", "target", "key", "custom_id", "id"]
            .iter()
            .find_map(|key| self.document.get(node, key))
            .or_else(|| entries.first().map(|e| e.key))
            .map(|node| self.document.span(node));
        // A value that was put in place of what is written (a shared default, a template) lies elsewhere.
        let whole = self.document.span(node);
        let inside = |s: &Span| s.file == whole.file && whole.start <= s.start && s.end <= whole.end;
        named.filter(inside).unwrap_or(whole)
    }

    /// The entry of a row's field, key and value, as one place.
    pub fn entry<T: Row>(&self, row: &T, field: &[&str]) -> Option<Span> {
        let (last, way) = field.split_last()?;
        let map = self.node(row, way)?;
        let entry = self.document.entry(map, last)?;
        let (key, value) = (self.document.span(entry.key), self.document.span(entry.value));
        (key.file == value.file && key.end <= value.start).then_some(Span { end: value.end, ..key })
    }

    /// Plugins that are switched on, in the order of the file.
    pub fn plugins(&self) -> impl Iterator<Item = &'a Plugin> + use<'a> {
        self.state.plugins.rows().iter().filter(|p| p.enabled)
    }

    /// Plugins of that name that are switched on.
    pub fn named<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a Plugin> + use<'a, 'n> {
        self.plugins().filter(move |p| p.name == name)
    }

    /// The service of a route.
    pub fn service(&self, route: &Route) -> Option<&'a Service> {
        let state = self.state;
        route.service.and_then(|s| state.services.find(s)).map(|ix| &state.services[ix])
    }

    /// Routes by the service they lead to, in the order of the file.
    pub fn routes_by_service(&self) -> Vec<(Ix<Service>, Vec<&'a Route>)> {
        let state = self.state;
        let mut routes: HashMap<Ix<Service>, Vec<&Route>> = HashMap::new();
        for route in state.routes.rows() {
            if let Some(service) = route.service.and_then(|s| state.services.find(s)) {
                routes.entry(service).or_default().push(route);
            }
        }
        let mut services: Vec<_> = routes.into_iter().collect();
        services.sort_by_key(|(service, _)| *service);
        services
    }

    /// The row of a plugin that runs on a route for a consumer nobody knows: the route's, its service's, or
    /// the one for everything, in this order of precedence.
    pub fn effective(&self, name: &str, route: &Route) -> Option<&'a Plugin> {
        let service = route.service.map(|s| s.id);
        self.named(name)
            .filter(|p| p.consumer.is_none())
            .filter(|p| p.route.is_none_or(|r| r.id == route.id))
            .filter(|p| p.service.is_none_or(|s| Some(s.id) == service))
            .max_by_key(|p| (p.route.is_some(), p.service.is_some()))
    }

    /// Rows of authentication plugins that run on a route and turn away whom they do not know.
    pub fn guards(&self, route: &Route) -> Vec<&'a Plugin> {
        let names = plugins::entries().iter().map(|e| e.name).filter(|name| plugins::authenticates(name));
        names.filter_map(|name| self.effective(name, route)).collect()
    }
}

/// What people call a row: its name in quotes, or its id.
pub fn called<T: Row>(row: &T) -> String {
    row.name().map_or_else(|| row.id().to_string(), |name| format!("{name:?}"))
}

/// Whether a text stands for a secret kept elsewhere.
pub fn is_reference(text: &str) -> bool {
    text.starts_with("{vault://") || text.contains("${{")
}

/// Where a plugin applies, in words: `on route "a"`.
pub fn scope(state: &State, plugin: &Plugin) -> String {
    let mut parts = Vec::new();
    if let Some(route) = plugin.route.and_then(|r| state.routes.find(r)) {
        parts.push(format!("route {}", called(&state.routes[route])));
    }
    if let Some(service) = plugin.service.and_then(|s| state.services.find(s)) {
        parts.push(format!("service {}", called(&state.services[service])));
    }
    if let Some(consumer) = plugin.consumer.and_then(|c| state.consumers.find(c)) {
        parts.push(format!("consumer {}", called(&state.consumers[consumer])));
    }
    if parts.is_empty() { "everywhere".to_owned() } else { format!("on {}", parts.join(" and ")) }
}

/// Each table of credentials with the plugin that looks into it.
pub const CREDENTIALS: [(&str, &str); 6] = [
    ("keyauth_credentials", "key-auth"),
    ("basicauth_credentials", "basic-auth"),
    ("hmacauth_credentials", "hmac-auth"),
    ("jwt_secrets", "jwt"),
    ("oauth2_credentials", "oauth2"),
    ("acls", "acl"),
];

/// Whether a plugin finds out who asks.
pub fn is_authentication(name: &str) -> bool {
    plugins::authenticates(name)
}

/// Whether something on a route finds out who asks.
pub fn authenticated(subject: &Subject<'_>, route: &Route) -> bool {
    !subject.guards(route).is_empty()
}

/// The conditions of a route as a text: equal where the routes match the same requests.
pub fn conditions(route: &Route) -> String {
    let sorted = |list: Option<&[String]>| {
        let mut list: Vec<_> = list.unwrap_or_default().to_vec();
        list.sort();
        list
    };
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        sorted(route.hosts.as_deref()),
        sorted(route.paths.as_deref()),
        sorted(route.methods.as_deref()),
        sorted(route.snis.as_deref()),
        route.headers,
        route.sources,
        route.destinations,
        route.regex_priority,
        (
            &route.expression,
            &route.priority,
            route.protocols.iter().any(|p| format!("{p:?}").starts_with("Tcp"))
        ),
    )
}
