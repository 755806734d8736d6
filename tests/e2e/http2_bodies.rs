//! Request bodies over HTTP/2: windows, what ends them early, and Expect: 100-continue.

use std::{sync::Arc, time::Duration};

use gatewayctl::runtime::Options;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
};

use crate::{frames::*, rig::*};

const PROTOCOL: u32 = 1;
const CANCEL: u32 = 8;
/// The window that a stream starts with.
const WINDOW: usize = 64 * 1024;

/// A POST request to that path, with more fields that are indexed nowhere.
fn post(stream: u32, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = vec![0x83, 0x86, 0x01, 1, b'a', 0x04, path.len() as u8];
    block.extend(path.as_bytes());
    for (name, value) in fields {
        block.extend([0, name.len() as u8]);
        block.extend(name.as_bytes());
        block.push(value.len() as u8);
        block.extend(value.as_bytes());
    }
    frame(HEADERS, END_HEADERS, stream, &block)
}

/// A service whose bodies are streamed.
fn streaming(upstream: &Upstream, options: Options) -> Rig {
    let config = service(upstream.address, json!({}), json!({ "paths": ["/"], "request_buffering": false }));
    Rig::with(config, options, &[clear()])
}

/// Sends a body within the window that the gateway grants, reading all the time; all frames that came.
async fn upload(client: &mut Client, stream: u32, length: usize) -> Vec<Frame> {
    let (mut window, mut left, mut frames) = (WINDOW, length, Vec::new());
    while left > 0 {
        let count = left.min(window).min(16_384);
        if count == 0 {
            let next = client.frame().await.expect("credit");
            if next.kind == WINDOW_UPDATE && next.stream == stream {
                window += u32::from_be_bytes(next.payload[..4].try_into().unwrap()) as usize;
            }
            frames.push(next);
            continue;
        }
        left -= count;
        window -= count;
        let flags = if left == 0 { END_STREAM } else { 0 };
        client.send(&frame(DATA, flags, stream, &vec![b'x'; count])).await;
    }
    frames
}

#[tokio::test]
async fn uploads_whose_upstream_does_not_read_stop_no_other() {
    let upstream = Upstream::script(|mut stream, _| async move {
        let Some(head) = read_head(&mut stream).await else { return };
        if head.starts_with("POST /stalled") {
            std::future::pending::<()>().await;
        }
        let length: usize = field(&head, "content-length").unwrap().parse().unwrap();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    })
    .await;
    let rig = streaming(&upstream, Options::default());
    let mut client = Client::new(&rig, &[]).await;
    // More than the connection's window was, and than the kernel and the gateway hold for the upstreams.
    for number in 0..100 {
        let stream = 2 * number + 1;
        client.send(&post(stream, "/stalled", &[])).await;
        for _ in 0..4 {
            client.send(&frame(DATA, 0, stream, &[b'x'; 16_384])).await;
        }
    }
    let length = 4 * 1024 * 1024;
    client.send(&post(1001, "/", &[("content-length", &length.to_string())])).await;
    let frames = upload(&mut client, 1001, length).await;
    client.until(|frame| frame.stream == 1001 && frame.ends()).await;
    let largest = frames
        .iter()
        .filter(|frame| frame.kind == WINDOW_UPDATE && frame.stream == 1001)
        .map(|frame| u32::from_be_bytes(frame.payload[..4].try_into().unwrap()))
        .max();
    assert!(largest >= Some(512 * 1024), "the window of a body that is consumed grows: {largest:?}");
    assert!(frames.iter().all(|frame| frame.kind != RST_STREAM));
}

/// The ways in which a request's body fails.
#[derive(Clone, Copy, Debug)]
enum Failure {
    Reset,
    Close,
    TooLong,
    TooShort,
    OverLimit,
    Stall,
}

