//! gatewayctl: the command line and the engine for Kong-style declarative gateways.
//!
//! A `kong.yml` has three representations, each built from the one before: **source tree** ([`source`]: nodes
//! with byte spans), **typed configuration** ([`model::State`]: flat tables, ids, defaults, references) and
//! **configuration snapshot** (`runtime::Snapshot`: router, plugin chains, upstreams; immutable).
//! `docs/architecture.md` has the layers. A crate depends only on crates of the layers below its own.

use std::sync::LazyLock;

pub mod cli;

pub use analysis::{diff, edit, impact, lint};
#[cfg(feature = "serve")]
pub use {casetest, server};
pub use {
    client, config, http_codec, model, net, plugin, plugins, proxy, router, runtime, source, store,
    telemetry, upstream,
};

/// The plugins of this program.
pub fn registry() -> &'static plugin::Registry {
    static REGISTRY: LazyLock<plugin::Registry> = LazyLock::new(plugins::registry);
    &REGISTRY
}

/// The format of configuration files with the settings of all plugins of this program.
///
/// # Errors
/// If a schema of the program does not compile.
pub fn catalog() -> Result<&'static config::Catalog, config::CompileError> {
    static CATALOG: LazyLock<Result<&config::Catalog, config::CompileError>> =
        LazyLock::new(|| config::Catalog::new(registry().clone()));
    CATALOG.clone()
}
