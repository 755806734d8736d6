//! Plugins that change bodies, on the wire.

use gatewayctl::runtime::Options;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::rig::*;

/// A gateway in front of that upstream, with one plugin.
fn rig(upstream: &Upstream, plugin: &str, config: serde_json::Value) -> Rig {
    rig_with(upstream, plugin, config, Options::default())
}

fn rig_with(upstream: &Upstream, plugin: &str, config: serde_json::Value, options: Options) -> Rig {
    let file = json!({
        "_format_version": "3.0",
        "services": [{"name": "s", "url": format!("http://{}", upstream.address), "routes": [{"name": "r", "paths": ["/"]}]}],
        "plugins": [{"name": plugin, "config": config}],
    });
    Rig::of_file_with(&file.to_string(), options, &[plain()])
}

fn post(content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_request_whose_field_must_go_and_cannot_be_read_is_refused() {
    let upstream = Upstream::echo().await;
    let rig = rig(&upstream, "request-transformer", json!({"remove": {"body": ["password"]}}));
    let answer = rig.send(&post("application/json", r#"{"password":1,"a":0x10}"#)).await;
    assert!(answer.ends_with("\r\n\r\n{\"a\":0x10}"), "{answer}");
    for (content_type, body) in [
        ("application/json", r#"{"password":1"#),
        (
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=x; name=password\r\n\r\n1\r\n--b--",
        ),
        ("application/json; charset=utf-7", r#"{"x":1,"+AHAAYQBzAHMAdwBvAHIAZA-":true}"#),
        ("application/x-www-form-urlencoded; x=application/json", r#"{"a":"&password=1&"}"#),
        ("multipart/form-data; boundary=b,c", "--b\r\n\r\n--b--\r\n--b,c\r\n\r\n--b,c--"),
    ] {
        let answer = rig.send(&post(content_type, body)).await;
        assert_eq!(status(&answer), 400, "{answer}");
    }
    assert_eq!(upstream.connections(), 1);
    for (content_type, body, after) in [
        ("application/vnd.api+json", r#"{"password":1,"a":2}"#, r#"{"a":2}"#),
        ("application/x-www-form-urlencoded", "+password=1&password[]=2&a=3", "a=3"),
    ] {
        let answer = rig.send(&post(content_type, body)).await;
        assert!(answer.ends_with(&format!("\r\n\r\n{after}")), "{answer}");
    }
}

#[tokio::test]
async fn a_request_body_that_was_changed_is_counted_until_it_is_sent() {
    let (upstream, arrived, release) = Upstream::held().await;
    let rig = rig(&upstream, "request-transformer", json!({"remove": {"body": ["password"]}}));
    let body = format!("{{\"password\":1,\"a\":\"{}\"}}", "x".repeat(4 << 20));
    let asking = async { rig.send(&post("application/json", &body)).await };
    let looking = async {
        soon(arrived).await.unwrap();
        release.send(()).unwrap();
    };
    let (answer, ()) = tokio::join!(asking, looking);
    assert_eq!(status(&answer), 200, "{answer}");
    assert!(rig.gateway.memory.peak_bytes() >= 4 << 20);
    rig.no_bodies_are_counted().await;
    let small = Options { max_buffered_bytes_per_connection: 20_000, ..Options::default() };
    let rig = rig_with(&upstream, "request-transformer", json!({"remove": {"body": ["password"]}}), small);
    let answer = rig.send(&post("application/json", &body[..40_000])).await;
    assert_eq!(status(&answer), 413, "{answer}");
}

#[tokio::test]
async fn a_response_whose_field_must_go_leaves_without_it_and_with_its_length() {
    let upstream = Upstream::raw(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
         9\r\n{\"passwor\r\nb\r\nd\":1,\"a\":2}\r\n0\r\n\r\n",
    )
    .await;
    let rig = rig(&upstream, "response-transformer", json!({"remove": {"json": ["password"]}}));
    let answer = rig.send(GET).await;
    assert_eq!((status(&answer), field(&answer, "content-length")), (200, Some("7")), "{answer}");
    assert!(answer.ends_with("\r\n\r\n{\"a\":2}"), "{answer}");
}

#[tokio::test]
async fn a_response_whose_field_must_go_and_cannot_be_read_is_a_502() {
    for body in [
        // Not JSON, cut off, and compressed.
        "HTTP/1.1 200 OK\r\nX-Own: 1\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"password\":1",
        "HTTP/1.1 200 OK\r\nX-Own: 1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"password\":1}",
        "HTTP/1.1 200 OK\r\nX-Own: 1\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 14\r\n\r\n{\"password\":1}",
    ] {
        let upstream = Upstream::raw(body).await;
        let rig = rig(&upstream, "response-transformer", json!({"remove": {"json": ["password"]}}));
        let answer = rig.send(GET).await;
        assert_eq!(status(&answer), 502, "{answer}");
        assert!(!answer.contains("password") && field(&answer, "x-own").is_none(), "{answer}");
        let framed = field(&answer, "content-length").map(str::to_owned);
        let sent = answer.split_once("\r\n\r\n").unwrap().1.len();
        assert_eq!(framed, Some(sent.to_string()), "{answer}");
    }
}

#[tokio::test]
async fn a_response_that_cannot_be_held_fails_if_a_field_must_go() {
    let upstream = Upstream::script(|mut stream, _| async move {
        use tokio::io::AsyncWriteExt;
        read_message(&mut stream).await;
        let body = format!("{{\"password\":\"{}\"}}", "x".repeat(100_000));
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
        // The gateway gives up in the middle.
        drop(stream.write_all((head + &body).as_bytes()).await);
    })
    .await;
    let remove = json!({"remove": {"json": ["password"]}});
    for (options, code) in [
        (Options { max_buffered_bytes_per_connection: 50_000, ..Options::default() }, 502),
        (Options { max_buffered_bytes: 50_000, ..Options::default() }, 503),
    ] {
        let rig_of = |config| rig_with(&upstream, "response-transformer", config, options.clone());
        let rig = rig_of(remove.clone());
        let answer = rig.send(GET).await;
        assert_eq!(status(&answer), code, "{answer}");
        assert!(!answer.contains("password"), "{answer}");
        rig.no_bodies_are_counted().await;
        let answer = rig_of(json!({"add": {"json": ["a:1"]}})).send(GET).await;
        assert!(status(&answer) == 200 && answer.contains("password") && answer.len() > 100_000);
    }
    let rig = rig(&upstream, "response-transformer", json!({"add": {"json": ["a:1"]}}));
    let answer = rig.send(GET).await;
    assert!(status(&answer) == 200 && answer.contains("\"a\":\"1\"}"), "within the budget");
    assert!(rig.gateway.memory.peak_bytes() > 100_000);
    rig.no_bodies_are_counted().await;
}

#[tokio::test]
async fn a_body_beyond_a_plugin_s_limit_is_cut_off_as_it_streams() {
    let upstream = Upstream::echo().await;
    let rig = rig(&upstream, "request-size-limiting", json!({ "allowed_payload_size": 8 }));
    // Within what is held, and beyond it; allowed, and not.
    for (mebibytes, code) in [(1, 200), (6, 200), (9, 413)] {
        let mut body = Vec::new();
        for _ in 0..mebibytes * 16 {
            body.extend_from_slice(b"10000\r\n");
            body.resize(body.len() + 65_536, b'x');
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
        let mut client = rig.connect().await;
        client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
        let (mut read, mut write) = client.split();
        let mut head = vec![0; 12];
        let (sent, _) = tokio::join!(soon(write.write_all(&body)), soon(read.read_exact(&mut head)));
        sent.unwrap();
        assert_eq!(String::from_utf8(head).unwrap(), format!("HTTP/1.1 {code}"));
        let memory = &rig.gateway.memory;
        assert!(memory.peak_bytes() < 12 << 20, "{}", memory.peak_bytes());
    }
}
