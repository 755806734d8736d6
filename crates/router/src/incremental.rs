//! Incremental rebuild: if few routes change, the existing table is reused, and a small second table contains the added
//! routes.
//!
//! Building a table compiles every route, while a change only compares them. The result equals that of a full build: of
//! the first matches of both tables, the one that precedes the other wins.
//!
//! ```text
//!  base table:   part 0   part 1 (removed)   part 2   part 3
//!  added table:                     ^ part 0 (preceding = 2)    ^ part 1 (preceding = 4)
//! ```

use std::sync::Arc;

use ahash::AHashSet;
use uuid::Uuid;

use super::{
    RequestInput, RouteError, RouteMatch, fields,
    index::RankSet,
    match_input::MatchInput,
    pattern::Patterns,
    table::{Matcher, ReferencedFields, Rules, SortKeys, Table},
    traditional,
};
use model::{Ix, Route, State};

/// A change of more than 1/`MAX_CHANGE_SHARE` of the parts causes a full build.
const MAX_CHANGE_SHARE: usize = 8;

/// New index of a route that was removed.
const REMOVED: u32 = u32::MAX;

/// The routes of HTTP or of streams, as a base table and an optional change.
#[derive(Debug, Default)]
pub(super) struct IncrementalTable {
    pub table: Arc<Table>,
    change: Option<Box<TableChange>>,
    referenced: ReferencedFields,
    rules: Rules,
    streams: bool,
}

/// The difference to the configuration from which the base table was built.
#[derive(Debug)]
struct TableChange {
    /// Current index of each route of the base table.
    new_indices: Box<[u32]>,
    /// Ranks of the base table whose routes were removed.
    removed: RankSet,
    added: Table,
    /// For each added part, the number of parts of the base table that precede it.
    preceding: Box<[u32]>,
}

impl IncrementalTable {
    /// Builds the table of the stream routes or of the HTTP routes. Regular expressions that `former` has compiled are
    /// reused.
    pub fn build(
        state: &State,
        rules: Rules,
        streams: bool,
        former: Option<&IncrementalTable>,
    ) -> (IncrementalTable, Vec<RouteError>) {
        let mut patterns = Patterns::default();
        former
            .into_iter()
            .flat_map(IncrementalTable::matchers)
            .for_each(|matcher| patterns.add(&matcher.when));
        let routes = state.routes.iter().filter(|(_, route)| belongs(state, route, streams));
        let (table, errors) = Table::build(routes, rules, &mut patterns);
        let mut live = IncrementalTable {
            table: Arc::new(table),
            change: None,
            referenced: ReferencedFields::default(),
            rules,
            streams,
        };
        live.referenced = live.referenced_fields();
        (live, errors)
    }

    /// Builds the table of another configuration, in which these routes are retained.
    pub fn rebuild(&self, retained: &RetainedRoutes, state: &State) -> (IncrementalTable, Vec<RouteError>) {
        self.update(self.table.matchers.len() / MAX_CHANGE_SHARE, retained, state)
            .unwrap_or_else(|| IncrementalTable::build(state, self.rules, self.streams, Some(self)))
    }

