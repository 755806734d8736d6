//! Validation of lists of entities, each against the schema of its kind.

use super::{
    CompiledSchema, EntityRef, PathStep, RecordSchema, SchemaError, SchemaKind, Validator,
    messages::Violation,
};
use crate::{nearest, secret};
use model::KINDS;
use source::{Entry, NodeId, Value};

impl Validator<'_> {
    /// Validates a list of entities, at top level (without parent field) or nested in the entity added last.
    pub fn entities(
        &mut self,
        schema: &'static CompiledSchema,
        kind: usize,
        field: Option<&'static str>,
        node: NodeId,
    ) {
        let len = match self.doc.value(node) {
            Value::Seq(items) => items.len(),
            Value::Map(entries) if entries.is_empty() => 0,
            _ => {
                self.mark_row_secret(kind, node);
                self.report_violation(schema, node, Violation::Type("array"));
                return;
            }
        };
        let parent = field.filter(|f| !f.is_empty()).and_then(|field| {
            Some((self.found.iter().rposition(|f| f.node == self.near || f.data == self.near)?, field))
        });
        for i in 0..len {
            let item = self.doc.items(node)[i];
            self.path.push(PathStep::Item(i + 1));
            self.entity(kind, parent, i + 1, item);
            self.path.pop();
        }
    }

    fn entity(&mut self, kind: usize, parent: Option<(usize, &'static str)>, index: usize, node: NodeId) {
        const ENTITY: &CompiledSchema = &CompiledSchema {
            kind: SchemaKind::Any,
            required: true,
            auto: false,
            default: None,
            err: None,
            referenceable: false,
            secret: false,
            must_be: None,
            must_not_be: None,
        };
        match self.doc.value(node) {
            Value::Map(_) => {}
            Value::Seq(items) if items.is_empty() => {}
            Value::Null => return self.report_violation(ENTITY, node, Violation::Null),
            _ => {
                self.mark_row_secret(kind, node);
                return self.report_violation(ENTITY, node, Violation::Type("record"));
            }
        }
        let number = self.found.len();
        let errors_before = self.errors;
        let stray = self.stray_depth > 0;
        self.found.push(EntityRef { kind, node, data: node, parent, index, clean: false, stray });
        match self.resolver.choose(kind, self.doc, node) {
            Ok(record) => {
                let data = self.record(record, Some(node)).unwrap_or(node);
                self.found[number].data = data;
                self.found[number].clean = self.errors == errors_before && !stray;
            }
            Err(refusal) => self.refuse(kind, node, refusal),
        }
    }

    /// Validates entities that the gateway does not load, such as the plugins of a consumer group. Errors are
    /// reported, but not in the admin API's response.
    pub fn validate_unloaded(&mut self, kind: usize, path: &[PathStep], node: NodeId) {
        let (first, known) = (self.findings.0.len(), self.found.len());
        self.path.extend_from_slice(path);
        self.stray_depth += 1;
        self.entity(kind, None, 1, node);
        self.stray_depth -= 1;
        self.path.truncate(self.path.len() - path.len());
        self.found.truncate(known);
        for finding in &mut self.findings.0[first..] {
            finding.kong_errors.clear();
            finding.implied_errors.clear();
        }
    }

    /// Records a scalar in place of an entity with secrets, or of a list of them, as secret.
    fn mark_row_secret(&mut self, kind: usize, node: NodeId) {
        if secret::holds_secrets(KINDS[kind].key) {
            self.secrets.push(self.doc.span(node));
        }
    }

    /// Records an unknown name without a value as secret if the record has a secret field: it is most likely that
    /// secret.
    pub(super) fn mark_name_secret(&mut self, record: &RecordSchema, entry: Entry) {
        if *self.doc.value(entry.value) == Value::Null
            && record.may_conceal_secret(None)
            && nearest(&self.doc.key_text(entry.key), record.names()).is_none()
        {
            self.secrets.push(self.doc.span(entry.key));
        }
    }

    fn refuse(&mut self, kind: usize, node: NodeId, refusal: SchemaError) {
        self.path.push(PathStep::Field(refusal.field));
        if !self.count_if_full() {
            let place = self.doc.get(node, refusal.field).unwrap_or(node);
            let span = self.span_of(place);
            let segments = self.segments();
            let near = refusal.unknown.and_then(|(word, known)| nearest(&word, known.iter().copied()));
            let help = near.map(|near| format!("did you mean `{near}`?")).or(refusal.help);
            self.push(span, segments, refusal.code, refusal.message, refusal.text, help);
        }
        self.path.pop();
        for i in 0..self.doc.entries(node).len() {
            let Entry { key, value } = self.doc.entries(node)[i];
            if !KINDS[kind].children().iter().any(|child| self.doc.str(key) == Some(child.kind)) {
                self.hidden.entry(self.doc, key, value);
            }
        }
        // Nested entities are validated nonetheless.
        let near = std::mem::replace(&mut self.near, node);
        for child in KINDS[kind].children() {
            if let Some(list) = self.doc.get(node, child.kind)
                && let Some(child_kind) = model::KindInfo::number(child.kind)
            {
                static LIST: std::sync::LazyLock<CompiledSchema> =
                    std::sync::LazyLock::new(|| CompiledSchema::of(SchemaKind::Any));
                self.path.push(PathStep::Field(child.kind));
                self.entities(&LIST, child_kind, Some(child.field), list);
                self.path.pop();
            }
        }
        self.near = near;
    }
}
