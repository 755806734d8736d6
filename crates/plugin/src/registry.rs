//! The plugins of a program as rows of a table, without their types.

use std::sync::Arc;

use ahash::AHashMap;

use super::{Build, BuildError, Checks, Instance, Plugin};
use model::{PluginConfig, Protocol};
use source::{DeError, Document, NodeId, from_node};

/// What a plugin may be attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Scopes {
    pub global: bool,
    pub service: bool,
    pub route: bool,
    pub consumer: bool,
}

impl Scopes {
    /// Everything.
    pub const ALL: Self = Scopes { global: true, service: true, route: true, consumer: true };
    /// Everything but a consumer: what finds out the consumer cannot depend on one.
    pub const NO_CONSUMER: Self = Scopes { consumer: false, ..Self::ALL };
    /// Nothing but everywhere.
    pub const GLOBAL: Self = Scopes { global: true, service: false, route: false, consumer: false };
}

/// Reads a plugin's settings from a file's nodes.
type Read = fn(&Document, NodeId) -> Result<Arc<dyn PluginConfig>, DeError>;
type Make = fn(&dyn PluginConfig, &mut Build<'_>) -> Result<Arc<dyn Instance>, BuildError>;

/// A plugin without its type.
pub struct Entry {
    /// Name, as in a file.
    pub name: &'static str,
    /// The higher runs earlier.
    pub priority: i32,
    /// What it may be attached to.
    pub scopes: Scopes,
    /// Protocols it works on.
    pub protocols: &'static [Protocol],
    /// Protocols of a row that names none.
    pub default_protocols: &'static [Protocol],
    /// Schema of its settings.
    pub schema: fn() -> schemars::Schema,
    /// Reads its settings.
    pub read: Read,
    /// Checks its settings across fields.
    pub check: fn(&dyn PluginConfig, &mut Checks),
    /// Builds it. Settings of another plugin are refused.
    pub build: Make,
    /// Whether it identifies the client and refuses a request without valid credentials.
    pub authenticates: bool,
    /// Rules about whole entities that belong to it, by the name that a schema's `x-custom` gives.
    pub rules: &'static [(&'static str, EntityRule)],
}

/// A rule about a whole entity: given its text fields by name, the error in Kong's words; `None` if the entity is valid.
pub type EntityRule = fn(&dyn Fn(&str) -> Option<String>) -> Option<String>;

/// The plugins that a program knows. `main` makes it; a clone shares the rows.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<Rows>);

#[derive(Debug, Default)]
struct Rows {
    entries: Vec<Entry>,
    by_name: AHashMap<&'static str, usize>,
}

impl Registry {
    /// A registry of these rows.
    ///
    /// # Panics
    /// If two rows have one name.
    pub fn new(entries: Vec<Entry>) -> Self {
        let mut by_name = AHashMap::with_capacity(entries.len());
        for (i, entry) in entries.iter().enumerate() {
            assert!(by_name.insert(entry.name, i).is_none(), "two plugins are named {}", entry.name);
        }
        Registry(Arc::new(Rows { entries, by_name }))
    }

    /// All plugins, in the order they were given.
    pub fn entries(&self) -> &[Entry] {
        &self.0.entries
    }

    /// The plugin of that name.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.0.by_name.get(name).map(|&i| &self.0.entries[i])
    }

    /// Whether the plugin of that name identifies the client and refuses a request without valid credentials.
    pub fn authenticates(&self, name: &str) -> bool {
        self.find(name).is_some_and(|entry| entry.authenticates)
    }

    /// The rule about whole entities of that name.
    pub fn rule(&self, name: &str) -> Option<EntityRule> {
        let mut rules = self.entries().iter().flat_map(|entry| entry.rules);
        rules.find(|(known, _)| *known == name).map(|(_, rule)| *rule)
    }
}

impl Entry {
    /// The row of a plugin.
    pub const fn of<P: Plugin>() -> Self {
        Entry {
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

impl std::fmt::Debug for Entry {
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

fn check<P: Plugin>(config: &dyn PluginConfig, checks: &mut Checks) {
    if let Some(config) = config.as_any().downcast_ref::<P::Config>() {
        P::check(config, checks);
    }
}

fn build<P: Plugin>(
    config: &dyn PluginConfig,
    with: &mut Build<'_>,
) -> Result<Arc<dyn Instance>, BuildError> {
    let Some(config) = config.as_any().downcast_ref::<P::Config>() else {
        return Err(BuildError::at("", format!("these are not settings of {}", P::NAME)));
    };
    P::build(config.clone(), with).map(|plugin| Arc::new(plugin) as Arc<dyn Instance>)
}
