//! Depth-first validation of document nodes against a schema.

use smallvec::SmallVec;

use super::{
    Field, Record, Shape, ShapeKind,
    explain::{Complaint, is_vault_reference},
    unknown::Meant,
};
use crate::secret::{Hidden, SecretFields};
use source::{Document, Entry, Finding, Findings, NodeId, Span, Value};

/// One step of the path from the document's root to the current value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// Field of a record.
    Field(&'static str),
    /// List item, counted from 1.
    Item(usize),
    /// Entry of a map with arbitrary keys; omitted from the admin API's error tree.
    Free(NodeId),
}

/// Entity found during validation.
#[derive(Clone, Debug)]
pub struct Found {
    /// Index of its kind in [`KINDS`].
    pub kind: usize,
    /// Node as written.
    pub node: NodeId,
    /// Node with shorthands expanded; equal to `node` if there are none.
    pub data: NodeId,
    /// Parent entity: its index among those found, and the field that references it.
    pub parent: Option<(usize, &'static str)>,
    /// Position in its list, from 1.
    pub index: usize,
    /// Whether it has no errors.
    pub clean: bool,
    /// Whether it is under a misspelt name, where Kong does not look.
    pub stray: bool,
}

/// Resolver of an entity's schema, which may depend on its content (a plugin's name, a route's protocols).
pub trait Chooser {
    /// Returns the schema, or an error with the field it is about.
    ///
    /// # Errors
    /// If there is no schema for the entity.
    fn choose(&self, kind: usize, doc: &Document, node: NodeId) -> Result<&'static Record, Refusal>;
    /// Returns the schema of a kind regardless of content; `None` for an unknown kind.
    fn kind(&self, kind: usize) -> Option<&'static Record>;
    /// Runs the custom check of a whole record; `None` if it passes.
    fn custom(
        &self,
        name: &str,
        walker: &Walker<'_>,
        record: &Record,
        node: Option<NodeId>,
        fields: &[Field],
    ) -> Option<String>;
}

/// Reason why there is no schema for an entity.
#[derive(Debug)]
pub struct Refusal {
    /// The discriminating field.
    pub field: &'static str,
    /// Finding code.
    pub code: &'static str,
    /// Kong's error text.
    pub text: String,
    /// Plain message.
    pub message: String,
    /// Suggested correction.
    pub help: Option<String>,
    /// The unknown word and its candidates for spelling suggestions, compared only when a finding is created.
    pub unknown: Option<(String, &'static [&'static str])>,
}

/// Value of a field as seen by entity checks.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a> {
    /// Absent, without a default.
    Missing,
    /// Null.
    Null,
    /// Written in the document.
    Node(NodeId),
    /// Default of an absent field.
    Default(&'a serde_json::Value),
}

/// For each field of a record, the index of its entry in the current map.
pub(super) type Slots = SmallVec<[Option<u32>; 32]>;

/// Validation of one document.
pub struct Walker<'d> {
    /// The document; only new nodes are added.
    pub doc: &'d mut Document,
    /// Errors found.
    pub findings: &'d mut Findings,
    /// Entities, parents before children.
    pub found: Vec<Found>,
    /// Spans of secrets.
    pub secrets: Vec<Span>,
    /// Spans of secrets outside any schema: unknown fields, values of the wrong type.
    pub hidden: Hidden<'d>,
    /// Vault references in referenceable fields.
    pub references: Vec<NodeId>,
    pub(super) path: Vec<PathStep>,
    /// Node to report when a value is absent.
    pub(super) near: NodeId,
    pub(super) chooser: &'d dyn Chooser,
    /// Records on the current path, outermost first, with the path length at each.
    pub(super) records: Vec<(&'static Record, usize)>,
    /// Interpretations of unknown fields.
    pub(super) meant: Vec<Meant>,
    /// Nesting depth of unknown fields that are validated as the field they stand for.
    pub(super) strays: usize,
    pub(super) errors: usize,
    /// Number of findings of any level, retained or only counted.
    pub(super) reported: usize,
}

/// Checkpoint of the number of findings.
#[derive(Clone, Copy)]
pub(super) struct Before {
    reported: usize,
    retained: usize,
}

