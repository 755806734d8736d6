//! Vaults: named places that references are read from.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Set, Timestamp, field};
use source::NodeId;

/// Settings of the vault `env`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VaultConfig {
    /// Put in front of the names of variables.
    #[schemars(with = "Option<field::VariablePrefix>")]
    pub prefix: Option<String>,
}

/// A vault and the prefix that references call it by.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Vault {
    /// Id; derived from the prefix if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Unique prefix: `{vault://<prefix>/…}`.
    #[schemars(with = "field::Text")]
    #[schemars(extend("x-not-enum" = ["env"], "pattern" = "^[a-z][a-z0-9-]*[a-z0-9]+$"))]
    pub prefix: String,
    /// The vault's type: `env`.
    #[schemars(with = "field::Text")]
    pub name: String,
    /// What it is for.
    #[schemars(with = "Option<field::Text>")]
    pub description: Option<String>,
    /// Settings of its type.
    #[serde(default)]
    pub config: VaultConfig,
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
