use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{super::shared::fixture::*, *};
use net::{Body, BodyError};
use plugin::{
    Exchange, ShortCircuit,
    testing::{PluginHarness, request},
};

/// Time of the harness's clock, in seconds since 1970.
const NOW: i64 = 1_700_000_000;

fn harness(config: serde_json::Value) -> PluginHarness {
    let state = Fixture::default()
        .consumer("bob", Some("cust-1"))
        .key("bob", "kong", 0, None)
        .consumer("amy", None)
        .key("amy", "k p", 0, None)
        .consumer("anon", None)
        .key("amy", "short", NOW - 10, Some(60))
        .key("amy", "moment", NOW - 10, Some(NOW + 60))
        .key("amy", "gone", 0, Some(0))
        .build();
    PluginHarness::new::<Plugin>(config, state).expect("builds")
}

fn passes(harness: &PluginHarness, mut exchange: Exchange) -> Exchange {
    harness.access(&mut exchange).expect("passes");
    exchange
}

fn rejected(harness: &PluginHarness, mut exchange: Exchange) -> String {
    let (status, message) = status_and_message(&harness.reply(&mut exchange));
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    message
}

fn get(target: &str, headers: &[(&str, &str)]) -> Exchange {
    request("GET", target, headers, "")
}

fn post(content_type: &str, body: &str) -> Exchange {
    let length = body.len().to_string();
    request("POST", "/", &[("content-type", content_type), ("content-length", &length)], body)
}

