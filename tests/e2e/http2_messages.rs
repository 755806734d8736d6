//! Requests and answers over HTTP/2: heads, bodies, and how they end.

use std::sync::Arc;

use bytes::Bytes;
use gatewayctl::runtime::Options;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper::{body::Incoming, client::conn::http2::SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
};

use crate::{frames::*, rig::*};

type Body = BoxBody<Bytes, std::convert::Infallible>;

fn rig(upstream: &Upstream) -> Rig {
    Rig::with(one_service(upstream.address), Options::default(), &[clear()])
}

/// A client that knows HTTP/2 by itself.
async fn connect(rig: &Rig) -> SendRequest<Body> {
    let stream = TokioIo::new(rig.connect().await);
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn ask(client: &mut SendRequest<Body>, method: Method, body: impl Into<Bytes>) -> Response<Incoming> {
    let body = body.into();
    let body = if body.is_empty() { Empty::new().boxed() } else { Full::new(body).boxed() };
    let request = Request::builder().method(method).uri("http://a.test/x").body(body).unwrap();
    soon(client.send_request(request)).await.unwrap()
}

async fn text(answer: Response<Incoming>) -> Bytes {
    soon(answer.into_body().collect()).await.unwrap().to_bytes()
}

#[tokio::test]
async fn bodies_larger_than_every_window_pass_both_ways() {
    let upstream = Upstream::echo().await;
    let rig = rig(&upstream);
    let mut client = connect(&rig).await;
    let body: Vec<u8> = (0..5_000_000_u32).map(|at| b'a' + (at % 23) as u8).collect();
    // Two concurrent uploads share the connection's window.
    let mut other = client.clone();
    let (one, two) =
        tokio::join!(async { text(ask(&mut client, Method::POST, body.clone()).await).await }, async {
            text(ask(&mut other, Method::PUT, body.clone()).await).await
        },);
    assert!(one.ends_with(&body) && two.ends_with(&body), "{} and {} bytes", one.len(), two.len());
    // The capacity is released: more requests succeed on the same connection.
    let three = text(ask(&mut client, Method::POST, body.clone()).await).await;
    assert!(three.ends_with(&body));
}

#[tokio::test]
async fn every_stream_is_answered_however_many_begin_at_once() {
    let upstream = Upstream::echo().await;
    let rig = rig(&upstream);
    let mut client = Client::new(&rig, &[]).await;
    let mut next = 1;
    for many in [2, 8, 128, 3, 128] {
        let streams: Vec<u32> = (0..many).map(|at| next + 2 * at).collect();
        next += 2 * many;
        client.send(&streams.iter().flat_map(|&stream| get(stream)).collect::<Vec<u8>>()).await;
        let mut left: std::collections::HashSet<u32> = streams.into_iter().collect();
        while !left.is_empty() {
            let end = client.until(Frame::ends).await;
            assert!(left.remove(&end.stream), "{} was answered already", end.stream);
        }
    }
}

#[tokio::test]
async fn an_answer_leaves_as_the_client_makes_room() {
    let upstream = Upstream::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789").await;
    let rig = rig(&upstream);
    let mut client = Client::new(&rig, &[(4, 3)]).await;
    client.send(&get(1)).await;
    let mut got = Vec::new();
    for more in [2, 1, 4] {
        let data = client.until(|frame| frame.kind == DATA).await;
        assert!(!data.ends());
        got.extend(data.payload);
        client.send(&frame(WINDOW_UPDATE, 0, 1, &u32::to_be_bytes(more))).await;
    }
    let last = client.until(|frame| frame.kind == DATA).await;
    got.extend_from_slice(&last.payload);
    assert!(last.ends());
    assert_eq!(got, b"0123456789");
}

#[tokio::test]
async fn a_window_that_shrinks_below_nothing_is_filled_again() {
    let upstream = Upstream::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789").await;
    let rig = rig(&upstream);
    let mut client = Client::new(&rig, &[(4, 6)]).await;
    client.send(&get(1)).await;
    assert_eq!(client.until(|frame| frame.kind == DATA).await.payload, b"012345");
    // Six bytes fewer than have been sent; then there is room for one.
    client.send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0])).await;
    client.send(&frame(WINDOW_UPDATE, 0, 1, &7u32.to_be_bytes())).await;
    assert_eq!(client.until(|frame| frame.kind == DATA).await.payload, b"6");
    client.send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 9])).await;
    assert_eq!(client.until(|frame| frame.kind == DATA).await.payload, b"789");
}

