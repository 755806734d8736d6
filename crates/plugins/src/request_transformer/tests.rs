//! Comparison with Kong's behaviour for the same configuration.

use serde_json::{Value, json};
use smallvec::smallvec;

use super::{MAX_BODY_BYTES, MAX_QUERY_FORM_BYTES, Plugin, config::Config};
use model::{Ix, State};
use net::BodyError;
use plugin::{
    Diagnostics, Exchange, Plugin as _, RouteMatch, ShortCircuit,
    testing::{PluginHarness, request},
};
use source::Level;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");
const MULTIPART: (&str, &str) = ("content-type", "multipart/form-data; boundary=xx");
const PARTS: &str = "--xx\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--xx\r\n\
                     Content-Disposition: form-data; name=\"b\"\r\n\r\n2\r\n--xx--\r\n";

fn harness(config: Value) -> PluginHarness {
    PluginHarness::new::<Plugin>(config, State::default()).expect("settings that can be built")
}

/// Transforms a request, which must pass.
#[track_caller]
fn run(config: Value, mut exchange: Exchange) -> Exchange {
    harness(config).access(&mut exchange).expect("the request passes");
    exchange
}

#[track_caller]
fn fault(config: Value, mut exchange: Exchange) -> String {
    match harness(config).access(&mut exchange) {
        Err(ShortCircuit::Fail(why)) => why,
        other => panic!("expected a failure, got {other:?}"),
    }
}

fn values(exchange: &Exchange, name: &str) -> Vec<String> {
    let values = exchange.request.headers.get_all(name).iter();
    values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}

/// Returns the headers `x-a` after header rules.
#[track_caller]
fn x_a(config: Value, headers: &[(&str, &str)]) -> Vec<String> {
    values(&run(config, request("GET", "/", headers, "")), "x-a")
}

/// Returns the query after query rules.
#[track_caller]
fn query(config: Value, target: &str) -> Option<String> {
    run(config, request("GET", target, &[], "")).request.query().map(str::to_owned)
}

fn text(mut exchange: Exchange) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime for the test");
    let body = runtime.block_on(exchange.request.read_body(usize::MAX)).expect("a body at hand");
    String::from_utf8_lossy(&body).into_owned()
}

/// Returns the body after body rules, and checks `Content-Length`.
#[track_caller]
fn body(config: Value, content_type: (&str, &str), sent: &str) -> String {
    let exchange = run(config, request("POST", "/", &[content_type], sent));
    let length = exchange.request.header("content-length").map(str::to_owned);
    let text = text(exchange);
    assert!(text == sent || length == Some(text.len().to_string()), "length {length:?} for {text}");
    text
}

#[track_caller]
fn json_body(config: Value, sent: Value) -> Value {
    serde_json::from_str(&body(config, JSON, &sent.to_string())).expect("JSON")
}

#[test]
fn headers_are_removed_and_renamed() {
    assert!(x_a(json!({"remove": {"headers": ["x-A", "X-None"]}}), &[("x-a", "1"), ("x-a", "2")]).is_empty());
    let rename = json!({"rename": {"headers": ["X-Old:X-A"]}});
    assert!(x_a(rename.clone(), &[]).is_empty(), "an absent header makes nothing");
    assert_eq!(x_a(rename.clone(), &[("x-old", "old"), ("x-a", "new")]), ["old"]);
    assert_eq!(x_a(rename, &[("x-old", "1"), ("x-old", "2")]), ["1", "2"]);
    assert_eq!(x_a(json!({"rename": {"headers": ["x-a:X-A"]}}), &[("x-a", "1")]), ["1"]);
}

