//! YAML text → nodes, read as Kong reads it.
//!
//! Events come from `libyaml.rs`, types from `scalar.rs`, words for broken text from `syntax.rs`. This file
//! builds the tree: anchors and aliases, merge keys, duplicate keys, spans, limits. Nesting is kept on a
//! stack of its own, so that depth is bounded by [`Limits`] and not by the thread's stack.

use std::collections::HashMap;

use super::finding::unparsable;
use super::keys::{Index, duplicate_key, find, short};
use super::libyaml::{Events, Kind, Steps, Style};
use super::scalar;
use super::scan::Scan;
use super::syntax;
use super::{Document, Entry, FileId, Finding, Findings, Limits, NodeId, Position, SourceMap, Span, Value};

/// Reads the first document of a YAML file into `doc` and returns its root; null for an empty file.
///
/// `None` means the text is not YAML, or breaks a limit: an error was added to `findings`.
pub fn parse_yaml(
    sources: &SourceMap,
    file: FileId,
    doc: &mut Document,
    limits: &Limits,
    findings: &mut Findings,
) -> Option<NodeId> {
    let text = sources.get(file).text();
    let bom = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let place = Place { file, text, base: bom };
    doc.reserve_for(text.len());
    // What is not read quickly is read from its beginning, so that one reader judges it as a whole.
    let (nodes, known) = (doc.mark(), findings.mark());
    if let Some(mut events) = Scan::new(&text[bom..]) {
        if let Ok(root) = Builder::new(place, doc, limits, findings).run(&mut events) {
            return Some(root);
        }
        doc.truncate(nodes);
        findings.rewind(known);
    }
    let mut events = Events::new(&text[bom..]);
    let mut builder = Builder::new(place, doc, limits, findings);
    let outcome = builder.run(&mut events);
    let at = builder.at;
    let (error, reason) = match outcome {
        Ok(root) => return Some(root),
        Err(Failure::Syntax(problem)) => (syntax::explain(place, &problem, at), problem.message),
        Err(Failure::Refused(finding)) => (*finding.clone(), finding.message),
    };
    // lyaml counts from the last thing it saw whole, and knows no place before the first.
    let Position { line, column } = at.map_or(Position { line: 0, column: 0 }, |span| sources.position(span));
    findings.push(unparsable(error, &format!("{line}:{column}: {reason}")));
    None
}

/// The file being read, and how many bytes at its start (a byte order mark) the parser is not shown.
#[derive(Clone, Copy)]
pub(super) struct Place<'t> {
    pub file: FileId,
    pub text: &'t str,
    pub base: usize,
}

impl Place<'_> {
    /// The span between two of the parser's offsets.
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        let byte = |offset: usize| (self.base + offset).min(self.text.len()) as u32;
        Span { file: self.file, start: byte(start), end: byte(end.max(start)) }
    }
}

enum Failure {
    Syntax(super::libyaml::Problem),
    Refused(Box<Finding>),
}

fn refuse(code: &'static str, message: impl Into<String>, span: Span, label: &str) -> Failure {
    Failure::Refused(Box::new(Finding::error(code, message).at(span, label)))
}

/// A finished node and what it weighs once every alias in it is written out.
#[derive(Clone, Copy)]
struct Built {
    id: NodeId,
    /// Nodes in it.
    size: u64,
    /// Levels of nesting in it; a scalar has none.
    height: usize,
    /// End of the text it was written at.
    end: u32,
}

/// A node an anchor names.
enum Anchor {
    /// Still being read, at that depth: an alias now would make a ring.
    Open(usize),
    Done(Built),
}

/// A list or map being read.
struct Frame {
    shape: Shape,
    start: Span,
    flow: bool,
    anchor: Option<Box<str>>,
    size: u64,
    height: usize,
    /// End of the last child.
    end: u32,
}

enum Shape {
    /// Items from here on in the builder's item stack.
    Seq { first: usize },
    /// Entries from here on in the builder's entry stack.
    Map { first: usize, key: Key, inherited: Vec<Entry>, index: Option<Box<Index>> },
}

/// A value has a tag that means nothing: its writer most likely meant a text that begins with `!`.
pub const TAG: &str = "source/unknown-tag";

/// What the tags begin with that YAML itself has.
const STANDARD_TAG: &str = "tag:yaml.org,2002:";

/// What a map waits for.
enum Key {
    Wanted,
    /// A value for this key.
    Has(NodeId),
    /// What to merge in.
    Merge,
}

struct Builder<'a> {
    text: Place<'a>,
    doc: &'a mut Document,
    limits: &'a Limits,
    findings: &'a mut Findings,
    frames: Vec<Frame>,
    items: Vec<NodeId>,
    entries: Vec<Entry>,
    anchors: HashMap<Box<str>, Anchor>,
    root: Option<NodeId>,
    /// The event at hand.
    at: Option<Span>,
    /// Nodes written, and nodes that aliases stand for.
    written: u64,
    aliased: u64,
}

