//! Registry of the available plugins.

use std::sync::Arc;

use ahash::AHashMap;

use super::{EntityRule, Gate, PluginDescriptor, PluginTraits, PluginType};
use model::PluginEntity;

/// The available plugins. Cheap to clone: clones share one table.
#[derive(Clone, Default)]
pub struct Registry(Arc<Table>);

#[derive(Default)]
struct Table {
    types: Vec<Box<dyn PluginType>>,
    by_name: AHashMap<String, usize>,
}

impl Registry {
    /// Creates a registry.
    ///
    /// # Panics
    /// If two plugins have the same name.
    pub fn new(types: Vec<Box<dyn PluginType>>) -> Self {
        let mut by_name = AHashMap::with_capacity(types.len());
        for (i, plugin_type) in types.iter().enumerate() {
            let name = plugin_type.descriptor().name.to_string();
            assert!(by_name.insert(name.clone(), i).is_none(), "two plugins are named {name}");
        }
        Registry(Arc::new(Table { types, by_name }))
    }

    /// Returns the descriptions of all plugins in registration order.
    pub fn descriptors(&self) -> impl ExactSizeIterator<Item = &PluginDescriptor> {
        self.0.types.iter().map(|plugin_type| plugin_type.descriptor())
    }

    /// Looks up a plugin type by the plugin's name.
    pub fn plugin_type(&self, name: &str) -> Option<&dyn PluginType> {
        self.0.by_name.get(name).map(|&i| &*self.0.types[i])
    }

    /// Looks up the description of a plugin by name.
    pub fn find(&self, name: &str) -> Option<&PluginDescriptor> {
        self.plugin_type(name).map(PluginType::descriptor)
    }

    /// Returns what the plugin with this name does; no traits for an unknown plugin.
    pub fn traits(&self, name: &str) -> PluginTraits {
        self.find(name).map_or(PluginTraits::NONE, |descriptor| descriptor.traits)
    }

    /// Returns the facts about a row of a plugin; `None` if the plugin is opaque or unknown.
    pub fn facts(&self, row: &PluginEntity) -> Option<Vec<Gate>> {
        self.plugin_type(&row.name)?.facts(&*row.config)
    }

    /// Returns whether the plugin with this name authenticates the client; `false` for an unknown plugin.
    pub fn authenticates(&self, name: &str) -> bool {
        self.traits(name).authenticates
    }

    /// Looks up an entity validation rule by its `x-custom` name.
    pub fn rule(&self, name: &str) -> Option<EntityRule> {
        let mut rules = self.descriptors().flat_map(|descriptor| descriptor.rules);
        rules.find(|(known, _)| *known == name).map(|(_, rule)| *rule)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.descriptors()).finish()
    }
}