#[test]
fn headers_are_replaced_added_and_appended() {
    let replace = json!({"replace": {"headers": ["X-A:http://x:80/y"]}});
    assert_eq!(x_a(replace.clone(), &[("x-a", "1"), ("x-a", "2")]), ["http://x:80/y"]);
    assert!(x_a(replace, &[]).is_empty());
    assert_eq!(x_a(json!({"add": {"headers": ["x-a:one"]}}), &[("x-a", "mine")]), ["mine"]);
    assert_eq!(x_a(json!({"add": {"headers": ["X-A:one", "X-A:two", "X-A:"]}}), &[]), ["one"]);
    let append = json!({"append": {"headers": ["X-A:two", "X-A:three"]}});
    assert_eq!(x_a(append.clone(), &[("x-a", "one")]), ["one", "two", "three"]);
    assert_eq!(x_a(append, &[]), ["two", "three"]);
    assert_eq!(x_a(json!({"add": {"headers": ["X-A:cost $5#"]}}), &[]), ["cost $5#"]);
}

#[test]
fn header_rules_run_in_their_order() {
    let config = json!({
        "remove": {"headers": ["X-A"]}, "rename": {"headers": ["X-B:X-A"]},
        "replace": {"headers": ["X-A:replaced"]}, "add": {"headers": ["X-A:added", "X-B:added"]},
        "append": {"headers": ["X-A:more"]}
    });
    let exchange = run(config, request("GET", "/", &[("x-a", "a"), ("x-b", "b")], ""));
    assert_eq!(values(&exchange, "x-a"), ["replaced", "more"]);
    assert_eq!(values(&exchange, "x-b"), ["added"]);
}

#[test]
fn the_host_is_replaced_and_nothing_else() {
    let host = |config| {
        let exchange =
            run(config, request("GET", "/", &[("host", "client.test"), ("x-h", "other.test")], ""));
        assert_eq!(values(&exchange, "host"), ["client.test"]);
        exchange.upstream_overrides.host.map(|host| host.to_str().expect("text").to_owned())
    };
    assert_eq!(host(json!({"replace": {"headers": ["Host:up.test"]}})).as_deref(), Some("up.test"));
    assert_eq!(host(json!({"rename": {"headers": ["X-H:host"]}})).as_deref(), Some("other.test"));
    for list in ["add", "append", "remove"] {
        assert_eq!(host(json!({list: {"headers": ["Host:up.test"]}})), None, "{list}");
    }
}

#[test]
fn query_rules_are_applied() {
    let remove = json!({"remove": {"querystring": ["a", "b"]}});
    assert_eq!(query(remove.clone(), "/?a=1&b=2&b=3&c=4").as_deref(), Some("c=4"));
    assert_eq!(query(remove, "/?a=1"), None);
    assert_eq!(query(json!({"remove": {"querystring": ["A"]}}), "/?a=1&A=2").as_deref(), Some("a=1"));
    assert_eq!(query(json!({"rename": {"querystring": ["a:z"]}}), "/?a=1&b=2").as_deref(), Some("b=2&z=1"));
    assert_eq!(
        query(json!({"replace": {"querystring": ["a:9", "z:9"]}}), "/?a=1&a=2").as_deref(),
        Some("a=9")
    );
    let add = json!({"add": {"querystring": ["a:1", "b[x]:x y/"]}});
    assert_eq!(query(add.clone(), "/?a=0").as_deref(), Some("a=0&b%5Bx%5D=x%20y%2F"));
    assert_eq!(query(add, "/").as_deref(), Some("a=1&b%5Bx%5D=x%20y%2F"));
    assert_eq!(query(json!({"add": {"querystring": ["n:1"]}}), "/?flag").as_deref(), Some("flag&n=1"));
    let append = json!({"append": {"querystring": ["a:2", "f:1"]}});
    assert_eq!(query(append, "/?f&a=1&z=+").as_deref(), Some("a=1&a=2&f=1&z=%20"));
}

#[test]
fn a_query_that_no_rule_changes_keeps_its_bytes() {
    let sent = "b=%7e&a=+&b&&c=%zz";
    let target = format!("/?{sent}");
    assert_eq!(query(json!({"add": {"headers": ["X-A:1"]}}), &target).as_deref(), Some(sent));
    assert_eq!(query(json!({"remove": {"querystring": ["none"]}}), &target).as_deref(), Some(sent));
}

