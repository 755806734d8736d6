//! HTTP/2 frame by frame: what clients get away with, and what they do not.

use std::{sync::Arc, time::Duration};

use gatewayctl::{proxy::Listener, runtime::Options};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, Semaphore},
};

use crate::rig::*;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `:method GET`, `:scheme http`, `:path /` and `:authority a`, by HPACK's static table.
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x01, 1, b'a'];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, GET)
}

/// A connection whose frames are written and read by hand.
struct Client {
    stream: TcpStream,
    /// The code of a GOAWAY that has come.
    goaway: Option<u32>,
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    fn ends(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }

    /// The error code of GOAWAY or RST_STREAM.
    fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

impl Client {
    /// Connects with these settings, without waiting for an answer.
    async fn new(rig: &Rig, settings: &[(u16, u32)]) -> Client {
        let mut client = Client { stream: rig.connect().await, goaway: None };
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend(name.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        client.send(&frame(SETTINGS, 0, 0, &payload)).await;
        // The connection's own window is never in the way.
        client.send(&frame(WINDOW_UPDATE, 0, 0, &0x7fff_0000u32.to_be_bytes())).await;
        client
    }

    /// A connection that has been cut takes nothing more; the test reads why.
    async fn send(&mut self, bytes: &[u8]) {
        let _ = soon(self.stream.write_all(bytes)).await;
    }

    /// The next frame; none when the connection has ended. Pings are answered, as every client does.
    async fn frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        soon(self.stream.read_exact(&mut head)).await.ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        soon(self.stream.read_exact(&mut payload)).await.ok()?;
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
        let next = Frame { kind: head[3], flags: head[4], stream, payload };
        if next.kind == GOAWAY {
            self.goaway = Some(next.code());
        }
        if next.kind == PING && next.flags & ACK == 0 {
            self.send(&frame(PING, ACK, 0, &next.payload)).await;
        }
        Some(next)
    }

    /// Reads up to a frame that fits.
    async fn until(&mut self, fits: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            let next = self.frame().await.expect("the connection ended too early");
            if fits(&next) {
                return next;
            }
        }
    }

    /// Reads until the connection ends; how it was explained.
    async fn end(&mut self) -> Option<u32> {
        while self.frame().await.is_some() {}
        self.goaway
    }
}

fn clear() -> Listener {
    Listener { http2: true, ..plain() }
}

async fn gateway(options: Options) -> (Rig, Upstream) {
    let upstream = Upstream::echo().await;
    (Rig::with(one_service(upstream.address), options, &[clear()]), upstream)
}

#[tokio::test]
async fn settings_allow_128_streams_and_bound_the_header_list() {
    let (rig, _upstream) = gateway(Options::default()).await;
    let mut client = Client::new(&rig, &[]).await;
    let settings = client.until(|frame| frame.kind == SETTINGS && frame.flags & ACK == 0).await;
    let told: Vec<(u16, u32)> = settings
        .payload
        .chunks(6)
        .map(|one| {
            let name = u16::from_be_bytes(one[..2].try_into().unwrap());
            (name, u32::from_be_bytes(one[2..].try_into().unwrap()))
        })
        .collect();
    assert!(told.contains(&(3, 128)), "MAX_CONCURRENT_STREAMS: {told:?}");
    assert!(told.contains(&(6, 32 * 1024)), "MAX_HEADER_LIST_SIZE: {told:?}");
    assert!(told.iter().all(|(name, _)| *name != 8), "no WebSocket over HTTP/2 is offered: {told:?}");
}

#[tokio::test]
async fn a_stream_too_many_is_refused_and_the_others_are_answered() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let upstream = Upstream::script(move |mut stream, _| {
        let held = Arc::clone(&held);
        async move {
            read_message(&mut stream).await;
            // Closed, not opened, by the test.
            let _ = held.acquire().await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").await;
        }
    })
    .await;
    let rig = Rig::with(one_service(upstream.address), Options::default(), &[clear()]);
    let mut client = Client::new(&rig, &[]).await;
    let many: Vec<u8> = (0..129).flat_map(|number| get(2 * number + 1)).collect();
    client.send(&many).await;
    let refused = client.until(|frame| frame.kind == RST_STREAM).await;
    assert_eq!((refused.stream, refused.code()), (257, 7), "REFUSED_STREAM");
    gate.close();
    client.until(|frame| frame.stream == 1 && frame.ends()).await;
}

