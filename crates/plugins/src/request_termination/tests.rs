//! The kinds of response, and the trigger.

use serde_json::{Value, json};

use super::*;
use model::{Ix, Route, State};
use net::BodyError;
use plugin::{
    RouteMatch, ShortCircuit,
    testing::{PluginHarness, request},
};

fn harness(config: Value) -> PluginHarness {
    PluginHarness::new::<Plugin>(config, State::default()).expect("settings are valid")
}

fn terminate(config: Value) -> LocalReply {
    harness(config).reply(&mut request("GET", "/", &[], ""))
}

#[test]
fn some_statuses_have_a_default_message() {
    let cases = [
        (401, "Unauthorized"),
        (404, "Not found"),
        (405, "Method not allowed"),
        (500, "An unexpected error occurred"),
        (502, "Bad Gateway"),
        (503, "Service unavailable"),
    ];
    for (status, message) in cases {
        let reply = terminate(json!({ "status_code": status }));
        assert_eq!(reply.status.as_u16(), status);
        assert!(
            matches!(reply.body, LocalReplyBody::Json(body) if body == json!({"message": message})),
            "{status}"
        );
    }
    for status in [400, 408, 413, 504] {
        assert!(
            matches!(terminate(json!({ "status_code": status })).body, LocalReplyBody::Message(None)),
            "{status}"
        );
    }
    let page = terminate(json!({"status_code": 403}));
    assert_eq!(page.headers[CONTENT_TYPE], "text/html");
    assert!(
        matches!(page.body, LocalReplyBody::Bytes(page) if page.windows(13).any(|w| w == b"403 Forbidden"))
    );
    for status in [202, 204, 418] {
        assert!(
            matches!(terminate(json!({ "status_code": status })).body, LocalReplyBody::Empty),
            "{status}"
        );
    }
    assert_eq!(terminate(json!({})).status, StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn a_message_is_sent_as_json() {
    let reply = terminate(json!({"message": "say \"hi\" / ü", "status_code": 404}));
    assert!(matches!(reply.body, LocalReplyBody::Json(body) if body == json!({"message": "say \"hi\" / ü"})));
}

#[test]
fn a_body_is_sent_unmodified() {
    let reply = terminate(json!({"status_code": 200, "body": "<b>hello</b>"}));
    assert!(reply.headers.is_empty(), "no content type by itself");
    assert!(matches!(reply.body, LocalReplyBody::Bytes(body) if body == "<b>hello</b>"));
    let reply = terminate(json!({"body": "<b>gone</b>", "content_type": "text/html"}));
    assert_eq!(reply.headers[CONTENT_TYPE], "text/html");
}

#[test]
fn a_trigger_is_a_header_or_a_query_argument() {
    let harness = harness(json!({"status_code": 202, "message": "x", "trigger": "get-out"}));
    let stops = |target: &str, headers: &[(&str, &str)]| {
        matches!(harness.access(&mut request("GET", target, headers, "")), Err(ShortCircuit::Respond(_)))
    };
    assert!(!stops("/get-out?other=1", &[("Other", "1")]));
    assert!(!stops("/?Get-Out=1", &[]));
    for target in ["/?get-out=1", "/?get-out", "/?a=b&get%2Dout="] {
        assert!(stops(target, &[]), "{target}");
    }
    assert!(stops("/", &[("Get-Out", "")]));
    assert!(stops("/", &[("get_out", "1")]));
}

fn echo(exchange: &mut Exchange, config: Value, state: State) -> Value {
    let harness = PluginHarness::new::<Plugin>(config, state).expect("settings are valid");
    match harness.reply(exchange).body {
        LocalReplyBody::Json(body) => body,
        other => panic!("expected JSON, got {other:?}"),
    }
}

#[test]
fn an_echo_contains_the_request() {
    let headers = [
        ("Host", "A.test:81"),
        ("X-A", "1"),
        ("X-A", "2"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let mut exchange = request("POST", "/a/../b%20c?x=1&y&x=2&z=", &headers, "p=q+r&s=");
    let config = json!({"echo": true, "message": "look", "status_code": 400});
    let body = echo(&mut exchange, config, State::default());
    assert_eq!(body["message"], "look");
    assert_eq!(body["kong"]["worker_pid"], std::process::id());
    assert!(body.get("matched_route").is_none());
    assert_eq!(
        body["request"],
        json!({
            "scheme": "http", "host": "a.test", "port": 81, "method": "POST", "path": "/b c",
            "headers": {
                "content-type": "application/x-www-form-urlencoded", "host": "A.test:81", "x-a": ["1", "2"]
            },
            "query": {"x": ["1", "2"], "y": true, "z": ""},
            "uri_captures": {"unnamed": [], "named": {}},
            "body": {"p": "q r", "s": ""},
            "raw_body": "p=q+r&s=",
        })
    );
}

#[test]
fn an_echo_contains_the_route_and_its_captures() {
    let mut state = State::default();
    let route = json!({"id": model::derived_id("routes", "r"), "name": "r", "paths": ["~/(?<kind>[^/]+)"]});
    let route = state.routes.push(serde_json::from_value::<Route>(route).expect("a route"));
    assert_eq!(route, Ix::new(0));
    let mut exchange = request("GET", "/status/200", &[], "cool body");
    let captures = [("0", "/status"), ("1", "status"), ("kind", "status")];
    exchange.route_match = Some(RouteMatch {
        route,
        service: None,
        matched_len: 7,
        captures: captures.map(|(name, text)| (name.into(), text.into())).into_iter().collect(),
    });
    let body = echo(&mut exchange, json!({"echo": true, "status_code": 404}), state);
    assert_eq!(body["message"], "Not found");
    assert_eq!(body["matched_route"]["paths"][0], "~/(?<kind>[^/]+)");
    assert_eq!(body["request"]["uri_captures"], json!({"unnamed": ["status"], "named": {"kind": "status"}}));
    assert_eq!((&body["request"]["raw_body"], body["request"].get("body")), (&json!("cool body"), None));
}

#[test]
fn mutually_exclusive_settings_are_rejected() {
    let cases = [
        (json!({"message": "a", "body": "b"}), Some("message cannot be used with content_type or body")),
        (
            json!({"message": "a", "content_type": "b"}),
            Some("message cannot be used with content_type or body"),
        ),
        (json!({"content_type": "a"}), Some("content_type requires a body")),
        (json!({"echo": true, "body": "b"}), Some("echo cannot be used with content_type and body")),
        (json!({"echo": true, "message": "a"}), None),
        (json!({"content_type": "a", "body": "b"}), None),
    ];
    for (config, expected) in cases {
        let mut checks = Diagnostics::default();
        let settings: Config = serde_json::from_value(config.clone()).expect("settings fit");
        <Plugin as plugin::Plugin>::check(&settings, &mut checks);
        assert_eq!(checks.entries.first().map(|(.., message)| message.as_str()), expected, "{config}");
    }
}

#[test]
fn defaults_are_those_of_kong() {
    assert_eq!(
        serde_json::to_value(Config::default()).expect("json"),
        json!({
            "status_code": 503, "message": null, "content_type": null, "body": null, "echo": false,
            "trigger": null
        })
    );
}

#[test]
fn a_body_error_determines_the_status() {
    let harness = harness(json!({"echo": true}));
    let mut exchange = request("POST", "/", &[], &"x".repeat(MAX_ECHO_BODY_BYTES + 1));
    assert!(matches!(harness.access(&mut exchange), Err(ShortCircuit::BodyError(BodyError::TooLong { .. }))));
}
