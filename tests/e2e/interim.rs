//! What stands around messages: interim answers, `Expect`, trailers.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::rig::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn interim_answers_end_here_and_the_final_one_is_passed_on() {
    for interim in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 102 Processing\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n",
        // An interim answer has no body, whatever it says of one.
        "HTTP/1.1 100 Continue\r\nContent-Length: 42\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n",
    ] {
        let upstream = Upstream::script(move |mut stream, _| async move {
            while read_message(&mut stream).await.is_some() {
                let answer = format!("{interim}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        })
        .await;
        let rig = Rig::new(one_service(upstream.address));
        for _ in 0..4 {
            let answer = rig.send(GET).await;
            assert!(
                answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\ndone"),
                "{answer}"
            );
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        }
    }
}

#[tokio::test]
async fn an_expectation_is_met_here_and_only_where_there_is_a_body_to_wait_for() {
    let upstream = Upstream::echo().await;
    let rig = Rig::new(one_service(upstream.address));
    // With a refusal there is nothing to continue.
    let refused = "POST / HTTP/1.1\r\nHost: a b\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(status(&rig.send(refused).await), 400);
    for expect in ["100-continue", "100-Continue"] {
        let mut stream = rig.connect().await;
        let head = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: {expect}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(
            read_head(&mut stream).await.as_deref(),
            Some("HTTP/1.1 100 Continue\r\n\r\n"),
            "{expect}"
        );
        stream.write_all(b"hi").await.unwrap();
        let mut answer = String::new();
        soon(stream.read_to_string(&mut answer)).await.unwrap();
        assert!(status(&answer) == 200 && answer.ends_with("hi"), "{answer}");
        let (_, seen) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(field(seen, "expect"), None, "{seen}");
    }
}

#[tokio::test]
async fn trailers_of_a_request_end_here() {
    for buffering in [true, false] {
        let upstream = Upstream::script(|mut stream, _| async move {
            let mut seen = vec![0; 4096];
            let mut all = String::new();
            // Up to the end of the body, by length or the last chunk, or of a head without one.
            let ends = |all: &str| {
                let bodiless = all.starts_with("GET ") && all.ends_with("\r\n\r\n");
                bodiless || all.ends_with("body") || all.ends_with("0\r\n\r\n")
            };
            while !ends(&all) {
                let count = soon(stream.read(&mut seen)).await.unwrap();
                all.push_str(&String::from_utf8_lossy(&seen[..count]));
            }
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{all}", all.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        let route = json!({ "paths": ["/"], "request_buffering": buffering });
        let rig = Rig::new(service(upstream.address, json!({}), route));
        let post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
                    4\r\nbody\r\n0\r\nX-Sum: 5\r\nContent-Length: 7\r\n\r\n";
        let both = rig.send(&format!("{post}{GET}")).await;
        let (first, second) = both.split_at(both.rfind("HTTP/1.1 200 OK").unwrap());
        assert_eq!((status(first), status(second)), (200, 200), "{both}");
        assert!(first.contains("body") && !first.contains("X-Sum: 5"), "{first}");
    }
}

#[tokio::test]
async fn response_trailers_are_sent_to_clients_with_te_trailers() {
    let upstream = Upstream::raw(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n4\r\ndone\r\n0\r\nX-Sum: 5\r\n\r\n",
    )
    .await;
    let rig = Rig::new(one_service(upstream.address));
    let answer = rig.send(GET).await;
    assert!(answer.ends_with("4\r\ndone\r\n0\r\n\r\n"), "{answer}");
    let wanting = "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n";
    let answer = rig.send(wanting).await.to_lowercase();
    assert!(answer.ends_with("4\r\ndone\r\n0\r\nx-sum: 5\r\n\r\n"), "{answer}");
}
