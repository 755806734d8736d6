//! Cryptographic keys and sets of them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Ref, Set, Timestamp, table::row};
use crate::source::NodeId;

/// A named group of keys.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeySet {
    /// Id; derived from the name if absent.
    pub id: Uuid,
    /// Unique name.
    pub name: Option<String>,
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
row!(KeySet, "key_sets", ?name);

/// One key, as JWK text or PEM.
#[derive(Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Id; derived from set and name if absent.
    pub id: Uuid,
    /// The set it belongs to.
    pub set: Option<Ref<KeySet>>,
    /// Unique name.
    pub name: Option<String>,
    /// Key id, unique in its set.
    pub kid: String,
    /// The key as JWK text.
    pub jwk: Option<String>,
    /// The key as PEM.
    pub pem: Option<serde_json::Value>,
    /// Thumbprint of the certificate it came with.
    #[serde(default)]
    pub x5t: Option<String>,
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
row!(Key, "keys", ?name);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}
