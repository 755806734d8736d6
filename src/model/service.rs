//! Services: where matched requests go.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Certificate, Ref, Set, Timestamp, table::row};
use crate::source::NodeId;

/// How the gateway talks to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ServiceProtocol {
    Grpc,
    Grpcs,
    Http,
    Https,
    Tcp,
    Tls,
    TlsPassthrough,
    Udp,
}

/// An upstream application: an address, how to speak to it, and for how long to wait.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Id; derived from the name if absent.
    pub id: Uuid,
    /// Unique name.
    pub name: Option<String>,
    /// Further tries after a failed one.
    #[serde(default = "default_retries")]
    pub retries: Option<u32>,
    /// Protocol spoken to the upstream.
    #[serde(default = "default_protocol")]
    pub protocol: ServiceProtocol,
    /// Host name, address, or the name of an upstream.
    pub host: String,
    /// Port; ignored when the host names an upstream.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Path put in front of the request's path.
    pub path: Option<String>,
    /// Milliseconds to connect.
    #[serde(default = "default_timeout")]
    pub connect_timeout: Option<u32>,
    /// Milliseconds between two writes to the upstream.
    #[serde(default = "default_timeout")]
    pub write_timeout: Option<u32>,
    /// Milliseconds between two reads from the upstream.
    #[serde(default = "default_timeout")]
    pub read_timeout: Option<u32>,
    /// Certificate shown to the upstream.
    pub client_certificate: Option<Ref<Certificate>>,
    /// Whether the upstream's certificate is verified; null leaves it to the node's settings.
    pub tls_verify: Option<bool>,
    /// Longest certificate chain accepted.
    pub tls_verify_depth: Option<u32>,
    /// Ids of the CA certificates to trust.
    pub ca_certificates: Option<Vec<Uuid>>,
    /// A disabled service takes its routes out of the router.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Free labels.
    pub tags: Option<Set<String>>,
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
row!(Service, "services", ?name);

fn default_retries() -> Option<u32> {
    Some(5)
}
fn default_protocol() -> ServiceProtocol {
    ServiceProtocol::Http
}
fn default_port() -> u16 {
    80
}
fn default_timeout() -> Option<u32> {
    Some(60_000)
}
fn yes() -> bool {
    true
}
