//! Scopes of plugin rows.
//!
//! At most one row of a plugin runs for a request, the most specific one: route + service + consumer, route + consumer,
//! service + consumer, route + service, consumer, route, service, global. Disabled rows are ignored.

use ahash::AHashMap;

use super::chain::{Chain, Slot};
use model::{Consumer, Ix, PluginEntity, Protocol, Route, Service, State};
use plugin::{PhaseSet, PluginDescriptor, Registry};

/// Protocols of requests.
pub const HTTP: [Protocol; 4] = [Protocol::Http, Protocol::Https, Protocol::Grpc, Protocol::Grpcs];
/// Protocols of streams. A row with any of them runs for all of them.
pub const STREAMS: [Protocol; 4] = [Protocol::Tcp, Protocol::Tls, Protocol::TlsPassthrough, Protocol::Udp];

/// A row with its scope.
#[derive(Clone, Copy)]
struct Candidate<'r> {
    row: Ix<PluginEntity>,
    entry: &'r PluginDescriptor,
    phases: PhaseSet,
    route: Option<Ix<Route>>,
    service: Option<Ix<Service>>,
    consumer: Option<Ix<Consumer>>,
}

impl Candidate<'_> {
    /// Specificity of the scope; higher is more specific.
    fn rank(&self) -> u8 {
        match (self.route.is_some(), self.service.is_some(), self.consumer.is_some()) {
            (true, true, true) => 8,
            (true, false, true) => 7,
            (false, true, true) => 6,
            (true, true, false) => 5,
            (false, false, true) => 4,
            (true, false, false) => 3,
            (false, true, false) => 2,
            (false, false, false) => 1,
        }
    }
}

/// All plugin rows of a configuration, by scope.
#[derive(Default)]
pub struct Scopes<'r> {
    anywhere: Vec<Candidate<'r>>,
    by_service: AHashMap<Ix<Service>, Vec<Candidate<'r>>>,
    by_route: AHashMap<Ix<Route>, Vec<Candidate<'r>>>,
}

impl<'r> Scopes<'r> {
    /// Groups the rows that apply to a family of protocols; `phases` returns the phases of a row's plugin, `None` if it was
    /// not built.
    pub fn new(
        state: &State,
        family: &[Protocol],
        registry: &'r Registry,
        phases: impl Fn(Ix<PluginEntity>) -> Option<PhaseSet>,
    ) -> Self {
        let mut scopes = Scopes::default();
        for (row, plugin) in state.plugins.iter() {
            if !plugin.protocols.iter().any(|p| family.contains(p)) {
                continue;
            }
            let (Some(phases), Some(entry)) = (phases(row), registry.find(&plugin.name)) else { continue };
            let route = plugin.route.and_then(|r| state.routes.find(r));
            let service = plugin.service.and_then(|r| state.services.find(r));
            let consumer = plugin.consumer.and_then(|r| state.consumers.find(r));
            let dangling = (plugin.route.is_some() && route.is_none())
                || (plugin.service.is_some() && service.is_none())
                || (plugin.consumer.is_some() && consumer.is_none());
            if dangling {
                continue;
            }
            let candidate = Candidate { row, entry, phases, route, service, consumer };
            match (route, service) {
                (Some(route), _) => scopes.by_route.entry(route).or_default().push(candidate),
                (None, Some(service)) => scopes.by_service.entry(service).or_default().push(candidate),
                (None, None) => scopes.anywhere.push(candidate),
            }
        }
        scopes
    }

    /// Whether a route has rows of its own, so that its chain differs from that of its service.
    pub fn has_own(&self, route: Ix<Route>) -> bool {
        self.by_route.contains_key(&route)
    }

    /// Creates the chain for requests without a route: global rows only.
    pub fn global(&self) -> Chain {
        Self::chain(self.anywhere.iter().filter(|c| c.consumer.is_none()))
    }

    /// Creates the chain of a route and its service; without a route, the chain of routes without rows of their own.
    pub fn of(&self, route: Option<Ix<Route>>, service: Option<Ix<Service>>) -> Chain {
        let of_route = route.and_then(|r| self.by_route.get(&r)).into_iter().flatten();
        let of_route = of_route.filter(|c| c.service.is_none() || c.service == service);
        let of_service = service.and_then(|s| self.by_service.get(&s)).into_iter().flatten();
        Self::chain(self.anywhere.iter().chain(of_service).chain(of_route))
    }

    fn chain<'a>(candidates: impl Iterator<Item = &'a Candidate<'a>>) -> Chain {
        let mut by_plugin: Vec<(&PluginDescriptor, Vec<&Candidate<'_>>)> = Vec::new();
        for candidate in candidates {
            match by_plugin.iter_mut().find(|(entry, _)| std::ptr::eq(*entry, candidate.entry)) {
                Some((_, list)) => list.push(candidate),
                None => by_plugin.push((candidate.entry, vec![candidate])),
            }
        }
        // Among equal priorities, plugins run in descending order of their names, as in Kong.
        by_plugin.sort_by(|(a, _), (b, _)| (b.priority, &b.name).cmp(&(a.priority, &a.name)));
        Chain::new(by_plugin.into_iter().map(|(_, list)| slot(&list)).collect())
    }
}

fn slot(candidates: &[&Candidate<'_>]) -> Slot {
    let mut row: Option<&Candidate<'_>> = None;
    let mut consumers: AHashMap<Ix<Consumer>, &Candidate<'_>> = AHashMap::new();
    for candidate in candidates {
        let better = |held: &Candidate<'_>| candidate.rank() > held.rank();
        match candidate.consumer {
            None if row.is_none_or(better) => row = Some(candidate),
            Some(consumer) if consumers.get(&consumer).is_none_or(|held| better(held)) => {
                consumers.insert(consumer, candidate);
            }
            _ => {}
        }
    }
    // A row with route and service precedes a row with a consumer only.
    let above = |c: &Candidate<'_>| row.is_none_or(|row| c.rank() > row.rank());
    let by_consumer: AHashMap<_, _> =
        consumers.into_iter().filter(|(_, c)| above(c)).map(|(consumer, c)| (consumer, c.row)).collect();
    Slot {
        row: row.map(|c| c.row),
        by_consumer: (!by_consumer.is_empty()).then(|| Box::new(by_consumer)),
        phases: candidates.iter().fold(PhaseSet::EMPTY, |all, c| all.union(c.phases)),
    }
}
