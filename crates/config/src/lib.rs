//! Text → data: reading files, dialects and format versions, shape, flattening, resolving; and the
//! node's own settings. Leaves running anything to `runtime` and what plugins mean to `plugins`.

pub mod answer;
mod bundled;
mod catalog;
pub mod codes;
mod commas;
mod conditions;
pub mod dialect;
pub mod entities;
mod expression;
pub mod listen;
mod load;
mod merge;
mod nearest;
mod other_format;
mod pending;
pub mod read;
pub mod resolve;
mod rows;
mod rules;
pub mod schema;
pub mod secret;
pub mod settings;
pub mod shape;
pub mod stored;
pub mod substitute;
mod swapped;
mod tags;
#[cfg(test)]
mod tests;
mod tree;
pub mod vault;
pub mod version;

pub use bundled::BUNDLED;
pub use catalog::Catalog;
pub use load::load;
pub use nearest::nearest;

use std::{path::PathBuf, sync::Arc};

use model::State;
use router::Flavor;
use source::{Document, Findings, NodeId, SourceMap, Span};

/// Where a configuration comes from.
#[derive(Clone, Debug)]
pub enum Input {
    /// Files and folders; `-` is standard input. Several make one configuration.
    Paths(Vec<PathBuf>),
    /// Text at hand, tried as JSON first, then as YAML, unless the name's ending says which.
    Text {
        /// Name to show: `POST /config`.
        name: String,
        /// The text.
        text: Vec<u8>,
    },
}

/// How a configuration is read.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// The format: entities, and the settings of the plugins that the program has.
    pub catalog: &'static Catalog,
    /// Refuse what Kong itself refuses though decK takes it.
    pub kong_strict: bool,
    /// Which fields routes may have.
    pub flavor: Flavor,
    /// The environment, for `${{ env }}` and `{vault://env/…}`.
    pub env: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// Whether the node has the plugin of that name switched on (its setting `plugins`).
    pub plugin_enabled: &'a (dyn Fn(&str) -> bool + Sync),
    /// Whether settings that are not served yet are warned about and not refused.
    pub allow_unsupported: bool,
}

impl Options<'_> {
    /// decK's additions are taken, the environment is empty, every plugin is switched on, and all that Kong accepts is
    /// accepted.
    pub fn new(catalog: &'static Catalog) -> Self {
        Options {
            catalog,
            kong_strict: false,
            flavor: Flavor::default(),
            env: &|_| None,
            plugin_enabled: &|_| true,
            allow_unsupported: true,
        }
    }
}

/// What came of reading a configuration.
#[derive(Debug)]
pub struct Loaded {
    /// The format it was read as.
    pub catalog: &'static Catalog,
    /// The files read.
    pub sources: SourceMap,
    /// Their nodes, as one document.
    pub document: Document,
    /// The document's root; none if nothing could be read.
    pub root: Option<NodeId>,
    /// The data; none when a finding is an error.
    pub state: Option<Arc<State>>,
    /// All findings, in the order of the file.
    pub findings: Findings,
    /// Places of secrets in the files, which no output may show.
    pub secrets: Vec<Span>,
    /// Entities in the document, parents before children.
    pub found: Vec<shape::Found>,
    /// Id of each of them; empty if the document is too broken to tell.
    pub ids: Vec<uuid::Uuid>,
    /// Rows as the admin API's response to a load has them, where they differ: vault references as written, and secrets
    /// not hashed yet.
    pub shown: Option<Arc<State>>,
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct LoadError {
    /// The file, as the user gave it.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// The format with the settings of all plugins.
#[cfg(test)]
fn catalog() -> &'static Catalog {
    static CATALOG: std::sync::LazyLock<&Catalog> =
        std::sync::LazyLock::new(|| Catalog::new(plugins::registry()));
    *CATALOG
}
