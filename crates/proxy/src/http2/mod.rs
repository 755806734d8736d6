//! HTTP/2 from clients (RFC 9113).
//!
//! A connection is one task: frames are read and written in it, and its requests run in it, each polled when it
//! rang ([`bell`]). So what one turn of the event loop brings for many streams leaves in one TLS record and one
//! system call, and a request costs neither a task nor a channel. [`session`] knows no socket: it is given bytes
//! ([`receive`]) and says what is to be written ([`answer`]).

mod answer;
mod bell;
mod body;
mod control;
mod flood;
mod patience;
#[doc(hidden)]
pub mod probe;
mod receive;
mod session;
mod stream;
mod window;

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Buf as _;
use http::Response;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::{coop::has_budget_remaining, yield_now},
    time::{Instant, sleep, timeout},
};

use self::{
    flood::TurnBudget,
    frame::Code,
    patience::Verdict,
    session::{Handler, Session, Stage},
};
use super::{handle::handle, response_body::Tail, worker::Link};
use http_codec::http2::{frame, hpack, request};
use net::{Inbox, Timer};
use plugin::Request;

/// Times that a client is read from before its streams are looked at.
const READS: u32 = 8;
/// Room for what is on its way that a connection keeps once it writes less than that.
const KEPT: usize = 8 * 1024;
/// Bytes thrown away, and for how long, after a client was told to stop: closing at once would lose that.
const LINGER: (usize, Duration) = (1024 * 1024, Duration::from_secs(1));

/// Serves HTTP/2 on a connection.
pub async fn serve<S>(link: Rc<Link>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let worker = Rc::clone(&link.worker);
    let mut drained = pin!(worker.drained());
    let (mut waiting, mut told) = (false, false);
    let mut connection = Connection::new(link, stream, respond);
    poll_fn(|cx| {
        // Before the drain, asked once: this task's waker does not change.
        if !waiting || (worker.draining.get() && !told) {
            waiting = true;
            told = drained.as_mut().poll(cx).is_ready();
            if told {
                connection.session.now = Instant::now();
                connection.session.leave();
            }
        }
        connection.poll(cx)
    })
    .await;
    if connection.session.stage == Stage::Over(true) {
        connection.linger().await;
    }
}

/// Handles a request.
fn respond(link: Rc<Link>, request: Request) -> Pin<Box<dyn Future<Output = Response<Tail>>>> {
    Box::pin(handle(link, request, None))
}

/// Whether a clear-text connection begins with HTTP/2's preface. Looks, and takes nothing.
pub async fn is_spoken(stream: &TcpStream) -> bool {
    let mut seen = [0; frame::PREFACE.len()];
    // What is there may be looked at again and again: a preface in pieces is waited for a while.
    for _ in 0..100 {
        match stream.peek(&mut seen).await {
            Ok(n) if n > 0 && frame::PREFACE.starts_with(&seen[..n]) => {
                if n == frame::PREFACE.len() {
                    return true;
                }
                sleep(Duration::from_millis(5)).await;
            }
            _ => return false,
        }
    }
    false
}

/// A connection: its state, and its socket.
struct Connection<S> {
    session: Session,
    stream: S,
    inbox: Inbox,
    /// Whether the socket may have something, or room for something.
    readable: bool,
    writable: bool,
    /// Whether the stream may still hold something back.
    unflushed: bool,
    /// What the socket wakes.
    socket: Waker,
    timer: Timer,
    /// When the connection is closed even if the client does not take what says so.
    closes_at: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn new(link: Rc<Link>, stream: S, handler: Handler) -> Self {
        let session = Session::new(link, handler);
        Connection {
            socket: bell::socket(&session.bell),
            session,
            stream,
            inbox: Inbox::default(),
            readable: true,
            writable: true,
            unflushed: false,
            timer: Timer::default(),
            closes_at: None,
        }
    }