impl Before {
    /// Number of retained findings at the checkpoint.
    pub(super) fn retained(self) -> usize {
        self.retained
    }
}

impl<'d> Walker<'d> {
    /// Creates a validator.
    pub fn new(
        doc: &'d mut Document,
        findings: &'d mut Findings,
        chooser: &'d dyn Chooser,
        secrets: &'d SecretFields,
    ) -> Self {
        let near = doc.root();
        Walker {
            doc,
            findings,
            found: Vec::new(),
            secrets: Vec::new(),
            hidden: Hidden::new(secrets),
            references: Vec::new(),
            path: Vec::new(),
            near,
            chooser,
            records: Vec::new(),
            meant: Vec::new(),
            strays: 0,
            errors: 0,
            reported: 0,
        }
    }

    pub(super) fn before(&self) -> Before {
        Before { reported: self.reported, retained: self.findings.0.len() }
    }

    /// Returns the findings since a checkpoint; `None` if some were only counted.
    pub(super) fn since(&self, before: Before) -> Option<&[Finding]> {
        let retained = &self.findings.0[before.retained..];
        (retained.len() == self.reported - before.reported).then_some(retained)
    }

    /// Validates a value and returns its node with shorthands expanded.
    pub fn value(&mut self, shape: &'static Shape, node: NodeId) -> NodeId {
        if *self.doc.value(node) == Value::Null {
            // A secret that starts with `!` is parsed as a tag with a null value.
            if shape.secret {
                self.secrets.push(self.doc.span(node));
            }
            if let Some(want) = &shape.must_be {
                if !want.is_null() {
                    self.complain(shape, node, Complaint::MustBe(want.clone()));
                }
            } else if shape.required {
                self.complain(shape, node, Complaint::Null);
            }
            return node;
        }
        // A vault reference is not itself secret.
        if shape.secret && !(shape.referenceable && self.doc.str(node).is_some_and(is_vault_reference)) {
            self.secrets.push(self.doc.span(node));
        }
        if let Some(want) = &shape.must_be
            && !self.equals(node, want)
        {
            self.complain(shape, node, Complaint::MustBe(want.clone()));
            return node;
        }
        let before = self.errors;
        let result = match &shape.kind {
            ShapeKind::Any => {
                self.hidden.value(self.doc, node);
                node
            }
            ShapeKind::Bool => {
                if !matches!(self.doc.value(node), Value::Bool(_)) {
                    self.complain(shape, node, Complaint::Type("boolean"));
                }
                node
            }
            ShapeKind::Text(text) => {
                let complaint = match self.doc.value(node) {
                    Value::Str(s) if shape.referenceable && is_vault_reference(s) => {
                        self.references.push(node);
                        None
                    }
                    Value::Str(s) => text.complaint(s),
                    _ => Some(Complaint::Type("string")),
                };
                if let Some(complaint) = complaint {
                    self.complain(shape, node, complaint);
                }
                node
            }
            ShapeKind::Number(number) => {
                let complaint = match *self.doc.value(node) {
                    Value::Int(i) => number.complaint(i as f64),
                    Value::Float(f) => number.complaint(f),
                    _ => Some(Complaint::Type(if number.integer { "integer" } else { "number" })),
                };
                if let Some(complaint) = complaint {
                    self.complain(shape, node, complaint);
                }
                node
            }
            ShapeKind::List(list) => self.list(shape, list, node),
            ShapeKind::Map(map) => self.map(shape, map, node),
            ShapeKind::Record(record) => match self.doc.value(node) {
                Value::Map(_) => self.record(record, Some(node)).unwrap_or(node),
                Value::Seq(items) if items.is_empty() => {
                    self.record(record, Some(node));
                    node
                }
                _ => {
                    self.complain(shape, node, Complaint::Type("record"));
                    node
                }
            },
            ShapeKind::Foreign(_) => {
                self.foreign(shape, node);
                node
            }
            ShapeKind::Children(kind, field) => {
                self.entities(shape, *kind, Some(*field), node);
                node
            }
        };
        if self.errors == before
            && let Some(refused) = &shape.must_not_be
            && self.equals(node, refused)
        {
            self.complain(shape, node, Complaint::MustNotBe(refused.clone()));
        }
        result
    }

