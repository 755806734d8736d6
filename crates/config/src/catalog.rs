//! The format that a set of plugins makes: schemas for each router flavor, and which fields hold secrets.

use std::sync::OnceLock;

use super::{entities::Shapes, secret::SecretFields};
use plugin::Registry;
use router::Flavor;

/// What is derived from the schemas of all entities and plugins, each part on first use.
pub struct Catalog {
    registry: Registry,
    shapes: [OnceLock<Shapes>; 3],
    secrets: OnceLock<SecretFields>,
}

impl Catalog {
    /// The format with the settings of these plugins. A program makes one, which lives as long as the process:
    /// what reads a document refers to its schemas.
    pub fn new(registry: Registry) -> &'static Self {
        Box::leak(Box::new(Catalog { registry, shapes: Default::default(), secrets: OnceLock::new() }))
    }

    /// The plugins.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The schemas for a router flavor.
    pub fn shapes(&'static self, flavor: Flavor) -> &'static Shapes {
        let index = match flavor {
            Flavor::TraditionalCompatible => 0,
            Flavor::Traditional => 1,
            Flavor::Expressions => 2,
        };
        self.shapes[index].get_or_init(|| Shapes::new(self, flavor))
    }

    /// Which fields hold secrets.
    pub fn secrets(&self) -> &SecretFields {
        self.secrets.get_or_init(|| SecretFields::new(&self.registry))
    }
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Catalog").field(&self.registry).finish()
    }
}
