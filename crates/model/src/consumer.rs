//! Consumers: the clients that make the requests.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Set, Timestamp, field};
use source::NodeId;

/// A user of the gateway's services.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(extend("x-entity-checks" = [{"at_least_one_of": ["custom_id", "username"]}]))]
pub struct Consumer {
    /// Id; derived from the username if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Unique name.
    #[schemars(with = "Option<field::Text>")]
    pub username: Option<String>,
    /// Unique id in another system.
    #[schemars(with = "Option<field::Text>")]
    pub custom_id: Option<String>,
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
