//! What clients get when something fails, and when another try is made.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::rig::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn no_route_is_a_404_in_the_form_the_client_accepts() {
    let rig = Rig::new(json!({}));
    let answer = rig.send(GET).await;
    assert_eq!(status(&answer), 404);
    let id = field(&answer, "x-kong-request-id").unwrap();
    let body =
        format!("{{\n  \"message\":\"no Route matched with those values\",\n  \"request_id\":\"{id}\"\n}}");
    assert!(answer.ends_with(&body), "{answer}");
    assert!(field(&answer, "x-kong-response-latency").is_some());
    let answer = rig.send("GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html;q=0.3, text/plain;q=0.8\r\nConnection: close\r\n\r\n").await;
    assert_eq!(field(&answer, "content-type"), Some("text/plain; charset=utf-8"));
}

#[tokio::test]
async fn refused_upstream_connection_causes_a_502_of_the_server() {
    let rig = Rig::new(one_service(unused_address().await));
    let answer = rig.send(GET).await;
    assert_eq!(status(&answer), 502);
    assert!(
        answer.contains("\r\n\r\nAn invalid response was received from the upstream server\nrequest_id: "),
        "{answer}"
    );
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_503() {
    let mut config = one_service(unused_address().await);
    config["services"][0]["host"] = json!("nowhere.invalid");
    let answer = Rig::new(config).send(GET).await;
    assert_eq!(status(&answer), 503);
    assert!(answer.contains("name resolution failed"), "{answer}");
}

#[tokio::test]
async fn an_upstream_without_targets_is_a_503() {
    let mut config = one_service(unused_address().await);
    config["services"][0]["host"] = json!("u.up");
    config["upstreams"] = json!([{ "id": uuid(5), "name": "u.up" }]);
    let answer = Rig::new(config).send(GET).await;
    assert_eq!(status(&answer), 503);
    assert!(answer.contains("failure to get a peer from the ring-balancer"), "{answer}");
}

#[tokio::test]
async fn a_get_is_tried_again_and_a_post_is_not() {
    let upstream = Upstream::script(|mut stream, number| async move {
        read_message(&mut stream).await;
        if number >= 2 {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
    })
    .await;
    let rig = Rig::new(service(upstream.address, json!({ "retries": 2 }), json!({ "paths": ["/"] })));
    assert_eq!(status(&rig.send(GET).await), 200);
    assert_eq!(upstream.connections(), 3);

    let upstream = Upstream::raw("").await;
    let rig = Rig::new(service(upstream.address, json!({ "retries": 2 }), json!({ "paths": ["/"] })));
    let post = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
    assert_eq!(status(&rig.send(post).await), 502);
    assert_eq!(upstream.connections(), 1);
    assert_eq!(status(&rig.send(GET).await), 502);
    assert_eq!(upstream.connections(), 4);
}

#[tokio::test]
async fn the_body_is_sent_again_with_the_next_try() {
    let upstream = Upstream::script(|mut stream, number| async move {
        let (_, body) = read_message(&mut stream).await.unwrap();
        if number > 0 {
            let _ = stream
                .write_all(
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes(),
                )
                .await;
        }
    })
    .await;
    let rig = Rig::new(one_service(upstream.address));
    let body = "y".repeat(100_000);
    let put =
        format!("PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n{body}");
    let answer = rig.send(&put).await;
    assert!(status(&answer) == 200 && answer.ends_with(&body));
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_a_504_after_each_try() {
    let upstream = Upstream::script(|mut stream, _| async move {
        read_message(&mut stream).await;
        let _ = stream.read_u8().await;
    })
    .await;
    let times = json!({ "retries": 1, "read_timeout": 50 });
    let rig = Rig::new(service(upstream.address, times, json!({ "paths": ["/"] })));
    let answer = rig.send(GET).await;
    assert_eq!(status(&answer), 504, "{answer}");
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn a_body_cut_short_is_cut_short_for_the_client() {
    for raw in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ] {
        let upstream = Upstream::raw(raw).await;
        let rig = Rig::new(one_service(upstream.address));
        let answer = rig.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(answer.contains("short") && !answer.ends_with("0\r\n\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_stalled_answer_ends_after_the_read_timeout() {
    let upstream = Upstream::script(|mut stream, _| async move {
        read_message(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
        let _ = stream.read_u8().await;
    })
    .await;
    let rig = Rig::new(service(upstream.address, json!({ "read_timeout": 50 }), json!({ "paths": ["/"] })));
    let answer = rig.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(answer.ends_with("half"), "{answer}");
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_a_502() {
    for raw in ["nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nxyz"] {
        let upstream = Upstream::raw(raw).await;
        let rig = Rig::new(service(upstream.address, json!({ "retries": 0 }), json!({ "paths": ["/"] })));
        assert_eq!(status(&rig.send(GET).await), 502, "{raw}");
    }
}

#[tokio::test]
async fn unrequested_upgrade_causes_a_502() {
    let upstream =
        Upstream::raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n").await;
    let rig = Rig::new(service(upstream.address, json!({ "retries": 0 }), json!({ "paths": ["/"] })));
    assert_eq!(status(&rig.send(GET).await), 502);
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_no_request() {
    let upstream = Upstream::script(|mut stream, _| async move {
        // One answer a connection, without saying so.
        if read_message(&mut stream).await.is_some() {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
    })
    .await;
    let rig = Rig::new(service(upstream.address, json!({ "retries": 0 }), json!({ "paths": ["/"] })));
    let mut stream = rig.connect().await;
    for _ in 0..20 {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let (head, _) = read_message(&mut stream).await.unwrap();
        assert_eq!(status(&head), 200, "{head}");
    }
}