#[test]
fn json_rules_are_applied() {
    assert_eq!(json_body(json!({"remove": {"body": ["a", "z"]}}), json!({"a": 1, "b": 2})), json!({"b": 2}));
    assert_eq!(json_body(json!({"rename": {"body": ["a:b", "z:y"]}}), json!({"a": 1})), json!({"b": 1}));
    assert_eq!(
        json_body(json!({"replace": {"body": ["a:10", "b:20"]}}), json!({"a": 1})),
        json!({"a": "10"})
    );
    let add = json!({"add": {"body": ["a:true", "b:say \"hi\""]}});
    assert_eq!(json_body(add.clone(), json!({"a": "mine"})), json!({"a": "mine", "b": "say \"hi\""}));
    assert_eq!(json_body(add, json!({"a": false, "b": null})), json!({"a": "true", "b": null}));
    let append = json!({"append": {"body": ["s:x", "l:x", "n:x"]}});
    assert_eq!(
        json_body(append, json!({"s": "a", "l": ["a"]})),
        json!({"s": ["a", "x"], "l": ["a", "x"], "n": ["x"]})
    );
}

#[test]
fn json_types_are_preserved() {
    let add = json!({"add": {"body": ["x:ü"]}});
    assert_eq!(body(add.clone(), JSON, ""), r#"{"x":"ü"}"#);
    assert_eq!(body(add.clone(), JSON, r#"{"e":[],"n":null}"#), r#"{"e":[],"n":null,"x":"ü"}"#);
    assert_eq!(body(add.clone(), ("content-type", "Application/JSON; charset=utf-8"), "{}"), r#"{"x":"ü"}"#);
    for sent in ["not json", "[1, 2]", "5", "null"] {
        assert_eq!(body(add.clone(), JSON, sent), sent);
    }
    assert_eq!(
        body(json!({"remove": {"body": ["x"]}}), JSON, "{ }"),
        "{ }",
        "nothing changes, nothing is written"
    );
    assert_eq!(body(json!({"remove": {"body": ["x"]}}), JSON, ""), "");
    assert_eq!(body(add, ("content-type", "text/plain"), "{}"), "{}");
}

#[test]
fn form_rules_are_applied() {
    let config = json!({
        "remove": {"body": ["gone"]}, "rename": {"body": ["old:new"]}, "replace": {"body": ["r:2", "nope:2"]},
        "add": {"body": ["added:1", "r:no"]}, "append": {"body": ["p:b c"]}
    });
    assert_eq!(body(config, FORM, "gone=1&old=v&r=1&p=a"), "r=2&p=a&p=b%20c&new=v&added=1");
    assert_eq!(body(json!({"add": {"body": ["b:2"]}}), FORM, ""), "b=2");
}

#[test]
fn multipart_rules_are_applied() {
    let part = |name: &str, value: &str| {
        format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let rest = part("b", "2");
    assert_eq!(body(json!({"remove": {"body": ["a"]}}), MULTIPART, PARTS), format!("{rest}--xx--\r\n"));
    assert_eq!(
        body(json!({"replace": {"body": ["a:one", "z:one"]}}), MULTIPART, PARTS),
        format!("{rest}{}--xx--\r\n", part("a", "one"))
    );
    assert_eq!(
        body(json!({"rename": {"body": ["a:c"]}}), MULTIPART, PARTS),
        format!("{rest}{}--xx--\r\n", part("c", "1"))
    );
    assert_eq!(
        body(json!({"add": {"body": ["c:3", "a:no"]}}), MULTIPART, PARTS),
        format!("{}{rest}{}--xx--\r\n", part("a", "1"), part("c", "3"))
    );
    assert_eq!(body(json!({"append": {"body": ["a:3"]}}), MULTIPART, PARTS), PARTS);
    assert_eq!(
        body(json!({"add": {"body": ["c:3"]}}), MULTIPART, ""),
        format!("{}--xx--\r\n", part("c", "3"))
    );
    let file = "--xx\r\ncontent-disposition: form-data; filename=\"n\"; name=\"f\"\r\nContent-Type: a/b\r\n\r\n\
                \0\r\n--x\n\r\n--xx--";
    let original = body(
        json!({"add": {"body": ["c:3", "f:no"]}}),
        ("content-type", "multipart/form-data;boundary=\"xx\""),
        file,
    );
    assert_eq!(original, format!("{}\r\n{}--xx--\r\n", file.trim_end_matches("\r\n--xx--"), part("c", "3")));
    assert_eq!(body(json!({"add": {"body": ["c:3"]}}), ("content-type", "multipart/form-data"), "x"), "x");
}

/// Returns the status with which a body is rejected; 0 if it passes unmodified.
#[track_caller]
fn rejection_status(config: &Value, headers: &[(&str, &str)], body: &[u8]) -> u16 {
    let mut exchange = request("POST", "/", headers, "");
    exchange.request.body = net::Body::from_bytes(body.to_vec());
    match harness(config.clone()).access(&mut exchange) {
        Ok(()) => {
            let runtime =
                tokio::runtime::Builder::new_current_thread().build().expect("a runtime for the test");
            let after = runtime.block_on(exchange.request.read_body(usize::MAX)).expect("a body at hand");
            assert_eq!(after, body);
            0
        }
        Err(ShortCircuit::Respond(reply)) => reply.status.as_u16(),
        Err(ShortCircuit::BodyError(BodyError::TooLong { .. })) => 413,
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn hidden_fields_do_not_pass_in_bodies_that_kong_parses() {
    let remove = json!({"remove": {"body": ["password"]}});
    let deep = format!(r#"{{"password":"x","a":{}{}}}"#, "[".repeat(900), "]".repeat(900));
    for sent in [
        &deep,
        r#"{"password":"x","a":0x10}"#,
        r#"{"password":"x","a":012,"b":1e400,"c":12345678901234567890}"#,
        r#"{"pass\u0077ord":1,"password":2}"#,
    ] {
        let after = body(remove.clone(), JSON, sent);
        assert!(!after.contains("pass") && after.len() + 9 < sent.len(), "{after}");
    }
    let latin1 = b"{\"password\":\"x\",\"name\":\"M\xfcller\"}";
    let mut exchange = request("POST", "/", &[JSON], "");
    exchange.request.body = net::Body::from_bytes(latin1.to_vec());
    assert_eq!(text(run(remove.clone(), exchange)), "{\"name\":\"M\u{fffd}ller\"}");
    assert_eq!(body(remove.clone(), FORM, "a=%20&pass%77ord=1&password=2"), "a=%20");
    assert_eq!(
        body(json!({"rename": {"body": ["a:b"]}, "replace": {"body": ["b:x"]}}), JSON, r#"{"a":false}"#),
        r#"{"b":"x"}"#
    );
}

#[test]
fn an_unparsable_body_is_rejected_if_rules_hide_fields() {
    let too_deep = format!(r#"{{"password":"x","a":{}{}}}"#, "[".repeat(1000), "]".repeat(1000));
    let fields = "a&".repeat(10_001);
    let folded = PARTS.replace("; name=\"a\"", ";\r\n name=\"a\"");
    let no_boundary = ("content-type", "multipart/form-data");
    let (gzip, html) = (("content-encoding", "gzip"), ("content-type", "text/html"));
    for (headers, sent) in [
        (&[JSON][..], "not json"),
        (&[JSON], r#"{"password":1"#),
        (&[JSON], &too_deep),
        (&[JSON, gzip], r#"{"password":1}"#),
        (&[JSON, html], r#"{"password":1}"#),
        (&[html, JSON], r#"{"password":1}"#),
        (&[FORM, gzip], "password=1"),
        (&[FORM], &fields),
        (&[MULTIPART], "x"),
        (&[MULTIPART], &folded),
        (&[MULTIPART], &PARTS.replace("--xx--", "--xx--x")),
        (&[no_boundary], PARTS),
    ] {
        for list in ["remove", "rename", "replace"] {
            let rule = if list == "remove" { "password" } else { "password:x" };
            assert_eq!(
                rejection_status(&json!({list: {"body": [rule]}}), headers, sent.as_bytes()),
                400,
                "{list} {headers:?} {sent}"
            );
        }
        for list in ["add", "append"] {
            assert_eq!(
                rejection_status(&json!({list: {"body": ["a:b"]}}), headers, sent.as_bytes()),
                0,
                "{list} {headers:?} {sent}"
            );
        }
    }
    let remove = json!({"remove": {"body": ["password"]}});
    for (headers, sent) in [
        (&[JSON][..], r#"[{"password":1}]"#),
        (&[JSON, gzip], ""),
        (&[html], "password"),
        (&[MULTIPART], PARTS),
        (&[MULTIPART], ""),
    ] {
        assert_eq!(rejection_status(&remove, headers, sent.as_bytes()), 0, "{headers:?} {sent}");
    }
    assert_eq!(rejection_status(&remove, &[JSON], &vec![b' '; MAX_BODY_BYTES + 1]), 413);
    assert_eq!(rejection_status(&json!({"http_method": "GET"}), &[FORM], fields.as_bytes()), 400);
    assert_eq!(
        rejection_status(&json!({"http_method": "GET"}), &[FORM], &[b'a'; MAX_QUERY_FORM_BYTES + 1]),
        413
    );
}

/// Bodies in which the parser of some upstream finds the field `admin`, and others do not.
#[test]
fn fields_that_any_parser_finds_do_not_pass() {
    let form = "application/x-www-form-urlencoded";
    let part = |head: &str| format!("--b\r\n{head}\r\n\r\n1\r\n--b--\r\n");
    let named = part("Content-Disposition: form-data; name=\"admin\"");
    let in_json = named.replace("--b", "--application/json");
    for (content_type, sent) in [
        ("application/json; charset=utf-7", r#"{"x":1,"+AGEAZABtAGkAbg-":true}"#.to_owned()),
        ("application/vnd.api+json; charset=utf-7", "{}".to_owned()),
        (&format!("{form}; x=application/json"), r#"{"a":"&admin=1&"}"#.to_owned()),
        (&format!("application/json, {form}"), r#"{"a":"&admin=1&"}"#.to_owned()),
        ("multipart/form-data; boundary=\"application/json\"", format!("{{\"x\":\"\r\n{in_json}\"}}")),
        ("multipart/mixed; boundary=b; x=multipart/form-data", named.clone()),
        (&format!("{form}; charset=cp037"), "\u{81}".to_owned()),
        (&format!("{form}; charset=utf-7"), "+AGEAZABtAGkAbg-=1".to_owned()),
        (&format!("{form}x"), "admin=1".to_owned()),
        ("multipart/form-data; boundary=b,c", named.clone() + &part("X: y").replace("--b", "--b,c")),
        ("multipart/form-data; boundary=b; charset=utf-16", named.clone()),
        ("multipart/form-data; boundary=b", format!("--bX\r\n{}", &named[5..])),
        ("multipart/form-data; boundary=b", format!("text\r\n{named}")),
        ("multipart/form-data; boundary=b", part("\r\nContent-Disposition: form-data; name=\"admin\"")),
        ("multipart/form-data; boundary=b", part("\nContent-Disposition: form-data; name=\"admin\"")),
        ("multipart/form-data; boundary=b", part("Content-Disposition: name=\"admin\"")),
        ("multipart/form-data; boundary=b", part("Content-Disposition: form-data; name=admin,x")),
    ] {
        for list in ["remove", "rename", "replace"] {
            let rule = if list == "remove" { "admin" } else { "admin:x" };
            let config = json!({list: {"body": [rule]}});
            let status = rejection_status(&config, &[("content-type", content_type)], sent.as_bytes());
            assert_eq!(status, 400, "{list} {content_type}: {sent}");
        }
    }
}

#[test]
fn rules_match_all_names_that_parsers_treat_as_the_field() {
    let part = |name: &str| format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n1\r\n");
    let parts = part(" a") + &part("a[]") + &part("x[a]") + "--xx--\r\n";
    let rest = part("x[a]");
    let remove = json!({"remove": {"body": ["a"]}});
    assert_eq!(body(remove.clone(), FORM, "+a=1&a[]=2&a%5Bx%5D=3&[a]=4&a%00=5&x=6&x[a]=7"), "x=6&x%5Ba%5D=7");
    assert_eq!(body(remove, MULTIPART, &parts), format!("{rest}--xx--\r\n"));
    let rename = json!({"rename": {"body": ["a:z"]}});
    assert_eq!(body(rename.clone(), FORM, "+a=1&x=2&a[k]=3"), "x=2&z=1&z%5Bk%5D=3");
    assert_eq!(body(rename, MULTIPART, &parts), format!("{rest}{}--xx--\r\n", part("z")));
    let replace = json!({"replace": {"body": ["a:1"]}});
    assert_eq!(body(replace.clone(), FORM, "x=1&+a=2&y=3&a[]=4"), "x=1&a=1&y=3");
    assert_eq!(body(replace, MULTIPART, &parts), format!("{rest}{}--xx--\r\n", part("a")));
    assert_eq!(query(json!({"remove": {"querystring": ["a"]}}), "/?+a=1&a[]=2&b=3").as_deref(), Some("b=3"));
    assert_eq!(body(json!({"add": {"body": ["a:1"]}}), FORM, "a[]=2"), "a%5B%5D=2&a=1", "as with Kong");
}

#[test]
fn json_suffixes_count_only_for_rules_that_hide_fields() {
    let api = ("content-type", "application/vnd.api+json");
    assert_eq!(body(json!({"remove": {"body": ["a"]}}), api, r#"{"a":1,"b":2}"#), r#"{"b":2}"#);
    let add = json!({"add": {"body": ["c:3"]}});
    assert_eq!(body(add.clone(), api, "{}"), "{}");
    for content_type in ["application/json; charset=utf-7", "text/plain; x=application/json"] {
        assert_eq!(body(add.clone(), ("content-type", content_type), "{}"), r#"{"c":"3"}"#);
    }
    let added = body(add, MULTIPART, &format!("preamble\r\n{PARTS}"));
    assert!(added.contains("name=\"c\""), "{added}");
}

#[test]
fn the_method_is_replaced() {
    let exchange = run(json!({"http_method": "PUT"}), request("POST", "/", &[], "x"));
    assert_eq!(exchange.request.method, "PUT");
    assert_eq!(text(exchange), "x");
    assert!(
        fault(json!({"http_method": "FOO"}), request("GET", "/", &[], "")).contains("invalid method: FOO")
    );
}

#[test]
fn a_form_becomes_query_arguments_with_get() {
    let exchange = run(json!({"http_method": "GET"}), request("POST", "/?a=0&c=1", &[FORM], "a=1&b=2"));
    assert_eq!(exchange.request.query(), Some("a=0&a=1&b=2&c=1"));
    let exchange = run(json!({"http_method": "GET"}), request("POST", "/?c=%31", &[JSON], "{}"));
    assert_eq!(exchange.request.query(), Some("c=%31"));
}

#[test]
fn a_content_type_set_by_a_rule_applies_to_the_body() {
    let config = json!({"http_method": "POST", "add": {"headers": ["Content-Type:application/json"], "body": ["a:b"]}});
    assert_eq!(text(run(config, request("GET", "/", &[], ""))), r#"{"a":"b"}"#);
}

fn captured(target: &str, captures: &[(&str, &str)]) -> Exchange {
    let mut exchange = request("GET", target, &[("x-v", "2"), ("x-remove", "it")], "");
    let mut matched = RouteMatch { route: Ix::new(0), service: None, matched_len: 0, captures: smallvec![] };
    matched.captures.extend(captures.iter().map(|(name, text)| ((*name).into(), (*text).into())));
    exchange.route_match = Some(matched);
    exchange
}

#[test]
fn the_path_is_replaced_and_escaped() {
    let path = |uri: &str| {
        let exchange = captured("/items/42?page=7", &[("1", "42"), ("id", "42"), ("kind", "a b")]);
        run(json!({"replace": {"uri": uri}}), exchange).upstream_overrides.path
    };
    assert_eq!(path("/new/path").as_deref(), Some("/new/path"));
    assert_eq!(path("/requests/tést x%20").as_deref(), Some("/requests/t%C3%A9st%20x%20"));
    assert_eq!(path("/$(uri_captures['id'])/of/$(uri_captures.kind)").as_deref(), Some("/42/of/a%20b"));
    assert_eq!(path("/x$(headers['x-none'])/y").as_deref(), Some("/x/y"));
    assert_eq!(path("/v/$(headers['x-v'] or 'none')/$(query_params.page)").as_deref(), Some("/v/2/7"));
    let why = fault(json!({"replace": {"uri": "no/slash"}}), request("GET", "/", &[], ""));
    assert_eq!(why, "[request-transformer] path must start with /");
}

#[test]
fn templates_use_the_original_headers() {
    let both = json!({
        "remove": {"headers": ["x-remove"]}, "add": {"headers": ["X-Copy:$(headers.x_remove)"]},
        "replace": {"querystring": ["q:$(headers['x-remove'])"]}
    });
    let exchange = run(both, captured("/?q=1", &[]));
    assert_eq!(
        (values(&exchange, "x-copy"), exchange.request.query()),
        (vec!["it".to_owned()], Some("q=it"))
    );
    let late = json!({
        "add": {"headers": ["X-New:1"], "querystring": ["n:$(headers['x-new'])"]},
    });
    assert_eq!(run(late, captured("/", &[])).request.query(), Some("n=1"));
}

#[test]
fn a_failing_template_fails_the_request() {
    let why = fault(json!({"add": {"headers": ["X-A:$(nothing.here)"]}}), request("GET", "/", &[], ""));
    assert!(
        why.starts_with("[request-transformer] failed to render the template $(nothing.here), error:"),
        "{why}"
    );
    fault(json!({"add": {"querystring": ["a:$(ERROR())"]}}), request("GET", "/", &[], ""));
    fault(json!({"add": {"body": ["a:$(ERROR())"]}}), request("POST", "/", &[JSON], "{}"));
    let late =
        fault(json!({"add": {"headers": ["X-A:$(shared.written = true)"]}}), request("GET", "/", &[], ""));
    assert!(late.contains("')' expected near '='"), "{late}");
}

#[test]
fn a_template_cannot_inject_a_header() {
    let config = json!({"add": {"headers": ["X-A:$(query_params.q)"]}});
    let exchange = run(config, request("GET", "/?q=a%0d%0ax-evil:1", &[], ""));
    assert_eq!(values(&exchange, "x-a"), ["a%0D%0Ax-evil:1"]);
}

#[test]
fn configuration_is_validated() {
    let findings = |config: Value| {
        let mut checks = Diagnostics::default();
        Plugin::check(&serde_json::from_value::<Config>(config).expect("settings"), &mut checks);
        checks.entries.into_iter().map(|(level, _, _, message)| (level, message)).collect::<Vec<_>>()
    };
    let refused = findings(json!({"add": {"querystring": ["a:1", "p:$(uri_captures user2)"]}}));
    let why = "value '$(uri_captures user2)' is not in supported format, error:[string \"TMP\"]:1: ')' expected near 'user2'";
    assert_eq!(refused, [(Level::Error, why.to_owned())]);
    assert_eq!(findings(json!({"add": {"headers": ["X-A:$({})"]}}))[0].0, Level::Error);
    for config in [
        json!({"add": {"headers": ["X-A:$(a b)"]}}),
        json!({"replace": {"uri": "/$(nothing)"}}),
        json!({"http_method": "FOO"}),
    ] {
        let found = findings(config);
        assert!(matches!(found[..], [(Level::Warning, _)]), "{found:?}");
    }
    let fine =
        json!({"http_method": "GET", "rename": {"body": ["a:$(headers.x)"]}, "replace": {"uri": "/x"}});
    assert_eq!(findings(fine), []);
    assert!(PluginHarness::new::<Plugin>(json!({"add": {"headers": ["X A:1"]}}), State::default()).is_err());
}
