//! Catalog of the file format for a set of plugins: compiled schemas per router flavor, and secret fields.

use std::sync::OnceLock;

use super::{entities::SchemaSet, secret::SecretFields};
use plugin::Registry;
use router::Flavor;

/// Data derived from the schemas of all entities and plugins, computed on first use.
pub struct Catalog {
    registry: Registry,
    schemas: [OnceLock<SchemaSet>; 3],
    secrets: OnceLock<SecretFields>,
}

impl Catalog {
    /// Creates the catalog for a plugin registry. It is leaked, because compiled schemas are referenced by loaded
    /// documents; a process creates one.
    pub fn new(registry: Registry) -> &'static Self {
        Box::leak(Box::new(Catalog { registry, schemas: Default::default(), secrets: OnceLock::new() }))
    }

    /// Returns the plugin registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the compiled schemas for a router flavor.
    pub fn schemas(&'static self, flavor: Flavor) -> &'static SchemaSet {
        let index = match flavor {
            Flavor::TraditionalCompatible => 0,
            Flavor::Traditional => 1,
            Flavor::Expressions => 2,
        };
        self.schemas[index].get_or_init(|| SchemaSet::new(self, flavor))
    }

    /// Returns the secret fields.
    pub fn secrets(&self) -> &SecretFields {
        self.secrets.get_or_init(|| SecretFields::new(&self.registry))
    }
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Catalog").field(&self.registry).finish()
    }
}
