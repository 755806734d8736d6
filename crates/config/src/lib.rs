//! Configuration loading: source text → document → validated nodes → typed rows; and the node's own settings.
//!
//! Owns file formats (YAML/JSON, decK dialect, old format versions), schema validation, id and reference
//! resolution, vault references, and secret masking. Compiling a runnable snapshot is the task of `runtime`; the
//! meaning of plugin settings belongs to `plugins`.

mod bundled;
mod catalog;
pub mod codes;
pub mod credential_hash;
pub mod dialect;
pub mod entities;
mod expression;
mod foreign_format;
pub mod input;
pub mod json_schema;
pub mod kong_errors;
pub mod listen;
mod load;
mod lower;
mod merge;
mod node_edit;
pub mod resolve;
mod route_conditions;
mod rules;
pub mod secret;
pub mod settings;
pub mod substitute;
mod suggest;
mod swapped_key_pair;
#[cfg(test)]
mod tests;
mod trailing_commas;
mod unknown_tags;
mod unsupported;
pub mod validator;
pub mod vault;
pub mod version;

pub use bundled::BUNDLED;
pub use catalog::Catalog;
pub use load::load;
pub use suggest::nearest;
pub use validator::CompileError;

use std::{path::PathBuf, sync::Arc};

use model::State;
use router::Flavor;
use source::{Document, Findings, NodeId, SourceMap, Span};

/// Source of a configuration.
#[derive(Clone, Debug)]
pub enum Input {
    /// Files and folders; `-` is standard input. Several are merged into one configuration.
    Paths(Vec<PathBuf>),
    /// In-memory text, parsed as JSON first, then as YAML, unless the extension of its name determines the format.
    Text {
        /// Display name: `POST /config`.
        name: String,
        /// The text.
        text: Vec<u8>,
    },
}

/// Options of loading.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Entities, and the settings of the program's plugins.
    pub catalog: &'static Catalog,
    /// Reject what Kong itself rejects although decK accepts it.
    pub kong_strict: bool,
    /// Router flavor, which determines the fields of routes.
    pub flavor: Flavor,
    /// Environment lookup for `${{ env }}` and `{vault://env/…}`.
    pub env: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// The node's setting `vault_env_prefix`.
    pub vault_env_prefix: Option<&'a str>,
    /// Returns whether a plugin is enabled by the node's setting `plugins`.
    pub plugin_enabled: &'a (dyn Fn(&str) -> bool + Sync),
    /// Whether unsupported settings are warnings instead of errors.
    pub allow_unsupported: bool,
}

impl Options<'_> {
    /// Default options: decK extensions are accepted, the environment is empty, every plugin is enabled, and
    /// everything that Kong accepts is accepted.
    pub fn new(catalog: &'static Catalog) -> Self {
        Options {
            catalog,
            kong_strict: false,
            flavor: Flavor::default(),
            env: &|_| None,
            vault_env_prefix: None,
            plugin_enabled: &|_| true,
            allow_unsupported: true,
        }
    }
}

/// Result of loading a configuration.
#[derive(Debug)]
pub struct Loaded {
    /// The catalog it was validated against.
    pub catalog: &'static Catalog,
    /// The source files.
    pub sources: SourceMap,
    /// Their nodes, merged into one document.
    pub document: Document,
    /// Root of the document; `None` if no file could be parsed.
    pub root: Option<NodeId>,
    /// Typed configuration; `None` if there is an error.
    pub state: Option<Arc<State>>,
    /// All findings, in file order.
    pub findings: Findings,
    /// Spans of secrets in the files, which must never be printed.
    pub secrets: Vec<Span>,
    /// Entities in the document, parents before children.
    pub found: Vec<validator::EntityRef>,
    /// Id of each entity; empty if the document could not be resolved.
    pub ids: Vec<uuid::Uuid>,
    /// Rows as shown in the admin API's response, where they differ: vault references as written, and secrets
    /// before hashing.
    pub displayed: Option<Arc<State>>,
}

/// I/O error of an input file.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct LoadError {
    /// Path as given by the user.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// The catalog with all plugins.
#[cfg(test)]
fn catalog() -> &'static Catalog {
    static CATALOG: std::sync::LazyLock<&Catalog> =
        std::sync::LazyLock::new(|| Catalog::new(plugins::registry()).expect("the schemas compile"));
    *CATALOG
}
