//! Depth-first validation of document nodes against a schema.

use smallvec::SmallVec;

use super::{
    CompiledSchema, RecordSchema, SchemaKind,
    messages::{Violation, is_vault_reference},
    unknown_keys::IntendedField,
};
use crate::secret::{Hidden, SecretFields};
use plugin::EntityRule;
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
pub struct EntityRef {
    /// Index of its kind in [`KINDS`](model::KINDS).
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
pub trait SchemaResolver {
    /// Returns the schema, or an error with the field it is about.
    ///
    /// # Errors
    /// If there is no schema for the entity.
    fn choose(&self, kind: usize, doc: &Document, node: NodeId)
    -> Result<&'static RecordSchema, SchemaError>;
    /// Returns the schema of a kind regardless of content; `None` for an unknown kind.
    fn kind(&self, kind: usize) -> Option<&'static RecordSchema>;
}

/// Reason why there is no schema for an entity.
#[derive(Debug)]
pub struct SchemaError {
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
pub struct Validator<'d> {
    /// The document; only new nodes are added.
    pub doc: &'d mut Document,
    /// Errors found.
    pub findings: &'d mut Findings,
    /// Entities, parents before children.
    pub found: Vec<EntityRef>,
    /// Spans of secrets.
    pub secrets: Vec<Span>,
    /// Spans of secrets outside any schema: unknown fields, values of the wrong type.
    pub hidden: Hidden<'d>,
    /// Vault references in referenceable fields.
    pub references: Vec<NodeId>,
    pub(super) path: Vec<PathStep>,
    /// Node to report when a value is absent.
    pub(super) near: NodeId,
    pub(super) resolver: &'d dyn SchemaResolver,
    /// Records on the current path, outermost first, with the path length at each.
    pub(super) records: Vec<(&'static RecordSchema, usize)>,
    /// Interpretations of unknown fields.
    pub(super) intended: Vec<IntendedField>,
    /// Nesting depth of unknown fields that are validated as the field they stand for.
    pub(super) stray_depth: usize,
    pub(super) errors: usize,
    /// Number of findings of any level, retained or only counted.
    pub(super) reported: usize,
}

/// Checkpoint of the number of findings.
#[derive(Clone, Copy)]
pub(super) struct Checkpoint {
    reported: usize,
    retained: usize,
}

impl Checkpoint {
    /// Number of retained findings at the checkpoint.
    pub(super) fn retained(self) -> usize {
        self.retained
    }
}

impl<'d> Validator<'d> {
    /// Creates a validator.
    pub fn new(
        doc: &'d mut Document,
        findings: &'d mut Findings,
        resolver: &'d dyn SchemaResolver,
        secrets: &'d SecretFields,
    ) -> Self {
        let near = doc.root();
        Validator {
            doc,
            findings,
            found: Vec::new(),
            secrets: Vec::new(),
            hidden: Hidden::new(secrets),
            references: Vec::new(),
            path: Vec::new(),
            near,
            resolver,
            records: Vec::new(),
            intended: Vec::new(),
            stray_depth: 0,
            errors: 0,
            reported: 0,
        }
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint { reported: self.reported, retained: self.findings.0.len() }
    }

    /// Returns the findings since a checkpoint; `None` if some were only counted.
    pub(super) fn since(&self, checkpoint: Checkpoint) -> Option<&[Finding]> {
        let retained = &self.findings.0[checkpoint.retained..];
        (retained.len() == self.reported - checkpoint.reported).then_some(retained)
    }

