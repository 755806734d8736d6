//! HTTP/2 from clients, within bounds that the h2 crate leaves to its users.
//!
//! h2 itself ends connections for endless header blocks, for streams reset before they are looked at, and for
//! errors it has to answer. What it cannot know is time: a connection that stays idle, a header block that
//! never ends, a client that opens a window and never reads, or that makes work by resetting streams and by
//! frames that carry nothing. For that, frames are followed here as they are read; none is changed.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    io,
    mem::take,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::spawn_local,
    time::Instant,
};

use super::serve::Verdict;
use crate::net::{BodyError, Timer};

/// What is counted is counted anew after so long.
const WINDOW: Duration = Duration::from_secs(10);
/// Streams that a client may reset in a window, if they are more than half of those it opens.
const RESETS: u32 = 100;
/// Frames without a request or a body in a window, if fewer than [`WORTH`] bytes move for each.
const FRAMES: u32 = 10_000;
const WORTH: u64 = 1024;
/// The slowest that an answer may be taken, in bytes a second, beyond the time a client may pause.
const SLOWEST: u64 = 1024;
/// How long a connection that has been told to end may take to agree.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Between two requests.
    pub idle: Duration,
    /// For its first request, and for any header block.
    pub head: Duration,
    /// To take what it is given.
    pub taking: Duration,
    /// Requests until it has to connect anew.
    pub requests: u64,
}

/// What the reader of a connection, its streams and whoever drives it tell each other.
#[derive(Debug)]
pub struct Account {
    patience: Patience,
    begun: Instant,
    /// Requests so far, and those not answered yet.
    requests: Cell<u64>,
    open: Cell<u32>,
    /// When bytes moved last.
    moved: Cell<Instant>,
    /// Since when a header block has been open.
    block: Cell<Option<Instant>>,
    tally: Cell<Tally>,
    flood: Cell<bool>,
    /// The stream about to be started.
    pace: RefCell<Option<Rc<Pace>>>,
    driver: RefCell<Option<Waker>>,
}

/// What a client has sent in a window.
#[derive(Clone, Copy, Debug)]
struct Tally {
    since: Instant,
    heads: u32,
    resets: u32,
    others: u32,
    bytes: u64,
}

impl Tally {
    fn new(since: Instant) -> Self {
        Tally { since, heads: 0, resets: 0, others: 0, bytes: 0 }
    }

    fn is_flood(&self) -> bool {
        self.resets > RESETS && self.resets > self.heads / 2
            || self.others > FRAMES && u64::from(self.others) * WORTH > self.bytes
    }
}

impl Account {
    /// A connection's, from now on.
    pub fn new(patience: Patience) -> Rc<Self> {
        let now = Instant::now();
        Rc::new(Account {
            patience,
            begun: now,
            requests: Cell::new(0),
            open: Cell::new(0),
            moved: Cell::new(now),
            block: Cell::new(None),
            tally: Cell::new(Tally::new(now)),
            flood: Cell::new(false),
            pace: RefCell::default(),
            driver: RefCell::default(),
        })
    }

    /// A request begins; the executor's next future answers it. Gives the body's part.
    pub fn begin(&self) -> Rc<Pace> {
        self.requests.set(self.requests.get() + 1);
        let pace = Rc::new(Pace::default());
        self.pace.replace(Some(Rc::clone(&pace)));
        pace
    }

    fn read(&self, frames: &mut Frames, bytes: &[u8]) {
        let now = Instant::now();
        self.moved.set(now);
        let mut tally = self.tally.get();
        if now.duration_since(tally.since) > WINDOW {
            tally = Tally::new(now);
        }
        tally.bytes += bytes.len() as u64;
        frames.advance(bytes, &mut tally);
        self.block.set(frames.in_block.then(|| self.block.get().unwrap_or(now)));
        if tally.is_flood() {
            self.flood.set(true);
        }
        self.tally.set(tally);
    }

    fn wrote(&self, count: usize) {
        self.moved.set(Instant::now());
        let mut tally = self.tally.get();
        tally.bytes += count as u64;
        self.tally.set(tally);
    }

