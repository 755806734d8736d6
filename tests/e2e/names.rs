//! The spelling and the order of headers, on both sides.

use gatewayctl::runtime::Options;
use serde_json::json;

use crate::{frames::*, rig::*};

/// A gateway with these plugins and consumers in front of that upstream.
fn gateway(upstream: &Upstream, plugins: &str) -> Rig {
    Rig::of_file(&file(upstream, plugins))
}

fn file(upstream: &Upstream, plugins: &str) -> String {
    let port = upstream.address.port();
    format!(
        r#"
_format_version: "3.0"
consumers: [{{username: bob, custom_id: b-1, keyauth_credentials: [{{key: k}}]}}]
services:
- url: http://127.0.0.1:{port}
  routes: [{{paths: [/]}}]
  plugins:
{plugins}
"#
    )
}

/// The names of a head's fields, as they are written.
fn names(head: &str) -> Vec<&str> {
    lines(head).iter().map(|line| line.split(':').next().unwrap()).collect()
}

const SENT: &str = "GET / HTTP/1.1\r\nHost: a\r\nSOAPAction: x\r\nuser-AGENT: u\r\nX_under: 1\r\nCookie: a\r\n\
    DNT: 1\r\nCookie: b\r\napikey: k\r\nConnection: close\r\n";

#[tokio::test]
async fn a_request_s_names_and_their_order_stay_whatever_plugins_touch() {
    let upstream = Upstream::echo().await;
    let transform = "  - {name: request-transformer, config: {remove: {headers: [X-Gone]}, replace: {headers: ['user-agent:v']}, \
        add: {headers: ['X-My-HEADER:1', 'dnt:2']}, append: {headers: ['soapaction:y', 'x-APPENDED:1']}, \
        rename: {headers: ['x-foo:X-Foo', 'X-Old:X-NEW']}}}";
    let id = "  - {name: correlation-id, config: {header_name: X-TRACE-Id}}";
    for (plugins, added, removed) in [
        ("", &[][..], &[][..]),
        (
            "  - {name: key-auth}",
            &["X-Consumer-ID", "X-Consumer-Custom-ID", "X-Consumer-Username", "X-Credential-Identifier"],
            &[],
        ),
        (id, &["X-TRACE-Id"], &[]),
        (transform, &["X-NEW", "X-My-HEADER", "x-APPENDED"], &["x-gone", "X-Old"]),
    ] {
        let plugins = if plugins.is_empty() { "    []" } else { plugins };
        let rig = gateway(&upstream, plugins);
        let answer = rig.send(&format!("{SENT}x-gone: 1\r\nx-foo: 1\r\nX-Old: 1\r\n\r\n")).await;
        let echoed = answer.split_once("\r\n\r\n").unwrap().1;
        let mut expected = vec![
            "SOAPAction",
            "user-AGENT",
            "X_under",
            "Cookie",
            "DNT",
            "Cookie",
            "apikey",
            "x-gone",
            "x-foo",
            "X-Old",
        ];
        if plugins == transform {
            expected.retain(|name| !removed.contains(name));
            let at = expected.iter().position(|name| *name == "x-foo").unwrap();
            expected[at] = "X-Foo";
            expected.insert(1, "SOAPAction");
        }
        expected.extend(added);
        let own = |name: &&str| {
            !name.starts_with("X-Forwarded")
                && !["Host", "X-Real-IP", "Via", "X-Kong-Request-Id", "Connection"].contains(name)
        };
        let got: Vec<_> = names(echoed).into_iter().filter(own).collect();
        let (mut got_sorted, mut expected_sorted) = (got.clone(), expected.clone());
        got_sorted.sort_unstable();
        expected_sorted.sort_unstable();
        assert_eq!(got_sorted, expected_sorted, "{plugins}: {echoed}");
        let arrived: Vec<_> = got.iter().filter(|name| !added.contains(name)).collect();
        let order: Vec<_> = expected.iter().filter(|name| !added.contains(name)).collect();
        assert_eq!(arrived, order, "{plugins}: {echoed}");
        let cookies: Vec<_> = lines(echoed).into_iter().filter(|line| line.starts_with("Cookie")).collect();
        assert_eq!(cookies, ["Cookie: a", "Cookie: b"]);
    }
}

