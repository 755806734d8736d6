//! Upstreams and targets: a service's host spread over addresses.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Certificate, Ref, Set, Timestamp, field};
use source::NodeId;

/// How a target is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Algorithm {
    ConsistentHashing,
    LeastConnections,
    RoundRobin,
    Latency,
}

/// What consistent hashing hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum HashOn {
    None,
    Consumer,
    Ip,
    Header,
    Cookie,
    Path,
    QueryArg,
    UriCapture,
}

/// A virtual host that spreads requests over targets.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(
    extend("x-shorthands" = [
        { "name": "algorithm", "rule": "upstream_algorithm" },
        { "name": "hash_on", "rule": "upstream_hash_on" },
    ]),
    extend("x-entity-checks" = [
        {"if": "hash_on", "in": ["header"], "then": "hash_on_header", "required": true},
        {"if": "hash_fallback", "in": ["header"], "then": "hash_fallback_header", "required": true},
        {"if": "hash_on", "in": ["cookie"], "then": "hash_on_cookie", "required": true},
        {"if": "hash_fallback", "in": ["cookie"], "then": "hash_on_cookie", "required": true},
        {"if": "hash_on", "in": ["none"], "then": "hash_fallback", "one_of": ["none"]},
        {"if": "hash_on", "in": ["cookie"], "then": "hash_fallback", "one_of": ["none"]},
        {"if": "hash_on", "in": ["consumer"], "then": "hash_fallback",
         "one_of": ["none", "ip", "header", "cookie", "path", "query_arg", "uri_capture"]},
        {"if": "hash_on", "in": ["ip"], "then": "hash_fallback",
         "one_of": ["none", "consumer", "header", "cookie", "path", "query_arg", "uri_capture"]},
        {"if": "hash_on", "in": ["path"], "then": "hash_fallback",
         "one_of": ["none", "consumer", "header", "cookie", "query_arg", "ip", "uri_capture"]},
        {"distinct": ["hash_on_header", "hash_fallback_header"]},
        {"if": "hash_on", "in": ["query_arg"], "then": "hash_on_query_arg", "required": true},
        {"if": "hash_fallback", "in": ["query_arg"], "then": "hash_fallback_query_arg", "required": true},
        {"distinct": ["hash_on_query_arg", "hash_fallback_query_arg"]},
        {"if": "hash_on", "in": ["uri_capture"], "then": "hash_on_uri_capture", "required": true},
        {"if": "hash_fallback", "in": ["uri_capture"], "then": "hash_fallback_uri_capture", "required": true},
        {"distinct": ["hash_on_uri_capture", "hash_fallback_uri_capture"]},
    ])
)]
pub struct Upstream {
    /// Id; derived from the name if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Unique name, used as a service's host.
    #[schemars(with = "field::UpstreamName")]
    pub name: String,
    /// How targets are picked.
    #[serde(default = "round_robin")]
    pub algorithm: Option<Algorithm>,
    /// What is hashed.
    #[serde(default = "hash_none")]
    pub hash_on: Option<HashOn>,
    /// What is hashed where `hash_on` gives nothing.
    #[serde(default = "hash_none")]
    pub hash_fallback: Option<HashOn>,
    /// Header to hash.
    #[schemars(with = "Option<field::HeaderName>")]
    pub hash_on_header: Option<String>,
    /// Header to hash as fallback.
    #[schemars(with = "Option<field::HeaderName>")]
    pub hash_fallback_header: Option<String>,
    /// Cookie to hash; made if absent.
    #[schemars(with = "Option<field::CookieName>")]
    pub hash_on_cookie: Option<String>,
    /// Path of that cookie.
    #[serde(default = "slash")]
    #[schemars(with = "Option<field::Path>")]
    pub hash_on_cookie_path: Option<String>,
    /// Query argument to hash.
    #[schemars(with = "Option<field::Text>")]
    pub hash_on_query_arg: Option<String>,
    /// Query argument to hash as fallback.
    #[schemars(with = "Option<field::Text>")]
    pub hash_fallback_query_arg: Option<String>,
    /// Capture of the route's regular expression to hash.
    #[schemars(with = "Option<field::Text>")]
    pub hash_on_uri_capture: Option<String>,
    /// Capture to hash as fallback.
    #[schemars(with = "Option<field::Text>")]
    pub hash_fallback_uri_capture: Option<String>,
    /// Size of the ring.
    #[serde(default = "default_slots")]
    #[schemars(range(min = 10, max = 65536))]
    pub slots: Option<u32>,
    /// How targets' health is watched.
    #[serde(default)]
    pub healthchecks: HealthChecks,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
    /// Host header for all targets.
    #[schemars(with = "Option<field::HostWithPort>")]
    pub host_header: Option<String>,
    /// Certificate shown to targets.
    pub client_certificate: Option<Ref<Certificate>>,
    /// Whether the SRV record's name is used as Host header.
    #[serde(default = "no")]
    pub use_srv_name: Option<bool>,
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
impl Upstream {
    /// Whether both balance equally over equal targets.
    pub fn has_same_balancing(&self, other: &Upstream) -> bool {
        // Every field is listed, so that a new one must be considered here.
        let Upstream {
            id,
            name,
            algorithm,
            hash_on,
            hash_fallback,
            hash_on_header,
            hash_fallback_header,
            hash_on_cookie,
            hash_on_cookie_path,
            hash_on_query_arg,
            hash_fallback_query_arg,
            hash_on_uri_capture,
            hash_fallback_uri_capture,
            slots,
            healthchecks,
            host_header,
            client_certificate,
            use_srv_name,
            tags: _,
            created_at: _,
            updated_at: _,
            origin: _,
        } = self;
        *id == other.id
            && *name == other.name
            && *algorithm == other.algorithm
            && *hash_on == other.hash_on
            && *hash_fallback == other.hash_fallback
            && *hash_on_header == other.hash_on_header
            && *hash_fallback_header == other.hash_fallback_header
            && *hash_on_cookie == other.hash_on_cookie
            && *hash_on_cookie_path == other.hash_on_cookie_path
            && *hash_on_query_arg == other.hash_on_query_arg
            && *hash_fallback_query_arg == other.hash_fallback_query_arg
            && *hash_on_uri_capture == other.hash_on_uri_capture
            && *hash_fallback_uri_capture == other.hash_fallback_uri_capture
            && *slots == other.slots
            && *healthchecks == other.healthchecks
            && *host_header == other.host_header
            && *client_certificate == other.client_certificate
            && *use_srv_name == other.use_srv_name
    }
}

/// One address behind an upstream.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Target {
    /// Id; derived from upstream and target if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// The upstream.
    #[serde(default)]
    pub upstream: Ref<Upstream>,
    /// `host:port`; the port is 8000 if absent.
    #[schemars(with = "field::TargetAddress")]
    pub target: String,
    /// Share of the traffic; 0 takes it out.
    #[serde(default = "default_weight")]
    #[schemars(range(min = 0, max = 65535))]
    pub weight: Option<u32>,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
    /// When it was made, in seconds with fractions.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::CreatedFraction>")]
    pub created_at: f64,
    /// When it was last loaded, in seconds with fractions.
    #[serde(default, deserialize_with = "field::ignored")]
    #[schemars(with = "field::Updated")]
    pub updated_at: f64,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

/// Health checks of an upstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct HealthChecks {
    /// Probes that the gateway sends.
    pub active: ActiveChecks,
    /// What is learnt from the traffic.
    pub passive: PassiveChecks,
    /// Percentage of weight that must be healthy for the upstream to count as such.
    #[schemars(range(min = 0, max = 100))]
    pub threshold: Option<f64>,
}

