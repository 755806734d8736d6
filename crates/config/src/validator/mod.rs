//! Schema validator for document nodes. It validates against the published JSON Schema.
//!
//! A schema is compiled once into a [`CompiledSchema`] and then applied to a document's nodes by [`Validator`]. Validation
//! does not allocate unless there is an error, reports all errors in one run, in Kong's order and with Kong's
//! texts, and expands shorthand fields. Existing nodes are never changed: expanded values are written to new
//! nodes, because aliases share nodes.
//!
//! # Supported keywords
//!
//! Standard: `type` (with `null`: the field may be null or absent), `enum`/`const`, `default`, `minimum`,
//! `maximum`, `exclusiveMinimum`, `minLength` (1 by default), `maxLength`, `pattern`, `format: uuid`, `items`,
//! `minItems`, `maxItems`, `properties`, `additionalProperties`, and `anyOf` with null. A record (`properties`)
//! rejects other keys; an absent required record is filled with its defaults.
//!
//! Extensions:
//!
//! | keyword | on | meaning |
//! |---|---|---|
//! | `x-rule` | text | name (or list of names) of rules in [`model::rule`] |
//! | `x-not-enum` | text | rejected values |
//! | `x-length` | text, list | exact length |
//! | `x-not-pattern` | text | list of `{pattern, err}` that must not match |
//! | `x-referenceable` | text | may be a vault reference, which skips all other checks |
//! | `x-encrypted` | text | secret: never printed |
//! | `x-timestamp` | number | Unix time, above 0 |
//! | `x-set` | list | duplicates are removed silently |
//! | `x-exclusive-sets` | list | values of different sets are mutually exclusive |
//! | `x-contains` | list | required item |
//! | `x-key` | map | schema of the keys |
//! | `x-foreign` | any | kind of the referenced entity |
//! | `x-auto` | any | generated when absent |
//! | `x-ignored` | any | not validated |
//! | `x-err` | any | error text that replaces all others |
//! | `x-must-be`, `x-must-not-be` | any | the only allowed value, a rejected value |
//! | `x-shorthands` | record | list of `{name, schema keywords, to: ["a.b"], deprecated}` or `{name, rule}` |
//! | `x-entity-checks` | record | rules across its fields, see [`entity_checks`]; errors are reported on the record |
//! | `x-plugin-checks` | a plugin's settings | the same for the plugin row, with fields written `config.a.b` |
//! | `x-custom` | record | name of a function in `config::rules` for the whole record |

mod alias_labels;
mod compile;
mod compile_error;
#[cfg(test)]
mod compile_tests;
pub mod entity_checks;
mod entity_lists;
mod evaluate;
mod field_aliases;
mod help;
mod map_suggestions;
pub(crate) mod messages;
mod report;
mod service_url;
mod shorthand;
mod unknown_keys;
mod validate;

use ahash::AHashMap;

pub use compile::{FindCheck, compile};
pub use compile_error::{CompileError, Defect};
pub use entity_checks::Field;
use model::rule::Rule;
use plugin::EntityRule;
pub use validate::{EntityRef, Operand, PathStep, SchemaError, SchemaResolver, Validator};

/// Compiled schema of a value.
#[derive(Debug)]
pub struct CompiledSchema {
    /// Type-specific constraints.
    pub kind: SchemaKind,
    /// Whether null, or absence without a default, is an error.
    pub required: bool,
    /// Whether a required value may be absent because it is generated.
    pub auto: bool,
    /// Default of an absent value.
    pub default: Option<serde_json::Value>,
    /// Error text that replaces all others.
    pub err: Option<Box<str>>,
    /// Whether a vault reference is allowed.
    pub referenceable: bool,
    /// Whether the value is secret.
    pub secret: bool,
    /// The only allowed value.
    pub must_be: Option<serde_json::Value>,
    /// A rejected value.
    pub must_not_be: Option<serde_json::Value>,
}

