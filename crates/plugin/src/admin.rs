//! Endpoints that a plugin adds to the admin API.

use http::{Method, StatusCode};
use serde_json::Value;

use model::State;
use store::Stores;

/// An endpoint of a plugin. Its path must not be one of the admin API's own, which take precedence.
#[derive(Clone, Copy, Debug)]
pub struct AdminRoute {
    /// Path template: `/things/:name`. A segment that starts with a colon is a parameter.
    pub path: &'static str,
    /// Supported methods in alphabetical order, without `HEAD` and `OPTIONS`, which are always supported.
    pub methods: &'static [&'static str],
    /// Handles a request. It runs on a thread that may block, not on a worker.
    pub handle: fn(&AdminRequest<'_>) -> AdminReply,
}

impl PartialEq for AdminRoute {
    /// Paths are unique.
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for AdminRoute {}

/// A request to an endpoint of a plugin. Access control is the admin API's.
pub struct AdminRequest<'a> {
    /// Method.
    pub method: &'a Method,
    /// Path parameters in order, decoded.
    pub parameters: &'a [String],
    /// Looks up an argument of the query.
    pub query: &'a dyn Fn(&str) -> Option<String>,
    /// Body, a JSON object; empty if there is none.
    pub body: &'a Value,
    /// The configuration that is served.
    pub state: &'a State,
    /// Clock, counters and other state of the plugins.
    pub stores: &'a Stores,
}

/// Response of an endpoint: a status and JSON; no body if that is null.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct AdminReply {
    pub status: StatusCode,
    pub body: Value,
}
