//! Preflight requests, and the headers of other responses.

use http::header::CONTENT_LENGTH;
use serde_json::{Value, json};

use super::*;
use model::State;
use plugin::{
    LocalReplyBody,
    testing::{PluginHarness, request},
};

fn harness(config: Value) -> PluginHarness {
    PluginHarness::new::<Plugin>(config, State::default()).expect("settings are valid")
}

/// Returns the headers of the response to a GET with this origin; several values of one name are joined by `|`.
fn simple(config: Value, origin: Option<&str>) -> Vec<(String, String)> {
    let harness = harness(config);
    let sent: Vec<(&str, &str)> = origin.map(|o| ("Origin", o)).into_iter().collect();
    let mut exchange = request("GET", "/", &sent, "");
    harness.access(&mut exchange).expect("no preflight");
    harness.header_filter(&mut exchange, StatusCode::OK, HeaderMap::new());
    listed(&exchange.response.headers)
}

fn preflight(config: Value, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let harness = harness(config);
    let mut sent = vec![("Access-Control-Request-Method", "GET")];
    if !more.iter().any(|(name, _)| *name == "Origin") {
        sent.push(("Origin", "http://a.test"));
    }
    sent.extend(more);
    let mut exchange = request("OPTIONS", "/", &sent, "");
    let reply = harness.reply(&mut exchange);
    assert_eq!(reply.status, StatusCode::OK);
    assert!(matches!(reply.body, LocalReplyBody::Empty));
    exchange.response.headers.extend(reply.headers);
    let before = HeaderMap::clone(&exchange.response.headers);
    harness.header_filter(&mut exchange, StatusCode::OK, HeaderMap::new());
    assert_eq!(*exchange.response.headers, before, "the header filter leaves a preflight alone");
    listed(&before)
}

fn listed(headers: &HeaderMap) -> Vec<(String, String)> {
    let all = |name| headers.get_all(name).iter().map(|v| v.to_str().expect("text")).collect::<Vec<_>>();
    headers.keys().map(|name| (name.as_str().replace("access-control-", ""), all(name).join("|"))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const METHODS: (&str, &str) = ("allow-methods", "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT");

#[test]
fn preflight_requests_are_handled() {
    let requested = ("Access-Control-Request-Headers", "origin, x-a");
    let private = ("Access-Control-Request-Private-Network", "true");
    let cases: &[(Value, &[(&str, &str)], &[(&str, &str)])] = &[
        (json!({}), &[], &[("allow-origin", "*"), METHODS]),
        (json!({"origins": []}), &[], &[("allow-origin", "*"), METHODS]),
        (json!({}), &[requested], &[("allow-origin", "*"), ("allow-headers", "origin, x-a"), METHODS]),
        (
            json!({"headers": ["X-A", "X-B"], "methods": ["GET", "DELETE"], "max_age": 23}),
            &[requested],
            &[
                ("allow-origin", "*"),
                ("allow-headers", "X-A,X-B"),
                ("allow-methods", "GET,DELETE"),
                ("max-age", "23"),
            ],
        ),
        (
            json!({"headers": []}),
            &[requested],
            &[("allow-origin", "*"), ("allow-headers", "origin, x-a"), METHODS],
        ),
        (json!({"methods": null}), &[], &[("allow-origin", "*"), METHODS]),
        (json!({"max_age": 1.5}), &[], &[("allow-origin", "*"), METHODS, ("max-age", "1.5")]),
        (json!({"private_network": true}), &[], &[("allow-origin", "*"), METHODS]),
        (
            json!({"private_network": true}),
            &[private],
            &[("allow-origin", "*"), METHODS, ("allow-private-network", "true")],
        ),
        (json!({}), &[private], &[("allow-origin", "*"), METHODS]),
        (json!({"exposed_headers": ["X-A"]}), &[], &[("allow-origin", "*"), METHODS]),
        (
            json!({"origins": ["http://a.test"], "credentials": true}),
            &[("Origin", "http://b.test")],
            &[("allow-origin", "http://a.test"), ("allow-credentials", "true"), ("vary", "Origin"), METHODS],
        ),
        (
            json!({"credentials": true}),
            &[("Origin", "http://b.test")],
            &[("allow-origin", "http://b.test"), ("allow-credentials", "true"), ("vary", "Origin"), METHODS],
        ),
        (
            json!({"origins": ["http://a.test", "http://c.test"]}),
            &[("Origin", "http://b.test")],
            &[("vary", "Origin"), METHODS],
        ),
    ];
    for (config, sent, expected) in cases {
        let mut found = preflight(config.clone(), sent);
        let mut expected = pairs(expected);
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{config} {sent:?}");
    }
}

#[test]
fn other_options_requests_pass() {
    let harness = harness(json!({}));
    let cases: [(&str, &[(&str, &str)]); 4] = [
        ("OPTIONS", &[("Origin", "http://a.test")]),
        ("OPTIONS", &[("Access-Control-Request-Method", "GET")]),
        ("OPTIONS", &[("Origin", ""), ("Access-Control-Request-Method", "GET")]),
        ("GET", &[("Origin", "http://a.test"), ("Access-Control-Request-Method", "GET")]),
    ];
    for (method, headers) in cases {
        let mut exchange = request(method, "/", headers, "");
        assert!(harness.access(&mut exchange).is_ok(), "{method} {headers:?}");
        harness.header_filter(&mut exchange, StatusCode::OK, HeaderMap::new());
        assert_eq!(exchange.response.headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    }
}

#[test]
fn preflight_continue_forwards_to_the_upstream() {
    let harness = harness(json!({"preflight_continue": true}));
    let sent = [("Origin", "http://a.test"), ("Access-Control-Request-Method", "GET")];
    let mut exchange = request("OPTIONS", "/", &sent, "");
    assert!(harness.access(&mut exchange).is_ok());
    let upstream = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from_static("0"))]);
    harness.header_filter(&mut exchange, StatusCode::OK, upstream.clone());
    assert_eq!(*exchange.response.headers, upstream);
}

