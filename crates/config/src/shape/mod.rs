//! JSON Schema over nodes: the published schema is the one that validates.
//!
//! A schema is compiled once into a [`Shape`] and then walked along a document's nodes. Walking allocates
//! nothing unless something is wrong, reports everything in one run, in the order and the words of the format,
//! and expands shorthands. It never changes a node: what a shorthand stands for is written into new nodes,
//! because aliases share theirs.
//!
//! # What a schema may say
//!
//! Standard keywords: `type` (with `null`: the field may be null or absent), `enum`/`const`, `default`,
//! `minimum`, `maximum`, `exclusiveMinimum`, `minLength` (1 unless said otherwise), `maxLength`, `pattern`,
//! `format: uuid`, `items`, `minItems`, `maxItems`, `properties`, `additionalProperties`, and `anyOf` with null.
//! A record (`properties`) takes no other keys; one that is required is filled with its own defaults.
//!
//! | keyword | on | meaning |
//! |---|---|---|
//! | `x-rule` | text | name (or list of names) of rules in [`model::rule`] |
//! | `x-not-enum` | text | values that are refused |
//! | `x-length` | text, list | the exact length |
//! | `x-not-pattern` | text | list of `{pattern, err}` that must not match |
//! | `x-referenceable` | text | may be a vault reference, which ends the checks |
//! | `x-encrypted` | text | a secret: never shown |
//! | `x-timestamp` | number | seconds since 1970, above 0 |
//! | `x-set` | list | duplicates are dropped silently |
//! | `x-exclusive-sets` | list | values of different sets exclude each other |
//! | `x-contains` | list | a value that must be there |
//! | `x-key` | map | schema of the keys |
//! | `x-foreign` | any | kind of entity that is referred to |
//! | `x-auto` | any | made up when absent |
//! | `x-ignored` | any | not looked at |
//! | `x-err` | any | text in place of whatever a check would say |
//! | `x-must-be`, `x-must-not-be` | any | the one value allowed, a value refused |
//! | `x-shorthands` | record | list of `{name, schema keywords, to: ["a.b"], deprecated}` or `{name, rule}` |
//! | `x-entity-checks` | record | rules across its fields, see [`check`]; complaints go to the record |
//! | `x-plugin-checks` | a plugin's settings | the same for the plugin row: fields are written `config.a.b` |
//! | `x-custom` | record | name of a function in `config::rules` for the whole record |

mod across;
mod aliased;
pub mod check;
mod compile;
mod entities;
pub(crate) mod explain;
mod help;
mod instead;
mod names;
mod report;
mod shorthand;
mod unknown;
mod url;
mod walk;

use ahash::AHashMap;

pub use check::Field;
pub use compile::compile;
use model::rule::Rule;
pub use walk::{Chooser, Found, Operand, PathStep, Refusal, Walker};

/// What a value must look like.
#[derive(Debug)]
pub struct Shape {
    /// By its type.
    pub kind: ShapeKind,
    /// Whether null, or absence without a default, is an error.
    pub required: bool,
    /// Whether absence is fine although required: the value is made up.
    pub auto: bool,
    /// Value that stands for an absent one.
    pub default: Option<serde_json::Value>,
    /// Text in place of any complaint.
    pub err: Option<Box<str>>,
    /// Whether a vault reference may stand here.
    pub referenceable: bool,
    /// Whether the value must not be shown.
    pub secret: bool,
    /// The one value allowed.
    pub must_be: Option<serde_json::Value>,
    /// A value refused.
    pub must_not_be: Option<serde_json::Value>,
}

