use std::sync::Arc;

use super::*;
use crate::diff;
use config::{self, Loaded};
use runtime::{self, Gateway, Options};
use store::{Clock, Stores};

fn loaded(text: &str) -> Loaded {
    let text = format!("_format_version: '3.0'\n{text}");
    let input = config::Input::Text { name: "kong.yml".to_owned(), text: text.clone().into_bytes() };
    let env = |name: &str| Some(format!("s3cret-{name}"));
    let options = config::Options { kong_strict: true, env: &env, ..config::Options::new(crate::catalog()) };
    let loaded = config::load(&input, &options).expect("the text is read");
    assert!(loaded.state.is_some(), "not valid: {text}\n{:?}", loaded.findings);
    loaded
}

fn options() -> Options {
    Options { registry: crate::catalog().registry().clone(), ..Options::default() }
}

fn gateway(loaded: &Loaded) -> Arc<Gateway> {
    let stores = Stores { clock: Clock::manual(Clock::default().now()), ..Stores::default() };
    let state = Arc::clone(loaded.state.as_ref().expect("a valid file"));
    let (snapshot, problems) = runtime::compile(state, &options(), &stores, None);
    assert!(problems.is_empty(), "{problems:?}");
    Gateway::new(options(), stores, snapshot)
}

fn replayed(old: &str, new: &str, log: Option<&Log>) -> Impact {
    let loaded = [loaded(old), loaded(new)];
    let gateways = loaded.each_ref().map(gateway);
    let snapshots = gateways.each_ref().map(|gateway| gateway.snapshot());
    let side = |i: usize| Compiled {
        gateway: &gateways[i],
        snapshot: &snapshots[i],
        rows: diff::Side::loaded(&loaded[i]).expect("a valid file"),
    };
    impact(&side(0), &side(1), log).expect("an event loop")
}

fn compared(old: &str, new: &str) -> Impact {
    replayed(old, new, None)
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
    lost("{name: key-auth}", "{name: key-auth, config: {anonymous: guest}}", "authentication optional");
    let limit = |n: u32| format!("{{name: rate-limiting, config: {{minute: {n}, policy: local}}}}");
    lost(&limit(5), &limit(50), "limit loosened: rate-limiting.minute 5 -> 50");
    lost(&limit(5), "", "limit lost");
    let cors = |o: &str| format!("{{name: cors, config: {{origins: ['{o}']}}}}");
    lost(&cors("https://a.test"), &cors("*"), "CORS widened");
    let allow = |list: &str| format!("{{name: ip-restriction, config: {{allow: [{list}]}}}}");
    lost(&allow("10.0.0.0/8"), &allow("10.0.0.0/8, 0.0.0.0/0"), "access widened");
}

