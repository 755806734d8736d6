//! Registry of the available plugins, with their types erased.

use std::sync::Arc;

use ahash::AHashMap;

use super::{BuildContext, BuildError, Diagnostics, DynPlugin, Plugin};
use model::{PluginConfig, Protocol};
use source::{DeError, Document, NodeId, from_node};

/// Entities to which a plugin can be attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PluginScopes {
    pub global: bool,
    pub service: bool,
    pub route: bool,
    pub consumer: bool,
}

impl PluginScopes {
    /// Any scope.
    pub const ALL: Self = PluginScopes { global: true, service: true, route: true, consumer: true };
    /// Any scope but a consumer. An authentication plugin runs before the consumer is known.
    pub const NO_CONSUMER: Self = PluginScopes { consumer: false, ..Self::ALL };
    /// Global only.
    pub const GLOBAL: Self = PluginScopes { global: true, service: false, route: false, consumer: false };
}

/// Deserialises a plugin's configuration from a document node.
type ReadFn = fn(&Document, NodeId) -> Result<Arc<dyn PluginConfig>, DeError>;
/// Builds a plugin from its configuration.
type BuildFn = fn(&dyn PluginConfig, &mut BuildContext<'_>) -> Result<Arc<dyn DynPlugin>, BuildError>;

/// Description of a plugin: the constants and functions of its [`Plugin`] implementation with the type erased.
pub struct PluginDescriptor {
    /// Name, as written in configuration files.
    pub name: &'static str,
    /// Priority within a phase; plugins with a higher priority run first.
    pub priority: i32,
    /// Entities to which it can be attached.
    pub scopes: PluginScopes,
    /// Supported protocols.
    pub protocols: &'static [Protocol],
    /// Default of the row's `protocols`.
    pub default_protocols: &'static [Protocol],
    /// Generates the JSON schema of its configuration.
    pub schema: fn() -> schemars::Schema,
    /// Deserialises its configuration.
    pub read: ReadFn,
    /// Checks rules that span several fields.
    pub check: fn(&dyn PluginConfig, &mut Diagnostics),
    /// Builds it. Fails for the configuration of another plugin.
    pub build: BuildFn,
    /// Whether it authenticates the client and rejects requests without valid credentials.
    pub authenticates: bool,
    /// Validation rules for entities of the plugin, keyed by the name in a schema's `x-custom`.
    pub rules: &'static [(&'static str, EntityRule)],
}

/// Validation rule for an entity. It looks up string fields by name and returns Kong's error message, or `None` if the
/// entity is valid.
pub type EntityRule = fn(&dyn Fn(&str) -> Option<String>) -> Option<String>;

/// The available plugins. Cheap to clone: clones share one table.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    entries: Vec<PluginDescriptor>,
    by_name: AHashMap<&'static str, usize>,
}

impl Registry {
    /// Creates a registry.
    ///
    /// # Panics
    /// If two plugins have the same name.
    pub fn new(entries: Vec<PluginDescriptor>) -> Self {
        let mut by_name = AHashMap::with_capacity(entries.len());
        for (i, entry) in entries.iter().enumerate() {
            assert!(by_name.insert(entry.name, i).is_none(), "two plugins are named {}", entry.name);
        }
        Registry(Arc::new(Table { entries, by_name }))
    }

    /// Returns all plugins in registration order.
    pub fn descriptors(&self) -> &[PluginDescriptor] {
        &self.0.entries
    }

    /// Looks up a plugin by name.
    pub fn find(&self, name: &str) -> Option<&PluginDescriptor> {
        self.0.by_name.get(name).map(|&i| &self.0.entries[i])
    }

    /// Returns whether the plugin with this name authenticates the client; `false` for an unknown plugin.
    pub fn authenticates(&self, name: &str) -> bool {
        self.find(name).is_some_and(|entry| entry.authenticates)
    }

    /// Looks up an entity validation rule by its `x-custom` name.
    pub fn rule(&self, name: &str) -> Option<EntityRule> {
        let mut rules = self.descriptors().iter().flat_map(|entry| entry.rules);
        rules.find(|(known, _)| *known == name).map(|(_, rule)| *rule)
    }
}

impl PluginDescriptor {
    /// Creates the description of a plugin type.
    pub const fn of<P: Plugin>() -> Self {
        PluginDescriptor {
            name: P::NAME,
            priority: P::PRIORITY,
            scopes: P::SCOPES,
            protocols: P::PROTOCOLS,
            default_protocols: P::DEFAULT_PROTOCOLS,
            schema: schema::<P>,
            read: read::<P>,
            check: check::<P>,
            build: build::<P>,
            authenticates: P::AUTHENTICATES,
            rules: P::RULES,
        }
    }
}

impl std::fmt::Debug for PluginDescriptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("name", &self.name).finish_non_exhaustive()
    }
}

fn schema<P: Plugin>() -> schemars::Schema {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<P::Config>()
}

fn read<P: Plugin>(document: &Document, node: NodeId) -> Result<Arc<dyn PluginConfig>, DeError> {
    from_node::<P::Config>(document, node).map(|config| Arc::new(config) as Arc<dyn PluginConfig>)
}

fn check<P: Plugin>(config: &dyn PluginConfig, checks: &mut Diagnostics) {
    if let Some(config) = config.as_any().downcast_ref::<P::Config>() {
        P::check(config, checks);
    }
}

fn build<P: Plugin>(
    config: &dyn PluginConfig,
    context: &mut BuildContext<'_>,
) -> Result<Arc<dyn DynPlugin>, BuildError> {
    let Some(config) = config.as_any().downcast_ref::<P::Config>() else {
        return Err(BuildError::at("", format!("these are not settings of {}", P::NAME)));
    };
    P::build(config.clone(), context).map(|plugin| Arc::new(plugin) as Arc<dyn DynPlugin>)
}
