//! Risks of the plugins that run on a route.

use serde_json::Value;

use super::{Risk, Severity, networks::Networks};
use model::PluginEntity;
use plugin::Registry;

/// Risks of a route's plugins, before and after.
pub fn of_chain(
    registry: &Registry,
    before: &[&PluginEntity],
    after: &[&PluginEntity],
    routes: &[String],
    consumer: Option<&str>,
) -> Vec<Risk> {
    let mut found = Found(Vec::new());
    let has = |list: &[&PluginEntity], name: &str| list.iter().any(|p| p.name == name);
    let authenticating = |list: &[&PluginEntity]| -> Vec<String> {
        list.iter().filter(|p| registry.authenticates(&p.name)).map(|p| p.name.clone()).collect()
    };
    let (had, now) = (authenticating(before), authenticating(after));
    if now.is_empty() && !had.is_empty() {
        found.high(format!("authentication lost: {} is removed", had.join(", ")));
    }
    if had.is_empty() && !now.is_empty() {
        found.medium(format!("authentication required: {} is added", now.join(", ")));
    }
    for old in before.iter().filter(|old| !has(after, &old.name)) {
        match old.name.as_str() {
            "cors" => found.medium("CORS lost: browsers withhold responses from other origins".to_owned()),
            name => {
                lost(name).map(|what| found.high(format!("{what}: {name} is removed"))).unwrap_or_default()
            }
        }
    }
    for new in after.iter().filter(|new| !has(before, &new.name)) {
        added_plugin(new, &mut found);
    }
    for old in before {
        if let Some(new) = after.iter().find(|p| p.name == old.name) {
            changed_plugin(registry, &old.name, &old.config.json(), &new.config.json(), &mut found);
        }
    }
    let risk = |(severity, what)| Risk {
        severity,
        what,
        targets: routes.to_vec(),
        consumer: consumer.map(str::to_owned),
    };
    found.0.into_iter().map(risk).collect()
}

/// Risks so far, in words.
struct Found(Vec<(Severity, String)>);

impl Found {
    fn high(&mut self, what: String) {
        self.0.push((Severity::High, what));
    }

    fn medium(&mut self, what: String) {
        self.0.push((Severity::Medium, what));
    }
}

/// What is lost without a plugin, if it protects.
fn lost(plugin: &str) -> Option<&'static str> {
    Some(match plugin {
        "acl" | "ip-restriction" => "access widened",
        "rate-limiting" | "response-ratelimiting" => "limit lost",
        "request-size-limiting" => "size limit lost",
        "bot-detection" => "bots admitted",
        _ => return None,
    })
}

/// A plugin that refuses requests and did not run before.
fn added_plugin(new: &PluginEntity, found: &mut Found) {
    let config = new.config.json();
    match new.name.as_str() {
        "request-termination" => {
            found.high(format!("requests terminated: request-termination answers {}", config["status_code"]));
        }
        "redirect" => {
            found.medium(format!("requests redirected: redirect answers {}", config["status_code"]))
        }
        "acl" | "ip-restriction" | "bot-detection" => {
            found.medium(format!("access narrowed: {} is added", new.name));
        }
        "rate-limiting" | "response-ratelimiting" | "request-size-limiting" => {
            for (field, _, limit) in
                limits(&Value::Null, &config, "").into_iter().filter(|(.., to)| to != "none")
            {
                found.medium(format!("limit added: {}.{field} {limit}", new.name));
            }
        }
        _ => {}
    }
}

fn changed_plugin(registry: &Registry, name: &str, a: &Value, b: &Value, found: &mut Found) {
    if registry.authenticates(name) {
        match (unset(&a["anonymous"]), unset(&b["anonymous"])) {
            (true, false) => {
                found.high(format!("authentication optional: {name} admits anonymous requests"));
            }
            (false, true) => {
                found.medium(format!("authentication required: {name} refuses anonymous requests"));
            }
            _ => {}
        }
    }
    match name {
        "rate-limiting" | "response-ratelimiting" | "request-size-limiting" => {
            for (field, from, to) in limits(a, b, "") {
                let number = |text: &str| text.parse().unwrap_or(f64::INFINITY);
                let how = if number(&to) > number(&from) { "loosened" } else { "tightened" };
                found.medium(format!("limit {how}: {name}.{field} {from} -> {to}"));
            }
        }
        "cors" => cors(a, b, found),
        "acl" | "ip-restriction" => access(name, a, b, found),
        "request-termination" if a["status_code"] != b["status_code"] => {
            found.medium(format!("requests terminated: {name} answers {}", b["status_code"]));
        }
        _ => {}
    }
}

