//! A client's HTTP/1 connection: its read and write buffers, the decoder of the request's body, and the
//! timeouts.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::coop::poll_proceed,
    time::Instant,
};

use super::head::{HeadParser, HeadRejection, ParseStatus, RequestHead};
use http_codec::BodyDecoder;
use net::{
    BodyError, ConnectionBudget, Deadline, MemoryBudget, ReadBuffer, ReadinessState, RequestBody, WriteBuffer,
};
use runtime::HeadLimits;

/// Limits of lingering close, in all and between two reads (nginx's defaults of `lingering_time` and
/// `lingering_timeout`). Many clients read the response only after they have sent their body, and closing a
/// socket with unread bytes resets the connection, which destroys the response.
const LINGERING_CLOSE_TIME: Duration = Duration::from_secs(30);
const LINGERING_CLOSE_READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Timeouts towards a client.
#[derive(Clone, Copy, Debug)]
pub struct Http1Timeouts {
    /// Between a response and the first byte of the next request.
    pub keepalive: Duration,
    /// For a request's head: from its first byte, or from the connection's start.
    pub header: Duration,
    /// Between two reads of a request's body.
    pub body: Duration,
    /// Between two writes of a response.
    pub send: Duration,
}

/// The next event on an idle connection.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly always the large variant, destructured immediately")]
pub enum NextRequest {
    /// A request.
    Request(RequestHead),
    /// A malformed head.
    Rejected(HeadRejection),
    /// The client closed the connection, or a timeout passed.
    Closed,
}

/// The stream below a connection.
pub trait Io: AsyncRead + AsyncWrite + ReadinessState + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + ReadinessState + Unpin + 'static> Io for S {}

/// A client's connection. The body and the connection's task borrow it in turns.
#[derive(Debug)]
pub struct Http1Connection<S> {
    stream: S,
    inbox: ReadBuffer,
    /// Bytes to be written to the client.
    pub outbox: WriteBuffer,
    parser: HeadParser,
    limits: HeadLimits,
    /// Decoder of the current request's body.
    body: BodyDecoder,
    /// Whether the client waits for 100 (Continue) before it sends the body.
    awaiting_continue: bool,
    /// Requests so far.
    pub requests: u64,
    timeouts: Http1Timeouts,
    read_timer: Deadline,
    write_timer: Deadline,
    /// Bytes read in all when the body's deadline was set.
    bytes_at_deadline: u64,
    /// When discarding the request's body ends, once it has started.
    lingering_deadline: Option<Instant>,
    /// Whether the timeout of a head has passed.
    has_timed_out: bool,
}

/// How discarding a request's body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discarded {
    /// The body ended: another request may follow.
    Complete,
    /// The time passed, or the framing is invalid.
    Incomplete,
    /// The client has closed its side of the connection.
    ClientClosed,
}

impl<S: Io> Http1Connection<S> {
    /// Creates the state of a new connection.
    pub fn new(stream: S, timeouts: Http1Timeouts, limits: HeadLimits) -> Self {
        Http1Connection {
            stream,
            inbox: ReadBuffer::default(),
            outbox: WriteBuffer::default(),
            parser: HeadParser::default(),
            limits,
            body: BodyDecoder::ended(),
            awaiting_continue: false,
            requests: 0,
            timeouts,
            read_timer: Deadline::default(),
            write_timer: Deadline::default(),
            bytes_at_deadline: 0,
            lingering_deadline: None,
            has_timed_out: false,
        }
    }

    /// Whether the timeout of a head has passed.
    pub fn has_timed_out(&self) -> bool {
        self.has_timed_out
    }

    /// Charges large read buffers of fast clients to this budget.
    pub fn set_memory(&mut self, memory: Arc<MemoryBudget>) {
        self.inbox.set_memory(memory);
    }

    /// Whether polling for bytes costs no system call when there are none.
    pub fn is_watched(&self) -> bool {
        self.stream.is_registered()
    }

    /// Whether the client has reset the connection; detected without reading the bytes before the reset.
    pub fn is_reset(&self) -> bool {
        self.stream.is_reset()
    }

    /// Whether no byte of the next request has arrived.
    pub fn is_idle(&self) -> bool {
        self.inbox.bytes.is_empty()
    }

    /// Starts to wait for the next request.
    pub fn enter_idle(&mut self) {
        if self.is_idle() {
            self.inbox.shrink();
            self.read_timer.reset(Instant::now() + self.timeouts.keepalive);
        }
    }

