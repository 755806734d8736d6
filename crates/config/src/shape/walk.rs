//! Walking a document's nodes along a shape.

use smallvec::SmallVec;

use super::{
    Field, Record, Shape, ShapeKind,
    explain::{Complaint, is_vault_reference},
    unknown::Meant,
};
use crate::secret::{Hidden, SecretFields};
use source::{Document, Entry, Finding, Findings, NodeId, Span, Value};

/// One step from the root of the document to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// Into a field.
    Field(&'static str),
    /// Into an item, counted from 1.
    Item(usize),
    /// Into an entry of a map with free keys; the admin API's error tree leaves it out.
    Free(NodeId),
}

/// An entity met on the way.
#[derive(Clone, Debug)]
pub struct Found {
    /// Number of its kind in [`KINDS`].
    pub kind: usize,
    /// Where it was written.
    pub node: NodeId,
    /// The same with shorthands expanded; equal to `node` where there are none.
    pub data: NodeId,
    /// The entity it stands in: its number among those found, and the field that refers to it.
    pub parent: Option<(usize, &'static str)>,
    /// Place in its list, from 1.
    pub index: usize,
    /// Whether nothing was wrong with it.
    pub clean: bool,
    /// Whether it stands under a misspelt name, where Kong does not look.
    pub stray: bool,
}

/// Chooses the shape of an entity, which may depend on its content (a plugin's name, a route's protocols).
pub trait Chooser {
    /// The shape, or a complaint and the field it is about.
    ///
    /// # Errors
    /// When there is no shape for such an entity.
    fn choose(&self, kind: usize, doc: &Document, node: NodeId) -> Result<&'static Record, Refusal>;
    /// What entities of a kind may hold, whatever their content; `None` for a number that is none.
    fn kind(&self, kind: usize) -> Option<&'static Record>;
    /// Rule for a record as a whole; none if there is nothing to say.
    fn custom(
        &self,
        name: &str,
        walker: &Walker<'_>,
        record: &Record,
        node: Option<NodeId>,
        fields: &[Field],
    ) -> Option<String>;
}

/// Why there is no shape for an entity.
#[derive(Debug)]
pub struct Refusal {
    /// The field that decides.
    pub field: &'static str,
    /// Stable code.
    pub code: &'static str,
    /// Text of the admin API.
    pub text: String,
    /// Plain words.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// The word that is not known, and those it may be a misspelling of: compared only where a finding is made.
    pub unknown: Option<(String, &'static [&'static str])>,
}

/// The value of a field as rules across fields see it.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a> {
    /// Not there, and no default.
    Missing,
    /// Null.
    Null,
    /// Written.
    Node(NodeId),
    /// The default of an absent field.
    Default(&'a serde_json::Value),
}

/// Of each field of a record, the number of its entry in the map at hand.
pub(super) type Slots = SmallVec<[Option<u32>; 32]>;

/// A walk over one document.
pub struct Walker<'d> {
    /// The document; only new nodes are added.
    pub doc: &'d mut Document,
    /// What was found wrong.
    pub findings: &'d mut Findings,
    /// Entities, parents before their children.
    pub found: Vec<Found>,
    /// Places of values that must not be shown.
    pub secrets: Vec<Span>,
    /// Places of secrets in what has no shape: unknown fields, values of another type than wanted.
    pub hidden: Hidden<'d>,
    /// Texts that refer into a vault, where that is possible.
    pub references: Vec<NodeId>,
    pub(super) path: Vec<PathStep>,
    /// Node to point at when a value is absent.
    pub(super) near: NodeId,
    pub(super) chooser: &'d dyn Chooser,
    /// The records being walked, the outermost first, and the length of the path at each.
    pub(super) records: Vec<(&'static Record, usize)>,
    /// What unknown fields most likely stand for.
    pub(super) meant: Vec<Meant>,
    /// How many unknown fields are being walked as the ones they stand for.
    pub(super) strays: usize,
    pub(super) errors: usize,
    /// Findings of any level, retained or only counted.
    pub(super) reported: usize,
}

/// How many findings there were at some time.
#[derive(Clone, Copy)]
pub(super) struct Before {
    reported: usize,
    retained: usize,
}

impl Before {
    /// How many findings were retained.
    pub(super) fn retained(self) -> usize {
        self.retained
    }
}

impl<'d> Walker<'d> {
    /// A walk that has not begun.
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

    /// The findings since that are retained; `None` if some are not.
    pub(super) fn since(&self, before: Before) -> Option<&[Finding]> {
        let retained = &self.findings.0[before.retained..];
        (retained.len() == self.reported - before.reported).then_some(retained)
    }

    /// Checks a value and returns the node that holds it with shorthands expanded.
    pub fn value(&mut self, shape: &'static Shape, node: NodeId) -> NodeId {
        if *self.doc.value(node) == Value::Null {
            // A secret that begins with `!` is a tag, and its value null.
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
        // A reference names a secret and is none.
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

    /// Stops at the first bad key or value, as the format does.
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

    /// A copy of a map with some values replaced.
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

    /// Checks a record; `node` is none for one that is absent and stands for its defaults.
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
        // First, since what these stand for is not missing.
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

    /// Complains about an absent field that is missed, if that is an error.
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

    /// The entity being walked, if the path ends in one of its own fields.
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

    /// Whether a node holds that value.
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