/// Types of values.
#[derive(Debug)]
pub enum ShapeKind {
    /// Not looked at.
    Any,
    /// Text.
    Text(Box<Text>),
    /// A number.
    Number(Number),
    /// A boolean.
    Bool,
    /// A list.
    List(Box<List>),
    /// A map with free keys.
    Map(Box<(Option<Shape>, Shape)>),
    /// A map with known keys.
    Record(Box<Record>),
    /// A reference to another entity, by kind.
    Foreign(Box<str>),
    /// Entities that stand inside this one: number of the kind, field that refers to the parent.
    Children(usize, &'static str),
}

/// What a text must look like.
#[derive(Debug, Default)]
pub struct Text {
    /// The values allowed; all if none are listed.
    pub one_of: Option<Vec<Box<str>>>,
    /// Values refused.
    pub not_one_of: Vec<Box<str>>,
    /// Bytes at least.
    pub min: usize,
    /// Bytes at most.
    pub max: Option<usize>,
    /// Bytes exactly.
    pub length: Option<usize>,
    /// Whether it is a UUID.
    pub uuid: bool,
    /// Expressions that must not match, and what to say.
    pub none_of: Vec<(regex::Regex, Option<Box<str>>)>,
    /// An expression that must match.
    pub pattern: Option<regex::Regex>,
    /// Further rules.
    pub rules: Vec<Rule>,
}

/// What a number must look like.
#[derive(Debug, Default)]
pub struct Number {
    /// Whether it is a whole one.
    pub integer: bool,
    /// The values allowed.
    pub one_of: Option<Vec<f64>>,
    /// Lower end, included.
    pub min: Option<f64>,
    /// Upper end, included.
    pub max: Option<f64>,
    /// Lower end, not included.
    pub above: Option<f64>,
    /// Whether it is a time.
    pub timestamp: bool,
    /// What it counts, as its description says.
    pub unit: Option<Unit>,
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Unit {
    Milliseconds,
    Seconds,
}

/// What a list must look like.
#[derive(Debug)]
pub struct List {
    /// Whether duplicates are dropped.
    pub set: bool,
    /// Each item.
    pub item: Shape,
    /// Items at least.
    pub min: Option<usize>,
    /// Items at most.
    pub max: Option<usize>,
    /// Items exactly.
    pub length: Option<usize>,
    /// Groups of values that exclude each other.
    pub exclusive: Vec<Vec<Box<str>>>,
    /// A value that must be there.
    pub contains: Option<Box<str>>,
}

/// What a record must look like.
#[derive(Debug, Default)]
pub struct Record {
    /// Fields in the order of their declaration.
    pub fields: Vec<(Box<str>, Shape)>,
    /// Number of a field by name.
    pub index: AHashMap<Box<str>, usize>,
    /// Of each field, whether something may be wrong when it is absent.
    missed: Vec<bool>,
    /// Other ways to write fields.
    pub shorthands: Vec<shorthand::Shorthand>,
    /// Rules across fields.
    pub checks: Vec<check::Check>,
    /// Rule for the record as a whole.
    pub custom: Option<Box<str>>,
    /// Whether the record may be absent without anything to complain about.
    pub may_be_absent: bool,
    /// Whether one of its fields, or a field of one, may be a vault reference.
    pub may_refer: bool,
}

impl Record {
    /// The shape of a field.
    pub fn field(&self, name: &str) -> Option<&Shape> {
        self.index.get(name).map(|&i| &self.fields[i].1)
    }

    /// All keys it takes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| &**name).chain(self.shorthands.iter().map(|s| &*s.name))
    }

    /// Whether a key it does not take could be a misspelt secret: the nearest one it takes is one, or none is
    /// near and it takes some.
    pub fn may_hide(&self, near: Option<&str>) -> bool {
        let fields = self.fields.iter().map(|(name, shape)| (&**name, shape));
        let shorthands = self.shorthands.iter().map(|s| (&*s.name, &s.shape));
        fields.chain(shorthands).any(|(name, shape)| shape.secret && near.is_none_or(|near| near == name))
    }

    /// Adds a field, or replaces it.
    pub fn set(&mut self, name: &str, shape: Shape) {
        let inside = matches!(&shape.kind, ShapeKind::Record(record) if record.may_refer);
        self.may_refer |= shape.referenceable || inside;
        let missed = shape.is_missed();
        match self.index.get(name) {
            Some(&i) => (self.fields[i].1, self.missed[i]) = (shape, missed),
            None => {
                self.index.insert(name.into(), self.fields.len());
                self.fields.push((name.into(), shape));
                self.missed.push(missed);
            }
        }
    }
}

impl Shape {
    /// A shape of that kind without anything else to it.
    pub fn of(kind: ShapeKind) -> Self {
        Shape {
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

    /// Whether there may be something to say when such a value is absent.
    fn is_missed(&self) -> bool {
        match &self.must_be {
            Some(want) => !want.is_null() && self.default.is_none(),
            None => self.required && !self.auto && self.default.is_none(),
        }
    }

    /// Text that must not be empty.
    pub fn text() -> Self {
        Shape::of(ShapeKind::Text(Box::new(Text { min: 1, ..Text::default() })))
    }
}
