//! Risks of changed routes, services and credentials, and of requests whose outcome changes.

use serde_json::Value;

use super::{Risk, Severity};
use crate::{
    diff::{Action, FieldChange, Segment},
    impact::{
        destinations::DestinationChange,
        reach::{Cause, RouteChange},
        requests::ReroutedRequests,
    },
};

/// The risk of requests whose outcome changes: that they are refused.
pub fn of_request(moved: &ReroutedRequests) -> Option<Risk> {
    let client = moved.client.as_ref().map_or_else(String::new, |client| format!(" by {client}"));
    let example = moved.examples.first().map(ToString::to_string).unwrap_or_default() + &client;
    let risk = |route: &str, what: String| {
        Some(Risk { severity: Severity::Medium, what, targets: vec![route.to_owned()], consumer: None })
    };
    if let (Some(route), None) = (&moved.before, &moved.after) {
        return risk(route, format!("requests unanswered: no route matches {example} any more"));
    }
    let is_served = |value: &Value| {
        value.as_str().is_some_and(|text| text == "sent" || status(text).is_some_and(|status| status < 400))
    };
    let refusal = moved.fields.iter().find_map(|field| {
        let is_outcome = field.path.last() == Some(&Segment::Key("outcome".to_owned()));
        let after = field.new.as_str().filter(|text| status(text).is_some_and(|status| status >= 400))?;
        (is_outcome && is_served(&field.old)).then_some(after)
    })?;
    risk(moved.after.as_deref()?, format!("requests refused: {example} is {refusal}"))
}

/// The status in `answered 403 by acl`.
fn status(outcome: &str) -> Option<u16> {
    outcome.strip_prefix("answered ")?.split(' ').next()?.parse().ok()
}

/// Risks of changed entities: conditions of routes that fewer requests meet, shorter timeouts, and identities that are
/// removed.
pub fn of_causes(change: &RouteChange) -> Vec<Risk> {
    let mut found = Vec::new();
    let mut removed: Vec<(&'static str, Vec<&str>)> = Vec::new();
    for cause in &change.causes {
        let kind = cause.entity.split(' ').next().unwrap_or_default();
        match kind {
            "route" => found.extend(cause.fields.iter().filter_map(narrowed)),
            "service" => found.extend(cause.fields.iter().filter_map(shortened)),
            _ => {}
        }
        if let Some(what) = identity(kind, cause) {
            match removed.iter_mut().find(|(known, _)| *known == what) {
                Some((_, names)) => names.push(&cause.entity),
                None => removed.push((what, vec![&cause.entity])),
            }
        }
    }
    for (what, names) in removed {
        let mut text = names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
        if names.len() > LISTED {
            text += &format!(" and {} more", names.len() - LISTED);
        }
        found.push(format!("{what}: {text}"));
    }
    let risk =
        |what| Risk { severity: Severity::Medium, what, targets: change.routes.clone(), consumer: None };
    found.into_iter().map(risk).collect()
}

/// Most entities listed in one risk.
const LISTED: usize = 5;

/// What a client loses with an identity, if it loses any.
fn identity(kind: &str, cause: &Cause) -> Option<&'static str> {
    let is_credential = matches!(kind, "basic-auth" | "hmac-auth" | "jwt-auth" | "key-auth" | "oauth2-cred");
    Some(match (kind, cause.action) {
        ("consumer", Action::Delete) => "consumers removed",
        ("acl-group", Action::Delete) => "groups removed",
        (_, Action::Delete) if is_credential => "credentials removed",
        (_, Action::Update) if is_credential => "credentials changed",
        _ => return None,
    })
}

/// A condition of a route that fewer requests meet.
fn narrowed(field: &FieldChange) -> Option<String> {
    const CONDITIONS: [&str; 8] =
        ["protocols", "methods", "hosts", "paths", "headers", "snis", "sources", "destinations"];
    let name = field.name();
    let condition = name.split('.').next().filter(|first| CONDITIONS.contains(first))?;
    let text = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
    let list = |value: &Value| value.as_array().map(|items| items.iter().map(text).collect::<Vec<_>>());
    match (list(&field.old), list(&field.new)) {
        (Some(old), Some(new)) => {
            let fewer: Vec<_> = old.iter().filter(|item| !new.contains(item)).cloned().collect();
            let more: Vec<_> = new.iter().filter(|item| !old.contains(item)).cloned().collect();
            if fewer.is_empty() {
                return None;
            }
            // Of two patterns it is not known which one admits more.
            let is_within = |item: &String| {
                condition == "paths"
                    && old.iter().any(|path| !path.starts_with('~') && item.starts_with(path.as_str()))
            };
            Some(match more.iter().all(is_within) {
                true => format!("route narrowed: {name} {} removed", fewer.join(", ")),
                false => {
                    format!("route condition replaced: {name} {} by {}", fewer.join(", "), more.join(", "))
                }
            })
        }
        (None, Some(new)) => Some(format!("route narrowed: only {name} {}", new.join(", "))),
        (None, None) if condition == "headers" && !field.new.is_null() => {
            Some(format!("route narrowed: only {name} {}", field.new))
        }
        _ => None,
    }
}

/// A timeout after which more requests fail, or fewer retries.
fn shortened(field: &FieldChange) -> Option<String> {
    const LIMITS: [&str; 4] = ["connect_timeout", "write_timeout", "read_timeout", "retries"];
    let name = field.name();
    let (old, new) = (field.old.as_f64()?, field.new.as_f64()?);
    let how = if name == "retries" { "fewer tries" } else { "timeout shortened" };
    (LIMITS.contains(&name.as_str()) && new < old)
        .then(|| format!("{how}: {name} {} -> {}", field.old, field.new))
}

/// Risks of a service's destination.
pub fn of_destination(change: &DestinationChange) -> Vec<Risk> {
    let mut found = Vec::new();
    let mut say = |severity, what: &str| {
        found.push(Risk {
            severity,
            what: what.to_owned(),
            targets: vec![change.service.clone()],
            consumer: None,
        });
    };
    let encrypted = |url: &str| ["https:", "grpcs:", "wss:", "tls:"].iter().any(|s| url.starts_with(s));
    if encrypted(&change.before.url) && !encrypted(&change.after.url) {
        say(Severity::High, "encryption lost: requests leave in clear text");
    }
    if change.before.verified == Some(true) && change.after.verified != Some(true) {
        say(Severity::High, "verification lost: the upstream's certificate is not verified any more");
    }
    if !change.before.targets.is_empty() && change.after.targets.iter().all(|t| t.percent == 0.0) {
        let gone = change.after.targets.is_empty() && change.after.url != change.before.url;
        if !gone {
            say(Severity::High, "no targets left: every request is answered with 503");
        }
    }
    found
}