#[test]
fn routes_that_change_alike_are_one_group() {
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
fn a_limit_of_a_consumer_names_the_consumer() {
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
    let replayed = self::replayed(BASE, &new, Some(&log)).replayed.expect("a log was given");
    assert_eq!((replayed.requests, replayed.changed.len()), (3, 1));
    assert_eq!((replayed.changed[0].count, &*replayed.changed[0].request.path), (2, "/v1"));
    assert_eq!(replayed.changed[0].why, ["route"]);
}

fn one_route(service: &str, route: &str) -> String {
    format!(
        "services: [{{name: a, url: 'http://a.test/base', {service} routes: [{{name: r, paths: [/r], {route}}}]}}]\n"
    )
}

#[test]
fn a_change_of_any_setting_of_a_route_or_service_names_the_route() {
    let changes = [
        ("", "strip_path: false"),
        ("", "methods: [GET]"),
        ("", "protocols: [https]"),
        ("", "protocols: [https], https_redirect_status_code: 301"),
        ("", "preserve_host: true"),
        ("", "path_handling: v1"),
        ("", "request_buffering: false"),
        ("", "response_buffering: false"),
        ("", "hosts: [h.test]"),
        ("", "headers: {x-a: [b]}"),
        ("", "regex_priority: 5"),
        ("read_timeout: 1,", ""),
        ("write_timeout: 1,", ""),
        ("connect_timeout: 1,", ""),
        ("retries: 0,", ""),
        ("enabled: false,", ""),
        ("retries: 0,", "strip_path: false"),
    ];
    let base = one_route("", "");
    for (service, route) in changes {
        let changed = one_route(service, route);
        for (old, new) in [(&base, &changed), (&changed, &base)] {
            let found = compared(old, new);
            let named = found.routes.iter().any(|change| change.routes == ["r"]);
            assert!(named && !found.is_none(), "{old} -> {new}: {found:?}");
        }
    }
}

/// Names of the facts in which sampled requests of a route change.
fn facts(old: &str, new: &str) -> Vec<String> {
    let found = compared(old, new);
    let mut names: Vec<String> =
        found.requests.iter().flat_map(|moved| moved.fields.iter().map(diff::FieldChange::name)).collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn samples_show_the_request_as_it_leaves() {
    let base = one_route("", "");
    assert_eq!(facts(&base, &one_route("", "strip_path: false")), ["headers.X-Forwarded-Prefix", "path"]);
    assert_eq!(facts(&base, &one_route("", "preserve_host: true")), ["host"]);
    assert_eq!(facts(&base, &one_route("read_timeout: 1, retries: 0,", "")), ["read_timeout", "retries"]);
    assert_eq!(facts(&base, &one_route("", "protocols: [https]")), ["outcome"]);
    let header = "plugins: [{name: request-transformer, config: {add: {headers: ['x-a:s3cret']}}}],";
    let found = compared(&base, &one_route(header, ""));
    let moved = &found.requests[0];
    assert!(moved.fields.iter().any(|field| field.name() == "headers.x-a"), "{moved:?}");
    assert!(!format!("{moved:?}").contains("s3cret"), "{moved:?}");
}

#[test]
fn what_lies_behind_authentication_is_compared_too() {
    let auth = "plugins: [{name: key-auth}, {name: acl, config: {allow: [g]}}],";
    let found = facts(&one_route(auth, ""), &one_route(auth, "strip_path: false"));
    assert_eq!(found, ["after_authentication.headers.X-Forwarded-Prefix", "after_authentication.path"]);
}

#[test]
fn ids_that_differ_from_request_to_request_and_counters_are_no_change() {
    let plugins = "plugins: [{name: correlation-id, config: {generator: uuid}}, {name: rate-limiting, config: {year: 1, policy: local}}],";
    let found = facts(&one_route(plugins, ""), &one_route(plugins, "preserve_host: true"));
    assert_eq!(found, ["host"]);
}

#[test]
fn order_and_labels_are_no_impact() {
    let old = one_route("", "hosts: [a.test, b.test], methods: [GET, PUT]");
    let new = one_route("tags: [x],", "hosts: [b.test, a.test], methods: [PUT, GET], tags: [y]");
    assert!(compared(&old, &new).is_none());
}

#[test]
fn tightening_is_a_risk() {
    let tightened = |old: &str, new: &str, what: &str| {
        let said = compared(old, new).risks;
        assert!(said.iter().any(|risk| risk.what.starts_with(what)), "{old} -> {new}: {said:?}");
        let reversed = compared(new, old).risks;
        assert!(reversed.iter().all(|risk| !risk.what.starts_with(what)), "{new} -> {old}: {reversed:?}");
    };
    let plugins = |old: &str, new: &str, what: &str| tightened(&with(old), &with(new), what);
    plugins("", "{name: key-auth}", "authentication required");
    plugins("", "{name: key-auth}", "requests refused: ");
    plugins("{name: key-auth, config: {anonymous: guest}}", "{name: key-auth}", "authentication required");
    plugins("", "{name: request-termination}", "requests terminated");
    plugins(
        "",
        "{name: rate-limiting, config: {minute: 5, policy: local}}",
        "limit added: rate-limiting.minute 5",
    );
    let limit = |n: u32| format!("{{name: rate-limiting, config: {{minute: {n}, policy: local}}}}");
    plugins(&limit(50), &limit(5), "limit tightened: rate-limiting.minute 50 -> 5");
    let cors = |config: &str| format!("{{name: cors, config: {{{config}}}}}");
    plugins(&cors("origins: ['*']"), &cors("origins: ['https://a.test']"), "CORS narrowed");
    plugins(&cors("methods: [GET, PUT]"), &cors("methods: [GET]"), "CORS narrowed: methods PUT");
    plugins(&cors(""), "", "CORS lost");
    let allow = |list: &str| format!("{{name: ip-restriction, config: {{allow: [{list}]}}}}");
    plugins(&allow("10.0.0.0/8, 11.0.0.0/8"), &allow("10.0.0.0/8"), "access narrowed");
    let route = |old: &str, new: &str, what: &str| tightened(&one_route("", old), &one_route("", new), what);
    route("methods: [GET, POST]", "methods: [GET]", "route narrowed: methods POST");
    route("", "methods: [GET]", "route narrowed: only methods GET");
    route("protocols: [http, https]", "protocols: [https]", "route narrowed: protocols http");
    route("hosts: [a.test, b.test]", "hosts: [a.test]", "route narrowed: hosts b.test");
    tightened(&one_route("", ""), &one_route("read_timeout: 5,", ""), "timeout shortened: read_timeout");
    let keys = |consumers: &str| format!("{}consumers: [{consumers}]\n", with("{name: key-auth}"));
    tightened(&keys("{username: bob}"), &keys(""), "consumers removed: consumer bob");
    tightened(
        &keys("{username: bob, keyauth_credentials: [{key: s3cret}]}"),
        &keys("{username: bob}"),
        "credentials removed: key-auth for consumer bob",
    );
}

#[test]
fn what_a_vault_reference_leads_to_is_compared_and_not_shown() {
    let file = |prefix: &str| {
        format!(
            "vaults: [{{name: env, prefix: vv, config: {{prefix: {prefix}}}}}]\n{}",
            with(
                "{name: rate-limiting, config: {minute: 5, policy: local, redis: {username: '{vault://vv/t}'}}}"
            )
        )
    };
    let found = compared(&file("A_"), &file("B_"));
    let shown = format!("{found:?}");
    assert!(!found.chains.is_empty(), "{shown}");
    assert!(!shown.to_ascii_lowercase().contains("s3cret"), "{shown}");
    assert!(compared(&file("A_"), &file("A_")).is_none());
}

#[test]
fn address_lists_are_compared_by_what_they_admit() {
    let list =
        |kind: &str, networks: &str| format!("{{name: ip-restriction, config: {{{kind}: [{networks}]}}}}");
    let (whole, halves) = ("10.0.0.0/8", "10.0.0.0/9, 10.128.0.0/9");
    for kind in ["allow", "deny"] {
        assert!(risks(&list(kind, whole), &list(kind, halves)).is_empty());
    }
    let half = "10.0.0.0/9";
    let narrowed = ["access narrowed: ip-restriction does not admit 10.128.0.0/9 any more"];
    let widened = ["access widened: ip-restriction admits 10.128.0.0/9 too"];
    assert_eq!(risks(&list("allow", whole), &list("allow", half)), narrowed);
    assert_eq!(risks(&list("allow", half), &list("allow", whole)), widened);
    assert_eq!(risks(&list("deny", half), &list("deny", whole)), narrowed);
}

#[test]
fn a_pattern_in_place_of_another_is_replaced_and_not_narrowed() {
    let said = |old: &str, new: &str| -> Vec<String> {
        compared(&one_route("", old), &one_route("", new)).risks.into_iter().map(|r| r.what).collect()
    };
    let header = |regex: &str| format!("headers: {{x-v: ['~*{regex}']}}");
    let found = said(&header("^v[0-9]+$"), &header("^v[0-4]+$"));
    assert!(
        found.contains(&"route condition replaced: headers.x-v ~*^v[0-9]+$ by ~*^v[0-4]+$".to_owned()),
        "{found:?}"
    );
    assert!(
        said("hosts: [a.test]", "hosts: [b.test]").iter().all(|what| !what.starts_with("route narrowed"))
    );
}

#[test]
fn changed_settings_without_an_effect_on_samples_are_reported_as_plugin_changes() {
    let cors =
        |origin: &str| with(&format!("{{name: ip-restriction, config: {{allow: [127.0.0.1, {origin}]}}}}"));
    let found = compared(&cors("10.0.0.1"), &cors("10.0.0.2"));
    assert!(found.requests.is_empty() && !found.chains.is_empty(), "{found:?}");
}

#[test]
fn samples_lie_at_the_boundaries_of_changed_patterns() {
    let lost = |old: &str, new: &str| {
        let found = compared(&one_route("", old), &one_route("", new));
        found.requests.iter().any(|moved| moved.before.is_some() && moved.after.is_none())
    };
    let header = |regex: &str| format!("headers: {{x-v: ['~*{regex}']}}");
    assert!(lost(&header("^v[0-9]+$"), &header("^v[0-4]+$")));
    assert!(!lost(&header("^v[0-4]+$"), &header("^v[0-9]+$")));
    let path = |most: u8| {
        format!(
            "services: [{{name: a, url: 'http://a.test', routes: [{{name: r, paths: ['~/a/[a-z]{{1,{most}}}$']}}]}}]\n"
        )
    };
    let found = compared(&path(40), &path(39));
    let longest = found.requests.iter().flat_map(|moved| &moved.examples).map(|e| e.path.len()).max();
    assert_eq!(longest, Some(43), "{found:?}");
}

#[test]
fn clients_whose_credential_or_group_changes_are_sampled() {
    let file = |consumers: &str| {
        format!("{}consumers: [{consumers}]\n", with("{name: key-auth}, {name: acl, config: {allow: [g]}}"))
    };
    let group = |name: &str| {
        file(&format!("{{username: c, keyauth_credentials: [{{key: s3cret}}], acls: [{{group: {name}}}]}}"))
    };
    let found = compared(&group("g"), &group("h"));
    let of_c = found.requests.iter().find(|moved| moved.client.as_deref() == Some("consumer c"));
    let outcome = of_c.map(|moved| moved.fields[0].new.clone());
    assert_eq!(outcome, Some("answered 403 by acl".into()), "{found:?}");

    let (with_key, without) = ("keyauth_credentials: [{key: s3cret}],", "");
    let holder = |of_c: &str, of_d: &str| {
        file(&format!(
            "{{username: c, {of_c} acls: [{{group: g}}]}}, {{username: d, {of_d} acls: [{{group: g}}]}}"
        ))
    };
    let found = compared(&holder(with_key, without), &holder(without, with_key));
    let consumer = found.requests.iter().flat_map(|moved| &moved.fields).find(|f| f.name() == "consumer");
    assert_eq!(consumer.map(|f| (f.old.clone(), f.new.clone())), Some(("c".into(), "d".into())), "{found:?}");
    assert!(!format!("{found:?}").contains("s3cret"));
}
