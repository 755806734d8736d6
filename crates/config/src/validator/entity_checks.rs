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

use serde_json::{Map, Value};

use super::{
    RecordSchema, SchemaKind,
    compile::{FindCheck, check as function, rule_of},
    compile_error::{CompileError, Defect, strings, value_of},
};
use model::rule::Rule;
use plugin::EntityRule;

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
        /// The function; it looks fields up by name.
        function: EntityRule,
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

/// Compiles the value of `x-entity-checks` or `x-plugin-checks` for a record of which all fields are known.
///
/// # Errors
/// If a check is malformed, or refers to a field that the record does not have.
pub fn compile(
    keyword: &str,
    checks: Option<&Value>,
    record: &RecordSchema,
    find_check: FindCheck<'_>,
) -> Result<Vec<Check>, CompileError> {
    let Some(checks) = checks else { return Ok(Vec::new()) };
    let checks = checks.as_array().ok_or_else(|| value_of(keyword, "a list of checks"))?;
    let compiler = CheckCompiler { record, find_check };
    let compile = |(i, check): (usize, &Value)| {
        compiler.check(check).map_err(|error| error.below(&i.to_string()).below(keyword))
    };
    checks.iter().enumerate().map(compile).collect()
}

struct CheckCompiler<'r> {
    record: &'r RecordSchema,
    find_check: FindCheck<'r>,
}

type Object = Map<String, Value>;

/// Keys of a condition.
const CONDITIONS: &[&str] = &["in", "not_in", "each_in", "each_not_in", "if_contains", "is", "above"];
/// Keys of consequences.
const CONSEQUENCES: &[&str] = &["required", "null", "eq", "ne", "one_of", "length", "contains", "rule"];

impl CheckCompiler<'_> {
    fn check(&self, check: &Value) -> Result<Check, CompileError> {
        const GROUPS: &[(&str, Group)] = &[
            ("at_least_one_of", Group::AtLeastOneOf),
            ("only_one_of", Group::OnlyOneOf),
            ("at_most_one_of", Group::AtMostOneOf),
            ("all_or_none_of", Group::AllOrNoneOf),
            ("distinct", Group::Distinct),
        ];
        let check = check.as_object().ok_or_else(|| value_of("check", "an object"))?;
        if let Some((key, group)) = GROUPS.iter().find(|(key, _)| check.contains_key(*key)) {
            only(check, &[&[key]])?;
            return Ok(Check::Group(*group, self.fields(check, key)?));
        }
        if let Some(name) = text(check, "custom")? {
            only(check, &[&["custom", "fields", "always"]])?;
            let fields =
                if check.contains_key("fields") { self.fields(check, "fields")? } else { Vec::new() };
            let function = function(self.find_check, &name)?;
            return Ok(Check::Custom { function, fields, always: is_set(check, "always")? });
        }
        let if_field = self.field_at(check, "if")?;
        if check.contains_key("then_at_least_one_of") {
            let mut branches = Vec::new();
            let mut rest = Some(check);
            while let Some(branch) = rest {
                let own = if branches.is_empty() { "if" } else { "" };
                only(branch, &[CONDITIONS, &[own, "then_at_least_one_of", "err", "else"]])?;
                branches.push(Branch {
                    when: condition(branch)?,
                    fields: self.fields(branch, "then_at_least_one_of")?,
                    err: text(branch, "err")?,
                });
                rest = match branch.get("else") {
                    None => None,
                    Some(next) => Some(next.as_object().ok_or_else(|| value_of("else", "an object"))?),
                };
            }
            return Ok(Check::NeedsOne { if_field, branches });
        }
        only(check, &[CONDITIONS, CONSEQUENCES, &["if", "then", "err"]])?;
        Ok(Check::Condition {
            if_field,
            if_match: condition(check)?,
            then_field: self.field_at(check, "then")?,
            then_match: consequences(check)?,
            err: text(check, "err")?,
        })
    }

    fn fields(&self, check: &Object, key: &str) -> Result<Vec<Field>, CompileError> {
        let paths = check.get(key).and_then(strings).filter(|paths| !paths.is_empty());
        let paths = paths.ok_or_else(|| value_of(key, "a list of fields"))?;
        paths.iter().map(|path| self.field(path)).collect()
    }

    fn field_at(&self, check: &Object, key: &str) -> Result<Field, CompileError> {
        let path = text(check, key)?.ok_or_else(|| value_of(key, "a field"))?;
        self.field(&path)
    }

    fn field(&self, path: &str) -> Result<Field, CompileError> {
        if !has_field(self.record, path) {
            return Err(Defect::UnknownField(path.to_owned()).into());
        }
        Ok(Field { path: path.into(), number: self.record.index.get(path).copied() })
    }
}

