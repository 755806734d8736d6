//! What stands between a client's bytes and hyper: every HTTP/1 head is read here first.
//!
//! hyper is lenient where Kong is not, hides what it was lenient about (a Content-Length beside a
//! Transfer-Encoding), and refuses without a body. So this reader follows the framing of a connection,
//! checks each head, and gives hyper a plain request in place of a bad one; `handle` finds the refusal by
//! the request's number. Bodies pass through uncopied. It also ends connections that stay idle or stall.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::{
    fault::Fault,
    head::{Chunks, Framing, Refusal, Scan, Scanned},
};
use crate::{net::Timer, runtime::HeadLimits};

/// What a connection's reader and its requests tell each other.
#[derive(Debug)]
pub struct Gate {
    since: Instant,
    begun: AtomicU64,
    ended: AtomicU64,
    /// When the last answer left, in nanoseconds after `since`.
    ended_at: AtomicU64,
    open: AtomicBool,
    refused: AtomicU64,
    refusal: AtomicU8,
}

impl Default for Gate {
    fn default() -> Self {
        Gate {
            since: Instant::now(),
            begun: AtomicU64::default(),
            ended: AtomicU64::default(),
            ended_at: AtomicU64::default(),
            open: AtomicBool::default(),
            refused: AtomicU64::default(),
            refusal: AtomicU8::default(),
        }
    }
}

impl Gate {
    /// Takes the next request in: its number on the connection, from 1, and why it is refused, if it is.
    pub fn begin(&self) -> (u64, Option<Fault>) {
        let number = self.begun.fetch_add(1, Relaxed) + 1;
        let refusal = (self.refused.load(Relaxed) == number).then(|| self.refusal.load(Relaxed));
        (number, refusal.map(|code| Refusal::from_code(code).into()))
    }

    /// Requests so far.
    pub fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// A request's answer has left, or never will.
    pub fn end(&self) {
        self.ended.fetch_add(1, Relaxed);
        let at = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.ended_at.store(at, Relaxed);
    }

    /// From here on the bytes are no HTTP: the connection has been upgraded.
    pub fn open(&self) {
        self.open.store(true, Relaxed);
    }

    fn ended(&self) -> (u64, Instant) {
        let at = Duration::from_nanos(self.ended_at.load(Relaxed));
        (self.ended.load(Relaxed), self.since + at)
    }

    fn refuse(&self, number: u64, refusal: Refusal) {
        self.refusal.store(refusal.code(), Relaxed);
        self.refused.store(number, Relaxed);
    }
}

/// How long a connection may wait.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the next request.
    pub idle: Duration,
    /// For the next bytes of a head.
    pub stalled: Duration,
    /// Until the client takes bytes.
    pub taking: Duration,
}

/// A client's connection, checked.
#[derive(Debug)]
pub struct Checked<S> {
    stream: S,
    gate: Arc<Gate>,
    patience: Patience,
    limits: HeadLimits,
    state: State,
    /// Bytes read that hyper has not been given; of them, the first `cleared` may go.
    inbox: BytesMut,
    cleared: usize,
    heads: u64,
    reading: Timer,
    writing: Timer,
    /// Whether nothing but the socket is below: no TLS that has a word of its own to say at the end.
    clear: bool,
    /// Whether an answer has been given and the rest of what the client sends is thrown away.
    lingers: bool,
}

#[derive(Debug)]
enum State {
    Head(Scan),
    Body(u64),
    Chunked(Chunks),
    Open,
    Refused,
}

/// What hyper gets in place of a head that is refused.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: -\r\n\r\n";
/// Bytes thrown away after a refusal, so that closing does not destroy the answer on its way.
const LINGER: usize = 1024 * 1024;

impl<S> Checked<S> {
    /// Checks what comes from `stream`; `clear` says that it is a bare socket.
    pub fn new(stream: S, gate: Arc<Gate>, patience: Patience, limits: HeadLimits, clear: bool) -> Self {
        Checked {
            stream,
            gate,
            patience,
            limits,
            state: State::Head(Scan::default()),
            inbox: BytesMut::new(),
            cleared: 0,
            heads: 0,
            reading: Timer::default(),
            writing: Timer::default(),
            clear,
            lingers: false,
        }
    }

