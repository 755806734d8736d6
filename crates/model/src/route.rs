//! Routes: which requests go to a service.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Protocol, Ref, Service, Set, Timestamp, field};
use source::NodeId;

/// An address or network, and a port; at least one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(extend("x-entity-checks" = [{"at_least_one_of": ["ip", "port"]}]))]
pub struct Cidr {
    /// Address or CIDR.
    #[schemars(with = "Option<field::IpOrCidr>")]
    pub ip: Option<String>,
    /// Port.
    pub port: Option<u16>,
}

/// How the service's path and the request's path are joined; only the `traditional` router looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PathHandling {
    /// Joined with exactly one slash.
    V0,
    /// The service's path is a plain prefix.
    V1,
}

/// Conditions on a request, and the service that gets those which meet them.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(extend("x-entity-checks" = [
    {"if": "protocols", "each_not_in": ["grpcs", "https", "tls", "tls_passthrough"], "then": "snis", "length": 0,
     "err": "'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'"},
]))]
pub struct Route {
    /// Id; derived from the name if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Unique name.
    #[schemars(with = "Option<field::Name>")]
    pub name: Option<String>,
    /// Protocols accepted.
    #[serde(default = "default_protocols")]
    #[schemars(extend("minItems" = 1, "x-exclusive-sets" = [
        ["http", "https"], ["tcp", "tls", "udp"], ["tls_passthrough"], ["grpc", "grpcs"],
    ]))]
    pub protocols: Set<Protocol>,
    /// Answer to plain HTTP on an https-only route.
    #[serde(default = "default_redirect")]
    #[schemars(extend("enum" = [426, 301, 302, 307, 308]))]
    pub https_redirect_status_code: u16,
    /// Whether the matched part of the path is removed.
    #[serde(default = "yes")]
    pub strip_path: bool,
    /// Whether the client's Host header is passed on.
    #[serde(default)]
    pub preserve_host: bool,
    /// Whether the request's body is read whole before it is sent on.
    #[serde(default = "yes")]
    pub request_buffering: bool,
    /// Whether the response's body may be held back.
    #[serde(default = "yes")]
    pub response_buffering: bool,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
    /// The service; a route without one answers 503 unless a plugin answers.
    pub service: Option<Ref<Service>>,
    /// Server names (TLS).
    #[schemars(with = "Option<Set<field::WildcardServerName>>")]
    pub snis: Option<Set<String>>,
    /// Clients' addresses (streams).
    pub sources: Option<Set<Cidr>>,
    /// Listener's addresses (streams).
    pub destinations: Option<Set<Cidr>>,
    /// HTTP methods, upper case.
    #[schemars(with = "Option<Set<field::Method>>")]
    pub methods: Option<Set<String>>,
    /// Hosts, with a wildcard at either end and an optional port.
    #[schemars(with = "Option<Vec<field::RouteHost>>")]
    pub hosts: Option<Vec<String>>,
    /// Path prefixes, or regular expressions after a `~`.
    #[schemars(with = "Option<Vec<field::RoutePath>>")]
    pub paths: Option<Vec<String>>,
    /// Headers that must be present, each with one of its values.
    #[schemars(extend("x-key" = {"type": "string", "x-rule": "route_header_name"}))]
    pub headers: Option<Box<IndexMap<String, Vec<String>>>>,
    /// Which regular expression is tried first: the higher.
    #[serde(default = "default_regex_priority")]
    pub regex_priority: Option<i64>,
    /// How paths are joined.
    #[serde(default = "default_path_handling")]
    pub path_handling: Option<PathHandling>,
    /// Condition in the router's own language (flavor `expressions`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<field::Text>")]
    pub expression: Option<String>,
    /// Priority of the expression (flavor `expressions`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 70368744177663_u64))]
    pub priority: Option<u64>,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// When it was last loaded.
    #[serde(default, deserialize_with = "field::ignored")]
    #[schemars(with = "field::Updated")]
    pub updated_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}
impl Route {
    /// Whether both match the same requests: all fields on which routers depend are equal. The creation time is ignored,
    /// since only flavor `traditional` depends on it.
    pub fn has_same_match(&self, other: &Route) -> bool {
        // Every field is listed, so that a new one must be considered here.
        let Route {
            id,
            protocols,
            service,
            snis,
            sources,
            destinations,
            methods,
            hosts,
            paths,
            headers,
            regex_priority,
            expression,
            priority,
            name: _,
            https_redirect_status_code: _,
            strip_path: _,
            preserve_host: _,
            request_buffering: _,
            response_buffering: _,
            tags: _,
            path_handling: _,
            created_at: _,
            updated_at: _,
            origin: _,
        } = self;
        *id == other.id
            && *protocols == other.protocols
            && service.map(|s| s.id) == other.service.map(|s| s.id)
            && *snis == other.snis
            && *sources == other.sources
            && *destinations == other.destinations
            && *methods == other.methods
            && *hosts == other.hosts
            && *paths == other.paths
            && headers.as_deref().map(IndexMap::as_slice) == other.headers.as_deref().map(IndexMap::as_slice)
            && *regex_priority == other.regex_priority
            && *expression == other.expression
            && *priority == other.priority
    }
}

fn default_protocols() -> Set<Protocol> {
    Set(Box::new([Protocol::Http, Protocol::Https]))
}
fn default_redirect() -> u16 {
    426
}
fn default_regex_priority() -> Option<i64> {
    Some(0)
}
fn default_path_handling() -> Option<PathHandling> {
    Some(PathHandling::V0)
}
fn yes() -> bool {
    true
}
