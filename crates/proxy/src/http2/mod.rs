//! HTTP/2 towards clients (RFC 9113).
//!
//! A connection is one task: it reads and writes the frames, and polls the futures of its requests, each only
//! when it was woken (`wake`). All that one turn of the event loop produces for the streams is sent in one
//! TLS record and one system call, and a request needs neither a task nor a channel. The state machine in
//! `connection` has no socket: `recv` feeds received bytes into it, `send` appends what is to be sent
//! to its buffer, and `ConnectionIo` moves both.

mod body;
mod connection;
mod control;
mod flood;
#[doc(hidden)]
pub mod harness;
mod limits;
mod recv;
mod send;
mod stream;
mod wake;
mod window;

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    rc::Rc,
    sync::atomic,
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
    connection::{ConnState, Handler, Http2Connection},
    flood::TurnBudget,
    frame::Reason,
    limits::TimeoutAction,
};
use super::{handle::handle, response_body::ResponseBody, worker::ConnContext};
use http_codec::http2::{frame, hpack, request};
use net::{Deadline, ReadBuffer};
use plugin::Request;

/// Maximum number of reads before the streams are polled.
const MAX_READS_PER_PASS: u32 = 8;
/// Capacity of the write buffer, in bytes, that an idle connection retains.
const RETAINED_CAPACITY_BYTES: usize = 8 * 1024;
/// Lingering close: bytes read and discarded after a GOAWAY with an error, and for how long. Closing immediately
/// would reset the connection and destroy the GOAWAY.
const LINGERING_CLOSE_BYTES: usize = 1024 * 1024;
const LINGERING_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves HTTP/2 on a connection.
pub async fn serve<S>(conn_ctx: Rc<ConnContext>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let worker = Rc::clone(&conn_ctx.worker);
    let mut drain_signal = pin!(worker.drain_signal());
    let (mut is_registered, mut is_draining) = (false, false);
    let mut conn_io = ConnectionIo::new(conn_ctx, stream, handle_request);
    poll_fn(|cx| {
        // Polled once before the drain: this task's waker does not change.
        if !is_registered || (worker.draining.get() && !is_draining) {
            is_registered = true;
            is_draining = drain_signal.as_mut().poll(cx).is_ready();
            if is_draining {
                conn_io.connection.now = Instant::now();
                conn_io.connection.start_goaway();
            }
        }
        conn_io.poll(cx)
    })
    .await;
    if conn_io.connection.state == (ConnState::Closed { must_linger: true }) {
        conn_io.lingering_close().await;
    }
}

/// Starts the handler of a request.
fn handle_request(
    conn_ctx: Rc<ConnContext>,
    request: Request,
) -> Pin<Box<dyn Future<Output = Response<ResponseBody>>>> {
    Box::pin(handle(conn_ctx, request, None))
}

