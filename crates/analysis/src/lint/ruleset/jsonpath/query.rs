//! Evaluation of queries on a document.

use std::{borrow::Cow, rc::Rc};

use serde_json::Value as Json;

use super::{Comparison, Operand, Query, Segment, Selector, Test};

/// A node, and its path from the root.
#[derive(Clone)]
struct Node<'j> {
    value: &'j Json,
    step: Option<Rc<Step<'j>>>,
}

/// The last step of a path.
struct Step<'j> {
    key: Key<'j>,
    parent: Node<'j>,
}

#[derive(Clone, Copy)]
enum Key<'j> {
    Name(&'j str),
    Index(usize),
}

impl Query {
    /// Returns the paths of all nodes that the query finds, from the root.
    pub fn find(&self, root: &Json) -> Vec<Vec<String>> {
        let root = Node { value: root, step: None };
        let has_parents = self.segments.iter().any(|segment| matches!(segment, Segment::Parent));
        let mut found: Vec<Vec<String>> = Vec::new();
        let mut seen = ahash::AHashSet::new();
        for node in self.nodes(&root, &root) {
            let path = node.path();
            // Children have one parent.
            if !has_parents || seen.insert(path.clone()) {
                found.push(path);
            }
        }
        found
    }

    fn nodes<'j>(&self, root: &Node<'j>, current: &Node<'j>) -> Vec<Node<'j>> {
        let mut nodes = vec![if self.from_root { root.clone() } else { current.clone() }];
        for segment in &self.segments {
            let mut next = Vec::new();
            for node in &nodes {
                match segment {
                    Segment::Child(selectors) => node.select(selectors, root, &mut next),
                    Segment::Descendant(selectors) => node.descend(selectors, root, &mut next),
                    Segment::Parent => next.extend(node.step.as_ref().map(|step| step.parent.clone())),
                }
            }
            nodes = next;
        }
        nodes
    }

    /// The value of a query that finds one node at most. `.length` is the length of what has no such member.
    fn value<'j>(&self, root: &Node<'j>, current: &Node<'j>) -> Option<Cow<'j, Json>> {
        if let Some(node) = self.nodes(root, current).into_iter().next() {
            return Some(Cow::Borrowed(node.value));
        }
        let (last, before) = self.segments.split_last()?;
        let is_length =
            matches!(last, Segment::Child(s) if matches!(&s[..], [Selector::Name(name)] if name == "length"));
        let before = Query { segments: before.to_vec(), ..*self };
        let of = before.nodes(root, current).into_iter().next().filter(|_| is_length)?;
        if of.value.is_object() { None } else { length(of.value) }
    }
}

impl<'j> Node<'j> {
    fn path(&self) -> Vec<String> {
        let mut path = Vec::new();
        let mut node = self;
        while let Some(step) = &node.step {
            path.push(match step.key {
                Key::Name(name) => name.to_owned(),
                Key::Index(index) => index.to_string(),
            });
            node = &step.parent;
        }
        path.reverse();
        path
    }

    fn child(&self, key: Key<'j>, value: &'j Json) -> Node<'j> {
        Node { value, step: Some(Rc::new(Step { key, parent: self.clone() })) }
    }

    fn children(&self) -> Vec<Node<'j>> {
        match self.value {
            Json::Object(map) => map.iter().map(|(key, value)| self.child(Key::Name(key), value)).collect(),
            Json::Array(items) => {
                items.iter().enumerate().map(|(i, value)| self.child(Key::Index(i), value)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn item(&self, index: usize) -> Option<Node<'j>> {
        self.value.as_array()?.get(index).map(|value| self.child(Key::Index(index), value))
    }

    fn select(&self, selectors: &[Selector], root: &Node<'j>, found: &mut Vec<Node<'j>>) {
        for selector in selectors {
            match selector {
                Selector::Name(name) => {
                    let entry = self.value.as_object().and_then(|map| map.get_key_value(name));
                    found.extend(entry.map(|(key, value)| self.child(Key::Name(key), value)));
                }
                Selector::Index(index) => {
                    let length = self.value.as_array().map_or(0, Vec::len) as i64;
                    let index = if *index < 0 { length + index } else { *index };
                    found.extend(usize::try_from(index).ok().and_then(|index| self.item(index)));
                }
                Selector::Slice { start, end, step } => {
                    let length = self.value.as_array().map_or(0, Vec::len);
                    found.extend(slice(length, *start, *end, *step).into_iter().filter_map(|i| self.item(i)));
                }
                Selector::Wildcard => found.extend(self.children()),
                Selector::Filter(test) => {
                    found.extend(self.children().into_iter().filter(|child| test.holds(root, child)));
                }
            }
        }
    }

    fn descend(&self, selectors: &[Selector], root: &Node<'j>, found: &mut Vec<Node<'j>>) {
        self.select(selectors, root, found);
        for child in self.children() {
            child.descend(selectors, root, found);
        }
    }
}

/// The indices of a slice (RFC 9535, section 2.3.4.2.2).
fn slice(length: usize, start: Option<i64>, end: Option<i64>, step: i64) -> Vec<usize> {
    let length = length as i64;
    let from_end = |i: i64| if i < 0 { length + i } else { i };
    let indices: Vec<i64> = match step {
        0 => Vec::new(),
        1.. => {
            let start = from_end(start.unwrap_or(0)).clamp(0, length);
            let end = from_end(end.unwrap_or(length)).clamp(0, length);
            (start..end).step_by(usize::try_from(step).unwrap_or(usize::MAX)).collect()
        }
        _ => {
            let start = start.map_or(length - 1, from_end).clamp(-1, length - 1);
            let end = end.map_or(-1, |end| from_end(end).clamp(-1, length - 1));
            let step = usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX);
            (end + 1..=start).rev().step_by(step).collect()
        }
    };
    indices.into_iter().filter_map(|i| usize::try_from(i).ok()).collect()
}

