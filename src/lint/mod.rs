//! Advice on a valid configuration: what is accepted but likely not meant. One file a lint, and the one
//! table of them.

use crate::{
    model::State,
    source::{Document, Findings},
};

/// Runs all lints.
pub fn lint(_state: &State, _document: &Document, _findings: &mut Findings) {}
