//! Node tree of a document: an arena in which every value and every key has a span.

use std::sync::Arc;

use hashbrown::HashTable;

use super::{FileId, Span, limits::MAX_DEPTH};

/// Index of a node in a [`Document`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// Map entry; key and value are nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key. Usually a string, but the format allows numbers, booleans and null.
    pub key: NodeId,
    /// The value.
    pub value: NodeId,
}

/// Value of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~`, or an empty value.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer that fits into an `i64`.
    Int(i64),
    /// Any other number, including infinities and NaN.
    Float(f64),
    /// A string.
    Str(Arc<str>),
    /// A list.
    Seq(Box<[NodeId]>),
    /// A map in source order. Keys are unique; the last duplicate wins.
    Map(Box<[Entry]>),
}

/// One step of a path into a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodePathStep<'a> {
    /// Map key.
    Key(&'a str),
    /// List index, counted from 0.
    Index(usize),
}

/// Arena of nodes with a root. Nodes can be added and values replaced, so later stages (format versions,
/// templates, defaults) rewrite the tree and keep the spans.
#[derive(Clone, Debug)]
pub struct Document {
    /// Values and spans of the nodes, in two vectors: a large file has millions of nodes, and an array of pairs
    /// would add padding.
    values: Vec<Value>,
    spans: Vec<Span>,
    root: NodeId,
    /// Interned strings: a large file repeats `name` several hundred thousand times.
    interner: HashTable<Arc<str>>,
    hasher: ahash::RandomState,
    /// Entries overridden by a later duplicate key. No longer part of the tree, but still in the source.
    replaced: Vec<Entry>,
    /// Scalars written as an alias, each with the anchored node.
    aliases: Vec<(NodeId, NodeId)>,
    /// Lists and maps referenced by an alias, with the span of the alias.
    shared: Vec<(NodeId, Span)>,
    /// Files parsed as JSON.
    json: Vec<FileId>,
}

impl Document {
    /// Creates a document whose root is null.
    pub fn new(span: Span) -> Self {
        Document {
            values: vec![Value::Null],
            spans: vec![span],
            root: NodeId(0),
            interner: HashTable::new(),
            hasher: ahash::RandomState::default(),
            replaced: Vec::new(),
            aliases: Vec::new(),
            shared: Vec::new(),
            json: Vec::new(),
        }
    }

    /// Returns the entries that were overridden by a later duplicate key.
    pub fn replaced(&self) -> &[Entry] {
        &self.replaced
    }

    /// Returns the scalars written as an alias, each with the anchored node. Lists and maps are shared instead.
    pub fn aliases(&self) -> &[(NodeId, NodeId)] {
        &self.aliases
    }

    pub(super) fn add_alias(&mut self, alias: NodeId, anchor: NodeId) {
        self.aliases.push((alias, anchor));
    }

    pub(super) fn add_replaced(&mut self, entry: Entry) {
        self.replaced.push(entry);
    }

    /// Returns the root node.
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// Sets the root node.
    pub fn set_root(&mut self, id: NodeId) {
        self.root = id;
    }

    pub(super) fn add_json(&mut self, file: FileId) {
        self.json.push(file);
    }

    /// Returns whether a node was parsed from JSON.
    pub fn is_json(&self, id: NodeId) -> bool {
        self.json.contains(&self.span(id).file)
    }

    /// Returns the value of a node.
    pub fn value(&self, id: NodeId) -> &Value {
        &self.values[id.0 as usize]
    }

    /// Replaces the value of a node.
    pub fn set(&mut self, id: NodeId, value: Value) {
        self.values[id.0 as usize] = value;
    }

    /// Returns the span of a node.
    pub fn span(&self, id: NodeId) -> Span {
        self.spans[id.0 as usize]
    }

    /// Adds a node that is not yet part of the tree.
    pub fn add(&mut self, value: Value, span: Span) -> NodeId {
        self.values.push(value);
        self.spans.push(span);
        NodeId(self.values.len() as u32 - 1)
    }

    /// Returns the id of the next node to be added.
    pub fn next_id(&self) -> NodeId {
        NodeId(self.values.len() as u32)
    }

    /// Maps the spans of all nodes added since `first`.
    pub fn relocate(&mut self, first: NodeId, place: impl Fn(Span) -> Span) {
        for span in &mut self.spans[first.0 as usize..] {
            *span = place(*span);
        }
        for (node, span) in &mut self.shared {
            if *node >= first {
                *span = place(*span);
            }
        }
    }

    /// Returns the interned copy of a string.
    pub fn intern(&mut self, text: &str) -> Arc<str> {
        let hash = |text: &str| self.hasher.hash_one(text);
        let entry = self.interner.entry(hash(text), |known| **known == *text, |known| hash(known));
        Arc::clone(entry.or_insert_with(|| text.into()).get())
    }

    /// Drops the interner. Called once all files are parsed; later duplicates of a string are harmless.
    pub fn clear_interner(&mut self) {
        self.interner = HashTable::new();
    }

    /// Reserves capacity for the usual content of a text of that size, so that large documents are not copied on
    /// growth. Untouched memory is not committed.
    pub(super) fn reserve_for(&mut self, bytes: usize) {
        self.values.reserve(bytes / 8);
        self.spans.reserve(bytes / 8);
        self.interner.reserve(bytes / 48, |known| self.hasher.hash_one(&**known));
    }

