//! Credentials, by which clients authenticate as consumers, and the groups of consumers.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Consumer, Ref, Set, Timestamp, field};
use source::NodeId;

/// A group a consumer belongs to (plugin `acl`).
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Acl {
    /// Id; derived from consumer and group if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Whose.
    #[serde(default)]
    pub consumer: Ref<Consumer>,
    /// The group's name.
    #[schemars(with = "field::Text")]
    pub group: String,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

/// A user name and password (plugin `basic-auth`).
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BasicAuth {
    /// Id; derived from the username if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Whose.
    #[serde(default)]
    pub consumer: Ref<Consumer>,
    /// Unique user name.
    #[schemars(with = "field::Text")]
    pub username: String,
    /// Lower-case hex SHA-1 of password and consumer id, unless the file said `_transform: false`.
    #[schemars(with = "field::Text", extend("x-encrypted" = true))]
    pub password: String,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

/// A user name and secret for signed requests (plugin `hmac-auth`).
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HmacAuth {
    /// Id; derived from the username if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Whose.
    #[serde(default)]
    pub consumer: Ref<Consumer>,
    /// Unique user name.
    #[schemars(with = "field::Text")]
    pub username: String,
    /// Key of the HMAC; random if absent.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::RandomSecret>")]
    pub secret: String,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

/// A key that tokens are signed with (plugin `jwt`).
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(extend("x-entity-checks" = [
    {"if": "algorithm", "in": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"],
     "then": "rsa_public_key", "required": true, "rule": "public_key"},
    {"custom": "jwt_key", "fields": ["algorithm", "rsa_public_key"]},
]))]
pub struct JwtSecret {
    /// Id; random if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Whose.
    #[serde(default)]
    pub consumer: Ref<Consumer>,
    /// Unique text that tokens name in the claim `key_claim_name`; random if absent.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::RandomText>")]
    pub key: String,
    /// Shared secret of the HS algorithms; random if absent.
    #[schemars(with = "Option<field::RandomSecret>")]
    pub secret: Option<String>,
    /// Public key of the other algorithms: PEM of a public or private key, or a JWK.
    #[schemars(with = "Option<field::Text>")]
    pub rsa_public_key: Option<String>,
    /// The one algorithm accepted.
    #[serde(default = "hs256")]
    #[schemars(extend("enum" = [
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512",
        "EdDSA",
    ]))]
    pub algorithm: Option<String>,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

fn hs256() -> Option<String> {
    Some("HS256".to_owned())
}

/// An API key (plugin `key-auth`).
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KeyAuth {
    /// Id; random if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Whose.
    #[serde(default)]
    pub consumer: Ref<Consumer>,
    /// The key; random if absent.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::RandomSecret>")]
    pub key: String,
    /// Seconds it lives, counted from its making.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "field::lenient_seconds")]
    #[schemars(with = "Option<field::Ttl>")]
    pub ttl: Option<i64>,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

/// An OAuth 2.0 client (plugin `oauth2`).
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OAuth2Credential {
    /// Id; random if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Whose.
    #[serde(default)]
    pub consumer: Ref<Consumer>,
    /// The application's name.
    #[schemars(with = "field::Text")]
    pub name: String,
    /// Unique public id; random if absent.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::RandomText>")]
    pub client_id: String,
    /// Its secret; random if absent.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::RandomSecret>")]
    pub client_secret: String,
    /// Whether the secret is kept as a hash.
    #[serde(default)]
    pub hash_secret: bool,
    /// Where users may be sent back to.
    #[schemars(with = "Option<Vec<field::RedirectUri>>")]
    pub redirect_uris: Option<Vec<String>>,
    /// `confidential` or `public`.
    #[serde(default = "confidential")]
    #[schemars(extend("enum" = ["confidential", "public"]))]
    pub client_type: String,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}

fn confidential() -> String {
    "confidential".to_owned()
}

/// Credentials are shown without what must stay secret.
macro_rules! hidden {
    ($($type:ident),*) => { $(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type)).field("id", &self.id).finish_non_exhaustive()
            }
        }
    )* };
}
hidden!(BasicAuth, HmacAuth, JwtSecret, KeyAuth, OAuth2Credential);