    /// Follows bytes that lie in hyper's buffer; the first so many belong there. The rest needs a closer look.
    fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match &mut self.state {
                State::Head(_) => match Scan::default().advance(rest, self.limits) {
                    Scanned::Complete { length, framing, mend: false } => {
                        at += length;
                        self.head_read();
                        self.state = State::after(framing);
                    }
                    _ => break,
                },
                _ => at += self.state.pass(rest),
            }
        }
        at
    }

    /// Decides about the bytes in the inbox. Says whether there is something to give.
    fn decide(&mut self) -> bool {
        if let State::Head(scan) = &mut self.state {
            match scan.advance(&self.inbox, self.limits) {
                Scanned::Partial => return false,
                Scanned::Refused(refusal) => self.refuse(refusal),
                Scanned::Complete { length, framing, mend } => {
                    let mut length = length;
                    if mend {
                        let rest = self.inbox.split_off(length);
                        self.inbox = BytesMut::from(&super::head::mended(&self.inbox)[..]);
                        length = self.inbox.len();
                        self.inbox.unsplit(rest);
                    }
                    self.head_read();
                    self.cleared = length;
                    self.state = State::after(framing);
                }
            }
        } else {
            self.cleared = self.state.pass(&self.inbox);
        }
        true
    }

    /// A head is complete. What time it had, if it was waited for, is over.
    fn head_read(&mut self) {
        self.heads += 1;
        if self.heads == 1 || !self.inbox.is_empty() {
            self.reading.stop();
        }
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.head_read();
        self.gate.refuse(self.heads, refusal);
        self.inbox = BytesMut::from(STAND_IN);
        self.cleared = STAND_IN.len();
        self.state = State::Refused;
    }
}

impl State {
    fn after(framing: Framing) -> Self {
        match framing {
            Framing::Length(0) => State::Head(Scan::default()),
            Framing::Length(length) => State::Body(length),
            Framing::Chunked => State::Chunked(Chunks::default()),
        }
    }

    /// Follows a body; so many of the bytes belong to it.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        match self {
            State::Body(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= here as u64;
                if *left == 0 {
                    *self = State::Head(Scan::default());
                }
                here
            }
            State::Chunked(chunks) => match chunks.advance(bytes) {
                (here, true) => {
                    *self = State::Head(Scan::default());
                    here
                }
                (here, false) => here,
            },
            State::Head(_) | State::Open | State::Refused => bytes.len(),
        }
    }
}

