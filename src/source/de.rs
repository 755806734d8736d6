//! serde from a node: a failure carries the node it is about.

use serde::de::DeserializeOwned;

use super::{Document, NodeId};

/// Why a node does not fit a type.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct DeError {
    /// The innermost node concerned.
    pub node: NodeId,
    /// The reason.
    pub message: String,
}

/// Reads a value of that type from a node.
///
/// # Errors
/// When the node does not fit the type.
pub fn from_node<T: DeserializeOwned>(document: &Document, node: NodeId) -> Result<T, DeError> {
    serde_json::from_value(document.to_json(node)).map_err(|e| DeError { node, message: e.to_string() })
}
