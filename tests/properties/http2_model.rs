//! HTTP/2 against a model: a strict client, requests whose bodies are consumed or not, and a network that delivers in
//! pieces, in an order that a script of bytes decides.

#[path = "http2_client.rs"]
mod client;

use std::{
    cell::RefCell,
    collections::HashMap,
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
    proxy::http2::harness::{self, ConnectionHarness},
};
use http_body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::client::{Client, MAX_GRANTED, PING, bytes, put};
use super::{GATEWAY, RUNTIME};

/// Actions of a script that have an effect: longer scripts take too long.
const MAX_ACTIONS: usize = 2_000;

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
    probe: ConnectionHarness<Pipe>,
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
        let probe = ConnectionHarness::with_handler(&GATEWAY, pipe, |_, request| {
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
                harness::response(bytes(number, 0, response))
            })
        });
        let client = Client::new();
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
            0 | 1 => {
                if let Some((id, response)) = client.begin(&mut out, a, b) {
                    with(id, |service| service.response = response);
                }
            }
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