    /// Returns a checkpoint for [`Document::truncate`].
    pub(super) fn mark(&self) -> usize {
        self.values.len()
    }

    /// Removes the nodes added since the checkpoint; none of them may be part of the tree.
    pub(super) fn truncate(&mut self, mark: usize) {
        self.values.truncate(mark);
        self.spans.truncate(mark);
        self.replaced.retain(|entry| (entry.value.0 as usize) < mark);
        self.aliases.retain(|(alias, _)| (alias.0 as usize) < mark);
        self.shared.retain(|(node, _)| (node.0 as usize) < mark);
    }

    /// Records an alias of a list or map.
    pub(super) fn add_shared(&mut self, node: NodeId, alias: Span) {
        self.shared.push((node, alias));
    }

    /// Returns the span of the alias within `outer` that brings in the value at `inner`.
    pub fn alias_within(&self, outer: Span, inner: Span) -> Option<Span> {
        let brings =
            |&&(node, alias): &&(NodeId, Span)| outer.contains(alias) && self.span(node).contains(inner);
        self.shared.iter().find(brings).map(|(_, alias)| *alias)
    }

    /// Returns the span of an alias that refers to a list or map.
    pub fn alias_of(&self, node: NodeId) -> Option<Span> {
        self.shared.iter().find(|(shared, _)| *shared == node).map(|(_, alias)| *alias)
    }

    /// Returns whether the document contains aliases.
    pub fn has_aliases(&self) -> bool {
        !(self.shared.is_empty() && self.aliases.is_empty())
    }

    /// Returns the content of a string node.
    pub fn str(&self, id: NodeId) -> Option<&str> {
        match self.value(id) {
            Value::Str(s) => Some(s),
            _ => None,
        }
    }

    /// Returns the items of a list; empty for other types.
    pub fn items(&self, id: NodeId) -> &[NodeId] {
        match self.value(id) {
            Value::Seq(items) => items,
            _ => &[],
        }
    }

    /// Returns the entries of a map; empty for other types.
    pub fn entries(&self, id: NodeId) -> &[Entry] {
        match self.value(id) {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the entry of a map with a string key.
    pub fn entry(&self, id: NodeId, key: &str) -> Option<Entry> {
        self.entries(id).iter().copied().find(|e| self.str(e.key) == Some(key))
    }

    /// Returns the value of a map entry with a string key.
    pub fn get(&self, id: NodeId, key: &str) -> Option<NodeId> {
        self.entry(id, key).map(|e| e.value)
    }

    /// Resolves a path from a node.
    pub fn resolve_path(&self, mut id: NodeId, path: &[NodePathStep<'_>]) -> Option<NodeId> {
        for step in path {
            id = match step {
                NodePathStep::Key(key) => self.get(id, key)?,
                NodePathStep::Index(i) => *self.items(id).get(*i)?,
            };
        }
        Some(id)
    }

    /// Converts a subtree to JSON. Non-string keys are formatted; infinities, and values nested deeper than any
    /// parser accepts, become null.
    pub fn to_json(&self, id: NodeId) -> serde_json::Value {
        self.json(id, 0)
    }

    fn json(&self, id: NodeId, depth: usize) -> serde_json::Value {
        use serde_json::Value as Json;
        match self.value(id) {
            Value::Bool(b) => Json::Bool(*b),
            Value::Int(i) => Json::from(*i),
            Value::Float(f) => serde_json::Number::from_f64(*f).map_or(Json::Null, Json::Number),
            Value::Str(s) => Json::String(s.to_string()),
            Value::Seq(items) if depth < MAX_DEPTH => {
                Json::Array(items.iter().map(|&item| self.json(item, depth + 1)).collect())
            }
            Value::Map(entries) if depth < MAX_DEPTH => Json::Object(
                entries.iter().map(|e| (self.key_text(e.key), self.json(e.value, depth + 1))).collect(),
            ),
            Value::Null | Value::Seq(_) | Value::Map(_) => Json::Null,
        }
    }

    /// Returns the JSON pointer segments from `root` to `node` (indexes from 0). `None` if the node is not below
    /// the root. If aliases share the node, this is its first path.
    pub fn path_of(&self, root: NodeId, node: NodeId) -> Option<Vec<String>> {
        // Depth-first search with an explicit stack: each node with the index of its next child.
        let mut way: Vec<(NodeId, usize)> = vec![(root, 0)];
        loop {
            let &(here, next) = way.last()?;
            if here == node {
                break;
            }
            let child = match self.value(here) {
                Value::Seq(items) => items.get(next).copied(),
                Value::Map(entries) => entries.get(next).map(|e| e.value),
                _ => None,
            };
            if let Some(last) = way.last_mut() {
                last.1 += 1;
            }
            match child {
                Some(child) if way.len() <= MAX_DEPTH => way.push((child, 0)),
                Some(_) => {}
                None => drop(way.pop()),
            }
        }
        way.pop();
        let step = |&(here, next): &(NodeId, usize)| match self.value(here) {
            Value::Map(entries) => self.key_text(entries[next - 1].key),
            _ => (next - 1).to_string(),
        };
        Some(way.iter().map(step).collect())
    }

    /// Formats a key as text.
    pub fn key_text(&self, id: NodeId) -> String {
        match self.value(id) {
            Value::Str(s) => s.to_string(),
            Value::Int(i) => i.to_string(),
            Value::Float(f) => f.to_string(),
            Value::Bool(b) => b.to_string(),
            _ => "null".to_owned(),
        }
    }
}
