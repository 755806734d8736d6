//! A plugin as a row of a table: everything the rest of the house needs, without its type.

use std::sync::Arc;

use super::{Build, BuildError, Checks, Instance, Plugin};
use crate::{
    model::{PluginConfig, Protocol},
    source::{DeError, Document, NodeId, from_node},
};

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