    /// Does what can be done now, up to a turn's work. Ready when the connection has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.session.bell.attend(cx.waker());
        self.session.now = Instant::now();
        self.session.turn = TurnBudget::default();
        self.session.account.flood.advance(self.session.now);
        loop {
            if self.session.bell.socket() {
                self.readable = true;
                self.writable = true;
            }
            if self.read().is_err() {
                return Poll::Ready(());
            }
            self.session.run();
            let over = self.session.is_over();
            match self.write() {
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) if over => return self.shutdown(cx),
                _ => {}
            }
            let yields = self.session.turn.is_spent() || !has_budget_remaining();
            // Deadlines pass for a connection that always has more to do, too.
            if yields || !self.has_more() {
                match self.mind(cx) {
                    Verdict::Go(_) if !self.has_more() && self.session.bell.rest() => {
                        self.inbox.rest();
                        return Poll::Pending;
                    }
                    Verdict::Go(_) => {}
                    Verdict::End => self.session.leave(),
                    Verdict::Cut => {
                        // What it still had to say, if it fits.
                        self.session.fail(Code::NoError);
                        self.writable = true;
                        let _ = self.write();
                        return Poll::Ready(());
                    }
                }
            }
            if yields {
                self.session.bell.rest();
                // Polled once, it wakes the task after the runtime has looked at its sockets and timers. A task that
                // wakes itself would run again before that.
                return pin!(yield_now()).poll(cx);
            }
        }
    }

    /// Whether something can be done immediately.
    fn has_more(&self) -> bool {
        let Connection { session, readable, writable, .. } = self;
        session.ready != 0
            || session.reads() && (*readable || session.backlog)
            || *writable && session.on_their_way() > 0
    }

    /// Reads what is there, and takes the frames in.
    fn read(&mut self) -> io::Result<()> {
        for _ in 0..READS {
            if !self.session.reads() || self.session.turn.is_spent() {
                break;
            }
            if !self.session.backlog {
                if !self.readable {
                    break;
                }
                let mut cx = Context::from_waker(&self.socket);
                match self.inbox.poll_read(&mut self.stream, &mut cx)? {
                    Poll::Pending => {
                        self.readable = false;
                        break;
                    }
                    Poll::Ready(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Poll::Ready(_) if self.session.open == 0 => {
                        self.session.account.on_idle_read(self.session.now);
                    }
                    Poll::Ready(_) => {}
                }
            }
            match self.session.read(&self.inbox.bytes) {
                Ok(taken) => self.inbox.bytes.advance(taken),
                Err(code) => {
                    tracing::debug!(?code, "an HTTP/2 client breaks the rules");
                    self.session.fail(code);
                }
            }
        }
        Ok(())
    }

    /// Writes what is on its way.
    fn write(&mut self) -> Poll<io::Result<()>> {
        let written = self.poll_write();
        if written.is_ready() && self.session.account.stuck.is_some() {
            self.session.account.idle_since = self.session.now;
        }
        self.session.account.stuck = match &written {
            Poll::Pending => Some(self.session.account.stuck.unwrap_or(self.session.now)),
            _ => None,
        };
        written
    }

    fn poll_write(&mut self) -> Poll<io::Result<()>> {
        let session = &mut self.session;
        let mut cx = Context::from_waker(&self.socket);
        while session.on_their_way() > 0 {
            if !self.writable {
                return Poll::Pending;
            }
            match Pin::new(&mut self.stream).poll_write(&mut cx, &session.out[session.left..])? {
                Poll::Pending => self.writable = false,
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(count) => {
                    session.left += count;
                    self.unflushed = true;
                }
            }
        }
        if session.left > 0 {
            // While streams are open, more will follow.
            let quiet = session.open == 0 && session.left < KEPT;
            session.out.clear();
            session.left = 0;
            if quiet {
                session.out.shrink_to(KEPT);
            }
            session.ready |= std::mem::take(&mut session.for_way);
        }
        if self.unflushed {
            if !self.writable {
                return Poll::Pending;
            }
            match Pin::new(&mut self.stream).poll_flush(&mut cx)? {
                Poll::Pending => {
                    self.writable = false;
                    return Poll::Pending;
                }
                Poll::Ready(()) => self.unflushed = false,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Looks at the time.
    fn mind(&mut self, cx: &mut Context<'_>) -> Verdict {
        loop {
            let paused = self.session.mind_paused();
            let verdict = self.session.account.verdict(self.session.open > 0, self.session.now);
            let Verdict::Go(end) = verdict else { return verdict };
            match end.into_iter().chain(paused).min() {
                Some(end) => self.timer.set(end),
                None => self.timer.stop(),
            }
            if self.timer.poll(cx).is_pending() {
                return Verdict::Go(None);
            }
            self.session.now = Instant::now();
        }
    }

    /// Says that nothing more will come.
    fn shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut socket = Context::from_waker(&self.socket);
        if Pin::new(&mut self.stream).poll_shutdown(&mut socket).is_ready() {
            return Poll::Ready(());
        }
        self.timer.set(*self.closes_at.get_or_insert(self.session.now + LINGER.1));
        if self.timer.poll(cx).is_pending() && self.session.bell.rest() {
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Throws away what the client still sends.
    async fn linger(&mut self) {
        let (mut left, limit) = LINGER;
        let discarding = poll_fn(|cx| {
            loop {
                self.inbox.bytes.clear();
                match ready!(self.inbox.poll_read(&mut self.stream, cx)) {
                    Ok(count) if count > 0 && count < left => left -= count,
                    _ => return Poll::Ready(()),
                }
            }
        });
        let _ = timeout(limit, discarding).await;
    }
}
