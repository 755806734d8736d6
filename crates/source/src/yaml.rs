//! YAML parser that builds nodes with Kong's semantics.
//!
//! Events come from `scan` or `libyaml`, types from `scalar`, messages for invalid text from `yaml_diagnostics`.
//! This module builds the tree: anchors and aliases, merge keys, duplicate keys, spans, limits. It uses an
//! explicit stack, so that depth is bounded by [`Limits`] and not by the thread's stack.

use std::collections::HashMap;

use super::duplicate_keys::{KeyIndex, duplicate_key, find_key, truncated};
use super::finding::with_syntax_error_tree;
use super::libyaml::{EventKind, EventSource, Events, ScalarStyle};
use super::scalar;
use super::scan::Scanner;
use super::yaml_diagnostics;
use super::{Document, Entry, FileId, Finding, Findings, Limits, NodeId, Position, SourceMap, Span, Value};

/// Parses the first document of a YAML file into `doc` and returns its root; null for an empty file.
///
/// `None` if the text is invalid or exceeds a limit; an error was added to `findings` then.
pub fn parse_yaml(
    sources: &SourceMap,
    file: FileId,
    doc: &mut Document,
    limits: &Limits,
    findings: &mut Findings,
) -> Option<NodeId> {
    let text = sources.get(file).text();
    let bom = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let input = Input { file, text, base: bom };
    doc.reserve_for(text.len());
    // A text outside the fast subset is reparsed from the start, so that a single parser processes the whole file.
    let (nodes, known) = (doc.mark(), findings.mark());
    if let Some(mut events) = Scanner::new(&text[bom..]) {
        if let Ok(root) = Builder::new(input, doc, limits, findings).run(&mut events) {
            return Some(root);
        }
        doc.truncate(nodes);
        findings.rewind(known);
    }
    let mut events = Events::new(&text[bom..]);
    let mut builder = Builder::new(input, doc, limits, findings);
    let outcome = builder.run(&mut events);
    let at = builder.at;
    let (error, reason) = match outcome {
        Ok(root) => return Some(root),
        Err(ParseFailure::Syntax(problem)) => {
            (yaml_diagnostics::explain(input, &problem, at), problem.message)
        }
        Err(ParseFailure::Refused(finding)) => (*finding.clone(), finding.message),
    };
    // lyaml reports the position of the last complete event, and 0:0 before the first.
    let Position { line, column } = at.map_or(Position { line: 0, column: 0 }, |span| sources.position(span));
    findings.push(with_syntax_error_tree(error, &format!("{line}:{column}: {reason}")));
    None
}

/// The file being parsed. `base` is the length of a byte order mark, which the parser does not see.
#[derive(Clone, Copy)]
pub(super) struct Input<'t> {
    pub file: FileId,
    pub text: &'t str,
    pub base: usize,
}

impl Input<'_> {
    /// Converts parser offsets to a span.
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        let byte = |offset: usize| (self.base + offset).min(self.text.len()) as u32;
        Span { file: self.file, start: byte(start), end: byte(end.max(start)) }
    }
}

enum ParseFailure {
    Syntax(super::libyaml::YamlError),
    Refused(Box<Finding>),
}

fn reject(code: &'static str, message: impl Into<String>, span: Span, label: &str) -> ParseFailure {
    ParseFailure::Refused(Box::new(Finding::error(code, message).at(span, label)))
}

/// Finished node with its size after alias expansion.
#[derive(Clone, Copy)]
struct BuiltNode {
    id: NodeId,
    /// Number of nodes in it.
    size: u64,
    /// Nesting depth; 0 for a scalar.
    height: usize,
    /// End offset of its source text.
    end: u32,
}

/// Target of an anchor.
enum Anchor {
    /// Still being parsed, at that depth: an alias to it would create a cycle.
    Open(usize),
    Done(BuiltNode),
}

/// List or map being parsed.
struct Frame {
    collection: Collection,
    start: Span,
    flow: bool,
    anchor: Option<Box<str>>,
    size: u64,
    height: usize,
    /// End offset of the last child.
    end: u32,
}

enum Collection {
    /// Its items start at this index of the builder's item stack.
    Seq { first: usize },
    /// Its entries start at this index of the builder's entry stack.
    Map { first: usize, state: MapState, inherited: Vec<Entry>, index: Option<Box<KeyIndex>> },
}

