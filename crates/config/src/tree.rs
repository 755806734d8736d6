//! Small edits of a node tree that dialects, versions and several files in one need.
//!
//! Nodes may be shared through aliases, so a change never reaches into a child: the parent gets a new
//! one, with the place of what it stands for.

use source::{Document, Entry, NodeId, Span, Value};

/// Gives a map that value under that key, in place of one it may have. A new key gets that place.
pub fn put(doc: &mut Document, map: NodeId, key: &str, place: Span, value: NodeId) {
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

/// Takes a key out of a map and returns what it was.
pub fn take(doc: &mut Document, map: NodeId, key: &str) -> Option<Entry> {
    let entry = doc.entry(map, key)?;
    let rest = doc.entries(map).iter().copied().filter(|e| e.key != entry.key).collect();
    doc.set(map, Value::Map(rest));
    Some(entry)
}

/// Whether a node holds something.
pub fn is_null(doc: &Document, node: NodeId) -> bool {
    *doc.value(node) == Value::Null
}

/// The value under that key unless it is null.
pub fn get(doc: &Document, map: NodeId, key: &str) -> Option<NodeId> {
    doc.get(map, key).filter(|&node| !is_null(doc, node))
}

/// Two maps as one, at every depth; where both have something else, or a list, the first counts. Of two
/// values that are not both maps, the first. `null` in the first gives way if `fill` says so.
pub fn merged(doc: &mut Document, first: NodeId, second: NodeId, fill: bool) -> NodeId {
    let (Value::Map(a), Value::Map(b)) = (doc.value(first), doc.value(second)) else {
        return if fill && is_null(doc, first) { second } else { first };
    };
    let (mut entries, others) = (a.to_vec(), b.clone());
    let known: ahash::AHashMap<String, usize> =
        entries.iter().enumerate().map(|(i, e)| (doc.key_text(e.key), i)).collect();
    for other in others {
        match known.get(&doc.key_text(other.key)) {
            Some(&i) => entries[i].value = merged(doc, entries[i].value, other.value, fill),
            None => entries.push(other),
        }
    }
    let place = doc.span(first);
    doc.add(Value::Map(entries.into()), place)
}
