//! Requests of which two readers could make two: they are refused, or sent on so that every reader sees the same.

use gatewayctl::runtime::{Options, RealIp};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{frames::*, rig::*, tls};

/// Fields that nginx refuses when they are repeated, with a value.
const ONCE: [(&str, &str); 8] = [
    ("Authorization", "Basic YTpi"),
    ("If-Match", "\"a\""),
    ("If-None-Match", "\"a\""),
    ("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ("If-Range", "\"a\""),
    ("Content-Range", "bytes 0-1/2"),
    ("Expect", "x"),
];

/// A field of HTTP/2 that is indexed nowhere.
fn literal(name: &str, value: &str) -> Vec<u8> {
    [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
}

/// What HTTP/2 makes of a header block: the status that it answers, or the code of a reset.
async fn block(rig: &Rig, fields: &[(&str, &str)]) -> Result<u16, u32> {
    let mut client = Client::new(rig, &[]).await;
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| literal(name, value)).collect();
    client.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block)).await;
    let got = client.until(|frame| frame.kind == HEADERS || frame.kind == RST_STREAM).await;
    if got.kind == RST_STREAM {
        return Err(got.code());
    }
    // The status stands first: indexed, or as text behind an indexed name.
    match got.payload[0] {
        0x88 => Ok(200),
        0x8c => Ok(400),
        0x8d => Ok(404),
        _ => panic!("which status is {:?}", &got.payload[..6]),
    }
}

fn head<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")];
    fields.extend_from_slice(more);
    fields
}

#[tokio::test]
async fn fields_that_may_stand_once_are_refused_twice() {
    let upstream = Upstream::echo().await;
    let rig = Rig::new(one_service(upstream.address));
    for (name, value) in ONCE {
        let line = format!("{name}: {value}\r\n");
        let ask = |lines: &str| format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}\r\n");
        assert_eq!(status(&rig.send(&ask(&line)).await), 200, "{name}");
        let twice = format!("{line}X: y\r\n{}", line.to_uppercase());
        assert_eq!(status(&rig.send(&ask(&twice)).await), 400, "{name}");
    }
    let seen = upstream.connections();
    let rig = Rig::with(one_service(upstream.address), Options::default(), &[clear()]);
    for (name, value) in ONCE.into_iter().chain([("content-length", "0")]) {
        let name = name.to_lowercase();
        assert_eq!(block(&rig, &head(&[(&name, value)])).await, Ok(200), "{name}");
        assert_eq!(
            block(&rig, &head(&[(&name, value), ("x", "y"), (&name, value)])).await,
            Ok(400),
            "{name}"
        );
    }
    assert!(upstream.connections() > seen);
}

#[tokio::test]
async fn names_that_an_upstream_may_take_for_the_gateway_s_own_do_not_reach_it() {
    let upstream = Upstream::echo().await;
    let names = [
        "X_Forwarded_For",
        "x_forwarded-proto",
        "X_Real_IP",
        "X_Consumer_ID",
        "x-consumer_username",
        "x_consumer_custom_id",
        "x_credential_identifier",
        "x_anonymous_consumer",
        "x_consumer_groups",
        "x_authenticated_groups",
        "X_Kong_Request_Id",
        "x_kong_anything",
        "content_length",
        "transfer_encoding",
    ];
    let rig = Rig::new(one_service(upstream.address));
    let lines: String = names.iter().map(|name| format!("{name}: evil\r\n")).collect();
    let answer = rig
        .send(&format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}Api_Key: mine\r\n\r\n"))
        .await;
    assert!(!answer.contains("evil") && answer.contains("\r\nApi_Key: mine\r\n"), "{answer}");
    let rig = Rig::with(one_service(upstream.address), Options::default(), &[clear()]);
    let names = names.map(str::to_lowercase);
    let fields: Vec<_> = names.iter().map(|name| (name.as_str(), "evil")).collect();
    let mut client = Client::new(&rig, &[]).await;
    let fields: Vec<u8> = head(&fields)
        .iter()
        .chain(&[("api_key", "mine")])
        .flat_map(|(name, value)| literal(name, value))
        .collect();
    client.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields)).await;
    let body = client.until(|frame| frame.kind == DATA).await;
    let echoed = String::from_utf8(body.payload).unwrap();
    assert!(!echoed.contains("evil") && echoed.contains("api_key: mine"), "{echoed}");
}

