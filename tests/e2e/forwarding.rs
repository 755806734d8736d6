//! Requests and answers on their way through.

use gatewayctl::runtime::{AddedHeaders, Options, ProductToken};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::rig::*;

#[tokio::test]
async fn a_request_reaches_the_upstream_with_the_gateways_headers() {
    let upstream = Upstream::echo().await;
    let rig = Rig::new(service(upstream.address, json!({}), json!({ "paths": ["/a"] })));
    let answer = rig
        .send("GET /a/b?x=1 HTTP/1.1\r\nHost: A.test:80\r\nVia: 1.0 x\r\nX-Forwarded-For: 9.9.9.9\r\nConnection: close, X-Gone\r\nX-Gone: 1\r\n\r\n")
        .await;
    assert_eq!(status(&answer), 200, "{answer}");
    let (head, echoed) = answer.split_once("\r\n\r\n").unwrap();
    assert!(echoed.starts_with("GET /b?x=1 HTTP/1.1\r\n"), "{echoed}");
    for (name, value) in [
        ("host", upstream.address.to_string().as_str()),
        ("x-forwarded-for", "9.9.9.9, 127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "a.test"),
        ("x-forwarded-port", &rig.addresses[0].port().to_string()),
        ("x-forwarded-path", "/a/b"),
        ("x-forwarded-prefix", "/a"),
        ("via", concat!("1.0 x, 1.1 gatewayctl/", env!("CARGO_PKG_VERSION"))),
        ("connection", "keep-alive"),
    ] {
        assert_eq!(field(echoed, name), Some(value), "{name} in {echoed}");
    }
    for line in ["Host: ", "X-Forwarded-For: 9", "X-Real-IP: ", "Via: 1.0 x, ", "Connection: keep-alive"] {
        assert!(echoed.contains(&format!("\r\n{line}")), "spelled as by Kong: {echoed}");
    }
    assert!(head.contains("\r\nX-Kong-Request-Id: "), "{head}");
    assert_eq!(field(echoed, "x-gone"), None);
    assert_eq!(field(head, "via"), Some(concat!("1.1 gatewayctl/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(field(head, "server"), Some(concat!("gatewayctl/", env!("CARGO_PKG_VERSION"))));
    let id = field(head, "x-kong-request-id").unwrap();
    assert!(id.len() == 32 && field(echoed, "x-kong-request-id") == Some(id));
    assert!(
        field(head, "x-kong-upstream-latency").is_some() && field(head, "x-kong-proxy-latency").is_some()
    );
}

#[tokio::test]
async fn a_setting_names_kong_in_server_and_via() {
    let upstream = Upstream::echo().await;
    let headers = AddedHeaders { product: ProductToken::Kong, ..AddedHeaders::default() };
    let options = Options { headers, ..Options::default() };
    let rig = Rig::with(one_service(upstream.address), options, &[plain()]);
    let answer = rig.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let (head, echoed) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(field(echoed, "via"), Some("1.1 kong/3.9.3"));
    assert_eq!(field(head, "via"), Some("1.1 kong/3.9.3"));
    assert_eq!(field(head, "server"), Some("kong/3.9.3"));
}

#[tokio::test]
async fn connections_to_the_upstream_are_used_again() {
    let upstream = Upstream::echo().await;
    let rig = Rig::new(one_service(upstream.address));
    let mut stream = rig.connect().await;
    for _ in 0..5 {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        assert!(read_message(&mut stream).await.is_some());
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_chunked_body_is_measured_when_buffering_and_streamed_when_not() {
    let upstream = Upstream::echo().await;
    let request = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n";
    let rig = Rig::new(one_service(upstream.address));
    let answer = rig.send(request).await;
    let echoed = answer.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(field(echoed, "content-length"), Some("5"), "{answer}");
    assert!(echoed.ends_with("abcde") && field(echoed, "x-t").is_none());

    let rig =
        Rig::new(service(upstream.address, json!({}), json!({ "paths": ["/"], "request_buffering": false })));
    let answer = rig.send(request).await;
    let echoed = answer.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(field(echoed, "transfer-encoding"), Some("chunked"), "{answer}");
    assert!(echoed.ends_with("abcde") && field(echoed, "x-t").is_none());
}

#[tokio::test]
async fn a_long_body_streams_both_ways() {
    let upstream = Upstream::script(|mut stream, _| async move {
        let head = read_head(&mut stream).await.unwrap();
        let length: usize = field(&head, "content-length").unwrap().parse().unwrap();
        stream
            .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        // Gives back each piece before it takes the next: would hang if the gateway held either side.
        let mut piece = vec![0; 100_000];
        for _ in 0..length / piece.len() {
            stream.read_exact(&mut piece).await.unwrap();
            stream.write_all(&piece).await.unwrap();
        }
    })
    .await;
    let rig = Rig::new(one_service(upstream.address));
    let mut stream = rig.connect().await;
    let length = 3_000_000;
    let head = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![b'x'; 100_000];
    stream.write_all(&piece).await.unwrap();
    assert_eq!(status(&read_head(&mut stream).await.unwrap()), 200);
    let mut got = vec![0; 100_000];
    for at in 0..length / piece.len() {
        soon(stream.read_exact(&mut got)).await.unwrap();
        assert!(got == piece);
        if at + 1 < length / piece.len() {
            soon(stream.write_all(&piece)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_answer_keeps_reason_length_and_repeated_headers_and_loses_hop_by_hop_ones() {
    let upstream = Upstream::raw(
        "HTTP/1.1 299 Very Good\r\nContent-Length: 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nServer: mine\r\n\
         Connection: X-Gone\r\nX-Gone: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nX-Accel-Redirect: /x\r\n\r\nhi",
    )
    .await;
    let rig = Rig::new(one_service(upstream.address));
    let answer = rig.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 299 Very Good\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhi"));
    assert_eq!(answer.matches("\r\nSet-Cookie: ").count(), 2);
    assert_eq!((field(&answer, "server"), field(&answer, "content-length")), (Some("mine"), Some("2")));
    for gone in ["x-gone", "keep-alive", "upgrade", "x-accel-redirect"] {
        assert_eq!(field(&answer, gone), None, "{gone}");
    }
}

#[tokio::test]
async fn head_keeps_the_length_and_has_no_body() {
    let upstream = Upstream::raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").await;
    let rig = Rig::new(one_service(upstream.address));
    let answer = rig.send("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert_eq!(field(&answer, "content-length"), Some("5"));
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_client_that_expects_100_gets_it_and_the_upstream_does_not() {
    let upstream = Upstream::echo().await;
    let rig = Rig::new(one_service(upstream.address));
    let mut stream = rig.connect().await;
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        .await
        .unwrap();
    assert!(read_head(&mut stream).await.unwrap().starts_with("HTTP/1.1 100"));
    stream.write_all(b"hi").await.unwrap();
    let (_, echoed) = read_message(&mut stream).await.unwrap();
    assert!(echoed.ends_with("hi") && field(&echoed, "expect").is_none(), "{echoed}");
}

#[tokio::test]
async fn targets_of_an_upstream_take_turns_by_weight_and_name_the_host() {
    let (a, b) = (Upstream::echo().await, Upstream::echo().await);
    let mut config = one_service(a.address);
    config["services"][0]["host"] = json!("u.up");
    config["upstreams"] = json!([{ "id": uuid(5), "name": "u.up" }]);
    config["targets"] = json!([
        { "id": uuid(6), "upstream": { "id": uuid(5) }, "target": a.address.to_string(), "weight": 30 },
        { "id": uuid(7), "upstream": { "id": uuid(5) }, "target": b.address.to_string(), "weight": 10 },
    ]);
    let rig = Rig::new(config);
    for _ in 0..8 {
        let answer = rig.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        let host = field(answer.split_once("\r\n\r\n").unwrap().1, "host").unwrap().to_owned();
        assert!([a.address.to_string(), b.address.to_string()].contains(&host), "{host}");
    }
    // One worker or two: 8 requests, each on a connection of its own to the gateway.
    assert!(a.connections() >= 1 && b.connections() >= 1);
}
