//! The routes of a router in the order in which they are tried, and the index over them.

use ahash::AHashSet;
use http::HeaderName;
use smallvec::SmallVec;
use uuid::Uuid;

use super::{
    Calculation, Flavor, RequestLine, RouteError, RouteMatch,
    expr::{Expr, Field, Record},
    expressions, fields,
    index::{self, Index, Ranks},
    pattern::Patterns,
    priority, traditional, view,
    view::View,
};
use model::{Ix, Route};

/// Parts of routes, and the index over them.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// In the order in which they are tried.
    pub matchers: Box<[Matcher]>,
    pub index: Index,
    pub orders: Orders,
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

/// How routes are read and ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    pub flavor: Flavor,
    pub calculation: Calculation,
}

/// Fields that some expression looks at. Kong's newer engine gives up on a request in which one of these
/// is not UTF-8.
#[derive(Debug, Default)]
pub(super) struct Uses {
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
            Table::new(parts, Orders::Older)
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
            Table::new(parts, Orders::Newer)
        };
        (table, errors)
    }

    /// Puts the parts in order, the greatest first; of equal ones the first stays first.
    fn new<O: Ord>(mut parts: Vec<(O, Ix<Route>, Expr)>, orders: impl Fn(Box<[O]>) -> Orders) -> Table {
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

    /// The rank of the first part whose expression holds, leaving out those that are `gone`.
    pub fn rank(&self, view: &View<'_>, gone: &Ranks) -> Option<u32> {
        self.index.find(view, &self.matchers, gone)
    }

    /// The answer when that part has won.
    pub fn answer(&self, rank: u32, view: &View<'_>) -> RouteMatch {
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
        RouteMatch { route: matcher.route, matched, captures }
    }
}

/// What the parts of a table are sorted by, the greatest first.
#[derive(Debug)]
pub(super) enum Orders {
    /// Priority, and the part's id.
    Newer(Box<[(u64, Uuid)]>),
    /// Flavor `traditional`.
    Older(Box<[traditional::Order]>),
}

impl Default for Orders {
    fn default() -> Self {
        Orders::Newer(Box::default())
    }
}

impl Uses {
    /// What these look at.
    pub fn of<'m>(matchers: impl Iterator<Item = &'m Matcher>) -> Uses {
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
    pub fn readable(&self, line: &RequestLine<'_>, path: &[u8]) -> bool {
        let utf8 = |value: &[u8]| value.is_ascii() || std::str::from_utf8(value).is_ok();
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
            && (self.headers.is_empty() || line.headers.map().iter().all(header))
            && (self.queries.is_empty()
                || view::arguments(line.query).all(|(name, value)| utf8(&value) || !used(&name)))
    }
}
