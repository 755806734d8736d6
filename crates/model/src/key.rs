//! Cryptographic keys and sets of them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Ref, Set, Timestamp, field};
use source::NodeId;

/// A named group of keys.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KeySet {
    /// Id; derived from the name if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Unique name.
    #[schemars(with = "Option<field::Text>")]
    pub name: Option<String>,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
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

/// The two halves of a key, in PEM; at least one of them.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(extend(
    "x-entity-checks" = [{"at_least_one_of": ["private_key", "public_key"]}],
    "x-custom" = "key_pair",
))]
pub struct KeyPair {
    /// Private key.
    #[schemars(with = "Option<field::Secret>")]
    pub private_key: Option<String>,
    /// Public key.
    #[schemars(with = "Option<field::Referenceable>")]
    pub public_key: Option<String>,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyPair").field("public_key", &self.public_key).finish_non_exhaustive()
    }
}

/// One key, as JWK text or PEM.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(extend("x-entity-checks" = [
    {"at_most_one_of": ["jwk", "pem"]},
    {"at_least_one_of": ["jwk", "pem"]},
    {"custom": "jwk", "fields": ["jwk", "pem", "kid"]},
]))]
pub struct Key {
    /// Id; derived from set and name if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// The set it belongs to.
    pub set: Option<Ref<KeySet>>,
    /// Unique name.
    #[schemars(with = "Option<field::Text>")]
    pub name: Option<String>,
    /// Key id, unique in its set.
    #[schemars(with = "field::Text")]
    pub kid: String,
    /// The key as JWK text.
    #[schemars(with = "Option<field::Secret>")]
    pub jwk: Option<String>,
    /// The key as PEM.
    pub pem: Option<KeyPair>,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
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

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}
