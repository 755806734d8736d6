//! Upstreams and targets: a service's host spread over addresses.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Certificate, Ref, Set, Timestamp, table::row};
use crate::source::NodeId;

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
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Id; derived from the name if absent.
    pub id: Uuid,
    /// Unique name, used as a service's host.
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
    pub hash_on_header: Option<String>,
    /// Header to hash as fallback.
    pub hash_fallback_header: Option<String>,
    /// Cookie to hash; made if absent.
    pub hash_on_cookie: Option<String>,
    /// Path of that cookie.
    #[serde(default = "slash")]
    pub hash_on_cookie_path: Option<String>,
    /// Query argument to hash.
    pub hash_on_query_arg: Option<String>,
    /// Query argument to hash as fallback.
    pub hash_fallback_query_arg: Option<String>,
    /// Capture of the route's regular expression to hash.
    pub hash_on_uri_capture: Option<String>,
    /// Capture to hash as fallback.
    pub hash_fallback_uri_capture: Option<String>,
    /// Size of the ring.
    #[serde(default = "default_slots")]
    pub slots: Option<u32>,
    /// How targets' health is watched.
    #[serde(default)]
    pub healthchecks: Option<HealthChecks>,
    /// Free labels.
    pub tags: Option<Set<String>>,
    /// Host header for all targets.
    pub host_header: Option<String>,
    /// Certificate shown to targets.
    pub client_certificate: Option<Ref<Certificate>>,
    /// Whether the SRV record's name is used as Host header.
    #[serde(default = "no")]
    pub use_srv_name: Option<bool>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
    /// When it was last loaded.
    #[serde(default)]
    pub updated_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}
row!(Upstream, "upstreams", name);

/// Health checks of an upstream.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthChecks {
    /// Probes that the gateway sends.
    #[serde(default)]
    pub active: serde_json::Value,
    /// What is learnt from the traffic.
    #[serde(default)]
    pub passive: serde_json::Value,
    /// Percentage of weight that must be healthy for the upstream to count as such.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// Headers of the probes.
    #[serde(skip)]
    pub headers: Option<IndexMap<String, Vec<String>>>,
}

/// One address behind an upstream.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Id; derived from upstream and target if absent.
    pub id: Uuid,
    /// The upstream.
    pub upstream: Ref<Upstream>,
    /// `host:port`; the port is 8000 if absent.
    pub target: String,
    /// Share of the traffic; 0 takes it out.
    #[serde(default = "default_weight")]
    pub weight: Option<u32>,
    /// Free labels.
    pub tags: Option<Set<String>>,
    /// When it was made, in seconds with fractions.
    #[serde(default)]
    pub created_at: f64,
    /// When it was last loaded, in seconds with fractions.
    #[serde(default)]
    pub updated_at: f64,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}
row!(Target, "targets", -);

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
fn no() -> Option<bool> {
    Some(false)
}