#[test]
fn other_responses_have_the_allowed_origin() {
    const A: Option<&str> = Some("http://a.test");
    let regex = r".*\.?example(?:-foo)?\.test";
    let cases: &[(Value, Option<&str>, &[(&str, &str)])] = &[
        (json!({}), None, &[("allow-origin", "*")]),
        (json!({"origins": ["*"]}), A, &[("allow-origin", "*")]),
        (json!({"max_age": 23}), A, &[("allow-origin", "*")]),
        (
            json!({"origins": ["http://a.test"]}),
            None,
            &[("allow-origin", "http://a.test"), ("vary", "Origin")],
        ),
        (json!({"origins": ["a.test"]}), A, &[("allow-origin", "a.test"), ("vary", "Origin")]),
        (
            json!({"origins": ["http://a.test", "https://b.test:8443"]}),
            Some("https://a.test"),
            &[("vary", "Origin")],
        ),
        (
            json!({"origins": ["http://a.test:80", "https://b.test:443"]}),
            A,
            &[("allow-origin", "http://a.test"), ("vary", "Origin")],
        ),
        (
            json!({"origins": ["http://a.test:80", "https://b.test:443"]}),
            Some("https://b.test"),
            &[("allow-origin", "https://b.test"), ("vary", "Origin")],
        ),
        (
            json!({"origins": ["http://a.test", "*"]}),
            Some("http://z.test"),
            &[("allow-origin", "*"), ("vary", "Origin")],
        ),
        (json!({"origins": ["http://a.test", "*"]}), None, &[("vary", "Origin")]),
        (
            json!({"origins": [regex, "http://x.test"]}),
            Some("https://www.example-foo.test"),
            &[("allow-origin", "https://www.example-foo.test"), ("vary", "Origin")],
        ),
        (json!({"origins": [regex, "http://x.test"]}), Some("http://example.testing"), &[("vary", "Origin")]),
        (
            json!({"origins": [r"[a-z]+\.example\.test"]}),
            Some("http://foo.example.test"),
            &[("allow-origin", "http://foo.example.test"), ("vary", "Origin")],
        ),
        (
            json!({"origins": [r"[a-z]+\.example\.test"]}),
            Some("http://1.example.test"),
            &[("vary", "Origin")],
        ),
        (json!({"origins": [r"[a-z]+\.example\.test"]}), None, &[("vary", "Origin")]),
        (
            json!({"origins": [r"^.*\.example\.test$", "x.test"]}),
            Some("http://a.example.test"),
            &[("allow-origin", "http://a.example.test"), ("vary", "Origin")],
        ),
        (json!({"origins": ["http://a.test", "http://b.test"]}), Some("null"), &[("vary", "Origin")]),
        (
            json!({"origins": ["null", "http://b.test"]}),
            Some("null"),
            &[("allow-origin", "null"), ("vary", "Origin")],
        ),
        (
            json!({"origins": ["http://a.test"], "credentials": true}),
            A,
            &[("allow-origin", "http://a.test"), ("allow-credentials", "true"), ("vary", "Origin")],
        ),
        (
            json!({"credentials": true}),
            A,
            &[("allow-origin", "http://a.test"), ("allow-credentials", "true"), ("vary", "Origin")],
        ),
        (json!({"credentials": true}), None, &[("allow-origin", "*")]),
        (
            json!({"exposed_headers": ["X-A", "X-B"]}),
            A,
            &[("allow-origin", "*"), ("expose-headers", "X-A,X-B")],
        ),
        (json!({"allow_origin_absent": false}), None, &[]),
        (json!({"allow_origin_absent": false}), A, &[("allow-origin", "*")]),
    ];
    for (config, origin, expected) in cases {
        assert_eq!(simple(config.clone(), *origin), pairs(expected), "{config} {origin:?}");
    }
}

#[test]
fn the_upstreams_cors_headers_are_replaced_and_its_vary_retained() {
    let harness = harness(json!({"origins": ["http://a.test", "http://b.test"]}));
    let mut exchange = request("GET", "/", &[("Origin", "http://c.test")], "");
    let upstream = HeaderMap::from_iter([
        (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (VARY, HeaderValue::from_static("Accept-Encoding")),
    ]);
    harness.header_filter(&mut exchange, StatusCode::OK, upstream);
    assert_eq!(listed(&exchange.response.headers), pairs(&[("vary", "Accept-Encoding|Origin")]));
}

#[test]
fn an_invalid_regex_is_rejected() {
    let error =
        PluginHarness::new::<Plugin>(json!({"origins": ["http://a.test", "[a"]}), State::default()).err();
    let error = error.expect("refused");
    assert_eq!((error.pointer.as_str(), error.message.as_str()), ("/origins/1", "'[a' is not a valid regex"));
}

#[test]
fn defaults_are_those_of_kong() {
    assert_eq!(
        serde_json::to_value(Config::default()).expect("json"),
        json!({
            "origins": null, "headers": null, "exposed_headers": null,
            "methods": ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"],
            "max_age": null, "credentials": false, "private_network": false, "preflight_continue": false
        })
    );
}