    /// Validates a value and returns its node with shorthands expanded.
    pub fn value(&mut self, schema: &'static CompiledSchema, node: NodeId) -> NodeId {
        if *self.doc.value(node) == Value::Null {
            // A secret that starts with `!` is parsed as a tag with a null value.
            if schema.secret {
                self.secrets.push(self.doc.span(node));
            }
            if let Some(want) = &schema.must_be {
                if !want.is_null() {
                    self.report_violation(schema, node, Violation::MustBe(want.clone()));
                }
            } else if schema.required {
                self.report_violation(schema, node, Violation::Null);
            }
            return node;
        }
        // A vault reference is not itself secret.
        if schema.secret && !(schema.referenceable && self.doc.str(node).is_some_and(is_vault_reference)) {
            self.secrets.push(self.doc.span(node));
        }
        if let Some(want) = &schema.must_be
            && !self.equals(node, want)
        {
            self.report_violation(schema, node, Violation::MustBe(want.clone()));
            return node;
        }
        let errors_before = self.errors;
        let result = match &schema.kind {
            SchemaKind::Any => {
                self.hidden.value(self.doc, node);
                node
            }
            SchemaKind::Bool => {
                if !matches!(self.doc.value(node), Value::Bool(_)) {
                    self.report_violation(schema, node, Violation::Type("boolean"));
                }
                node
            }
            SchemaKind::Text(text) => {
                let violation = match self.doc.value(node) {
                    Value::Str(s) if schema.referenceable && is_vault_reference(s) => {
                        self.references.push(node);
                        None
                    }
                    Value::Str(s) => text.violation(s),
                    _ => Some(Violation::Type("string")),
                };
                if let Some(violation) = violation {
                    self.report_violation(schema, node, violation);
                }
                node
            }
            SchemaKind::Number(number) => {
                let violation = match *self.doc.value(node) {
                    Value::Int(i) => number.violation(i as f64),
                    Value::Float(f) => number.violation(f),
                    _ => Some(Violation::Type(if number.integer { "integer" } else { "number" })),
                };
                if let Some(violation) = violation {
                    self.report_violation(schema, node, violation);
                }
                node
            }
            SchemaKind::List(list) => self.list(schema, list, node),
            SchemaKind::Map(map) => self.map(schema, map, node),
            SchemaKind::Record(record) => match self.doc.value(node) {
                Value::Map(_) => self.record(record, Some(node)).unwrap_or(node),
                Value::Seq(items) if items.is_empty() => {
                    self.record(record, Some(node));
                    node
                }
                _ => {
                    self.report_violation(schema, node, Violation::Type("record"));
                    node
                }
            },
            SchemaKind::Foreign(_) => {
                self.foreign(schema, node);
                node
            }
            SchemaKind::Children(kind, field) => {
                self.entities(schema, *kind, Some(*field), node);
                node
            }
        };
        if self.errors == errors_before
            && let Some(refused) = &schema.must_not_be
            && self.equals(node, refused)
        {
            self.report_violation(schema, node, Violation::MustNotBe(refused.clone()));
        }
        result
    }

