//! Plugin types: what the registry holds. A native plugin is a Rust type behind [`NativePlugin`]; a plugin written in a
//! scripting language or compiled to WebAssembly implements [`PluginType`] itself, with a name and a schema that are
//! known at run time only.

use std::{borrow::Cow, marker::PhantomData, sync::Arc};

use super::{
    AdminRoute, BuildContext, BuildError, ConfigChange, Diagnostics, DynPlugin, Gate, Plugin, PluginTraits,
    Risks,
};
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

/// Validation rule for an entity. It looks up string fields by name and returns Kong's error message, or `None` if the
/// entity is valid.
pub type EntityRule = fn(&dyn Fn(&str) -> Option<String>) -> Option<String>;

/// Generates the JSON schema of a plugin's configuration.
pub type SchemaFn = Arc<dyn Fn() -> schemars::Schema + Send + Sync>;

/// Description of a plugin type.
#[derive(Clone)]
pub struct PluginDescriptor {
    /// Name, as written in configuration files.
    pub name: Cow<'static, str>,
    /// Priority within a phase; plugins with a higher priority run first.
    pub priority: i32,
    /// Entities to which it can be attached.
    pub scopes: PluginScopes,
    /// Supported protocols.
    pub protocols: Cow<'static, [Protocol]>,
    /// Default of the row's `protocols`.
    pub default_protocols: Cow<'static, [Protocol]>,
    /// Generates the JSON schema of its configuration.
    pub schema: SchemaFn,
    /// What it does, whatever its configuration.
    pub traits: PluginTraits,
    /// Validation rules for entities of the plugin, keyed by the name in a schema's `x-custom`.
    pub rules: &'static [(&'static str, EntityRule)],
    /// Endpoints of the admin API.
    pub admin_routes: &'static [AdminRoute],
}

impl PluginDescriptor {
    /// Creates the description of a plugin that can be attached to any entity and supports HTTP.
    pub fn new(name: impl Into<Cow<'static, str>>, priority: i32, schema: SchemaFn) -> Self {
        PluginDescriptor {
            name: name.into(),
            priority,
            scopes: PluginScopes::ALL,
            protocols: super::HTTP_FAMILY.into(),
            default_protocols: super::HTTP_FAMILY.into(),
            schema,
            traits: PluginTraits::NONE,
            rules: &[],
            admin_routes: &[],
        }
    }

    /// Creates the description of a native plugin.
    pub fn of<P: Plugin>() -> Self {
        PluginDescriptor {
            scopes: P::SCOPES,
            protocols: P::PROTOCOLS.into(),
            default_protocols: P::DEFAULT_PROTOCOLS.into(),
            traits: P::TRAITS,
            rules: P::RULES,
            admin_routes: P::ADMIN_ROUTES,
            ..Self::new(P::NAME, P::PRIORITY, Arc::new(schema::<P>))
        }
    }
}

impl std::fmt::Debug for PluginDescriptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginDescriptor").field("name", &self.name).finish_non_exhaustive()
    }
}

fn schema<P: Plugin>() -> schemars::Schema {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<P::Config>()
}

/// A plugin type: it parses, validates and builds the plugin's rows. Object-safe, so that one registry holds plugins of
/// any origin.
pub trait PluginType: Send + Sync {
    /// Returns the description of the plugin. It does not change.
    fn descriptor(&self) -> &PluginDescriptor;

    /// Parses the configuration of a row, which conforms to the schema.
    ///
    /// # Errors
    /// If the node does not deserialise to the plugin's configuration.
    fn parse(&self, document: &Document, node: NodeId) -> Result<Arc<dyn PluginConfig>, DeError>;

    /// Checks rules that span several fields.
    fn validate(&self, _config: &dyn PluginConfig, _diagnostics: &mut Diagnostics) {}

    /// Reports what a change of the configuration on a route puts at risk.
    fn compare(&self, _change: ConfigChange<'_, dyn PluginConfig>, _risks: &mut Risks) {}

    /// Returns the facts about a configuration; `None` if the plugin is opaque.
    fn facts(&self, _config: &dyn PluginConfig) -> Option<Vec<Gate>> {
        None
    }

    /// Builds the plugin, without I/O.
    ///
    /// # Errors
    /// If the configuration is unusable, or that of another plugin.
    fn build(
        &self,
        config: &dyn PluginConfig,
        context: &mut BuildContext<'_>,
    ) -> Result<Arc<dyn DynPlugin>, BuildError>;
}

/// Adapter from the Rust type of a plugin to a [`PluginType`].
#[derive(Debug)]
pub struct NativePlugin<P> {
    descriptor: PluginDescriptor,
    of: PhantomData<fn() -> P>,
}

/// Creates the plugin type of a native plugin, for the registry.
pub fn native<P: Plugin>() -> Box<dyn PluginType> {
    Box::new(NativePlugin::<P> { descriptor: PluginDescriptor::of::<P>(), of: PhantomData })
}

/// Returns the typed configuration; `None` for the configuration of another plugin.
fn typed<P: Plugin>(config: &dyn PluginConfig) -> Option<&P::Config> {
    config.as_any().downcast_ref()
}

impl<P: Plugin> PluginType for NativePlugin<P> {
    fn descriptor(&self) -> &PluginDescriptor {
        &self.descriptor
    }

    fn parse(&self, document: &Document, node: NodeId) -> Result<Arc<dyn PluginConfig>, DeError> {
        from_node::<P::Config>(document, node).map(|config| Arc::new(config) as Arc<dyn PluginConfig>)
    }

    fn validate(&self, config: &dyn PluginConfig, diagnostics: &mut Diagnostics) {
        if let Some(config) = typed::<P>(config) {
            P::check(config, diagnostics);
        }
    }

    fn compare(&self, change: ConfigChange<'_, dyn PluginConfig>, risks: &mut Risks) {
        let ConfigChange { old, new } = change;
        let change = ConfigChange {
            old: old.and_then(|config| typed::<P>(config)),
            new: new.and_then(|config| typed::<P>(config)),
        };
        P::compare(change, risks);
    }

    fn facts(&self, config: &dyn PluginConfig) -> Option<Vec<Gate>> {
        typed::<P>(config).and_then(P::facts)
    }

    fn build(
        &self,
        config: &dyn PluginConfig,
        context: &mut BuildContext<'_>,
    ) -> Result<Arc<dyn DynPlugin>, BuildError> {
        let Some(config) = typed::<P>(config) else {
            return Err(BuildError::at("", format!("these are not settings of {}", P::NAME)));
        };
        P::build(config.clone(), context).map(|plugin| Arc::new(plugin) as Arc<dyn DynPlugin>)
    }
}