impl<S: AsyncRead + Unpin> Checked<S> {
    /// Reads and forgets, until nothing more is there.
    fn discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut bin = [0; 4096];
        let mut left = LINGER;
        while left > 0 {
            let mut buffer = ReadBuf::new(&mut bin);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => left = left.saturating_sub(buffer.filled().len()),
                _ => return Poll::Ready(()),
            }
        }
        Poll::Ready(())
    }

    /// Waits for a head's bytes no longer than is allowed. Ready when the time is over.
    ///
    /// hyper does not ask again when an answer has left: the deadline in force is never later than the one
    /// that counts then, which is worked out when it comes.
    fn out_of_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !matches!(self.state, State::Head(_)) {
            return Poll::Pending;
        }
        let Patience { idle, stalled, .. } = self.patience;
        let between = self.inbox.is_empty() && self.heads > 0;
        loop {
            let (ended, at) = self.gate.ended();
            // While a request is being answered, the client waits for us.
            let busy = self.heads != ended;
            match (between, busy) {
                (true, false) => self.reading.set(at + idle),
                (true, true) => self.reading.set_once(|| Instant::now() + idle.max(Duration::from_secs(1))),
                (false, _) => self.reading.set_once(|| Instant::now() + stalled),
            }
            ready!(self.reading.poll(cx));
            if !busy {
                return Poll::Ready(());
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Checked<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.cleared > 0 {
                let here = this.cleared.min(buf.remaining());
                buf.put_slice(&this.inbox[..here]);
                this.inbox.advance(here);
                this.cleared -= here;
                return Poll::Ready(Ok(()));
            }
            if matches!(this.state, State::Refused) {
                let _ = this.discard(cx);
                return Poll::Pending;
            }
            if this.gate.open.load(Relaxed) {
                this.state = State::Open;
            }
            if !this.inbox.is_empty() {
                if this.decide() {
                    continue;
                }
                // A head in pieces.
                let mut piece = [0; 4096];
                let mut buffer = ReadBuf::new(&mut piece);
                match Pin::new(&mut this.stream).poll_read(cx, &mut buffer)? {
                    Poll::Ready(()) if buffer.filled().is_empty() => return Poll::Ready(Ok(())),
                    Poll::Ready(()) => {
                        this.inbox.extend_from_slice(buffer.filled());
                        this.reading.stop();
                        continue;
                    }
                    Poll::Pending => return this.out_of_patience(cx).map(Ok),
                }
            }
            let before = buf.filled().len();
            match Pin::new(&mut this.stream).poll_read(cx, buf)? {
                Poll::Pending => return this.out_of_patience(cx).map(Ok),
                Poll::Ready(()) => {}
            }
            let new = &buf.filled()[before..];
            if new.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let kept = this.follow(new);
            if kept < new.len() {
                this.inbox.extend_from_slice(&new[kept..]);
                buf.set_filled(before + kept);
                // From here on it is a head that is waited for.
                this.reading.stop();
            }
            if kept > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Checked<S> {
    /// Minds how long the client takes no bytes.
    fn patiently<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.writing.stop();
            return poll;
        }
        self.writing.set_once(|| Instant::now() + self.patience.taking);
        ready!(self.writing.poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Checked<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.patiently(cx, poll)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write_vectored(cx, pieces);
        this.patiently(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_flush(cx);
        this.patiently(cx, poll)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let between = matches!(this.state, State::Head(_) | State::Open) && this.inbox.is_empty();
        if between && this.clear && !matches!(this.state, State::Open) {
            // Closing says the same, and is about to happen.
            return Pin::new(&mut this.stream).poll_flush(cx);
        }
        ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        if !between {
            // Closing with bytes unread would reset the connection and lose the answer.
            if !this.lingers {
                this.lingers = true;
                this.reading.set(Instant::now() + Duration::from_secs(2));
            }
            if this.discard(cx).is_pending() {
                ready!(this.reading.poll(cx));
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn the_time_for_the_next_request_begins_with_the_last_answer() {
        let (idle, stalled) = (Duration::from_secs(3600), Duration::from_secs(7200));
        let patience = Patience { idle, stalled, taking: idle };
        let (mut client, near) = tokio::io::duplex(64);
        let gate = Arc::new(Gate::default());
        let mut checked = Checked::new(near, Arc::clone(&gate), patience, HeadLimits::default(), true);
        let mut read = || {
            let mut cx = Context::from_waker(Waker::noop());
            let mut bytes = [0; 64];
            let ready = Pin::new(&mut checked).poll_read(&mut cx, &mut ReadBuf::new(&mut bytes)).is_ready();
            (!ready).then(|| checked.reading.due().expect("it waits for something"))
        };
        let opened = Instant::now();
        assert!(read().expect("no bytes") >= opened + stalled, "the first head has its time");
        for _ in 0..2 {
            client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("room");
            assert_eq!(read(), None, "a head");
            gate.begin();
            let asked = read().expect("no more bytes");
            assert!(asked <= Instant::now() + idle, "not later than what will count");
            gate.end();
            assert_eq!(read(), Some(gate.ended().1 + idle));
        }
        client.write_all(b"GET /").await.expect("room");
        let begun = Instant::now();
        assert!(read().expect("not a head yet") >= begun + stalled);
    }
}
