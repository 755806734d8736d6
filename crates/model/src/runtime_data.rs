//! Entities that gateways with a database write while they run. A file may hold them too.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{OAuth2Credential, PluginEntity, Ref, Service, Set, Timestamp, field};
use source::NodeId;

/// A name space. There is only one, `default`, which needs no mention.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Workspace {
    /// Id; derived from the name if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Unique name.
    #[schemars(with = "field::WorkspaceName")]
    pub name: String,
    /// What it is for.
    #[schemars(with = "Option<field::Text>")]
    pub comment: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// When it was last loaded.
    #[serde(default, deserialize_with = "field::ignored")]
    #[schemars(with = "field::Updated")]
    pub updated_at: Timestamp,
    /// Empty.
    #[serde(default)]
    pub meta: EmptyRecord,
    /// Empty.
    #[serde(default)]
    pub config: EmptyRecord,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

/// A record without fields.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmptyRecord {}

/// A text under a name.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Parameter {
    /// Follows from the key; not part of the format.
    #[serde(skip)]
    pub id: Uuid,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// Unique name.
    #[schemars(with = "field::Text")]
    pub key: String,
    /// The text.
    #[schemars(with = "field::Text")]
    pub value: String,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

/// A row of the plugin `session` with storage `kong`.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Session {
    /// Id; derived from the session's id if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Unique id of the session.
    #[schemars(with = "field::Text")]
    pub session_id: String,
    /// When it ends.
    pub expires: Option<i64>,
    /// What it holds.
    #[schemars(with = "Option<field::Text>")]
    pub data: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// Seconds it lives.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "field::lenient_seconds")]
    #[schemars(with = "Option<field::Ttl>")]
    pub ttl: Option<i64>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

/// A token that the plugin `oauth2` gave out.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OAuth2Token {
    /// Id; random if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// The service it is for.
    pub service: Option<Ref<Service>>,
    /// The client it was given to.
    #[serde(default)]
    pub credential: Ref<OAuth2Credential>,
    /// `bearer`.
    #[serde(default = "bearer")]
    #[schemars(extend("enum" = ["bearer"]))]
    pub token_type: String,
    /// Seconds it is good for.
    pub expires_in: i64,
    /// Unique token; random if absent.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::RandomSecret>")]
    pub access_token: String,
    /// Unique token to get the next one with.
    #[schemars(with = "Option<field::Text>")]
    pub refresh_token: Option<String>,
    /// User that authorized it.
    #[schemars(with = "Option<field::Text>")]
    pub authenticated_userid: Option<String>,
    /// What it allows.
    #[schemars(with = "Option<field::Text>")]
    pub scope: Option<String>,
    /// Seconds it lives.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "field::lenient_seconds")]
    #[schemars(with = "Option<field::Ttl>")]
    pub ttl: Option<i64>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

/// A code that the plugin `oauth2` gave out.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OAuth2AuthorizationCode {
    /// Id; random if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// The service it is for.
    pub service: Option<Ref<Service>>,
    /// The client it was given to.
    #[serde(default)]
    pub credential: Ref<OAuth2Credential>,
    /// Unique code; random if absent.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::RandomSecret>")]
    pub code: String,
    /// User that authorized it.
    #[schemars(with = "Option<field::Text>")]
    pub authenticated_userid: Option<String>,
    /// What it allows.
    #[schemars(with = "Option<field::Text>")]
    pub scope: Option<String>,
    /// PKCE challenge (RFC 7636).
    #[schemars(with = "Option<field::Text>")]
    pub challenge: Option<String>,
    /// How the challenge was made: `S256`.
    #[schemars(with = "Option<field::ChallengeMethod>")]
    pub challenge_method: Option<String>,
    /// The plugin that gave it out.
    pub plugin: Option<Ref<PluginEntity>>,
    /// Seconds it lives.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "field::lenient_seconds")]
    #[schemars(with = "Option<field::Ttl>")]
    pub ttl: Option<i64>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

/// A row of the plugin `acme` with storage `kong`.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AcmeStorage {
    /// Id; random if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Unique name; random if absent.
    #[serde(default)]
    #[schemars(with = "field::RandomText")]
    pub key: String,
    /// What it holds; random if absent.
    #[serde(default)]
    #[schemars(with = "field::RandomText")]
    pub value: String,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// Seconds it lives.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "field::lenient_seconds")]
    #[schemars(with = "Option<field::Ttl>")]
    pub ttl: Option<i64>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

/// A counter of the rate limiting plugins with policy `cluster`.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RateLimitingMetric {
    /// Follows from the other fields; not part of the format.
    #[serde(skip)]
    pub id: Uuid,
    /// Consumer, credential, service or address whose requests are counted.
    #[schemars(with = "field::AnyText")]
    pub identifier: String,
    /// `second`, `minute` and so on.
    #[schemars(with = "field::Text")]
    pub period: String,
    /// When the period began.
    #[schemars(with = "field::Time")]
    pub period_date: Timestamp,
    /// The service.
    #[schemars(with = "field::OtherId")]
    pub service_id: Uuid,
    /// The route.
    #[schemars(with = "field::OtherId")]
    pub route_id: Uuid,
    /// The count.
    pub value: i64,
    /// Seconds it lives.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "field::lenient_seconds")]
    #[schemars(with = "Option<field::Ttl>")]
    pub ttl: Option<i64>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

/// A data plane that a control plane has seen.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ClusteringDataPlane {
    /// Id; random if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// When it was last seen.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub last_seen: Timestamp,
    /// When it was last loaded.
    #[serde(default, deserialize_with = "field::ignored")]
    #[schemars(with = "field::Updated")]
    pub updated_at: Timestamp,
    /// Its address.
    #[schemars(with = "field::Ip")]
    pub ip: String,
    /// Hash of its configuration, 32 characters.
    #[schemars(with = "Option<field::ConfigHash>")]
    pub config_hash: Option<String>,
    /// Its host name.
    #[schemars(with = "field::Host")]
    pub hostname: String,
    /// Its version.
    #[schemars(with = "Option<field::GatewayVersion>")]
    pub version: Option<String>,
    /// How far it follows.
    #[serde(default = "unknown")]
    #[schemars(extend("enum" = [
        "unknown", "normal", "kong_version_incompatible", "plugin_set_incompatible",
        "plugin_version_incompatible", "filter_set_incompatible",
    ]))]
    pub sync_status: String,
    /// Free labels.
    #[schemars(with = "Option<IndexMap<String, field::Text>>")]
    pub labels: Option<IndexMap<String, String>>,
    /// Its certificate.
    #[serde(default)]
    pub cert_details: CertificateDetails,
    /// What it can do.
    #[schemars(with = "Option<Set<field::Text>>")]
    pub rpc_capabilities: Option<Set<String>>,
    /// Seconds it lives.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "field::lenient_seconds")]
    #[schemars(with = "Option<field::Ttl>")]
    pub ttl: Option<i64>,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

/// What is kept of a data plane's certificate.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CertificateDetails {
    /// When it expires.
    #[schemars(with = "Option<field::FractionTime>")]
    pub expiry_timestamp: Option<f64>,
}

fn bearer() -> String {
    "bearer".to_owned()
}
fn unknown() -> String {
    "unknown".to_owned()
}

/// Tokens are shown without what must stay secret.
macro_rules! hidden {
    ($($type:ident),*) => { $(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type)).field("id", &self.id).finish_non_exhaustive()
            }
        }
    )* };
}
hidden!(OAuth2Token, OAuth2AuthorizationCode, AcmeStorage);
