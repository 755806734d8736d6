//! Which values are secrets, and how they are kept out of everything that is printed.
//!
//! Three kinds of values are secrets: those of fields that a schema marks (`x-encrypted`), private keys in PEM, and
//! credentials that other texts carry in a known form (the value of a header such as `Authorization`, the password
//! in a URL). Where a document is walked along its schema, [`super::shape::Walker`] notes the places of the first
//! kind. What it does not reach is judged by the names of fields: nodes by [`Hidden`], a text that is not even
//! YAML by [`named_values`]. The other two kinds are recognised in any text, by [`embedded`].

mod embedded;
mod lexical;

use std::{borrow::Cow, ops::Range, sync::LazyLock};

use ahash::{AHashMap, AHashSet};
use serde_json::Value as Json;

pub use crate::model::is_credential_header;
pub use embedded::embedded;
pub use lexical::named_values;

use super::nearest;
use crate::{
    model::KINDS,
    plugins,
    source::{Document, FileId, Findings, NodeId, Span, Value},
};

/// What is shown in place of a secret.
pub const MASK: &str = "[masked]";

/// Names of fields, of all entities and all plugins' settings.
struct Names {
    /// Those that some schema marks as secret.
    secret: AHashSet<String>,
    /// All others.
    plain: AHashSet<String>,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let mut names = Names { secret: AHashSet::new(), plain: AHashSet::new() };
    let kinds = KINDS.iter().map(|kind| (kind.schema)().to_value());
    let settings = plugins::entries().iter().map(|entry| (entry.schema)().to_value());
    kinds.chain(settings).for_each(|schema| names.collect(&schema));
    names.plain.extend(KINDS.iter().map(|kind| kind.key.to_owned()));
    names.plain.retain(|name| !names.secret.contains(name));
    names
});

impl Names {
    fn collect(&mut self, schema: &Json) {
        match schema {
            Json::Object(map) => {
                let named = map.get("properties").and_then(Json::as_object).into_iter().flatten();
                let short = map.get("x-shorthands").and_then(Json::as_array).into_iter().flatten();
                let short = short.filter_map(|field| Some((field.get("name")?.as_str()?, field)));
                for (name, field) in named.map(|(name, field)| (name.as_str(), field)).chain(short) {
                    let names = if is_marked(field) { &mut self.secret } else { &mut self.plain };
                    names.insert(name.to_owned());
                }
                map.values().for_each(|inner| self.collect(inner));
            }
            Json::Array(list) => list.iter().for_each(|inner| self.collect(inner)),
            _ => {}
        }
    }
}

fn is_marked(field: &Json) -> bool {
    field.get("x-encrypted") == Some(&Json::Bool(true))
}

/// Whether a field of that name holds a secret somewhere, or is most likely such a field misspelt.
pub fn is_secret_name(name: &str) -> bool {
    /// Shorter names differ from many a word by one letter.
    const MIN_MISSPELT: usize = 6;
    let Names { secret, plain } = &*NAMES;
    secret.contains(name)
        || !plain.contains(name) && name.len() + 1 >= MIN_MISSPELT && {
            // Few misspell the first letter, and files have many names.
            let like =
                |known: &&str| known.len() >= MIN_MISSPELT && known.as_bytes()[0] == name.as_bytes()[0];
            nearest(name, secret.iter().map(String::as_str).filter(like)).is_some()
        }
}

/// Collects the places of secrets among nodes that no schema was walked along.
#[derive(Default)]
pub struct Hidden {
    /// The places.
    pub spans: Vec<Span>,
    /// What was decided about names so far; files repeat them.
    known: AHashMap<String, bool>,
}

impl Hidden {
    /// A value, with its name if it has one.
    pub fn entry(&mut self, doc: &Document, key: NodeId, value: NodeId) {
        let secret = doc.str(key).is_some_and(|name| match self.known.get(name) {
            Some(&secret) => secret,
            None => *self.known.entry(name.to_owned()).or_insert_with_key(|name| is_secret_name(name)),
        });
        match secret {
            true => self.spans.push(doc.span(value)),
            false => self.value(doc, value),
        }
    }

    /// A value and all inside.
    pub fn value(&mut self, doc: &Document, node: NodeId) {
        match doc.value(node) {
            Value::Map(entries) => entries.iter().for_each(|entry| self.entry(doc, entry.key, entry.value)),
            Value::Seq(items) => items.iter().for_each(|&item| self.value(doc, item)),
            _ => {}
        }
    }
}

