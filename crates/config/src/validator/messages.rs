//! Messages of schema violations: Kong's exact text, and a plain message.

use super::{CompiledSchema, ListSchema, NumberSchema, PathStep, StringSchema, Validator};
use source::{Document, NodeId, Value};

/// Violation of a schema by a value.
#[derive(Debug)]
pub(super) enum Violation {
    Missing,
    Null,
    Type(&'static str),
    MustBe(serde_json::Value),
    MustNotBe(serde_json::Value),
    OneOf(Vec<String>, String),
    NotOneOf(Vec<String>),
    Between(f64, f64),
    AtLeast(f64),
    AtMost(f64),
    Above(f64),
    NoTimestamp,
    NoUuid,
    NoKey,
    Length(usize),
    TooShort(usize),
    TooLong(usize),
    Exclusive(String),
    Contains(String),
    /// Text returned by a rule.
    Said(String),
}

/// Returns whether a text is a vault reference, judged by its prefix and suffix only.
pub(crate) fn is_vault_reference(text: &str) -> bool {
    text.starts_with("{vault://") && text.ends_with('}')
}

impl StringSchema {
    pub(super) fn violation(&self, text: &str) -> Option<Violation> {
        if self.not_one_of.iter().any(|v| **v == *text) {
            return Some(Violation::NotOneOf(strings(&self.not_one_of)));
        }
        if let Some(values) = &self.one_of
            && !values.iter().any(|v| **v == *text)
        {
            return Some(Violation::OneOf(strings(values), text.to_owned()));
        }
        if self.uuid && !is_uuid(text) {
            return Some(Violation::NoUuid);
        }
        if let Some(length) = self.length.filter(|n| *n != text.len()) {
            return Some(Violation::Length(length));
        }
        if text.len() < self.min {
            return Some(Violation::TooShort(self.min));
        }
        if let Some(max) = self.max.filter(|n| *n < text.len()) {
            return Some(Violation::TooLong(max));
        }
        if let Some((_, err)) = self.none_of.iter().find(|(regex, _)| regex.is_match(text)) {
            let reason_text = err.as_deref().map_or_else(|| format!("invalid value: {text}"), str::to_owned);
            return Some(Violation::Said(reason_text));
        }
        if self.pattern.as_ref().is_some_and(|p| !p.is_match(text)) {
            return Some(Violation::Said(format!("invalid value: {text}")));
        }
        self.rules.iter().find_map(|rule| rule(text).err()).map(Violation::Said)
    }
}

fn strings(values: &[Box<str>]) -> Vec<String> {
    values.iter().map(|v| v.to_string()).collect()
}

/// Five groups of hex digits, of any UUID version.
fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

impl NumberSchema {
    pub(super) fn violation(&self, n: f64) -> Option<Violation> {
        if self.integer && (n.fract() != 0.0 || !n.is_finite()) {
            return Some(Violation::Type("integer"));
        }
        if let Some(values) = &self.one_of
            && !values.contains(&n)
        {
            return Some(Violation::OneOf(values.iter().map(|v| v.to_string()).collect(), n.to_string()));
        }
        if let Some(limit) = self.above.filter(|limit| n <= *limit) {
            return Some(Violation::Above(limit));
        }
        if self.timestamp && n <= 0.0 {
            return Some(Violation::NoTimestamp);
        }
        match (self.min, self.max) {
            (Some(min), Some(max)) if n < min || n > max => Some(Violation::Between(min, max)),
            (Some(min), None) if n < min => Some(Violation::AtLeast(min)),
            (None, Some(max)) if n > max => Some(Violation::AtMost(max)),
            _ => None,
        }
    }
}

impl ListSchema {
    pub(super) fn violation(&self, doc: &Document, node: NodeId, len: usize) -> Option<Violation> {
        if let Some(length) = self.length.filter(|n| *n != len) {
            return Some(Violation::Length(length));
        }
        if let Some(min) = self.min.filter(|n| len < *n) {
            return Some(Violation::TooShort(min));
        }
        if let Some(max) = self.max.filter(|n| len > *n) {
            return Some(Violation::TooLong(max));
        }
        let holds = |value: &str| doc.items(node).iter().any(|&item| doc.str(item) == Some(value));
        if let Some(wanted) = self.contains.as_deref().filter(|wanted| !holds(wanted)) {
            return Some(Violation::Contains(wanted.to_owned()));
        }
        if !self.exclusive.is_empty() {
            let met: Vec<_> = self.exclusive.iter().filter(|set| set.iter().any(|v| holds(v))).collect();
            if met.len() > 1 {
                let quoted = |set: &&Vec<Box<str>>| format!("({})", quote(set));
                return Some(Violation::Exclusive(met.iter().map(quoted).collect::<Vec<_>>().join(", ")));
            }
        }
        None
    }
}

/// Formats `'a', 'b'`.
pub(super) fn quote<S: AsRef<str>>(names: &[S]) -> String {
    names.iter().map(|n| format!("'{}'", n.as_ref())).collect::<Vec<_>>().join(", ")
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

impl Violation {
    fn code(&self) -> &'static str {
        match self {
            Violation::Missing | Violation::Null | Violation::NoKey => "config/missing-field",
            Violation::Type(_) => "config/wrong-type",
            Violation::OneOf(..) | Violation::NotOneOf(_) => "config/not-allowed",
            Violation::MustBe(_) | Violation::MustNotBe(_) => "config/conflict",
            Violation::Between(..) | Violation::AtLeast(_) | Violation::AtMost(_) | Violation::Above(_) => {
                "config/out-of-range"
            }
            Violation::Length(_) | Violation::TooShort(_) | Violation::TooLong(_) => "config/bad-length",
            Violation::NoTimestamp | Violation::NoUuid | Violation::Said(_) => "config/invalid-value",
            Violation::Exclusive(_) | Violation::Contains(_) => "config/conflict",
        }
    }

    /// Returns Kong's error text.
    pub(super) fn text(&self) -> String {
        match self {
            Violation::Missing | Violation::Null => "required field missing".to_owned(),
            Violation::Type(name) => {
                let article = if name.starts_with(['a', 'i']) { "an" } else { "a" };
                format!("expected {article} {name}")
            }
            Violation::MustBe(v) => format!("value must be {}", plain(v)),
            Violation::MustNotBe(v) => format!("value must not be {}", plain(v)),
            Violation::OneOf(values, _) => format!("expected one of: {}", values.join(", ")),
            Violation::NotOneOf(values) => format!("must not be one of: {}", values.join(", ")),
            Violation::Between(min, max) => format!("value should be between {min} and {max}"),
            Violation::AtLeast(min) => format!("value should be at least {min}"),
            Violation::AtMost(max) => format!("value should be at most {max}"),
            Violation::Above(limit) => format!("value must be greater than {limit}"),
            Violation::NoTimestamp => "expected a valid timestamp".to_owned(),
            Violation::NoUuid => "expected a valid UUID".to_owned(),
            Violation::NoKey => "missing primary key".to_owned(),
            Violation::Length(n) => format!("length must be {n}"),
            Violation::TooShort(n) => format!("length must be at least {n}"),
            Violation::TooLong(n) => format!("length must be at most {n}"),
            Violation::Exclusive(sets) => format!("these sets are mutually exclusive: {sets}"),
            Violation::Contains(value) => format!("expected to contain: {value}"),
            Violation::Said(text) => text.clone(),
        }
    }

    /// Returns the plain message for a field.
    pub(super) fn message(&self, field: &str, found: &str) -> String {
        match self {
            Violation::Missing => format!("{field} is missing"),
            Violation::Null => format!("{field} must not be null"),
            Violation::NoKey => format!("{field} needs an `id`"),
            Violation::Type(name) => {
                let wanted = match *name {
                    "string" => "a text",
                    "integer" => "a whole number",
                    "number" => "a number",
                    "boolean" => "true or false",
                    "array" | "set" => "a list",
                    _ => "a map",
                };
                format!("{field} must be {wanted}, found {found}")
            }
            Violation::OneOf(values, _) if values.is_empty() => format!("{field} has no possible value here"),
            Violation::OneOf(values, got) => {
                format!("{field} must be one of {}, found {got}", values.join(", "))
            }
            Violation::NotOneOf(values) => format!("{field} must not be one of {}", values.join(", ")),
            Violation::MustBe(v) if v.is_null() => format!("{field} must not be set here"),
            Violation::MustBe(v) => format!("{field} must be {}", plain(v)),
            Violation::MustNotBe(v) => format!("{field} must not be {}", plain(v)),
            Violation::Between(min, max) => format!("{field} must be between {min} and {max}"),
            Violation::AtLeast(min) => format!("{field} must be at least {min}"),
            Violation::AtMost(max) => format!("{field} must be at most {max}"),
            Violation::Above(limit) => format!("{field} must be greater than {limit}"),
            Violation::NoTimestamp => format!("{field} must be a time in seconds since 1970"),
            Violation::NoUuid => format!("{field} must be a UUID"),
            Violation::Length(n) => format!("{field} must have a length of {n}"),
            Violation::TooShort(1) => format!("{field} must not be empty"),
            Violation::TooShort(n) => format!("{field} must have a length of at least {n}"),
            Violation::TooLong(n) => format!("{field} must have a length of at most {n}"),
            Violation::Exclusive(sets) => format!("{field} mixes values that exclude each other: {sets}"),
            Violation::Contains(value) => format!("{field} must contain {value}"),
            Violation::Said(text) => format!("{field}: {text}"),
        }
    }
}

impl Validator<'_> {
    /// Reports a violation by the value at the current path.
    pub(super) fn report_violation(&mut self, schema: &CompiledSchema, node: NodeId, violation: Violation) {
        if matches!(violation, Violation::Type(_)) && !schema.secret {
            self.hidden.value(self.doc, node);
        }
        if matches!(violation, Violation::Missing) && self.is_consequence(violation.text(), [self.segments()])
        {
            return;
        }
        if self.count_if_full() {
            return;
        }
        let field = self.field_name();
        let named = match (&violation, &self.path[..]) {
            (Violation::NoKey, [.., PathStep::Field(reference), _]) => format!("`{reference}`"),
            _ => field.clone(),
        };
        let mut message = violation.message(&named, describe(self.doc.value(node)));
        if let Some(err) = schema.err.as_deref() {
            message = format!("{field}: {err}");
        }
        let help = self.help(schema, node, &violation, &field);
        let text = schema.err.as_deref().map_or_else(|| violation.text(), str::to_owned);
        let span = self.span_of_value(node);
        self.push(span, self.segments(), violation.code(), message, text, help);
    }

