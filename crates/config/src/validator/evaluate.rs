//! Evaluation of entity checks: rules across the fields of a record.

use serde_json::Value as Json;
use smallvec::SmallVec;

use super::{
    CompiledSchema, Operand, RecordSchema, SchemaKind, Validator,
    entity_checks::{Check, Field, Group, Match},
    messages::{Violation, describe, is_vault_reference, quote},
    validate::{Checkpoint, Slots},
};
use source::{ErrorPathSegment, Finding, Level, NodeId, Value};

/// View of a record during entity checks.
#[derive(Clone, Copy)]
struct RecordView<'r> {
    record: &'r RecordSchema,
    node: Option<NodeId>,
    slots: &'r Slots,
}

impl Validator<'_> {
    /// Evaluates a record's entity checks; `checkpoint` is the checkpoint taken when the record was entered.
    pub(super) fn run_entity_checks(
        &mut self,
        record: &'static RecordSchema,
        node: Option<NodeId>,
        slots: &Slots,
        checkpoint: Checkpoint,
    ) {
        let view = RecordView { record, node, slots };
        for check in &record.checks {
            match check {
                Check::Group(group, fields) => {
                    if !self.is_undecidable(view, fields, checkpoint) {
                        self.group(*group, fields, view, checkpoint);
                    }
                }
                Check::Condition { if_field, if_match, then_field, then_match, err } => {
                    let condition = self.field(view, if_field);
                    if !self.matches(condition, if_match)
                        || self.is_undecidable(view, [if_field, then_field], checkpoint)
                    {
                        continue;
                    }
                    let then = self.field(view, then_field);
                    if let Some(violation) = then_match.iter().find_map(|m| self.violation_of(then, m)) {
                        self.condition_failed(
                            if_field,
                            condition,
                            then_field,
                            then,
                            &violation,
                            err.as_deref(),
                        );
                    }
                }
                Check::NeedsOne { if_field, branches } => {
                    let condition = self.field(view, if_field);
                    let Some(branch) = branches.iter().find(|b| self.matches(condition, &b.when)) else {
                        continue;
                    };
                    if self.is_undecidable(view, branch.fields.iter().chain([if_field]), checkpoint)
                        || branch.fields.iter().any(|f| !self.is_empty(self.field(view, f)))
                    {
                        continue;
                    }
                    let names = quote(&branch.fields);
                    let text = match &branch.err {
                        Some(err) => err.replacen("%s", &names, 1),
                        None => format!("at least one of these fields must be non-empty: {names}"),
                    };
                    if self.is_entity_consequence(&text, &branch.fields, checkpoint) {
                        continue;
                    }
                    self.entity_error("config/needs-one-of", text.clone(), text);
                }
                Check::Custom { function, fields, always } => {
                    let missing = fields.iter().all(|f| self.is_empty(self.field(view, f)));
                    if !always && (missing || self.is_undecidable(view, fields, checkpoint)) {
                        continue;
                    }
                    if let Some(text) = self.custom_check(*function, record, node) {
                        self.entity_error("config/invalid-entity", text.clone(), text);
                    }
                }
            }
        }
    }

    /// Returns whether a check cannot be evaluated because a field is already invalid, or its value is a vault
    /// reference.
    fn is_undecidable<'f>(
        &self,
        view: RecordView<'_>,
        fields: impl IntoIterator<Item = &'f Field>,
        checkpoint: Checkpoint,
    ) -> bool {
        // If errors were only counted, the affected fields are unknown.
        let Some(found) = self.since(checkpoint) else { return true };
        if found.is_empty() && !view.record.may_contain_reference {
            return false;
        }
        let depth = if found.is_empty() { 0 } else { self.segments().len() };
        fields.into_iter().any(|field| {
            let wrong = found.iter().flat_map(|f| &f.kong_errors).any(|(path, _)| {
                let mut rest = path.get(depth..).unwrap_or_default().iter();
                field
                    .split('.')
                    .all(|part| matches!(rest.next(), Some(ErrorPathSegment::Key(key)) if key == part))
            });
            wrong || view.record.may_contain_reference && self.is_reference(view, field)
        })
    }

    fn is_reference(&self, view: RecordView<'_>, field: &Field) -> bool {
        let Operand::Node(value) = self.field(view, field) else { return false };
        self.doc.str(value).is_some_and(is_vault_reference)
            && schema_at(view.record, field).is_some_and(|s| s.referenceable)
    }

    /// Returns the value of a field that a check refers to.
    fn field<'r>(&self, view: RecordView<'r>, field: &Field) -> Operand<'r> {
        let Some(number) = field.number else { return self.operand(view.record, view.node, field) };
        let entry = view.slots[number].zip(view.node);
        let value = entry.map(|(i, node)| self.doc.entries(node)[i as usize].value);
        self.plain_operand(&view.record.fields[number].1, field, value)
    }

    fn plain_operand<'r>(
        &self,
        schema: &'r CompiledSchema,
        name: &str,
        value: Option<NodeId>,
    ) -> Operand<'r> {
        match value {
            Some(n) if *self.doc.value(n) == Value::Null => Operand::Null,
            Some(n) => Operand::Node(n),
            None if self.is_given_by_parent(schema, name) => Operand::Node(self.near),
            None => schema.default.as_ref().map_or(Operand::Null, Operand::Default),
        }
    }

    /// Returns the value of a dotted field of a record.
    pub fn operand<'r>(&self, record: &'r RecordSchema, node: Option<NodeId>, path: &str) -> Operand<'r> {
        let (first, rest) = step(path);
        let Some(schema) = record.field(first) else { return Operand::Missing };
        let value = node.and_then(|n| self.doc.get(n, first));
        let Some(rest) = rest else { return self.plain_operand(schema, first, value) };
        let SchemaKind::Record(inner) = &schema.kind else { return Operand::Missing };
        match value {
            Some(n) if *self.doc.value(n) != Value::Null => self.operand(inner, Some(n), rest),
            None if schema.required => self.operand(inner, None, rest),
            _ => Operand::Missing,
        }
    }

    fn is_given_by_parent(&self, schema: &CompiledSchema, field: &str) -> bool {
        matches!(schema.kind, SchemaKind::Foreign(_))
            && self
                .found
                .iter()
                .rev()
                .find(|f| f.node == self.near)
                .is_some_and(|f| f.parent.is_some_and(|(_, parent)| parent == field))
    }

    /// Returns whether a value counts as unset: null, absent, or an empty container. False and 0 are set.
    pub fn is_empty(&self, operand: Operand<'_>) -> bool {
        match operand {
            Operand::Missing | Operand::Null => true,
            Operand::Node(n) => match self.doc.value(n) {
                Value::Null => true,
                Value::Str(s) => s.is_empty(),
                Value::Seq(items) => items.is_empty(),
                Value::Map(entries) => entries.is_empty(),
                _ => false,
            },
            Operand::Default(json) => match json {
                Json::Null => true,
                Json::String(s) => s.is_empty(),
                Json::Array(items) => items.is_empty(),
                Json::Object(map) => map.is_empty(),
                _ => false,
            },
        }
    }

    fn group(&mut self, group: Group, fields: &[Field], view: RecordView<'_>, checkpoint: Checkpoint) {
        let set: SmallVec<[Operand<'_>; 8]> =
            fields.iter().map(|f| self.field(view, f)).filter(|v| !self.is_empty(*v)).collect();
        let fine = match group {
            Group::AtLeastOneOf => !set.is_empty(),
            Group::OnlyOneOf => set.len() == 1,
            Group::AtMostOneOf => set.len() <= 1,
            Group::AllOrNoneOf => set.is_empty() || set.len() == fields.len(),
            Group::Distinct => {
                let values: Vec<Json> = set.iter().filter_map(|v| self.json(*v)).collect();
                values.iter().enumerate().all(|(i, v)| !values[..i].contains(v))
            }
        };
        if fine {
            return;
        }
        let names = quote(fields);
        let (text, message) = match group {
            Group::AtLeastOneOf => (
                format!("at least one of these fields must be non-empty: {names}"),
                format!("one of {names} is needed"),
            ),
            Group::OnlyOneOf => (
                format!("exactly one of these fields must be non-empty: {names}"),
                format!("exactly one of {names} must be set"),
            ),
            Group::AtMostOneOf => (
                format!("only one or none of these fields must be set: {names}"),
                format!("only one of {names} may be set"),
            ),
            Group::AllOrNoneOf => (
                format!("all or none of these fields must be set: {names}"),
                format!("{names} belong together: set all of them or none"),
            ),
            Group::Distinct => (
                format!("values of these fields must be distinct: {names}"),
                format!("{names} must have different values"),
            ),
        };
        let lacks = match group {
            Group::AtLeastOneOf | Group::OnlyOneOf => set.is_empty(),
            Group::AllOrNoneOf => true,
            Group::AtMostOneOf | Group::Distinct => false,
        };
        if lacks && self.is_entity_consequence(&text, fields, checkpoint) {
            return;
        }
        self.entity_error("config/needs-one-of", message, text);
    }

    /// Returns whether an error about missing fields of a record is a consequence of an unknown field, or of an
    /// error in their parent record. If so, it is attached to that finding.
    fn is_entity_consequence(&mut self, text: &str, fields: &[Field], checkpoint: Checkpoint) -> bool {
        let nothing_yet = self.since(checkpoint).is_some_and(<[Finding]>::is_empty);
        if self.intended.is_empty() && nothing_yet {
            return false;
        }
        let mut whole = self.segments();
        let depth = whole.len();
        let paths: Vec<Vec<ErrorPathSegment>> = fields.iter().map(|field| self.absolute(field)).collect();
        whole.push(ErrorPathSegment::Entity);
        let around = |finding: &&mut Finding| {
            let mut wrong =
                finding.kong_errors.iter().map(|(path, _)| path).filter(|path| path.len() > depth);
            finding.level == Level::Error
                && wrong.any(|wrong| paths.iter().any(|p| p.len() > wrong.len() && p.starts_with(wrong)))
        };
        if let Some(cause) = self.findings.0[checkpoint.retained()..].iter_mut().find(around) {
            cause.implied_errors.push((whole, text.to_owned()));
            return true;
        }
        self.is_consequence_at(whole, text.to_owned(), paths)
    }

    /// Converts a dotted path of the current record to a path from the root.
    fn absolute(&self, field: &str) -> Vec<ErrorPathSegment> {
        let mut path = self.segments();
        path.extend(field.split('.').map(|part| ErrorPathSegment::Key(part.to_owned())));
        path
    }

    fn json(&self, operand: Operand<'_>) -> Option<Json> {
        match operand {
            Operand::Missing => None,
            Operand::Null => Some(Json::Null),
            Operand::Node(n) => Some(self.doc.to_json(n)),
            Operand::Default(json) => Some(json.clone()),
        }
    }

    /// Returns whether a condition is met. Null meets every condition except `Is` with another value.
    fn matches(&self, operand: Operand<'_>, condition: &Match) -> bool {
        match operand {
            Operand::Missing => false,
            Operand::Null => {
                !matches!(condition, Match::Eq(v) if !v.is_null()) && !matches!(condition, Match::Contains(_))
            }
            // Fast path for the common conditions, which builds no violation.
            _ => match condition {
                Match::In(values) => values.iter().any(|v| self.is(operand, v)),
                Match::NotIn(values) => !values.iter().any(|v| self.is(operand, v)),
                _ => self.violation_of(operand, condition).is_none(),
            },
        }
    }

    fn is(&self, operand: Operand<'_>, value: &Json) -> bool {
        match operand {
            Operand::Node(n) => self.equals(n, value),
            Operand::Default(default) => default == value,
            Operand::Missing | Operand::Null => false,
        }
    }

    /// Returns the violation if a value does not match.
    fn violation_of(&self, operand: Operand<'_>, wanted: &Match) -> Option<Violation> {
        if matches!(operand, Operand::Missing | Operand::Null) {
            return match wanted {
                Match::Required => Some(Violation::Missing),
                Match::Eq(v) if !v.is_null() => Some(Violation::MustBe(v.clone())),
                _ => None,
            };
        }
        let is = |v: &Json| self.is(operand, v);
        let each = |allowed: &dyn Fn(&str) -> bool| match operand {
            Operand::Node(n) => self.doc.items(n).iter().all(|&i| self.doc.str(i).is_none_or(allowed)),
            Operand::Default(Json::Array(items)) => items.iter().all(|i| i.as_str().is_none_or(allowed)),
            _ => true,
        };
        let listed = |values: &[Json], s: &str| values.iter().any(|v| v.as_str() == Some(s));
        let texts = |values: &[Json]| {
            values.iter().map(|v| v.as_str().map_or(v.to_string(), str::to_owned)).collect()
        };
        let fine = match wanted {
            Match::Required => true,
            Match::Rule(rule) => {
                let text = match operand {
                    Operand::Node(n) => self.doc.str(n),
                    Operand::Default(d) => d.as_str(),
                    _ => None,
                };
                return text.and_then(|t| rule(t).err()).map(Violation::Said);
            }
            Match::In(values) => {
                if values.iter().any(is) {
                    return None;
                }
                let got =
                    self.json(operand).map_or(String::new(), |v| v.as_str().unwrap_or_default().to_owned());
                return Some(Violation::OneOf(texts(values), got));
            }
            Match::NotIn(values) => {
                return values.iter().any(is).then(|| Violation::NotOneOf(texts(values)));
            }
            Match::EachIn(values) => each(&|s| listed(values, s)),
            Match::EachNotIn(values) => each(&|s| !listed(values, s)),
            Match::Eq(v) => return (!is(v)).then(|| Violation::MustBe(v.clone())),
            Match::Ne(v) => return is(v).then(|| Violation::MustNotBe(v.clone())),
            Match::Above(limit) => {
                let n = self.json(operand).and_then(|v| v.as_f64()).unwrap_or(f64::NAN);
                n > *limit
            }
            Match::Contains(v) => {
                let found = match operand {
                    Operand::Node(n) => self.doc.items(n).iter().any(|&i| self.equals(i, v)),
                    Operand::Default(Json::Array(items)) => items.contains(v),
                    _ => false,
                };
                let name = || v.as_str().map_or_else(|| v.to_string(), str::to_owned);
                return (!found).then(|| Violation::Contains(name()));
            }
            Match::Length(length) => {
                let got = match operand {
                    Operand::Node(n) => match self.doc.value(n) {
                        Value::Str(s) => s.len(),
                        _ => self.doc.items(n).len(),
                    },
                    Operand::Default(Json::Array(items)) => items.len(),
                    _ => *length,
                };
                return (got != *length).then_some(Violation::Length(*length));
            }
        };
        (!fine).then(|| Violation::Said("failed validating".to_owned()))
    }

    fn condition_failed(
        &mut self,
        if_field: &str,
        condition: Operand<'_>,
        then_field: &str,
        then: Operand<'_>,
        violation: &Violation,
        err: Option<&str>,
    ) {
        let entity = err.map_or_else(
            || format!("failed conditional validation given value of field '{if_field}'"),
            str::to_owned,
        );
        let because = match self.json(condition) {
            Some(Json::String(s)) => format!("because `{if_field}` is {s}"),
            Some(Json::Array(items)) => {
                let texts: Vec<_> = items.iter().filter_map(Json::as_str).collect();
                format!("because `{if_field}` is {}", texts.join(", "))
            }
            Some(other) => format!("because `{if_field}` is {other}"),
            None => format!("because of `{if_field}`"),
        };
        let found = match then {
            Operand::Node(n) => describe(self.doc.value(n)),
            _ => "nothing",
        };
        let message = format!("{}, {because}", violation.message(&format!("`{then_field}`"), found));
        let field = self.absolute(then_field);
        let mut whole = self.segments();
        whole.push(ErrorPathSegment::Entity);
        if matches!(violation, Violation::Missing)
            && self.is_consequence_at(field.clone(), violation.text(), [field.clone()])
        {
            self.is_consequence_at(whole, entity, [field]);
            return;
        }
        let span = match then {
            Operand::Node(n) => self.span_of_field(then_field, n),
            _ => match condition {
                Operand::Node(n) => self.span_of(n),
                _ => self.span_of(self.near),
            },
        };
        let path = match self.path_text() {
            p if p.is_empty() => then_field.to_owned(),
            p => format!("{p}.{then_field}"),
        };
        let mut finding = Finding::error("config/conflict", message)
            .at(span, "")
            .path(path)
            .kong_error(field, violation.text())
            .kong_error(whole, entity);
        if let Operand::Node(node) = then {
            finding.help = self.refusal_help(node, violation);
        }
        self.report(finding);
    }

    /// Reports an error about the record as a whole.
    pub(super) fn entity_error(&mut self, code: &'static str, message: String, text: String) {
        let mut segments = self.segments();
        segments.push(ErrorPathSegment::Entity);
        let span = self.span_of(self.near);
        self.push(span, segments, code, message, text, None);
    }
}

/// Splits a dotted path at its first dot.
fn step(path: &str) -> (&str, Option<&str>) {
    match path.bytes().position(|b| b == b'.') {
        Some(dot) => (&path[..dot], Some(&path[dot + 1..])),
        None => (path, None),
    }
}

fn schema_at<'r>(record: &'r RecordSchema, path: &str) -> Option<&'r CompiledSchema> {
    let (first, rest) = step(path);
    let schema = record.field(first)?;
    match (rest, &schema.kind) {
        (None, _) => Some(schema),
        (Some(rest), SchemaKind::Record(inner)) => schema_at(inner, rest),
        _ => None,
    }
}