    /// Like [`Self::rebuild`], but `None` if the base table cannot be reused, or more than `limit` parts changed.
    pub fn update(
        &self,
        limit: usize,
        retained: &RetainedRoutes,
        state: &State,
    ) -> Option<(IncrementalTable, Vec<RouteError>)> {
        let table = &self.table;
        let new_indices: Box<[u32]> = match &self.change {
            // Shortcut: many configurations have no stream routes.
            _ if table.matchers.is_empty() => Box::default(),
            None => retained.new_indices.clone(),
            Some(change) => {
                change.new_indices.iter().map(|&new_index| retained.new_index(new_index)).collect()
            }
        };
        let mut removed = RankSet::default();
        let mut changes = 0;
        for (rank, matcher) in (0..).zip(&*table.matchers) {
            if new_indices[matcher.route.get()] == REMOVED {
                removed.insert(rank);
                changes += 1;
            }
        }
        if changes > limit || table.index.shadowing.iter().any(|&rank| removed.contains(rank)) {
            return None;
        }
        // Parts added by earlier changes are built again, since `RetainedRoutes` refers to routes of the last
        // configuration only.
        let former = self.change.iter().flat_map(|change| &*change.added.matchers);
        let former: AHashSet<u32> =
            former.map(|matcher| retained.new_index(matcher.route.get() as u32)).collect();
        let mut routes: Vec<Ix<Route>> = former
            .into_iter()
            .filter(|&new_index| new_index != REMOVED)
            .map(|new_index| Ix::new(new_index as usize))
            .collect();
        routes.extend(retained.added.iter().filter(|&&ix| belongs(state, &state.routes[ix], self.streams)));
        if changes + routes.len() > limit {
            return None;
        }
        routes.sort_unstable();
        let mut patterns = Patterns::default();
        let former = self.change.iter().flat_map(|change| &*change.added.matchers);
        former.for_each(|matcher| patterns.add(&matcher.when));
        let routes = routes.into_iter().map(|ix| (ix, &state.routes[ix]));
        let (mut added, errors) = Table::build(routes, self.rules, &mut patterns);
        let preceding = preceding_counts(table, &new_indices, &mut added, state)?;
        let mut live = IncrementalTable {
            table: Arc::clone(table),
            change: Some(Box::new(TableChange { new_indices, removed, added, preceding })),
            referenced: ReferencedFields::default(),
            ..*self
        };
        live.referenced = live.referenced_fields();
        Some((live, errors))
    }

    /// Finds the first part whose expression matches.
    pub fn find(&self, input: &MatchInput<'_>) -> Option<RouteMatch> {
        let Some(change) = &self.change else {
            return Some(self.table.route_match(self.table.rank(input, RankSet::NONE)?, input));
        };
        let retained = self.table.rank(input, &change.removed);
        let added = change.added.rank(input, RankSet::NONE);
        match (retained, added) {
            (None, None) => None,
            (Some(retained), added)
                if added.is_none_or(|added| retained < change.preceding[added as usize]) =>
            {
                let found = self.table.route_match(retained, input);
                Some(RouteMatch { route: Ix::new(change.new_indices[found.route.get()] as usize), ..found })
            }
            (_, added) => Some(change.added.route_match(added?, input)),
        }
    }

    /// Whether all referenced fields of the request are UTF-8.
    pub fn is_utf8(&self, line: &RequestInput<'_>, path: &[u8]) -> bool {
        self.referenced.is_utf8(line, path)
    }

    /// Heap size of the indexes in bytes.
    pub fn index_memory(&self) -> usize {
        self.table.index.memory() + self.change.as_ref().map_or(0, |change| change.added.index.memory())
    }

    /// Iterates over the parts that were not removed, in no particular order.
    fn matchers(&self) -> impl Iterator<Item = &Matcher> {
        let removed = self.change.as_ref().map_or(RankSet::NONE, |change| &change.removed);
        let retained = (0..).zip(&*self.table.matchers).filter(|(rank, _)| !removed.contains(*rank));
        retained
            .map(|(_, matcher)| matcher)
            .chain(self.change.iter().flat_map(|change| &*change.added.matchers))
    }

    fn referenced_fields(&self) -> ReferencedFields {
        match self.rules.flavor {
            super::Flavor::Traditional => ReferencedFields::default(),
            _ => ReferencedFields::of(self.matchers()),
        }
    }
}

/// Whether a route belongs to the stream router or to the HTTP router, and its service is enabled.
fn belongs(state: &State, route: &Route, streams: bool) -> bool {
    let service = || route.service.and_then(|service| state.services.find(service));
    fields::is_stream(route) == streams && service().is_none_or(|service| state.services[service].enabled)
}

