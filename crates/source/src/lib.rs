//! Text with places in it: files, spans, the node tree of a YAML or JSON document, and findings.
//!
//! Nothing here knows what a gateway is. A document is read once into an arena of nodes ([`Document`]),
//! each with the byte span it was written at, so that any later stage can point at the line a value came
//! from without carrying text around. Several files may share one document; a span names its file.
//!
//! # Why the YAML reader is made of a scanner and our own typing
//!
//! A `kong.yml` means what Kong makes of it, and Kong reads with lyaml: the C library libyaml, and types of
//! lyaml's own on top. No Rust crate types scalars that way (`010` is eight, `1:30` is ninety, `yes` a
//! boolean and `y` text), most refuse duplicate keys instead of letting the last one count, many keep `<<`
//! as a key, and the widely used ones drop spans. A wrong guess here is the worst kind of error: the file
//! loads and behaves differently.
//!
//! So the part that is hard and shared, the scanner, is taken from libyaml itself (`libyaml-rs`, the same
//! code turned into Rust, behind the safe face in `libyaml.rs`), and the part that is lyaml's own is
//! written here: types (`scalar.rs`), anchors, merge keys and duplicates (`yaml.rs`). Both were compared
//! with lyaml and lua-cjson over some hundred thousand generated scalars and documents; `typing.txt` and
//! the tests keep the telling ones. Where we differ on purpose: a duplicate key and a second document are
//! warnings, a value that contains itself through an alias is an error, and [`Limits`] bound depth and what
//! aliases stand for.
//!
//! What files are mostly made of is read by a scanner of our own (`scan/`), which tells the same events in a
//! sixth of the time and gives up on anything else; the file is then read by libyaml from its beginning. libyaml
//! alone decides what is broken; `syntax.rs` says so in words that help.
//!
//! # The way of a text
//!
//! [`SourceMap::add_bytes`] → [`parse`] (by [`Format`]) → [`Document`] → [`from_node`] for a typed value,
//! or [`Document::to_json`] → [`to_yaml`] for text again. All readers, walks and writers are bounded by 512
//! levels or keep their own stack, so no input makes the thread's stack overflow.

mod de;
mod finding;
mod json;
mod keys;
mod libyaml;
mod limits;
mod node;
mod odd;
mod read;
mod scalar;
#[doc(hidden)]
pub mod scan;
mod syntax;
mod tell;
mod text;
mod write;
mod yaml;

pub use de::{DeError, from_node};
pub use finding::{Edit, Finding, Findings, Label, Level, Omitted, Seg, replace_secret};
pub use json::parse_json;
pub use keys::short;
pub use limits::Limits;
pub use node::{Document, Entry, NodeId, Step, Value};
pub use odd::{is_odd, is_unseen, odd_character};
pub use read::{Format, parse};
pub use syntax::joined;
pub use text::{FileId, Position, Source, SourceMap, Span};
pub use write::{to_json, to_yaml};
pub use yaml::{TAG, parse_yaml};

#[cfg(test)]
mod tests;
