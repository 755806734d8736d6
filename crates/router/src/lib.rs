//! Route matching: finds the route of a request.
//!
//! A [`Router`] is built from the routes of a configuration and queried once per request. It depends on routes and on
//! request heads only, not on services, plugins or sockets.

use http_codec::HeaderSource;
use std::net::IpAddr;

use smallvec::SmallVec;

use model::{Ix, Route, State};

mod condition;
mod expr;
mod expressions;
mod fields;
mod incremental;
mod index;
mod match_input;
mod path;
mod pattern;
mod priority;
mod render;
mod sample_request;
mod table;
mod traditional;

pub use condition::Condition;
pub use expressions::validate_route;
pub use incremental::RetainedRoutes;
pub use match_input::split_port;
pub use path::{escape_for_upstream, is_valid_path, normalize, upstream_path};
pub use sample_request::SampleRequest;

use incremental::IncrementalTable;
use match_input::MatchInput;
use table::Rules;

/// The syntax and ordering rules of routes (setting `router_flavor`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavor {
    /// Kong's default since 3.0.
    #[default]
    TraditionalCompatible,
    /// Kong's router before 3.0.
    Traditional,
    /// Routes may have expressions in the router's language.
    Expressions,
}

/// Computation of route priorities (setting `route_match_calculation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PriorityMode {
    /// As Kong 3.9 computes them.
    #[default]
    Original,
    /// As Kong documents them.
    Strict,
}

/// The input of an HTTP router.
#[derive(Clone, Copy, Debug)]
pub struct RequestInput<'a> {
    /// Method, as sent.
    pub method: &'a str,
    /// Whether the client uses TLS, or a trusted proxy reports so.
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
    /// The listener's address, its port after `port_maps`. A port in the Host header takes precedence.
    pub destination: (IpAddr, u16),
}

/// A capture of a regular expression path: its name or number, and the text.
pub type Capture = (Box<str>, Box<str>);

/// The matched route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteMatch {
    /// The route.
    pub route: Ix<Route>,
    /// Bytes of the normalised path that the path condition matched; 0 if there was no path condition.
    pub matched_len: usize,
    /// Captures, empty for a plain path.
    pub captures: SmallVec<[Capture; 0]>,
}

/// Error of building one route; the others are not affected.
#[derive(Debug, thiserror::Error)]
#[error("route {route:?}: {reason}")]
pub struct RouteError {
    /// The route.
    pub route: Ix<Route>,
    /// The reason.
    pub reason: String,
}

/// The router of HTTP requests.
#[derive(Debug, Default)]
pub struct Router(IncrementalTable);

impl Router {
    /// Builds the router for HTTP routes of enabled services.
    pub fn build(state: &State, flavor: Flavor, calculation: PriorityMode) -> (Router, Vec<RouteError>) {
        let (live, errors) = IncrementalTable::build(state, Rules { flavor, calculation }, false, None);
        (Router(live), errors)
    }

    /// Builds the router of another configuration, in which these routes are `retained`. The result equals that of
    /// [`Self::build`].
    pub fn rebuild(&self, retained: &RetainedRoutes, state: &State) -> (Router, Vec<RouteError>) {
        let (live, errors) = self.0.rebuild(retained, state);
        (Router(live), errors)
    }

    /// Finds the route of a request. `path` is the normalised path (see [`normalize`]).
    pub fn find(&self, line: &RequestInput<'_>, path: &[u8]) -> Option<RouteMatch> {
        if !self.0.is_utf8(line, path) {
            return None;
        }
        let found = self.0.find(&MatchInput::of_request(line, path))?;
        Some(RouteMatch { matched_len: found.matched_len.min(path.len()), ..found })
    }

    /// Heap size of the index in bytes.
    pub fn index_memory(&self) -> usize {
        self.0.index_memory()
    }
}

/// The input of a stream router.
#[derive(Clone, Copy, Debug)]
pub struct StreamInput<'a> {
    /// Whether it is UDP.
    pub udp: bool,
    /// Server name in the client's `ClientHello`, whether or not TLS is terminated here.
    pub sni: Option<&'a str>,
    /// The client's address.
    pub source: (IpAddr, u16),
    /// The listener's address, its port after `port_maps`; for TLS that arrived through another listener of the gateway,
    /// the address in the PROXY protocol header.
    pub destination: (IpAddr, u16),
}

/// The router of streams (`tcp`, `tls`, `tls_passthrough`, `udp`).
#[derive(Debug, Default)]
pub struct StreamRouter(IncrementalTable);

impl StreamRouter {
    /// Builds the router for stream routes of enabled services.
    pub fn build(
        state: &State,
        flavor: Flavor,
        calculation: PriorityMode,
    ) -> (StreamRouter, Vec<RouteError>) {
        let (live, errors) = IncrementalTable::build(state, Rules { flavor, calculation }, true, None);
        (StreamRouter(live), errors)
    }

    /// Builds the router of another configuration, in which these routes are `retained`. The result equals that of
    /// [`Self::build`].
    pub fn rebuild(&self, retained: &RetainedRoutes, state: &State) -> (StreamRouter, Vec<RouteError>) {
        let (live, errors) = self.0.rebuild(retained, state);
        (StreamRouter(live), errors)
    }

    /// Finds the route of a connection.
    pub fn find(&self, connection: &StreamInput<'_>) -> Option<Ix<Route>> {
        self.0.find(&MatchInput::of_connection(connection)).map(|found| found.route)
    }
}

#[cfg(test)]
mod tests;