/// Whether a plaintext connection starts with HTTP/2's preface (prior knowledge). Peeks without consuming.
pub async fn sniff_preface(stream: &TcpStream) -> bool {
    let mut seen = [0; frame::PREFACE.len()];
    // Peeking has no event for further bytes: a preface in several segments is polled for, half a second at
    // most.
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

/// A connection and its socket.
struct ConnectionIo<S> {
    connection: Http2Connection,
    stream: S,
    inbox: ReadBuffer,
    /// Whether the last read, or write, did not return `WouldBlock`.
    readable: bool,
    writable: bool,
    /// Whether written bytes may not be flushed yet.
    needs_flush: bool,
    /// Waker that the socket is polled with.
    socket_waker: Waker,
    timer: Deadline,
    /// When the connection is closed even if the client does not read what was sent.
    close_deadline: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> ConnectionIo<S> {
    fn new(conn_ctx: Rc<ConnContext>, stream: S, handler: Handler) -> Self {
        let connection = Http2Connection::new(conn_ctx, handler);
        ConnectionIo {
            socket_waker: wake::socket_waker(&connection.wake_set),
            connection,
            stream,
            inbox: ReadBuffer::default(),
            readable: true,
            writable: true,
            needs_flush: false,
            timer: Deadline::default(),
            close_deadline: None,
        }
    }

    /// Runs one turn: reads, polls streams, writes. Ready when the connection has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.connection.wake_set.register(cx.waker());
        self.connection.now = Instant::now();
        self.connection.turn = TurnBudget::default();
        self.connection.stats.flood.advance(self.connection.now);
        loop {
            if self.connection.wake_set.take_socket() {
                self.readable = true;
                self.writable = true;
            }
            if self.read().is_err() {
                return Poll::Ready(());
            }
            self.connection.poll_streams();
            let is_closed = self.connection.try_close();
            match self.write() {
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) if is_closed => return self.shutdown(cx),
                _ => {}
            }
            let must_yield = self.connection.turn.is_spent() || !has_budget_remaining();
            // Deadlines are checked for a connection that is always busy, too.
            if must_yield || !self.has_work() {
                match self.poll_timeouts(cx) {
                    TimeoutAction::Continue(_) if !self.has_work() && self.connection.wake_set.try_park() => {
                        self.inbox.shrink();
                        return Poll::Pending;
                    }
                    TimeoutAction::Continue(_) => {}
                    TimeoutAction::GoAway => self.connection.start_goaway(),
                    TimeoutAction::Close => {
                        // GOAWAY, if the socket accepts it.
                        self.connection.fail(Reason::NoError);
                        self.writable = true;
                        let _ = self.write();
                        return Poll::Ready(());
                    }
                }
            }
            if must_yield {
                self.connection.wake_set.try_park();
                // `yield_now`, polled once, wakes the task after the runtime has polled its I/O and timers.
                // Waking the task directly would run it before that.
                return pin!(yield_now()).poll(cx);
            }
        }
    }

    /// Whether something can be done without waiting.
    fn has_work(&self) -> bool {
        let ConnectionIo { connection, readable, writable, .. } = self;
        connection.ready != 0
            || connection.can_read() && (*readable || connection.backlog)
            || *writable && connection.buffered_bytes() > 0
    }

    /// Reads from the socket, and handles the frames.
    fn read(&mut self) -> io::Result<()> {
        for _ in 0..MAX_READS_PER_PASS {
            if !self.connection.can_read() || self.connection.turn.is_spent() {
                break;
            }
            if !self.connection.backlog {
                if !self.readable {
                    break;
                }
                let mut cx = Context::from_waker(&self.socket_waker);
                match self.inbox.poll_read(&mut self.stream, &mut cx)? {
                    Poll::Pending => {
                        self.readable = false;
                        break;
                    }
                    Poll::Ready(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Poll::Ready(_) if self.connection.open_count == 0 => {
                        self.connection.stats.on_idle_read(self.connection.now);
                    }
                    Poll::Ready(_) => {}
                }
            }
            match self.connection.recv(&self.inbox.bytes) {
                Ok(consumed) => self.inbox.bytes.advance(consumed),
                Err(code) => {
                    tracing::debug!(?code, "an HTTP/2 connection error");
                    self.connection.fail(code);
                }
            }
        }
        Ok(())
    }

    /// Writes the send buffer, and records whether the socket blocks.
    fn write(&mut self) -> Poll<io::Result<()>> {
        let written = self.poll_write();
        if written.is_ready() && self.connection.stats.write_blocked_since.is_some() {
            self.connection.stats.idle_since = self.connection.now;
        }
        self.connection.stats.write_blocked_since = match &written {
            Poll::Pending => Some(self.connection.stats.write_blocked_since.unwrap_or(self.connection.now)),
            _ => None,
        };
        written
    }

    fn poll_write(&mut self) -> Poll<io::Result<()>> {
        let connection = &mut self.connection;
        let mut cx = Context::from_waker(&self.socket_waker);
        while connection.buffered_bytes() > 0 {
            if !self.writable {
                return Poll::Pending;
            }
            match Pin::new(&mut self.stream).poll_write(&mut cx, &connection.out[connection.sent_bytes..])? {
                Poll::Pending => self.writable = false,
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(count) => {
                    connection.sent_bytes += count;
                    self.needs_flush = true;
                }
            }
        }
        if connection.sent_bytes > 0 {
            // While streams are open, more will follow.
            let shrinks = connection.open_count == 0 && connection.sent_bytes < RETAINED_CAPACITY_BYTES;
            connection.out.clear();
            connection.sent_bytes = 0;
            if shrinks {
                connection.out.shrink_to(RETAINED_CAPACITY_BYTES);
            }
            connection.ready |= std::mem::take(&mut connection.waiting_for_io);
        }
        if self.needs_flush {
            if !self.writable {
                return Poll::Pending;
            }
            match Pin::new(&mut self.stream).poll_flush(&mut cx)? {
                Poll::Pending => {
                    self.writable = false;
                    return Poll::Pending;
                }
                Poll::Ready(()) => self.needs_flush = false,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Checks the deadlines, and arms the timer for the next one.
    fn poll_timeouts(&mut self, cx: &mut Context<'_>) -> TimeoutAction {
        loop {
            let next_deadline = self.connection.reset_overdue_streams();
            let action =
                self.connection.stats.timeout_action(self.connection.open_count > 0, self.connection.now);
            let TimeoutAction::Continue(end) = action else { return action };
            match end.into_iter().chain(next_deadline).min() {
                Some(end) => self.timer.reset(end),
                None => self.timer.clear(),
            }
            if self.timer.poll(cx).is_pending() {
                return TimeoutAction::Continue(None);
            }
            self.connection.now = Instant::now();
        }
    }

    /// Shuts the write side down.
    fn shutdown(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut socket_cx = Context::from_waker(&self.socket_waker);
        if Pin::new(&mut self.stream).poll_shutdown(&mut socket_cx).is_ready() {
            return Poll::Ready(());
        }
        self.timer.reset(*self.close_deadline.get_or_insert(self.connection.now + LINGERING_CLOSE_TIMEOUT));
        if self.timer.poll(cx).is_pending() && self.connection.wake_set.try_park() {
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Reads and discards what the client still sends.
    async fn lingering_close(&mut self) {
        let mut remaining = LINGERING_CLOSE_BYTES;
        let discarding = poll_fn(|cx| {
            loop {
                self.inbox.bytes.clear();
                match ready!(self.inbox.poll_read(&mut self.stream, cx)) {
                    Ok(count) if count > 0 && count < remaining => remaining -= count,
                    _ => return Poll::Ready(()),
                }
            }
        });
        let _ = timeout(LINGERING_CLOSE_TIMEOUT, discarding).await;
    }
}
