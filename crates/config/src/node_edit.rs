//! Node edits for dialects, version upgrades and merging.
//!
//! Nodes may be shared through aliases, so a child is never modified: its parent gets a new node with the span of
//! the replaced one.
//! one, with the span of the replaced one.

use source::{Document, Entry, NodeId, Span, Value};

/// Sets a key of a map. A new key gets the span `place`.
pub fn set_key(doc: &mut Document, map: NodeId, key: &str, place: Span, value: NodeId) {
    let mut entries = doc.entries(map).to_vec();
    match entries.iter_mut().find(|e| doc.str(e.key) == Some(key)) {
        Some(entry) => entry.value = value,
        None => {
            let text = doc.intern(key);
            let key = doc.add(Value::Str(text), place);
            entries.push(Entry { key, value });
        }
    }
    doc.set(map, Value::Map(entries.into()));
}

/// Removes a key from a map and returns its entry.
pub fn remove_key(doc: &mut Document, map: NodeId, key: &str) -> Option<Entry> {
    let entry = doc.entry(map, key)?;
    let rest = doc.entries(map).iter().copied().filter(|e| e.key != entry.key).collect();
    doc.set(map, Value::Map(rest));
    Some(entry)
}

/// Returns whether a node is null.
pub fn is_null(doc: &Document, node: NodeId) -> bool {
    *doc.value(node) == Value::Null
}

/// Returns the value of a key unless it is null.
pub fn get(doc: &Document, map: NodeId, key: &str) -> Option<NodeId> {
    doc.get(map, key).filter(|&node| !is_null(doc, node))
}

/// Merges two maps recursively. Unless both values are maps, the first takes precedence; with `fill`, null in the
/// first is replaced.
pub fn deep_merge(doc: &mut Document, first: NodeId, second: NodeId, fill: bool) -> NodeId {
    let (Value::Map(a), Value::Map(b)) = (doc.value(first), doc.value(second)) else {
        return if fill && is_null(doc, first) { second } else { first };
    };
    let (mut entries, others) = (a.to_vec(), b.clone());
    let known: ahash::AHashMap<String, usize> =
        entries.iter().enumerate().map(|(i, e)| (doc.key_text(e.key), i)).collect();
    for other in others {
        match known.get(&doc.key_text(other.key)) {
            Some(&i) => entries[i].value = deep_merge(doc, entries[i].value, other.value, fill),
            None => entries.push(other),
        }
    }
    let place = doc.span(first);
    doc.add(Value::Map(entries.into()), place)
}
