//! Arguments of a query or a form: parsing, application of rules, serialisation.

use std::borrow::Cow;

use http_codec::urlencoded;
use indexmap::IndexMap;
use smallvec::SmallVec;

use super::rules::FieldRules;
use crate::shared::{
    body_format::{is_field, renamed},
    template::{Env, RenderError},
};

/// Values of one argument; `None` represents an argument without `=`.
type Values = SmallVec<[Option<Vec<u8>>; 1]>;

/// Arguments by name, in the order in which names first occur.
#[derive(Debug, Default)]
pub struct Args(IndexMap<Vec<u8>, Values, ahash::RandomState>);

/// Maximum number of arguments of a form. Each takes memory while the form is transformed.
const MAX_FORM_ARGS: usize = 10_000;

impl Args {
    /// Parses a form; `None` if it has too many arguments.
    pub fn read_form(text: &[u8]) -> Option<Self> {
        let count = memchr::memchr_iter(b'&', text).take(MAX_FORM_ARGS).count();
        (count < MAX_FORM_ARGS).then(|| Self::read(text))
    }

    /// Parses `a=1&b`. An argument without a name is dropped.
    pub fn read(text: &[u8]) -> Self {
        let mut args = Args::default();
        for argument in urlencoded::arguments(text) {
            let values = args.0.entry(argument.name().into_owned()).or_default();
            values.push(argument.value().map(Cow::into_owned));
        }
        args
    }

    /// Returns whether there are no arguments.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends other arguments.
    pub fn extend(&mut self, others: Args) {
        for (name, values) in others.0 {
            self.0.entry(name).or_default().extend(values);
        }
    }

    /// Applies rules; returns whether anything changed. Rules that remove, rename or replace match every name that a
    /// parser may treat as the field.
    pub fn apply(&mut self, rules: &FieldRules, env: &Env<'_>) -> Result<bool, RenderError> {
        let mut changed = false;
        for name in &rules.remove {
            changed |= self.remove(name);
        }
        for (old, new) in &rules.rename {
            let new = new.render(env)?;
            if *new == *old.as_bytes() {
                continue;
            }
            let is_old = |name: &&Vec<u8>| is_field(name, old.as_bytes());
            for name in self.0.keys().filter(is_old).cloned().collect::<Vec<_>>() {
                if let Some(values) = self.0.shift_remove(&name) {
                    self.0.insert(renamed(&name, old.as_bytes(), &new), values);
                    changed = true;
                }
            }
        }
        for (name, value) in &rules.replace {
            let value = value.render(env)?;
            if let Some(at) = self.0.keys().position(|argument| is_field(argument, name.as_bytes())) {
                self.remove(name);
                let values = SmallVec::from_elem(Some(value.into_owned()), 1);
                self.0.shift_insert(at, name.as_bytes().to_vec(), values);
                changed = true;
            }
        }
        for (name, value) in &rules.add {
            let value = value.render(env)?;
            if !self.0.contains_key(name.as_bytes()) {
                self.0.insert(name.as_bytes().to_vec(), SmallVec::from_elem(Some(value.into_owned()), 1));
                changed = true;
            }
        }
        for (name, value) in &rules.append {
            let values = self.0.entry(name.as_bytes().to_vec()).or_default();
            // As with Kong, the value replaces a single argument without `=`.
            if matches!(values[..], [None]) {
                values.clear();
            }
            values.push(Some(value.render(env)?.into_owned()));
            changed = true;
        }
        Ok(changed)
    }

    /// Removes a field; returns whether it was present.
    fn remove(&mut self, field: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|name, _| !is_field(name, field.as_bytes()));
        self.0.len() < before
    }

    /// Serialises the arguments in order.
    pub fn write(&self) -> String {
        self.pieces().join("&")
    }

    /// Serialises the arguments sorted by name, as Kong does for a query.
    pub fn write_sorted(&self) -> String {
        let mut pieces = self.pieces();
        pieces.sort_unstable();
        pieces.join("&")
    }

    /// Serialises each name with all of its values.
    fn pieces(&self) -> Vec<String> {
        let piece = |(name, values): (&Vec<u8>, &Values)| {
            let mut out = String::new();
            for value in values {
                urlencoded::append(&mut out, name, value.as_deref());
            }
            out
        };
        self.0.iter().map(piece).collect()
    }
}