/// Type of a schema.
#[derive(Debug)]
pub enum SchemaKind {
    /// Not validated.
    Any,
    /// String.
    Text(Box<StringSchema>),
    /// Number.
    Number(NumberSchema),
    /// Boolean.
    Bool,
    /// List.
    List(Box<ListSchema>),
    /// Map with arbitrary keys: schemas of keys and values.
    Map(Box<(Option<CompiledSchema>, CompiledSchema)>),
    /// Map with a fixed set of fields.
    Record(Box<RecordSchema>),
    /// Reference to another entity, by kind.
    Foreign(Box<str>),
    /// Nested entities: index of their kind, and the field that references the parent.
    Children(usize, &'static str),
}

/// Constraints of a string.
#[derive(Debug, Default)]
pub struct StringSchema {
    /// Allowed values; `None` allows all.
    pub one_of: Option<Vec<Box<str>>>,
    /// Rejected values.
    pub not_one_of: Vec<Box<str>>,
    /// Minimum length in bytes.
    pub min: usize,
    /// Maximum length in bytes.
    pub max: Option<usize>,
    /// Exact length in bytes.
    pub length: Option<usize>,
    /// Whether it must be a UUID.
    pub uuid: bool,
    /// Patterns that must not match, with their error text.
    pub none_of: Vec<(regex::Regex, Option<Box<str>>)>,
    /// Pattern that must match.
    pub pattern: Option<regex::Regex>,
    /// Further rules.
    pub rules: Vec<Rule>,
}

/// Constraints of a number.
#[derive(Debug, Default)]
pub struct NumberSchema {
    /// Whether it must be an integer.
    pub integer: bool,
    /// Allowed values.
    pub one_of: Option<Vec<f64>>,
    /// Minimum, inclusive.
    pub min: Option<f64>,
    /// Maximum, inclusive.
    pub max: Option<f64>,
    /// Minimum, exclusive.
    pub above: Option<f64>,
    /// Whether it is a Unix time.
    pub timestamp: bool,
    /// Unit of the number, taken from its description.
    pub unit: Option<Unit>,
}

/// Unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Unit {
    Milliseconds,
    Seconds,
}

/// Constraints of a list.
#[derive(Debug)]
pub struct ListSchema {
    /// Whether duplicates are removed.
    pub set: bool,
    /// Schema of the items.
    pub item: CompiledSchema,
    /// Minimum number of items.
    pub min: Option<usize>,
    /// Maximum number of items.
    pub max: Option<usize>,
    /// Exact number of items.
    pub length: Option<usize>,
    /// Mutually exclusive groups of values.
    pub exclusive: Vec<Vec<Box<str>>>,
    /// Required item.
    pub contains: Option<Box<str>>,
}

/// Schema of a record.
#[derive(Debug, Default)]
pub struct RecordSchema {
    /// Fields in declaration order.
    pub fields: Vec<(Box<str>, CompiledSchema)>,
    /// Field index by name.
    pub index: AHashMap<Box<str>, usize>,
    /// For each field, whether its absence may be an error.
    absence_matters: Vec<bool>,
    /// Shorthand fields.
    pub shorthands: Vec<shorthand::Shorthand>,
    /// Entity checks.
    pub checks: Vec<entity_checks::Check>,
    /// Custom check of the whole record.
    pub custom: Option<EntityRule>,
    /// Whether absence of the record is never an error.
    pub may_be_absent: bool,
    /// Whether one of its fields, at any depth, may be a vault reference.
    pub may_contain_reference: bool,
}

impl RecordSchema {
    /// Returns the schema of a field.
    pub fn field(&self, name: &str) -> Option<&CompiledSchema> {
        self.index.get(name).map(|&i| &self.fields[i].1)
    }

    /// Iterates over all accepted keys.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| &**name).chain(self.shorthands.iter().map(|s| &*s.name))
    }

    /// Returns whether an unknown key could be a misspelt secret: the nearest known key is secret, or there is no
    /// near one and the record has secrets.
    pub fn may_conceal_secret(&self, near: Option<&str>) -> bool {
        let fields = self.fields.iter().map(|(name, schema)| (&**name, schema));
        let shorthands = self.shorthands.iter().map(|s| (&*s.name, &s.schema));
        fields.chain(shorthands).any(|(name, schema)| schema.secret && near.is_none_or(|near| near == name))
    }

    /// Adds or replaces a field.
    pub fn set(&mut self, name: &str, schema: CompiledSchema) {
        let inside = matches!(&schema.kind, SchemaKind::Record(record) if record.may_contain_reference);
        self.may_contain_reference |= schema.referenceable || inside;
        let absence_matters = schema.absence_matters();
        match self.index.get(name) {
            Some(&i) => (self.fields[i].1, self.absence_matters[i]) = (schema, absence_matters),
            None => {
                self.index.insert(name.into(), self.fields.len());
                self.fields.push((name.into(), schema));
                self.absence_matters.push(absence_matters);
            }
        }
    }
}

impl CompiledSchema {
    /// Creates a schema without further constraints.
    pub fn of(kind: SchemaKind) -> Self {
        CompiledSchema {
            kind,
            required: false,
            auto: false,
            default: None,
            err: None,
            referenceable: false,
            secret: false,
            must_be: None,
            must_not_be: None,
        }
    }

    /// Returns whether the absence of such a value may be an error.
    fn absence_matters(&self) -> bool {
        match &self.must_be {
            Some(want) => !want.is_null() && self.default.is_none(),
            None => self.required && !self.auto && self.default.is_none(),
        }
    }

    /// Creates the schema of a non-empty string.
    pub fn text() -> Self {
        CompiledSchema::of(SchemaKind::Text(Box::new(StringSchema { min: 1, ..StringSchema::default() })))
    }
}
