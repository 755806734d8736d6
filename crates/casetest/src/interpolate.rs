//! `${name}` and `${base64:text}` in the texts of a case.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

/// What names stand for.
pub type Names = HashMap<String, Value>;

/// Replaces every known name in a value and its keys. Unknown names remain as they are. A text that consists of the
/// name of a port becomes a number.
pub fn fill(value: &Value, names: &Names) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.iter().map(|(k, v)| (text(k, names), fill(v, names))).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(|v| fill(v, names)).collect(),
        Value::String(s) => {
            match whole(s).filter(|name| name.ends_with(".port")).and_then(|n| names.get(n)) {
                Some(port) => port.clone(),
                None => Value::String(text(s, names)),
            }
        }
        other => other.clone(),
    }
}

/// A value as it reads within a text.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// The name if the text is nothing but `${name}`.
fn whole(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    is_name(name).then_some(name)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

fn text(source: &str, names: &Names) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(end) = rest.find('}') else { break };
        let (written, inside) = (&rest[..=end], &rest[2..end]);
        if let Some(clear) = inside.strip_prefix("base64:") {
            // Braces cannot nest: a name inside is written `$(name)$`.
            let clear = text(&clear.replace("$(", "${").replace(")$", "}"), names);
            out.push_str(&BASE64_STANDARD.encode(clear));
        } else if let Some(value) = is_name(inside).then(|| names.get(inside)).flatten() {
            out.push_str(&plain(value));
        } else {
            // Not ours: only the opening is passed over, for something may begin inside.
            out.push_str("${");
            rest = &rest[2..];
            continue;
        }
        rest = &rest[written.len()..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_filled_in_everywhere_and_ports_are_numbers() {
        let names = Names::from([
            ("main".to_owned(), json!("http://127.0.0.1:9")),
            ("main.port".to_owned(), json!(9)),
            ("n".to_owned(), json!(3)),
        ]);
        let given = json!({
            "url": "${main}/x", "port": "${main.port}", "text": "port ${main.port}", "${n}": ["${n}", "${other}", 1],
            "auth": "Basic ${base64:user:$(n)$}", "foreign": "${{ env \"X\" }} ${n}",
        });
        let filled = json!({
            "url": "http://127.0.0.1:9/x", "port": 9, "text": "port 9", "3": ["3", "${other}", 1],
            "auth": "Basic dXNlcjoz", "foreign": "${{ env \"X\" }} 3",
        });
        assert_eq!(fill(&given, &names), filled);
    }
}