#[tokio::test]
async fn an_answer_s_names_and_their_order_stay_whatever_plugins_touch() {
    let upstream = Upstream::raw(
        "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nset-COOKIE: a\r\nX-XSS-Protection: 0\r\nSet-Cookie: b\r\nx_under: 1\r\n\
         WWW-Authenticate: x\r\nP3P: y\r\nContent-Length: 2\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: z\r\n\r\nhi",
    )
    .await;
    let limit = "  - {name: rate-limiting, config: {minute: 5, policy: local}}";
    let cors = "  - {name: cors, config: {origins: ['*'], exposed_headers: [X-A]}}";
    let transform = "  - {name: response-transformer, config: {remove: {headers: [P3P]}, add: {headers: ['X-My-HEADER:1']}, \
        replace: {headers: ['etag:\"b\"']}, rename: {headers: ['X-Xss-Protection:x-xss-PROTECTION']}, append: {headers: ['x-APPENDED:1']}}}";
    let id = "  - {name: correlation-id, config: {header_name: X-TRACE-Id, echo_downstream: true}}";
    let limits = [
        "RateLimit-Limit",
        "RateLimit-Remaining",
        "RateLimit-Reset",
        "X-RateLimit-Limit-Minute",
        "X-RateLimit-Remaining-Minute",
    ];
    for (plugins, added) in [
        ("", &[][..]),
        (limit, &limits),
        (cors, &["Access-Control-Allow-Origin", "Access-Control-Expose-Headers"]),
        (transform, &["X-My-HEADER", "x-APPENDED"]),
        (id, &["X-TRACE-Id"]),
    ] {
        let rig = gateway(&upstream, if plugins.is_empty() { "    []" } else { plugins });
        let answer =
            rig.send("GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\nConnection: close\r\n\r\n").await;
        let mut expected = vec![
            "ETag",
            "set-COOKIE",
            "X-XSS-Protection",
            "Set-Cookie",
            "x_under",
            "WWW-Authenticate",
            "P3P",
            "Date",
            "Server",
        ];
        if plugins == transform {
            expected.retain(|name| *name != "P3P");
            expected[2] = "x-xss-PROTECTION";
        }
        let got = names(&answer);
        let arrived: Vec<_> = got.iter().copied().filter(|name| expected.contains(name)).collect();
        assert_eq!(arrived, expected, "{plugins}: {answer}");
        for name in added.iter().chain(&[
            "X-Kong-Upstream-Latency",
            "X-Kong-Proxy-Latency",
            "Via",
            "X-Kong-Request-Id",
            "Content-Length",
        ]) {
            assert!(got.contains(name), "{name} of {plugins}: {answer}");
        }
        let others = added.len() + expected.len() + 6;
        assert_eq!(got.len(), others, "nothing stands twice: {answer}");
    }
}

#[tokio::test]
async fn the_gateway_s_own_answers_are_spelled_as_kong_spells_them() {
    let upstream = Upstream::echo().await;
    let plugins =
        "  - {name: key-auth}\n  - {name: rate-limiting, config: {minute: 1, policy: local, limit_by: ip}}";
    let rig = gateway(&upstream, plugins);
    let refused = rig.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert_eq!(status(&refused), 401);
    for name in [
        "WWW-Authenticate",
        "Content-Type",
        "Content-Length",
        "X-Kong-Response-Latency",
        "Server",
        "X-Kong-Request-Id",
        "Date",
    ] {
        assert!(names(&refused).contains(&name), "{name}: {refused}");
    }
    let ask = "GET / HTTP/1.1\r\nHost: a\r\napikey: k\r\nConnection: close\r\n\r\n";
    assert_eq!(status(&rig.send(ask).await), 200);
    let limited = rig.send(ask).await;
    assert_eq!(status(&limited), 429);
    for name in ["Retry-After", "RateLimit-Reset", "X-RateLimit-Limit-Minute", "X-RateLimit-Remaining-Minute"]
    {
        assert!(names(&limited).contains(&name), "{name}: {limited}");
    }
}

#[tokio::test]
async fn what_http2_brings_stays_in_lower_case_and_what_plugins_add_does_not() {
    let upstream = Upstream::echo().await;
    let plugins =
        "  - {name: key-auth}\n  - {name: request-transformer, config: {add: {headers: ['X-My-HEADER:1']}}}";
    let rig = Rig::of_file_with(&file(&upstream, plugins), Options::default(), &[clear()]);
    let mut client = Client::new(&rig, &[]).await;
    let literal = |name: &str, value: &str| {
        [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
    };
    let block = [GET.to_vec(), literal("soapaction", "x"), literal("apikey", "k")].concat();
    client.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block)).await;
    let body = client.until(|frame| frame.kind == DATA).await;
    let echoed = String::from_utf8(body.payload).unwrap();
    for name in ["soapaction", "apikey", "X-Consumer-Username", "X-My-HEADER", "X-Forwarded-For"] {
        assert!(names(&echoed).contains(&name), "{name}: {echoed}");
    }
}

#[tokio::test]
async fn the_host_of_an_upstream_entity_brings_the_target_s_port() {
    let upstream = Upstream::echo().await;
    let port = upstream.address.port();
    for (named, host) in [
        (json!("h.test"), format!("h.test:{port}")),
        (json!("h.test:1"), "h.test:1".to_owned()),
        (json!(null), format!("127.0.0.1:{port}")),
    ] {
        let mut config = service(upstream.address, json!({ "host": "u" }), json!({ "paths": ["/"] }));
        config["upstreams"] = json!([{ "id": uuid(3), "name": "u", "host_header": named }]);
        config["targets"] =
            json!([{ "id": uuid(4), "upstream": { "id": uuid(3) }, "target": format!("127.0.0.1:{port}") }]);
        let answer = Rig::new(config).send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert_eq!(field(answer.split_once("\r\n\r\n").unwrap().1, "host"), Some(&*host), "{answer}");
    }
}
