//! One of the two configurations that are compared, and what is known of its rows beside their values.

use config::{Catalog, Loaded};
use model::State;
use source::{Document, NodeId, Value};

/// One of the two configurations that are compared.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The format of both.
    pub catalog: &'static Catalog,
    /// Rows as they are written: vault references, passwords as the file has them.
    pub written: &'a State,
    /// Rows as they are served: references resolved, passwords hashed.
    pub served: &'a State,
    /// The document that the rows were read from, and its root; `None` if the rows were not read from text.
    pub document: Option<(&'a Document, NodeId)>,
    /// Whether a running gateway reported it: its rows hold the values that were generated when it loaded them.
    pub running: bool,
    /// Whether served values are compared even between files: what vault references lead to may have changed.
    pub by_value: bool,
    /// Whether the time when a route was made decides which route a request belongs to, as in flavor `traditional`.
    pub dated: bool,
}

impl<'a> Side<'a> {
    /// Rows that are served, with vault references as they are written.
    pub fn of(state: &'a State, catalog: &'static Catalog) -> Self {
        Side {
            catalog,
            written: state.display().rows(),
            served: state,
            document: None,
            running: false,
            by_value: false,
            dated: false,
        }
    }

    /// A configuration that was read; `None` if a finding is an error.
    pub fn loaded(loaded: &'a Loaded) -> Option<Self> {
        let served = loaded.state.as_deref()?;
        Some(Side {
            catalog: loaded.catalog,
            written: loaded.displayed.as_deref().unwrap_or(served),
            served,
            document: loaded.root.map(|root| (&loaded.document, root)),
            running: false,
            by_value: false,
            dated: false,
        })
    }

    /// The rows that are compared. A running gateway reports hashed passwords, and vault references as they are written
    /// or the values they lead to, so that served values of both sides are compared where there is one.
    pub fn compared(&self, other: &Side<'_>) -> &'a State {
        if self.running || other.running || self.by_value { self.served } else { self.written }
    }

    /// Whether the file that a row stands in leaves a field out, or gives it no value.
    pub(super) fn leaves_out(&self, origin: Option<NodeId>, field: &str) -> bool {
        let (Some((document, _)), Some(origin)) = (self.document, origin) else { return false };
        document.get(origin, field).is_none_or(|node| match document.value(node) {
            Value::Null => true,
            Value::Str(text) => text.is_empty(),
            _ => false,
        })
    }
}