/// Whether a record has a field, by its dotted path.
pub(super) fn has_field(record: &RecordSchema, path: &str) -> bool {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    match (record.field(first).map(|field| &field.kind), rest) {
        (Some(SchemaKind::Record(inner)), Some(rest)) => has_field(inner, rest),
        (Some(_), None) => true,
        _ => false,
    }
}

/// Rejects keys that a check does not have: they would be without effect.
fn only(check: &Object, known: &[&[&str]]) -> Result<(), CompileError> {
    match check.keys().find(|key| !known.iter().any(|known| known.contains(&key.as_str()))) {
        Some(unknown) => Err(Defect::Keyword(unknown.clone()).into()),
        None => Ok(()),
    }
}

fn text(check: &Object, key: &str) -> Result<Option<Box<str>>, CompileError> {
    check.get(key).map(|v| v.as_str().map(Box::from).ok_or_else(|| value_of(key, "a string"))).transpose()
}

/// Whether a key is there, which has no other value than `true`.
fn is_set(check: &Object, key: &str) -> Result<bool, CompileError> {
    match check.get(key) {
        None => Ok(false),
        Some(Value::Bool(true)) => Ok(true),
        Some(_) => Err(value_of(key, "true")),
    }
}

fn list(key: &str, value: &Value) -> Result<Vec<Value>, CompileError> {
    value.as_array().cloned().ok_or_else(|| value_of(key, "a list"))
}

fn condition(check: &Object) -> Result<Match, CompileError> {
    let mut given = check.iter().filter(|(key, _)| CONDITIONS.contains(&key.as_str()));
    let (Some((key, value)), None) = (given.next(), given.next()) else {
        return Err(value_of("if", "followed by one condition"));
    };
    Ok(match key.as_str() {
        "in" => Match::In(list(key, value)?),
        "not_in" => Match::NotIn(list(key, value)?),
        "each_in" => Match::EachIn(list(key, value)?),
        "each_not_in" => Match::EachNotIn(list(key, value)?),
        "if_contains" => Match::Contains(value.clone()),
        "is" => Match::Eq(value.clone()),
        _ => Match::Above(value.as_f64().ok_or_else(|| value_of(key, "a number"))?),
    })
}

fn consequences(check: &Object) -> Result<Vec<Match>, CompileError> {
    let mut all = Vec::new();
    for key in CONSEQUENCES {
        let Some(value) = check.get(*key) else { continue };
        all.push(match *key {
            "required" => is_set(check, key).map(|_| Match::Required)?,
            "null" => is_set(check, key).map(|_| Match::Eq(Value::Null))?,
            "eq" => Match::Eq(value.clone()),
            "ne" => Match::Ne(value.clone()),
            "one_of" => Match::In(list(key, value)?),
            "length" => {
                let length = value.as_u64().and_then(|n| usize::try_from(n).ok());
                Match::Length(length.ok_or_else(|| value_of(key, "a size"))?)
            }
            "contains" => Match::Contains(value.clone()),
            _ => Match::Rule(rule_of(value.as_str().ok_or_else(|| value_of(key, "the name of a rule"))?)?),
        });
    }
    if all.is_empty() { Err(value_of("then", "followed by a consequence")) } else { Ok(all) }
}