fn body(exchange: &Exchange) -> String {
    match &exchange.request.body {
        Body::Buffered(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Body::Empty => String::new(),
        other => panic!("the body of a test is no {other:?}"),
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn identity_headers_are_set_and_client_values_removed() {
    let evil = [
        ("apikey", "kong"),
        ("x-consumer-id", "evil"),
        ("x-consumer-username", "root"),
        ("x-credential-identifier", "evil"),
        ("x-anonymous-consumer", "true"),
        ("x-consumer-groups", "admin"),
        ("x-authenticated-groups", "admin"),
    ];
    let harness = harness(json!({}));
    let passed = passes(&harness, get("/", &evil));
    assert_eq!(sent(&passed, "x-consumer-id"), Some("00000000-0000-0000-0000-000000000001"));
    assert_eq!(sent(&passed, "x-consumer-username"), Some("bob"));
    assert_eq!(sent(&passed, "x-consumer-custom-id"), Some("cust-1"));
    assert_eq!(sent(&passed, "x-credential-identifier"), Some("00000000-0000-0000-0000-000000000002"));
    for name in ["x-anonymous-consumer", "x-consumer-groups", "x-authenticated-groups"] {
        assert_eq!(sent(&passed, name), None, "{name}");
    }
    assert_eq!(sent(&passed, "apikey"), Some("kong"), "not hidden unless asked for");
    assert_eq!(passed.consumer, harness.state.consumer("bob"));
    assert_eq!(passed.credential.expect("recognised").id, Uuid::from_u128(2));

    let passed = passes(&harness, get("/", &[("apikey", "k p"), ("x-consumer-custom-id", "evil")]));
    assert_eq!(sent(&passed, "x-consumer-custom-id"), None, "she has none");
}

#[test]
fn rejections_have_a_message_and_a_challenge() {
    let harness = harness(json!({"realm": "my place"}));
    let mut exchange = get("/", &[]);
    let reply = harness.reply(&mut exchange);
    assert_eq!(reply.headers["www-authenticate"], "Key realm=\"my place\"");
    assert_eq!(status_and_message(&reply).1, "No API key found in request");
    assert_eq!(rejected(&harness, get("/", &[("apikey", "nope")])), "Unauthorized");
    assert_eq!(rejected(&harness, get("/", &[("apikey", "")])), "No API key found in request");
    assert_eq!(rejected(&harness, get("/", &[("apikey", ""), ("x", "1")])), "No API key found in request");
    assert_eq!(rejected(&harness, get("/?apikey", &[])), "No API key found in request");
    assert_eq!(rejected(&harness, get("/?apikey=kong&apikey=kong", &[])), "Duplicate API key found");
    assert_eq!(
        rejected(&harness, get("/", &[("apikey", "kong"), ("apikey", "kong")])),
        "Duplicate API key found"
    );
    assert_eq!(rejected(&harness, get("/?APIKEY=kong", &[])), "No API key found in request");
}

#[test]
fn without_a_realm_the_challenge_has_no_parameters() {
    let reply = harness(json!({})).reply(&mut get("/", &[]));
    assert_eq!(reply.headers["www-authenticate"], "Key");
}

#[test]
fn a_header_precedes_the_query_and_the_body_is_ignored_by_default() {
    let harness = harness(json!({}));
    passes(&harness, get("/?apikey=nope", &[("apikey", "kong")]));
    assert_eq!(rejected(&harness, get("/?apikey=kong", &[("apikey", "nope")])), "Unauthorized");
    assert_eq!(sent(&passes(&harness, get("/?apikey=k+p", &[])), "x-consumer-username"), Some("amy"));
    assert_eq!(sent(&passes(&harness, get("/?%61pikey=k%20p", &[])), "x-consumer-username"), Some("amy"));
    assert_eq!(rejected(&harness, post(FORM, "apikey=kong")), "No API key found in request");
}

#[test]
fn names_are_tried_in_order_and_underscores_match_dashes_in_headers() {
    let harness = harness(json!({"key_names": ["api_key", "second"]}));
    passes(&harness, get("/", &[("api_key", "kong")]));
    passes(&harness, get("/", &[("Api-Key", "kong")]));
    passes(&harness, get("/", &[("second", "kong")]));
    passes(&harness, get("/?api_key", &[("second", "kong")]));
    assert_eq!(rejected(&harness, get("/?api-key=kong", &[])), "No API key found in request");
    assert_eq!(rejected(&harness, get("/?api_key=nope", &[("second", "kong")])), "Unauthorized");
}

#[test]
fn key_sources_can_be_disabled() {
    let closed = harness(json!({"key_in_header": false}));
    assert_eq!(rejected(&closed, get("/", &[("apikey", "kong")])), "No API key found in request");
    passes(&closed, get("/?apikey=kong", &[("apikey", "nope")]));
    let closed = harness(json!({"key_in_query": false}));
    assert_eq!(rejected(&closed, get("/?apikey=kong", &[])), "No API key found in request");
}

#[test]
fn the_key_is_found_in_the_body() {
    let harness = harness(json!({"key_in_body": true}));
    let passed = passes(&harness, post("application/json; charset=utf-8", r#"{"apikey":"kong","x":1}"#));
    assert_eq!(body(&passed), r#"{"apikey":"kong","x":1}"#);
    passes(&harness, post(FORM, "a=b&apikey=k+p"));
    let form = "--b\r\nContent-Disposition: form-data; name=\"apikey\"\r\n\r\nkong\r\n--b--\r\n";
    passes(&harness, post("multipart/form-data; boundary=b", form));
    passes(&harness, get("/", &[("apikey", "kong")]));
    for (content_type, body, message) in [
        ("application/json", r#"{"x":1}"#, "No API key found in request"),
        ("application/json", r#"{"apikey":1}"#, "No API key found in request"),
        ("application/json", r#"["apikey"]"#, "No API key found in request"),
        ("application/json", "{", "No API key found in request"),
        ("application/json", r#"{"apikey":["kong"]}"#, "Duplicate API key found"),
        ("text/plain", "apikey=kong", "No API key found in request"),
        (FORM, "apikey=kong&apikey=kong", "Duplicate API key found"),
        (FORM, "apikey", "No API key found in request"),
        (FORM, "", "No API key found in request"),
    ] {
        assert_eq!(rejected(&harness, post(content_type, body)), message, "{content_type}: {body}");
    }
}

#[test]
fn hide_credentials_removes_the_key_from_header_and_query() {
    let harness = harness(json!({"hide_credentials": true}));
    let passed = passes(&harness, get("/?a=1&apikey=x&b=%20", &[("apikey", "kong"), ("x-stays", "1")]));
    assert_eq!(sent(&passed, "apikey"), None);
    assert_eq!(sent(&passed, "x-stays"), Some("1"));
    assert_eq!(passed.request.query(), Some("a=1&b=%20"));
    assert_eq!(passes(&harness, get("/?apikey=kong", &[])).request.query(), None);
}

#[test]
fn hide_credentials_removes_the_key_from_the_body() {
    let harness = harness(json!({"hide_credentials": true, "key_in_body": true}));
    let form =
        |value: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{value}\"\r\n\r\nkong\r\n");
    let multipart = form("x") + &form("apikey") + &form("y") + "--b--\r\n";
    for (content_type, before, after) in [
        (FORM, "a=%20&apikey=kong&x=1", "a=%20&x=1".to_owned()),
        (FORM, "apikey=kong", String::new()),
        ("application/json", r#"{"b":1.50,"apikey":"kong","a":[0x1]}"#, r#"{"b":1.50,"a":[0x1]}"#.to_owned()),
        ("multipart/form-data; boundary=\"b\"", &multipart, form("x") + &form("y") + "--b--\r\n"),
    ] {
        let passed = passes(&harness, post(content_type, before));
        assert_eq!(body(&passed), after);
        assert_eq!(sent(&passed, "content-length"), Some(after.len().to_string().as_str()));
    }
    let mut exchange = post(FORM, "apikey=left&x=1");
    exchange.request.headers.insert("apikey", HeaderValue::from_static("kong"));
    assert_eq!(body(&passes(&harness, exchange)), "x=1", "taken out of every place");
    for (content_type, before, after) in [
        (FORM, "+apikey=kong&apikey[]=kong&[apikey]=kong&x=1", "x=1"),
        ("application/vnd.api+json", r#"{"apikey":"kong","x":1}"#, r#"{"x":1}"#),
    ] {
        let mut exchange = post(content_type, before);
        exchange.request.headers.insert("apikey", HeaderValue::from_static("kong"));
        assert_eq!(body(&passes(&harness, exchange)), after);
    }
}

#[test]
fn a_body_that_may_still_contain_the_key_is_rejected() {
    let harness = harness(json!({"hide_credentials": true, "key_in_body": true}));
    let status = |content_type: &str, extra: Option<(&'static str, &'static str)>, body: &str| {
        let mut exchange = post(content_type, body);
        exchange.request.headers.insert("apikey", HeaderValue::from_static("kong"));
        if let Some((name, value)) = extra {
            exchange.request.headers.append(name, HeaderValue::from_static(value));
        }
        match harness.access(&mut exchange) {
            Ok(()) => 200,
            Err(ShortCircuit::Respond(reply)) => reply.status.as_u16(),
            Err(ShortCircuit::BodyError(BodyError::TooLong { .. })) => 413,
            Err(other) => panic!("{other:?}"),
        }
    };
    let form = "--b\r\nContent-Disposition: form-data; name=apikey; name=x\r\n\r\nkong\r\n--b--\r\n";
    for (content_type, extra, body, expected) in [
        ("application/json", None, r#"{"apikey":"kong","a":}"#, 400),
        ("application/json", None, r#"["apikey"]"#, 200),
        ("application/json", Some(("content-encoding", "gzip")), r#"{"apikey":"kong"}"#, 400),
        ("application/json", Some(("content-encoding", "identity")), r#"{"apikey":"kong"}"#, 200),
        ("application/json", Some(("content-type", "text/plain")), r#"{"apikey":"kong"}"#, 400),
        ("application/json", Some(("content-encoding", "gzip")), "", 200),
        ("multipart/form-data; boundary=b", None, form, 400),
        ("multipart/form-data; boundary=b; boundary=c", None, form, 400),
        ("text/plain", None, "apikey=kong", 200),
        ("application/json; charset=utf-7", None, r#"{"+AGEAcABpAGsAZQB5-":"kong"}"#, 400),
        ("application/x-www-form-urlencoded; x=application/json", None, r#"{"a":"&apikey=kong&"}"#, 400),
        ("application/x-www-form-urlencoded; charset=utf-7", None, "a=1", 400),
        ("text/plain; x=application/json", None, r#"{"apikey":"kong"}"#, 400),
        ("multipart/form-data; boundary=b,c", None, form, 400),
        (
            "multipart/form-data; boundary=b",
            None,
            "--b\r\n\r\nContent-Disposition: x\r\n\r\nkong\r\n--b--",
            400,
        ),
        ("multipart/form-data; boundary=b", None, "text\r\n--b--\r\n", 400),
        (
            "multipart/form-data; boundary=b",
            None,
            "--b\r\nContent-Disposition: name=x\r\n\r\n1\r\n--b--",
            400,
        ),
    ] {
        assert_eq!(status(content_type, extra, body), expected, "{content_type} {extra:?} {body}");
    }
    let long = "x".repeat(crate::shared::body_args::MAX_BODY_BYTES + 1);
    assert_eq!(status(FORM, None, &long), 413);
}

#[test]
fn an_expired_key_is_unknown() {
    let harness = harness(json!({}));
    passes(&harness, get("/", &[("apikey", "short")]));
    passes(&harness, get("/", &[("apikey", "moment")]));
    assert_eq!(rejected(&harness, get("/", &[("apikey", "gone")])), "Unauthorized");
    harness.stores.clock.advance(Duration::from_secs(50));
    assert_eq!(rejected(&harness, get("/", &[("apikey", "short")])), "Unauthorized");
    passes(&harness, get("/", &[("apikey", "moment")]));
    harness.stores.clock.advance(Duration::from_secs(10));
    assert_eq!(rejected(&harness, get("/", &[("apikey", "moment")])), "Unauthorized");
}

#[test]
fn preflight_requests_pass_only_if_configured() {
    let options = || request("OPTIONS", "/", &[], "");
    rejected(&harness(json!({})), options());
    let passed = passes(&harness(json!({"run_on_preflight": false})), options());
    assert_eq!(passed.consumer, None);
}

#[test]
fn the_anonymous_consumer_is_found_by_name_or_id() {
    for anonymous in ["anon", "00000000-0000-0000-0000-000000000005"] {
        let harness = harness(json!({"anonymous": anonymous}));
        let passed = passes(&harness, get("/", &[("apikey", "nope"), ("x-credential-identifier", "evil")]));
        assert_eq!(sent(&passed, "x-consumer-username"), Some("anon"));
        assert_eq!(sent(&passed, "x-anonymous-consumer"), Some("true"));
        assert_eq!(sent(&passed, "x-credential-identifier"), None);
        assert!(passed.credential.is_none());
        let passed = passes(&harness, get("/", &[("apikey", "kong")]));
        assert_eq!(sent(&passed, "x-anonymous-consumer"), None);
    }
}

#[test]
fn a_missing_anonymous_consumer_fails_only_when_it_is_used() {
    let harness = harness(json!({"anonymous": "unknown"}));
    passes(&harness, get("/", &[("apikey", "kong")]));
    assert!(matches!(harness.access(&mut get("/", &[])), Err(ShortCircuit::Fail(_))));
}

#[test]
fn with_anonymous_an_earlier_success_suffices_and_without_both_are_required() {
    let earlier = || {
        let mut exchange = get("/", &[]);
        exchange.credential = Some(Credential { id: Uuid::nil(), identifier: None });
        exchange
    };
    let passed = passes(&harness(json!({"anonymous": "anon"})), earlier());
    assert_eq!(passed.consumer, None, "left as the earlier plugin set it");
    rejected(&harness(json!({})), earlier());
}

#[test]
fn values_that_are_invalid_in_headers_are_rejected() {
    let build = |config| PluginHarness::new::<Plugin>(config, Default::default()).err().map(|e| e.pointer);
    assert_eq!(build(json!({"key_names": ["ok", "n o"]})), Some("/key_names/1".to_owned()));
    assert_eq!(build(json!({"realm": "a\nb"})), Some("/realm".to_owned()));
}
