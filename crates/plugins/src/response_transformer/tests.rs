//! Comparison with Kong's behaviour for the same configuration.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::{MAX_BODY_BYTES, Plugin, headers, json};
use model::State;
use net::{BodyError, ConnectionBudget, MemoryBudget};
use plugin::{
    BodyFlow, Chunk, Ctx, Exchange,
    testing::{PluginHarness, request},
};

const JSON: (&str, &str) = ("content-type", "application/json");

fn respond(config: Value, headers: &[(&str, &str)]) -> (PluginHarness, Exchange) {
    let harness = PluginHarness::new::<Plugin>(config, State::default()).expect("settings that can be built");
    let mut exchange = request("GET", "/", &[], "");
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
        .collect();
    harness.header_filter(&mut exchange, StatusCode::OK, headers);
    (harness, exchange)
}

/// Returns the headers `x-a` and `x-b` after the rules.
fn headers_after(config: Value, headers: &[(&str, &str)]) -> [Vec<String>; 2] {
    let (_, exchange) = respond(config, headers);
    ["x-a", "x-b"].map(|name| {
        let values = exchange.response.headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect()
    })
}

fn body_after(config: Value, sent: &Value) -> Value {
    let (harness, mut exchange) = respond(config, &[JSON]);
    let sent = sent.to_string();
    let (first, second) = sent.split_at(sent.len() / 2);
    serde_json::from_str(&harness.body_filter(&mut exchange, &[first, second])).expect("JSON")
}

fn sample() -> Value {
    json!({"a": "1", "n": 5, "t": true, "l": ["x"], "o": {"k": "v"}})
}

/// Returns the fields of the sample that the rules changed; a removed one is null.
fn difference(config: Value) -> Value {
    let (before, after) = (sample(), body_after(config, &sample()));
    let mut out = json!({});
    for name in before.as_object().unwrap().keys().filter(|name| after.get(name.as_str()).is_none()) {
        out[name] = Value::Null;
    }
    for (name, value) in after.as_object().unwrap() {
        if before.get(name) != Some(value) {
            out[name] = value.clone();
        }
    }
    out
}

#[test]
fn header_rules_are_applied() {
    let two = [("x-a", "1"), ("x-a", "2")];
    let after = |config| headers_after(config, &two);
    assert_eq!(after(json!({"remove": {"headers": ["X-A:1"]}})), [vec![], Vec::<String>::new()]);
    assert_eq!(after(json!({"rename": {"headers": ["X-A:X-B"]}})), [vec![], vec!["1", "2"]]);
    assert_eq!(after(json!({"replace": {"headers": ["X-A:new", "X-B:no"]}})), [vec!["new"], vec![]]);
    assert_eq!(
        after(json!({"add": {"headers": ["X-A:no", "X-B:http://x:80/y"]}})),
        [vec!["1", "2"], vec!["http://x:80/y"]]
    );
    assert_eq!(
        after(json!({"append": {"headers": ["X-A:3", "X-B:one"]}})),
        [vec!["1", "2", "3"], vec!["one"]]
    );
    assert_eq!(after(json!({"add": {"headers": ["X-B:"]}})), [vec!["1", "2"], vec![]]);
}

#[test]
fn conditions_use_the_original_headers() {
    let config = json!({"remove": {"headers": ["X-A"]}, "add": {"headers": ["X-A:new"]}});
    assert_eq!(headers_after(config, &[("x-a", "1")])[0], Vec::<String>::new());
    let config = json!({"rename": {"headers": ["X-A:X-B"]}, "replace": {"headers": ["X-B:new"]}});
    assert_eq!(headers_after(config, &[("x-a", "1")])[1], ["1"]);
    let config = json!({"add": {"headers": ["X-A:one", "X-A:two"]}});
    assert_eq!(headers_after(config, &[])[0], ["two"]);
}

#[test]
fn fields_are_removed_renamed_and_appended() {
    assert_eq!(difference(json!({"remove": {"json": ["a", "zz"]}})), json!({"a": null}));
    assert_eq!(difference(json!({"rename": {"json": ["a:z", "zz:y"]}})), json!({"a": null, "z": "1"}));
    assert_eq!(
        difference(json!({"append": {"json": ["a:x", "l:y", "n:6", "zz:z"]}})),
        json!({"a": ["1", "x"], "l": ["x", "y"], "n": ["6"], "zz": ["z"]})
    );
    let typed = json!({"append": {"json": ["l:5", "l:true"], "json_types": ["number", "boolean"]}});
    assert_eq!(difference(typed), json!({"l": ["x", 5, true]}));
}