fn cors(a: &Value, b: &Value, found: &mut Found) {
    let any = |v: &Value| {
        unset(&v["origins"]) || v["origins"].as_array().is_some_and(|list| list.iter().any(|o| o == "*"))
    };
    match (any(a), any(b)) {
        (false, true) => found.high("CORS widened: any origin may read responses".to_owned()),
        (true, false) => {
            found.medium(format!("CORS narrowed: only origins {}", items(&b["origins"]).join(", ")));
        }
        (false, false) => {
            if let Some(more) = added(&a["origins"], &b["origins"]) {
                found.medium(format!("CORS widened: origins {more}"));
            }
            if let Some(fewer) = added(&b["origins"], &a["origins"]) {
                found.medium(format!("CORS narrowed: origins {fewer} are removed"));
            }
        }
        (true, true) => {}
    }
    match (a["credentials"] == true, b["credentials"] == true) {
        (false, true) => found.medium("CORS widened: credentials may be sent".to_owned()),
        (true, false) => found.medium("CORS narrowed: credentials may not be sent".to_owned()),
        _ => {}
    }
    for field in ["methods", "headers", "exposed_headers"] {
        if let Some(fewer) = added(&b[field], &a[field]) {
            found.medium(format!("CORS narrowed: {field} {fewer} are removed"));
        }
    }
}

fn access(name: &str, a: &Value, b: &Value, found: &mut Found) {
    if name == "ip-restriction"
        && let (Some(before), Some(after)) = (Networks::admitted(a), Networks::admitted(b))
    {
        if let Some(more) = after.beyond(&before) {
            let severity = if after.is_all() { Severity::High } else { Severity::Medium };
            found.0.push((severity, format!("access widened: {name} admits {more} too")));
        }
        if let Some(fewer) = before.beyond(&after) {
            found.medium(format!("access narrowed: {name} does not admit {fewer} any more"));
        }
        return;
    }
    match (unset(&a["allow"]), unset(&b["allow"])) {
        (false, true) => found.high(format!("access widened: {name} allows all that is not denied")),
        (true, false) => {
            found.medium(format!("access narrowed: {name} allows only {}", items(&b["allow"]).join(", ")));
        }
        _ => {
            if let Some(more) = added(&a["allow"], &b["allow"]) {
                found.medium(format!("access widened: {name} allows {more} too"));
            }
            if let Some(fewer) = added(&b["allow"], &a["allow"]) {
                found.medium(format!("access narrowed: {name} does not allow {fewer} any more"));
            }
        }
    }
    if let Some(fewer) = added(&b["deny"], &a["deny"]) {
        found.medium(format!("access widened: {name} does not deny {fewer} any more"));
    }
    if let Some(more) = added(&a["deny"], &b["deny"]) {
        found.medium(format!("access narrowed: {name} denies {more}"));
    }
}

fn unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// A list's items, in words.
fn items(list: &Value) -> Vec<String> {
    let text = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
    list.as_array().into_iter().flatten().map(text).collect()
}

/// Items that the second list has beyond the first, in words.
fn added(before: &Value, after: &Value) -> Option<String> {
    let before = items(before);
    let more: Vec<String> = items(after).into_iter().filter(|item| !before.contains(item)).collect();
    (!more.is_empty()).then(|| more.join(", "))
}

/// Windows and sizes whose limit differs: name, before, after.
fn limits(before: &Value, after: &Value, at: &str) -> Vec<(String, String, String)> {
    const LIMITS: [&str; 7] = ["second", "minute", "hour", "day", "month", "year", "allowed_payload_size"];
    let keys = |value: &Value| -> Vec<String> {
        value.as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default()
    };
    let mut all = keys(before);
    all.extend(keys(after));
    let mut found: Vec<(String, String, String)> = Vec::new();
    for key in all {
        let name = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        let (old, new) = (&before[key.as_str()], &after[key.as_str()]);
        if found.iter().any(|(known, ..)| *known == name) {
            continue;
        }
        if LIMITS.contains(&key.as_str()) {
            let text = |value: &Value| value.as_f64().map_or("none".to_owned(), |_| value.to_string());
            let (from, to) = (text(old), text(new));
            if from != to {
                found.push((name, from, to));
            }
        } else if old.is_object() || new.is_object() {
            for limit in limits(old, new, &name) {
                if found.iter().all(|(known, ..)| *known != limit.0) {
                    found.push(limit);
                }
            }
        }
    }
    found
}
