//! Requests that are refused before anything else happens.

use gatewayctl::runtime::Options;

use crate::rig::*;

#[tokio::test]
async fn malformed_hosts_targets_and_methods_are_refused() {
    let upstream = Upstream::echo().await;
    let rig = Rig::new(one_service(upstream.address));
    for (head, code) in [
        ("GET / HTTP/1.1\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a..b\r\n", 400),
        ("GET /%zz HTTP/1.1\r\nHost: a\r\n", 400),
        ("GET /../x HTTP/1.1\r\nHost: a\r\n", 400),
        ("get / HTTP/1.1\r\nHost: a\r\n", 400),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n", 400),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n", 405),
    ] {
        let answer = rig.send(&format!("{head}Connection: close\r\n\r\n")).await;
        assert_eq!(status(&answer), code, "{head:?}: {answer}");
        assert!(field(&answer, "x-kong-request-id").is_some(), "{head:?}: {answer}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn an_authority_in_the_target_comes_before_the_host_header() {
    let upstream = Upstream::echo().await;
    let rig = Rig::new(one_service(upstream.address));
    let answer = rig.send("GET http://b.test/x HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n").await;
    let echoed = answer.split_once("\r\n\r\n").unwrap().1;
    assert!(echoed.starts_with("GET /x HTTP/1.1\r\n"), "{answer}");
    assert_eq!(field(echoed, "x-forwarded-host"), Some("b.test"));
}

#[tokio::test]
async fn what_frames_a_body_twice_is_refused_in_the_servers_manner() {
    let upstream = Upstream::echo().await;
    let rig = Rig::new(one_service(upstream.address));
    for (fields, code) in [
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
        ("Content-Length: 3\r\nContent-Length: 3\r\n", 400),
        ("Content-Length: 3, 3\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("X-A : one\r\n", 400),
    ] {
        let answer = rig.send(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n0\r\n\r\n")).await;
        assert_eq!(status(&answer), code, "{fields:?}: {answer}");
        assert_eq!(field(&answer, "connection"), Some("close"), "{answer}");
        assert!(answer.contains("\nrequest_id: "), "{answer}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_refused_head_behind_a_good_one_is_refused_in_its_turn() {
    let upstream = Upstream::echo().await;
    let rig = Rig::new(one_service(upstream.address));
    let answers = rig.send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/9.9\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let statuses: Vec<_> =
        answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at + 9..at + 12]).collect();
    assert!(answers.contains("POST /1 ") && answers.contains("GET /2 "), "{answers}");
    assert!(answers.contains("HTTP/1.1 505 ") && !answers.contains("/4"), "{answers}");
    assert_eq!(statuses.first(), Some(&"200"));
}

#[tokio::test]
async fn many_headers_long_lines_and_odd_heads() {
    let upstream = Upstream::echo().await;
    let rig = Rig::new(one_service(upstream.address));
    let many: String = (0..150).map(|n| format!("X-{n}: {n}\r\n")).collect();
    let answer = rig.send(&format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{many}\r\n")).await;
    assert!(status(&answer) == 200 && answer.contains("\nX-149: 149\r\n"), "{answer}");
    let answer = rig.send(&format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9000))).await;
    assert_eq!(status(&answer), 414, "{answer}");
    let answer = rig.send(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(9000))).await;
    assert!(status(&answer) == 400 && answer.contains("Request header or cookie too large"), "{answer}");
    let answer = rig.send("GET /x HTTP/1.1\nHost: a\nConnection: close\nnonsense\n\n").await;
    assert!(status(&answer) == 200 && answer.contains("nonsense: \r\n"), "{answer}");
    let answer = rig.send("NONSENSE\r\n\r\n").await;
    assert_eq!(field(&answer, "content-type"), Some("text/plain; charset=utf-8"), "{answer}");
}

#[tokio::test]
async fn a_broken_chunk_is_a_400_and_the_upstream_sees_nothing() {
    let upstream = Upstream::echo().await;
    let rig = Rig::new(one_service(upstream.address));
    for chunks in [
        "-3\r\nabc\r\n0\r\n\r\n",
        "2\r\nabc\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
    ] {
        let answer = rig
            .send(&format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"))
            .await;
        assert!(status(&answer) == 400 && answer.contains("Bad request\nrequest_id"), "{chunks:?}: {answer}");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn last_response_of_a_connection_at_its_request_limit_has_connection_close() {
    let upstream = Upstream::echo().await;
    let options = Options { max_requests_per_connection: 2, ..Options::default() };
    let rig = Rig::with(one_service(upstream.address), options, &[plain()]);
    let one = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let answers = rig.send(&one.repeat(3)).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    let last = &answers[answers.rfind("HTTP/1.1 200 OK").unwrap()..];
    assert_eq!(field(last, "connection"), Some("close"), "{answers}");
    // Without time to be idle, the first is the last.
    let options = Options { idle_timeout: std::time::Duration::ZERO, ..Options::default() };
    let rig = Rig::with(one_service(upstream.address), options, &[plain()]);
    let answer = rig.send(one).await;
    assert_eq!(field(&answer, "connection"), Some("close"), "{answer}");
}

#[tokio::test]
async fn a_body_beyond_the_budget_for_buffers_streams_and_leaves_nothing_reserved() {
    let upstream = Upstream::echo().await;
    let budgets = [
        Options { max_buffered_bytes_per_connection: 64 * 1024, ..Options::default() },
        Options { max_buffered_bytes: 64 * 1024, ..Options::default() },
        Options::default(),
    ];
    for (options, framing) in
        budgets.into_iter().zip(["transfer-encoding", "transfer-encoding", "content-length"])
    {
        let rig = Rig::with(one_service(upstream.address), options, &[plain()]);
        let body = "x".repeat(200_000);
        let chunks = format!("{:x}\r\n{body}\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len(), body.len());
        let request = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
        );
        let answer = rig.send(&request).await;
        assert_eq!(status(&answer), 200);
        let (_, echoed) = answer.split_once("\r\n\r\n").unwrap();
        assert!(field(echoed, framing).is_some(), "{echoed:.300}");
        assert!(echoed.ends_with(&body.repeat(2)), "the body arrives whole");
        let memory = &rig.gateway.memory;
        assert_eq!(memory.refused_count() > 0, framing == "transfer-encoding");
        assert!(memory.peak_bytes() <= memory.max_bytes());
        rig.no_bodies_are_counted().await;
    }
}
