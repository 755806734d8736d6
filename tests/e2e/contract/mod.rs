//! The plugin contract: one small plugin for each need, driven by the harness and over sockets.

mod bodies;
mod node;
mod plugin_types;
mod streams;