/// Computes for each added part the number of parts of the base table that precede it. `None` if that is unknown: flavor
/// `traditional` orders by creation time, which for most routes is the time of loading.
fn preceding_counts(
    table: &Table,
    new_indices: &[u32],
    added: &mut Table,
    state: &State,
) -> Option<Box<[u32]>> {
    match (&table.orders, &mut added.orders) {
        (SortKeys::V3(retained), SortKeys::V3(new)) => {
            Some(count(table, retained, &added.matchers, new, |_| 0))
        }
        (SortKeys::V2(retained), SortKeys::V2(new)) => {
            let created_at = traditional::common_created_at(retained)?;
            let now = state.routes.rows().first()?.created_at;
            let alike = state.routes.rows().iter().all(|route| route.created_at == now);
            // Parts with equal keys are tried in the order of their routes, which must not have changed.
            let mut last = 0;
            let in_order = new_indices.iter().filter(|&&new_index| new_index != REMOVED).all(|&new_index| {
                let before = std::mem::replace(&mut last, new_index);
                before <= new_index
            });
            if !alike || !in_order {
                return None;
            }
            new.iter_mut().for_each(|order| traditional::set_created_at(order, created_at));
            // Numbers of the table's routes that come before a new_index.
            let mut highest = 0;
            let filled: Vec<u32> = new_indices
                .iter()
                .map(|&new_index| {
                    if new_index != REMOVED {
                        highest = new_index;
                    }
                    highest
                })
                .collect();
            let earlier =
                |route: Ix<Route>| filled.partition_point(|&new_index| new_index < route.get() as u32);
            Some(count(table, retained, &added.matchers, new, earlier))
        }
        _ => None,
    }
}

/// Counts for each added part the preceding parts of the base table; among equal keys, those of routes below `earlier`.
fn count<O: Ord>(
    table: &Table,
    retained: &[O],
    added: &[Matcher],
    orders: &[O],
    earlier: impl Fn(Ix<Route>) -> usize,
) -> Box<[u32]> {
    let one = |(matcher, order): (&Matcher, &O)| {
        let greater = retained.partition_point(|other| other > order);
        let equal = retained[greater..].partition_point(|other| other == order);
        let earlier = if equal > 0 { earlier(matcher.route) } else { 0 };
        let equal = &table.matchers[greater..greater + equal];
        (greater + equal.partition_point(|other| other.route.get() < earlier)) as u32
    };
    added.iter().zip(orders).map(one).collect()
}

/// Which routes of one configuration another one keeps, as far as routers referenced_fields at them.
#[derive(Debug)]
pub struct RetainedRoutes {
    /// New index of each route.
    new_indices: Box<[u32]>,
    /// Routes of the new configuration that were added or changed.
    added: Vec<Ix<Route>>,
    same: bool,
}

impl RetainedRoutes {
    /// Compares two configurations.
    pub fn of(old: &State, new: &State) -> RetainedRoutes {
        let (disabled, now_disabled) = (disabled(old), disabled(new));
        let enabled = |set: &AHashSet<Uuid>, route: &Route| {
            route.service.is_none_or(|service| set.is_empty() || !set.contains(&service.id))
        };
        let mut new_indices = vec![REMOVED; old.routes.len()].into_boxed_slice();
        let mut added = Vec::new();
        let mut same = old.routes.len() == new.routes.len();
        // Most routes are in the same order as before, so the next one is tried before a lookup by id.
        let mut next = 0;
        for (ix, route) in new.routes.iter() {
            let guess = old.routes.rows().get(next).filter(|other| other.id == route.id);
            let found = guess.map(|_| Ix::new(next)).or_else(|| old.routes.by_id(route.id));
            let retained = found.filter(|&old_ix: &Ix<Route>| {
                let other = &old.routes[old_ix];
                new_indices[old_ix.get()] == REMOVED
                    && other.has_same_match(route)
                    && enabled(&disabled, other) == enabled(&now_disabled, route)
            });
            next = found.map_or(next, |found| found.get() + 1);
            match retained {
                Some(retained) => new_indices[retained.get()] = ix.get() as u32,
                None => added.push(ix),
            }
            same &= retained == Some(ix);
        }
        RetainedRoutes { new_indices, added, same }
    }

    /// Whether all routes are retained at the same indexes, and none was added.
    pub fn is_unchanged(&self) -> bool {
        self.same
    }

    fn new_index(&self, old: u32) -> u32 {
        self.new_indices.get(old as usize).copied().unwrap_or(REMOVED)
    }
}

fn disabled(state: &State) -> AHashSet<Uuid> {
    let rows = state.services.rows().iter();
    rows.filter(|service| !service.enabled).map(|service| service.id).collect()
}
