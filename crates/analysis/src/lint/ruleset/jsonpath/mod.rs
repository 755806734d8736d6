//! JSONPath (RFC 9535), with what rulesets of Spectral write on top: the key of a node (`@property`, `~` at the end),
//! its parent (`^`), regular expressions between slashes (`.match(/…/i)`, `=~ /…/`), `===`, `.length`, `.indexOf(…)`, names with
//! dashes, names in brackets without quotes.

mod parse;
mod query;
mod scanner;
#[cfg(test)]
mod tests;

pub use parse::parse;

use fancy_regex::Regex;
use serde_json::Value as Json;

/// An expression: from the root (`$`) or, in a filter, from the current node (`@`).
#[derive(Clone, Debug)]
pub struct Query {
    from_root: bool,
    segments: Vec<Segment>,
    /// Whether the query selects the keys of the nodes (`~`).
    pub keys: bool,
}

#[derive(Clone, Debug)]
enum Segment {
    Child(Vec<Selector>),
    Descendant(Vec<Selector>),
    Parent,
}

#[derive(Clone, Debug)]
enum Selector {
    Name(String),
    Index(i64),
    Slice { start: Option<i64>, end: Option<i64>, step: i64 },
    Wildcard,
    Filter(Test),
}

/// Condition of a filter on a node.
#[derive(Clone, Debug)]
enum Test {
    Any(Vec<Test>),
    All(Vec<Test>),
    Not(Box<Test>),
    Exists(Query),
    /// Whether the current node has a key that is neither empty nor 0.
    HasProperty,
    Compare(Operand, Comparison, Operand),
    /// Whether a text matches another one's expression, as a whole or in a part.
    Matches {
        text: Operand,
        regex: Operand,
        whole: bool,
    },
    /// The same with a constant expression.
    Regex(Operand, Regex),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// An expression with at most one value.
#[derive(Clone, Debug)]
enum Operand {
    Literal(Json),
    /// A query that finds at most one node.
    Singular(Query),
    /// The key of the current node.
    Property,
    Length(Box<Operand>),
    /// The first position of a text in a text or list; -1 if it does not occur.
    IndexOf(Box<Operand>, String),
    Count(Query),
    Value(Query),
}

impl Query {
    /// Whether the query finds at most one node.
    fn is_singular(&self) -> bool {
        !self.keys
            && self.segments.iter().all(|segment| match segment {
                Segment::Child(selectors) => {
                    matches!(selectors[..], [Selector::Name(_) | Selector::Index(_)])
                }
                Segment::Descendant(_) => false,
                Segment::Parent => true,
            })
    }
}
