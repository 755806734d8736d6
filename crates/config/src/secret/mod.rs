//! Detection of secrets, and masking in all output.
//!
//! Three kinds of values are secret: fields that a schema marks with `x-encrypted`, PEM private keys, and
//! credentials with a known form inside other text (the value of a header such as `Authorization` or of an
//! argument such as `access_token`, the password in a URL). Schema validation ([`super::validator::Validator`]) records
//! the spans of the first kind. Values that validation does not reach are detected by field names: nodes by
//! [`Hidden`], invalid YAML by [`named_values`]. The other two kinds are detected in any text by [`embedded`].

mod embedded;
mod fields;
mod lexical;

use std::{ops::Range, sync::LazyLock};

use ahash::AHashMap;
use serde_json::Value as Json;

pub use embedded::embedded;
pub use fields::SecretFields;
pub use lexical::named_values;
use model::is_credential_name;

use model::{KINDS, KindInfo};
use source::{Document, FileId, Findings, NodeId, SourceMap, Span, Value, truncated};

/// Replacement text of a secret.
pub const MASK: &str = "[masked]";

fn is_marked(field: &Json) -> bool {
    field.get("x-encrypted") == Some(&Json::Bool(true))
}

/// Returns whether entities of a kind contain secrets. A scalar in place of such an entity, or of their list, may
/// be a secret.
pub fn holds_secrets(kind: &str) -> bool {
    !paths_of_kind(kind).is_empty()
}

/// Returns whether entities of a kind are identified by a secret.
pub fn is_identified_by_secret(kind: &str) -> bool {
    let name = KindInfo::of(kind).and_then(|kind| kind.name);
    name.is_some_and(|name| paths_of_kind(kind).iter().any(|path| path == name))
}

/// Collector of secret spans among nodes without a schema.
pub struct Hidden<'a> {
    fields: &'a SecretFields,
    /// Spans found.
    pub spans: Vec<Span>,
    /// Cache of decisions by name, since names repeat.
    known: AHashMap<String, bool>,
}

impl<'a> Hidden<'a> {
    /// Creates an empty collector.
    pub fn new(fields: &'a SecretFields) -> Self {
        Hidden { fields, spans: Vec::new(), known: AHashMap::new() }
    }

    /// Adds a map entry.
    pub fn entry(&mut self, doc: &Document, key: NodeId, value: NodeId) {
        let secret = doc.str(key).is_some_and(|name| match self.known.get(name) {
            Some(&secret) => secret,
            None => {
                *self.known.entry(name.to_owned()).or_insert_with_key(|name| self.fields.is_secret_name(name))
            }
        });
        if secret {
            self.spans.push(doc.span(value));
        } else if doc.str(key).is_some_and(holds_secrets) {
            self.rows(doc, value);
        } else {
            self.value(doc, value);
        }
    }

    /// Adds a scalar in place of an entity, or entities, that contain secrets.
    fn rows(&mut self, doc: &Document, node: NodeId) {
        let Value::Seq(items) = doc.value(node) else { return self.spans.push(doc.span(node)) };
        for &item in items.iter() {
            match doc.value(item) {
                Value::Map(_) => self.value(doc, item),
                _ => self.spans.push(doc.span(item)),
            }
        }
    }

    /// Adds a value and everything below it.
    pub fn value(&mut self, doc: &Document, node: NodeId) {
        match doc.value(node) {
            Value::Map(entries) => entries.iter().for_each(|entry| self.entry(doc, entry.key, entry.value)),
            Value::Seq(items) => items.iter().for_each(|&item| self.value(doc, item)),
            _ => {}
        }
    }
}

/// Adds the spans of anchored scalars that secret aliases refer to.
pub fn follow_aliases(doc: &Document, secrets: &mut Vec<Span>) {
    if doc.aliases().is_empty() {
        return;
    }
    secrets.sort_unstable();
    // Running maximum of the ends, since secrets may be nested.
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

fn spans(file: FileId, ranges: Vec<Range<usize>>) -> impl Iterator<Item = Span> {
    ranges.into_iter().map(move |range| Span { file, start: range.start as u32, end: range.end as u32 })
}

/// Returns the dotted paths of the secret fields of a kind.
pub fn paths_of_kind(kind: &str) -> &'static [String] {
    static PATHS: LazyLock<AHashMap<&str, Vec<String>>> = LazyLock::new(|| {
        KINDS.iter().map(|kind| (kind.key, marked(&(kind.schema)().to_value(), String::new()))).collect()
    });
    PATHS.get(kind).map_or(&[], Vec::as_slice)
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

/// Returns the secrets that a finding at that span may quote: the one containing it, or those within it.
pub fn quotable_secrets(span: Span, sources: &SourceMap, secrets: &[Span]) -> Vec<String> {
    /// Messages never quote longer texts in full.
    const MAX_BYTES: u32 = 4096;
    let holds = |outer: Span, inner: Span| {
        outer.file == inner.file && outer.start <= inner.start && inner.end <= outer.end
    };
    let inner = |secret: &Span| match (holds(*secret, span), holds(span, *secret)) {
        (true, _) => Some(span),
        (false, true) if span.end - span.start <= MAX_BYTES => Some(*secret),
        _ => None,
    };
    let mut places: Vec<Span> = secrets.iter().filter_map(inner).collect();
    places.sort_unstable();
    places.dedup();
    let text = sources.get(span.file).text();
    places.into_iter().flat_map(|place| quotations(&text[place.start as usize..place.end as usize])).collect()
}

/// Returns the forms in which a secret may be quoted, given its source text.
fn quotations(written: &str) -> Vec<String> {
    let bare = written.trim_matches(['"', '\'']);
    // JSON escapes are a subset of those of YAML.
    let decoded = serde_json::from_str::<String>(written).ok().filter(|text| text != bare);
    // A single character is not a secret, and may be the subject of a syntax error.
    [Some(bare.to_owned()), decoded]
        .into_iter()
        .flatten()
        .filter(|text| text.chars().nth(1).is_some())
        .collect()
}

/// Masks secrets that their findings quote in backquotes, or have as the last segment of their path.
pub fn hide_quoted(findings: &mut Findings, sources: &SourceMap, secrets: &[Span]) {
    const STARS: &str = "****";
    for finding in &mut findings.0 {
        let Some(span) = finding.span() else { continue };
        for quoted in quotable_secrets(span, sources, secrets) {
            let labels = finding.labels.iter_mut().map(|label| &mut label.text);
            for text in [&mut finding.message].into_iter().chain(&mut finding.help).chain(labels) {
                *text = text
                    .replace(&format!("`{quoted}`"), &format!("`{STARS}`"))
                    .replace(&format!("`{}`", truncated(&quoted)), &format!("`{STARS}`"));
            }
            if let Some(path) = finding.path.as_mut()
                && let Some(owner) = path.strip_suffix(&format!(".{quoted}"))
            {
                *path = format!("{owner}.{STARS}");
            }
        }
    }
}

#[cfg(test)]
mod tests;