    fn list(
        &mut self,
        schema: &'static CompiledSchema,
        list: &'static super::ListSchema,
        node: NodeId,
    ) -> NodeId {
        let len = match self.doc.value(node) {
            Value::Seq(items) => items.len(),
            Value::Map(entries) if entries.is_empty() => 0,
            _ => {
                self.report_violation(schema, node, Violation::Type(if list.set { "set" } else { "array" }));
                return node;
            }
        };
        let errors_before = self.errors;
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
        if self.errors == errors_before
            && let Some(violation) = list.violation(self.doc, node, len)
        {
            self.report_violation(schema, node, violation);
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
    fn map(
        &mut self,
        schema: &'static CompiledSchema,
        map: &'static (Option<CompiledSchema>, CompiledSchema),
        node: NodeId,
    ) -> NodeId {
        let len = match self.doc.value(node) {
            Value::Map(entries) => entries.len(),
            Value::Seq(items) if items.is_empty() => 0,
            _ => {
                self.report_violation(schema, node, Violation::Type("map"));
                return node;
            }
        };
        let errors_before = self.errors;
        let mut changed: SmallVec<[(usize, NodeId); 4]> = SmallVec::new();
        for i in 0..len {
            let entry = self.doc.entries(node)[i];
            self.path.push(PathStep::Free(entry.key));
            if let Some(key) = &map.0 {
                self.value(key, entry.key);
            }
            if self.errors == errors_before {
                let after = self.value(&map.1, entry.value);
                if after != entry.value {
                    changed.push((i, after));
                }
            }
            self.path.pop();
            if self.errors > errors_before {
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
    pub fn record(&mut self, record: &'static RecordSchema, node: Option<NodeId>) -> Option<NodeId> {
        let checkpoint = self.checkpoint();
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
            unknown.into_iter().partition(|entry| self.is_undecided_key(record, node, entry.key));
        for entry in unknown {
            self.mark_name_secret(record, entry);
            self.report_unknown_key(record, node, entry);
        }
        let mut changed: SmallVec<[(usize, NodeId); 4]> = SmallVec::new();
        for ((name, schema), (slot, absence_matters)) in
            record.fields.iter().zip(slots.iter().zip(&record.absence_matters))
        {
            match slot.zip(node) {
                Some((i, node)) => {
                    self.path.push(PathStep::Field(name));
                    let value = self.doc.entries(node)[i as usize].value;
                    let after = self.value(schema, value);
                    if after != value {
                        changed.push((i as usize, after));
                    }
                    self.path.pop();
                }
                None if *absence_matters => {
                    self.path.push(PathStep::Field(name));
                    self.absent(schema);
                    self.path.pop();
                }
                None => {}
            }
        }
        for entry in later {
            self.mark_name_secret(record, entry);
            self.report_undecided_key(record, entry, checkpoint);
        }
        if let Some(url) = url {
            self.merge_url_errors(url, checkpoint);
        }
        if let Some(node) = &mut node {
            *node = self.with_values(*node, &changed);
        }
        self.run_entity_checks(record, node, &slots, checkpoint);
        if let Some(function) = record.custom
            && self.reported == checkpoint.reported
            && let Some(text) = self.custom_check(function, record, node)
        {
            let span = self.span_of(self.near);
            self.push(span, self.segments(), "config/invalid-value", text.clone(), text, None);
        }
        self.records.pop();
        self.near = near;
        node
    }

    /// Reports an absent required field.
    fn absent(&mut self, schema: &'static CompiledSchema) {
        if let Some(want) = &schema.must_be {
            return self.report_violation(schema, self.near, Violation::MustBe(want.clone()));
        }
        if let SchemaKind::Record(record) = &schema.kind {
            if !record.may_be_absent {
                self.record(record, None);
            }
            return;
        }
        if let (SchemaKind::Foreign(_), Some(PathStep::Field(field))) = (&schema.kind, self.path.last())
            && let Some(entity) = self.current()
            && entity.parent.is_some_and(|(_, parent_field)| parent_field == *field)
        {
            return;
        }
        self.report_violation(schema, self.near, Violation::Missing);
    }

    /// Runs a custom check; returns Kong's error text, or `None` if it passes.
    pub(super) fn custom_check(
        &self,
        function: EntityRule,
        record: &RecordSchema,
        node: Option<NodeId>,
    ) -> Option<String> {
        function(&|field| match self.operand(record, node, field) {
            Operand::Node(n) => self.doc.str(n).map(str::to_owned),
            _ => None,
        })
    }

    /// Returns the current entity if the path ends in one of its own fields.
    fn current(&self) -> Option<&EntityRef> {
        self.found.iter().rev().find(|f| f.node == self.near || f.data == self.near)
    }

    fn foreign(&mut self, schema: &'static CompiledSchema, node: NodeId) {
        match self.doc.value(node) {
            Value::Str(s) if s.is_empty() => self.report_violation(schema, node, Violation::TooShort(1)),
            Value::Str(_) => {}
            Value::Map(_) => {
                let id = self.doc.get(node, "id");
                self.path.push(PathStep::Field("id"));
                match id.map(|id| (id, self.doc.str(id))) {
                    Some((_, Some(text))) if uuid::Uuid::try_parse(text).is_ok() => {}
                    Some((id, Some(_))) => self.report_violation(schema, id, Violation::NoUuid),
                    Some((id, None)) if *self.doc.value(id) != Value::Null => {
                        self.report_violation(schema, id, Violation::Type("string"));
                    }
                    _ => self.report_violation(schema, node, Violation::NoKey),
                }
                self.path.pop();
            }
            _ => self.report_violation(schema, node, Violation::Type("string")),
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
