//! A router that follows its configuration: where few routes change, the table of the others stays as it
//! is, and a small second table holds what is new.
//!
//! A table is built in the time of all its routes, a change applied in the time of a look at each. The
//! answer is that of a table built anew: of the first part that holds in either table, the one that goes
//! before the other.

use std::sync::Arc;

use ahash::AHashSet;
use uuid::Uuid;

use super::{
    RequestLine, RouteError, RouteMatch, fields,
    index::Ranks,
    pattern::Patterns,
    table::{Matcher, Orders, Rules, Table, Uses},
    traditional,
    view::View,
};
use model::{Ix, Route, State};

/// A change larger than this share of a table is not worth a second table.
const SHARE: usize = 8;

/// The number of a route that is not there any more.
const NOWHERE: u32 = u32::MAX;

/// The routes of one kind, ready to be asked.
#[derive(Debug, Default)]
pub(super) struct Live {
    pub table: Arc<Table>,
    change: Option<Box<Change>>,
    uses: Uses,
    rules: Rules,
    streams: bool,
}

/// What has changed since a table was built.
#[derive(Debug)]
struct Change {
    /// What the numbers of the table's routes are now.
    places: Box<[u32]>,
    /// The table's parts that do not count any more.
    gone: Ranks,
    added: Table,
    /// For each part that was added, how many of the table's go before it.
    before: Box<[u32]>,
}

impl Live {
    /// Builds the router of the routes for streams, or of those for HTTP. Regular expressions that `former`
    /// has already compiled are taken from there.
    pub fn build(
        state: &State,
        rules: Rules,
        streams: bool,
        former: Option<&Live>,
    ) -> (Live, Vec<RouteError>) {
        let mut patterns = Patterns::default();
        former.into_iter().flat_map(Live::matchers).for_each(|matcher| patterns.keep(&matcher.when));
        let routes = state.routes.iter().filter(|(_, route)| counts(state, route, streams));
        let (table, errors) = Table::build(routes, rules, &mut patterns);
        let mut live = Live { table: Arc::new(table), change: None, uses: Uses::default(), rules, streams };
        live.uses = live.look();
        (live, errors)
    }

    /// The router of a configuration in which these routes are kept.
    pub fn follow(&self, kept: &Kept, state: &State) -> (Live, Vec<RouteError>) {
        self.update(self.table.matchers.len() / SHARE, kept, state)
            .unwrap_or_else(|| Live::build(state, self.rules, self.streams, Some(self)))
    }

    /// The same with this table, or none where a new one is better; up to `limit` parts may be gone or new.
    pub fn update(&self, limit: usize, kept: &Kept, state: &State) -> Option<(Live, Vec<RouteError>)> {
        let table = &self.table;
        let places: Box<[u32]> = match &self.change {
            // Often there are no routes for streams.
            _ if table.matchers.is_empty() => Box::default(),
            None => kept.places.clone(),
            Some(change) => change.places.iter().map(|&place| kept.place(place)).collect(),
        };
        let mut gone = Ranks::default();
        let mut changes = 0;
        for (rank, matcher) in (0..).zip(&*table.matchers) {
            if places[matcher.route.get()] == NOWHERE {
                gone.insert(rank);
                changes += 1;
            }
        }
        if changes > limit || table.index.hiding.iter().any(|&rank| gone.contains(rank)) {
            return None;
        }
        // What was added before is built again: it has no numbers of its own.
        let former = self.change.iter().flat_map(|change| &*change.added.matchers);
        let former: AHashSet<u32> = former.map(|matcher| kept.place(matcher.route.get() as u32)).collect();
        let mut routes: Vec<Ix<Route>> = former
            .into_iter()
            .filter(|&place| place != NOWHERE)
            .map(|place| Ix::new(place as usize))
            .collect();
        routes.extend(kept.fresh.iter().filter(|&&ix| counts(state, &state.routes[ix], self.streams)));
        if changes + routes.len() > limit {
            return None;
        }
        routes.sort_unstable();
        let mut patterns = Patterns::default();
        let former = self.change.iter().flat_map(|change| &*change.added.matchers);
        former.for_each(|matcher| patterns.keep(&matcher.when));
        let routes = routes.into_iter().map(|ix| (ix, &state.routes[ix]));
        let (mut added, errors) = Table::build(routes, self.rules, &mut patterns);
        let before = before(table, &places, &mut added, state)?;
        let mut live = Live {
            table: Arc::clone(table),
            change: Some(Box::new(Change { places, gone, added, before })),
            uses: Uses::default(),
            ..*self
        };
        live.uses = live.look();
        Some((live, errors))
    }

    /// The first part whose expression holds.
    pub fn find(&self, view: &View<'_>) -> Option<RouteMatch> {
        let Some(change) = &self.change else {
            return Some(self.table.answer(self.table.rank(view, Ranks::NONE)?, view));
        };
        let kept = self.table.rank(view, &change.gone);
        let added = change.added.rank(view, Ranks::NONE);
        match (kept, added) {
            (None, None) => None,
            (Some(kept), added) if added.is_none_or(|added| kept < change.before[added as usize]) => {
                let found = self.table.answer(kept, view);
                Some(RouteMatch { route: Ix::new(change.places[found.route.get()] as usize), ..found })
            }
            (_, added) => Some(change.added.answer(added?, view)),
        }
    }

    /// Whether the request can be routed at all.
    pub fn readable(&self, line: &RequestLine<'_>, path: &[u8]) -> bool {
        self.uses.readable(line, path)
    }