/// Finding code: a value has an unknown tag. Most likely a string that starts with `!`.
pub const UNKNOWN_TAG: &str = "source/unknown-tag";

/// Prefix of YAML's standard tags.
const STANDARD_TAG: &str = "tag:yaml.org,2002:";

/// State of a map: what the next node is.
enum MapState {
    Key,
    /// The value for this key.
    Value(NodeId),
    /// The map or maps to merge.
    Merge,
}

struct Builder<'a> {
    input: Input<'a>,
    doc: &'a mut Document,
    limits: &'a Limits,
    findings: &'a mut Findings,
    frames: Vec<Frame>,
    items: Vec<NodeId>,
    entries: Vec<Entry>,
    anchors: HashMap<Box<str>, Anchor>,
    root: Option<NodeId>,
    /// Span of the current event.
    at: Option<Span>,
    /// Number of nodes written, and of nodes that aliases expand to.
    written: u64,
    aliased: u64,
}

impl<'a> Builder<'a> {
    fn new(input: Input<'a>, doc: &'a mut Document, limits: &'a Limits, findings: &'a mut Findings) -> Self {
        Builder {
            input,
            doc,
            limits,
            findings,
            frames: Vec::new(),
            items: Vec::new(),
            entries: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            at: None,
            written: 0,
            aliased: 0,
        }
    }

    /// Parses the whole stream, as Kong does: an error in a later document is an error, although only the first
    /// document is used.
    fn run(&mut self, events: &mut impl EventSource) -> Result<NodeId, ParseFailure> {
        let mut first = None;
        let mut after_first = None;
        loop {
            let event = events.next_event().map_err(ParseFailure::Syntax)?;
            let span = self.input.span(event.start, event.end);
            self.at = Some(span);
            match event.kind {
                EventKind::StreamEnd => break,
                EventKind::DocumentStart => {
                    self.anchors.clear();
                    if first.is_some() && after_first.is_none() {
                        after_first = Some(self.doc.mark());
                        self.findings.push(
                            Finding::warning(
                                "source/more-documents",
                                "only the first document of a file is read",
                            )
                            .at(span, "from here on everything is ignored")
                            .help("put every entity into one document, or split the file"),
                        );
                    }
                }
                EventKind::DocumentEnd => {
                    let root = self.root.take();
                    first = first.or(root);
                }
                kind => self.node(kind, span, after_first.is_some())?,
            }
        }
        if let Some(mark) = after_first {
            self.doc.truncate(mark);
        }
        Ok(first.unwrap_or_else(|| self.doc.add(Value::Null, self.input.span(0, 0))))
    }

    fn node(&mut self, kind: EventKind<'_>, mut span: Span, ignored: bool) -> Result<(), ParseFailure> {
        match kind {
            EventKind::Scalar { anchor, tag, value, style } => {
                if style == ScalarStyle::Block {
                    span.end = self.trimmed(span);
                }
                let value = self.typed(tag, value, style, span)?;
                if !ignored && tag.is_some_and(|tag| tag != "!" && !tag.starts_with(STANDARD_TAG)) {
                    self.findings.push(
                        Finding::warning(
                            UNKNOWN_TAG,
                            "what follows the `!` is a YAML tag and no part of the value",
                        )
                        .at(span, "")
                        .help("put the value in quotes if the `!` is part of it, or remove the tag"),
                    );
                }
                let merge = tag == Some("tag:yaml.org,2002:merge");
                let id = self.doc.add(value, span);
                self.written += 1;
                let built = BuiltNode { id, size: 1, height: 0, end: span.end };
                if let Some(anchor) = anchor {
                    self.anchors.insert(anchor.into(), Anchor::Done(built));
                }
                self.attach(built, merge, ignored)
            }
            EventKind::Alias { anchor } => self.alias(anchor, span, ignored),
            EventKind::SequenceStart { anchor, flow } => {
                let collection = Collection::Seq { first: self.items.len() };
                self.open(collection, span, flow, anchor)
            }
            EventKind::MappingStart { anchor, flow } => {
                let first = self.entries.len();
                let collection =
                    Collection::Map { first, state: MapState::Key, inherited: Vec::new(), index: None };
                self.open(collection, span, flow, anchor)
            }
            EventKind::SequenceEnd | EventKind::MappingEnd => self.close(span, ignored),
            EventKind::DocumentStart | EventKind::DocumentEnd | EventKind::StreamEnd => Ok(()),
        }
    }

