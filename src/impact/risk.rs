//! What deserves a second look: protection that is lost, limits that loosen, requests that fall through.

use serde::Serialize;
use serde_json::Value;

use super::{destinations::DestinationChange, requests::Moved};
use crate::{model::Plugin, plugins};

/// How bad it may be, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Severity {
    High,
    Medium,
}

/// Something that deserves a second look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Risk {
    /// How bad.
    pub severity: Severity,
    /// What happens, in words.
    pub what: String,
    /// Routes or services concerned.
    pub whom: Vec<String>,
    /// For whose requests, where it is a consumer's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
}

/// Risks of alike words as one.
pub fn merged(risks: Vec<Risk>) -> Vec<Risk> {
    let mut merged: Vec<Risk> = Vec::new();
    for risk in risks {
        let like =
            |r: &&mut Risk| (r.severity, &r.what, &r.consumer) == (risk.severity, &risk.what, &risk.consumer);
        match merged.iter_mut().find(like) {
            Some(held) => held.whom.extend(risk.whom),
            None => merged.push(risk),
        }
    }
    for risk in &mut merged {
        risk.whom.sort();
        risk.whom.dedup();
    }
    // What is true of everybody need not be said of each consumer.
    let general: Vec<_> = merged.iter().filter(|r| r.consumer.is_none()).map(|r| r.what.clone()).collect();
    merged.retain(|r| r.consumer.is_none() || !general.contains(&r.what));
    merged
}

/// Risks of a route's plugins.
pub fn of_chain(
    before: &[&Plugin],
    after: &[&Plugin],
    routes: &[String],
    consumer: Option<&str>,
) -> Vec<Risk> {
    let mut found = Vec::new();
    let mut say = |severity, what: String| {
        found.push(Risk { severity, what, whom: routes.to_vec(), consumer: consumer.map(str::to_owned) });
    };
    let authenticates = |list: &[&Plugin]| -> Vec<String> {
        list.iter().filter(|p| plugins::authenticates(&p.name)).map(|p| p.name.clone()).collect()
    };
    let (had, has) = (authenticates(before), authenticates(after));
    if has.is_empty() && !had.is_empty() {
        say(Severity::High, format!("authentication lost: {} runs no more", had.join(", ")));
    }
    for old in before {
        let Some(new) = after.iter().find(|p| p.name == old.name) else {
            if let Some(what) = lost(&old.name) {
                say(Severity::High, format!("{what}: {} runs no more", old.name));
            }
            continue;
        };
        let (a, b) = (old.config.json(), new.config.json());
        if plugins::authenticates(&old.name) && unset(&a["anonymous"]) && !unset(&b["anonymous"]) {
            say(
                Severity::High,
                format!("authentication optional: {} lets anonymous requests pass now", old.name),
            );
        }
        match old.name.as_str() {
            "rate-limiting" | "response-ratelimiting" | "request-size-limiting" => {
                for (field, from, to) in loosened(&a, &b, "") {
                    say(Severity::Medium, format!("limit loosened: {}.{field} {from} -> {to}", old.name));
                }
            }
            "cors" => {
                let any = |v: &Value| {
                    unset(&v["origins"])
                        || v["origins"].as_array().is_some_and(|l| l.iter().any(|o| o == "*"))
                };
                if any(&a) {
                    // No wider than everything.
                } else if any(&b) {
                    say(Severity::High, "CORS widened: any origin may read answers now".to_owned());
                } else if let Some(more) = added(&a["origins"], &b["origins"]) {
                    say(Severity::Medium, format!("CORS widened: origins {more}"));
                }
                if b["credentials"] == true && a["credentials"] != true {
                    say(Severity::Medium, "CORS widened: credentials may be sent now".to_owned());
                }
            }
            "acl" | "ip-restriction" => {
                if unset(&b["allow"]) && !unset(&a["allow"]) {
                    say(Severity::High, format!("access widened: {} allows everybody not denied", old.name));
                } else if let Some(more) = added(&a["allow"], &b["allow"]) {
                    say(Severity::Medium, format!("access widened: {} allows {more} too", old.name));
                }
                if let Some(fewer) = added(&b["deny"], &a["deny"]) {
                    say(Severity::Medium, format!("access widened: {} denies {fewer} no more", old.name));
                }
            }
            _ => {}
        }
    }
    found
}

/// What is lost without a plugin, if it protects.
fn lost(plugin: &str) -> Option<&'static str> {
    Some(match plugin {
        "acl" | "ip-restriction" => "access widened",
        "rate-limiting" | "response-ratelimiting" => "limit lost",
        "request-size-limiting" => "size limit lost",
        "bot-detection" => "bots let in",
        _ => return None,
    })
}

fn unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Items that the second list has beyond the first, in words.
fn added(before: &Value, after: &Value) -> Option<String> {
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let before = list(before);
    let more: Vec<String> = list(after)
        .iter()
        .filter(|item| !before.contains(item))
        .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
        .collect();
    (!more.is_empty()).then(|| more.join(", "))
}

/// Windows and sizes in which more is allowed: name, before, after.
fn loosened(before: &Value, after: &Value, at: &str) -> Vec<(String, String, String)> {
    const LIMITS: [&str; 7] = ["second", "minute", "hour", "day", "month", "year", "allowed_payload_size"];
    let Some(map) = before.as_object() else { return Vec::new() };
    let mut found = Vec::new();
    for (key, old) in map {
        let name = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        let new = &after[key.as_str()];
        if LIMITS.contains(&key.as_str()) {
            match (old.as_f64(), new.as_f64()) {
                (Some(a), Some(b)) if b > a => found.push((name, old.to_string(), new.to_string())),
                (Some(_), None) => found.push((name, old.to_string(), "none".to_owned())),
                _ => {}
            }
        } else if old.is_object() {
            found.extend(loosened(old, new, &name));
        }
    }
    found
}

/// The risk of requests that move: that nobody takes them any more.
pub fn of_request(moved: &Moved) -> Option<Risk> {
    let route = moved.before.clone().filter(|_| moved.after.is_none())?;
    let example = moved.examples.first().map(ToString::to_string).unwrap_or_default();
    let what = format!("requests unanswered: no route takes {example} any more");
    Some(Risk { severity: Severity::Medium, what, whom: vec![route], consumer: None })
}

/// Risks of where a service leads.
pub fn of_destination(change: &DestinationChange) -> Vec<Risk> {
    let mut found = Vec::new();
    let mut say = |severity, what: &str| {
        found.push(Risk {
            severity,
            what: what.to_owned(),
            whom: vec![change.service.clone()],
            consumer: None,
        });
    };
    let encrypted = |url: &str| ["https:", "grpcs:", "wss:", "tls:"].iter().any(|s| url.starts_with(s));
    if encrypted(&change.before.url) && !encrypted(&change.after.url) {
        say(Severity::High, "encryption lost: the upstream is spoken to in clear text");
    }
    if change.before.verified == Some(true) && change.after.verified != Some(true) {
        say(Severity::High, "verification lost: the upstream's certificate is not checked any more");
    }
    if !change.before.targets.is_empty() && change.after.targets.iter().all(|t| t.percent == 0.0) {
        let gone = change.after.targets.is_empty() && change.after.url != change.before.url;
        if !gone {
            say(Severity::High, "no targets left: every request is answered with 503");
        }
    }
    found
}
