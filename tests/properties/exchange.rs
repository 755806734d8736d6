//! Models of a connection's two ends. Towards an upstream: requests and responses that cross each other in any order, held
//! against an upstream that records each byte. Towards a client: requests that arrive and responses that leave in any
//! pieces, held against what the client sent.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt,
    future::Future as _,
    io,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use gatewayctl::{
    net::{Body, BodyError, ConnectionBudget, ExchangeProgress, Http1, ReadinessState, RequestBody},
    proxy::http1::harness,
    runtime::Gateway,
};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Decisions, drawn from bytes; zero when there are no more.
pub struct Dice<'a>(pub &'a [u8]);

impl Dice<'_> {
    pub fn next(&mut self) -> u8 {
        let (&first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        first
    }

    pub fn below(&mut self, bound: u8) -> u8 {
        self.next() % bound
    }
}

/// The other end of a connection.
#[derive(Debug, Default)]
struct Peer {
    /// Bytes that it takes before it makes the gateway wait.
    capacity: usize,
    recorded: Vec<u8>,
    sent: VecDeque<u8>,
    has_closed: bool,
    has_reset: bool,
}

#[derive(Clone, Debug, Default)]
struct Pipe(Rc<RefCell<Peer>>);

impl ReadinessState for Pipe {}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut peer = self.0.borrow_mut();
        if peer.has_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if peer.sent.is_empty() {
            return if peer.has_closed { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        let count = peer.sent.len().min(buf.remaining());
        let bytes: Vec<u8> = peer.sent.drain(..count).collect();
        buf.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut peer = self.0.borrow_mut();
        if peer.has_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let count = bytes.len().min(peer.capacity);
        if count == 0 {
            return Poll::Pending;
        }
        peer.capacity -= count;
        peer.recorded.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The client's end of a request's body.
#[derive(Debug, Default)]
struct Source {
    pieces: VecDeque<Bytes>,
    /// Bytes that the client has not sent.
    unsent: usize,
    has_failed: bool,
}

impl Source {
    fn send(&mut self, byte: u8, length: usize) {
        let length = length.min(self.unsent);
        self.unsent -= length;
        self.pieces.push_back(Bytes::from(vec![byte; length]));
    }
}

struct Incoming {
    source: Rc<RefCell<Source>>,
    budget: ConnectionBudget,
}

impl RequestBody for Incoming {
    fn budget(&self) -> &ConnectionBudget {
        &self.budget
    }
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut source = self.source.borrow_mut();
        match source.pieces.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None if source.has_failed => Poll::Ready(Some(Err(BodyError::Stalled))),
            None if source.unsent == 0 => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// A request, and what its upstream is going to respond.
struct Exchange {
    /// All bytes of the request's body are this one.
    byte: u8,
    length: usize,
    is_chunked: bool,
    is_held: bool,
    response: Vec<u8>,
    response_length: usize,
    /// Whether the response leaves the connection open.
    keeps: bool,
    /// Whether bytes follow that nothing has asked for.
    has_excess: bool,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.response.windows(5).position(|bytes| bytes == b"rrrrr").unwrap_or(self.response.len());
        let framing = if self.is_held { "held" } else { "streamed" };
        let response = self.response[..end].escape_ascii();
        write!(f, "{framing} {:?}, response {response} of {} bytes", self.head(), self.response_length)
    }
}

impl Exchange {
    fn draw(dice: &mut Dice<'_>, number: u8) -> Self {
        let length = match dice.below(4) {
            0 => 0,
            1 => dice.next().into(),
            2 => usize::from(dice.next()) * 40,
            _ => usize::from(dice.next()) * 1000,
        };
        let (is_chunked, is_held) = (dice.below(2) == 0, length == 0 || dice.below(3) == 0);
        let status = [200, 200, 204, 401, 500][usize::from(dice.below(5))];
        let mut response_length = if status == 204 { 0 } else { usize::from(dice.next()) * 30 };
        let body = vec![b'r'; response_length];
        let mut response = match dice.below(4) {
            0 => b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n".to_vec(),
            _ => Vec::new(),
        };
        response.extend_from_slice(format!("HTTP/1.1 {status} Some\r\n").as_bytes());
        let framing = dice.below(4);
        let close = if dice.below(4) == 0 { "Connection: close\r\n" } else { "" };
        let mut keeps = close.is_empty();
        match framing {
            _ if status == 204 => response.extend_from_slice(format!("{close}\r\n").as_bytes()),
            0 => {
                response.extend_from_slice(format!("{close}Transfer-Encoding: chunked\r\n\r\n").as_bytes());
                for chunk in body.chunks(usize::from(dice.next()).max(1)) {
                    response.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    response.extend_from_slice(chunk);
                    response.extend_from_slice(b"\r\n");
                }
                response.extend_from_slice(if dice.below(3) == 0 {
                    b"0\r\nX: y\r\n\r\n"
                } else {
                    b"0\r\n\r\n"
                });
            }
            1 => {
                // Ended by closing; the model does not close before all has been read.
                response.extend_from_slice(b"\r\n");
                response.extend_from_slice(&body);
                keeps = false;
            }
            _ => {
                response.extend_from_slice(
                    format!("{close}Content-Length: {response_length}\r\n\r\n").as_bytes(),
                );
                response.extend_from_slice(&body);
            }
        }
        let has_excess = dice.below(8) == 0;
        if has_excess {
            const EXCESS: &[u8] = b"HTTP/1.1 200 Unasked\r\n\r\n";
            response.extend_from_slice(EXCESS);
            if framing == 1 && status != 204 {
                response_length += EXCESS.len();
            }
        }
        let byte = b'A' + number % 26;
        Exchange { byte, length, is_chunked, is_held, response, response_length, keeps, has_excess }
    }

    fn head(&self) -> String {
        let framing = match self.is_chunked && !self.is_held {
            true => "Transfer-Encoding: chunked".to_owned(),
            false => format!("Content-Length: {}", self.length),
        };
        format!("POST /{} HTTP/1.1\r\n{framing}\r\n\r\n", self.byte as char)
    }
}

/// How an exchange ended.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// With a whole response.
    Whole,
    /// With an error.
    Failed,
}

/// Any sequence of partial writes, early responses, resets and reuse: an upstream gets whole requests, one after another,
/// and a part of one at most as the last thing on a connection; no exchange stalls; and polls alone move no deadline.
pub fn upstream(script: &[u8]) {
    let mut dice = Dice(script);
    let mut number = 0;
    for _ in 0..3 {
        let pipe = Pipe::default();
        let mut http1 = Http1::new(pipe.clone());
        let mut exchanges = Vec::new();
        for _ in 0..4 {
            exchanges.push(Exchange::draw(&mut dice, number));
            number += 1;
            let exchange = exchanges.last().expect("it was pushed just now");
            let (outcome, disturbed) = run(&mut http1, &pipe, &mut dice, exchange);
            let whole = check(&pipe.0.borrow().recorded, &exchanges);
            let reusable = http1.is_reusable();
            assert!(
                !reusable || whole,
                "a connection is reused whose request was not written: {exchanges:?}"
            );
            let unread = !pipe.0.borrow().sent.is_empty();
            assert!(!reusable || exchange.keeps, "{exchange:?}");
            let orderly =
                whole && outcome == Outcome::Whole && !disturbed && exchange.keeps && !exchange.has_excess;
            assert!(reusable || !orderly, "a connection in order is closed: {exchange:?}");
            // As the pool does before it hands one out: bytes that nothing asked for are found then.
            let closed = http1.is_closed();
            assert!(closed || !unread, "bytes are left for the next exchange: {exchange:?}");
            if !reusable || closed {
                break;
            }
        }
    }
}

/// Runs one exchange; how it ended, and whether the upstream or the client disturbed it.
fn run(http1: &mut Http1<Pipe>, pipe: &Pipe, dice: &mut Dice<'_>, exchange: &Exchange) -> (Outcome, bool) {
    let mut cx = Context::from_waker(Waker::noop());
    let source = Rc::new(RefCell::new(Source { unsent: exchange.length, ..Source::default() }));
    let body = match exchange.is_held {
        true => Body::from_bytes(vec![exchange.byte; exchange.length]),
        false => Body::Stream(Box::new(Incoming {
            source: Rc::clone(&source),
            budget: ConnectionBudget::unlimited(),
        })),
    };
    http1.head().extend_from_slice(exchange.head().as_bytes());
    http1.send_request(body, exchange.is_chunked && !exchange.is_held, false, false);
    let mut unsent = &exchange.response[..];
    let (mut has_head, mut received, mut disturbed) = (false, 0, false);
    let mut last: Option<ExchangeProgress> = None;
    let mut idle_turns = 0;
    loop {
        let scripted = !dice.0.is_empty();
        let mut peer = pipe.0.borrow_mut();
        match dice.below(16) {
            _ if !scripted => {
                peer.capacity = usize::MAX;
                peer.sent.extend(std::mem::take(&mut unsent));
                source.borrow_mut().send(exchange.byte, usize::MAX);
                // The end of a response that has no other.
                peer.has_closed |= !exchange.keeps && peer.sent.is_empty();
            }
            0..4 => peer.capacity = usize::from(dice.next()) * 300,
            4..8 => {
                let (here, rest) = unsent.split_at(unsent.len().min(usize::from(dice.next()) * 20));
                peer.sent.extend(here);
                unsent = rest;
            }
            8..12 => {
                let length = usize::from(dice.next()) * 100;
                source.borrow_mut().send(exchange.byte, length);
            }
            12 if dice.below(8) == 0 => {
                peer.has_reset = true;
                disturbed = true;
            }
            13 if dice.below(8) == 0 => {
                peer.has_closed = true;
                disturbed = true;
            }
            14 if dice.below(8) == 0 && !exchange.is_held => {
                source.borrow_mut().has_failed = true;
                disturbed = true;
            }
            _ => {}
        }
        drop(peer);
        loop {
            let polled = match has_head {
                false => http1.poll_response(&mut cx).map(|head| Some(head.map(|_| None).map_err(drop))),
                true => {
                    http1.poll_frame(&mut cx).map(|frame| frame.map(|frame| frame.map(Some).map_err(drop)))
                }
            };
            match polled {
                Poll::Pending => break,
                Poll::Ready(Some(Err(()))) => return (Outcome::Failed, disturbed),
                Poll::Ready(Some(Ok(None))) => has_head = true,
                Poll::Ready(Some(Ok(Some(frame)))) => received += frame.data_ref().map_or(0, Bytes::len),
                Poll::Ready(None) => {}
            }
            if has_head && http1.is_end_stream() {
                if !disturbed {
                    assert_eq!(received, exchange.response_length, "{exchange:?}");
                }
                return (Outcome::Whole, disturbed);
            }
        }
        let progress = http1.progress();
        let again = match has_head {
            false => http1.poll_response(&mut cx).is_pending(),
            true => http1.poll_frame(&mut cx).is_pending(),
        };
        assert!(again, "something was left to do");
        assert_eq!(http1.progress(), progress, "a poll moved a deadline");
        idle_turns = if last == Some(progress) && !scripted { idle_turns + 1 } else { 0 };
        last = Some(progress);
        assert!(idle_turns < 4, "it stalls: {progress:?} of {exchange:?}");
    }
}

/// Holds what was recorded against the requests that were begun: all but the last have arrived whole, and of that one a
/// part. Whether it has arrived whole, too.
fn check(mut recorded: &[u8], exchanges: &[Exchange]) -> bool {
    for (at, exchange) in exchanges.iter().enumerate() {
        let is_last = at + 1 == exchanges.len();
        let head = exchange.head();
        let Some(rest) = recorded.strip_prefix(head.as_bytes()) else {
            assert!(is_last && head.as_bytes().starts_with(recorded), "{}", recorded.escape_ascii());
            return false;
        };
        let chunked = exchange.is_chunked && !exchange.is_held;
        let end = if chunked { chunks(rest, exchange) } else { plain(rest, exchange) };
        match end {
            Some(rest) => recorded = rest,
            None => {
                assert!(is_last, "another request follows a part of {exchange:?}");
                return false;
            }
        }
    }
    assert!(recorded.is_empty(), "more than was asked: {}", recorded.escape_ascii());
    true
}

/// What follows a body of known length; `None` if not all of it is there.
fn plain<'a>(bytes: &'a [u8], exchange: &Exchange) -> Option<&'a [u8]> {
    let (body, rest) = bytes.split_at(bytes.len().min(exchange.length));
    assert!(body.iter().all(|&byte| byte == exchange.byte), "{exchange:?} is mixed with another request");
    (body.len() == exchange.length).then_some(rest)
}

