//! The table of a router: parts of routes in the order in which they are tried, and the index over them.

use ahash::AHashSet;
use http::HeaderName;
use smallvec::SmallVec;
use uuid::Uuid;

use super::{
    Flavor, PriorityMode, RequestInput, RouteError, RouteMatch,
    expr::{Expr, Field, MatchTrace},
    expressions, fields,
    index::{self, Index, RankSet},
    match_input,
    match_input::MatchInput,
    pattern::Patterns,
    priority, traditional,
};
use model::{Ix, Route};

/// Parts of routes, and the index over them.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// The parts in the order in which they are tried.
    pub matchers: Box<[Matcher]>,
    pub index: Index,
    pub orders: SortKeys,
}

/// One part of a route.
#[derive(Debug)]
pub(super) struct Matcher {
    pub route: Ix<Route>,
    /// Value of [`RouteMatch::matched`], if it is the same for every match.
    matched: Option<u32>,
    captures: bool,
    pub when: Expr,
}

/// Settings that decide how routes are compiled and ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    pub flavor: Flavor,
    pub calculation: PriorityMode,
}

/// Fields that occur in expressions. Kong's engine since 3.0 matches no route if one of these is not UTF-8.
#[derive(Debug, Default)]
pub(super) struct ReferencedFields {
    path: bool,
    segments: AHashSet<Field>,
    headers: AHashSet<HeaderName>,
    queries: AHashSet<Box<str>>,
}

impl Table {
    /// Builds the table of these routes.
    pub fn build<'s>(
        routes: impl Iterator<Item = (Ix<Route>, &'s Route)>,
        rules: Rules,
        patterns: &mut Patterns,
    ) -> (Table, Vec<RouteError>) {
        let mut errors = Vec::new();
        let mut failed = |route, reason| errors.push(RouteError { route, reason });
        let table = if rules.flavor == Flavor::Traditional {
            let mut parts = Vec::new();
            for (ix, route) in routes {
                match traditional::parts(route, patterns) {
                    Ok(more) => parts.extend(more.into_iter().map(|(order, when)| (order, ix, when))),
                    Err(reason) => failed(ix, reason),
                }
            }
            Table::new(parts, SortKeys::V2)
        } else {
            let expression = match rules.flavor {
                Flavor::Expressions => expressions::expression,
                _ => fields::expression,
            };
            let mut parts = Vec::new();
            for (ix, route) in routes {
                for part in priority::split(route) {
                    match expression(route, &part.paths, rules.calculation, patterns) {
                        Ok(when) => {
                            let priority = priority::priority(route, &part.paths, rules.calculation);
                            parts.push(((priority, part.id), ix, when));
                        }
                        Err(reason) => failed(ix, reason),
                    }
                }
            }
            Table::new(parts, SortKeys::V3)
        };
        (table, errors)
    }

    /// Sorts the parts in descending order of their keys; the sort is stable.
    fn new<O: Ord>(mut parts: Vec<(O, Ix<Route>, Expr)>, orders: impl Fn(Box<[O]>) -> SortKeys) -> Table {
        parts.sort_by(|a, b| b.0.cmp(&a.0));
        let (kept, matchers): (Vec<O>, Vec<Matcher>) = parts
            .into_iter()
            .map(|(order, route, when)| {
                let matched = when.fixed_match().map(|matched| matched as u32);
                (order, Matcher { route, matched, captures: when.captures(), when })
            })
            .unzip();
        let index = index::Builder::default().build(matchers.iter().map(|matcher| &matcher.when));
        Table { matchers: matchers.into(), index, orders: orders(kept.into()) }
    }

    /// Finds the rank of the first part that matches and is not in `removed`.
    pub fn rank(&self, input: &MatchInput<'_>, removed: &RankSet) -> Option<u32> {
        self.index.find(input, &self.matchers, removed)
    }

    /// Creates the result for the part of that rank.
    pub fn route_match(&self, rank: u32, input: &MatchInput<'_>) -> RouteMatch {
        let matcher = &self.matchers[rank as usize];
        let (matched, captures) = match matcher.matched {
            Some(matched) => (matched as usize, SmallVec::new()),
            None => {
                let mut record = MatchTrace { capturing: matcher.captures, ..MatchTrace::default() };
                matcher.when.matches(input, &mut Some(&mut record));
                // Kong drops the captures if there is only the whole match.
                let captures = if record.captures.len() > 1 { record.captures } else { Vec::new() };
                (record.matched, captures.into())
            }
        };
        RouteMatch { route: matcher.route, matched_len: matched, captures }
    }
}

/// Sort keys of the parts of a table, in descending order.
#[derive(Debug)]
pub(super) enum SortKeys {
    /// Kong's engine since 3.0: priority, and id of the part.
    V3(Box<[(u64, Uuid)]>),
    /// Flavor `traditional`.
    V2(Box<[traditional::Order]>),
}

impl Default for SortKeys {
    fn default() -> Self {
        SortKeys::V3(Box::default())
    }
}

impl ReferencedFields {
    /// Collects the fields of these expressions.
    pub fn of<'m>(matchers: impl Iterator<Item = &'m Matcher>) -> ReferencedFields {
        let mut uses = ReferencedFields::default();
        for matcher in matchers {
            matcher.when.each(&mut |test| match &test.attribute.field {
                Field::Path => uses.path = true,
                field @ Field::Segments(..) => drop(uses.segments.insert(field.clone())),
                Field::Header(header) => {
                    uses.headers.insert(header.dashed.clone());
                    uses.headers.extend(header.underscored.clone());
                }
                Field::Query(name) => drop(uses.queries.insert(name.clone())),
                _ => {}
            });
        }
        uses
    }

    /// Whether all referenced fields of a request are UTF-8.
    pub fn is_utf8(&self, line: &RequestInput<'_>, path: &[u8]) -> bool {
        let utf8 = |value: &[u8]| value.is_ascii() || std::str::from_utf8(value).is_ok();
        let header = |(name, value): (&HeaderName, &http::HeaderValue)| {
            utf8(value.as_bytes()) || !self.headers.contains(name)
        };
        let used = |name: &[u8]| std::str::from_utf8(name).is_ok_and(|name| self.queries.contains(name));
        let segment = |field: &Field| {
            let mut fine = true;
            MatchInput::of_request(line, path).each(field, |segment| {
                fine = utf8(segment);
                fine
            });
            fine
        };
        (!self.path && self.segments.is_empty()
            || utf8(path)
            || !self.path && self.segments.iter().all(segment))
            && (self.headers.is_empty() || line.headers.map().iter().all(header))
            && (self.queries.is_empty()
                || match_input::arguments(line.query).all(|(name, value)| utf8(&value) || !used(&name)))
    }
}