    /// What is to become of the connection.
    fn verdict(&self, told: Option<Instant>, now: Instant) -> Result<Verdict, Option<Instant>> {
        let Patience { idle, head, requests, .. } = self.patience;
        if self.flood.get() {
            tracing::debug!("an HTTP/2 client floods its connection");
            return Ok(Verdict::Cut);
        }
        let first = self.requests.get() == 0;
        if !first && self.requests.get() >= requests && told.is_none() {
            return Ok(Verdict::End);
        }
        let block = self.block.get().map(|since| since + head);
        let rest = match told {
            _ if self.open.get() > 0 => None,
            Some(told) => Some(told.max(self.moved.get()) + FAREWELL),
            None if first => Some(self.begun + head),
            None => Some(self.moved.get() + idle),
        };
        if block.is_some_and(|end| end <= now) {
            return Ok(Verdict::Cut);
        }
        if rest.is_some_and(|end| end <= now) {
            return Ok(if told.is_some() { Verdict::Cut } else { Verdict::End });
        }
        Err([block, rest].into_iter().flatten().min())
    }
}

/// Minds a connection's time.
#[derive(Debug)]
pub struct Watch {
    account: Rc<Account>,
    told: Option<Instant>,
    timer: Timer,
}

impl Watch {
    /// Of that connection.
    pub fn new(account: Rc<Account>) -> Self {
        Watch { account, told: None, timer: Timer::default() }
    }

    /// Says what is to become of the connection; `told` says whether it has been told to end.
    pub fn poll(&mut self, cx: &mut Context<'_>, told: bool) -> Verdict {
        self.account.driver.replace(Some(cx.waker().clone()));
        let mut now = Instant::now();
        self.told = told.then(|| self.told.unwrap_or(now));
        loop {
            let end = match self.account.verdict(self.told, now) {
                Ok(verdict) => return verdict,
                Err(None) => return Verdict::Go,
                Err(Some(end)) => end,
            };
            self.timer.set(end);
            if self.timer.poll(cx).is_pending() {
                return Verdict::Go;
            }
            now = Instant::now();
        }
    }
}

/// Frames as they are read. RFC 9113 section 4.1.
#[derive(Debug)]
struct Frames {
    head: [u8; 9],
    seen: usize,
    /// Bytes of the preface or of a payload that are left.
    left: usize,
    /// Whether a header block has begun that has not ended, and whether it ends with this frame.
    in_block: bool,
    last: bool,
}

impl Default for Frames {
    fn default() -> Self {
        const PREFACE: usize = 24;
        Frames { head: [0; 9], seen: 0, left: PREFACE, in_block: false, last: false }
    }
}

impl Frames {
    fn advance(&mut self, mut bytes: &[u8], tally: &mut Tally) {
        loop {
            let here = self.left.min(bytes.len());
            self.left -= here;
            bytes = &bytes[here..];
            if self.left == 0 && take(&mut self.last) {
                self.in_block = false;
            }
            if bytes.is_empty() {
                return;
            }
            let here = (self.head.len() - self.seen).min(bytes.len());
            self.head[self.seen..self.seen + here].copy_from_slice(&bytes[..here]);
            self.seen += here;
            bytes = &bytes[here..];
            if self.seen == self.head.len() {
                self.seen = 0;
                self.frame(tally);
            }
        }
    }

    fn frame(&mut self, tally: &mut Tally) {
        const DATA: u8 = 0;
        const HEADERS: u8 = 1;
        const RST_STREAM: u8 = 3;
        const CONTINUATION: u8 = 9;
        const END_HEADERS: u8 = 4;
        let [a, b, c, kind, flags, ..] = self.head;
        self.left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        match kind {
            DATA => {}
            HEADERS | CONTINUATION => {
                tally.heads += u32::from(kind == HEADERS);
                self.in_block = true;
                self.last = flags & END_HEADERS != 0;
            }
            RST_STREAM => tally.resets += 1,
            _ => tally.others += 1,
        }
    }
}

/// A client's connection, followed. How long the client takes no bytes is minded where they leave.
#[derive(Debug)]
pub struct Followed<S> {
    stream: S,
    account: Rc<Account>,
    frames: Frames,
}

