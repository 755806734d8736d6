//! Source files with spans: the YAML and JSON parsers, the node tree, and findings.
//!
//! This crate knows nothing about gateways. A document is parsed once into an arena of nodes ([`Document`]), each
//! with its byte span, so that every later stage can report the line a value came from. Several files may share
//! one document; a span contains its file.
//!
//! # Why YAML scalars are typed here
//!
//! A `kong.yml` means what Kong makes of it. Kong parses with lyaml, which is libyaml plus its own scalar types:
//! `010` is eight, `1:30` is ninety, `yes` is a boolean and `y` is a string. No Rust crate types scalars in this
//! way; most reject duplicate keys instead of using the last one, many treat `<<` as an ordinary key, and the
//! common ones drop spans. A deviation is the worst kind of bug, because the file loads but behaves differently.
//!
//! The event parser is therefore libyaml itself (`libyaml-rs`, a translation of the C code; safe wrapper in
//! `libyaml.rs`), and lyaml's part is implemented here: scalar types (`scalar.rs`), anchors, merge keys and
//! duplicate keys (`yaml.rs`). Both were compared with lyaml and lua-cjson over several hundred thousand generated
//! scalars and documents; `typing.txt` and the tests contain the significant cases. Intentional deviations:
//! duplicate keys and further documents are warnings, a value that contains itself through an alias is an error,
//! and [`Limits`] bounds depth and alias expansion.
//!
//! The common subset of YAML is read by a fast scanner (`scan/`) that emits the same events about six times as
//! fast. It stops at anything outside the subset, and the file is then parsed by libyaml from the start. Only
//! libyaml decides whether a text is invalid; `yaml_diagnostics` turns its errors into actionable messages.
//!
//! # Data flow
//!
//! [`SourceMap::add_bytes`] → [`parse`] (by [`Format`]) → [`Document`] → [`from_node`] for a typed value, or
//! [`Document::to_json`] → [`to_yaml`] for text. Parsers, traversals and writers are limited to 512 levels or use
//! an explicit stack, so no input overflows the thread's stack.

mod confusable;
mod de;
mod duplicate_keys;
mod finding;
mod finding_json;
mod format;
mod json;
mod libyaml;
mod limits;
mod node;
mod scalar;
#[doc(hidden)]
pub mod scan;
mod source_map;
mod write;
mod yaml;
mod yaml_diagnostics;

pub use confusable::{confusable_name, is_confusable, is_invisible};
pub use de::{DeError, from_node};
pub use duplicate_keys::truncated;
pub use finding::{Edit, ErrorPathSegment, Finding, Findings, Label, Level, Omitted, replace_secret};
pub use format::{Format, parse};
pub use json::parse_json;
pub use limits::Limits;
pub use node::{Document, Entry, NodeId, NodePathStep, Value};
pub use source_map::{FileId, Position, Source, SourceMap, Span};
pub use write::{to_json, to_yaml};
pub use yaml::{UNKNOWN_TAG, parse_yaml};
pub use yaml_diagnostics::missing_space_help;

#[cfg(test)]
mod tests;
