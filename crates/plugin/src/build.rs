//! The handles a plugin may ask for when it is built.

use model::{Plugin as Row, State};
use store::Stores;

/// What surrounds a plugin while it is built.
pub struct Build<'a> {
    /// The row being built: its id, its scope.
    pub row: &'a Row,
    /// Clock, counters and what else outlives a request.
    pub stores: &'a Stores,
    state: &'a State,
    looked_around: bool,
}

impl<'a> Build<'a> {
    /// The surroundings of a row.
    pub fn new(row: &'a Row, state: &'a State, stores: &'a Stores) -> Self {
        Build { row, stores, state, looked_around: false }
    }

    /// The configuration it is part of. What looks at this is built again at each reload; what does not is kept
    /// as long as its row stays the same.
    pub fn state(&mut self) -> &'a State {
        self.looked_around = true;
        self.state
    }

    /// Whether [`Build::state`] was asked for.
    pub fn looked_around(&self) -> bool {
        self.looked_around
    }
}

/// Why a plugin cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct BuildError {
    /// JSON pointer into the settings, such as `/header_name`; empty for the settings as a whole.
    pub pointer: String,
    /// The reason.
    pub message: String,
}

impl BuildError {
    /// An error at that place of the settings.
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        BuildError { pointer: pointer.into(), message: message.into() }
    }
}