    /// Waits for the next request.
    pub fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<NextRequest> {
        let mut read = false;
        loop {
            if !self.inbox.bytes.is_empty() {
                // A pipelined request costs no read, so that the runtime's cooperative budget has not been
                // charged for it.
                if !std::mem::replace(&mut read, true) {
                    ready!(poll_proceed(cx)).made_progress();
                }
                match self.parser.advance(&self.inbox.bytes, self.limits) {
                    ParseStatus::Partial => {}
                    ParseStatus::Complete => return Poll::Ready(self.take_request()),
                    ParseStatus::Rejected(rejection) => return Poll::Ready(NextRequest::Rejected(rejection)),
                }
            }
            let is_first_read = self.is_idle();
            match self.inbox.poll_read(&mut self.stream, cx) {
                Poll::Ready(Ok(count)) if count > 0 => {
                    read = true;
                    // From its first byte on, the head has its own timeout.
                    if is_first_read {
                        self.read_timer.clear();
                    }
                }
                Poll::Ready(_) => return Poll::Ready(NextRequest::Closed),
                Poll::Pending => {
                    let header_timeout = self.timeouts.header;
                    self.read_timer.reset_if_unset(|| Instant::now() + header_timeout);
                    ready!(self.read_timer.poll(cx));
                    self.has_timed_out = true;
                    return Poll::Ready(NextRequest::Closed);
                }
            }
        }
    }

    fn take_request(&mut self) -> NextRequest {
        self.read_timer.clear();
        match self.parser.take(&mut self.inbox.bytes) {
            Ok(mut head) => {
                self.body = std::mem::replace(&mut head.body, BodyDecoder::ended());
                self.awaiting_continue = head.expect_continue && !self.body.is_ended();
                self.requests += 1;
                self.lingering_deadline = None;
                NextRequest::Request(head)
            }
            Err(rejection) => NextRequest::Rejected(rejection),
        }
    }

    /// Whether the request's body has been read to its end.
    pub fn body_ended(&self) -> bool {
        self.body.is_ended()
    }