    fn list(&mut self, shape: &'static Shape, list: &'static super::List, node: NodeId) -> NodeId {
        let len = match self.doc.value(node) {
            Value::Seq(items) => items.len(),
            Value::Map(entries) if entries.is_empty() => 0,
            _ => {
                self.complain(shape, node, Complaint::Type(if list.set { "set" } else { "array" }));
                return node;
            }
        };
        let before = self.errors;
        let mut changed: SmallVec<[(usize, NodeId); 4]> = SmallVec::new();
        for i in 0..len {
            let item = self.doc.items(node)[i];
            self.path.push(PathStep::Item(i + 1));
            let after = self.value(&list.item, item);
            self.path.pop();
            if after != item {
                changed.push((i, after));
            }
        }
        if self.errors == before
            && let Some(complaint) = list.complaint(self.doc, node, len)
        {
            self.complain(shape, node, complaint);
        }
        if changed.is_empty() {
            return node;
        }
        let mut items = self.doc.items(node).to_vec();
        for (i, after) in changed {
            items[i] = after;
        }
        let span = self.doc.span(node);
        self.doc.add(Value::Seq(items.into()), span)
    }

    /// Stops at the first invalid key or value, as Kong does.
    fn map(&mut self, shape: &'static Shape, map: &'static (Option<Shape>, Shape), node: NodeId) -> NodeId {
        let len = match self.doc.value(node) {
            Value::Map(entries) => entries.len(),
            Value::Seq(items) if items.is_empty() => 0,
            _ => {
                self.complain(shape, node, Complaint::Type("map"));
                return node;
            }
        };
        let before = self.errors;
        let mut changed: SmallVec<[(usize, NodeId); 4]> = SmallVec::new();
        for i in 0..len {
            let entry = self.doc.entries(node)[i];
            self.path.push(PathStep::Free(entry.key));
            if let Some(key) = &map.0 {
                self.value(key, entry.key);
            }
            if self.errors == before {
                let after = self.value(&map.1, entry.value);
                if after != entry.value {
                    changed.push((i, after));
                }
            }
            self.path.pop();
            if self.errors > before {
                self.hidden.value(self.doc, node);
                return node;
            }
        }
        self.with_values(node, &changed)
    }

    /// Copies a map with some values replaced.
    fn with_values(&mut self, node: NodeId, changed: &[(usize, NodeId)]) -> NodeId {
        if changed.is_empty() {
            return node;
        }
        let mut entries = self.doc.entries(node).to_vec();
        for &(i, after) in changed {
            entries[i].value = after;
        }
        let span = self.doc.span(node);
        self.doc.add(Value::Map(entries.into()), span)
    }

