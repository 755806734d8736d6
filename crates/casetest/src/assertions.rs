//! What was expected against what came: an answer, or the entries of a sink.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::{
    case::{Expect, Received},
    client::Response,
    compare::{Mismatch, compare},
    raw_http,
};

/// What of the entries is not as wanted.
pub fn entries(want: &Received, entries: &[Value]) -> Vec<Mismatch> {
    let mut found = Vec::new();
    for some in &want.some {
        let mut closest: Option<Vec<Mismatch>> = None;
        for entry in entries {
            let mut differs = Vec::new();
            match as_json(some, entry) {
                Some(entry) => compare(some, Some(&entry), "entry", &mut differs),
                None => continue,
            }
            if closest.as_ref().is_none_or(|c| differs.len() <= c.len()) {
                closest = Some(differs);
            }
        }
        match closest {
            Some(differs) if differs.is_empty() => {}
            closest => {
                let what = format!("one of {} entries in {}", entries.len(), want.sink);
                found.push(Mismatch::new(what, some.to_string(), "none that fits; the closest differs in:"));
                found.extend(closest.into_iter().flatten());
            }
        }
    }
    for none in &want.none {
        for entry in entries {
            let mut differs = Vec::new();
            compare(none, Some(entry), "entry", &mut differs);
            if differs.is_empty() {
                found.push(Mismatch::new(
                    format!("entries in {}", want.sink),
                    format!("none that fits {none}"),
                    entry.to_string(),
                ));
            }
        }
    }
    if let Some(count) = &want.count {
        compare(count, Some(&entries.len().into()), &format!("entries in {}", want.sink), &mut found);
    }
    found
}

/// Returns the entry to compare with an expected `json`: the JSON of a line, or of a request of any content type.
/// `None` if a line is no JSON.
fn as_json(want: &Value, entry: &Value) -> Option<Value> {
    if want.get("json").is_none() {
        return Some(entry.clone());
    }
    match entry {
        Value::String(line) => Some(json!({ "json": serde_json::from_str::<Value>(line).ok()? })),
        Value::Object(map) if !map.contains_key("json") => {
            let mut entry = entry.clone();
            if let Some(Ok(value)) =
                map.get("body").and_then(Value::as_str).map(serde_json::from_str::<Value>)
            {
                entry["json"] = value;
            }
            Some(entry)
        }
        other => Some(other.clone()),
    }
}

/// What of an answer is not as wanted.
pub fn response(want: &Expect, answer: &Response) -> Vec<Mismatch> {
    let mut found = Vec::new();
    let mut plain_value = |want: &Option<Value>, seen: Value, what: &str| {
        if let Some(want) = want {
            compare(want, Some(&seen), what, &mut found);
        }
    };
    let text = String::from_utf8_lossy(&answer.body);
    plain_value(&want.status, answer.status.into(), "status");
    plain_value(&want.body, text.as_ref().into(), "body");
    plain_value(&want.websocket, json!(answer.websocket), "websocket");
    plain_value(&want.rest, json!(answer.rest.as_deref().map(String::from_utf8_lossy)), "rest");
    plain_value(&want.interim, json!(answer.interim), "interim");
    plain_value(&want.version, answer.version.as_str().into(), "version");
    plain_value(&want.reason, answer.reason.as_str().into(), "reason");
    plain_value(&want.trailers, raw_http::by_name(&answer.trailers).into(), "trailers");
    plain_value(&want.cert, answer.certificate.as_deref().map_or(Value::Null, certificate), "cert");
    let fields = raw_http::by_name(&answer.fields);
    for (name, want) in &want.headers {
        compare(want, fields.get(&name.to_ascii_lowercase()), &format!("header {name}"), &mut found);
    }
    let json: Result<Value, _> = serde_json::from_slice(&answer.body);
    if let Some(want) = &want.json {
        match &json {
            Ok(seen) => compare(want, Some(seen), "json", &mut found),
            Err(_) => found.push(Mismatch::new("json", want.to_string(), format!("no JSON: {text:?}"))),
        }
    }
    if let Some(want) = &want.echo {
        match json.ok().filter(|echo| echo.get("upstream").is_some()) {
            Some(echo) => check_echo(want, &echo, &mut found),
            None => found.push(Mismatch::new(
                "echo",
                "an answer of a mock upstream",
                format!("status {}, {text:?}", answer.status),
            )),
        }
    }
    found
}

fn check_echo(want: &IndexMap<String, Value>, echo: &Value, found: &mut Vec<Mismatch>) {
    for (key, want) in want {
        match (key.as_str(), want) {
            ("headers", Value::Object(headers)) => {
                for (name, want) in headers {
                    let seen = echo["headers"].get(name.to_ascii_lowercase());
                    compare(want, seen, &format!("upstream saw header {name}"), found);
                }
            }
            _ => compare(want, echo.get(key), &format!("upstream saw {key}"), found),
        }
    }
}

/// What a case may expect of a certificate. Names are written the other way round than in the certificate
/// (RFC 4514, 2.1).
fn certificate(der: &[u8]) -> Value {
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(der) else { return Value::Null };
    let registry = x509_parser::objects::oid_registry();
    let mut parts = Vec::new();
    for attribute in certificate.subject().iter_attributes() {
        let name = x509_parser::objects::oid2abbrev(attribute.attr_type(), registry).unwrap_or("?");
        parts.push(format!("{name}={}", attribute.as_str().unwrap_or("?")));
    }
    parts.reverse();
    json!({ "subject": parts.join(",") })
}