#[tokio::test]
async fn a_body_that_fails_ends_its_upstream_connection() {
    use Failure::*;
    for (failure, responds) in [
        (Reset, false),
        (Reset, true),
        (Close, false),
        (Close, true),
        (TooLong, false),
        (TooLong, true),
        (TooShort, false),
        (TooShort, true),
        (OverLimit, true),
        (Stall, true),
    ] {
        let (arrived, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let events = (Arc::clone(&arrived), Arc::clone(&gone));
        let upstream = Upstream::script(move |mut stream, _| {
            let (arrived, gone) = (Arc::clone(&events.0), Arc::clone(&events.1));
            async move {
                if read_head(&mut stream).await.is_none() {
                    return;
                }
                let mut half = Vec::new();
                while !half.windows(4).any(|text| text == b"half") {
                    half.push(stream.read_u8().await.unwrap());
                }
                if responds {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await.unwrap();
                }
                arrived.notify_one();
                // Not a byte more than was sent, and no clean end.
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
                assert!(rest.is_empty() || rest == b"\r\n", "a chunk's end at most: {rest:?}");
                gone.notify_one();
            }
        })
        .await;
        let body_timeout = Duration::from_millis(if matches!(failure, Stall) { 300 } else { 60_000 });
        let rig = streaming(&upstream, Options { body_timeout, max_body: 10, ..Options::default() });
        let mut client = Client::new(&rig, &[]).await;
        let length = [("content-length", "8")];
        let fields = if matches!(failure, OverLimit) { &[][..] } else { &length };
        client.send(&post(1, "/", fields)).await;
        client.send(&frame(DATA, 0, 1, b"half")).await;
        soon(arrived.notified()).await;
        if responds {
            client.until(|frame| frame.stream == 1 && frame.kind == DATA).await;
        }
        match failure {
            Reset => client.send(&frame(RST_STREAM, 0, 1, &CANCEL.to_be_bytes())).await,
            Close => client.stream.shutdown().await.unwrap(),
            TooLong => client.send(&frame(DATA, 0, 1, b"too long")).await,
            TooShort => client.send(&frame(DATA, END_STREAM, 1, b"x")).await,
            OverLimit => client.send(&frame(DATA, 0, 1, b"over limit")).await,
            Stall => {}
        }
        soon(gone.notified()).await;
        if let TooLong | TooShort | OverLimit | Stall = failure {
            let reset = client.until(|frame| frame.stream == 1 && frame.kind == RST_STREAM).await;
            let code = if matches!(failure, OverLimit | Stall) { CANCEL } else { PROTOCOL };
            assert_eq!(reset.code(), code, "{failure:?}, response: {responds}");
        }
    }
}

#[tokio::test]
async fn a_client_that_stops_in_a_streamed_body_gets_408() {
    let upstream = Upstream::script(|mut stream, _| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let rig =
        streaming(&upstream, Options { body_timeout: Duration::from_millis(300), ..Options::default() });
    let mut client = Client::new(&rig, &[]).await;
    client.send(&post(1, "/", &[])).await;
    client.send(&frame(DATA, 0, 1, b"half")).await;
    let response = client.until(|frame| frame.stream == 1).await;
    assert_eq!(response.kind, HEADERS);
    assert!(response.payload.windows(3).any(|text| text == b"408"), "{:?}", response.payload);
    let reset = client.until(|frame| frame.kind == RST_STREAM).await;
    assert_eq!((reset.stream, reset.code()), (1, 0), "NO_ERROR");
    // The connection goes on.
    client.send(&frame(PING, 0, 0, b"are you?")).await;
    client.until(|frame| frame.kind == PING && frame.payload == b"are you?").await;
}

#[tokio::test]
async fn a_body_longer_than_allowed_is_refused_and_its_stream_reset() {
    let upstream = Upstream::echo().await;
    let rig = streaming(&upstream, Options { max_body: 10, ..Options::default() });
    let mut client = Client::new(&rig, &[]).await;
    client.send(&post(1, "/", &[("content-length", "11")])).await;
    let response = client.until(|frame| frame.stream == 1).await;
    // A status that is not in the static table: 413.
    assert_eq!(response.kind, HEADERS);
    assert!(response.payload.windows(3).any(|text| text == b"413"), "{:?}", response.payload);
    let reset = client.until(|frame| frame.kind == RST_STREAM).await;
    assert_eq!((reset.stream, reset.code()), (1, 0), "NO_ERROR");
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_client_that_expects_100_continue_gets_it_when_its_body_is_read() {
    let upstream = Upstream::echo().await;
    let rig = streaming(&upstream, Options::default());
    let mut client = Client::new(&rig, &[]).await;
    for (stream, value) in [(1, "100-continue"), (3, "100-Continue")] {
        client.send(&post(stream, "/", &[("expect", value), ("content-length", "4")])).await;
        let interim = client.until(|frame| frame.stream == stream).await;
        assert_eq!((interim.kind, interim.flags), (HEADERS, END_HEADERS), "{value}");
        assert_eq!(interim.payload, [0x08, 0x82, 0x08, 0x01], "`:status 100` in Huffman's code");
        client.send(&frame(DATA, END_STREAM, stream, b"body")).await;
        let head = client.until(|frame| frame.stream == stream && frame.kind == HEADERS).await;
        assert_eq!(head.payload[0], 0x88, "200");
        let echo = client.until(|frame| frame.stream == stream && frame.ends()).await;
        let text = String::from_utf8(echo.payload).unwrap();
        assert!(text.ends_with("body") && field(&text, "expect").is_none(), "{text}");
    }
    // Not for what is there, and not for what is no such expectation.
    for (stream, value) in [(5, "100-continue"), (7, "200-ok")] {
        let request = post(stream, "/", &[("expect", value), ("content-length", "4")]);
        client.send(&[request, frame(DATA, END_STREAM, stream, b"body")].concat()).await;
        let head = client.until(|frame| frame.stream == stream && frame.kind == HEADERS).await;
        assert_eq!(head.payload[0], 0x88, "200, {value}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_read_is_not_asked_for() {
    let upstream = Upstream::echo().await;
    let config = service(upstream.address, json!({}), json!({ "paths": ["/other"] }));
    let rig = Rig::with(config, Options::default(), &[clear()]);
    let mut client = Client::new(&rig, &[]).await;
    client.send(&post(1, "/", &[("expect", "100-continue")])).await;
    let head = client.until(|frame| frame.stream == 1).await;
    assert_eq!((head.kind, head.payload[0]), (HEADERS, 0x8d), "404");
}
