//! HTTP/2 frame by frame: what clients get away with, and what they do not.

use std::{sync::Arc, time::Duration};

use gatewayctl::runtime::Options;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Notify, Semaphore},
};

use crate::{frames::*, rig::*};

async fn gateway(options: Options) -> (Rig, Upstream) {
    let upstream = Upstream::echo().await;
    (Rig::with(one_service(upstream.address), options, &[clear()]), upstream)
}

#[tokio::test]
async fn settings_allow_128_streams_and_bound_the_header_list() {
    let (rig, _upstream) = gateway(Options::default()).await;
    let mut client = Client::new(&rig, &[]).await;
    let settings = client.until(|frame| frame.kind == SETTINGS && frame.flags & ACK == 0).await;
    let received: Vec<(u16, u32)> = settings
        .payload
        .chunks(6)
        .map(|one| {
            let name = u16::from_be_bytes(one[..2].try_into().unwrap());
            (name, u32::from_be_bytes(one[2..].try_into().unwrap()))
        })
        .collect();
    assert!(received.contains(&(3, 128)), "MAX_CONCURRENT_STREAMS: {received:?}");
    assert!(received.contains(&(6, 32 * 1024)), "MAX_HEADER_LIST_SIZE: {received:?}");
    assert!(received.iter().all(|(name, _)| *name != 8), "no WebSocket over HTTP/2 is offered: {received:?}");
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
    // On a busy machine a new counting window may start in between.
    assert!(upstream.connections() <= 250, "{}", upstream.connections());
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

/// Sends the bytes repeatedly while it reads, and returns the code with which the connection ends. `None` if it stays
/// open.
async fn flood(client: Client, bytes: Vec<u8>, times: usize) -> Option<u32> {
    let (mut from, mut to) = client.stream.into_split();
    let sending = tokio::spawn(async move {
        for _ in 0..times {
            if to.write_all(&bytes).await.is_err() {
                break;
            }
        }
        // Answered after all that came before it.
        let _ = to.write_all(&frame(PING, 0, 0, b"the end!")).await;
        to
    });
    let mut code = None;
    loop {
        let mut head = [0; 9];
        if soon(from.read_exact(&mut head)).await.is_err() {
            break;
        }
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        if soon(from.read_exact(&mut payload)).await.is_err() || payload == b"the end!" {
            break;
        }
        if head[3] == GOAWAY {
            code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
    }
    drop(soon(sending).await.unwrap());
    code
}

#[tokio::test]
async fn frames_that_only_cost_end_the_connection_whatever_their_size() {
    let entry = [0, 4, 0, 0, 0xff, 0xff];
    // A field of 3,900 bytes that enters the table, and 10,000 references to it.
    let mut bomb = GET.to_vec();
    bomb.extend([0x40, 1, b'x', 0x7f, 0xbd, 0x1d]);
    bomb.extend([b'y'; 3900]);
    bomb.extend([0xbe; 10_000]);
    let bombs = |count: u32| -> Vec<u8> {
        (0..count).flat_map(|at| frame(HEADERS, END_STREAM | END_HEADERS, 2 * at + 1, &bomb)).collect()
    };
    for (what, bytes, times) in [
        ("settings of 16 KiB", frame(SETTINGS, 0, 0, &entry.repeat(2730)), 200),
        ("frames of 16 KiB that mean nothing", frame(0xee, 0, 0, &[0; 16_384]), 200),
        ("receipts of pings", frame(PING, ACK, 0, &[0; 8]), 20_000),
        ("header lists that are too long", bombs(100), 1),
    ] {
        let (rig, upstream) = gateway(Options::default()).await;
        let client = Client::new(&rig, &[]).await;
        assert_eq!(flood(client, bytes, times).await, Some(11), "ENHANCE_YOUR_CALM: {what}");
        assert_eq!(upstream.connections(), 0);
    }
}

#[tokio::test]
async fn small_messages_are_no_flood() {
    let upstream = Upstream::script(|mut stream, _| async move {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all).await;
    })
    .await;
    let config = service(upstream.address, json!({}), json!({ "paths": ["/"], "request_buffering": false }));
    let rig = Rig::with(config, Options::default(), &[clear()]);
    let mut client = Client::new(&rig, &[]).await;
    client.send(&frame(HEADERS, END_HEADERS, 1, GET)).await;
    let (mut window, mut left) = (64 * 1024, 30_000);
    while left > 0 {
        let count = (window / 10).min(left);
        left -= count;
        window -= 10 * count;
        client.send(&frame(DATA, 0, 1, b"10 letters").repeat(count)).await;
        if left > 0 {
            let credit = client.until(|frame| frame.kind == WINDOW_UPDATE && frame.stream == 1).await;
            window += u32::from_be_bytes(credit.payload[..4].try_into().unwrap()) as usize;
        }
    }
    client.send(&frame(PING, 0, 0, b"are you?")).await;
    client.until(|frame| frame.kind == PING && frame.payload == b"are you?").await;
}

#[tokio::test]
async fn data_on_a_stream_that_was_reset_is_a_flood_once_the_client_must_know() {
    let (rig, _upstream) = gateway(Options::default()).await;
    let mut client = Client::new(&rig, &[]).await;
    // Malformed: more than its length.
    let head = [GET, &[0x0f, 0x0d, 1, b'1']].concat();
    client.send(&frame(HEADERS, END_HEADERS, 1, &head)).await;
    client.send(&frame(DATA, 0, 1, b"12")).await;
    client.until(|frame| frame.kind == RST_STREAM).await;
    // What the stream's window allowed is taken and forgotten, in whatever pieces.
    client.send(&frame(DATA, 0, 1, b"x").repeat(20_000)).await;
    client.send(&frame(PING, 0, 0, b"are you?")).await;
    client.until(|frame| frame.kind == PING && frame.payload == b"are you?").await;
    assert_eq!(flood(client, frame(DATA, 0, 1, b"x").repeat(1000), 100).await, Some(11), "ENHANCE_YOUR_CALM");
}

#[tokio::test]
async fn pings_keep_an_idle_connection_open_for_as_long_as_with_nginx() {
    let options = Options {
        idle_timeout: Duration::from_millis(400),
        max_requests_per_connection: 3,
        ..Options::default()
    };
    let (rig, _upstream) = gateway(options).await;
    let mut client = Client::new(&rig, &[]).await;
    client.send(&get(1)).await;
    client.until(|frame| frame.stream == 1 && frame.ends()).await;
    let (mut from, mut to) = client.stream.into_split();
    let pinging = tokio::spawn(async move {
        while to.write_all(&frame(PING, 0, 0, &[0; 8])).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let begun = std::time::Instant::now();
    let mut all = Vec::new();
    let _ = soon(from.read_to_end(&mut all)).await;
    // Thirty of them, and the timeout.
    assert!(begun.elapsed() > Duration::from_millis(1500), "{:?}", begun.elapsed());
    soon(pinging).await.unwrap();
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
    let options = Options { header_timeout: Duration::from_millis(300), ..Options::default() };
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
    let notify = Arc::clone(&more);
    let upstream = Upstream::script(move |mut stream, _| {
        let notify = Arc::clone(&notify);
        async move {
            read_message(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome").await.unwrap();
            notify.notified().await;
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
async fn streams_whose_client_makes_no_room_are_reset_beyond_the_memory_for_them() {
    let upstream = Upstream::script(|mut stream, _| async move {
        while read_message(&mut stream).await.is_some() {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n";
            stream.write_all(&[head.as_bytes(), &[b'x'; 30_000]].concat()).await.unwrap();
        }
    })
    .await;
    let options = Options { max_buffered_bytes: 200_000, ..Options::default() };
    let rig = Rig::with(one_service(upstream.address), options, &[clear()]);
    let mut client = Client::new(&rig, &[(4, 0)]).await;
    for stream in 0..20 {
        client.send(&get(2 * stream + 1)).await;
    }
    let reset = client.until(|frame| frame.kind == RST_STREAM).await;
    assert_eq!(reset.code(), 11, "ENHANCE_YOUR_CALM");
    assert!(rig.gateway.memory.used_bytes() <= 200_000);
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
    let (rig, _upstream) = gateway(Options { max_requests_per_connection: 3, ..Options::default() }).await;
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
