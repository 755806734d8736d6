//! Catalog of the file format for a set of plugins: compiled schemas per router flavor, and secret fields.

use std::sync::OnceLock;

use super::{
    entities::{self, SchemaSet},
    secret::SecretFields,
    validator::CompileError,
};
use plugin::Registry;
use router::Flavor;

/// Data derived from the schemas of all entities and plugins.
pub struct Catalog {
    registry: Registry,
    schemas: [SchemaSet; 3],
    secrets: OnceLock<SecretFields>,
}

impl Catalog {
    /// Creates the catalog for a plugin registry. It is leaked, because compiled schemas are referenced by loaded
    /// documents; a process creates one.
    ///
    /// # Errors
    /// If the schema of an entity or plugin does not compile: validation against it would accept what it must reject.
    pub fn new(registry: Registry) -> Result<&'static Self, CompileError> {
        let schemas = entities::compile(&registry)?;
        Ok(Box::leak(Box::new(Catalog { registry, schemas, secrets: OnceLock::new() })))
    }

    /// Returns the plugin registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the compiled schemas for a router flavor.
    pub fn schemas(&self, flavor: Flavor) -> SchemaSet {
        let [compatible, traditional, expressions] = self.schemas;
        match flavor {
            Flavor::TraditionalCompatible => compatible,
            Flavor::Traditional => traditional,
            Flavor::Expressions => expressions,
        }
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
