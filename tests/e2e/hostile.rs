//! Upstreams that answer what no client should see.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::rig::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn answers_that_can_be_read_in_two_ways_are_refused() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 600 High\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 999 High\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    ] {
        let upstream = Upstream::raw(answer).await;
        let rig = Rig::new(service(upstream.address, json!({ "retries": 0 }), json!({ "paths": ["/"] })));
        let got = rig.send(GET).await;
        assert_eq!(status(&got), 502, "{answer:?}: {got}");
        assert!(!got.contains("Set-Cookie") && !got.contains("High"), "{got}");
        assert!(field(&got, "x-kong-upstream-latency").is_some(), "an upstream was asked: {got}");
    }
}

#[tokio::test]
async fn heads_without_an_end_end_here() {
    let sent = Arc::new(AtomicUsize::new(0));
    for (what, begin, piece) in [
        ("fields", "HTTP/1.1 200 OK\r\n", "X: 0123456789012345678901234567890123456789\r\n"),
        ("one field", "HTTP/1.1 200 OK\r\nX: ", "0123456789012345678901234567890123456789"),
        ("interim answers", "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        ("short interim answers", "", "HTTP/1.1 100 C\r\n\r\n"),
    ] {
        let count = Arc::clone(&sent);
        count.store(0, Ordering::SeqCst);
        let upstream = Upstream::script(move |mut stream, _| {
            let count = Arc::clone(&count);
            async move {
                if read_message(&mut stream).await.is_none() {
                    return;
                }
                let mut bytes = begin.to_owned();
                loop {
                    bytes += &piece.repeat(50);
                    if stream.write_all(bytes.as_bytes()).await.is_err() {
                        return;
                    }
                    count.fetch_add(bytes.len(), Ordering::SeqCst);
                    bytes.clear();
                }
            }
        })
        .await;
        let rig = Rig::new(service(upstream.address, json!({ "retries": 0 }), json!({ "paths": ["/"] })));
        assert_eq!(status(&rig.send(GET).await), 502, "{what}");
        assert!(sent.load(Ordering::SeqCst) < 32 << 20, "{what}");
    }
}

#[tokio::test]
async fn trailers_do_not_change_the_answer_they_follow() {
    let upstream = Upstream::raw(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n1\r\na\r\n0\r\nContent-Length: 9\r\n\
         Set-Cookie: evil\r\nTransfer-Encoding: gzip\r\nX-Sum: 5\r\n\r\n",
    )
    .await;
    let rig = Rig::new(one_service(upstream.address));
    let got = rig.send("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n").await;
    let (_, body) = got.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.to_ascii_lowercase(), "1\r\na\r\n0\r\nx-sum: 5\r\n\r\n", "{got}");
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_was_asked() {
    let rig = Rig::new(service(unused_address().await, json!({ "retries": 1 }), json!({ "paths": ["/"] })));
    let got = rig.send(GET).await;
    assert_eq!(status(&got), 502);
    for (name, is_there) in [
        ("x-kong-upstream-latency", true),
        ("x-kong-proxy-latency", true),
        ("x-kong-response-latency", false),
    ] {
        assert_eq!(field(&got, name).is_some(), is_there, "{name}: {got}");
    }
    // Without a route, none is.
    let got = Rig::new(json!({})).send(GET).await;
    assert!(
        field(&got, "x-kong-response-latency").is_some() && field(&got, "x-kong-proxy-latency").is_none()
    );
}
