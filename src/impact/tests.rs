use std::sync::Arc;

use super::*;
use crate::{
    config,
    runtime::{self, Options},
    store::Stores,
};

fn machine(text: &str) -> Snapshot {
    let text = format!("_format_version: '3.0'\n{text}");
    let input = config::Input::Text { name: "kong.yml".to_owned(), text: text.clone().into_bytes() };
    let options = config::Options { kong_strict: true, ..config::Options::default() };
    let loaded = config::load(&input, &options).expect("the text is read");
    let state = loaded.state.unwrap_or_else(|| panic!("not valid: {text}\n{:?}", loaded.findings));
    let (snapshot, problems) =
        runtime::compile(Arc::clone(&state), &Options::default(), &Stores::default(), None);
    assert!(problems.is_empty(), "{problems:?}");
    snapshot
}

fn compared(old: &str, new: &str) -> Impact {
    impact(&machine(old), &machine(new), None)
}

const BASE: &str = "
services:
- {name: a, url: 'https://a.test', routes: [{name: all, paths: [/]}]}
- {name: b, url: 'http://b.test'}
";

#[test]
fn nothing_changes_without_a_change() {
    let found = compared(BASE, BASE);
    assert!(found.is_none() && found.risks.is_empty(), "{found:?}");
}

#[test]
fn a_route_that_takes_requests_from_another_is_named_with_an_example() {
    let new = BASE.replace("{name: b,", "{name: b, routes: [{name: v1, paths: ['~/v\\d+/x']}],");
    let found = compared(BASE, &new);
    assert_eq!(found.appearing, ["v1"]);
    let moved: Vec<_> = found.requests.iter().map(|m| (m.before.as_deref(), m.after.as_deref())).collect();
    assert_eq!(moved, [(Some("all"), Some("v1"))]);
    assert_eq!(found.requests[0].examples[0].path, "/v1/x");
    assert!(found.risks.is_empty(), "{:?}", found.risks);
}

#[test]
fn requests_that_fall_through_are_a_risk() {
    let found = compared(BASE, "services: [{name: b, url: 'http://b.test'}]");
    assert_eq!(found.vanishing, ["all"]);
    assert_eq!(found.requests[0].after, None);
    assert_eq!(found.risks[0].severity, Severity::Medium);
}

fn with(plugins: &str) -> String {
    format!(
        "services: [{{name: a, url: 'http://a.test', plugins: [{plugins}], routes: [{{name: r, paths: [/]}}]}}]\n"
    )
}

/// What the risks of a change of plugins say.
fn risks(old: &str, new: &str) -> Vec<String> {
    compared(&with(old), &with(new)).risks.into_iter().map(|r| r.what).collect()
}

#[test]
fn protection_that_is_lost_is_a_risk() {
    let lost = |old: &str, new: &str, what: &str| {
        let said = risks(old, new);
        assert!(said.iter().any(|s| s.starts_with(what)), "{old} -> {new}: {said:?}");
        assert!(risks(new, old).iter().all(|s| !s.starts_with(what)), "{new} -> {old} is no loss");
    };
    lost("{name: key-auth}", "", "authentication lost");
    lost("{name: key-auth}", "{name: key-auth, enabled: false}", "authentication lost");
    lost("{name: key-auth}", "{name: key-auth, config: {anonymous: nobody}}", "authentication optional");
    let limit = |n: u32| format!("{{name: rate-limiting, config: {{minute: {n}, policy: local}}}}");
    lost(&limit(5), &limit(50), "limit loosened: rate-limiting.minute 5 -> 50");
    lost(&limit(5), "", "limit lost");
    let cors = |o: &str| format!("{{name: cors, config: {{origins: ['{o}']}}}}");
    lost(&cors("https://a.test"), &cors("*"), "CORS widened");
    let allow = |list: &str| format!("{{name: ip-restriction, config: {{allow: [{list}]}}}}");
    lost(&allow("10.0.0.0/8"), &allow("10.0.0.0/8, 0.0.0.0/0"), "access widened");
}

#[test]
fn routes_that_change_alike_are_told_together() {
    let file = |plugins: &str| {
        format!(
            "services: [{{name: a, url: 'http://a.test', routes: [{{name: r, paths: [/r]}}, {{name: s, paths: [/s]}}]}}]\nplugins: [{plugins}]\n"
        )
    };
    let found = compared(&file(""), &file("{name: correlation-id}"));
    assert_eq!(found.chains.len(), 1, "{:?}", found.chains);
    assert_eq!(found.chains[0].routes, ["(no route)", "r", "s"]);
    assert_eq!(found.chains[0].added, ["correlation-id"]);
}

#[test]
fn a_consumers_own_limit_is_told_as_his() {
    let file = |n: u32| {
        format!(
            "{}consumers: [{{username: bob, plugins: [{{name: rate-limiting, config: {{hour: {n}, policy: local}}}}]}}]\n",
            with("{name: key-auth}")
        )
    };
    let found = compared(&file(5), &file(9));
    assert_eq!(found.chains.len(), 1, "{:?}", found.chains);
    assert_eq!(found.chains[0].consumer.as_deref(), Some("bob"));
    assert_eq!(found.risks[0].consumer.as_deref(), Some("bob"));
}

#[test]
fn targets_are_compared_by_share() {
    let file = |weight: u32| {
        format!(
            "services: [{{name: a, host: up, routes: [{{name: r, paths: [/]}}]}}]\nupstreams: [{{name: up, targets: [{{target: 'x:1', weight: 50}}, {{target: 'y:1', weight: {weight}}}]}}]\n"
        )
    };
    let found = compared(&file(50), &file(150));
    let share = |d: &Destination| d.targets.iter().map(|t| t.percent).collect::<Vec<_>>();
    assert_eq!(share(&found.destinations[0].before), [50.0, 50.0]);
    assert_eq!(share(&found.destinations[0].after), [25.0, 75.0]);
}

#[test]
fn recorded_requests_whose_fate_changes_are_counted() {
    let log = Log::read(
        "- \"GET /v1 HTTP/1.1\" 200\n- \"GET /v1 HTTP/1.1\" 200\n- \"GET /other HTTP/1.1\" 200\n".as_bytes(),
        None,
    )
    .expect("a log");
    let new = BASE.replace("{name: b,", "{name: b, routes: [{name: v1, paths: [/v1]}],");
    let replayed = impact(&machine(BASE), &machine(&new), Some(&log)).replayed.expect("a log was given");
    assert_eq!((replayed.requests, replayed.changed.len()), (3, 1));
    assert_eq!((replayed.changed[0].count, &*replayed.changed[0].request.path), (2, "/v1"));
    assert_eq!(replayed.changed[0].why, ["route"]);
}
