//! Text with places in it: files, spans, the node tree of a YAML or JSON document, and findings.
//!
//! Nothing here knows what a gateway is. A document is read once into an arena of nodes
//! ([`Document`]), each with the byte span it was written at, so that any later stage can point at
//! the line a value came from without carrying text around.

mod de;
mod finding;
mod json;
mod keys;
mod libyaml;
mod limits;
mod node;
mod read;
mod scalar;
mod syntax;
mod tell;
mod text;
mod write;
mod yaml;

pub use de::{DeError, from_node};
pub use finding::{Finding, Findings, Label, Level, Seg};
pub use json::parse_json;
pub use limits::Limits;
pub use node::{Document, Entry, NodeId, Step, Value};
pub use read::{Format, parse};
pub use text::{FileId, Position, Source, SourceMap, Span};
pub use write::{to_json, to_yaml};
pub use yaml::parse_yaml;