    /// Whether the client may never send the body, since it still waits for 100 (Continue).
    pub fn is_awaiting_continue(&self) -> bool {
        self.awaiting_continue
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if std::mem::take(&mut self.awaiting_continue) {
            self.outbox.head().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        if !self.outbox.is_empty()
            && let Poll::Ready(Err(error)) = self.poll_send(cx)
        {
            return Poll::Ready(Some(Err(BodyError::Client(error))));
        }
        let frame = self.inbox.poll_frame(&mut self.body, &mut self.stream, cx, BodyError::Client);
        if frame.is_ready() {
            self.read_timer.clear();
            return frame;
        }
        // Only bytes extend the deadline.
        let (bytes, timeout) = (self.inbox.read_bytes(), self.timeouts.body);
        if std::mem::replace(&mut self.bytes_at_deadline, bytes) == bytes {
            self.read_timer.reset_if_unset(|| Instant::now() + timeout);
        } else {
            self.read_timer.reset(Instant::now() + timeout);
        }
        self.read_timer.poll(cx).map(|()| Some(Err(BodyError::Stalled)))
    }

    /// Completes when the client closes the connection while its request is served. The first bytes of a
    /// pipelined request stop the reading and stay buffered.
    pub fn poll_client_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.body.is_ended() && self.is_idle() {
            match ready!(self.inbox.poll_read(&mut self.stream, cx)) {
                Ok(read) if read > 0 => {}
                _ => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Writes the whole write buffer.
    ///
    /// # Errors
    /// If the connection fails, or the client reads nothing within the send timeout.
    pub fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = match self.outbox.poll_write(&mut self.stream, cx) {
            Poll::Ready(Ok(())) => self.outbox.poll_flush(&mut self.stream, cx),
            other => other,
        };
        if sent.is_ready() {
            self.write_timer.clear();
            return sent;
        }
        let send_timeout = self.timeouts.send;
        self.write_timer.reset_if_unset(|| Instant::now() + send_timeout);
        ready!(self.write_timer.poll(cx));
        let why = "the client stopped reading the response (send_timeout)";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }

    /// Reads and discards the rest of a request's body (nginx: lingering close).
    pub fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<Discarded> {
        let end = *self.lingering_deadline.get_or_insert_with(|| {
            self.read_timer.clear();
            Instant::now() + LINGERING_CLOSE_TIME
        });
        loop {
            let frame = self.inbox.poll_frame(&mut self.body, &mut self.stream, cx, BodyError::Client);
            let discarded = match frame {
                Poll::Ready(Some(Ok(_))) => {
                    self.read_timer.clear();
                    if Instant::now() < end {
                        continue;
                    }
                    Discarded::Incomplete
                }
                Poll::Ready(None) => Discarded::Complete,
                Poll::Ready(Some(Err(BodyError::Client(_)))) => Discarded::ClientClosed,
                Poll::Ready(Some(Err(_))) => Discarded::Incomplete,
                Poll::Pending => {
                    self.read_timer.reset_if_unset(|| end.min(Instant::now() + LINGERING_CLOSE_READ_TIMEOUT));
                    ready!(self.read_timer.poll(cx));
                    Discarded::Incomplete
                }
            };
            self.read_timer.clear();
            return Poll::Ready(discarded);
        }
    }

    /// Closes the connection without losing the response: closing a socket with unread bytes would reset it.
    /// `is_plaintext` is true for a bare socket, which has no closing message (such as TLS's close_notify) to
    /// send.
    pub async fn close(mut self, is_plaintext: bool) {
        let has_unread = !self.body.is_ended() || !self.inbox.bytes.is_empty();
        if is_plaintext && !has_unread {
            return;
        }
        let end = Instant::now() + LINGERING_CLOSE_TIME;
        self.read_timer.reset(Instant::now() + LINGERING_CLOSE_READ_TIMEOUT);
        let mut is_write_shut = false;
        std::future::poll_fn(|cx| {
            is_write_shut = is_write_shut || Pin::new(&mut self.stream).poll_shutdown(cx).is_ready();
            if is_write_shut && (!has_unread || self.poll_lingering_close(end, cx).is_ready()) {
                return Poll::Ready(());
            }
            self.read_timer.poll(cx)
        })
        .await;
    }

    /// Reads and discards bytes until the client closes its side.
    fn poll_lingering_close(&mut self, end: Instant, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.inbox.bytes.clear();
            match ready!(self.inbox.poll_read(&mut self.stream, cx)) {
                Ok(read) if read > 0 => {
                    let now = Instant::now();
                    if now >= end {
                        return Poll::Ready(());
                    }
                    self.read_timer.reset(end.min(now + LINGERING_CLOSE_READ_TIMEOUT));
                }
                _ => return Poll::Ready(()),
            }
        }
    }

    /// Splits off what the next protocol needs: the stream and the bytes read ahead.
    pub fn into_parts(self) -> (S, BytesMut) {
        (self.stream, self.inbox.bytes)
    }
}

/// The body of a request on an HTTP/1 connection.
#[derive(Debug)]
pub struct Http1Body<S> {
    connection: Rc<RefCell<Http1Connection<S>>>,
    /// Number of the request that the body belongs to.
    request_number: u64,
    budget: ConnectionBudget,
}

impl<S> Http1Body<S> {
    /// Creates the body of the connection's latest request.
    pub fn new(connection: &Rc<RefCell<Http1Connection<S>>>, budget: &ConnectionBudget) -> Self {
        let request_number = connection.borrow().requests;
        Http1Body { connection: Rc::clone(connection), request_number, budget: budget.clone() }
    }
}

impl<S: Io> RequestBody for Http1Body<S> {
    fn budget(&self) -> &ConnectionBudget {
        &self.budget
    }
}

impl<S: Io> http_body::Body for Http1Body<S> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut connection = self.connection.borrow_mut();
        if connection.requests != self.request_number {
            return Poll::Ready(Some(Err(BodyError::AlreadyConsumed)));
        }
        connection.poll_body(cx)
    }

    fn is_end_stream(&self) -> bool {
        let connection = self.connection.borrow();
        connection.requests == self.request_number && connection.body.is_ended()
    }

    fn size_hint(&self) -> SizeHint {
        self.connection.borrow().body.remaining().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn read_deadline(connection: &mut Http1Connection<DuplexStream>) -> Option<Instant> {
        match connection.poll_request(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => connection.read_timer.instant(),
            Poll::Ready(next) => {
                assert!(matches!(next, NextRequest::Request(_)), "{next:?}");
                None
            }
        }
    }

    #[tokio::test]
    async fn head_timeout_starts_with_the_first_byte_and_keepalive_with_the_response() {
        let (idle, stalled) = (Duration::from_secs(3600), Duration::from_secs(7200));
        let (mut client, near) = duplex(64);
        let timeouts = Http1Timeouts { keepalive: idle, header: stalled, body: idle, send: idle };
        let mut connection = Http1Connection::new(near, timeouts, HeadLimits::default());
        let opened = Instant::now();
        let first = read_deadline(&mut connection).expect("no bytes");
        assert!(first >= opened + stalled, "the first head has its own timeout");
        client.write_all(b"GET / HTTP/1.1\r\n").await.expect("capacity");
        let started = read_deadline(&mut connection).expect("a piece");
        assert!(started >= first, "from its first byte");
        client.write_all(b"Host: a\r\n").await.expect("capacity");
        assert_eq!(read_deadline(&mut connection), Some(started), "further bytes do not extend it");
        client.write_all(b"\r\n").await.expect("capacity");
        assert_eq!(read_deadline(&mut connection), None, "a request");
        let responded = Instant::now();
        connection.enter_idle();
        let next = read_deadline(&mut connection).expect("no bytes");
        assert!(next >= responded + idle && next < responded + stalled);
    }
}
