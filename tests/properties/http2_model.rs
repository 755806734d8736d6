//! HTTP/2 against a model: a strict client, requests whose bodies are consumed or not, and a network that delivers in
//! pieces, in an order that a script of bytes decides.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap, VecDeque},
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

use gatewayctl::{
    net::Body,
    proxy::http2::{
        hpack,
        probe::{self, Probe},
    },
};
use http_body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{GATEWAY, RUNTIME};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const MAX_WINDOW: i64 = 0x7fff_ffff;
/// What one connection may have received and not consumed.
const MAX_GRANTED: i64 = 16 * 1024 * 1024;
/// Streams that may be open.
const MAX_STREAMS: usize = 128;
/// Actions of a script that have an effect: longer scripts take too long.
const MAX_ACTIONS: usize = 2_000;

/// The byte of a request's or a response's body at an offset.
fn byte(number: u32, offset: usize) -> u8 {
    (number as usize * 31 + offset * 7 + (offset >> 8) * 13) as u8
}

fn bytes(number: u32, from: usize, count: usize) -> Vec<u8> {
    (from..from + count).map(|offset| byte(number, offset)).collect()
}

/// What happens to a request in the gateway.
#[derive(Default)]
struct Service {
    /// Pieces of the body that may still be taken.
    allowance: usize,
    taken: usize,
    /// Whether the body has come to its end, or failed.
    ended: bool,
    failed: bool,
    /// Bytes of the response, and whether it comes before the body's end.
    response: usize,
    early: bool,
    waker: Option<Waker>,
    /// A body that another task consumes.
    detached: Option<Body>,
    /// Whether the handling of the request was not dropped yet.
    is_alive: bool,
}