impl<S> Followed<S> {
    /// Follows what comes from `stream`.
    pub fn new(stream: S, account: Rc<Account>) -> Self {
        Followed { stream, account, frames: Frames::default() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Followed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        this.account.read(&mut this.frames, &buf.filled()[before..]);
        if this.account.flood.get() {
            // No more of it is read; whoever drives the connection ends it.
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Followed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = ready!(Pin::new(&mut this.stream).poll_write(cx, bytes))?;
        this.account.wrote(count);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = ready!(Pin::new(&mut this.stream).poll_write_vectored(cx, pieces))?;
        this.account.wrote(count);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// How fast a client takes an answer: bytes that it has been given and that it has not made room for yet.
#[derive(Debug, Default)]
pub struct Pace(Cell<Option<usize>>);

/// An answer's body that notes its pace.
#[derive(Debug)]
pub struct Paced<B> {
    body: B,
    pace: Rc<Pace>,
}

impl<B> Paced<B> {
    /// That body.
    pub fn new(body: B, pace: Rc<Pace>) -> Self {
        Paced { body, pace }
    }
}

impl<B: Body<Data = Bytes, Error = BodyError> + Unpin> Body for Paced<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        // hyper asks for more only when there is room for it.
        this.pace.0.set(None);
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            this.pace.0.set(frame.data_ref().map(Buf::remaining));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Runs a connection's streams on the worker's own thread. One whose client takes nothing is dropped, which
/// resets it.
#[derive(Clone, Debug)]
pub struct Streams(pub Rc<Account>);

impl<F: Future + 'static> Executor<F> for Streams {
    fn execute(&self, future: F) {
        let account = Rc::clone(&self.0);
        let Some(pace) = account.pace.take() else {
            spawn_local(async move { drop(future.await) });
            return;
        };
        let open = Open::new(account);
        spawn_local(async move {
            let mut future = pin!(future);
            let mut timer = Timer::default();
            let taking = open.0.patience.taking;
            poll_fn(|cx| {
                if future.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                match pace.0.get() {
                    None => {
                        timer.stop();
                        Poll::Pending
                    }
                    Some(bytes) => {
                        let limit = taking + Duration::from_secs(bytes as u64 / SLOWEST);
                        timer.set_once(|| Instant::now() + limit);
                        timer.poll(cx)
                    }
                }
            })
            .await;
        });
    }
}

/// A stream that is not answered yet.
struct Open(Rc<Account>);

impl Open {
    fn new(account: Rc<Account>) -> Self {
        account.open.set(account.open.get() + 1);
        Open(account)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let open = self.0.open.get() - 1;
        self.0.open.set(open);
        if open == 0 {
            self.0.moved.set(Instant::now());
            if let Some(driver) = self.0.driver.take() {
                driver.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        bytes.resize(9 + usize::from(length), 0);
        bytes
    }

    #[test]
    fn frames_are_told_apart_however_they_are_cut() {
        let mut stream = vec![b'P'; 24];
        for (kind, flags, length) in [(4, 0, 0), (1, 0, 5), (9, 4, 3), (0, 1, 200), (3, 0, 4), (6, 0, 8)] {
            stream.extend(frame(kind, flags, length));
        }
        for piece in [1, 2, 7, 30, 1000] {
            let (mut frames, mut tally) = (Frames::default(), Tally::new(Instant::now()));
            for bytes in stream.chunks(piece) {
                frames.advance(bytes, &mut tally);
            }
            assert_eq!((tally.heads, tally.resets, tally.others), (1, 1, 2), "{piece}");
            assert!(!frames.in_block && frames.seen == 0 && frames.left == 0, "{piece}");
        }
    }

    #[test]
    fn a_header_block_lasts_until_its_last_frame_is_there() {
        let (mut frames, mut tally) = (Frames::default(), Tally::new(Instant::now()));
        frames.advance(&[b'P'; 24], &mut tally);
        frames.advance(&frame(1, 0, 5), &mut tally);
        assert!(frames.in_block);
        let end = frame(9, 4, 5);
        frames.advance(&end[..12], &mut tally);
        assert!(frames.in_block);
        frames.advance(&end[12..], &mut tally);
        assert!(!frames.in_block);
    }

    #[test]
    fn a_flood_is_much_of_what_carries_nothing() {
        let quiet = Tally::new(Instant::now());
        assert!(!Tally { resets: 100, ..quiet }.is_flood());
        assert!(Tally { resets: 101, heads: 150, ..quiet }.is_flood());
        assert!(!Tally { resets: 101, heads: 300, ..quiet }.is_flood());
        assert!(Tally { others: 10_001, bytes: 400_000, ..quiet }.is_flood());
        assert!(!Tally { others: 10_001, bytes: 100_000_000, ..quiet }.is_flood());
    }
}