/// Adds the places of the scalars that secrets written as an alias refer to.
pub fn follow_aliases(doc: &Document, secrets: &mut Vec<Span>) {
    if doc.aliases().is_empty() {
        return;
    }
    secrets.sort_unstable();
    // The furthest end of all that begin before, since a secret may lie in another.
    let mut ends: Vec<(Span, u32)> = Vec::with_capacity(secrets.len());
    for &span in secrets.iter() {
        let end = ends.last().filter(|(last, _)| last.file == span.file).map_or(0, |(_, end)| *end);
        ends.push((span, end.max(span.end)));
    }
    let secret = |alias: Span| {
        let before = ends.partition_point(|(span, _)| (span.file, span.start) <= (alias.file, alias.start));
        ends[..before].last().is_some_and(|(span, end)| span.file == alias.file && alias.end <= *end)
    };
    let hidden = doc.aliases().iter().filter(|(alias, _)| secret(doc.span(*alias)));
    secrets.extend(hidden.map(|(_, anchor)| doc.span(*anchor)).collect::<Vec<_>>());
}

/// The places of values in a text that cannot be parsed whose names are those of secrets.
pub fn spans_of_named(file: FileId, text: &str) -> impl Iterator<Item = Span> {
    spans(file, named_values(text))
}

/// The places of credentials in a file that are recognised by their form.
pub fn spans_of_embedded(file: FileId, text: &str) -> impl Iterator<Item = Span> {
    spans(file, embedded(text))
}

fn spans(file: FileId, ranges: Vec<Range<usize>>) -> impl Iterator<Item = Span> {
    ranges.into_iter().map(move |range| Span { file, start: range.start as u32, end: range.end as u32 })
}

/// Dotted paths of the secret fields in an entity of a kind.
pub fn paths_of_kind(kind: &str) -> &'static [String] {
    static PATHS: LazyLock<AHashMap<&str, Vec<String>>> = LazyLock::new(|| {
        KINDS.iter().map(|kind| (kind.key, marked(&(kind.schema)().to_value(), String::new()))).collect()
    });
    PATHS.get(kind).map_or(&[], Vec::as_slice)
}

/// Dotted paths of the secret fields in a row of a plugin: `config.redis.password`. Items of lists are not counted.
pub fn paths_of_plugin(name: &str) -> &'static [String] {
    static PATHS: LazyLock<AHashMap<&str, Vec<String>>> = LazyLock::new(|| {
        let entries = plugins::entries().iter();
        entries.map(|entry| (entry.name, marked(&(entry.schema)().to_value(), "config".to_owned()))).collect()
    });
    PATHS.get(name).map_or(&[], Vec::as_slice)
}

fn marked(schema: &Json, prefix: String) -> Vec<String> {
    let mut found = Vec::new();
    for (name, field) in schema.get("properties").and_then(Json::as_object).into_iter().flatten() {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if is_marked(field) {
            found.push(path);
        } else {
            found.extend(marked(field, path));
        }
    }
    let inner = schema.get("anyOf").and_then(Json::as_array).into_iter().flatten();
    for inner in inner.chain(schema.get("items")) {
        found.extend(marked(inner, prefix.clone()));
    }
    found
}

/// A text without the credentials it carries.
pub fn redact(text: &str) -> Cow<'_, str> {
    let found = embedded(text);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let (mut out, mut copied) = (String::with_capacity(text.len()), 0);
    for range in found.into_iter().filter(|range| !range.is_empty()) {
        if range.start >= copied {
            out.push_str(&text[copied..range.start]);
            out.push_str(MASK);
        }
        copied = copied.max(range.end);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// Masks the credentials that texts anywhere in a value carry: `Authorization:Bearer …` in a list of headers, the
/// entry `Authorization` of a map of headers, the password of a URL, a private key.
pub fn redact_json(value: &mut Json) {
    match value {
        Json::String(text) => {
            if let Cow::Owned(masked) = redact(text) {
                *text = masked;
            }
        }
        Json::Array(items) => items.iter_mut().for_each(redact_json),
        Json::Object(map) => {
            for (name, value) in map {
                match value {
                    // `Old:New`: names, and no value.
                    Json::Object(lists) if name == "rename" => {
                        lists
                            .iter_mut()
                            .filter(|(name, _)| *name != "headers")
                            .for_each(|(_, v)| redact_json(v));
                    }
                    Json::String(_) | Json::Array(_) if is_credential_header(name) => {
                        *value = Json::String(MASK.to_owned());
                    }
                    _ => redact_json(value),
                }
            }
        }
        _ => {}
    }
}

/// Masks the credentials that findings quote.
pub fn redact_findings(findings: &mut Findings) {
    for finding in &mut findings.0 {
        let labels = finding.labels.iter_mut().map(|label| &mut label.text);
        for text in [&mut finding.message].into_iter().chain(&mut finding.help).chain(labels) {
            if let Cow::Owned(masked) = redact(text) {
                *text = masked;
            }
        }
    }
}

#[cfg(test)]
mod tests;
