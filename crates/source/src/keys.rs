//! When two keys of a map are the same key, and how to find one among many.

use std::collections::HashMap;

use super::{Document, Entry, Finding, NodeId, Value};

/// Where each key of a large map is.
pub(super) type Index = HashMap<Identity, usize, ahash::RandomState>;

/// A map longer than this gets an index.
const SMALL: usize = 16;

/// What makes two keys the same key, as for a Lua table: numbers by value, text by content, lists and maps
/// by being the same one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    Null,
    Bool(bool),
    Number(u64),
    /// Address of the text, which is the same for equal texts of a document.
    Text(usize),
    Node(NodeId),
}

impl Identity {
    fn of(doc: &Document, id: NodeId) -> Self {
        match doc.value(id) {
            Value::Null => Identity::Null,
            Value::Bool(b) => Identity::Bool(*b),
            Value::Int(i) => Identity::Number((*i as f64).to_bits()),
            // Plus and minus zero are one key.
            Value::Float(f) => Identity::Number((*f + 0.0).to_bits()),
            Value::Str(s) => Identity::Text(s.as_ptr() as usize),
            Value::Seq(_) | Value::Map(_) => Identity::Node(id),
        }
    }
}

/// The warning about a key given twice.
pub(super) fn duplicate_key(doc: &Document, old: NodeId, new: NodeId) -> Finding {
    let message = format!("`{}` is given twice, and the last one counts", short(&doc.key_text(new)));
    Finding::warning("source/duplicate-key", message)
        .at(doc.span(new), "this one counts")
        .at(doc.span(old), "this one is ignored")
        .help("remove one of the two")
}

/// Position among `entries` of a key equal to `key`. A long map gets, and keeps, an index; a key that is not
/// found is expected to be pushed next.
pub(super) fn find(
    doc: &Document,
    entries: &[Entry],
    index: &mut Option<Box<Index>>,
    key: NodeId,
) -> Option<usize> {
    let wanted = Identity::of(doc, key);
    if entries.len() < SMALL {
        if let Value::Str(text) = doc.value(key) {
            let same = |e: &Entry| matches!(doc.value(e.key), Value::Str(s) if s.as_ptr() == text.as_ptr());
            return entries.iter().position(same);
        }
        return entries.iter().position(|e| Identity::of(doc, e.key) == wanted);
    }
    let index = index.get_or_insert_with(|| {
        Box::new(entries.iter().enumerate().map(|(i, e)| (Identity::of(doc, e.key), i)).collect())
    });
    match index.entry(wanted) {
        std::collections::hash_map::Entry::Occupied(at) => Some(*at.get()),
        std::collections::hash_map::Entry::Vacant(at) => {
            at.insert(entries.len());
            None
        }
    }
}

/// A text cut to what a message can hold.
pub fn short(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
