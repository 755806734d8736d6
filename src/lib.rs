//! gatewayctl: the command line and the engine for Kong-style declarative gateways.
//!
//! A `kong.yml` goes through three forms, always in this direction: **text** ([`source`]: nodes with
//! byte spans), **data** ([`model::State`]: flat tables, ids, defaults, references) and **machine**
//! (`runtime::Snapshot`: router, plugin chains, upstreams; immutable). `docs/architecture.md` has
//! the layers; a module imports only modules of the layers below its own.

use std::sync::LazyLock;

pub mod cli;
pub mod config;
pub mod diff;
pub mod edit;
pub mod impact;
pub mod lint;
pub mod model;
pub mod net;
pub mod plugin;
pub mod plugins;
pub mod proxy;
pub mod router;
pub mod runtime;
pub mod server;
pub mod source;
pub mod store;
pub mod trial;
pub mod upstream;

/// The format of configuration files with the settings of all plugins of this program.
pub fn catalog() -> &'static config::Catalog {
    static CATALOG: LazyLock<&config::Catalog> = LazyLock::new(|| config::Catalog::new(plugins::registry()));
    *CATALOG
}