#[tokio::test]
async fn padding_is_taken_off_and_its_room_given_back() {
    let upstream = Upstream::echo().await;
    let rig = rig(&upstream);
    let mut client = Client::new(&rig, &[]).await;
    let head = [&[3][..], &[0x80, 0, 0, 0, 1], &[0x83], &GET[1..], &[0; 3]].concat();
    // PADDED and PRIORITY.
    client.send(&frame(HEADERS, END_HEADERS | 8 | 32, 1, &head)).await;
    let padded = [&[255][..], b"x", &[0; 255]].concat();
    // More padding than all windows together.
    for _ in 0..6000 {
        client.send(&frame(DATA, 8, 1, &padded)).await;
    }
    client.send(&frame(DATA, END_STREAM, 1, b"!")).await;
    let mut got = Vec::new();
    loop {
        let data = client.until(|frame| frame.kind == DATA || frame.kind == RST_STREAM).await;
        assert_eq!(data.kind, DATA);
        got.extend_from_slice(&data.payload);
        if data.ends() {
            break;
        }
    }
    assert!(got.ends_with(&[&[b'x'; 6000][..], b"!"].concat()));
}

#[tokio::test]
async fn an_answer_without_a_body_ends_with_its_head() {
    for (method, answer, length) in [
        (Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Some("5")),
        (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n", None),
        (Method::GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Some("5")),
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Some("0")),
    ] {
        let upstream = Upstream::raw(answer).await;
        let rig = rig(&upstream);
        let mut client = connect(&rig).await;
        let got = ask(&mut client, method, "").await;
        assert!(hyper::body::Body::is_end_stream(got.body()), "{answer}");
        assert_eq!(
            got.headers().get("content-length").map(|length| length.to_str().unwrap()),
            length,
            "{answer}"
        );
        assert!(got.headers().contains_key("date"), "{answer}");
    }
}