/// How a target's health is asked for or watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum ProbeType {
    Tcp,
    Http,
    Https,
    Grpc,
    Grpcs,
}

/// Probes that the gateway sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct ActiveChecks {
    /// Seconds a probe may take.
    #[schemars(range(min = 0, max = 65535))]
    pub timeout: Option<f64>,
    /// Targets probed at the same time.
    #[schemars(range(min = 1, max = 2147483648_u32))]
    pub concurrency: Option<u32>,
    /// Path asked for.
    #[schemars(with = "Option<field::Path>")]
    pub http_path: Option<String>,
    /// Server name of the TLS handshake; the target's name if absent.
    #[schemars(with = "Option<field::ServerName>")]
    pub https_sni: Option<String>,
    /// Protocol of the probes.
    #[serde(rename = "type")]
    pub kind: Option<ProbeType>,
    /// What makes a target healthy.
    pub healthy: ActiveHealthy,
    /// Headers of the probes.
    #[schemars(extend("x-key" = {"type": "string", "x-rule": "header_name"}))]
    pub headers: Option<IndexMap<String, Vec<String>>>,
    /// What makes a target unhealthy.
    pub unhealthy: ActiveUnhealthy,
    /// Whether the target's certificate is verified.
    pub https_verify_certificate: bool,
}

/// What makes a target healthy that is probed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct ActiveHealthy {
    /// Statuses that count as success.
    #[schemars(with = "Option<Vec<field::Status>>")]
    pub http_statuses: Option<Vec<u16>>,
    /// Seconds between probes of healthy targets; 0 sends none.
    #[schemars(range(min = 0, max = 65535))]
    pub interval: Option<f64>,
    /// Successes until the target is healthy; 0 never changes it.
    #[schemars(range(min = 0, max = 255))]
    pub successes: Option<u32>,
}