/// The same for a body in chunks.
fn chunks<'a>(mut bytes: &'a [u8], exchange: &Exchange) -> Option<&'a [u8]> {
    let mut length = 0;
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n")?;
        let size =
            std::str::from_utf8(&bytes[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.unwrap_or_else(|| panic!("no chunk: {}", bytes[..end].escape_ascii()));
        bytes = &bytes[end + 2..];
        let (data, rest) = bytes.split_at(bytes.len().min(size));
        assert!(data.iter().all(|&byte| byte == exchange.byte), "{exchange:?} is mixed with another request");
        length += data.len();
        if rest.len() < 2 {
            assert!(b"\r\n".starts_with(rest));
            return None;
        }
        bytes = rest.strip_prefix(b"\r\n").expect("a chunk ends with its line");
        if size == 0 {
            assert_eq!(length, exchange.length, "a body ends cleanly that was not sent whole");
            return Some(bytes);
        }
    }
}

/// A request as a client sends it.
struct Sent {
    path: &'static str,
    byte: u8,
    length: usize,
    expects: bool,
    /// Whether it is the last one that is answered.
    closes: bool,
}

impl Sent {
    fn draw(dice: &mut Dice<'_>, number: u8, out: &mut Vec<u8>) -> Self {
        let path = ["/echo", "/long", "/nowhere"][usize::from(dice.below(3))];
        let byte = b'A' + number % 26;
        let length = usize::from(dice.next()) * [0, 1, 90][usize::from(dice.below(3))];
        let expects = length > 0 && dice.below(6) == 0;
        // A body that no plugin asks for may never come, so that the connection cannot go on.
        let closes = dice.below(10) == 0 || expects && path != "/echo";
        let mut head = format!("POST {path} HTTP/1.1\r\nHost: a\r\n");
        if closes {
            head.push_str("Connection: close\r\n");
        }
        if expects {
            head.push_str("Expect: 100-continue\r\n");
        }
        let body = vec![byte; length];
        if dice.below(2) == 0 {
            out.extend_from_slice(format!("{head}Content-Length: {length}\r\n\r\n").as_bytes());
            out.extend_from_slice(&body);
        } else {
            out.extend_from_slice(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes());
            for chunk in body.chunks(usize::from(dice.next()).max(1)) {
                out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                out.extend_from_slice(chunk);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(if dice.below(4) == 0 { b"0\r\nX: y\r\n\r\n" } else { b"0\r\n\r\n" });
        }
        Sent { path, byte, length, expects, closes }
    }
}

/// Any pieces of pipelined requests, with bodies that are read, or not: each is answered once, in order, and gets what
/// belongs to its own bytes.
pub fn client(script: &[u8], gateway: &Arc<Gateway>) {
    let mut dice = Dice(script);
    let (mut requests, mut unsent) = (Vec::new(), Vec::new());
    for number in 0..dice.below(6) {
        requests.push(Sent::draw(&mut dice, number, &mut unsent));
    }
    let pipe = Pipe::default();
    let mut serving = pin!(harness::serve(gateway, pipe.clone()));
    let mut cx = Context::from_waker(Waker::noop());
    let mut unsent = &unsent[..];
    let mut last = (0, 0);
    for turn in 0.. {
        assert!(turn < 100_000, "the connection does not come to an end");
        let scripted = !dice.0.is_empty();
        let mut peer = pipe.0.borrow_mut();
        match dice.below(2) {
            _ if !scripted => {
                peer.capacity = usize::MAX;
                peer.sent.extend(std::mem::take(&mut unsent));
                let now = (peer.sent.len(), peer.recorded.len());
                peer.has_closed = std::mem::replace(&mut last, now) == now;
            }
            0 => {
                let (here, rest) = unsent.split_at(unsent.len().min(usize::from(dice.next()) * 20));
                peer.sent.extend(here);
                unsent = rest;
            }
            _ => peer.capacity = usize::from(dice.next()) * 100,
        }
        drop(peer);
        if serving.as_mut().poll(&mut cx).is_ready() {
            break;
        }
    }
    responses(&pipe.0.borrow().recorded, &requests);
}

fn responses(mut bytes: &[u8], requests: &[Sent]) {
    for request in requests {
        let mut head = take_head(&mut bytes);
        if head.starts_with("HTTP/1.1 100 ") {
            assert!(request.expects && request.path == "/echo", "nothing asked for the body");
            head = take_head(&mut bytes);
        }
        let status = if request.path == "/nowhere" { "404" } else { "200" };
        assert_eq!(head.get(9..12), Some(status), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).expect("a length");
        let (body, rest) = bytes.split_at_checked(length).expect("a whole body");
        bytes = rest;
        if request.path == "/echo" {
            let longest = body.split(|&byte| byte != request.byte).map(<[u8]>::len).max();
            assert!(
                longest == Some(request.length) || request.length < 2,
                "{longest:?} of {}",
                request.length
            );
        }
        if head.contains("Connection: close") {
            assert!(request.closes, "{head}");
            break;
        }
        assert!(!request.closes, "{head}");
    }
    assert!(bytes.is_empty(), "more than was asked for: {}", bytes[..bytes.len().min(300)].escape_ascii());
}

fn take_head(bytes: &mut &[u8]) -> String {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a response") + 4;
    let (head, rest) = bytes.split_at(end);
    *bytes = rest;
    String::from_utf8_lossy(head).into_owned()
}
