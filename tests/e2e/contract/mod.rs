//! The plugin contract: one small plugin for each need, driven by the harness and over sockets.

mod bodies;
mod node;
mod plugin_types;
mod streams;

use gatewayctl::plugin::{PluginType, Registry};

/// The built-in plugins, whose credentials have checks of theirs, and those of a test.
fn registry(types: impl IntoIterator<Item = Box<dyn PluginType>>) -> Registry {
    Registry::new(plugins::types().into_iter().chain(types).collect())
}
