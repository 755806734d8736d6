//! Plugin rows: which plugin runs where, with which settings.

use std::{any::Any, fmt, sync::Arc};

use serde::Deserialize;
use uuid::Uuid;

use super::{Consumer, Protocol, Ref, Route, Service, Set, Timestamp, field};
use source::NodeId;

/// Settings of a plugin, parsed into the type of the plugin.
pub trait PluginConfig: Any + Send + Sync + fmt::Debug {
    /// The settings as JSON, defaults filled in.
    fn json(&self) -> serde_json::Value;
    /// Whether both are equal settings of the same plugin.
    fn equals(&self, other: &dyn PluginConfig) -> bool;
    /// Allows the plugin to downcast to its type.
    fn as_any(&self) -> &dyn Any;
}

impl<T: serde::Serialize + PartialEq + Any + Send + Sync + fmt::Debug> PluginConfig for T {
    fn json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
    fn equals(&self, other: &dyn PluginConfig) -> bool {
        other.as_any().downcast_ref::<T>().is_some_and(|other| self == other)
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// One use of a plugin: on a service, a route, a consumer, a combination of them, or everywhere.
#[derive(Clone, Debug)]
pub struct PluginEntity {
    /// Id; derived from name and scope if absent.
    pub id: Uuid,
    /// Which plugin.
    pub name: String,
    /// Unique name of this use.
    pub instance_name: Option<String>,
    /// Only for this service.
    pub service: Option<Ref<Service>>,
    /// Only for this route.
    pub route: Option<Ref<Route>>,
    /// Only for this consumer.
    pub consumer: Option<Ref<Consumer>>,
    /// Its settings.
    pub config: Arc<dyn PluginConfig>,
    /// Protocols it applies to.
    pub protocols: Set<Protocol>,
    /// A disabled use counts as absent.
    pub enabled: bool,
    /// Free labels.
    pub tags: Option<Set<String>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last loaded.
    pub updated_at: Timestamp,
    /// Where it was written.
    pub origin: Option<NodeId>,
}
impl PluginEntity {
    /// Whether the same instance is built from both rows: all fields except timestamps and origin are equal.
    pub fn has_same_build(&self, other: &PluginEntity) -> bool {
        // Every field is listed, so that a new one must be considered here.
        let PluginEntity {
            id,
            name,
            instance_name,
            service,
            route,
            consumer,
            config,
            protocols,
            enabled,
            tags,
            created_at: _,
            updated_at: _,
            origin: _,
        } = self;
        *id == other.id
            && *name == other.name
            && *instance_name == other.instance_name
            && *service == other.service
            && *route == other.route
            && *consumer == other.consumer
            && config.equals(&*other.config)
            && *protocols == other.protocols
            && *enabled == other.enabled
            && *tags == other.tags
    }
}

/// A plugin as a file writes it: what all plugins have in common. The settings stay nodes until the plugin
/// reads them.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
pub struct PluginRow {
    /// Id; derived from name and scope if absent.
    #[serde(default)]
    #[schemars(with = "field::Id")]
    pub id: Uuid,
    /// Which plugin.
    #[schemars(with = "field::Text")]
    pub name: String,
    /// Unique name of this use.
    #[schemars(with = "Option<field::Name>")]
    pub instance_name: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "field::or_default")]
    #[schemars(with = "Option<field::Created>")]
    pub created_at: Timestamp,
    /// When it was last loaded.
    #[serde(default, deserialize_with = "field::ignored")]
    #[schemars(with = "field::Updated")]
    pub updated_at: Timestamp,
    /// Only for this route.
    pub route: Option<Ref<Route>>,
    /// Only for this service.
    pub service: Option<Ref<Service>>,
    /// Only for this consumer.
    pub consumer: Option<Ref<Consumer>>,
    /// Protocols it applies to; what the plugin works on if absent.
    #[serde(default)]
    pub protocols: Option<Set<Protocol>>,
    /// A disabled use counts as absent.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Free labels.
    #[schemars(with = "Option<Set<field::Tag>>")]
    pub tags: Option<Set<String>>,
}

fn yes() -> bool {
    true
}

impl serde::Serialize for PluginEntity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(12))?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("instance_name", &self.instance_name)?;
        map.serialize_entry("service", &self.service)?;
        map.serialize_entry("route", &self.route)?;
        map.serialize_entry("consumer", &self.consumer)?;
        map.serialize_entry("config", &self.config.json())?;
        map.serialize_entry("protocols", &self.protocols)?;
        map.serialize_entry("enabled", &self.enabled)?;
        map.serialize_entry("tags", &self.tags)?;
        map.serialize_entry("created_at", &self.created_at)?;
        map.serialize_entry("updated_at", &self.updated_at)?;
        map.end()
    }
}
