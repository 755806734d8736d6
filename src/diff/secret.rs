//! Secrets never leave: which fields hold one, and what is shown in its place.

use std::sync::LazyLock;

use ahash::AHashMap;
use serde_json::Value;

use super::Segment;
use crate::{plugin::Entry, plugins};

/// What stands in place of a secret.
pub const MASK: &str = "[masked]";

/// Fields of entities that hold a secret.
fn of_kind(kind: &str) -> &'static [&'static str] {
    match kind {
        "keyauth_credentials" => &["key"],
        "basicauth_credentials" => &["password"],
        "hmacauth_credentials" => &["secret"],
        "jwt_secrets" => &["secret"],
        "oauth2_credentials" => &["client_secret"],
        "certificates" => &["key", "key_alt"],
        "keys" => &["jwk", "pem"],
        _ => &[],
    }
}

/// Whether entities of a kind are identified by a secret.
pub(super) fn names_itself(kind: &str) -> bool {
    matches!(kind, "keyauth_credentials" | "certificates" | "ca_certificates")
}

/// Dotted paths of the secrets in an entity.
pub(super) fn paths(kind: &str, value: &Value) -> &'static [&'static str] {
    if kind != "plugins" {
        return of_kind(kind);
    }
    value["name"].as_str().and_then(|name| OF_PLUGINS.get(name)).map_or(&[], |list| list.as_slice())
}

/// The same of every plugin: its schema is read once, not for each row.
static OF_PLUGINS: LazyLock<AHashMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let paths = |entry: &Entry| {
        let mut found = Vec::new();
        flagged((entry.schema)().as_value(), &mut "config".to_owned(), &mut found);
        found.into_iter().map(|path| &*path.leak()).collect()
    };
    plugins::entries().iter().map(|entry| (entry.name, paths(entry))).collect()
});

/// Collects the fields that a schema marks as secret.
fn flagged(schema: &Value, path: &mut String, found: &mut Vec<String>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (name, field) in properties {
        let length = path.len();
        path.push('.');
        path.push_str(name);
        if field.get("x-encrypted") == Some(&Value::Bool(true)) {
            found.push(path.clone());
        }
        flagged(field, path, found);
        for inner in field.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
            flagged(inner, path, found);
        }
        path.truncate(length);
    }
}

/// Whether a path leads to a secret or into one.
pub(super) fn covers(secrets: &[&str], path: &[Segment]) -> bool {
    let mut dotted = String::new();
    path.iter().any(|segment| {
        if let Segment::Key(key) = segment {
            if !dotted.is_empty() {
                dotted.push('.');
            }
            dotted.push_str(key);
        }
        secrets.contains(&&*dotted)
    })
}

/// What is shown of a secret: that there is one.
pub(super) fn masked(value: &Value) -> Value {
    if value.is_null() { Value::Null } else { Value::String(MASK.to_owned()) }
}

/// Masks all secrets of an entity.
pub(super) fn mask(value: &mut Value, secrets: &[&str]) {
    for path in secrets {
        let mut at = Some(&mut *value);
        for key in path.split('.') {
            at = at.and_then(|v| v.get_mut(key));
        }
        if let Some(secret) = at {
            *secret = masked(secret);
        }
    }
}
