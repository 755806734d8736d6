//! Match conditions of routes, as boolean expressions over the fields of a request.
//!
//! Every flavor compiles its routes to these; `match_input` extracts the fields of a request, and `index` finds the few
//! expressions that can match. The semantics are those of Kong's engine: a predicate on a field without value is false;
//! with several values, all must satisfy it (with `any`, one of them); and the last path predicate that matched
//! determines which part of the path was matched.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use http::HeaderName;
use ipnet::IpNet;

use super::{Capture, match_input::MatchInput, pattern::Pattern};

/// A boolean expression over a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    All(Box<[Expr]>),
    Any(Box<[Expr]>),
    Not(Box<Expr>),
    Is(Predicate),
}

/// One predicate.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Predicate {
    pub attribute: Attribute,
    pub op: Op,
}

/// The operand of a predicate.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Attribute {
    pub field: Field,
    pub case: Case,
    /// Whether one of several values is enough.
    pub any: bool,
}

/// Case conversion before a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Case {
    /// No conversion.
    Exact,
    /// The request's value is converted to lower case (Unicode).
    Lower,
    /// The request's value is converted to lower case (ASCII only).
    LowerAscii,
}

/// A field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Field {
    Method,
    Protocol,
    Sni,
    /// Host header, without its port if that is a number.
    Host,
    /// Host header with its port.
    HostAsSent,
    /// Port of the Host header, or the protocol's default.
    HostPort,
    Path,
    /// Segments from the first number to the second, from 0.
    Segments(u32, u32),
    SegmentCount,
    Header(Box<HeaderField>),
    Query(Box<str>),
    SourceIp,
    SourcePort,
    DestinationIp,
    /// Port of the Host header, or of the listener.
    DestinationPort,
}

/// A header name in a route: `_` matches `-`, but a header that actually has the underscores takes precedence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct HeaderField {
    pub underscored: Option<HeaderName>,
    pub dashed: HeaderName,
}

/// Comparison with a constant.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Op {
    Text(TextOp, Box<str>),
    Regex(Arc<Pattern>),
    Number(NumberOp, i64),
    Address { equal: bool, address: IpAddr },
    Network { inside: bool, network: IpNet },
}

/// Comparison of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextOp {
    Equal,
    NotEqual,
    Prefix,
    Suffix,
    Contains,
}

/// Comparison of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberOp {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl From<Field> for Attribute {
    fn from(field: Field) -> Self {
        Attribute { field, case: Case::Exact, any: false }
    }
}

impl HeaderField {
    /// Parses a header name. `None` if it is not valid.
    pub fn new(name: &str) -> Option<HeaderField> {
        let dashed = HeaderName::from_bytes(name.replace('_', "-").as_bytes()).ok()?;
        let plain = name.contains('_') && !name.bytes().any(|b| b.is_ascii_uppercase());
        let underscored = if plain { HeaderName::from_bytes(name.as_bytes()).ok() } else { None };
        Some(HeaderField { underscored, dashed })
    }
}

impl Case {
    /// Converts a value for the comparison.
    pub fn apply(self, value: &[u8]) -> Cow<'_, [u8]> {
        let changes = |b: &u8| b.is_ascii_uppercase() || !b.is_ascii();
        match self {
            Case::Exact => value.into(),
            _ if !value.iter().any(changes) => value.into(),
            Case::Lower => match std::str::from_utf8(value) {
                Ok(text) => text.to_lowercase().into_bytes().into(),
                Err(_) => value.to_ascii_lowercase().into(),
            },
            Case::LowerAscii => value.to_ascii_lowercase().into(),
        }
    }
}

/// What the predicates of the matched route matched.
#[derive(Debug, Default)]
pub(super) struct MatchTrace {
    /// Whether captures are recorded.
    pub capturing: bool,
    /// Bytes of the path that were matched.
    pub matched: usize,
    /// Captures by name; the last one of a name wins.
    pub captures: Vec<Capture>,
}

impl MatchTrace {
    fn capture(&mut self, name: &str, text: &[u8]) {
        let text = String::from_utf8_lossy(text).into();
        match self.captures.iter_mut().find(|(n, _)| &**n == name) {
            Some(found) => found.1 = text,
            None => self.captures.push((name.into(), text)),
        }
    }
}

impl Expr {
    /// Evaluates the expression. If `record` is set, predicates that match are traced in it.
    pub fn matches(&self, input: &MatchInput<'_>, record: &mut Option<&mut MatchTrace>) -> bool {
        match self {
            Expr::All(parts) => parts.iter().all(|part| part.matches(input, record)),
            Expr::Any(parts) => parts.iter().any(|part| part.matches(input, record)),
            Expr::Not(part) => !part.matches(input, record),
            Expr::Is(test) => test.matches(input, record),
        }
    }

