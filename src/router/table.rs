//! The routes of a router in the order in which they are tried, and the index over them.

use ahash::AHashSet;
use http::HeaderName;
use smallvec::SmallVec;

use super::{
    Calculation, Flavor, RequestLine, RouteError, RouteMatch,
    expr::{Expr, Field, Record},
    expressions, fields,
    index::{self, Index},
    pattern::Patterns,
    priority, traditional, view,
    view::View,
};
use crate::model::{Ix, Route, State};

/// All parts of all routes of one kind.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// In the order in which they are tried.
    pub matchers: Box<[Matcher]>,
    pub index: Index,
    uses: Uses,
}

/// One part of a route.
#[derive(Debug)]
pub(super) struct Matcher {
    pub route: Ix<Route>,
    /// What [`RouteMatch::matched`] is, if that follows from the expression.
    matched: Option<u32>,
    captures: bool,
    pub when: Expr,
}

/// Fields that some expression looks at. Kong's newer engine gives up on a request in which one of these
/// is not UTF-8.
#[derive(Debug, Default)]
struct Uses {
    path: bool,
    segments: AHashSet<Field>,
    headers: AHashSet<HeaderName>,
    queries: AHashSet<Box<str>>,
}

impl Table {
    /// Builds the table of the routes for streams, or of those for HTTP.
    pub fn build(
        state: &State,
        flavor: Flavor,
        calculation: Calculation,
        streams: bool,
    ) -> (Table, Vec<RouteError>) {
        let enabled = |route: &Route| {
            let service = route.service.and_then(|service| state.services.find(service));
            service.is_none_or(|service| state.services[service].enabled)
        };
        let routes =
            state.routes.iter().filter(|(_, route)| fields::is_stream(route) == streams && enabled(route));
        let mut patterns = Patterns::default();
        let mut errors = Vec::new();
        let table = if flavor == Flavor::Traditional {
            let mut parts = Vec::with_capacity(state.routes.len());
            for (ix, route) in routes {
                match traditional::parts(route, &mut patterns) {
                    Ok(more) => parts.extend(more.into_iter().map(|(order, when)| (order, ix, when))),
                    Err(reason) => errors.push(RouteError { route: ix, reason }),
                }
            }
            Table::new(parts)
        } else {
            let mut parts = Vec::with_capacity(state.routes.len());
            for (ix, route) in routes {
                for part in priority::split(route) {
                    let expression = match flavor {
                        Flavor::Expressions => expressions::expression,
                        _ => fields::expression,
                    };
                    match expression(route, &part.paths, calculation, &mut patterns) {
                        Ok(when) => {
                            let priority = priority::priority(route, &part.paths, calculation);
                            parts.push(((priority, part.id), ix, when));
                        }
                        Err(reason) => errors.push(RouteError { route: ix, reason }),
                    }
                }
            }
            let mut table = Table::new(parts);
            table.uses = Uses::of(&table.matchers);
            table
        };
        (table, errors)
    }

    /// Puts the parts in order, the greatest first; of equal ones the first stays first.
    fn new<O: Ord>(mut parts: Vec<(O, Ix<Route>, Expr)>) -> Table {
        parts.sort_by(|a, b| b.0.cmp(&a.0));
        let matcher = |(_, route, when): (O, Ix<Route>, Expr)| {
            let matched = when.fixed_match().map(|matched| matched as u32);
            Matcher { route, matched, captures: when.captures(), when }
        };
        let matchers: Box<[Matcher]> = parts.into_iter().map(matcher).collect();
        let index = index::Builder::default().build(matchers.iter().map(|matcher| &matcher.when));
        Table { matchers, index, uses: Uses::default() }
    }

    /// The first part whose expression holds.
    pub fn find(&self, view: &View<'_>) -> Option<RouteMatch> {
        let rank = self.index.find(view, &self.matchers)?;
        let matcher = &self.matchers[rank as usize];
        let (matched, captures) = match matcher.matched {
            Some(matched) => (matched as usize, SmallVec::new()),
            None => {
                let mut record = Record { capturing: matcher.captures, ..Record::default() };
                matcher.when.holds(view, &mut Some(&mut record));
                // Kong keeps no captures where there is nothing but the whole match.
                let captures = if record.captures.len() > 1 { record.captures } else { Vec::new() };
                (record.matched, captures.into())
            }
        };
        Some(RouteMatch { route: matcher.route, matched, captures })
    }

    /// Whether the request can be routed at all.
    pub fn readable(&self, line: &RequestLine<'_>, path: &[u8]) -> bool {
        self.uses.readable(line, path)
    }

    /// Bytes that the index takes on the heap.
    pub fn index_memory(&self) -> usize {
        self.index.memory()
    }
}

impl Uses {
    fn of(matchers: &[Matcher]) -> Uses {
        let mut uses = Uses::default();
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

    /// Whether all fields that are looked at are UTF-8.
    fn readable(&self, line: &RequestLine<'_>, path: &[u8]) -> bool {
        let utf8 = |value: &[u8]| std::str::from_utf8(value).is_ok();
        let header = |(name, value): (&HeaderName, &http::HeaderValue)| {
            utf8(value.as_bytes()) || !self.headers.contains(name)
        };
        let used = |name: &[u8]| std::str::from_utf8(name).is_ok_and(|name| self.queries.contains(name));
        let segment = |field: &Field| {
            let mut fine = true;
            View::of_request(line, path).each(field, |segment| {
                fine = utf8(segment);
                fine
            });
            fine
        };
        (!self.path && self.segments.is_empty()
            || utf8(path)
            || !self.path && self.segments.iter().all(segment))
            && (self.headers.is_empty() || line.headers.iter().all(header))
            && (self.queries.is_empty()
                || view::arguments(line.query).all(|(name, value)| utf8(&value) || !used(&name)))
    }
}