#[tokio::test]
async fn targets_are_sent_on_with_a_path() {
    let upstream = Upstream::echo().await;
    let rig = Rig::new(service(upstream.address, json!({}), json!({ "paths": ["/"], "strip_path": false })));
    for (target, line) in [
        ("http://b", "GET / HTTP/1.1\r\n"),
        ("http://b?x=1", "GET /?x=1 HTTP/1.1\r\n"),
        ("http://b/?x", "GET /?x HTTP/1.1\r\n"),
        // A fragment is none of a server's business: it ends here.
        ("/a#b", "GET /a HTTP/1.1\r\n"),
    ] {
        let answer =
            rig.send(&format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        let echoed = answer.split_once("\r\n\r\n").unwrap().1;
        assert!(status(&answer) == 200 && echoed.starts_with(line), "{target}: {answer}");
    }
    for target in ["?x", "ftp://a/", "http://u@a/", "http://u:p@a/", "http://a:8x/", "http:///x", "x", "*"] {
        let answer =
            rig.send(&format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(status(&answer), 400, "{target}: {answer}");
    }
}

#[tokio::test]
async fn http2_names_its_host_and_a_path_and_has_no_blanks_around_values() {
    let upstream = Upstream::echo().await;
    let rig = Rig::with(one_service(upstream.address), Options::default(), &[clear()]);
    let without = |name: &str| head(&[]).into_iter().filter(|(own, _)| *own != name).collect::<Vec<_>>();
    assert_eq!(block(&rig, &without("none")).await, Ok(200));
    assert_eq!(block(&rig, &without(":authority")).await, Ok(400));
    let mut named = without(":authority");
    named.push(("host", "a"));
    assert_eq!(block(&rig, &named).await, Ok(200));
    assert_eq!(block(&rig, &head(&[("host", "b")])).await, Ok(400));
    assert_eq!(block(&rig, &head(&[("host", "a"), ("host", "a")])).await, Ok(400));
    for (name, value) in [(":path", "?x"), (":path", "*"), (":authority", "u@a"), (":authority", "a:8x")] {
        let fields: Vec<_> =
            head(&[]).into_iter().map(|(own, old)| (own, if own == name { value } else { old })).collect();
        let got = block(&rig, &fields).await;
        assert!(matches!(got, Ok(400) | Err(1)), "{name} {value}: {got:?}");
    }
    for value in [" a", "a ", "\ta", "a\t", " "] {
        assert_eq!(block(&rig, &head(&[("x", value)])).await, Err(1), "{value:?}");
    }
    let other = [(":method", "GET"), (":scheme", "ftp"), (":authority", "a"), (":path", "/")];
    assert_eq!(block(&rig, &other).await, Err(1));
}

#[tokio::test]
async fn chunks_and_trailers_end_where_every_reader_sees_it() {
    let upstream = Upstream::echo().await;
    let rig = Rig::new(one_service(upstream.address));
    let ask = |body: &str| {
        format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
    };
    for body in [
        "1\na\n0\n\n",
        "1;x\na\r\n0\r\n\r\n",
        "1\rX\r\na\r\n0\r\n\r\n",
        "1;a\rb\r\na\r\n0\r\n\r\n",
        "1\r\na\n0\r\n\r\n",
        "1\r\na\r\n0\r\nX : 1\r\n\r\n",
        "1\r\na\r\n0\r\nX(): 1\r\n\r\n",
        "1\r\na\r\n0\r\nX: 1\ry\r\n\r\n",
        "+1\r\na\r\n0\r\n\r\n",
    ] {
        assert_eq!(status(&rig.send(&ask(body)).await), 400, "{body:?}");
    }
    assert_eq!(upstream.connections(), 0);
    let answer = rig.send(&ask("1;a=\"b\"\r\na\r\n0\r\nContent-Length: 9\r\nHost: b\r\n\r\n")).await;
    let echoed = answer.split_once("\r\n\r\n").unwrap().1;
    assert!(status(&answer) == 200 && echoed.ends_with("\r\n\r\na"), "{answer}");
    assert_eq!(field(echoed, "content-length"), Some("1"));
}

#[tokio::test]
async fn a_later_minor_version_is_served_as_1_1() {
    let upstream = Upstream::echo().await;
    let rig = Rig::new(one_service(upstream.address));
    let answer = rig.send("GET / HTTP/1.2\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let echoed = answer.split_once("\r\n\r\n").unwrap().1;
    assert!(
        echoed.starts_with("GET / HTTP/1.1\r\n") && echoed.contains("\r\nVia: 1.1 gatewayctl/"),
        "{answer}"
    );
    assert_eq!(status(&rig.send("GET / HTTP/1.2\r\n\r\n").await), 400, "it needs a Host as 1.1 does");
}

#[tokio::test]
async fn empty_elements_are_no_addresses() {
    let upstream = Upstream::echo().await;
    let options = Options {
        trusted_ips: vec!["127.0.0.0/8".parse().unwrap()],
        real_ip: RealIp::Header(http::HeaderName::from_static("x-forwarded-for")),
        ..Options::default()
    };
    let rig = Rig::with(one_service(upstream.address), options, &[plain()]);
    for value in
        ["1.1.1.1", "2.2.2.2,,1.1.1.1", "1.1.1.1,", "1.1.1.1, ,", "2.2.2.2\r\nX-Forwarded-For: ,1.1.1.1,"]
    {
        let answer = rig
            .send(&format!(
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: {value}\r\n\r\n"
            ))
            .await;
        assert_eq!(field(answer.split_once("\r\n\r\n").unwrap().1, "x-real-ip"), Some("1.1.1.1"), "{value}");
    }
}

#[tokio::test]
async fn a_client_cannot_outvote_the_proxy_in_front_about_the_scheme() {
    let upstream = Upstream::echo().await;
    let options = Options { trusted_ips: vec!["127.0.0.0/8".parse().unwrap()], ..Options::default() };
    let config = service(upstream.address, json!({}), json!({ "paths": ["/"], "protocols": ["https"] }));
    let rig = Rig::with(config, options, &[plain()]);
    for (protos, code) in [
        (&["https"][..], 200),
        (&["HTTPS"], 200),
        (&["http"], 426),
        (&["https", "http"], 426),
        (&["https, http"], 426),
    ] {
        let lines: String = protos.iter().map(|proto| format!("X-Forwarded-Proto: {proto}\r\n")).collect();
        let answer =
            rig.send(&format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}\r\n")).await;
        assert_eq!(status(&answer), code, "{protos:?}: {answer}");
    }
}

#[tokio::test]
async fn a_client_cannot_nominate_what_plugins_add() {
    let upstream = Upstream::echo().await;
    let port = upstream.address.port();
    let rig = Rig::of_file(&format!(
        r#"
_format_version: "3.0"
consumers: [{{username: bob, keyauth_credentials: [{{key: k}}]}}]
services:
- url: http://127.0.0.1:{port}
  routes: [{{paths: [/]}}]
  plugins:
  - {{name: key-auth}}
  - {{name: correlation-id, config: {{header_name: X-Trace}}}}
  - {{name: request-transformer, config: {{add: {{headers: ["X-Mine:1"]}}}}}}
"#
    ));
    let answer = rig
        .send("GET / HTTP/1.1\r\nHost: a\r\napikey: k\r\nConnection: close, X-Consumer-ID, x-trace, X-Mine, X-Theirs\r\nX-Theirs: 1\r\n\r\n")
        .await;
    let echoed = answer.split_once("\r\n\r\n").unwrap().1;
    for name in ["x-consumer-id", "x-consumer-username", "x-trace", "x-mine"] {
        assert!(field(echoed, name).is_some(), "{name}: {answer}");
    }
    assert_eq!((field(echoed, "x-theirs"), field(echoed, "connection")), (None, Some("keep-alive")));
}

#[tokio::test]
async fn an_empty_body_in_chunks_has_a_length() {
    let upstream = Upstream::echo().await;
    let rig = Rig::new(one_service(upstream.address));
    for (fields, length) in [
        ("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Some("0")),
        ("Content-Length: 0\r\n\r\n", Some("0")),
        ("\r\n", None),
    ] {
        let answer = rig.send(&format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}")).await;
        let echoed = answer.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(field(echoed, "content-length"), length, "{fields:?}: {answer}");
        assert_eq!(field(echoed, "transfer-encoding"), None, "{answer}");
    }
}

#[tokio::test]
async fn an_empty_body_over_http2_has_a_length() {
    let upstream = Upstream::echo().await;
    let rig = Rig::with(one_service(upstream.address), Options::default(), &[clear()]);
    for (ends, length) in [(false, Some("0")), (true, None)] {
        let mut client = Client::new(&rig, &[]).await;
        let flags = END_HEADERS | if ends { END_STREAM } else { 0 };
        client.send(&frame(HEADERS, flags, 1, GET)).await;
        if !ends {
            client.send(&frame(DATA, END_STREAM, 1, &[])).await;
        }
        let body = client.until(|frame| frame.kind == DATA).await;
        let echoed = String::from_utf8(body.payload).unwrap();
        assert_eq!(field(&echoed, "content-length"), length, "{echoed}");
    }
}

#[tokio::test]
async fn a_client_that_offers_an_old_version_by_alpn_alone_is_served() {
    let upstream = Upstream::echo().await;
    for http2 in [false, true] {
        let listener = gatewayctl::proxy::Listener { tls: true, http2, ..plain() };
        let rig = Rig::with(one_service(upstream.address), Options::default(), &[listener]);
        for name in [&b"http/1.0"[..], b"http/1.1"] {
            let mut stream = tls::connect(&rig, "a.test", name).await;
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(name));
            stream.write_all(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            let _ = soon(stream.read_to_string(&mut answer)).await;
            assert_eq!(status(&answer), 200, "{answer}");
        }
    }
}

#[tokio::test]
async fn several_accept_fields_are_one_list() {
    let rig = Rig::new(json!({}));
    for (accept, kind) in [
        ("Accept: text/plain;q=0.1\r\nAccept: text/html\r\n", "text/html; charset=utf-8"),
        ("Accept: text/html\r\nAccept: application/xml;q=0.5\r\n", "text/html; charset=utf-8"),
        ("Accept: ,\r\nAccept: application/xml\r\n", "application/xml; charset=utf-8"),
        ("", "application/json; charset=utf-8"),
    ] {
        let answer =
            rig.send(&format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{accept}\r\n")).await;
        assert_eq!((status(&answer), field(&answer, "content-type")), (404, Some(kind)), "{accept:?}");
    }
}
