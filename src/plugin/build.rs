//! The handles a plugin may ask for when it is built.

use crate::{
    model::{Plugin as Row, State},
    store::Stores,
};

/// What surrounds a plugin while it is built.
pub struct Build<'a> {
    /// The row being built: its id, its scope.
    pub row: &'a Row,
    /// The configuration it is part of.
    pub state: &'a State,
    /// Clock, counters and what else outlives a request.
    pub stores: &'a Stores,
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