    /// Returns the span to report for a value: that of its key if it is a multi-line text, such as a certificate.
    fn span_of_value(&self, node: NodeId) -> source::Span {
        match self.path.last() {
            Some(PathStep::Field(name)) => self.span_of_field(name, node),
            _ => self.span_of(node),
        }
    }

    /// Returns the span to report for a field of the current record.
    pub(super) fn span_of_field(&self, name: &str, node: NodeId) -> source::Span {
        let long = self.doc.str(node).is_some_and(|text| text.contains('\n') || text.len() > LONG_TEXT);
        let entry = self.doc.entry(self.near, name).filter(|entry| long && entry.value == node);
        entry.map_or(self.span_of(node), |entry| self.doc.span(entry.key))
    }

    /// Returns the field at the current path in backquotes; for list items the list's name.
    pub(super) fn field_name(&self) -> String {
        let mut item = None;
        for step in self.path.iter().rev() {
            match (step, item) {
                (PathStep::Field(name), None) => return format!("`{name}`"),
                (PathStep::Field(name), Some(i)) => return format!("item {i} of `{name}`"),
                (PathStep::Item(i), _) => item = Some(*i),
                (PathStep::Free(key), _) => return format!("`{}`", self.doc.key_text(*key)),
            }
        }
        "the document".to_owned()
    }
}

/// Longer values are not underlined, in bytes.
const LONG_TEXT: usize = 500;

/// Describes the type of a value without its content.
pub(crate) fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Int(_) => "a whole number",
        Value::Float(_) => "a number with a fraction",
        Value::Str(_) => "a text",
        Value::Seq(_) => "a list",
        Value::Map(_) => "a map",
    }
}