#[tokio::test]
async fn an_answer_of_one_version_is_fit_for_the_other() {
    let upstream = Upstream::raw(
        "HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nDate: then\r\n\
         X-Long: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    )
    .await;
    let rig = rig(&upstream);
    let mut client = connect(&rig).await;
    let answer = ask(&mut client, Method::GET, "").await;
    for gone in ["connection", "x-hop", "keep-alive", "transfer-encoding", "content-length"] {
        assert!(!answer.headers().contains_key(gone), "{gone}");
    }
    assert_eq!(answer.headers()["date"], "then");
    assert_eq!(text(answer).await, "hi");
}

#[tokio::test]
async fn heads_longer_than_a_frame_pass_both_ways() {
    let upstream = Upstream::script(|mut stream, _| async move {
        while let Some((head, _)) = read_message(&mut stream).await {
            let long = field(&head, "x-long").unwrap();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Long: {long}\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let rig = rig(&upstream);
    let (mut client, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .max_header_list_size(64 * 1024)
        .handshake::<_, Body>(TokioIo::new(rig.connect().await))
        .await
        .unwrap();
    tokio::spawn(connection);
    // Letters that Huffman's code makes longer.
    let long = "|~^".repeat(6_000);
    for _ in 0..3 {
        let request =
            Request::get("http://a.test/x").header("x-long", &long).body(Empty::new().boxed()).unwrap();
        let answer = soon(client.send_request(request)).await.unwrap();
        assert_eq!(answer.headers()["x-long"], *long);
    }
}

#[tokio::test]
async fn a_tunnel_is_not_opened() {
    let upstream = Upstream::echo().await;
    let rig = rig(&upstream);
    let mut client = connect(&rig).await;
    let request = Request::connect("a.test:443").body(Empty::new().boxed()).unwrap();
    assert_eq!(soon(client.send_request(request)).await.unwrap().status(), 405);
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_reset_after_what_there_was_of_it() {
    let upstream = Upstream::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await;
    let rig = rig(&upstream);
    let mut client = Client::new(&rig, &[]).await;
    client.send(&get(1)).await;
    let data = client.until(|frame| frame.stream == 1 && frame.kind != HEADERS).await;
    assert_eq!((data.kind, &data.payload[..]), (DATA, &b"half"[..]));
    let reset = client.until(|frame| frame.stream == 1).await;
    assert_eq!((reset.kind, reset.code()), (RST_STREAM, 2), "INTERNAL_ERROR");
}

#[tokio::test]
async fn a_client_that_resets_a_stream_or_leaves_ends_its_request() {
    for leaves in [false, true] {
        let gone = Arc::new(Notify::new());
        let notify = Arc::clone(&gone);
        let upstream = Upstream::script(move |mut stream, _| {
            let notify = Arc::clone(&notify);
            async move {
                read_message(&mut stream).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await.unwrap();
                let _ = stream.read(&mut [0; 16]).await;
                notify.notify_one();
            }
        })
        .await;
        let rig = rig(&upstream);
        let mut client = Client::new(&rig, &[]).await;
        client.send(&get(1)).await;
        client.until(|frame| frame.kind == DATA).await;
        if leaves {
            drop(client);
        } else {
            client.send(&frame(RST_STREAM, 0, 1, &8u32.to_be_bytes())).await;
        }
        soon(gone.notified()).await;
    }
}

#[tokio::test]
async fn an_answer_before_the_body_s_end_stops_the_body() {
    let upstream = Upstream::echo().await;
    let config = service(upstream.address, json!({}), json!({ "paths": ["/other"] }));
    let rig = Rig::with(config, Options::default(), &[clear()]);
    let mut client = Client::new(&rig, &[]).await;
    client.send(&frame(HEADERS, END_HEADERS, 1, GET)).await;
    client.until(|frame| frame.stream == 1 && frame.ends()).await;
    let reset = client.until(|frame| frame.stream == 1).await;
    assert_eq!((reset.kind, reset.code()), (RST_STREAM, 0), "NO_ERROR");
    // What was on its way is taken, and forgotten.
    for _ in 0..200 {
        client.send(&frame(DATA, 0, 1, &[b'x'; 16_000])).await;
    }
    client.send(&frame(PING, 0, 0, b"are you?")).await;
    client.until(|frame| frame.kind == PING && frame.payload == b"are you?").await;
}

#[tokio::test]
async fn response_trailers_are_sent_to_clients_with_te_trailers() {
    let upstream = Upstream::raw(
        "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n",
    )
    .await;
    let rig = rig(&upstream);
    for (te, trailers) in [(Some("trailers"), 1), (None, 0)] {
        let mut client = connect(&rig).await;
        let mut request = Request::get("http://a.test/x").body(Empty::new().boxed()).unwrap();
        if let Some(te) = te {
            request.headers_mut().insert("te", te.parse().unwrap());
        }
        let answer = soon(client.send_request(request)).await.unwrap();
        let whole = soon(answer.into_body().collect()).await.unwrap();
        assert_eq!(whole.trailers().map_or(0, HeaderMap::len), trailers);
        assert_eq!(whole.to_bytes(), "hi");
    }
}

#[tokio::test]
async fn client_that_sends_goaway_gets_its_responses() {
    let (upstream, arrived, release) = Upstream::held().await;
    let rig = rig(&upstream);
    let mut client = Client::new(&rig, &[]).await;
    client.send(&get(1)).await;
    soon(arrived).await.unwrap();
    client.send(&frame(GOAWAY, 0, 0, &[0; 8])).await;
    client.send(&frame(PING, 0, 0, b"are you?")).await;
    client.until(|frame| frame.kind == PING && frame.payload == b"are you?").await;
    release.send(()).unwrap();
    client.until(|frame| frame.stream == 1 && frame.ends()).await;
    assert_eq!(client.end().await, Some(0));
}
