use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{super::shared::fixture::*, *};
use model::State;
use plugin::{
    Credential, Exchange,
    testing::{PluginHarness, request},
};

fn state() -> State {
    Fixture::default()
        .consumer("admin", None)
        .group("admin", "admin")
        .group("admin", "staff")
        .consumer("staff", None)
        .group("staff", "staff")
        .consumer("loner", None)
        .build()
}

fn harness(config: serde_json::Value) -> PluginHarness {
    PluginHarness::new::<Plugin>(config, state()).expect("builds")
}

/// Creates a request that was authenticated as a consumer, or continues as the anonymous consumer.
fn from(harness: &PluginHarness, username: Option<&str>, is_authenticated: bool) -> Exchange {
    let mut exchange =
        request("GET", "/", &[("x-consumer-groups", "evil"), ("x-authenticated-groups", "evil")], "");
    exchange.consumer = username.map(|name| harness.state.consumer(name).expect("there is one"));
    exchange.credential = is_authenticated.then(|| Credential { id: Uuid::nil(), identifier: None });
    exchange
}

fn passes(harness: &PluginHarness, mut exchange: Exchange) -> Exchange {
    harness.access(&mut exchange).expect("passes");
    exchange
}

fn rejected(harness: &PluginHarness, mut exchange: Exchange) -> (StatusCode, String) {
    status_and_message(&harness.reply(&mut exchange))
}

const FORBIDDEN: (StatusCode, &str) = (StatusCode::FORBIDDEN, "You cannot consume this service");
const UNAUTHORIZED: (StatusCode, &str) = (StatusCode::UNAUTHORIZED, "Unauthorized");

fn assert_rejection(actual: (StatusCode, String), expected: (StatusCode, &str)) {
    assert_eq!((actual.0, actual.1.as_str()), expected);
}

#[test]
fn allow_admits_members_and_forwards_their_groups() {
    let harness = harness(json!({"allow": ["x", "staff"]}));
    let passed = passes(&harness, from(&harness, Some("admin"), true));
    assert_eq!(sent(&passed, "x-consumer-groups"), Some("admin, staff"));
    assert_eq!(sent(&passed, "x-authenticated-groups"), None, "the client's own never gets through");
    assert_rejection(rejected(&harness, from(&harness, Some("loner"), true)), FORBIDDEN);
}

#[test]
fn deny_rejects_members() {
    let harness = harness(json!({"deny": ["admin"]}));
    assert_rejection(rejected(&harness, from(&harness, Some("admin"), true)), FORBIDDEN);
    let passed = passes(&harness, from(&harness, Some("staff"), true));
    assert_eq!(sent(&passed, "x-consumer-groups"), Some("staff"));
    let passed = passes(&harness, from(&harness, Some("loner"), true));
    assert_eq!(sent(&passed, "x-consumer-groups"), Some(""), "no group at all");
}

#[test]
fn group_names_are_case_sensitive() {
    let harness = harness(json!({"allow": ["Admin"]}));
    assert_rejection(rejected(&harness, from(&harness, Some("admin"), true)), FORBIDDEN);
}

#[test]
fn unauthenticated_requests_are_unauthorized_rather_than_forbidden() {
    let harness = harness(json!({"allow": ["admin"]}));
    assert_rejection(rejected(&harness, from(&harness, None, false)), UNAUTHORIZED);
    assert_rejection(rejected(&harness, from(&harness, None, true)), FORBIDDEN);
    assert_rejection(rejected(&harness, from(&harness, Some("loner"), false)), UNAUTHORIZED);
    assert_rejection(rejected(&harness, from(&harness, Some("staff"), false)), FORBIDDEN);
}

#[test]
fn an_anonymous_consumer_is_admitted_by_its_groups() {
    let harness = harness(json!({"allow": ["staff"]}));
    let passed = passes(&harness, from(&harness, Some("staff"), false));
    assert_eq!(sent(&passed, "x-consumer-groups"), Some("staff"));
}

#[test]
fn authenticated_groups_are_used_without_a_consumer() {
    let harness = harness(json!({"allow": ["ldap"]}));
    let with = |username, is_authenticated| {
        let mut exchange = from(&harness, username, is_authenticated);
        exchange.authenticated_groups = Some(vec!["ldap".to_owned(), "other".to_owned()]);
        exchange
    };
    let passed = passes(&harness, with(None, true));
    assert_eq!(sent(&passed, "x-authenticated-groups"), Some("ldap, other"));
    assert_eq!(sent(&passed, "x-consumer-groups"), None);
    passes(&harness, with(Some("staff"), false));
    assert_rejection(rejected(&harness, with(Some("staff"), true)), FORBIDDEN);
}

#[test]
fn always_use_authenticated_groups_prefers_them_and_falls_back() {
    let harness = harness(json!({"allow": ["staff"], "always_use_authenticated_groups": true}));
    let mut exchange = from(&harness, Some("staff"), true);
    exchange.authenticated_groups = Some(vec!["other".to_owned()]);
    assert_rejection(rejected(&harness, exchange), FORBIDDEN);
    let passed = passes(&harness, from(&harness, Some("staff"), true));
    assert_eq!(sent(&passed, "x-consumer-groups"), Some("staff"));
}

#[test]
fn hide_groups_header_removes_all_group_headers() {
    let harness = harness(json!({"allow": ["staff"], "hide_groups_header": true}));
    let passed = passes(&harness, from(&harness, Some("staff"), true));
    assert_eq!(sent(&passed, "x-consumer-groups"), None);
    assert_eq!(sent(&passed, "x-authenticated-groups"), None);
}