#[test]
fn values_are_strings_unless_a_type_is_given() {
    assert_eq!(difference(json!({"replace": {"json": ["a:2", "n:7", "zz:1"]}})), json!({"a": "2", "n": "7"}));
    let types = json!(["number", "string", "boolean"]);
    assert_eq!(
        difference(json!({"replace": {"json": ["a:2", "n:7.5", "t:false"], "json_types": types}})),
        json!({"a": 2, "n": "7.5", "t": false})
    );
    assert_eq!(difference(json!({"add": {"json": ["a:9", "new:9"]}})), json!({"new": "9"}));
    assert_eq!(
        difference(json!({"add": {"json": ["x:1", "y:2"], "json_types": ["number"]}})),
        json!({"x": 1, "y": "2"})
    );
    assert_eq!(
        difference(json!({"add": {"json": ["x:abc", "y:-1.5"], "json_types": ["number", "number"]}})),
        json!({"y": -1.5})
    );
    assert_eq!(difference(json!({"add": {"json": ["x:\"q\"/"]}})), json!({"x": "\"q\"/"}));
}

#[test]
fn json_rules_are_applied_in_order() {
    let config = json!({
        "remove": {"json": ["a"]}, "rename": {"json": ["o:a"]}, "replace": {"json": ["a:r"]},
        "add": {"json": ["a:no", "o:yes"]}, "append": {"json": ["a:p"]}
    });
    assert_eq!(difference(config), json!({"a": ["r", "p"], "o": "yes"}));
}

