//! Secrets never leave: which fields of an entity hold one, and what is shown in its place.

use serde_json::Value;

use super::Segment;
use config::secret::{self, MASK, SecretFields};
use model::KindInfo;

/// Whether what identifies entities of a kind must not be shown: a secret, or a certificate, which is long.
pub(super) fn names_itself(kind: &KindInfo) -> bool {
    let key = kind.comparison.map_or(&[][..], |comparison| comparison.key);
    key == ["cert"]
        || key.iter().any(|field| secret::paths_of_kind(kind.key).iter().any(|path| path == field))
}

/// Dotted paths of the secrets in an entity.
pub(super) fn paths(fields: &'static SecretFields, kind: &str, value: &Value) -> &'static [String] {
    if kind != "plugins" {
        return secret::paths_of_kind(kind);
    }
    value["name"].as_str().map_or(&[], |name| fields.paths_of_plugin(name))
}

/// Whether a path leads to a secret or into one.
pub(super) fn covers(secrets: &[String], path: &[Segment]) -> bool {
    let mut dotted = String::new();
    path.iter().any(|segment| {
        if let Segment::Key(key) = segment {
            if !dotted.is_empty() {
                dotted.push('.');
            }
            dotted.push_str(key);
        }
        secrets.contains(&dotted)
    })
}

/// Replaces a secret in output, which shows only that there is one.
pub(super) fn masked(value: &Value) -> Value {
    if value.is_null() { Value::Null } else { Value::String(MASK.to_owned()) }
}

/// Masks all secrets of an entity: its secret fields, and the credentials that other texts carry.
pub(super) fn mask(value: &mut Value, secrets: &[String], fields: &SecretFields) {
    secrets.iter().for_each(|path| mask_at(value, path));
    fields.redact_json(value);
}

/// Masks what a dotted path leads to, in each item of the lists on its way.
fn mask_at(value: &mut Value, path: &str) {
    let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| mask_at(item, path)),
        Value::Object(map) => match (map.get_mut(key), rest) {
            (Some(inner), Some(rest)) => mask_at(inner, rest),
            (Some(secret), None) => *secret = masked(secret),
            (None, _) => {}
        },
        _ => {}
    }
}
