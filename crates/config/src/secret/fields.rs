//! Secret fields according to the schemas of entities and plugins, and masking based on them.

use std::borrow::Cow;

use ahash::{AHashMap, AHashSet};
use serde_json::Value as Json;

use super::{MASK, embedded, is_credential_name, is_marked, marked, named_values, spans};
use crate::nearest;
use model::KINDS;
use plugin::Registry;
use source::{FileId, Findings, Span};

/// Fields of entities and plugin settings that contain secrets.
pub struct SecretFields {
    /// Names that a schema marks as secret.
    secret: AHashSet<String>,
    /// All other names.
    plain: AHashSet<String>,
    /// Dotted paths of the secret fields in a plugin row, by plugin name.
    of_plugins: AHashMap<String, Vec<String>>,
}

impl SecretFields {
    /// Collects the fields from the schemas of all entities and plugins.
    pub fn new(registry: &Registry) -> Self {
        let mut names =
            SecretFields { secret: AHashSet::new(), plain: AHashSet::new(), of_plugins: AHashMap::new() };
        KINDS.iter().for_each(|kind| names.collect(&(kind.schema)().to_value()));
        for entry in registry.descriptors() {
            let schema = (entry.schema)().to_value();
            names.collect(&schema);
            names.of_plugins.insert(entry.name.to_string(), marked(&schema, "config".to_owned()));
        }
        names.plain.extend(KINDS.iter().map(|kind| kind.key.to_owned()));
        names.plain.retain(|name| !names.secret.contains(name));
        names
    }

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

    /// Returns whether a field of that name is secret in some schema, or is probably a misspelling of one.
    pub fn is_secret_name(&self, name: &str) -> bool {
        /// Shorter names are within one letter of too many words.
        const MIN_MISSPELT: usize = 6;
        let SecretFields { secret, plain, .. } = self;
        secret.contains(name)
            || self.is_credential_field(name)
            || !plain.contains(name) && name.len() + 1 >= MIN_MISSPELT && {
                // Compare only names with the same first letter: it is rarely misspelt, and files have many names.
                let like =
                    |known: &&str| known.len() >= MIN_MISSPELT && known.as_bytes()[0] == name.as_bytes()[0];
                nearest(name, secret.iter().map(String::as_str).filter(like)).is_some()
            }
    }

    /// Returns whether an entry that no schema covers carries a credential by its name: a header in a map of
    /// headers, a setting of an unknown plugin.
    pub fn is_credential_field(&self, name: &str) -> bool {
        is_credential_name(name) && !self.secret.contains(name) && !self.plain.contains(name)
    }

    /// Returns the dotted paths of the secret fields in a plugin row: `config.redis.password`, without list
    /// indexes.
    pub fn paths_of_plugin(&self, name: &str) -> &[String] {
        self.of_plugins.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns the spans of values with secret names in an unparsable text.
    pub fn spans_of_named(&self, file: FileId, text: &str) -> impl Iterator<Item = Span> + use<> {
        spans(file, named_values(text, self))
    }

    /// Returns the spans of credentials in a file that are recognised by their form.
    pub fn spans_of_embedded(&self, file: FileId, text: &str) -> impl Iterator<Item = Span> + use<> {
        spans(file, embedded(text, self))
    }

    /// Masks the credentials in a text.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let found = embedded(text, self);
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

    /// Masks the credentials in all strings of a JSON value: `Authorization:Bearer …` in a list of headers, the
    /// entry `Authorization` of a map of headers, a URL password, a private key.
    pub fn redact_json(&self, value: &mut Json) {
        match value {
            Json::String(text) => {
                if let Cow::Owned(masked) = self.redact(text) {
                    *text = masked;
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.redact_json(item)),
            Json::Object(map) => {
                for (name, value) in map {
                    match value {
                        // `Old:New` pairs of names; no values.
                        Json::Object(lists) if name == "rename" => {
                            lists
                                .iter_mut()
                                .filter(|(name, _)| *name != "headers")
                                .for_each(|(_, v)| self.redact_json(v));
                        }
                        Json::String(_) | Json::Array(_) if self.is_credential_field(name) => {
                            *value = Json::String(MASK.to_owned());
                        }
                        _ => self.redact_json(value),
                    }
                }
            }
            _ => {}
        }
    }

    /// Masks the credentials quoted by findings.
    pub fn redact_findings(&self, findings: &mut Findings) {
        for finding in &mut findings.0 {
            let labels = finding.labels.iter_mut().map(|label| &mut label.text);
            for text in [&mut finding.message].into_iter().chain(&mut finding.help).chain(labels) {
                if let Cow::Owned(masked) = self.redact(text) {
                    *text = masked;
                }
            }
        }
    }
}
