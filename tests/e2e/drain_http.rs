//! What a drain says to clients of HTTP/1 and HTTP/2, frame by frame.

use std::time::Duration;

use gatewayctl::{proxy::Listener, runtime::Options};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::{JoinHandle, spawn_blocking},
};

use crate::rig::*;

fn drain(rig: &mut Rig) -> JoinHandle<usize> {
    let workers = rig.workers();
    spawn_blocking(move || workers.drain(Duration::from_secs(15)))
}

#[tokio::test(flavor = "multi_thread")]
async fn drain_closes_persistent_connections_with_their_next_response() {
    let upstream = Upstream::echo().await;
    let mut rig = Rig::new(one_service(upstream.address));
    let (mut used, mut fresh) = (rig.connect().await, rig.connect().await);
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    used.write_all(request).await.unwrap();
    let (head, _) = read_message(&mut used).await.unwrap();
    assert_eq!(field(&head, "connection"), Some("keep-alive"), "{head}");
    let mut idle = rig.connect().await;
    let drained = drain(&mut rig);
    for stream in [&mut used, &mut fresh] {
        loop {
            stream.write_all(request).await.unwrap();
            let (head, _) = read_message(stream).await.expect("an answer, drain or not");
            assert_eq!(status(&head), 200);
            if field(&head, "connection") == Some("close") {
                break;
            }
        }
        assert_eq!(soon(stream.read(&mut [0; 1])).await.unwrap(), 0, "and closed it is");
    }
    assert_eq!(soon(idle.read(&mut [0; 1])).await.unwrap(), 0, "an idle connection is closed in the end");
    assert_eq!(soon(drained).await.unwrap(), 0, "nothing had to be cut");
}

/// The frames of a connection, read and written by hand (RFC 9113).
struct Frames {
    connection: TcpStream,
    /// Streams that the server has ended.
    ended: Vec<u32>,
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

impl Frames {
    async fn begin(mut stream: TcpStream) -> Frames {
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut frames = Frames { connection: stream, ended: Vec::new() };
        frames.write(SETTINGS, 0, 0, &[]).await;
        frames
    }

    async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.connection.write_all(&frame).await.unwrap();
    }

    /// `GET /` as a whole request: its head from HPACK's static table, and the end of the stream.
    async fn ask(&mut self, stream: u32) {
        self.write(HEADERS, 0x5, stream, &[0x82, 0x84, 0x86, 0x41, 1, b'a']).await;
    }

    /// The next frame of that kind: its flags and payload. None at the end.
    async fn next(&mut self, wanted: u8) -> Option<(u8, Vec<u8>)> {
        loop {
            let mut head = [0; 9];
            soon(self.connection.read_exact(&mut head)).await.ok()?;
            let [a, b, c, kind, flags, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            soon(self.connection.read_exact(&mut payload)).await.unwrap();
            if matches!(kind, HEADERS | DATA) && flags & 1 == 1 {
                self.ended.push(u32::from_be_bytes(stream));
            }
            if kind == wanted {
                return Some((flags, payload));
            }
        }
    }

    /// The last stream and the error that the next GOAWAY names.
    async fn goaway(&mut self) -> (u32, u32) {
        let (_, payload) = self.next(GOAWAY).await.expect("a GOAWAY");
        let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
        (number(0), number(4))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drain_sends_two_goaways_and_loses_no_http2_request_between_them() {
    let (upstream, arrived, release) = Upstream::held().await;
    let listener = Listener { http2: true, ..plain() };
    let mut rig = Rig::with(one_service(upstream.address), Options::default(), &[listener]);
    let mut client = Frames::begin(rig.connect().await).await;
    client.ask(1).await;
    soon(arrived).await.unwrap();
    let drained = drain(&mut rig);
    assert_eq!(client.goaway().await, (0x7fff_ffff, 0), "first: whatever is under way will be served");
    let (flags, ping) = client.next(PING).await.expect("a PING");
    assert_eq!(flags, 0);
    // Sent before the client could have known: served all the same.
    client.ask(3).await;
    client.write(PING, 1, 0, &ping).await;
    assert_eq!(client.goaway().await, (3, 0), "second: what will be served, exactly");
    release.send(()).unwrap();
    assert_eq!(client.next(GOAWAY).await, None, "the connection is closed");
    client.ended.sort_unstable();
    assert_eq!(client.ended, [1, 3], "both have been answered");
    assert_eq!(soon(drained).await.unwrap(), 0, "nothing had to be cut");
}