    /// Resolves the value of a scalar.
    fn typed(
        &mut self,
        tag: Option<&str>,
        text: &str,
        style: ScalarStyle,
        span: Span,
    ) -> Result<Value, ParseFailure> {
        let value = match tag.and_then(|tag| scalar::resolve_tagged(tag, text)) {
            Some(Ok(Value::Str(_))) => None,
            Some(value) => Some(value.map_err(|_| {
                let tag = tag.unwrap_or_default().rsplit(':').next().unwrap_or_default();
                reject(
                    "source/yaml-syntax",
                    format!("`{}` is not a value for `!!{tag}`", truncated(text)),
                    span,
                    "",
                )
            })?),
            None if style == ScalarStyle::Plain => scalar::resolve_plain(text).map_err(|_| {
                let message = format!("`{}` is a number that ends in `_`", truncated(text));
                ParseFailure::Refused(Box::new(
                    Finding::error("source/yaml-syntax", message)
                        .at(span, "")
                        .help("put it in quotes if text is meant"),
                ))
            })?,
            None => None,
        };
        Ok(value.unwrap_or_else(|| Value::Str(self.doc.intern(text))))
    }

    fn alias(&mut self, anchor: &str, span: Span, ignored: bool) -> Result<(), ParseFailure> {
        let built = match self.anchors.get(anchor) {
            None => {
                let message = format!("there is no anchor `&{}` before this alias", truncated(anchor));
                return Err(reject("source/yaml-syntax", message, span, "refers to nothing"));
            }
            Some(Anchor::Open(_)) => {
                let message = format!("`*{}` stands inside the value it refers to", truncated(anchor));
                return Err(reject("source/yaml-syntax", message, span, "would contain itself"));
            }
            Some(Anchor::Done(built)) => *built,
        };
        self.aliased = self.aliased.saturating_add(built.size);
        if self.aliased > self.limits.alias_nodes.max(self.written.saturating_mul(10)) {
            let message = "the aliases of this file stand for too many values";
            return Err(reject("source/too-large", message, span, "too much with this one"));
        }
        if self.frames.len() + built.height > self.limits.depth() {
            return Err(self.too_deep(span));
        }
        let list = matches!(self.doc.value(built.id), Value::Seq(_) | Value::Map(_));
        // Lists and maps are shared, as in Lua; a scalar gets a node of its own, so that it keeps its span.
        let id = if list {
            self.doc.add_shared(built.id, span);
            built.id
        } else {
            let value = self.doc.value(built.id).clone();
            self.written += 1;
            let alias = self.doc.add(value, span);
            self.doc.add_alias(alias, built.id);
            alias
        };
        self.attach(BuiltNode { id, end: span.end, ..built }, false, ignored)
    }

    fn open(
        &mut self,
        collection: Collection,
        start: Span,
        flow: bool,
        anchor: Option<&str>,
    ) -> Result<(), ParseFailure> {
        if self.frames.len() >= self.limits.depth() {
            return Err(self.too_deep(start));
        }
        let anchor = anchor.map(Box::from);
        if let Some(name) = &anchor {
            self.anchors.insert(Box::clone(name), Anchor::Open(self.frames.len()));
        }
        self.frames.push(Frame { collection, start, flow, anchor, size: 1, height: 1, end: start.start });
        Ok(())
    }

