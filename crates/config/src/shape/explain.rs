//! Messages of schema violations: Kong's exact text, and a plain message.

use super::{List, Number, PathStep, Shape, Text, Walker};
use source::{Document, NodeId, Value};

/// Violation of a schema by a value.
#[derive(Debug)]
pub(super) enum Complaint {
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

impl Text {
    pub(super) fn complaint(&self, text: &str) -> Option<Complaint> {
        if self.not_one_of.iter().any(|v| **v == *text) {
            return Some(Complaint::NotOneOf(strings(&self.not_one_of)));
        }
        if let Some(values) = &self.one_of
            && !values.iter().any(|v| **v == *text)
        {
            return Some(Complaint::OneOf(strings(values), text.to_owned()));
        }
        if self.uuid && !is_uuid(text) {
            return Some(Complaint::NoUuid);
        }
        if let Some(length) = self.length.filter(|n| *n != text.len()) {
            return Some(Complaint::Length(length));
        }
        if text.len() < self.min {
            return Some(Complaint::TooShort(self.min));
        }
        if let Some(max) = self.max.filter(|n| *n < text.len()) {
            return Some(Complaint::TooLong(max));
        }
        if let Some((_, err)) = self.none_of.iter().find(|(regex, _)| regex.is_match(text)) {
            let said = err.as_deref().map_or_else(|| format!("invalid value: {text}"), str::to_owned);
            return Some(Complaint::Said(said));
        }
        if self.pattern.as_ref().is_some_and(|p| !p.is_match(text)) {
            return Some(Complaint::Said(format!("invalid value: {text}")));
        }
        self.rules.iter().find_map(|rule| rule(text).err()).map(Complaint::Said)
    }
}

fn strings(values: &[Box<str>]) -> Vec<String> {
    values.iter().map(|v| v.to_string()).collect()
}

/// Five groups of hex digits, of any UUID version.
fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

impl Number {
    pub(super) fn complaint(&self, n: f64) -> Option<Complaint> {
        if self.integer && (n.fract() != 0.0 || !n.is_finite()) {
            return Some(Complaint::Type("integer"));
        }
        if let Some(values) = &self.one_of
            && !values.contains(&n)
        {
            return Some(Complaint::OneOf(values.iter().map(|v| v.to_string()).collect(), n.to_string()));
        }
        if let Some(limit) = self.above.filter(|limit| n <= *limit) {
            return Some(Complaint::Above(limit));
        }
        if self.timestamp && n <= 0.0 {
            return Some(Complaint::NoTimestamp);
        }
        match (self.min, self.max) {
            (Some(min), Some(max)) if n < min || n > max => Some(Complaint::Between(min, max)),
            (Some(min), None) if n < min => Some(Complaint::AtLeast(min)),
            (None, Some(max)) if n > max => Some(Complaint::AtMost(max)),
            _ => None,
        }
    }
}

impl List {
    pub(super) fn complaint(&self, doc: &Document, node: NodeId, len: usize) -> Option<Complaint> {
        if let Some(length) = self.length.filter(|n| *n != len) {
            return Some(Complaint::Length(length));
        }
        if let Some(min) = self.min.filter(|n| len < *n) {
            return Some(Complaint::TooShort(min));
        }
        if let Some(max) = self.max.filter(|n| len > *n) {
            return Some(Complaint::TooLong(max));
        }
        let holds = |value: &str| doc.items(node).iter().any(|&item| doc.str(item) == Some(value));
        if let Some(wanted) = self.contains.as_deref().filter(|wanted| !holds(wanted)) {
            return Some(Complaint::Contains(wanted.to_owned()));
        }
        if !self.exclusive.is_empty() {
            let met: Vec<_> = self.exclusive.iter().filter(|set| set.iter().any(|v| holds(v))).collect();
            if met.len() > 1 {
                let quoted = |set: &&Vec<Box<str>>| format!("({})", quote(set));
                return Some(Complaint::Exclusive(met.iter().map(quoted).collect::<Vec<_>>().join(", ")));
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

impl Complaint {
    fn code(&self) -> &'static str {
        match self {
            Complaint::Missing | Complaint::Null | Complaint::NoKey => "config/missing-field",
            Complaint::Type(_) => "config/wrong-type",
            Complaint::OneOf(..) | Complaint::NotOneOf(_) => "config/not-allowed",
            Complaint::MustBe(_) | Complaint::MustNotBe(_) => "config/conflict",
            Complaint::Between(..) | Complaint::AtLeast(_) | Complaint::AtMost(_) | Complaint::Above(_) => {
                "config/out-of-range"
            }
            Complaint::Length(_) | Complaint::TooShort(_) | Complaint::TooLong(_) => "config/bad-length",
            Complaint::NoTimestamp | Complaint::NoUuid | Complaint::Said(_) => "config/invalid-value",
            Complaint::Exclusive(_) | Complaint::Contains(_) => "config/conflict",
        }
    }

    /// Returns Kong's error text.
    pub(super) fn text(&self) -> String {
        match self {
            Complaint::Missing | Complaint::Null => "required field missing".to_owned(),
            Complaint::Type(name) => {
                let article = if name.starts_with(['a', 'i']) { "an" } else { "a" };
                format!("expected {article} {name}")
            }
            Complaint::MustBe(v) => format!("value must be {}", plain(v)),
            Complaint::MustNotBe(v) => format!("value must not be {}", plain(v)),
            Complaint::OneOf(values, _) => format!("expected one of: {}", values.join(", ")),
            Complaint::NotOneOf(values) => format!("must not be one of: {}", values.join(", ")),
            Complaint::Between(min, max) => format!("value should be between {min} and {max}"),
            Complaint::AtLeast(min) => format!("value should be at least {min}"),
            Complaint::AtMost(max) => format!("value should be at most {max}"),
            Complaint::Above(limit) => format!("value must be greater than {limit}"),
            Complaint::NoTimestamp => "expected a valid timestamp".to_owned(),
            Complaint::NoUuid => "expected a valid UUID".to_owned(),
            Complaint::NoKey => "missing primary key".to_owned(),
            Complaint::Length(n) => format!("length must be {n}"),
            Complaint::TooShort(n) => format!("length must be at least {n}"),
            Complaint::TooLong(n) => format!("length must be at most {n}"),
            Complaint::Exclusive(sets) => format!("these sets are mutually exclusive: {sets}"),
            Complaint::Contains(value) => format!("expected to contain: {value}"),
            Complaint::Said(text) => text.clone(),
        }
    }

    /// Returns the plain message for a field.
    pub(super) fn message(&self, field: &str, found: &str) -> String {
        match self {
            Complaint::Missing => format!("{field} is missing"),
            Complaint::Null => format!("{field} must not be null"),
            Complaint::NoKey => format!("{field} needs an `id`"),
            Complaint::Type(name) => {
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
            Complaint::OneOf(values, _) if values.is_empty() => format!("{field} has no possible value here"),
            Complaint::OneOf(values, got) => {
                format!("{field} must be one of {}, found {got}", values.join(", "))
            }
            Complaint::NotOneOf(values) => format!("{field} must not be one of {}", values.join(", ")),
            Complaint::MustBe(v) if v.is_null() => format!("{field} must not be set here"),
            Complaint::MustBe(v) => format!("{field} must be {}", plain(v)),
            Complaint::MustNotBe(v) => format!("{field} must not be {}", plain(v)),
            Complaint::Between(min, max) => format!("{field} must be between {min} and {max}"),
            Complaint::AtLeast(min) => format!("{field} must be at least {min}"),
            Complaint::AtMost(max) => format!("{field} must be at most {max}"),
            Complaint::Above(limit) => format!("{field} must be greater than {limit}"),
            Complaint::NoTimestamp => format!("{field} must be a time in seconds since 1970"),
            Complaint::NoUuid => format!("{field} must be a UUID"),
            Complaint::Length(n) => format!("{field} must have a length of {n}"),
            Complaint::TooShort(1) => format!("{field} must not be empty"),
            Complaint::TooShort(n) => format!("{field} must have a length of at least {n}"),
            Complaint::TooLong(n) => format!("{field} must have a length of at most {n}"),
            Complaint::Exclusive(sets) => format!("{field} mixes values that exclude each other: {sets}"),
            Complaint::Contains(value) => format!("{field} must contain {value}"),
            Complaint::Said(text) => format!("{field}: {text}"),
        }
    }
}

impl Walker<'_> {
    /// Reports a violation by the value at the current path.
    pub(super) fn complain(&mut self, shape: &Shape, node: NodeId, complaint: Complaint) {
        if matches!(complaint, Complaint::Type(_)) && !shape.secret {
            self.hidden.value(self.doc, node);
        }
        if matches!(complaint, Complaint::Missing) && self.follows(complaint.text(), [self.segments()]) {
            return;
        }
        if self.counts_error() {
            return;
        }
        let field = self.field_name();
        let named = match (&complaint, &self.path[..]) {
            (Complaint::NoKey, [.., PathStep::Field(reference), _]) => format!("`{reference}`"),
            _ => field.clone(),
        };
        let mut message = complaint.message(&named, describe(self.doc.value(node)));
        if let Some(err) = shape.err.as_deref() {
            message = format!("{field}: {err}");
        }
        let help = self.help(shape, node, &complaint, &field);
        let text = shape.err.as_deref().map_or_else(|| complaint.text(), str::to_owned);
        let span = self.span_of_value(node);
        self.push(span, self.segments(), complaint.code(), message, text, help);
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
