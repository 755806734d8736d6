//! Requests and responses that cross each other: early responses, stalled and broken bodies, and what becomes of the
//! upstream's connection then.

use std::{sync::Arc, time::Duration};

use gatewayctl::runtime::Options;
use parking_lot::Mutex;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, mpsc, oneshot},
    time::timeout,
};

use crate::rig::*;

/// More than the socket buffers of both sides hold.
const LONG: usize = 24 << 20;

/// All that still comes on a connection.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let (mut piece, mut all) = (vec![0; 64 * 1024], Vec::new());
    while let Ok(count @ 1..) = stream.read(&mut piece).await {
        all.extend_from_slice(&piece[..count]);
    }
    all
}

async fn status_of(client: &mut TcpStream) -> u16 {
    status(&read_head(client).await.expect("a response"))
}

/// A client that sends a request's head and so much of its body.
async fn begun(rig: &Rig, head: &str, body: &[u8]) -> TcpStream {
    let mut client = rig.connect().await;
    client.write_all(format!("POST / HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n").as_bytes()).await.unwrap();
    client.write_all(body).await.unwrap();
    client
}

#[tokio::test]
async fn a_connection_with_a_body_unsent_carries_no_other_request() {
    let (recorded, mut record) = mpsc::unbounded_channel();
    let go = Arc::new(Notify::new());
    let upstream = Upstream::script({
        let go = Arc::clone(&go);
        move |mut stream, number| {
            let (recorded, go) = (recorded.clone(), Arc::clone(&go));
            async move {
                if number > 0 {
                    read_message(&mut stream).await;
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                    return;
                }
                read_head(&mut stream).await.unwrap();
                stream.write_all(b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
                go.notified().await;
                recorded.send(rest(&mut stream).await).unwrap();
            }
        }
    })
    .await;
    let rig = Rig::new(one_service(upstream.address));
    let mut client = begun(&rig, &format!("Content-Length: {LONG}"), &vec![b'A'; LONG]).await;
    let (refused, _) = read_message(&mut client).await.unwrap();
    assert_eq!(status(&refused), 401);
    client.write_all(b"GET /victim HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(status_of(&mut client).await, 200);
    go.notify_one();
    let record = soon(record.recv()).await.unwrap();
    assert!(record.iter().all(|&byte| byte == b'A'), "a part of the body alone");
}

#[tokio::test]
async fn a_held_body_goes_on_after_the_response_has_begun() {
    let upstream = Upstream::script(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n").await.unwrap();
        soon(stream.read_exact(&mut vec![0; 3_000_000])).await.unwrap();
        stream.write_all(b"done").await.unwrap();
        // The next request comes on the same connection.
        read_message(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 204 None\r\n\r\n").await.unwrap();
    })
    .await;
    let rig = Rig::new(one_service(upstream.address));
    let body = [&b"2dc6c0\r\n"[..], &vec![b'A'; 3_000_000], b"\r\n0\r\n\r\n"].concat();
    let mut client = begun(&rig, "Transfer-Encoding: chunked", &body).await;
    assert_eq!(read_message(&mut client).await.expect("a response").1, "done");
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(status_of(&mut client).await, 204);
    assert_eq!(upstream.connections(), 1);
}

/// An upstream that reads `count` connections to their end and sends a message when each has ended.
async fn watched() -> (Upstream, mpsc::UnboundedReceiver<usize>) {
    let (ended, ends) = mpsc::unbounded_channel();
    let upstream = Upstream::script(move |mut stream, _| {
        let ended = ended.clone();
        async move {
            ended.send(rest(&mut stream).await.len()).unwrap();
        }
    })
    .await;
    (upstream, ends)
}

#[tokio::test]
async fn a_client_that_stops_in_a_streamed_body_is_given_up() {
    let (upstream, mut ends) = watched().await;
    // Longer than the timeout of the client's body: it is the client that is waited for.
    let service = service(
        upstream.address,
        json!({ "write_timeout": 60_000 }),
        json!({ "paths": ["/"], "request_buffering": false }),
    );
    let options = Options { body_timeout: Duration::from_millis(300), ..Options::default() };
    let rig = Rig::with(service, options, &[plain()]);
    for head in ["Content-Length: 1000", "Transfer-Encoding: chunked"] {
        let mut client = begun(&rig, head, b"5\r\nabcde\r\n").await;
        assert_eq!(status_of(&mut client).await, 408);
        assert!(soon(ends.recv()).await.unwrap() > 100, "the upstream had the head");
    }
}

#[tokio::test]
async fn an_upstream_that_takes_no_body_is_given_up_after_the_write_timeout() {
    for buffered in [true, false] {
        let upstream = Upstream::script(|mut stream, _| async move {
            read_head(&mut stream).await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        let timeouts = json!({ "write_timeout": 300, "read_timeout": 60_000, "retries": 0 });
        let route = json!({ "paths": ["/"], "request_buffering": buffered });
        let rig = Rig::new(service(upstream.address, timeouts, route));
        let mut client = rig.connect().await;
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {LONG}\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        let (mut read, mut write) = client.into_split();
        let sending = tokio::spawn(async move { write.write_all(&vec![b'x'; LONG]).await.map(|()| write) });
        let mut head = vec![0; 12];
        soon(read.read_exact(&mut head)).await.unwrap();
        assert_eq!(head, b"HTTP/1.1 504", "{buffered}");
        drop(soon(sending).await.unwrap());
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_respond_is_given_up_after_one_read_timeout() {
    for buffered in [true, false] {
        let upstream = Upstream::script(|mut stream, _| async move {
            read_message(&mut stream).await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        let timeouts = json!({ "write_timeout": 400, "read_timeout": 700, "retries": 0 });
        let route = json!({ "paths": ["/"], "request_buffering": buffered });
        let rig = Rig::new(service(upstream.address, timeouts, route));
        let mut client = begun(&rig, "Content-Length: 4", b"body").await;
        assert_eq!(status_of(&mut client).await, 504);
    }
}

#[tokio::test]
async fn interim_responses_move_no_deadline() {
    let upstream = Upstream::script(|mut stream, _| async move {
        read_message(&mut stream).await.unwrap();
        while stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let timeouts = json!({ "read_timeout": 300, "retries": 0 });
    let rig = Rig::new(service(upstream.address, timeouts, json!({ "paths": ["/"] })));
    let mut client = begun(&rig, "Content-Length: 0", b"").await;
    assert_eq!(status_of(&mut client).await, 504);
}

#[tokio::test]
async fn a_body_that_fails_closes_the_upstream_and_is_answered() {
    let (upstream, mut ends) = watched().await;
    let route = json!({ "paths": ["/"], "request_buffering": false });
    let options = Options { max_body: 1000, ..Options::default() };
    let rig = Rig::with(service(upstream.address, json!({}), route), options, &[plain()]);
    for (body, answer) in
        [("5\r\nabcdeX", 400), ("zz\r\n", 400), (&*format!("7d0\r\n{}", "x".repeat(2000)), 413)]
    {
        let mut client = begun(&rig, "Transfer-Encoding: chunked", b"3\r\nabc\r\n").await;
        // The head has reached the upstream.
        soon(async {
            while upstream.connections() == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        client.write_all(body.as_bytes()).await.unwrap();
        assert_eq!(status_of(&mut client).await, answer, "{body:.20}");
        soon(ends.recv()).await.unwrap();
    }
    // A client that leaves, politely or not.
    for linger in [None, Some(Duration::ZERO)] {
        let client = begun(&rig, "Content-Length: 900", b"abc").await;
        soon(async {
            while upstream.connections() < 4 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        socket2::SockRef::from(&client).set_linger(linger).unwrap();
        drop(client);
        soon(ends.recv()).await.unwrap();
    }
}

#[tokio::test]
async fn a_body_that_fails_after_the_response_has_begun_cuts_it_off() {
    let (ended, end) = oneshot::channel();
    let ended = Mutex::new(Some(ended));
    let upstream = Upstream::script(move |mut stream, _| {
        let ended = ended.lock().take();
        async move {
            read_head(&mut stream).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun").await.unwrap();
            rest(&mut stream).await;
            let _ = ended.map(|ended| ended.send(()));
        }
    })
    .await;
    let rig =
        Rig::new(service(upstream.address, json!({}), json!({ "paths": ["/"], "request_buffering": false })));
    let mut client = begun(&rig, "Transfer-Encoding: chunked", b"3\r\nabc\r\n").await;
    assert_eq!(status_of(&mut client).await, 200);
    client.write_all(b"no chunk\r\n").await.unwrap();
    assert_eq!(soon(rest(&mut client)).await, b"begun");
    soon(end).await.unwrap();
}

#[tokio::test]
async fn a_client_that_sends_all_before_it_reads_gets_an_early_response() {
    // From the gateway itself, and from an upstream that closes; short, and longer than socket buffers are.
    let long = "x".repeat(LONG / 2);
    let upstream = Upstream::script(move |mut stream, number| {
        let long = long.clone();
        async move {
            read_head(&mut stream).await.unwrap();
            let body = if number == 0 { "no" } else { &long };
            let head =
                format!("HTTP/1.1 401 No\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            let _ = stream.write_all(body.as_bytes()).await;
            let _ = stream.shutdown().await;
            rest(&mut stream).await;
        }
    })
    .await;
    let served = Rig::new(one_service(upstream.address));
    let unserved = Rig::new(json!({}));
    for (rig, answer, length) in [(&served, 401, 2), (&served, 401, LONG / 2), (&unserved, 404, 0)] {
        let mut client = begun(rig, &format!("Content-Length: {LONG}"), b"").await;
        soon(client.write_all(&vec![b'x'; LONG])).await.unwrap();
        let (head, body) = read_message(&mut client).await.expect("a whole response");
        assert_eq!(status(&head), answer);
        assert!(length == 0 || body.len() == length, "{} of {length}", body.len());
    }
}

/// Connections to that port that neither side has closed.
#[cfg(target_os = "linux")]
fn established(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let remote = format!("0100007F:{port:04X} 01 ");
    table.lines().filter(|line| line.contains(&remote)).count()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_resets_while_its_body_waits_for_the_upstream_is_noticed() {
    let upstream = Upstream::script(|mut stream, _| async move {
        read_head(&mut stream).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let rig = Rig::new(one_service(upstream.address));
    let mut client = begun(&rig, &format!("Content-Length: {LONG}"), b"").await;
    // Until the sockets' buffers are full.
    while timeout(Duration::from_millis(300), client.write_all(&[b'x'; 64 * 1024])).await.is_ok() {}
    assert_eq!(established(upstream.address.port()), 1);
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    soon(async {
        while established(upstream.address.port()) > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}