#[test]
fn only_json_is_buffered_and_loses_its_length() {
    let config = json!({"add": {"json": ["x:1"]}});
    for (content_type, is_buffered) in [
        ("application/json", true),
        ("Application/JSON; charset=utf-8", true),
        ("application/problem+json", true),
        ("text/html, application/json", true),
        ("text/plain", false),
        ("application/jsonx", false),
    ] {
        let (harness, mut exchange) =
            respond(config.clone(), &[("content-type", content_type), ("content-length", "2")]);
        assert_eq!(exchange.response.headers.contains_key("content-length"), !is_buffered, "{content_type}");
        let expected = if is_buffered { r#"{"x":"1"}"# } else { "{}" };
        assert_eq!(harness.body_filter(&mut exchange, &["{", "}"]), expected, "{content_type}");
    }
    let (_, exchange) = respond(json!({"add": {"headers": ["X-A:1"]}}), &[JSON, ("content-length", "2")]);
    assert!(exchange.response.headers.contains_key("content-length"), "no rule for JSON");
}

#[test]
fn bodies_that_are_not_objects_pass_unmodified() {
    for sent in ["oops", "", "[1, 2]", "null"] {
        let (harness, mut exchange) = respond(json!({"add": {"json": ["x:1"]}}), &[JSON]);
        assert_eq!(harness.body_filter(&mut exchange, &[sent]), sent);
    }
}

/// Creates a plugin that buffers 6 bytes, on a connection with this budget.
fn small(config: &Value, budget: usize) -> (Plugin, Exchange) {
    let config = serde_json::from_value(config.clone()).expect("settings");
    let plugin = Plugin {
        headers: headers::Rules::of(&config).expect("header rules"),
        json: json::Rules::of(&config),
        max_body_bytes: if budget == 0 { MAX_BODY_BYTES } else { 6 },
    };
    let mut exchange = request("GET", "/", &[], "");
    exchange.body_budget = Some(ConnectionBudget::new(MemoryBudget::new(budget as u64), budget));
    exchange.response.headers.insert("content-type", HeaderValue::from_static("application/json"));
    let state = State::default();
    plugin.header_filter(Ctx { exchange: &mut exchange, state: &state });
    (plugin, exchange)
}

/// Returns the bytes that are emitted, and the error for which the response was rejected.
fn emitted(plugin: &Plugin, exchange: &mut Exchange, chunks: &[&[u8]]) -> (Vec<u8>, Option<BodyError>) {
    let state = State::default();
    let (mut out, mut rejected) = (Vec::new(), None);
    for (at, piece) in chunks.iter().enumerate() {
        let mut chunk =
            Chunk { data: Bytes::copy_from_slice(piece), last: at + 1 == chunks.len(), trailers: None };
        if let BodyFlow::Abort(error) = plugin.body_filter(Ctx { exchange, state: &state }, &mut chunk) {
            rejected = Some(error);
        }
        out.extend_from_slice(&chunk.data);
    }
    (out, rejected)
}

#[test]
fn a_response_that_cannot_be_buffered_passes_only_if_no_rule_hides_fields() {
    let long = [b'x'; 40_000];
    let piece = [&b"{\"a\":\""[..], &long, b"\"}"].concat();
    for (budget, chunks) in [(1 << 20, [&b"{\"a\""[..], b":\"12345\"", b"}"]), (0, [&piece[..], b" ", b" "])]
    {
        let (plugin, mut exchange) = small(&json!({"add": {"json": ["x:1"]}}), budget);
        let (out, refused) = emitted(&plugin, &mut exchange, &chunks);
        assert_eq!((out, refused.is_some()), (chunks.concat(), false));
        assert!(!exchange.response.holds_head_for_body);
        let (plugin, mut exchange) = small(&json!({"remove": {"json": ["a"]}}), budget);
        assert!(exchange.response.holds_head_for_body);
        let (out, refused) = emitted(&plugin, &mut exchange, &chunks);
        assert_eq!(out, b"");
        let expected = matches!(
            (budget, refused),
            (0, Some(BodyError::Budget(_))) | (_, Some(BodyError::TooLong { .. }))
        );
        assert!(expected, "budget {budget}");
    }
}

#[test]
fn hidden_fields_do_not_pass_in_unparsable_bodies() {
    let remove = |headers: &[(&str, &str)], sent: &[u8]| {
        let (_, mut exchange) = respond(json!({"remove": {"json": ["password"]}}), headers);
        let config = serde_json::from_value(json!({"remove": {"json": ["password"]}})).expect("settings");
        let plugin = Plugin {
            headers: headers::Rules::of(&config).expect("header rules"),
            json: json::Rules::of(&config),
            max_body_bytes: MAX_BODY_BYTES,
        };
        let (out, refused) = emitted(&plugin, &mut exchange, &[sent, b""]);
        refused.is_none().then_some(out)
    };
    let deep = format!(r#"{{"password":"x","a":{}{}}}"#, "[".repeat(127), "]".repeat(127));
    for sent in
        [deep.as_bytes(), br#"{"password":"x","a":0x10}"#, b"{\"password\":\"x\",\"name\":\"M\xfcller\"}"]
    {
        let out = remove(&[JSON], sent).expect("it is read");
        assert!(!out.starts_with(b"{\"p") && out.len() + 15 == sent.len());
    }
    for (headers, sent) in [
        (&[JSON][..], &b"oops"[..]),
        (&[JSON], br#"{"password":"x""#),
        (&[JSON, ("content-encoding", "gzip")], b"\x1f\x8b"),
        (&[("content-type", "text/plain"), JSON], b"{"),
    ] {
        assert_eq!(remove(headers, sent), None, "{headers:?}");
    }
    for (headers, sent) in [(&[JSON][..], &b"[{}]"[..]), (&[JSON, ("content-encoding", "gzip")], b"")] {
        assert_eq!(remove(headers, sent).as_deref(), Some(sent), "{headers:?}");
    }
}

#[test]
fn upstream_requests_exclude_encodings_and_ranges() {
    for (config, stays) in
        [(json!({"remove": {"json": ["a"]}}), false), (json!({"add": {"json": ["a:1"]}}), true)]
    {
        let harness =
            PluginHarness::new::<Plugin>(config, State::default()).expect("settings that can be built");
        let mut exchange = request("GET", "/", &[("accept-encoding", "gzip"), ("range", "bytes=0-9")], "");
        harness.access(&mut exchange).expect("the request passes");
        for name in ["accept-encoding", "range"] {
            assert_eq!(exchange.request.headers.contains_key(name), stays, "{name}");
        }
    }
}