    /// Validates a record; `node` is `None` for an absent record that takes its defaults.
    pub fn record(&mut self, record: &'static Record, node: Option<NodeId>) -> Option<NodeId> {
        let before = self.before();
        let near = self.near;
        let (mut node, mut url) = (node, None);
        if let Some(written) = node {
            self.near = written;
            if !record.shorthands.is_empty() {
                url = self.url_entry(record, written);
                node = Some(self.expand(record, written));
            }
        }
        let mut slots: Slots = SmallVec::from_elem(None, record.fields.len());
        let mut unknown: SmallVec<[Entry; 4]> = SmallVec::new();
        if let Some(node) = node {
            for (i, entry) in self.doc.entries(node).iter().enumerate() {
                match self.doc.str(entry.key).and_then(|key| record.index.get(key)) {
                    Some(&field) => slots[field] = Some(i as u32),
                    None => unknown.push(*entry),
                }
            }
        }
        self.records.push((record, self.path.len()));
        // Unknown keys first, since the fields they stand for must not be reported as missing.
        let (later, unknown): (SmallVec<[Entry; 4]>, SmallVec<[Entry; 4]>) =
            unknown.into_iter().partition(|entry| self.follows_from_missing(record, node, entry.key));
        for entry in unknown {
            self.hide_name(record, entry);
            self.complain_of_unknown(record, node, entry);
        }
        let mut changed: SmallVec<[(usize, NodeId); 4]> = SmallVec::new();
        for ((name, shape), (slot, missed)) in record.fields.iter().zip(slots.iter().zip(&record.missed)) {
            match slot.zip(node) {
                Some((i, node)) => {
                    self.path.push(PathStep::Field(name));
                    let value = self.doc.entries(node)[i as usize].value;
                    let after = self.value(shape, value);
                    if after != value {
                        changed.push((i as usize, after));
                    }
                    self.path.pop();
                }
                None if *missed => {
                    self.path.push(PathStep::Field(name));
                    self.absent(shape);
                    self.path.pop();
                }
                None => {}
            }
        }
        for entry in later {
            self.hide_name(record, entry);
            self.complain_of_undecided(record, entry, before);
        }
        if let Some(url) = url {
            self.merge_url_errors(url, before);
        }
        if let Some(node) = &mut node {
            *node = self.with_values(*node, &changed);
        }
        self.across(record, node, &slots, before);
        if let Some(name) = record.custom.as_deref()
            && self.reported == before.reported
            && let Some(text) = self.chooser.custom(name, self, record, node, &[])
        {
            let span = self.span_of(self.near);
            self.push(span, self.segments(), "config/invalid-value", text.clone(), text, None);
        }
        self.records.pop();
        self.near = near;
        node
    }

    /// Reports an absent required field.
    fn absent(&mut self, shape: &'static Shape) {
        if let Some(want) = &shape.must_be {
            return self.complain(shape, self.near, Complaint::MustBe(want.clone()));
        }
        if let ShapeKind::Record(record) = &shape.kind {
            if !record.may_be_absent {
                self.record(record, None);
            }
            return;
        }
        if let (ShapeKind::Foreign(_), Some(PathStep::Field(field))) = (&shape.kind, self.path.last())
            && let Some(entity) = self.current()
            && entity.parent.is_some_and(|(_, parent_field)| parent_field == *field)
        {
            return;
        }
        self.complain(shape, self.near, Complaint::Missing);
    }

    pub(super) fn custom_check(
        &self,
        name: &str,
        record: &Record,
        node: Option<NodeId>,
        fields: &[Field],
    ) -> Option<String> {
        self.chooser.custom(name, self, record, node, fields)
    }

    /// Returns the current entity if the path ends in one of its own fields.
    fn current(&self) -> Option<&Found> {
        self.found.iter().rev().find(|f| f.node == self.near || f.data == self.near)
    }

    fn foreign(&mut self, shape: &'static Shape, node: NodeId) {
        match self.doc.value(node) {
            Value::Str(s) if s.is_empty() => self.complain(shape, node, Complaint::TooShort(1)),
            Value::Str(_) => {}
            Value::Map(_) => {
                let id = self.doc.get(node, "id");
                self.path.push(PathStep::Field("id"));
                match id.map(|id| (id, self.doc.str(id))) {
                    Some((_, Some(text))) if uuid::Uuid::try_parse(text).is_ok() => {}
                    Some((id, Some(_))) => self.complain(shape, id, Complaint::NoUuid),
                    Some((id, None)) if *self.doc.value(id) != Value::Null => {
                        self.complain(shape, id, Complaint::Type("string"));
                    }
                    _ => self.complain(shape, node, Complaint::NoKey),
                }
                self.path.pop();
            }
            _ => self.complain(shape, node, Complaint::Type("string")),
        }
    }

    /// Returns whether a node has a JSON value.
    pub(super) fn equals(&self, node: NodeId, want: &serde_json::Value) -> bool {
        use serde_json::Value as Json;
        match (self.doc.value(node), want) {
            (Value::Null, Json::Null) => true,
            (Value::Bool(a), Json::Bool(b)) => a == b,
            (Value::Str(a), Json::String(b)) => **a == **b,
            (Value::Int(a), Json::Number(b)) => b.as_f64() == Some(*a as f64),
            (Value::Float(a), Json::Number(b)) => b.as_f64() == Some(*a),
            _ => false,
        }
    }
}
