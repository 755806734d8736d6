//! Entity checks: rules across the fields of a record, declared as `x-entity-checks`.
//!
//! Supported forms:
//!
//! - `{"at_least_one_of": [fields]}`, `{"only_one_of": …}`, `{"at_most_one_of": …}`, `{"all_or_none_of": …}`,
//!   `{"distinct": …}`;
//! - `{"if": field, CONDITION, "then": field, CONSEQUENCE, "err": text}` with CONDITION one of `"in"`,
//!   `"not_in"`, `"each_in"`, `"each_not_in"` (lists), `"is"`, `"above"`, `"if_contains"` (values) and CONSEQUENCE
//!   one of `"required": true`, `"null": true`, `"eq"`, `"ne"`, `"one_of"`, `"length"`, `"contains"`, with or
//!   without `"rule"`;
//! - `{"if": field, CONDITION, "then_at_least_one_of": [fields], "err": text, "else": {CONDITION, …}}`;
//! - `{"custom": name, "fields": [fields], "always": true}`: a function in `config::rules`.
//!
//! Fields are dotted paths relative to the record.

use ahash::AHashMap;
use serde_json::Value;

use model::rule::{self, Rule};

/// Field that a check refers to.
#[derive(Debug)]
pub struct Field {
    path: Box<str>,
    /// Index in the record; `None` if it is nested.
    pub(super) number: Option<usize>,
}

impl std::ops::Deref for Field {
    type Target = str;
    fn deref(&self) -> &str {
        &self.path
    }
}

impl AsRef<str> for Field {
    fn as_ref(&self) -> &str {
        &self.path
    }
}

/// Field indexes of a record by name.
type Index = AHashMap<Box<str>, usize>;

/// Entity check.
#[derive(Debug)]
pub enum Check {
    /// Check over a list of fields.
    Group(Group, Vec<Field>),
    /// Conditional check: if one field matches, another must match.
    Condition {
        /// Field of the condition.
        if_field: Field,
        /// Condition.
        if_match: Match,
        /// Field of the consequence.
        then_field: Field,
        /// Consequences.
        then_match: Vec<Match>,
        /// Error text for the record instead of the default.
        err: Option<Box<str>>,
    },
    /// Conditional check: if a field matches, at least one of several fields must be set.
    NeedsOne {
        /// Field of the condition.
        if_field: Field,
        /// Conditions with their fields and error text; the first match applies.
        branches: Vec<Branch>,
    },
    /// Custom function.
    Custom {
        /// Name in `config::rules`.
        name: Box<str>,
        /// Fields that it reads.
        fields: Vec<Field>,
        /// Whether it runs even if a field is invalid or absent.
        always: bool,
    },
}

/// One branch of [`Check::NeedsOne`].
#[derive(Debug)]
pub struct Branch {
    /// Condition.
    pub when: Match,
    /// Fields, one of which must be set.
    pub fields: Vec<Field>,
    /// Error text; `%s` is replaced by the fields.
    pub err: Option<Box<str>>,
}

/// Check over a list of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Group {
    AtLeastOneOf,
    OnlyOneOf,
    AtMostOneOf,
    AllOrNoneOf,
    Distinct,
}

/// Predicate over a value.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Match {
    In(Vec<Value>),
    NotIn(Vec<Value>),
    EachIn(Vec<Value>),
    EachNotIn(Vec<Value>),
    Eq(Value),
    Ne(Value),
    Above(f64),
    Contains(Value),
    Required,
    Length(usize),
    Rule(Rule),
}

/// Compiles the entity checks of a record.
pub fn compile(checks: Option<&Value>, index: &Index) -> Vec<Check> {
    let checks = checks.and_then(Value::as_array).into_iter().flatten();
    checks.filter_map(|check| one(check, index)).collect()
}

fn one(check: &Value, index: &Index) -> Option<Check> {
    const GROUPS: &[(&str, Group)] = &[
        ("at_least_one_of", Group::AtLeastOneOf),
        ("only_one_of", Group::OnlyOneOf),
        ("at_most_one_of", Group::AtMostOneOf),
        ("all_or_none_of", Group::AllOrNoneOf),
        ("distinct", Group::Distinct),
    ];
    if let Some((fields, group)) = GROUPS.iter().find_map(|(key, group)| Some((check.get(key)?, *group))) {
        return Some(Check::Group(group, names(fields, index)));
    }
    let text = |key: &str| check.get(key).and_then(Value::as_str).map(Box::<str>::from);
    if let Some(name) = text("custom") {
        let fields = check.get("fields").map(|fields| names(fields, index)).unwrap_or_default();
        return Some(Check::Custom { name, fields, always: check.get("always").is_some() });
    }
    let field = |key: &str| check.get(key).and_then(Value::as_str).map(|path| Field::new(path, index));
    let if_field = field("if")?;
    if check.get("then_at_least_one_of").is_some() {
        let mut branches = Vec::new();
        let mut at = Some(check);
        while let Some(branch) = at {
            branches.push(Branch {
                when: condition(branch)?,
                fields: branch.get("then_at_least_one_of").map(|fields| names(fields, index))?,
                err: branch.get("err").and_then(Value::as_str).map(Into::into),
            });
            at = branch.get("else");
        }
        return Some(Check::NeedsOne { if_field, branches });
    }
    Some(Check::Condition {
        if_field,
        if_match: condition(check)?,
        then_field: field("then")?,
        then_match: consequence(check),
        err: text("err"),
    })
}

fn names(value: &Value, index: &Index) -> Vec<Field> {
    let names = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    names.map(|path| Field::new(path, index)).collect()
}

impl Field {
    fn new(path: &str, index: &Index) -> Self {
        Field { path: path.into(), number: index.get(path).copied() }
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn condition(check: &Value) -> Option<Match> {
    let get = |key: &str| check.get(key);
    if let Some(v) = get("in") {
        return Some(Match::In(list(v)));
    }
    if let Some(v) = get("not_in") {
        return Some(Match::NotIn(list(v)));
    }
    if let Some(v) = get("each_in") {
        return Some(Match::EachIn(list(v)));
    }
    if let Some(v) = get("each_not_in") {
        return Some(Match::EachNotIn(list(v)));
    }
    if let Some(v) = get("if_contains") {
        return Some(Match::Contains(v.clone()));
    }
    if let Some(v) = get("is") {
        return Some(Match::Eq(v.clone()));
    }
    get("above").and_then(Value::as_f64).map(Match::Above)
}

fn consequence(check: &Value) -> Vec<Match> {
    let mut all = Vec::new();
    if check.get("required").is_some() {
        all.push(Match::Required);
    }
    if check.get("null").is_some() {
        all.push(Match::Eq(Value::Null));
    }
    if let Some(v) = check.get("eq") {
        all.push(Match::Eq(v.clone()));
    }
    if let Some(v) = check.get("ne") {
        all.push(Match::Ne(v.clone()));
    }
    if let Some(v) = check.get("one_of") {
        all.push(Match::In(list(v)));
    }
    if let Some(n) = check.get("length").and_then(Value::as_u64) {
        all.push(Match::Length(n as usize));
    }
    if let Some(v) = check.get("contains") {
        all.push(Match::Contains(v.clone()));
    }
    if let Some(rule) = check.get("rule").and_then(Value::as_str).and_then(rule::rule) {
        all.push(Match::Rule(rule));
    }
    all
}
