//! Context in which a plugin is built.

use model::{PluginEntity as Row, State};
use store::Stores;

/// Context passed to [`Plugin::build`](super::Plugin::build).
pub struct BuildContext<'a> {
    /// The plugin row: its id and its scope.
    pub row: &'a Row,
    /// Clock, counters and other state that outlives a request.
    pub stores: &'a Stores,
    state: &'a State,
    depends_on_state: bool,
}

impl<'a> BuildContext<'a> {
    /// Creates the context of one row.
    pub fn new(row: &'a Row, state: &'a State, stores: &'a Stores) -> Self {
        BuildContext { row, stores, state, depends_on_state: false }
    }

    /// Returns the configuration that the row belongs to. A plugin that calls this is rebuilt at every reload; any
    /// other plugin is reused while its row is unchanged.
    pub fn state(&mut self) -> &'a State {
        self.depends_on_state = true;
        self.state
    }

    /// Returns whether [`BuildContext::state`] was called, so that the plugin depends on more than its row.
    pub fn depends_on_state(&self) -> bool {
        self.depends_on_state
    }
}

/// Error of building a plugin.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct BuildError {
    /// JSON pointer into `config`, such as `/header_name`; empty for `config` as a whole.
    pub pointer: String,
    /// Cause of the error.
    pub message: String,
}

impl BuildError {
    /// Creates an error at a JSON pointer into `config`.
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        BuildError { pointer: pointer.into(), message: message.into() }
    }
}