    fn close(&mut self, span: Span, ignored: bool) -> Result<(), ParseFailure> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let value = match frame.collection {
            Collection::Seq { first } => Value::Seq(self.items.drain(first..).collect()),
            Collection::Map { first, inherited, .. } => {
                let mut entries: Vec<Entry> = self.entries.drain(first..).collect();
                if !inherited.is_empty() {
                    inherit(self.doc, &mut entries, inherited);
                }
                Value::Map(entries.into())
            }
        };
        // libyaml ends a block collection at the next token; its source text ends with the last child.
        let end = if frame.flow { span.end } else { frame.end };
        let id = self.doc.add(value, Span { end: end.max(frame.start.start), ..frame.start });
        self.written += 1;
        let built = BuiltNode { id, size: frame.size, height: frame.height, end };
        // A nested anchor of the same name may have replaced this one.
        let depth = self.frames.len();
        if let Some(anchor) = frame.anchor.and_then(|name| self.anchors.get_mut(&name))
            && matches!(anchor, Anchor::Open(opened) if *opened == depth)
        {
            *anchor = Anchor::Done(built);
        }
        self.attach(built, false, ignored)
    }

    /// Adds a finished node to its parent.
    fn attach(&mut self, built: BuiltNode, merge_tag: bool, ignored: bool) -> Result<(), ParseFailure> {
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(built.id);
            return Ok(());
        };
        frame.size = frame.size.saturating_add(built.size);
        frame.height = frame.height.max(built.height + 1);
        frame.end = built.end;
        let Collection::Map { first, state, inherited, index } = &mut frame.collection else {
            self.items.push(built.id);
            return Ok(());
        };
        match std::mem::replace(state, MapState::Key) {
            MapState::Key => {
                let merge = merge_tag || self.doc.str(built.id) == Some("<<");
                *state = if merge { MapState::Merge } else { MapState::Value(built.id) };
                if matches!(self.doc.value(built.id), Value::Float(f) if f.is_nan()) {
                    let span = self.doc.span(built.id);
                    return Err(reject("source/yaml-syntax", "not-a-number cannot be a key", span, ""));
                }
            }
            MapState::Merge => merge_in(self.doc, inherited, built.id)?,
            MapState::Value(key) => {
                let entry = Entry { key, value: built.id };
                let entries = &mut self.entries;
                let Some(earlier) = find_key(self.doc, &entries[*first..], index, key) else {
                    entries.push(entry);
                    return Ok(());
                };
                let old = std::mem::replace(&mut entries[*first + earlier], entry);
                self.doc.add_replaced(old);
                if !ignored {
                    self.findings.push(duplicate_key(self.doc, old.key, key));
                }
            }
        }
        Ok(())
    }

    fn too_deep(&self, span: Span) -> ParseFailure {
        let message = format!("nested more than {} levels deep", self.limits.depth());
        reject("source/too-deep", message, span, "one level too many")
    }

    /// Returns the end of a block scalar without the trailing blank lines that libyaml includes.
    fn trimmed(&self, span: Span) -> u32 {
        let text = &self.input.text[span.start as usize..span.end as usize];
        span.start + text.trim_end().len() as u32
    }
}

/// Appends the inherited entries that the map does not set; of two inherited ones the earlier wins.
fn inherit(doc: &Document, entries: &mut Vec<Entry>, inherited: Vec<Entry>) {
    let mut index = None;
    for entry in inherited {
        if find_key(doc, entries, &mut index, entry.key).is_none() {
            entries.push(entry);
        }
    }
}

/// Collects the entries of the map, or of each map of the list, after a merge key.
fn merge_in(doc: &mut Document, inherited: &mut Vec<Entry>, from: NodeId) -> Result<(), ParseFailure> {
    let items = match doc.value(from) {
        Value::Map(entries) => {
            inherited.extend_from_slice(entries);
            return Ok(());
        }
        Value::Seq(items) => items.clone(),
        _ => {
            let span = doc.span(from);
            return Err(reject(
                "source/yaml-syntax",
                NOT_MERGEABLE,
                span,
                "neither a map nor a list of maps",
            ));
        }
    };
    for item in items {
        match doc.value(item) {
            Value::Map(entries) => inherited.extend_from_slice(entries),
            // A Lua list is a table with the keys 1, 2, 3 …, and null merges as an empty table.
            Value::Null => {}
            Value::Seq(values) => {
                for (i, value) in values.clone().into_iter().enumerate() {
                    let key = doc.add(Value::Int(i as i64 + 1), doc.span(value));
                    inherited.push(Entry { key, value });
                }
            }
            _ => return Err(reject("source/yaml-syntax", NOT_MERGEABLE, doc.span(item), "not a map")),
        }
    }
    Ok(())
}

const NOT_MERGEABLE: &str = "`<<` merges a map or a list of maps";
