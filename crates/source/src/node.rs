//! The node tree of a document: an arena in which every value, and every key, knows its span.

use std::sync::Arc;

use hashbrown::HashTable;

use super::{FileId, Span, limits::DEEPEST};

/// Number of a node in a [`Document`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A key and its value, both nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key; mostly a string, but the format allows numbers, booleans and null.
    pub key: NodeId,
    /// The value.
    pub value: NodeId,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~`, or nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number that fits.
    Int(i64),
    /// Any other number, infinities and not-a-number included.
    Float(f64),
    /// Text.
    Str(Arc<str>),
    /// A list.
    Seq(Box<[NodeId]>),
    /// A map in the order written; keys are unique (the last of duplicates won).
    Map(Box<[Entry]>),
}

/// One step of a path into a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Into a map.
    Key(&'a str),
    /// Into a list, from 0.
    Index(usize),
}

/// A document: nodes, and which one is the root. New nodes may be added and values replaced, so
/// that later stages (format versions, templates, defaults) rewrite the tree and keep the spans.
#[derive(Clone, Debug)]
pub struct Document {
    /// What each node holds and where it was written: two lists, since a large file has millions of nodes and a
    /// pair would be padded.
    values: Vec<Value>,
    spans: Vec<Span>,
    root: NodeId,
    /// Every text read so far, once: a file says `name` some hundred thousand times.
    texts: HashTable<Arc<str>>,
    hasher: ahash::RandomState,
    /// Entries whose key was given again: no longer part of the tree, but still in the text.
    replaced: Vec<Entry>,
    /// Scalars that were written as an alias, each with the one that has the anchor.
    aliases: Vec<(NodeId, NodeId)>,
    /// Lists and maps that aliases refer to, and the places of those aliases.
    shared: Vec<(NodeId, Span)>,
    /// The files that were read as JSON.
    json: Vec<FileId>,
}

impl Document {
    /// A document that holds null.
    pub fn new(span: Span) -> Self {
        Document {
            values: vec![Value::Null],
            spans: vec![span],
            root: NodeId(0),
            texts: HashTable::new(),
            hasher: ahash::RandomState::default(),
            replaced: Vec::new(),
            aliases: Vec::new(),
            shared: Vec::new(),
            json: Vec::new(),
        }
    }

    /// Entries of maps whose key was given again, so that another value counts.
    pub fn replaced(&self) -> &[Entry] {
        &self.replaced
    }

    /// Scalars that were written as an alias, each with the one that has the anchor. Lists and maps are shared.
    pub fn aliases(&self) -> &[(NodeId, NodeId)] {
        &self.aliases
    }

    pub(super) fn add_alias(&mut self, alias: NodeId, anchor: NodeId) {
        self.aliases.push((alias, anchor));
    }

    pub(super) fn add_replaced(&mut self, entry: Entry) {
        self.replaced.push(entry);
    }

    /// The root node.
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// Makes a node the root.
    pub fn set_root(&mut self, id: NodeId) {
        self.root = id;
    }

    pub(super) fn add_json(&mut self, file: FileId) {
        self.json.push(file);
    }

    /// Whether a node was written in JSON.
    pub fn is_json(&self, id: NodeId) -> bool {
        self.json.contains(&self.span(id).file)
    }

    /// What a node holds.
    pub fn value(&self, id: NodeId) -> &Value {
        &self.values[id.0 as usize]
    }

    /// Replaces what a node holds.
    pub fn set(&mut self, id: NodeId, value: Value) {
        self.values[id.0 as usize] = value;
    }

    /// Where a node was written.
    pub fn span(&self, id: NodeId) -> Span {
        self.spans[id.0 as usize]
    }

    /// Adds a node that is not yet part of the tree.
    pub fn add(&mut self, value: Value, span: Span) -> NodeId {
        self.values.push(value);
        self.spans.push(span);
        NodeId(self.values.len() as u32 - 1)
    }

    /// The id that the next node added will have.
    pub fn next_id(&self) -> NodeId {
        NodeId(self.values.len() as u32)
    }

    /// Gives the nodes added since that id another place each, computed from the one they have.
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

    /// The one shared copy of a text.
    pub fn intern(&mut self, text: &str) -> Arc<str> {
        let hash = |text: &str| self.hasher.hash_one(text);
        let entry = self.texts.entry(hash(text), |known| **known == *text, |known| hash(known));
        Arc::clone(entry.or_insert_with(|| text.into()).get())
    }

    /// Forgets which texts there are: once all files are read, another copy of one does no harm.
    pub fn forget_texts(&mut self) {
        self.texts = HashTable::new();
    }

    /// Makes room for what a text of that many bytes usually holds, so that a large document is not copied
    /// each time it outgrows its place. Memory that is not written to costs nothing.
    pub(super) fn reserve_for(&mut self, bytes: usize) {
        self.values.reserve(bytes / 8);
        self.spans.reserve(bytes / 8);
        self.texts.reserve(bytes / 48, |known| self.hasher.hash_one(&**known));
    }

    /// How many nodes there are, to go back to with [`Document::truncate`].
    pub(super) fn mark(&self) -> usize {
        self.values.len()
    }

    /// Forgets the nodes added since; none of them may be part of the tree.
    pub(super) fn truncate(&mut self, mark: usize) {
        self.values.truncate(mark);
        self.spans.truncate(mark);
        self.replaced.retain(|entry| (entry.value.0 as usize) < mark);
        self.aliases.retain(|(alias, _)| (alias.0 as usize) < mark);
        self.shared.retain(|(node, _)| (node.0 as usize) < mark);
    }

    /// Notes the place of an alias that refers to a list or map.
    pub(super) fn add_shared(&mut self, node: NodeId, alias: Span) {
        self.shared.push((node, alias));
    }

    /// The place within a span of the alias through which a value that is written elsewhere comes in there.
    pub fn alias_within(&self, outer: Span, inner: Span) -> Option<Span> {
        let brings =
            |&&(node, alias): &&(NodeId, Span)| outer.contains(alias) && self.span(node).contains(inner);
        self.shared.iter().find(brings).map(|(_, alias)| *alias)
    }

    /// The place of an alias that refers to a list or map.
    pub fn alias_of(&self, node: NodeId) -> Option<Span> {
        self.shared.iter().find(|(shared, _)| *shared == node).map(|(_, alias)| *alias)
    }

    /// Whether any alias refers to a value.
    pub fn has_aliases(&self) -> bool {
        !(self.shared.is_empty() && self.aliases.is_empty())
    }

    /// The text of a string node.
    pub fn str(&self, id: NodeId) -> Option<&str> {
        match self.value(id) {
            Value::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The items of a list; empty for anything else.
    pub fn items(&self, id: NodeId) -> &[NodeId] {
        match self.value(id) {
            Value::Seq(items) => items,
            _ => &[],
        }
    }

    /// The entries of a map; empty for anything else.
    pub fn entries(&self, id: NodeId) -> &[Entry] {
        match self.value(id) {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entry of a map with that string key.
    pub fn entry(&self, id: NodeId, key: &str) -> Option<Entry> {
        self.entries(id).iter().copied().find(|e| self.str(e.key) == Some(key))
    }

    /// The value of a map under that string key.
    pub fn get(&self, id: NodeId, key: &str) -> Option<NodeId> {
        self.entry(id, key).map(|e| e.value)
    }

    /// Follows a path from a node.
    pub fn at(&self, mut id: NodeId, path: &[Step<'_>]) -> Option<NodeId> {
        for step in path {
            id = match step {
                Step::Key(key) => self.get(id, key)?,
                Step::Index(i) => *self.items(id).get(*i)?,
            };
        }
        Some(id)
    }

    /// The subtree as JSON. Keys that are not strings are written out; infinities, and whatever is nested
    /// deeper than any reader accepts, become null.
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
            Value::Seq(items) if depth < DEEPEST => {
                Json::Array(items.iter().map(|&item| self.json(item, depth + 1)).collect())
            }
            Value::Map(entries) if depth < DEEPEST => Json::Object(
                entries.iter().map(|e| (self.key_text(e.key), self.json(e.value, depth + 1))).collect(),
            ),
            Value::Null | Value::Seq(_) | Value::Map(_) => Json::Null,
        }
    }

    /// The steps from `root` down to `node`, as JSON pointer writes them: keys as text, items from 0. `None`
    /// if the node is not under the root. A node that aliases share has several paths; this is the first.
    pub fn path_of(&self, root: NodeId, node: NodeId) -> Option<Vec<String>> {
        // Each level on the way: the node, and which of its children comes next.
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
                Some(child) if way.len() <= DEEPEST => way.push((child, 0)),
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

    /// A key as text.
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
