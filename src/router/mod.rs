//! Which route a request belongs to.
//!
//! A [`Router`] is built once from the routes of a configuration and asked once a request. It knows
//! routes and what can be read off a request's head; nothing of services, plugins or sockets.

use std::net::IpAddr;

use http::HeaderMap;
use smallvec::SmallVec;

use crate::model::{Ix, Route, State};

mod path;

pub use path::{acceptable, escape_for_upstream, normalize, upstream_path};

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
pub struct Router {}

impl Router {
    /// Builds the router for HTTP routes of enabled services.
    pub fn build(_state: &State, _flavor: Flavor, _calculation: Calculation) -> (Router, Vec<RouteError>) {
        (Router::default(), Vec::new())
    }

    /// The route a request belongs to. `path` is the normalised path (see [`normalize`]).
    pub fn find(&self, _line: &RequestLine<'_>, _path: &[u8]) -> Option<RouteMatch> {
        None
    }
}

/// Why Kong would refuse the route's conditions, in its words; see the entity check of routes.
pub fn validate_route(_route: &Route, _flavor: Flavor) -> Result<(), String> {
    Ok(())
}
