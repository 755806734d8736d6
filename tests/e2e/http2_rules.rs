//! What HTTP/2 forbids: the frames and the requests that end a connection or a stream, and with which code.

use gatewayctl::runtime::Options;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::{frames::*, rig::*};

const PROTOCOL: u32 = 1;
const FLOW_CONTROL: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE: u32 = 6;
const COMPRESSION: u32 = 9;
const PADDED: u8 = 8;
const GREATEST: u32 = 0x7fff_ffff;

/// `:method POST`, the rest as in [`GET`].
const POST: &[u8] = &[0x83, 0x86, 0x84, 0x01, 1, b'a'];

async fn gateway() -> (Rig, Upstream) {
    let upstream = Upstream::echo().await;
    (Rig::with(one_service(upstream.address), Options::default(), &[clear()]), upstream)
}

/// A field that is indexed nowhere.
fn literal(name: &str, value: &str) -> Vec<u8> {
    [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
}

fn with(base: &[u8], name: &str, value: &str) -> Vec<u8> {
    [base, &literal(name, value)].concat()
}

fn settings(name: u16, value: u32) -> Vec<u8> {
    [&name.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

#[tokio::test]
async fn frames_that_break_the_rules_end_the_connection() {
    let continuation = [frame(HEADERS, 1, 1, &GET[..3]), frame(DATA, 0, 1, b"x")].concat();
    let strangers =
        [frame(HEADERS, 1, 1, &GET[..3]), frame(CONTINUATION, END_HEADERS, 3, &GET[3..])].concat();
    let grown = [
        frame(HEADERS, END_HEADERS, 1, POST),
        frame(WINDOW_UPDATE, 0, 1, &1u32.to_be_bytes()),
        frame(SETTINGS, 0, 0, &settings(4, GREATEST)),
    ]
    .concat();
    for (what, bytes, code) in [
        ("data without a stream", frame(DATA, 0, 0, b"x"), PROTOCOL),
        ("data on a stream that has not begun", frame(DATA, 0, 1, b"x"), PROTOCOL),
        ("padding longer than its frame", frame(DATA, PADDED, 1, &[9, 0]), PROTOCOL),
        ("a request without a stream", frame(HEADERS, END_HEADERS, 0, GET), PROTOCOL),
        ("a request on a server's stream", frame(HEADERS, END_HEADERS, 2, GET), PROTOCOL),
        ("a block that is interrupted", continuation, PROTOCOL),
        ("a block that goes on elsewhere", strangers, PROTOCOL),
        ("the end of no block", frame(CONTINUATION, END_HEADERS, 1, &[]), PROTOCOL),
        (
            "an index that the dynamic table does not have",
            frame(HEADERS, END_HEADERS, 1, &[0xbe]),
            COMPRESSION,
        ),
        ("a priority of nothing", frame(PRIORITY, 0, 0, &[0; 5]), PROTOCOL),
        ("half a priority", frame(PRIORITY, 0, 1, &[0; 4]), FRAME_SIZE),
        ("a reset of nothing", frame(RST_STREAM, 0, 0, &[0; 4]), PROTOCOL),
        ("a reset of a stream that has not begun", frame(RST_STREAM, 0, 1, &[0; 4]), PROTOCOL),
        ("half a reset", [get(1), frame(RST_STREAM, 0, 1, &[0; 3])].concat(), FRAME_SIZE),
        ("settings of a stream", frame(SETTINGS, 0, 1, &[]), PROTOCOL),
        ("half a setting", frame(SETTINGS, 0, 0, &[0; 5]), FRAME_SIZE),
        ("settings and their receipt in one", frame(SETTINGS, ACK, 0, &settings(4, 1)), FRAME_SIZE),
        ("a push of two kinds", frame(SETTINGS, 0, 0, &settings(2, 2)), PROTOCOL),
        ("a window that is too large", frame(SETTINGS, 0, 0, &settings(4, GREATEST + 1)), FLOW_CONTROL),
        ("frames that are too short", frame(SETTINGS, 0, 0, &settings(5, 16_383)), PROTOCOL),
        ("a client's push", frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]), PROTOCOL),
        ("a ping of a stream", frame(PING, 0, 1, &[0; 8]), PROTOCOL),
        ("half a ping", frame(PING, 0, 0, &[0; 7]), FRAME_SIZE),
        ("a GOAWAY on a stream", frame(GOAWAY, 0, 1, &[0; 8]), PROTOCOL),
        ("a truncated GOAWAY", frame(GOAWAY, 0, 0, &[0; 7]), FRAME_SIZE),
        ("no room", frame(WINDOW_UPDATE, 0, 0, &[0; 4]), PROTOCOL),
        ("half a room", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), FRAME_SIZE),
        ("room for a stream that has not begun", frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]), PROTOCOL),
        ("too much room", frame(WINDOW_UPDATE, 0, 0, &GREATEST.to_be_bytes()), FLOW_CONTROL),
        ("room that settings make too much", grown, FLOW_CONTROL),
        ("a frame that is too long", frame(DATA, 0, 1, &[0; 16_385]), FRAME_SIZE),
    ] {
        let (rig, _upstream) = gateway().await;
        let mut client = Client::new(&rig, &[]).await;
        client.send(&bytes).await;
        assert_eq!(client.end().await, Some(code), "{what}");
    }
}

