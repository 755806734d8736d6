//! Consumers: who makes the requests.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Set, Timestamp, table::row};
use crate::source::NodeId;

/// A user of the gateway's services.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// Id; derived from the username if absent.
    pub id: Uuid,
    /// Unique name.
    pub username: Option<String>,
    /// Unique id in another system.
    pub custom_id: Option<String>,
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
row!(Consumer, "consumers", ?username);
