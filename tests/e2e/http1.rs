//! HTTP/1 from clients: order, framing, and how connections end.

use std::time::Duration;

use gatewayctl::runtime::Options;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

use crate::rig::*;

const ONE: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// All that comes until the connection ends.
async fn rest(stream: &mut TcpStream) -> String {
    let mut got = Vec::new();
    let _ = soon(stream.read_to_end(&mut got)).await;
    String::from_utf8_lossy(&got).into_owned()
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_back() {
    let (seen, mut events) = mpsc::unbounded_channel();
    let upstream = Upstream::script(move |mut stream, number| {
        let seen = seen.clone();
        async move {
            let Some((head, _)) = read_message(&mut stream).await else { return };
            if head.starts_with("GET /answer ") {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                if read_message(&mut stream).await.is_none() {
                    return;
                }
            }
            seen.send(format!("{number} asked")).unwrap();
            // Ends when the gateway closes it.
            assert_eq!(soon(stream.read(&mut [0; 1])).await.unwrap_or(0), 0);
            seen.send(format!("{number} gone")).unwrap();
        }
    })
    .await;
    let rig = Rig::new(one_service(upstream.address));
    // With its first request, while the gateway does not watch the socket yet, and with a later one.
    for (number, before) in [(0, ""), (1, "GET /answer HTTP/1.1\r\nHost: a\r\n\r\n")] {
        let mut client = rig.connect().await;
        if !before.is_empty() {
            client.write_all(before.as_bytes()).await.unwrap();
            assert_eq!(status(&read_head(&mut client).await.unwrap()), 200);
        }
        client.write_all(ONE.as_bytes()).await.unwrap();
        assert_eq!(soon(events.recv()).await.unwrap(), format!("{number} asked"));
        drop(client);
        assert_eq!(soon(events.recv()).await.unwrap(), format!("{number} gone"));
    }
}

#[tokio::test]
async fn requests_in_one_piece_are_answered_in_their_order() {
    let upstream = Upstream::echo().await;
    let rig = Rig::new(one_service(upstream.address));
    let post = "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let chunked = "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
    let all = format!("{ONE}{post}{chunked}{}", LAST.replace("GET /", "GET /4"));
    for piece in [1, 7, all.len()] {
        let mut client = rig.connect().await;
        client.set_nodelay(true).unwrap();
        let (mut from, mut to) = client.split();
        let mut got = String::new();
        let sending = async {
            for bytes in all.as_bytes().chunks(piece) {
                to.write_all(bytes).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let ((), read) = soon(async { tokio::join!(sending, from.read_to_string(&mut got)) }).await;
        read.unwrap();
        let paths: Vec<_> = got.lines().filter(|line| line.ends_with(" HTTP/1.1")).collect();
        let wanted = ["GET / HTTP/1.1", "POST /2 HTTP/1.1", "POST /3 HTTP/1.1", "GET /4 HTTP/1.1"];
        assert_eq!(paths, wanted, "{piece}");
    }
}

#[tokio::test]
async fn a_body_that_no_upstream_takes_is_read_past_however_long_it_is() {
    let rig = Rig::new(json!({}));
    for body in ["Content-Length: 4\r\n\r\nbody", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"]
    {
        let answers = rig.send(&format!("POST / HTTP/1.1\r\nHost: a\r\n{body}{LAST}")).await;
        assert_eq!(answers.matches("HTTP/1.1 404 ").count(), 2, "{answers}");
    }
    // A client that sends all of its body before it reads finds the response, on a connection that goes on.
    let long = 20 << 20;
    let mut client = rig.connect().await;
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {long}\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    soon(client.write_all(&vec![b'x'; long])).await.unwrap();
    let answer = read_message(&mut client).await.expect("an answer").0;
    assert_eq!((status(&answer), field(&answer, "connection")), (404, Some("keep-alive")));
    client.write_all(LAST.as_bytes()).await.unwrap();
    assert!(rest(&mut client).await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn a_body_that_waits_to_be_asked_for_is_not_waited_for() {
    let rig = Rig::new(json!({}));
    let answer =
        rig.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert_eq!(field(&answer, "connection"), Some("close"), "the next request cannot be delimited");
}

#[tokio::test]
async fn clients_of_1_0_get_what_they_understand() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n0\r\n\r\n";
    let upstream = Upstream::raw(chunked).await;
    let rig = Rig::new(one_service(upstream.address));
    let answer = rig.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").await;
    assert!(answer.ends_with("\r\n\r\ndone"), "{answer}");
    assert_eq!((field(&answer, "transfer-encoding"), field(&answer, "connection")), (None, Some("close")));
    let upstream = Upstream::echo().await;
    let rig = Rig::new(one_service(upstream.address));
    let answer = rig.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert_eq!(field(&answer, "connection"), Some("close"));
    let kept = "GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n";
    let answers = rig.send(&format!("{kept}{LAST}")).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    assert_eq!(field(&answers, "connection"), Some("keep-alive"));
}

#[tokio::test]
async fn chunks_of_every_length_arrive_as_they_were_sent() {
    let lengths = [1, 4096, 4097, 3, 100_000, 40_000, 2];
    let upstream = Upstream::script(move |mut stream, _| async move {
        while read_message(&mut stream).await.is_some() {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
            for (at, length) in lengths.iter().enumerate() {
                let letter = char::from(b'a' + at as u8).to_string().repeat(*length);
                stream.write_all(format!("{length:X}\r\n{letter}\r\n").as_bytes()).await.unwrap();
            }
            stream.write_all(b"0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let rig = Rig::new(one_service(upstream.address));
    let wanted: String = lengths
        .iter()
        .enumerate()
        .map(|(at, &n)| char::from(b'a' + at as u8).to_string().repeat(n))
        .collect();
    let answer = rig.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert!(answer.split_once("\r\n\r\n").unwrap().1 == wanted);
    let answer = rig.send(LAST).await;
    let mut body = answer.split_once("\r\n\r\n").unwrap().1;
    let mut got = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        got.push_str(&rest[..size]);
        assert!(rest[size..].starts_with("\r\n"));
        body = &rest[size + 2..];
    }
    assert!(got == wanted && body.is_empty());
}

#[tokio::test]
async fn a_client_that_says_nothing_or_never_ends_its_head_is_closed() {
    let soon_over = Duration::from_millis(200);
    let options = Options { header_timeout: soon_over, idle_timeout: soon_over, ..Options::default() };
    let upstream = Upstream::echo().await;
    let rig = Rig::with(one_service(upstream.address), options, &[plain()]);
    for (said, answers) in
        [("", 0), ("GET / HTTP/1.1\r\nHost: a\r\n", 0), (ONE, 1), (&*format!("{ONE}GET"), 1)]
    {
        let mut client = rig.connect().await;
        client.write_all(said.as_bytes()).await.unwrap();
        let got = rest(&mut client).await;
        assert_eq!(got.matches("HTTP/1.1 200 OK").count(), answers, "{said}: {got}");
    }
}
