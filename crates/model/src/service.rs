//! Services: where matched requests go.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Certificate, Ref, Set, Timestamp, field};
use source::NodeId;

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

/// An upstream application: its address, protocol and timeouts.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(
    extend("x-shorthands" = [{ "name": "url", "type": "string", "rule": "service_url" }]),
    extend("x-entity-checks" = [
        {"if": "protocol", "in": ["tcp", "tls", "udp", "grpc", "grpcs"], "then": "path", "null": true},
        {"if": "protocol", "not_in": ["https", "tls"], "then": "client_certificate", "null": true},
        {"if": "protocol", "not_in": ["https", "tls"], "then": "tls_verify", "null": true},
        {"if": "protocol", "not_in": ["https", "tls"], "then": "tls_verify_depth", "null": true},
        {"if": "protocol", "not_in": ["https", "tls"], "then": "ca_certificates", "null": true},
    ])
)]
pub struct Service {
    /// Id; derived from the name if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Unique name.
    #[schemars(with = "Option<field::Name>")]
    pub name: Option<String>,
    /// Further tries after a failed one.
    #[serde(default = "default_retries")]
    #[schemars(range(min = 0, max = 32767))]
    pub retries: Option<u32>,
    /// Protocol to the upstream.
    #[serde(default = "default_protocol")]
    pub protocol: ServiceProtocol,
    /// Host name, address, or the name of an upstream.
    #[schemars(with = "field::Host")]
    pub host: String,
    /// Port; ignored when the host names an upstream.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Path put in front of the request's path.
    #[schemars(with = "Option<field::Path>")]
    pub path: Option<String>,
    /// Milliseconds to connect.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 2147483646))]
    pub connect_timeout: Option<u32>,
    /// Milliseconds between two writes to the upstream.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 2147483646))]
    pub write_timeout: Option<u32>,
    /// Milliseconds between two reads from the upstream.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 2147483646))]
    pub read_timeout: Option<u32>,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
    /// Certificate shown to the upstream.
    pub client_certificate: Option<Ref<Certificate>>,
    /// Whether the upstream's certificate is verified; null leaves it to the node's settings.
    pub tls_verify: Option<bool>,
    /// Longest certificate chain accepted.
    #[schemars(range(min = 0, max = 64))]
    pub tls_verify_depth: Option<u32>,
    /// Ids of the CA certificates to trust.
    #[schemars(with = "Option<Vec<field::OtherId>>")]
    pub ca_certificates: Option<Vec<Uuid>>,
    /// A disabled service takes its routes out of the router.
    #[serde(default = "yes")]
    pub enabled: bool,
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
impl Service {
    /// Whether requests are sent to both in the same way, as far as these rows determine it: certificates and upstreams
    /// that they refer to are rows of their own.
    pub fn has_same_endpoint(&self, other: &Service) -> bool {
        // Every field is listed, so that a new one must be considered here.
        let Service {
            retries,
            protocol,
            host,
            port,
            path,
            connect_timeout,
            write_timeout,
            read_timeout,
            client_certificate,
            tls_verify,
            tls_verify_depth,
            ca_certificates,
            id: _,
            name: _,
            tags: _,
            enabled: _,
            created_at: _,
            updated_at: _,
            origin: _,
        } = self;
        *retries == other.retries
            && *protocol == other.protocol
            && *host == other.host
            && *port == other.port
            && *path == other.path
            && *connect_timeout == other.connect_timeout
            && *write_timeout == other.write_timeout
            && *read_timeout == other.read_timeout
            && *client_certificate == other.client_certificate
            && *tls_verify == other.tls_verify
            && *tls_verify_depth == other.tls_verify_depth
            && *ca_certificates == other.ca_certificates
    }
}

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
