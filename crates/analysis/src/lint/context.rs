//! What lints look at, and the questions that several of them ask.

use std::{cell::OnceCell, collections::HashMap};

use ahash::AHashMap;
use uuid::Uuid;

use config::Loaded;
use model::{Ix, KINDS, KindInfo, PluginEntity, Role, Route, Row, Service, State};
use plugin::{Effect, Registry};
use router::{Flavor, PriorityMode, Router};
use source::{Document, NodeId, NodePathStep, SourceMap, Span, Value};

/// What lints look at.
pub struct LintContext<'a> {
    /// The data, secrets as they were written.
    pub state: &'a State,
    /// The text it was read from.
    pub document: &'a Document,
    /// The files.
    pub sources: &'a SourceMap,
    /// The router the file is for.
    pub flavor: Flavor,
    /// The plugins there are.
    pub registry: &'a Registry,
    /// Rows without a consumer, by name and then by the route and the service they are for: a lint that goes
    /// through all routes must not go through all plugins for each.
    scoped: AHashMap<&'a str, Rows<'a>>,
    /// Rows of plugins that respond in place of the upstream, by the consumer they are for.
    responders: AHashMap<Uuid, Vec<&'a PluginEntity>>,
    /// The router of the configuration, built when a lint first asks it.
    router: OnceCell<Router>,
}

/// Rows of one plugin by the route and the service they are for.
type Rows<'a> = AHashMap<(Option<Uuid>, Option<Uuid>), &'a PluginEntity>;

impl<'a> LintContext<'a> {
    /// Wraps a loaded configuration for lints. `None` if it is not valid.
    pub fn of(loaded: &'a Loaded, flavor: Flavor) -> Option<Self> {
        // Secrets as written: neither hashed nor fetched from a vault.
        let state = loaded.displayed.as_deref().or(loaded.state.as_deref())?;
        let mut scoped: AHashMap<&str, Rows<'_>> = AHashMap::new();
        for row in state.plugins.rows().iter().filter(|p| p.enabled && p.consumer.is_none()) {
            let scope = (row.route.map(|r| r.id), row.service.map(|s| s.id));
            // Of rows with one scope the first runs.
            scoped.entry(&row.name).or_default().entry(scope).or_insert(row);
        }
        let registry = loaded.catalog.registry();
        let mut responders: AHashMap<Uuid, Vec<&PluginEntity>> = AHashMap::new();
        for row in state.plugins.rows().iter().filter(|p| p.enabled && p.consumer.is_some()) {
            let responds = || {
                let gates = registry.facts(row).unwrap_or_default();
                gates.iter().any(|gate| gate.effect == Effect::Responds)
            };
            if let Some(consumer) = row.consumer
                && responds()
            {
                responders.entry(consumer.id).or_default().push(row);
            }
        }
        let (document, sources) = (&loaded.document, &loaded.sources);
        Some(LintContext {
            state,
            document,
            sources,
            flavor,
            registry,
            scoped,
            responders,
            router: OnceCell::new(),
        })
    }

    /// Returns the node of a row, or of a field of it: `["config", "origins"]`. `None` if the file does not have it.
    pub fn node<T: Row + ?Sized>(&self, row: &T, field: &[&str]) -> Option<NodeId> {
        let steps: Vec<NodePathStep<'_>> = field
            .iter()
            .map(|part| part.parse().map_or(NodePathStep::Key(part), NodePathStep::Index))
            .collect();
        self.document.resolve_path(row.origin()?, &steps)
    }

    /// Where a row was written, or a field of it. A field that was not written leads to the row, and a row
    /// to its name.
    pub fn span<T: Row + ?Sized>(&self, row: &T, field: &[&str]) -> Option<Span> {
        let mut node: NodeId = row.origin()?;
        for part in field {
            let step = part.parse().map_or(NodePathStep::Key(part), NodePathStep::Index);
            let Some(next) = self.document.resolve_path(node, &[step]) else { break };
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

    /// Where a field of a row is named, for values of many lines.
    pub fn key<T: Row + ?Sized>(&self, row: &T, field: &str) -> Option<Span> {
        Some(self.document.span(self.document.entry(row.origin()?, field)?.key))
    }

    /// The entry of a row's field, key and value, as one place.
    pub fn entry<T: Row + ?Sized>(&self, row: &T, field: &[&str]) -> Option<Span> {
        let (last, way) = field.split_last()?;
        let map = self.node(row, way)?;
        let entry = self.document.entry(map, last)?;
        let (key, value) = (self.document.span(entry.key), self.document.span(entry.value));
        (key.file == value.file && key.end <= value.start).then_some(Span { end: value.end, ..key })
    }

    /// Plugins that are switched on, in the order of the file.
    pub fn plugins(&self) -> impl Iterator<Item = &'a PluginEntity> + use<'a> {
        self.state.plugins.rows().iter().filter(|p| p.enabled)
    }

    /// Plugins of that name that are switched on.
    pub fn named<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a PluginEntity> + use<'a, 'n> {
        self.plugins().filter(move |p| p.name == name)
    }

    /// The rows for a consumer whose plugins respond in place of the upstream.
    pub fn responders(&self, consumer: Uuid) -> &[&'a PluginEntity] {
        self.responders.get(&consumer).map_or(&[], Vec::as_slice)
    }

    /// The router of the configuration.
    pub fn router(&self) -> &Router {
        self.router.get_or_init(|| Router::build(self.state, self.flavor, PriorityMode::Original).0)
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

    /// The names of plugins that have an enabled row without a consumer.
    pub fn plugin_names(&self) -> impl Iterator<Item = &'a str> {
        self.scoped.keys().copied()
    }

    /// The row of a plugin without a consumer for exactly that route and that service.
    pub fn row(&self, name: &str, route: Option<Uuid>, service: Option<Uuid>) -> Option<&'a PluginEntity> {
        self.scoped.get(name)?.get(&(route, service)).copied()
    }

    /// The rows of a plugin that apply to a route for a client that is not identified, by precedence: the route's, its
    /// service's, and the one for everything.
    pub fn candidates(&self, name: &str, route: &Route) -> impl Iterator<Item = &'a PluginEntity> + use<'a> {
        let (own, service) = (Some(route.id), route.service.map(|s| s.id));
        let scopes = [(own, service), (own, None), (None, service), (None, None)];
        // Without a service the second and the fourth are the first and the third again.
        let step = if service.is_some() { 1 } else { 2 };
        let rows = self.scoped.get(name).map(|rows| scopes.map(|scope| rows.get(&scope).copied()));
        rows.into_iter().flatten().step_by(step).flatten()
    }

    /// The row of a plugin that runs on a route for a client that is not identified.
    pub fn effective(&self, name: &str, route: &Route) -> Option<&'a PluginEntity> {
        self.candidates(name, route).next()
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
pub fn scope(state: &State, plugin: &PluginEntity) -> String {
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

/// The kinds of credentials and of groups, each with the plugin that looks into it.
pub fn credentials() -> impl Iterator<Item = (&'static KindInfo, &'static str)> {
    KINDS.iter().filter_map(|kind| Some((kind, kind.identifies_for()?)))
}

/// The rows of all kinds of credentials.
pub fn credential_rows(state: &State) -> impl Iterator<Item = (&'static KindInfo, &dyn Row)> {
    let tables = state.tables().into_iter().filter(|table| matches!(table.info().role, Role::Credential(_)));
    tables.flat_map(|table| table.iter().map(move |row| (table.info(), row)))
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
