//! gatewayctl: the command line and the engine for Kong-style declarative gateways.
//!
//! A `kong.yml` goes through three forms, always in this direction: **text** ([`source`]: nodes with
//! byte spans), **data** ([`model::State`]: flat tables, ids, defaults, references) and **machine**
//! (`runtime::Snapshot`: router, plugin chains, upstreams; immutable). `docs/architecture.md` has
//! the layers; a module imports only modules of the layers below its own.

use std::sync::LazyLock;

pub mod cli;

pub use analysis::{diff, edit, impact, lint};
pub use {
    casetest, config, http_codec, model, net, plugin, plugins, proxy, router, runtime, server, source, store,
    telemetry, upstream,
};

/// The format of configuration files with the settings of all plugins of this program.
pub fn catalog() -> &'static config::Catalog {
    static CATALOG: LazyLock<&config::Catalog> = LazyLock::new(|| config::Catalog::new(plugins::registry()));
    *CATALOG
}