impl Test {
    fn holds<'j>(&self, root: &Node<'j>, node: &Node<'j>) -> bool {
        match self {
            Test::Any(tests) => tests.iter().any(|test| test.holds(root, node)),
            Test::All(tests) => tests.iter().all(|test| test.holds(root, node)),
            Test::Not(test) => !test.holds(root, node),
            Test::Exists(query) => !query.nodes(root, node).is_empty(),
            Test::Compare(left, comparison, right) => {
                let (left, right) = (left.value(root, node), right.value(root, node));
                compare(left.as_deref(), *comparison, right.as_deref())
            }
            Test::Matches { text, regex, whole } => {
                let (text, regex) = (text.value(root, node), regex.value(root, node));
                let (Some(text), Some(regex)) =
                    (text.as_deref().and_then(Json::as_str), regex.as_deref().and_then(Json::as_str))
                else {
                    return false;
                };
                // An expression that cannot be compiled matches nothing.
                let wanted = if *whole { format!(r"\A(?R:{regex})\z") } else { format!("(?R:{regex})") };
                regex::Regex::new(&wanted).is_ok_and(|regex| regex.is_match(text))
            }
            Test::HasProperty => node.step.as_ref().is_some_and(|step| match step.key {
                Key::Name(name) => !name.is_empty(),
                Key::Index(index) => index != 0,
            }),
            Test::Regex(text, regex) => match text.value(root, node).as_deref() {
                // Numbers and switches match as they are written.
                Some(value @ (Json::String(_) | Json::Number(_) | Json::Bool(_))) => {
                    let text = value.as_str().map_or_else(|| value.to_string().into(), Cow::Borrowed);
                    regex.is_match(&*text).unwrap_or(false)
                }
                _ => false,
            },
        }
    }
}

impl Operand {
    fn value<'j>(&self, root: &Node<'j>, node: &Node<'j>) -> Option<Cow<'j, Json>> {
        match self {
            Operand::Literal(value) => Some(Cow::Owned(value.clone())),
            Operand::Singular(query) => query.value(root, node),
            Operand::Property => node.step.as_ref().map(|step| {
                Cow::Owned(match step.key {
                    Key::Name(name) => Json::from(name),
                    Key::Index(index) => Json::from(index),
                })
            }),
            Operand::IndexOf(of, text) => index_of(&*of.value(root, node)?, text),
            Operand::Length(of) => length(&*of.value(root, node)?),
            Operand::Count(query) => Some(Cow::Owned(Json::from(query.nodes(root, node).len()))),
            Operand::Value(query) => match &query.nodes(root, node)[..] {
                [one] => Some(Cow::Borrowed(one.value)),
                _ => None,
            },
        }
    }
}

/// Texts are counted in units of UTF-16, as JavaScript does.
fn index_of(value: &Json, wanted: &str) -> Option<Cow<'static, Json>> {
    let at = match value {
        Json::String(text) => text.find(wanted).map(|at| text[..at].encode_utf16().count()),
        Json::Array(items) => items.iter().position(|item| item == wanted),
        _ => return None,
    };
    Some(Cow::Owned(at.map_or(Json::from(-1), Json::from)))
}

fn length(value: &Json) -> Option<Cow<'static, Json>> {
    let length = match value {
        Json::String(text) => text.chars().count(),
        Json::Array(items) => items.len(),
        Json::Object(map) => map.len(),
        _ => return None,
    };
    Some(Cow::Owned(Json::from(length)))
}

/// Compares values, of which each may be missing.
fn compare(left: Option<&Json>, comparison: Comparison, right: Option<&Json>) -> bool {
    let equal = match (left, right) {
        (Some(left), Some(right)) => equals(left, right),
        (left, right) => left.is_none() && right.is_none(),
    };
    let less = |a: Option<&Json>, b: Option<&Json>| match (a, b) {
        (Some(Json::Number(a)), Some(Json::Number(b))) => a.as_f64() < b.as_f64(),
        (Some(Json::String(a)), Some(Json::String(b))) => a < b,
        _ => false,
    };
    match comparison {
        Comparison::Equal => equal,
        Comparison::NotEqual => !equal,
        Comparison::Less => less(left, right),
        Comparison::LessOrEqual => equal || less(left, right),
        Comparison::Greater => less(right, left),
        Comparison::GreaterOrEqual => equal || less(right, left),
    }
}

fn equals(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(a), Json::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equals(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equals(a, b)))
        }
        (left, right) => left == right,
    }
}
