//! Credentials: how consumers prove who they are, and the groups they belong to.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Consumer, Ref, Set, Timestamp, table::row};
use crate::source::NodeId;

/// A group a consumer belongs to (plugin `acl`).
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acl {
    /// Id; derived from consumer and group if absent.
    pub id: Uuid,
    /// Whose.
    pub consumer: Ref<Consumer>,
    /// The group's name.
    pub group: String,
    /// Free labels.
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}
row!(Acl, "acls", -);

/// A user name and password (plugin `basic-auth`).
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// Id; derived from the username if absent.
    pub id: Uuid,
    /// Whose.
    pub consumer: Ref<Consumer>,
    /// Unique user name.
    pub username: String,
    /// Lower-case hex SHA-1 of password and consumer id, unless the file said `_transform: false`.
    pub password: String,
    /// Free labels.
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}
row!(BasicAuth, "basicauth_credentials", username);

/// A user name and secret for signed requests (plugin `hmac-auth`).
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HmacAuth {
    /// Id; derived from the username if absent.
    pub id: Uuid,
    /// Whose.
    pub consumer: Ref<Consumer>,
    /// Unique user name.
    pub username: String,
    /// Key of the HMAC; random if absent.
    pub secret: String,
    /// Free labels.
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}
row!(HmacAuth, "hmacauth_credentials", username);

/// A key that tokens are signed with (plugin `jwt`).
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtSecret {
    /// Id; random if absent.
    pub id: Uuid,
    /// Whose.
    pub consumer: Ref<Consumer>,
    /// Unique text that tokens name in the claim `key_claim_name`; random if absent.
    pub key: String,
    /// Shared secret of the HS algorithms; random if absent.
    pub secret: Option<String>,
    /// PEM public key of the other algorithms.
    pub rsa_public_key: Option<String>,
    /// The one algorithm accepted.
    #[serde(default = "hs256")]
    pub algorithm: Option<String>,
    /// Free labels.
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}
row!(JwtSecret, "jwt_secrets", key);

fn hs256() -> Option<String> {
    Some("HS256".to_owned())
}

/// An API key (plugin `key-auth`).
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyAuth {
    /// Id; random if absent.
    pub id: Uuid,
    /// Whose.
    pub consumer: Ref<Consumer>,
    /// The key; random if absent.
    pub key: String,
    /// Seconds it lives, counted from its making.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    /// Free labels.
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}
row!(KeyAuth, "keyauth_credentials", key);

/// An OAuth 2.0 client (plugin `oauth2`).
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OAuth2Credential {
    /// Id; random if absent.
    pub id: Uuid,
    /// Whose.
    pub consumer: Ref<Consumer>,
    /// The application's name.
    pub name: String,
    /// Unique public id; random if absent.
    pub client_id: String,
    /// Its secret; random if absent.
    pub client_secret: String,
    /// Whether the secret is kept as a hash.
    #[serde(default)]
    pub hash_secret: bool,
    /// Where users may be sent back to.
    pub redirect_uris: Option<Set<String>>,
    /// `confidential` or `public`.
    #[serde(default = "confidential")]
    pub client_type: String,
    /// Free labels.
    pub tags: Option<Set<String>>,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
    /// Where it was written.
    #[serde(skip)]
    pub origin: Option<NodeId>,
}
row!(OAuth2Credential, "oauth2_credentials", client_id);

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