#[tokio::test]
async fn streams_reset_at_once_end_the_connection() {
    let (rig, upstream) = gateway(Options::default()).await;
    let mut client = Client::new(&rig, &[]).await;
    let mut burst = Vec::new();
    for number in 0..1000 {
        burst.extend(get(2 * number + 1));
        burst.extend(frame(RST_STREAM, 0, 2 * number + 1, &8u32.to_be_bytes()));
    }
    client.send(&burst).await;
    assert!(client.end().await.is_some(), "GOAWAY");
    assert!(upstream.connections() < 100, "{} requests were made for them", upstream.connections());
}

#[tokio::test]
async fn streams_reset_after_they_were_taken_in_end_the_connection() {
    let (rig, upstream) = gateway(Options::default()).await;
    let mut client = Client::new(&rig, &[]).await;
    let mut ended = false;
    for number in 0..500 {
        // The answer to a ping says that what was sent before it has been read.
        client.send(&[get(2 * number + 1), frame(PING, 0, 0, &[0; 8])].concat()).await;
        let mut next = client.frame().await;
        while next.as_ref().is_some_and(|frame| frame.kind != PING || frame.flags & ACK == 0) {
            next = client.frame().await;
        }
        if next.is_none() {
            ended = true;
            break;
        }
        client.send(&frame(RST_STREAM, 0, 2 * number + 1, &8u32.to_be_bytes())).await;
    }
    assert!(ended, "500 resets went unnoticed");
    assert!(upstream.connections() <= 110, "{}", upstream.connections());
}

#[tokio::test]
async fn a_client_that_cancels_now_and_then_is_served() {
    let (rig, _upstream) = gateway(Options::default()).await;
    let mut client = Client::new(&rig, &[]).await;
    for number in 0..150 {
        let stream = 6 * number + 1;
        client.send(&get(stream)).await;
        client.until(|frame| frame.stream == stream && frame.ends()).await;
        client.send(&get(stream + 2)).await;
        client.until(|frame| frame.stream == stream + 2 && frame.ends()).await;
        client.send(&get(stream + 4)).await;
        client.send(&frame(RST_STREAM, 0, stream + 4, &8u32.to_be_bytes())).await;
    }
    client.send(&get(999_999)).await;
    client.until(|frame| frame.stream == 999_999 && frame.ends()).await;
}

