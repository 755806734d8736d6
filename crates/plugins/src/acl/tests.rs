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

/// A request of someone whom an authentication plugin recognised, or let pass as anonymous.
fn from(harness: &PluginHarness, username: Option<&str>, recognised: bool) -> Exchange {
    let mut exchange =
        request("GET", "/", &[("x-consumer-groups", "evil"), ("x-authenticated-groups", "evil")], "");
    exchange.consumer = username.map(|name| harness.state.consumer(name).expect("there is one"));
    exchange.credential = recognised.then(|| Credential { id: Uuid::nil(), identifier: None });
    exchange
}

fn passes(harness: &PluginHarness, mut exchange: Exchange) -> Exchange {
    harness.access(&mut exchange).expect("passes");
    exchange
}

fn refused(harness: &PluginHarness, mut exchange: Exchange) -> (StatusCode, String) {
    status_and_message(&harness.reply(&mut exchange))
}

const FORBIDDEN: (StatusCode, &str) = (StatusCode::FORBIDDEN, "You cannot consume this service");
const UNAUTHORIZED: (StatusCode, &str) = (StatusCode::UNAUTHORIZED, "Unauthorized");

fn is(said: (StatusCode, String), expected: (StatusCode, &str)) {
    assert_eq!((said.0, said.1.as_str()), expected);
}

#[test]
fn allow_lets_members_in_and_tells_their_groups() {
    let harness = harness(json!({"allow": ["x", "staff"]}));
    let seen = passes(&harness, from(&harness, Some("admin"), true));
    assert_eq!(sent(&seen, "x-consumer-groups"), Some("admin, staff"));
    assert_eq!(sent(&seen, "x-authenticated-groups"), None, "the client's own never gets through");
    is(refused(&harness, from(&harness, Some("loner"), true)), FORBIDDEN);
}

#[test]
fn deny_keeps_members_out() {
    let harness = harness(json!({"deny": ["admin"]}));
    is(refused(&harness, from(&harness, Some("admin"), true)), FORBIDDEN);
    let seen = passes(&harness, from(&harness, Some("staff"), true));
    assert_eq!(sent(&seen, "x-consumer-groups"), Some("staff"));
    let seen = passes(&harness, from(&harness, Some("loner"), true));
    assert_eq!(sent(&seen, "x-consumer-groups"), Some(""), "no group at all");
}

#[test]
fn names_are_compared_letter_by_letter() {
    let harness = harness(json!({"allow": ["Admin"]}));
    is(refused(&harness, from(&harness, Some("admin"), true)), FORBIDDEN);
}

#[test]
fn who_is_not_known_is_unauthorized_rather_than_forbidden() {
    let harness = harness(json!({"allow": ["admin"]}));
    is(refused(&harness, from(&harness, None, false)), UNAUTHORIZED);
    is(refused(&harness, from(&harness, None, true)), FORBIDDEN);
    is(refused(&harness, from(&harness, Some("loner"), false)), UNAUTHORIZED);
    is(refused(&harness, from(&harness, Some("staff"), false)), FORBIDDEN);
}

#[test]
fn an_anonymous_consumer_passes_by_its_groups() {
    let harness = harness(json!({"allow": ["staff"]}));
    let seen = passes(&harness, from(&harness, Some("staff"), false));
    assert_eq!(sent(&seen, "x-consumer-groups"), Some("staff"));
}

#[test]
fn groups_that_came_with_the_authentication_count_without_a_consumer() {
    let harness = harness(json!({"allow": ["ldap"]}));
    let with = |username, recognised| {
        let mut exchange = from(&harness, username, recognised);
        exchange.groups = Some(vec!["ldap".to_owned(), "other".to_owned()]);
        exchange
    };
    let seen = passes(&harness, with(None, true));
    assert_eq!(sent(&seen, "x-authenticated-groups"), Some("ldap, other"));
    assert_eq!(sent(&seen, "x-consumer-groups"), None);
    passes(&harness, with(Some("staff"), false));
    is(refused(&harness, with(Some("staff"), true)), FORBIDDEN);
}

#[test]
fn always_use_authenticated_groups_prefers_them_and_falls_back() {
    let harness = harness(json!({"allow": ["staff"], "always_use_authenticated_groups": true}));
    let mut exchange = from(&harness, Some("staff"), true);
    exchange.groups = Some(vec!["other".to_owned()]);
    is(refused(&harness, exchange), FORBIDDEN);
    let seen = passes(&harness, from(&harness, Some("staff"), true));
    assert_eq!(sent(&seen, "x-consumer-groups"), Some("staff"));
}

#[test]
fn hide_groups_header_says_nothing_and_lets_nothing_through() {
    let harness = harness(json!({"allow": ["staff"], "hide_groups_header": true}));
    let seen = passes(&harness, from(&harness, Some("staff"), true));
    assert_eq!(sent(&seen, "x-consumer-groups"), None);
    assert_eq!(sent(&seen, "x-authenticated-groups"), None);
}