    /// Calls `f` with every predicate.
    pub fn each<'e>(&'e self, f: &mut impl FnMut(&'e Predicate)) {
        match self {
            Expr::All(parts) | Expr::Any(parts) => parts.iter().for_each(|part| part.each(f)),
            Expr::Not(part) => part.each(f),
            Expr::Is(test) => f(test),
        }
    }

    /// Whether any regular expression has groups. Without groups there are no captures: Kong drops the capture of the
    /// whole match.
    pub fn captures(&self) -> bool {
        let mut captures = false;
        self.each(&mut |test| captures |= matches!(&test.op, Op::Regex(pattern) if pattern.groups() > 0));
        captures
    }

    /// Returns the length of the matched part of the path if it is the same for every match and nothing is captured.
    pub fn fixed_match(&self) -> Option<usize> {
        let mut lengths = Vec::new();
        let mut open = false;
        self.each(&mut |test| match (&test.op, test.attribute.field == Field::Path) {
            (Op::Regex(pattern), path) => open |= path || pattern.groups() > 0,
            (Op::Text(TextOp::Equal | TextOp::Prefix | TextOp::Suffix, text), true) => {
                lengths.push(text.len())
            }
            _ => {}
        });
        if open {
            return None;
        }
        let Some(&length) = lengths.first() else { return Some(0) };
        let on_path = |expr: &Expr| {
            matches!(expr, Expr::Is(Predicate { attribute, op: Op::Text(op, _) })
                if attribute.field == Field::Path && !matches!(op, TextOp::NotEqual | TextOp::Contains))
        };
        let sure = self.conjuncts().iter().any(|part| match part {
            Expr::Any(parts) => parts.iter().all(on_path),
            part => on_path(part),
        });
        (sure && lengths.iter().all(|&l| l == length)).then_some(length)
    }

    /// Returns the operands of the top-level conjunction.
    pub fn conjuncts(&self) -> &[Expr] {
        match self {
            Expr::All(parts) => parts,
            _ => std::slice::from_ref(self),
        }
    }
}

impl Predicate {
    fn matches(&self, input: &MatchInput<'_>, record: &mut Option<&mut MatchTrace>) -> bool {
        let field = &self.attribute.field;
        match &self.op {
            Op::Number(op, number) => input.number(field).is_some_and(|value| op.matches(value, *number)),
            Op::Address { equal, address } => {
                input.address(field).is_some_and(|value| (value == *address) == *equal)
            }
            Op::Network { inside, network } => {
                input.address(field).is_some_and(|value| network.contains(&value) == *inside)
            }
            Op::Text(..) | Op::Regex(_) => {
                let mut held = false;
                let mut all = true;
                input.each(field, |value| {
                    let value = self.attribute.case.apply(value);
                    let holds = match &self.op {
                        Op::Text(op, text) => op.matches(&value, text.as_bytes()),
                        Op::Regex(pattern) => pattern.is_match(&value),
                        _ => false,
                    };
                    if holds && let Some(record) = record {
                        self.trace(&value, record);
                    }
                    held |= holds;
                    all &= holds;
                    // Stop once the result is known: one matched where one suffices, or one failed where all must match.
                    holds != self.attribute.any
                });
                held && (self.attribute.any || all)
            }
        }
    }

    /// Records what a matching predicate matched.
    fn trace(&self, value: &[u8], record: &mut MatchTrace) {
        let path = self.attribute.field == Field::Path;
        match &self.op {
            Op::Text(TextOp::Equal | TextOp::Prefix | TextOp::Suffix, text) if path => {
                record.matched = text.len()
            }
            Op::Regex(pattern) if record.capturing => {
                let matched = pattern.captures(value, |name, text| record.capture(name, text));
                if path {
                    record.matched = matched;
                }
            }
            Op::Regex(pattern) if path => record.matched = pattern.matched(value),
            _ => {}
        }
    }
}

impl TextOp {
    fn matches(self, value: &[u8], text: &[u8]) -> bool {
        match self {
            TextOp::Equal => value == text,
            TextOp::NotEqual => value != text,
            TextOp::Prefix => value.starts_with(text),
            TextOp::Suffix => value.ends_with(text),
            TextOp::Contains => memchr::memmem::find(value, text).is_some(),
        }
    }
}

impl NumberOp {
    fn matches(self, value: i64, number: i64) -> bool {
        match self {
            NumberOp::Equal => value == number,
            NumberOp::NotEqual => value != number,
            NumberOp::Greater => value > number,
            NumberOp::GreaterOrEqual => value >= number,
            NumberOp::Less => value < number,
            NumberOp::LessOrEqual => value <= number,
        }
    }
}