    /// Bytes that the index takes on the heap.
    pub fn index_memory(&self) -> usize {
        self.table.index.memory() + self.change.as_ref().map_or(0, |change| change.added.index.memory())
    }

    /// Parts that count, in no order.
    fn matchers(&self) -> impl Iterator<Item = &Matcher> {
        let gone = self.change.as_ref().map_or(Ranks::NONE, |change| &change.gone);
        let kept = (0..).zip(&*self.table.matchers).filter(|(rank, _)| !gone.contains(*rank));
        kept.map(|(_, matcher)| matcher).chain(self.change.iter().flat_map(|change| &*change.added.matchers))
    }

    fn look(&self) -> Uses {
        match self.rules.flavor {
            super::Flavor::Traditional => Uses::default(),
            _ => Uses::of(self.matchers()),
        }
    }
}

/// Whether a route belongs to the routers of that kind.
fn counts(state: &State, route: &Route, streams: bool) -> bool {
    let service = || route.service.and_then(|service| state.services.find(service));
    fields::is_stream(route) == streams && service().is_none_or(|service| state.services[service].enabled)
}

/// For each part that is added to a table, how many of the table's go before it. None if that cannot be
/// told: flavor `traditional` looks at when a route was made, which for most is when the file was read.
fn before(table: &Table, places: &[u32], added: &mut Table, state: &State) -> Option<Box<[u32]>> {
    match (&table.orders, &mut added.orders) {
        (Orders::Newer(kept), Orders::Newer(new)) => Some(count(table, kept, &added.matchers, new, |_| 0)),
        (Orders::Older(kept), Orders::Older(new)) => {
            let made = traditional::made_at(kept)?;
            let now = state.routes.rows().first()?.created_at;
            let alike = state.routes.rows().iter().all(|route| route.created_at == now);
            // Equal parts are tried in the order of their routes, which must not have changed.
            let mut last = 0;
            let in_order = places.iter().filter(|&&place| place != NOWHERE).all(|&place| {
                let before = std::mem::replace(&mut last, place);
                before <= place
            });
            if !alike || !in_order {
                return None;
            }
            new.iter_mut().for_each(|order| traditional::make(order, made));
            // Numbers of the table's routes that come before a place.
            let mut highest = 0;
            let filled: Vec<u32> = places
                .iter()
                .map(|&place| {
                    if place != NOWHERE {
                        highest = place;
                    }
                    highest
                })
                .collect();
            let earlier = |route: Ix<Route>| filled.partition_point(|&place| place < route.get() as u32);
            Some(count(table, kept, &added.matchers, new, earlier))
        }
        _ => None,
    }
}

/// For each new part, how many of the table's go before it; of equal ones those of the routes up to
/// `earlier`.
fn count<O: Ord>(
    table: &Table,
    kept: &[O],
    added: &[Matcher],
    orders: &[O],
    earlier: impl Fn(Ix<Route>) -> usize,
) -> Box<[u32]> {
    let one = |(matcher, order): (&Matcher, &O)| {
        let greater = kept.partition_point(|other| other > order);
        let equal = kept[greater..].partition_point(|other| other == order);
        let earlier = if equal > 0 { earlier(matcher.route) } else { 0 };
        let equal = &table.matchers[greater..greater + equal];
        (greater + equal.partition_point(|other| other.route.get() < earlier)) as u32
    };
    added.iter().zip(orders).map(one).collect()
}

/// Which routes of one configuration another one keeps, as far as routers look at them.
#[derive(Debug)]
pub struct Kept {
    /// The new number of each route.
    places: Box<[u32]>,
    /// Routes of the new configuration that are not kept from the old one.
    fresh: Vec<Ix<Route>>,
    same: bool,
}

impl Kept {
    /// Compares two configurations.
    pub fn of(old: &State, new: &State) -> Kept {
        let (disabled, now_disabled) = (disabled(old), disabled(new));
        let enabled = |set: &AHashSet<Uuid>, route: &Route| {
            route.service.is_none_or(|service| set.is_empty() || !set.contains(&service.id))
        };
        let mut places = vec![NOWHERE; old.routes.len()].into_boxed_slice();
        let mut fresh = Vec::new();
        let mut same = old.routes.len() == new.routes.len();
        // Most routes come in the order of before.
        let mut next = 0;
        for (ix, route) in new.routes.iter() {
            let guess = old.routes.rows().get(next).filter(|other| other.id == route.id);
            let found = guess.map(|_| Ix::new(next)).or_else(|| old.routes.by_id(route.id));
            let kept = found.filter(|&old_ix: &Ix<Route>| {
                let other = &old.routes[old_ix];
                places[old_ix.get()] == NOWHERE
                    && other.is_found_as(route)
                    && enabled(&disabled, other) == enabled(&now_disabled, route)
            });
            next = found.map_or(next, |found| found.get() + 1);
            match kept {
                Some(kept) => places[kept.get()] = ix.get() as u32,
                None => fresh.push(ix),
            }
            same &= kept == Some(ix);
        }
        Kept { places, fresh, same }
    }

    /// Whether all routes are kept, in their places, and there are no others.
    pub fn same(&self) -> bool {
        self.same
    }

    fn place(&self, old: u32) -> u32 {
        self.places.get(old as usize).copied().unwrap_or(NOWHERE)
    }
}

fn disabled(state: &State) -> AHashSet<Uuid> {
    let rows = state.services.rows().iter();
    rows.filter(|service| !service.enabled).map(|service| service.id).collect()
}
