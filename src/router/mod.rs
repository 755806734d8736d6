//! Which route a request belongs to.
//!
//! A [`Router`] is built once from the routes of a configuration and asked once a request. It knows
//! routes and what can be read off a request's head; nothing of services, plugins or sockets.

use std::net::IpAddr;

use ahash::AHashSet;
use http::{HeaderMap, HeaderName};
use smallvec::SmallVec;

use crate::model::{Ix, Route, State};

mod expr;
mod fields;
mod index;
mod path;
mod pattern;
mod priority;
mod view;

pub use path::{acceptable, escape_for_upstream, normalize, upstream_path};
pub use view::split_port;

use expr::{Expr, Field, Record};
use index::Index;
use pattern::Patterns;
use view::View;

/// Which rules order the routes (setting `router_flavor`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavor {
    /// Kong's default since 3.0.
    #[default]
    TraditionalCompatible,
    /// Kong's engine before 3.0.
    Traditional,
    /// Routes may be written in the router's own language.
    Expressions,
}

/// How priorities are computed (setting `route_match_calculation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Calculation {
    /// As Kong 3.9 computes them.
    #[default]
    Original,
    /// As Kong documents them.
    Strict,
}

/// What a router looks at.
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'a> {
    /// Method, as sent.
    pub method: &'a str,
    /// Whether the client speaks TLS (or a trusted proxy says so).
    pub https: bool,
    /// Host header (or `:authority`) as sent, with its port.
    pub host: Option<&'a str>,
    /// Query without `?`; empty if there is none.
    pub query: &'a str,
    /// Headers as sent.
    pub headers: &'a HeaderMap,
    /// Server name of the TLS connection.
    pub sni: Option<&'a str>,
    /// The client's address.
    pub source: (IpAddr, u16),
    /// The listener's address, its port after `port_maps`. A port in the Host header goes before it.
    pub destination: (IpAddr, u16),
}

/// A capture of a regular expression path: its name or number, and the text.
pub type Capture = (Box<str>, Box<str>);

/// The route that won.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteMatch {
    /// The route.
    pub route: Ix<Route>,
    /// Bytes of the normalised path that the path condition took; 0 when no path took part.
    pub matched: usize,
    /// Captures, empty for a plain path.
    pub captures: SmallVec<[Capture; 0]>,
}

/// A route that could not be built; the others stay.
#[derive(Debug, thiserror::Error)]
#[error("route {route:?}: {reason}")]
pub struct RouteError {
    /// Which.
    pub route: Ix<Route>,
    /// Why.
    pub reason: String,
}

/// All routes of a configuration, ready to be asked.
#[derive(Debug, Default)]
pub struct Router {
    /// In the order in which they are tried.
    matchers: Box<[Matcher]>,
    index: Index,
    uses: Uses,
}

/// One part of a route.
#[derive(Debug)]
struct Matcher {
    route: Ix<Route>,
    /// What [`RouteMatch::matched`] is, if that follows from the expression.
    matched: Option<u32>,
    when: Expr,
}

/// Fields that some expression looks at. Kong's newer engine gives up on a request in which one of these
/// is not UTF-8.
#[derive(Debug, Default)]
struct Uses {
    path: bool,
    headers: AHashSet<HeaderName>,
    queries: AHashSet<Box<str>>,
}

impl Router {
    /// Builds the router for HTTP routes of enabled services.
    pub fn build(state: &State, flavor: Flavor, calculation: Calculation) -> (Router, Vec<RouteError>) {
        let _ = flavor;
        let mut patterns = Patterns::default();
        let mut errors = Vec::new();
        let mut parts = Vec::with_capacity(state.routes.len());
        for (ix, route) in state.routes.iter() {
            let service = route.service.and_then(|service| state.services.find(service));
            let enabled = service.is_none_or(|service| state.services[service].enabled);
            if !enabled || fields::is_stream(route) {
                continue;
            }
            for part in priority::split(route) {
                match fields::expression(route, &part.paths, &mut patterns) {
                    Ok(when) => {
                        let priority = priority::priority(route, &part.paths, calculation);
                        let matched = when.fixed_match().map(|matched| matched as u32);
                        parts.push(((priority, part.id), Matcher { route: ix, matched, when }));
                    }
                    Err(reason) => errors.push(RouteError { route: ix, reason }),
                }
            }
        }
        parts.sort_by(|a, b| b.0.cmp(&a.0));
        let matchers: Box<[Matcher]> = parts.into_iter().map(|(_, matcher)| matcher).collect();
        let index = index::Builder::default().build(matchers.iter().map(|matcher| &matcher.when));
        let uses = Uses::of(&matchers);
        (Router { matchers, index, uses }, errors)
    }

    /// The route a request belongs to. `path` is the normalised path (see [`normalize`]).
    pub fn find(&self, line: &RequestLine<'_>, path: &[u8]) -> Option<RouteMatch> {
        if !self.uses.readable(line, path) {
            return None;
        }
        let view = View::new(line, path);
        let rank = self.index.find(&view, &self.matchers)?;
        let matcher = &self.matchers[rank as usize];
        let (matched, captures) = match matcher.matched {
            Some(matched) => (matched as usize, SmallVec::new()),
            None => {
                let mut record = Record::default();
                matcher.when.holds(&view, &mut Some(&mut record));
                (record.matched, record.captures.into())
            }
        };
        Some(RouteMatch { route: matcher.route, matched: matched.min(path.len()), captures })
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
                Field::Path | Field::Segments(..) | Field::SegmentCount => uses.path = true,
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
        (!self.path || utf8(path))
            && (self.headers.is_empty()
                || line
                    .headers
                    .iter()
                    .all(|(name, value)| utf8(value.as_bytes()) || !self.headers.contains(name)))
            && (self.queries.is_empty()
                || view::arguments(line.query).all(|(name, value)| {
                    utf8(&value) || !std::str::from_utf8(&name).is_ok_and(|name| self.queries.contains(name))
                }))
    }
}

/// Why Kong would refuse the route's conditions, in its words; see the entity check of routes.
pub fn validate_route(_route: &Route, _flavor: Flavor) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests;
