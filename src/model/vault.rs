//! Vaults: named places that references are read from.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Set, Timestamp, table::row};
use crate::source::NodeId;

/// A vault and the prefix that references call it by.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vault {
    /// Id; derived from the prefix if absent.
    pub id: Uuid,
    /// Unique prefix: `{vault://<prefix>/…}`.
    pub prefix: String,
    /// The vault's type: `env`.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Settings of its type.
    #[serde(default)]
    pub config: serde_json::Value,
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
row!(Vault, "vaults", prefix);
