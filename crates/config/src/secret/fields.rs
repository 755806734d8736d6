//! Which fields hold secrets, as the schemas of entities and plugins say, and the masking that depends on it.

use std::borrow::Cow;

use ahash::{AHashMap, AHashSet};
use serde_json::Value as Json;

use super::{MASK, embedded, is_credential_name, is_marked, marked, named_values, spans};
use crate::nearest;
use model::KINDS;
use plugin::Registry;
use source::{FileId, Findings, Span};

/// Which fields of entities and of plugins' settings hold secrets.
pub struct SecretFields {
    /// Names of fields that some schema marks as secret.
    secret: AHashSet<String>,
    /// All other names.
    plain: AHashSet<String>,
    /// Dotted paths of the secret fields in a row of a plugin, by the plugin's name.
    of_plugins: AHashMap<&'static str, Vec<String>>,
}

impl SecretFields {
    /// Reads the schemas of all entities and plugins.
    pub fn new(registry: &Registry) -> Self {
        let mut names =
            SecretFields { secret: AHashSet::new(), plain: AHashSet::new(), of_plugins: AHashMap::new() };
        KINDS.iter().for_each(|kind| names.collect(&(kind.schema)().to_value()));
        for entry in registry.entries() {
            let schema = (entry.schema)().to_value();
            names.collect(&schema);
            names.of_plugins.insert(entry.name, marked(&schema, "config".to_owned()));
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

    /// Whether a field of that name holds a secret somewhere, or is most likely such a field misspelt.
    pub fn is_secret_name(&self, name: &str) -> bool {
        /// Shorter names differ from many a word by one letter.
        const MIN_MISSPELT: usize = 6;
        let SecretFields { secret, plain, .. } = self;
        secret.contains(name)
            || self.is_credential_field(name)
            || !plain.contains(name) && name.len() + 1 >= MIN_MISSPELT && {
                // Few misspell the first letter, and files have many names.
                let like =
                    |known: &&str| known.len() >= MIN_MISSPELT && known.as_bytes()[0] == name.as_bytes()[0];
                nearest(name, secret.iter().map(String::as_str).filter(like)).is_some()
            }
    }

    /// Whether an entry of that name, which no schema knows, carries a credential: a header in a map of headers, a setting
    /// of a plugin that is not known.
    pub fn is_credential_field(&self, name: &str) -> bool {
        is_credential_name(name) && !self.secret.contains(name) && !self.plain.contains(name)
    }

    /// Dotted paths of the secret fields in a row of a plugin: `config.redis.password`. Items of lists are not counted.
    pub fn paths_of_plugin(&self, name: &str) -> &[String] {
        self.of_plugins.get(name).map_or(&[], Vec::as_slice)
    }

    /// The places of values in a text that cannot be parsed whose names are those of secrets.
    pub fn spans_of_named(&self, file: FileId, text: &str) -> impl Iterator<Item = Span> + use<> {
        spans(file, named_values(text, self))
    }

    /// The places of credentials in a file that are recognised by their form.
    pub fn spans_of_embedded(&self, file: FileId, text: &str) -> impl Iterator<Item = Span> + use<> {
        spans(file, embedded(text, self))
    }

    /// A text without the credentials it carries.
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

    /// Masks the credentials that texts anywhere in a value carry: `Authorization:Bearer …` in a list of headers, the
    /// entry `Authorization` of a map of headers, the password of a URL, a private key.
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
                        // `Old:New`: names, and no value.
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

    /// Masks the credentials that findings quote.
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
