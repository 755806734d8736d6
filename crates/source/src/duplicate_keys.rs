//! Equality of map keys, and detection of duplicate keys in linear time.

use std::collections::HashMap;

use super::{Document, Entry, Finding, NodeId, Value};

/// Position of each key of a large map.
pub(super) type KeyIndex = HashMap<KeyIdentity, usize, ahash::RandomState>;

/// Maps with at least this many entries get a hash index; a linear scan is faster below.
const INDEX_THRESHOLD: usize = 16;

/// KeyIdentity of a key as in a Lua table: numbers by value, strings by content, lists and maps by reference.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum KeyIdentity {
    Null,
    Bool(bool),
    Number(u64),
    /// Address of the interned string, which is unique per content within a document.
    Text(usize),
    Node(NodeId),
}

impl KeyIdentity {
    fn of(doc: &Document, id: NodeId) -> Self {
        match doc.value(id) {
            Value::Null => KeyIdentity::Null,
            Value::Bool(b) => KeyIdentity::Bool(*b),
            Value::Int(i) => KeyIdentity::Number((*i as f64).to_bits()),
            // Adding zero maps -0.0 to +0.0: both are the same key in Lua.
            Value::Float(f) => KeyIdentity::Number((*f + 0.0).to_bits()),
            Value::Str(s) => KeyIdentity::Text(s.as_ptr() as usize),
            Value::Seq(_) | Value::Map(_) => KeyIdentity::Node(id),
        }
    }
}

/// Builds the warning about a duplicate key.
pub(super) fn duplicate_key(doc: &Document, old: NodeId, new: NodeId) -> Finding {
    let message = format!("`{}` is given twice, and the last one counts", truncated(&doc.key_text(new)));
    Finding::warning("source/duplicate-key", message)
        .at(doc.span(new), "this one counts")
        .at(doc.span(old), "this one is ignored")
        .help("remove one of the two")
}

/// Returns the position in `entries` of a key equal to `key`. Long maps get an index; if the key is not found, the
/// caller must push it next.
pub(super) fn find_key(
    doc: &Document,
    entries: &[Entry],
    index: &mut Option<Box<KeyIndex>>,
    key: NodeId,
) -> Option<usize> {
    let identity = KeyIdentity::of(doc, key);
    if entries.len() < INDEX_THRESHOLD {
        if let Value::Str(text) = doc.value(key) {
            let same = |e: &Entry| matches!(doc.value(e.key), Value::Str(s) if s.as_ptr() == text.as_ptr());
            return entries.iter().position(same);
        }
        return entries.iter().position(|e| KeyIdentity::of(doc, e.key) == identity);
    }
    let index = index.get_or_insert_with(|| {
        Box::new(entries.iter().enumerate().map(|(i, e)| (KeyIdentity::of(doc, e.key), i)).collect())
    });
    match index.entry(identity) {
        std::collections::hash_map::Entry::Occupied(at) => Some(*at.get()),
        std::collections::hash_map::Entry::Vacant(at) => {
            at.insert(entries.len());
            None
        }
    }
}

/// Truncates a text for use in a message.
pub fn truncated(text: &str) -> String {
    const MAX_CHARS: usize = 40;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