#[tokio::test]
async fn a_header_block_without_an_end_ends_the_connection() {
    let (rig, upstream) = gateway(Options::default()).await;
    let mut client = Client::new(&rig, &[]).await;
    let mut flood = frame(HEADERS, END_STREAM, 1, GET);
    for _ in 0..1000 {
        // A field that is indexed nowhere: `x: ` and a hundred letters.
        let mut field = vec![0x00, 1, b'x', 100];
        field.extend([b'y'; 100]);
        flood.extend(frame(CONTINUATION, 0, 1, &field));
    }
    client.send(&flood).await;
    assert_eq!(client.end().await, Some(11), "ENHANCE_YOUR_CALM");
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_header_list_that_is_too_long_is_refused_and_the_connection_goes_on() {
    let (rig, upstream) = gateway(Options::default()).await;
    let mut client = Client::new(&rig, &[]).await;
    // One long field is put into the table and named again and again: few bytes, a long list.
    let mut block = GET.to_vec();
    block.extend([0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
    block.extend([b'y'; 4000]);
    block.extend([0xbe; 10]);
    client.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)).await;
    let answer = client.until(|frame| frame.stream == 1).await;
    assert_eq!(answer.kind, HEADERS, "431");
    client.send(&get(3)).await;
    client.until(|frame| frame.stream == 3 && frame.ends()).await;
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn frames_that_carry_nothing_end_the_connection() {
    for (kind, payload) in [(PING, &[0; 8][..]), (SETTINGS, &[]), (2, &[0, 0, 0, 0, 1]), (0xee, &[])] {
        let (rig, _upstream) = gateway(Options::default()).await;
        let client = Client::new(&rig, &[]).await;
        let stream = if kind == 2 { 3 } else { 0 };
        let flood = frame(kind, 0, stream, payload).repeat(20_000);
        let (mut from, mut to) = client.stream.into_split();
        let sending = tokio::spawn(async move {
            let _ = to.write_all(&flood).await;
            to
        });
        let mut got = Vec::new();
        let _ = soon(from.read_to_end(&mut got)).await;
        drop(soon(sending).await.unwrap());
    }
}

#[tokio::test]
async fn a_connection_is_closed_when_it_has_been_idle_even_if_pings_are_answered() {
    let options = Options { idle_timeout: Duration::from_millis(300), ..Options::default() };
    let (rig, _upstream) = gateway(options).await;
    let mut client = Client::new(&rig, &[]).await;
    client.send(&get(1)).await;
    client.until(|frame| frame.stream == 1 && frame.ends()).await;
    assert_eq!(client.end().await, Some(0), "NO_ERROR");
}

#[tokio::test]
async fn a_connection_is_not_idle_while_a_stream_is_open() {
    let (upstream, arrived, release) = Upstream::held().await;
    let options = Options { idle_timeout: Duration::from_millis(100), ..Options::default() };
    let rig = Rig::with(one_service(upstream.address), options, &[clear()]);
    let mut client = Client::new(&rig, &[]).await;
    client.send(&get(1)).await;
    soon(arrived).await.unwrap();
    // Longer than the connection may be idle.
    let mut other = Client::new(&rig, &[]).await;
    other.send(&get(1)).await;
    assert_eq!(other.end().await, Some(0));
    release.send(()).unwrap();
    client.until(|frame| frame.stream == 1 && frame.ends()).await;
}

#[tokio::test]
async fn a_client_that_says_nothing_or_never_ends_its_head_is_closed() {
    let options = Options { client_timeout: Duration::from_millis(300), ..Options::default() };
    let (rig, _upstream) = gateway(options).await;
    let mut silent = Client::new(&rig, &[]).await;
    assert_eq!(silent.end().await, Some(0));
    let mut slow = Client::new(&rig, &[]).await;
    slow.send(&get(1)).await;
    slow.until(|frame| frame.stream == 1 && frame.ends()).await;
    slow.send(&frame(HEADERS, END_STREAM, 3, GET)).await;
    slow.end().await;
}

#[tokio::test]
async fn a_client_that_makes_no_room_for_an_answer_loses_the_stream() {
    let options = Options { send_timeout: Duration::from_millis(300), ..Options::default() };
    let more = Arc::new(Notify::new());
    let told = Arc::clone(&more);
    let upstream = Upstream::script(move |mut stream, _| {
        let told = Arc::clone(&told);
        async move {
            read_message(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome").await.unwrap();
            told.notified().await;
            stream.write_all(b"more").await.unwrap();
            let _ = stream.read_u8().await;
        }
    })
    .await;
    let rig = Rig::with(one_service(upstream.address), options, &[clear()]);
    // INITIAL_WINDOW_SIZE.
    let mut client = Client::new(&rig, &[(4, 1)]).await;
    client.send(&get(1)).await;
    let first = client.until(|frame| frame.kind == DATA).await;
    assert_eq!(first.payload.len(), 1);
    more.notify_one();
    let reset = client.until(|frame| frame.kind == RST_STREAM).await;
    assert_eq!((reset.stream, reset.code()), (1, 8), "CANCEL");
    // The connection goes on.
    client.send(&frame(PING, 0, 0, b"are you?")).await;
    client.until(|frame| frame.kind == PING && frame.payload == b"are you?").await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut() {
    const LENGTH: usize = 64 * 1024 * 1024;
    let (gone, cut) = tokio::sync::oneshot::channel();
    let gone = std::sync::Mutex::new(Some(gone));
    let upstream = Upstream::script(move |mut stream, _| {
        let gone = gone.lock().unwrap().take();
        async move {
            if read_message(&mut stream).await.is_some() {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
                let _ = stream.write_all(head.as_bytes()).await;
                while stream.write_all(&[b'x'; 64 * 1024]).await.is_ok() {}
                let _ = gone.map(|gone| gone.send(()));
            }
        }
    })
    .await;
    let options = Options { send_timeout: Duration::from_millis(300), ..Options::default() };
    let rig = Rig::with(one_service(upstream.address), options, &[clear()]);
    let mut client = Client::new(&rig, &[(4, 0x7fff_ffff)]).await;
    client.send(&get(1)).await;
    soon(cut).await.unwrap();
}

#[tokio::test]
async fn a_connection_carries_as_many_requests_as_it_may() {
    let (rig, _upstream) = gateway(Options { requests: 3, ..Options::default() }).await;
    let mut client = Client::new(&rig, &[]).await;
    for stream in [1, 3, 5] {
        client.send(&get(stream)).await;
        client.until(|frame| frame.stream == stream && frame.ends()).await;
    }
    assert_eq!(client.end().await, Some(0), "NO_ERROR");
}

#[tokio::test]
async fn a_body_that_stops_arriving_is_given_up() {
    let upstream = Upstream::echo().await;
    let options = Options { body_timeout: Duration::from_millis(300), ..Options::default() };
    let config = service(upstream.address, json!({}), json!({ "paths": ["/"] }));
    let rig = Rig::with(config, options, &[clear()]);
    let mut client = Client::new(&rig, &[]).await;
    client.send(&frame(HEADERS, END_HEADERS, 1, GET)).await;
    let answer = client.until(|frame| frame.stream == 1).await;
    assert_eq!(answer.kind, HEADERS, "408");
    assert_eq!(upstream.connections(), 0);
}
