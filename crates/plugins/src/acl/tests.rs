use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{super::shared::fixture::*, *};
use model::State;
use plugin::{
    Credential, Exchange,
    testing::{Bench, request},
};

fn state() -> State {
    Fixture::default()
        .consumer("admin", None)
        .group("admin", "admin")
        .group("admin", "staff")
        .consumer("staff", None)
        .group("staff", "staff")
        .consumer("loner", None)
        .done()
}

fn bench(config: serde_json::Value) -> Bench {
    Bench::new::<Plugin>(config, state()).expect("builds")
}

/// A request of someone whom an authentication plugin recognised, or let pass as anonymous.
fn from(bench: &Bench, username: Option<&str>, recognised: bool) -> Exchange {
    let mut exchange =
        request("GET", "/", &[("x-consumer-groups", "evil"), ("x-authenticated-groups", "evil")], "");
    exchange.consumer = username.map(|name| bench.state.consumer(name).expect("there is one"));
    exchange.credential = recognised.then(|| Credential { id: Uuid::nil(), identifier: None });
    exchange
}

fn passes(bench: &Bench, mut exchange: Exchange) -> Exchange {
    bench.access(&mut exchange).expect("passes");
    exchange
}

fn refused(bench: &Bench, mut exchange: Exchange) -> (StatusCode, String) {
    said(&bench.reply(&mut exchange))
}

const FORBIDDEN: (StatusCode, &str) = (StatusCode::FORBIDDEN, "You cannot consume this service");
const UNAUTHORIZED: (StatusCode, &str) = (StatusCode::UNAUTHORIZED, "Unauthorized");

fn is(said: (StatusCode, String), expected: (StatusCode, &str)) {
    assert_eq!((said.0, said.1.as_str()), expected);
}

#[test]
fn allow_lets_members_in_and_tells_their_groups() {
    let bench = bench(json!({"allow": ["x", "staff"]}));
    let seen = passes(&bench, from(&bench, Some("admin"), true));
    assert_eq!(sent(&seen, "x-consumer-groups"), Some("admin, staff"));
    assert_eq!(sent(&seen, "x-authenticated-groups"), None, "the client's own never gets through");
    is(refused(&bench, from(&bench, Some("loner"), true)), FORBIDDEN);
}

#[test]
fn deny_keeps_members_out() {
    let bench = bench(json!({"deny": ["admin"]}));
    is(refused(&bench, from(&bench, Some("admin"), true)), FORBIDDEN);
    let seen = passes(&bench, from(&bench, Some("staff"), true));
    assert_eq!(sent(&seen, "x-consumer-groups"), Some("staff"));
    let seen = passes(&bench, from(&bench, Some("loner"), true));
    assert_eq!(sent(&seen, "x-consumer-groups"), Some(""), "no group at all");
}

#[test]
fn names_are_compared_letter_by_letter() {
    let bench = bench(json!({"allow": ["Admin"]}));
    is(refused(&bench, from(&bench, Some("admin"), true)), FORBIDDEN);
}

#[test]
fn who_is_not_known_is_unauthorized_rather_than_forbidden() {
    let bench = bench(json!({"allow": ["admin"]}));
    is(refused(&bench, from(&bench, None, false)), UNAUTHORIZED);
    is(refused(&bench, from(&bench, None, true)), FORBIDDEN);
    is(refused(&bench, from(&bench, Some("loner"), false)), UNAUTHORIZED);
    is(refused(&bench, from(&bench, Some("staff"), false)), FORBIDDEN);
}

#[test]
fn an_anonymous_consumer_passes_by_its_groups() {
    let bench = bench(json!({"allow": ["staff"]}));
    let seen = passes(&bench, from(&bench, Some("staff"), false));
    assert_eq!(sent(&seen, "x-consumer-groups"), Some("staff"));
}

#[test]
fn groups_that_came_with_the_authentication_count_without_a_consumer() {
    let bench = bench(json!({"allow": ["ldap"]}));
    let with = |username, recognised| {
        let mut exchange = from(&bench, username, recognised);
        exchange.groups = Some(vec!["ldap".to_owned(), "other".to_owned()]);
        exchange
    };
    let seen = passes(&bench, with(None, true));
    assert_eq!(sent(&seen, "x-authenticated-groups"), Some("ldap, other"));
    assert_eq!(sent(&seen, "x-consumer-groups"), None);
    passes(&bench, with(Some("staff"), false));
    is(refused(&bench, with(Some("staff"), true)), FORBIDDEN);
}

#[test]
fn always_use_authenticated_groups_prefers_them_and_falls_back() {
    let bench = bench(json!({"allow": ["staff"], "always_use_authenticated_groups": true}));
    let mut exchange = from(&bench, Some("staff"), true);
    exchange.groups = Some(vec!["other".to_owned()]);
    is(refused(&bench, exchange), FORBIDDEN);
    let seen = passes(&bench, from(&bench, Some("staff"), true));
    assert_eq!(sent(&seen, "x-consumer-groups"), Some("staff"));
}

#[test]
fn hide_groups_header_says_nothing_and_lets_nothing_through() {
    let bench = bench(json!({"allow": ["staff"], "hide_groups_header": true}));
    let seen = passes(&bench, from(&bench, Some("staff"), true));
    assert_eq!(sent(&seen, "x-consumer-groups"), None);
    assert_eq!(sent(&seen, "x-authenticated-groups"), None);
}