impl<'a> Builder<'a> {
    fn new(text: Place<'a>, doc: &'a mut Document, limits: &'a Limits, findings: &'a mut Findings) -> Self {
        Builder {
            text,
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

    /// Reads the whole stream, as Kong does: an error in a later document is an error, though only the
    /// first one counts.
    fn run(&mut self, events: &mut impl Steps) -> Result<NodeId, Failure> {
        let mut first = None;
        let mut after_first = None;
        loop {
            let event = events.step().map_err(Failure::Syntax)?;
            let span = self.text.span(event.start, event.end);
            self.at = Some(span);
            match event.kind {
                Kind::StreamEnd => break,
                Kind::DocumentStart => {
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
                Kind::DocumentEnd => {
                    let root = self.root.take();
                    first = first.or(root);
                }
                kind => self.node(kind, span, after_first.is_some())?,
            }
        }
        if let Some(mark) = after_first {
            self.doc.truncate(mark);
        }
        Ok(first.unwrap_or_else(|| self.doc.add(Value::Null, self.text.span(0, 0))))
    }

    fn node(&mut self, kind: Kind<'_>, mut span: Span, ignored: bool) -> Result<(), Failure> {
        match kind {
            Kind::Scalar { anchor, tag, value, style } => {
                if style == Style::Block {
                    span.end = self.trimmed(span);
                }
                let value = self.typed(tag, value, style, span)?;
                if !ignored && tag.is_some_and(|tag| tag != "!" && !tag.starts_with(STANDARD_TAG)) {
                    self.findings.push(
                        Finding::warning(TAG, "what follows the `!` is a YAML tag and no part of the value")
                            .at(span, "")
                            .help("put the value in quotes if the `!` is part of it, or remove the tag"),
                    );
                }
                let merge = tag == Some("tag:yaml.org,2002:merge");
                let id = self.doc.add(value, span);
                self.written += 1;
                let built = Built { id, size: 1, height: 0, end: span.end };
                if let Some(anchor) = anchor {
                    self.anchors.insert(anchor.into(), Anchor::Done(built));
                }
                self.place(built, merge, ignored)
            }
            Kind::Alias { anchor } => self.alias(anchor, span, ignored),
            Kind::SequenceStart { anchor, flow } => {
                let shape = Shape::Seq { first: self.items.len() };
                self.open(shape, span, flow, anchor)
            }
            Kind::MappingStart { anchor, flow } => {
                let first = self.entries.len();
                let shape = Shape::Map { first, key: Key::Wanted, inherited: Vec::new(), index: None };
                self.open(shape, span, flow, anchor)
            }
            Kind::SequenceEnd | Kind::MappingEnd => self.close(span, ignored),
            Kind::DocumentStart | Kind::DocumentEnd | Kind::StreamEnd => Ok(()),
        }
    }

    /// The value a scalar has.
    fn typed(&mut self, tag: Option<&str>, text: &str, style: Style, span: Span) -> Result<Value, Failure> {
        let value = match tag.and_then(|tag| scalar::tagged(tag, text)) {
            Some(Ok(Value::Str(_))) => None,
            Some(value) => Some(value.map_err(|_| {
                let tag = tag.unwrap_or_default().rsplit(':').next().unwrap_or_default();
                refuse(
                    "source/yaml-syntax",
                    format!("`{}` is not a value for `!!{tag}`", short(text)),
                    span,
                    "",
                )
            })?),
            None if style == Style::Plain => scalar::implicit(text).map_err(|_| {
                let message = format!("`{}` is a number that ends in `_`", short(text));
                Failure::Refused(Box::new(
                    Finding::error("source/yaml-syntax", message)
                        .at(span, "")
                        .help("put it in quotes if text is meant"),
                ))
            })?,
            None => None,
        };
        Ok(value.unwrap_or_else(|| Value::Str(self.doc.intern(text))))
    }

    fn alias(&mut self, anchor: &str, span: Span, ignored: bool) -> Result<(), Failure> {
        let built = match self.anchors.get(anchor) {
            None => {
                let message = format!("there is no anchor `&{}` before this alias", short(anchor));
                return Err(refuse("source/yaml-syntax", message, span, "refers to nothing"));
            }
            Some(Anchor::Open(_)) => {
                let message = format!("`*{}` stands inside the value it refers to", short(anchor));
                return Err(refuse("source/yaml-syntax", message, span, "would contain itself"));
            }
            Some(Anchor::Done(built)) => *built,
        };
        self.aliased = self.aliased.saturating_add(built.size);
        if self.aliased > self.limits.alias_nodes.max(self.written.saturating_mul(10)) {
            let message = "the aliases of this file stand for too many values";
            return Err(refuse("source/too-large", message, span, "too much with this one"));
        }
        if self.frames.len() + built.height > self.limits.depth() {
            return Err(self.too_deep(span));
        }
        let list = matches!(self.doc.value(built.id), Value::Seq(_) | Value::Map(_));
        // A list or map is shared, as in Lua; a scalar gets a node of its own, which knows its place.
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
        self.place(Built { id, end: span.end, ..built }, false, ignored)
    }

    fn open(&mut self, shape: Shape, start: Span, flow: bool, anchor: Option<&str>) -> Result<(), Failure> {
        if self.frames.len() >= self.limits.depth() {
            return Err(self.too_deep(start));
        }
        let anchor = anchor.map(Box::from);
        if let Some(name) = &anchor {
            self.anchors.insert(Box::clone(name), Anchor::Open(self.frames.len()));
        }
        self.frames.push(Frame { shape, start, flow, anchor, size: 1, height: 1, end: start.start });
        Ok(())
    }

    fn close(&mut self, span: Span, ignored: bool) -> Result<(), Failure> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        let value = match frame.shape {
            Shape::Seq { first } => Value::Seq(self.items.drain(first..).collect()),
            Shape::Map { first, inherited, .. } => {
                let mut entries: Vec<Entry> = self.entries.drain(first..).collect();
                if !inherited.is_empty() {
                    inherit(self.doc, &mut entries, inherited);
                }
                Value::Map(entries.into())
            }
        };
        // libyaml ends a block collection at the next token; its own text ends with its last child.
        let end = if frame.flow { span.end } else { frame.end };
        let id = self.doc.add(value, Span { end: end.max(frame.start.start), ..frame.start });
        self.written += 1;
        let built = Built { id, size: frame.size, height: frame.height, end };
        // An anchor of the same name further in has taken the name over.
        let depth = self.frames.len();
        if let Some(anchor) = frame.anchor.and_then(|name| self.anchors.get_mut(&name))
            && matches!(anchor, Anchor::Open(opened) if *opened == depth)
        {
            *anchor = Anchor::Done(built);
        }
        self.place(built, false, ignored)
    }

    /// Puts a finished node where it belongs.
    fn place(&mut self, built: Built, merge_tag: bool, ignored: bool) -> Result<(), Failure> {
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(built.id);
            return Ok(());
        };
        frame.size = frame.size.saturating_add(built.size);
        frame.height = frame.height.max(built.height + 1);
        frame.end = built.end;
        let Shape::Map { first, key, inherited, index } = &mut frame.shape else {
            self.items.push(built.id);
            return Ok(());
        };
        match std::mem::replace(key, Key::Wanted) {
            Key::Wanted => {
                let merge = merge_tag || self.doc.str(built.id) == Some("<<");
                *key = if merge { Key::Merge } else { Key::Has(built.id) };
                if matches!(self.doc.value(built.id), Value::Float(f) if f.is_nan()) {
                    let span = self.doc.span(built.id);
                    return Err(refuse("source/yaml-syntax", "not-a-number cannot be a key", span, ""));
                }
            }
            Key::Merge => merge_in(self.doc, inherited, built.id)?,
            Key::Has(key) => {
                let entry = Entry { key, value: built.id };
                let entries = &mut self.entries;
                let Some(earlier) = find(self.doc, &entries[*first..], index, key) else {
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

    fn too_deep(&self, span: Span) -> Failure {
        let message = format!("nested more than {} levels deep", self.limits.depth());
        refuse("source/too-deep", message, span, "one level too many")
    }

    /// Where a block scalar's text really ends: libyaml counts the blank lines after it.
    fn trimmed(&self, span: Span) -> u32 {
        let text = &self.text.text[span.start as usize..span.end as usize];
        span.start + text.trim_end().len() as u32
    }
}

/// Adds what a map inherits and does not set itself; of two inherited the earlier counts.
fn inherit(doc: &Document, entries: &mut Vec<Entry>, inherited: Vec<Entry>) {
    let mut index = None;
    for entry in inherited {
        if find(doc, entries, &mut index, entry.key).is_none() {
            entries.push(entry);
        }
    }
}

/// Takes over the entries of the map, or of each map of the list, after a merge key.
fn merge_in(doc: &mut Document, inherited: &mut Vec<Entry>, from: NodeId) -> Result<(), Failure> {
    let items = match doc.value(from) {
        Value::Map(entries) => {
            inherited.extend_from_slice(entries);
            return Ok(());
        }
        Value::Seq(items) => items.clone(),
        _ => {
            let span = doc.span(from);
            return Err(refuse(
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
            // In Lua a list is a map from 1, 2, 3 …, and the null value a table without content.
            Value::Null => {}
            Value::Seq(values) => {
                for (i, value) in values.clone().into_iter().enumerate() {
                    let key = doc.add(Value::Int(i as i64 + 1), doc.span(value));
                    inherited.push(Entry { key, value });
                }
            }
            _ => return Err(refuse("source/yaml-syntax", NOT_MERGEABLE, doc.span(item), "not a map")),
        }
    }
    Ok(())
}

const NOT_MERGEABLE: &str = "`<<` merges a map or a list of maps";
