//! Which route a request belongs to.
//!
//! A [`Router`] is built once from the routes of a configuration and asked once a request. It knows
//! routes and what can be read off a request's head; nothing of services, plugins or sockets.

use http_codec::HeaderSource;
use std::net::IpAddr;

use smallvec::SmallVec;

use model::{Ix, Route, State};

mod expr;
mod expressions;
mod fields;
mod index;
mod live;
mod path;
mod pattern;
mod priority;
mod probe;
mod table;
mod text;
mod traditional;
mod view;

pub use expressions::validate_route;
pub use live::Kept;
pub use path::{acceptable, escape_for_upstream, normalize, upstream_path};
pub use probe::Probe;
pub use view::split_port;

use live::Live;
use table::Rules;
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
    pub headers: &'a dyn HeaderSource,
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

/// The routes for HTTP, ready to be asked.
#[derive(Debug, Default)]
pub struct Router(Live);

impl Router {
    /// Builds the router for HTTP routes of enabled services.
    pub fn build(state: &State, flavor: Flavor, calculation: Calculation) -> (Router, Vec<RouteError>) {
        let (live, errors) = Live::build(state, Rules { flavor, calculation }, false, None);
        (Router(live), errors)
    }

    /// The router of another configuration, of which these routes are `kept`. Answers as one built anew.
    pub fn follow(&self, kept: &Kept, state: &State) -> (Router, Vec<RouteError>) {
        let (live, errors) = self.0.follow(kept, state);
        (Router(live), errors)
    }

    /// The route a request belongs to. `path` is the normalised path (see [`normalize`]).
    pub fn find(&self, line: &RequestLine<'_>, path: &[u8]) -> Option<RouteMatch> {
        if !self.0.readable(line, path) {
            return None;
        }
        let found = self.0.find(&View::of_request(line, path))?;
        Some(RouteMatch { matched: found.matched.min(path.len()), ..found })
    }

    /// Bytes that the index takes on the heap.
    pub fn index_memory(&self) -> usize {
        self.0.index_memory()
    }
}

/// What a stream router looks at.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    /// Whether it is UDP.
    pub udp: bool,
    /// Server name that the client asked for, whether or not the TLS ends here.
    pub sni: Option<&'a str>,
    /// The client's address.
    pub source: (IpAddr, u16),
    /// The listener's address, its port after `port_maps`; for TLS that came through another listener of
    /// the gateway, the one that the PROXY protocol names.
    pub destination: (IpAddr, u16),
}

/// The routes for streams (`tcp`, `tls`, `tls_passthrough`, `udp`), ready to be asked.
#[derive(Debug, Default)]
pub struct StreamRouter(Live);

impl StreamRouter {
    /// Builds the router for stream routes of enabled services.
    pub fn build(state: &State, flavor: Flavor, calculation: Calculation) -> (StreamRouter, Vec<RouteError>) {
        let (live, errors) = Live::build(state, Rules { flavor, calculation }, true, None);
        (StreamRouter(live), errors)
    }

    /// The router of another configuration, of which these routes are `kept`. Answers as one built anew.
    pub fn follow(&self, kept: &Kept, state: &State) -> (StreamRouter, Vec<RouteError>) {
        let (live, errors) = self.0.follow(kept, state);
        (StreamRouter(live), errors)
    }

    /// The route a connection belongs to.
    pub fn find(&self, connection: &Connection<'_>) -> Option<Ix<Route>> {
        self.0.find(&View::of_connection(connection)).map(|found| found.route)
    }
}

#[cfg(test)]
mod tests;