#[tokio::test]
async fn a_client_introduces_itself() {
    for bytes in
        [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x08\x06\0\0\0\0\0........"[..], &frame(PING, 0, 0, &[0; 8])]
    {
        let (rig, _upstream) = gateway().await;
        let mut client = Client { stream: rig.connect().await, goaway: None };
        // The preface makes it HTTP/2; what follows has to be settings.
        if !bytes.starts_with(b"PRI") {
            client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        }
        client.send(bytes).await;
        assert_eq!(client.end().await, Some(PROTOCOL));
    }
}

#[tokio::test]
async fn requests_that_break_the_rules_are_reset_and_the_connection_goes_on() {
    let (rig, upstream) = gateway().await;
    let mut client = Client::new(&rig, &[]).await;
    let blocks = [
        with(GET, "connection", "close"),
        with(GET, "keep-alive", "timeout=5"),
        with(GET, "proxy-connection", "close"),
        with(GET, "transfer-encoding", "chunked"),
        with(GET, "upgrade", "websocket"),
        with(GET, "te", "gzip"),
        with(GET, "X-Upper", "1"),
        with(GET, "x-line", "1\r\nx: 2"),
        with(GET, "content-length", "1"),
        with(GET, "content-length", "x"),
        with(GET, ":status", "200"),
        with(GET, ":other", "1"),
        with(GET, ":path", "/again"),
        with(&with(&GET[..2], "x", "1"), ":path", "/"),
        [&GET[..2], &GET[3..]].concat(),
        GET[1..].to_vec(),
        [&GET[..1], &GET[2..]].concat(),
        // An empty path.
        [&GET[..2], &[0x04, 0], &GET[3..]].concat(),
        // CONNECT with a path.
        [&[0x02, 7][..], b"CONNECT", &GET[2..]].concat(),
    ];
    for (at, block) in (0..).zip(&blocks) {
        let stream = 2 * at + 1;
        client.send(&frame(HEADERS, END_STREAM | END_HEADERS, stream, block)).await;
        let answer = client.until(|frame| frame.stream == stream).await;
        assert_eq!(
            (answer.kind, answer.code()),
            (RST_STREAM, PROTOCOL),
            "{:?}",
            String::from_utf8_lossy(block)
        );
    }
    client.send(&get(999)).await;
    client.until(|frame| frame.stream == 999 && frame.ends()).await;
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn bodies_keep_to_what_was_said_of_them() {
    let (rig, _upstream) = gateway().await;
    let mut client = Client::new(&rig, &[]).await;
    let head = with(POST, "content-length", "3");
    for (at, (frames, code)) in (0..).zip([
        (vec![(DATA, 0, &b"four"[..])], PROTOCOL),
        (vec![(DATA, END_STREAM, b"2.")], PROTOCOL),
        (vec![(DATA, 0, b"2."), (HEADERS, END_STREAM | END_HEADERS, &[])], PROTOCOL),
        // What follows a body ends the stream, and has no pseudo-headers.
        (vec![(DATA, 0, b"3.."), (HEADERS, END_HEADERS, &[])], PROTOCOL),
        (vec![(DATA, 0, b"3.."), (HEADERS, END_STREAM | END_HEADERS, GET)], PROTOCOL),
    ]) {
        let stream = 2 * at + 1;
        client.send(&frame(HEADERS, END_HEADERS, stream, &head)).await;
        for (kind, flags, payload) in frames {
            client.send(&frame(kind, flags, stream, payload)).await;
        }
        let answer = client.until(|frame| frame.stream == stream).await;
        assert_eq!((answer.kind, answer.code()), (RST_STREAM, code), "stream {stream}");
        // It may not have heard of the reset yet.
        client.send(&frame(DATA, 0, stream, b"late")).await;
    }
    client.send(&get(999)).await;
    client.until(|frame| frame.stream == 999 && frame.ends()).await;
}

#[tokio::test]
async fn a_stream_takes_nothing_after_its_end() {
    let (upstream, arrived, release) = Upstream::held().await;
    let rig = Rig::with(one_service(upstream.address), Options::default(), &[clear()]);
    let mut client = Client::new(&rig, &[]).await;
    client.send(&get(1)).await;
    soon(arrived).await.unwrap();
    client.send(&frame(DATA, 0, 1, b"more")).await;
    let reset = client.until(|frame| frame.stream == 1).await;
    assert_eq!((reset.kind, reset.code()), (RST_STREAM, STREAM_CLOSED));
    let _ = release.send(());
}

#[tokio::test]
async fn a_stream_begins_once() {
    let (rig, _upstream) = gateway().await;
    let mut client = Client::new(&rig, &[]).await;
    client.send(&get(3)).await;
    client.until(|frame| frame.stream == 3 && frame.ends()).await;
    client.send(&get(1)).await;
    assert_eq!(client.end().await, Some(STREAM_CLOSED));
}

#[tokio::test]
async fn client_that_causes_many_resets_gets_enhance_your_calm() {
    let (rig, _upstream) = gateway().await;
    let mut client = Client::new(&rig, &[]).await;
    let bad = with(GET, "connection", "close");
    let many: Vec<u8> =
        (0..200).flat_map(|at| frame(HEADERS, END_STREAM | END_HEADERS, 2 * at + 1, &bad)).collect();
    client.send(&many).await;
    assert_eq!(client.end().await, Some(11), "ENHANCE_YOUR_CALM");
}

#[tokio::test]
async fn more_than_a_stream_s_window_ends_the_stream_and_then_the_connection() {
    // It does not read.
    let upstream = Upstream::script(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let config = service(upstream.address, json!({}), json!({ "paths": ["/"], "request_buffering": false }));
    let rig = Rig::with(config, Options::default(), &[clear()]);
    let mut client = Client::new(&rig, &[]).await;
    client.send(&frame(HEADERS, END_HEADERS, 1, POST)).await;
    let data = frame(DATA, 0, 1, &[b'x'; 16_000]);
    // Much more than the window, and than the gateway and the kernel hold beside it.
    for _ in 0..700 {
        client.send(&data).await;
    }
    let reset = client.until(|frame| frame.kind == RST_STREAM).await;
    assert_eq!((reset.stream, reset.code()), (1, FLOW_CONTROL));
    for _ in 0..2000 {
        if soon(client.stream.write_all(&data)).await.is_err() {
            break;
        }
    }
    assert_eq!(client.end().await, Some(11), "ENHANCE_YOUR_CALM");
}