impl Service {
    /// Takes pieces as far as allowed. Ready when the response can be given.
    fn poll_body(&mut self, number: u32, body: &mut Body, cx: &mut Context<'_>) -> Poll<()> {
        while !self.ended && !self.failed && self.allowance > 0 {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending => break,
                Poll::Ready(None) => self.ended = true,
                Poll::Ready(Some(Err(_))) => self.failed = true,
                Poll::Ready(Some(Ok(frame))) => {
                    let data = frame.into_data().expect("no trailers are sent");
                    assert_eq!(*data, bytes(number, self.taken, data.len()), "stream of request {number}");
                    self.taken += data.len();
                    self.allowance -= 1;
                }
            }
        }
        self.waker = Some(cx.waker().clone());
        if self.early || self.ended || self.failed { Poll::Ready(()) } else { Poll::Pending }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

thread_local! {
    static SERVICES: RefCell<HashMap<u32, Service>> = RefCell::default();
}

fn with<T>(number: u32, use_it: impl FnOnce(&mut Service) -> T) -> T {
    SERVICES.with_borrow_mut(|services| use_it(services.entry(number).or_default()))
}

/// Notes how long a request is handled.
struct Alive(u32);

impl Alive {
    fn new(number: u32) -> Self {
        with(number, |service| service.is_alive = true);
        Alive(number)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        with(self.0, |service| service.is_alive = false);
    }
}

/// A connection that transports as many bytes as it is allowed to.
#[derive(Default)]
struct Pipe {
    to_gateway: Vec<u8>,
    readable: usize,
    from_gateway: Vec<u8>,
    writable: usize,
    is_closed: bool,
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.readable.min(self.to_gateway.len()).min(buf.remaining());
        if count == 0 {
            return if self.is_closed { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        buf.put_slice(&self.to_gateway[..count]);
        self.to_gateway.drain(..count);
        self.readable -= count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let count = self.writable.min(bytes.len());
        if count == 0 {
            return Poll::Pending;
        }
        self.writable -= count;
        self.from_gateway.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A stream as the client sees it.
struct Stream {
    length: usize,
    sent: usize,
    response: usize,
    received: usize,
    /// What it may send, all that it ever could, and what it lets the gateway send.
    send_window: i64,
    receive_window: i64,
    /// Whether its request and the response have ended, and whether it was reset.
    request_ended: bool,
    has_head: bool,
    response_ended: bool,
    is_reset: bool,
    reset_by_client: bool,
}

impl Stream {
    fn is_open(&self) -> bool {
        !(self.is_reset || self.request_ended && self.response_ended)
    }

    fn sends(&self) -> bool {
        !self.is_reset && !self.request_ended
    }
}

/// The client, and what it knows of the gateway.
struct Client {
    streams: BTreeMap<u32, Stream>,
    next: u32,
    send_window: i64,
    initial_send_window: i64,
    receive_window: i64,
    initial_receive_window: i64,
    /// Changes of the initial window that the gateway has not acknowledged, and the streams that they concern.
    changes: VecDeque<(i64, u32)>,
    resets: u32,
    decoder: hpack::Decoder,
}

fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let [.., a, b, c] = payload.len().to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

impl Client {
    fn open(&self) -> usize {
        self.streams.values().filter(|stream| stream.is_open()).count()
    }

    /// The stream that a byte of the script names: one of the last few.
    fn pick(&mut self, which: u8) -> Option<(u32, &mut Stream)> {
        let back = usize::from(which) % 16;
        let index = self.streams.len().checked_sub(1)?.saturating_sub(back);
        self.streams.iter_mut().nth(index).map(|(&id, stream)| (id, stream))
    }

    fn begin(&mut self, out: &mut Vec<u8>, a: u8, b: u8) {
        if self.open() >= MAX_STREAMS {
            return;
        }
        let id = self.next;
        self.next += 2;
        // From nothing to more than four windows.
        let length = [0, 1, 10, 5_000, 70_000, 300_000][usize::from(a) % 6];
        let response = [0, 1, 100, 20_000, 70_000, 200_000][usize::from(b) % 6];
        with(id, |service| service.response = response);
        let mut block = vec![0x83, 0x86, 0x01, 1, b'a', 0x04];
        let path = format!("/{id}");
        block.push(path.len() as u8);
        block.extend_from_slice(path.as_bytes());
        if a & 0x40 != 0 {
            let length = length.to_string();
            block.extend_from_slice(&[0x0f, 0x0d, length.len() as u8]);
            block.extend_from_slice(length.as_bytes());
        }
        // Another task consumes its body.
        if a & 0x80 != 0 {
            block.extend_from_slice(b"\x00\x08detached\x011");
        }
        if b & 0x80 != 0 {
            block.extend_from_slice(b"\x00\x06expect\x0c100-continue");
        }
        let ends = length == 0 && b & 0x40 != 0;
        put(out, HEADERS, END_HEADERS | u8::from(ends), id, &block);
        let stream = Stream {
            length,
            sent: 0,
            response,
            received: 0,
            send_window: self.initial_send_window,
            receive_window: self.initial_receive_window,
            request_ended: ends,
            has_head: false,
            response_ended: false,
            is_reset: false,
            reset_by_client: false,
        };
        self.streams.insert(id, stream);
    }

    fn send(&mut self, out: &mut Vec<u8>, which: u8, much: usize) {
        let window = self.send_window;
        let Some((id, stream)) = self.pick(which) else { return };
        if !stream.sends() {
            return;
        }
        let allowed = window.min(stream.send_window).max(0) as usize;
        let count = much.min(stream.length - stream.sent).min(allowed).min(16 * 1024);
        let ends = stream.sent + count == stream.length;
        if count == 0 && !ends {
            return;
        }
        put(out, DATA, u8::from(ends), id, &bytes(id, stream.sent, count));
        stream.sent += count;
        stream.send_window -= count as i64;
        stream.request_ended = ends;
        self.send_window -= count as i64;
    }

    fn credit(&mut self, out: &mut Vec<u8>, which: Option<u8>, increment: u32) {
        let window = match which {
            None => (0, &mut self.receive_window),
            Some(which) => match self.pick(which) {
                Some((id, stream)) if !stream.is_reset => (id, &mut stream.receive_window),
                _ => return,
            },
        };
        if *window.1 + i64::from(increment) <= MAX_WINDOW {
            *window.1 += i64::from(increment);
            put(out, WINDOW_UPDATE, 0, window.0, &increment.to_be_bytes());
        }
    }

    /// Makes room for what is to come on a stream.
    fn refill(&mut self, out: &mut Vec<u8>, which: u8) {
        if self.pick(which).is_some_and(|(_, stream)| stream.is_open() && stream.receive_window < 100_000) {
            self.credit(out, Some(which), 100_000);
        }
    }

    fn reset(&mut self, out: &mut Vec<u8>, which: u8) {
        // More may be a flood.
        if self.resets == 50 {
            return;
        }
        let Some((id, stream)) = self.pick(which) else { return };
        if stream.is_open() {
            stream.is_reset = true;
            stream.reset_by_client = true;
            put(out, RST_STREAM, 0, id, &8_u32.to_be_bytes());
            self.resets += 1;
        }
    }

    fn initial_window(&mut self, out: &mut Vec<u8>, window: u32) {
        put(out, SETTINGS, 0, 0, &[&[0, 4][..], &window.to_be_bytes()].concat());
        let more = i64::from(window) - self.initial_receive_window;
        self.initial_receive_window = window.into();
        self.changes.push_back((more, self.next));
    }

    /// Takes in what the gateway has sent, frame by frame. Whether it ended the connection.
    fn receive(&mut self, from: &mut Vec<u8>) -> Option<u32> {
        let mut at = 0;
        while let Some(&[a, b, c, kind, flags, e, f, g, h]) = from[at..].first_chunk() {
            let (length, id) = (u32::from_be_bytes([0, a, b, c]) as usize, u32::from_be_bytes([e, f, g, h]));
            let Some(payload) = from.get(at + 9..at + 9 + length) else { break };
            let payload = payload.to_vec();
            at += 9 + length;
            let number = || u32::from_be_bytes(payload[..4].try_into().expect("a number"));
            match (kind, id) {
                (GOAWAY, 0) => return Some(u32::from_be_bytes(payload[4..8].try_into().expect("a code"))),
                (PING, 0) => {}
                (SETTINGS, 0) => self.settings(flags, &payload),
                (WINDOW_UPDATE, 0) => {
                    assert_ne!(number(), 0);
                    self.send_window += i64::from(number());
                    assert!(self.send_window <= MAX_WINDOW, "the connection's window overflows");
                }
                _ => self.receive_on_stream(kind, flags, id, &payload),
            }
        }
        from.drain(..at);
        let granted: i64 =
            self.streams.values().filter(|stream| stream.sends()).map(|stream| stream.send_window).sum();
        assert!(granted <= MAX_GRANTED, "{granted} bytes are granted together");
        None
    }

    fn settings(&mut self, flags: u8, payload: &[u8]) {
        if flags & ACK != 0 {
            let (more, end) = self.changes.pop_front().expect("settings are acknowledged once");
            self.streams.range_mut(..end).for_each(|(_, stream)| stream.receive_window += more);
            return;
        }
        for setting in payload.chunks(6) {
            if setting[..2] == [0, 4] {
                let window = u32::from_be_bytes(setting[2..].try_into().expect("a value"));
                let more = i64::from(window) - self.initial_send_window;
                self.initial_send_window = window.into();
                self.streams.values_mut().for_each(|stream| stream.send_window += more);
            }
        }
    }

    fn receive_on_stream(&mut self, kind: u8, flags: u8, id: u32, payload: &[u8]) {
        let stream = self.streams.get_mut(&id).expect("a stream that the client began");
        let ends = flags & END_STREAM != 0;
        // The gateway may not know yet that the client has reset a stream.
        let counts = !stream.reset_by_client;
        match kind {
            HEADERS => {
                assert_ne!(flags & END_HEADERS, 0);
                let mut fields = 0;
                self.decoder.decode(payload, |_, _| fields += 1).expect("a block that can be read");
                // An interim response has but a status.
                if fields > 1 {
                    assert!(!stream.has_head || !counts, "one head on stream {id}");
                    stream.has_head = true;
                }
            }
            DATA => {
                self.receive_window -= payload.len() as i64;
                stream.receive_window -= payload.len() as i64;
                assert!(self.receive_window >= 0, "more than the connection's window");
                assert!(
                    stream.receive_window >= 0 || payload.is_empty(),
                    "more than the window of stream {id}"
                );
                assert_eq!(payload, bytes(id, stream.received, payload.len()), "response on stream {id}");
                stream.received += payload.len();
            }
            RST_STREAM => {
                let code = payload[3];
                assert!(code == 0 && stream.response_ended || !counts, "stream {id} is reset with {code}");
                stream.is_reset = true;
            }
            WINDOW_UPDATE => {
                let increment = u32::from_be_bytes(payload.try_into().expect("a number"));
                assert_ne!(increment, 0);
                stream.send_window += i64::from(increment);
                assert!(
                    stream.send_window <= 1024 * 1024,
                    "the window of stream {id}: {}",
                    stream.send_window
                );
            }
            _ => panic!("a frame of kind {kind} on stream {id}"),
        }
        if ends {
            assert!(!stream.response_ended, "stream {id} ends once");
            stream.response_ended = true;
            assert!(
                !counts || stream.received == stream.response,
                "the response on stream {id} is cut short"
            );
        }
    }
}

/// Whether the connection's task was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

/// The model and the gateway side by side.
struct Run {
    probe: Probe<Pipe>,
    woken: Arc<Woken>,
    client: Client,
    ended: bool,
}

impl Run {
    fn new() -> Self {
        SERVICES.with_borrow_mut(HashMap::clear);
        let pipe = Pipe {
            to_gateway: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(),
            ..Pipe::default()
        };
        let probe = Probe::with(&GATEWAY, pipe, |_, request| {
            let number: u32 = request.uri.path()[1..].parse().expect("a number");
            let detached = request.headers.contains_key("detached");
            let mut body = request.body;
            let alive = Alive::new(number);
            if detached {
                with(number, |service| service.detached = Some(std::mem::take(&mut body)));
            }
            Box::pin(async move {
                let _alive = alive;
                poll_fn(|cx| {
                    with(number, |service| {
                        if detached {
                            service.waker = Some(cx.waker().clone());
                            let ends = service.early || service.ended || service.failed;
                            return if ends { Poll::Ready(()) } else { Poll::Pending };
                        }
                        service.poll_body(number, &mut body, cx)
                    })
                })
                .await;
                let response = with(number, |service| service.response);
                probe::response(bytes(number, 0, response))
            })
        });
        let client = Client {
            streams: BTreeMap::new(),
            next: 1,
            send_window: 65_535,
            initial_send_window: 65_535,
            receive_window: 65_535,
            initial_receive_window: 65_535,
            changes: VecDeque::from([(0, 0)]),
            resets: 0,
            decoder: hpack::Decoder::default(),
        };
        Run { probe, woken: Arc::default(), client, ended: false }
    }

    fn turn(&mut self) {
        let waker = Waker::from(Arc::clone(&self.woken));
        let over = self.probe.turn(&mut Context::from_waker(&waker)).is_ready();
        let code = self.client.receive(&mut self.probe.stream().from_gateway);
        assert_eq!(code, None, "a client that keeps to the rules is served");
        self.ended |= over;
    }

    /// Lets the tasks run that consume bodies apart from the connection.
    fn consume(&mut self) {
        let numbers: Vec<u32> = self.client.streams.keys().copied().collect();
        for number in numbers {
            let Some(mut body) = with(number, |service| service.detached.take()) else { continue };
            let mut cx = Context::from_waker(Waker::noop());
            let waker = with(number, |service| service.waker.take());
            let _ = with(number, |service| service.poll_body(number, &mut body, &mut cx));
            with(number, |service| {
                service.waker = waker;
                if service.ended || service.failed {
                    service.wake();
                }
                service.detached = Some(body);
            });
        }
    }

    fn act(&mut self, [what, a, b]: [u8; 3]) {
        let mut out = Vec::new();
        let client = &mut self.client;
        match what % 16 {
            0 | 1 => client.begin(&mut out, a, b),
            2..=4 => client.send(&mut out, a, usize::from(b) * 256 + 1),
            5 => client.credit(&mut out, Some(a), u32::from(b) * 512 + 1),
            6 => client.credit(&mut out, None, u32::from(b) * 1024 + 1),
            7 if b < 40 => client.reset(&mut out, a),
            8 if b < 40 => client.initial_window(&mut out, u32::from(a) * 1024),
            9 => put(&mut out, PING, 0, 0, &[a; 8]),
            10 | 11 => {
                if let Some((id, _)) = client.pick(a) {
                    with(id, |service| {
                        service.allowance += usize::from(b % 8);
                        service.early |= b >= 250;
                        service.wake();
                    });
                }
            }
            12 => self.consume(),
            13 => self.probe.stream().readable += usize::from(a) * usize::from(b) + 1,
            14 => self.probe.stream().writable += usize::from(a) * usize::from(b) + 1,
            _ => self.turn(),
        }
        self.probe.stream().to_gateway.extend(out);
    }

    /// Lets everything come to its end: whatever was held back goes on.
    fn finish(&mut self) {
        for round in 0..10_000 {
            let pipe = self.probe.stream();
            pipe.readable = usize::MAX;
            pipe.writable = usize::MAX;
            let mut out = Vec::new();
            let ids: Vec<u32> = self.client.streams.keys().copied().collect();
            for (back, &id) in ids.iter().rev().enumerate() {
                with(id, |service| {
                    if service.allowance < usize::MAX / 2 {
                        service.allowance = usize::MAX;
                        service.wake();
                    }
                });
                if let Ok(back @ 0..16) = u8::try_from(back) {
                    self.client.send(&mut out, back, usize::MAX);
                    self.client.refill(&mut out, back);
                } else {
                    self.send_older(&mut out, id);
                }
            }
            if self.client.receive_window < 100_000 {
                self.client.credit(&mut out, None, 100_000);
            }
            let has_event = round == 0 || !out.is_empty();
            self.probe.stream().to_gateway.extend(out);
            // From here on the connection runs when its socket has something or when it was woken, as in a runtime.
            if self.woken.0.swap(false, SeqCst) || has_event {
                self.turn();
            }
            self.consume();
            if self.client.open() == 0 {
                break;
            }
        }
        let stuck: Vec<_> =
            self.client.streams.iter().filter(|(_, stream)| stream.is_open()).map(|(id, _)| id).collect();
        assert!(stuck.is_empty(), "streams {stuck:?} do not go on");
        for (&id, stream) in &self.client.streams {
            let (taken, early) = with(id, |service| (service.taken, service.early));
            assert!(stream.is_reset || early || taken == stream.length, "{taken} bytes on stream {id}");
        }
        assert!(self.client.send_window > MAX_GRANTED / 2, "bytes of the connection are not credited");
    }

    fn send_older(&mut self, out: &mut Vec<u8>, id: u32) {
        // The scripts name the last few streams alone, so the others go the long way.
        let mut later = self.client.streams.split_off(&(id + 1));
        self.client.send(out, 0, usize::MAX);
        self.client.refill(out, 0);
        self.client.streams.append(&mut later);
    }
}

/// Whatever the order in which frames, bytes and consumers move, each byte arrives on its own stream, no window is
/// exceeded or lost, and nothing is left of a connection that has gone.
pub fn run(script: &[u8]) {
    let _timers = RUNTIME.enter();
    let mut run = Run::new();
    for action in script.as_chunks().0.iter().take(MAX_ACTIONS) {
        run.act(*action);
    }
    let leaves = script.first().is_some_and(|first| first % 4 == 3);
    if leaves {
        let pipe = run.probe.stream();
        (pipe.readable, pipe.is_closed) = (usize::MAX, true);
        while !run.ended {
            run.turn();
        }
    } else {
        run.finish();
    }
    let ids: Vec<u32> = run.client.streams.keys().copied().collect();
    drop(run);
    for number in ids {
        let (is_alive, body) = with(number, |service| (service.is_alive, service.detached.take()));
        assert!(!is_alive, "request {number} is still handled");
        let Some(mut body) = body else { continue };
        let mut cx = Context::from_waker(Waker::noop());
        let rest = Pin::new(&mut body).poll_frame(&mut cx);
        let ended = matches!(rest, Poll::Ready(None | Some(Err(_))));
        assert!(ended, "the body of request {number} is still open: {rest:?}");
    }
}
