//! The inputs whose results the real parser gave, against ours.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "a test reads its own switches and reports"
)]

use gatewayctl::config::{Input, Options, kong_errors as tree, load};
use serde_json::Value;

/// Takes out what changes from run to run and what is null, as the fixture does.
fn simplified(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), simplified(v))).collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(simplified).collect()),
        Value::Number(n) => n.as_f64().map_or(value.clone(), |f| serde_json::json!(f)),
        other => other.clone(),
    }
}

/// Whether ours equals theirs, where theirs may say `<now>` or `<random …>`.
fn alike(ours: &Value, theirs: &Value, at: &str) -> Result<(), String> {
    match (ours, theirs) {
        (_, Value::String(s)) if s.starts_with("<now>") || s.starts_with("<random") => Ok(()),
        (Value::Object(a), Value::Object(b)) => {
            let random = |k: &String| k.starts_with("<random");
            let (loose, fixed): (Vec<_>, Vec<_>) = b.iter().partition(|(k, _)| random(k));
            for (key, value) in fixed {
                let found = a.get(key).ok_or(format!("{at}.{key}: missing, should be {value}"))?;
                alike(found, value, &format!("{at}.{key}"))?;
            }
            let rest: Vec<_> = a.iter().filter(|(k, _)| !b.contains_key(*k)).collect();
            if rest.len() != loose.len() {
                return Err(format!("{at}: too much: {rest:?}"));
            }
            for ((_, ours), (_, theirs)) in rest.iter().zip(loose) {
                alike(ours, theirs, &format!("{at}.<random>"))?;
            }
            Ok(())
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().try_for_each(|(i, (a, b))| alike(a, b, &format!("{at}[{i}]")))
        }
        (a, b) if a == b => Ok(()),
        (a, b) => Err(format!("{at}: is {a}, should be {b}")),
    }
}

fn run(case: &Value) -> Result<(), String> {
    let input = case["input"].as_str().expect("every case has an input");
    let options = Options { kong_strict: true, ..Options::new(gatewayctl::catalog().expect("a catalog")) };
    let input = Input::Text { name: "POST /config".to_owned(), text: input.into() };
    let loaded = load(&input, &options).map_err(|e| e.to_string())?;
    if std::env::var("SHOW").is_ok() {
        eprintln!("{:#?}", loaded.findings);
    }
    match case["result"].as_str() {
        Some("ok") => {
            if let Some(finding) =
                loaded.findings.iter().find(|f| !f.kong_errors.is_empty() || loaded.state.is_none())
            {
                return Err(format!("refused: {}", finding.message));
            }
            alike(&simplified(&tree::entities(&loaded)), &simplified(&case["entities"]), "entities")
        }
        Some("internal error") => match loaded.state {
            None => Ok(()),
            Some(_) => Err("accepted what breaks the real parser".to_owned()),
        },
        _ => {
            if loaded.state.is_some() {
                return Err("accepted".to_owned());
            }
            let fields = tree::fields(&loaded.findings);
            if let Some(error) = case["error"].as_str() {
                return alike(&fields["error"], &Value::String(error.to_owned()), "error");
            }
            // Positions without a complaint count, so nulls stay.
            alike(&fields, &case["fields"], "fields")?;
            let flat = &case["with_flatten_errors"];
            let (fields, errors) = tree::flattened(&loaded);
            alike(&fields, &flat["fields"], "flat.fields")?;
            alike(&errors, &flat["flattened_errors"], "flattened_errors")
        }
    }
}

/// Cases that need plugins this program does not have yet. A case that passes must leave the list.
const WAITING: &[(&str, &str)] = &[
    ("vault reference accepted", "http-log"),
    ("session shorthands", "session"),
    ("required plugin fields", "http-log, oauth2, proxy-cache, tcp-log"),
    ("ai-proxy azure checks", "ai-proxy"),
    ("ai-proxy gemini needs an auth record", "ai-proxy"),
    ("list of records", "datadog, statsd"),
    ("acme terms check never fires on the default URI", "acme"),
    ("custom record checks", "file-log, http-log, ip-restriction, oauth2"),
];

#[test]
fn the_parser_agrees_with_kongs() {
    let text = include_str!("fixtures/kong/parse-cases.json");
    let cases: Value = serde_json::from_str(text).expect("the fixture is JSON");
    let only = std::env::var("CASE").ok();
    let (mut passed, mut failed) = (0, Vec::new());
    for case in cases["cases"].as_array().expect("a list of cases") {
        let name = case["name"].as_str().unwrap_or_default();
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        let waits = WAITING.iter().find(|(waiting, _)| *waiting == name);
        match (run(case), waits) {
            (Ok(()), None) => passed += 1,
            (Ok(()), Some(_)) => failed.push(format!("{name}: passes, so take it off the list")),
            (Err(_), Some(_)) => {}
            (Err(reason), None) => failed.push(format!("{name}: {reason}")),
        }
    }
    println!("{passed} passed, {} wait for plugins", WAITING.len());
    assert!(failed.is_empty(), "{} failed:\n  {}", failed.len(), failed.join("\n  "));
}