/// What makes a target unhealthy that is probed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct ActiveUnhealthy {
    /// Seconds between probes of unhealthy targets; 0 sends none.
    #[schemars(range(min = 0, max = 65535))]
    pub interval: Option<f64>,
    /// Failed connections until the target is unhealthy; 0 never changes it.
    #[schemars(range(min = 0, max = 255))]
    pub tcp_failures: Option<u32>,
    /// Statuses that count as failure.
    #[schemars(with = "Option<Vec<field::Status>>")]
    pub http_statuses: Option<Vec<u16>>,
    /// Timeouts until the target is unhealthy; 0 never changes it.
    #[schemars(range(min = 0, max = 255))]
    pub timeouts: Option<u32>,
    /// Bad statuses until the target is unhealthy; 0 never changes it.
    #[schemars(range(min = 0, max = 255))]
    pub http_failures: Option<u32>,
}

/// What is learnt from the traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct PassiveChecks {
    /// Whether statuses count or connections only.
    #[serde(rename = "type")]
    pub kind: Option<ProbeType>,
    /// What makes a target healthy.
    pub healthy: PassiveHealthy,
    /// What makes a target unhealthy.
    pub unhealthy: PassiveUnhealthy,
}

/// What makes a target healthy that is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct PassiveHealthy {
    /// Successes until the target is healthy; 0 never changes it.
    #[schemars(range(min = 0, max = 255))]
    pub successes: Option<u32>,
    /// Statuses that count as success.
    #[schemars(with = "Option<Vec<field::Status>>")]
    pub http_statuses: Option<Vec<u16>>,
}

/// What makes a target unhealthy that is watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct PassiveUnhealthy {
    /// Statuses that count as failure.
    #[schemars(with = "Option<Vec<field::Status>>")]
    pub http_statuses: Option<Vec<u16>>,
    /// Failed connections until the target is unhealthy; 0 never changes it.
    #[schemars(range(min = 0, max = 255))]
    pub tcp_failures: Option<u32>,
    /// Timeouts until the target is unhealthy; 0 never changes it.
    #[schemars(range(min = 0, max = 255))]
    pub timeouts: Option<u32>,
    /// Bad statuses until the target is unhealthy; 0 never changes it.
    #[schemars(range(min = 0, max = 255))]
    pub http_failures: Option<u32>,
}

impl Default for HealthChecks {
    fn default() -> Self {
        HealthChecks { active: ActiveChecks::default(), passive: PassiveChecks::default(), threshold: zero() }
    }
}

impl Default for ActiveChecks {
    fn default() -> Self {
        ActiveChecks {
            timeout: Some(1.0),
            concurrency: Some(10),
            http_path: slash(),
            https_sni: None,
            kind: Some(ProbeType::Http),
            healthy: ActiveHealthy::default(),
            headers: None,
            unhealthy: ActiveUnhealthy::default(),
            https_verify_certificate: true,
        }
    }
}

impl Default for ActiveHealthy {
    fn default() -> Self {
        ActiveHealthy { http_statuses: Some(vec![200, 302]), interval: zero(), successes: Some(0) }
    }
}

impl Default for ActiveUnhealthy {
    fn default() -> Self {
        ActiveUnhealthy {
            interval: zero(),
            tcp_failures: Some(0),
            http_statuses: Some(vec![429, 404, 500, 501, 502, 503, 504, 505]),
            timeouts: Some(0),
            http_failures: Some(0),
        }
    }
}

impl Default for PassiveChecks {
    fn default() -> Self {
        PassiveChecks {
            kind: Some(ProbeType::Http),
            healthy: PassiveHealthy::default(),
            unhealthy: PassiveUnhealthy::default(),
        }
    }
}

impl Default for PassiveHealthy {
    fn default() -> Self {
        let statuses = (200..=208).chain([226]).chain(300..=308).collect();
        PassiveHealthy { successes: Some(0), http_statuses: Some(statuses) }
    }
}

impl Default for PassiveUnhealthy {
    fn default() -> Self {
        PassiveUnhealthy {
            http_statuses: Some(vec![429, 500, 503]),
            tcp_failures: Some(0),
            timeouts: Some(0),
            http_failures: Some(0),
        }
    }
}

fn round_robin() -> Option<Algorithm> {
    Some(Algorithm::RoundRobin)
}
fn hash_none() -> Option<HashOn> {
    Some(HashOn::None)
}
fn slash() -> Option<String> {
    Some("/".to_owned())
}
fn default_slots() -> Option<u32> {
    Some(10_000)
}
fn default_weight() -> Option<u32> {
    Some(100)
}
fn zero() -> Option<f64> {
    Some(0.0)
}
fn no() -> Option<bool> {
    Some(false)
}
