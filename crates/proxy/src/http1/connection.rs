//! A client's connection: what is read from it, in its order, what leaves on it, and how long each may take.

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

use super::head::{Head, Refusal, Scan, Scanned};
use http_codec::Decoder;
use net::{BodyError, ConnectionBudget, Inbox, MemoryBudget, Outbox, RequestBody, Timer, Watch};
use runtime::HeadLimits;

/// How long the rest of a request is read and discarded after its response, in all and between two reads (nginx's
/// defaults of `lingering_time` and `lingering_timeout`). Many clients do not look for a response until they have
/// sent their body, and a connection that is closed with bytes unread is reset, which destroys the response.
const LINGERING_TIME: Duration = Duration::from_secs(30);
const LINGERING_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the next request.
    pub idle: Duration,
    /// For a head.
    pub stalled: Duration,
    /// For more of a request's body.
    pub body: Duration,
    /// Until it takes bytes.
    pub taking: Duration,
}

/// What comes next.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly always the large one, taken apart at once")]
pub enum Next {
    /// A request.
    Request(Head),
    /// Something that is none.
    Refused(Refusal),
    /// Nothing: the client has gone, or took too long.
    Nothing,
}

/// What a connection is made of.
pub trait Wire: AsyncRead + AsyncWrite + Watch + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Watch + Unpin + 'static> Wire for S {}

/// A client's connection. Its bodies and whoever drives it take turns.
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    inbox: Inbox,
    /// What is on its way to the client.
    pub outbox: Outbox,
    scan: Scan,
    limits: HeadLimits,
    /// The body of the request that is being answered.
    body: Decoder,
    /// Whether the client waits for 100 (Continue) before it sends the body.
    expects: bool,
    /// Requests so far.
    pub requests: u64,
    patience: Patience,
    reading: Timer,
    writing: Timer,
    /// Bytes read when the deadline for more of the body was set.
    timed_bytes: u64,
    /// When discarding the rest of the body ends, once it has begun.
    lingering_end: Option<Instant>,
}

/// How discarding the rest of a request's body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discarded {
    /// With its end: another request may follow.
    Whole,
    /// With its time, or an error in its framing.
    Part,
    /// The client has closed its side of the connection.
    ClientClosed,
}

impl<S: Wire> Connection<S> {
    /// A connection on which nothing has come yet.
    pub fn new(stream: S, patience: Patience, limits: HeadLimits) -> Self {
        Connection {
            stream,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            scan: Scan::default(),
            limits,
            body: Decoder::ended(),
            expects: false,
            requests: 0,
            patience,
            reading: Timer::default(),
            writing: Timer::default(),
            timed_bytes: 0,
            lingering_end: None,
        }
    }

    /// Reserves the room that a fast client needs from that budget.
    pub fn set_memory(&mut self, memory: Arc<MemoryBudget>) {
        self.inbox.set_memory(memory);
    }

    /// Whether looking for bytes costs nothing when there are none.
    pub fn is_watched(&self) -> bool {
        self.stream.is_watched()
    }

    /// Whether the client has reset the connection, told without reading what came before that.
    pub fn is_reset(&self) -> bool {
        self.stream.is_reset()
    }

    /// Whether nothing has come of the next request.
    pub fn is_idle(&self) -> bool {
        self.inbox.bytes.is_empty()
    }

    /// Begins to wait for the next request.
    pub fn rest(&mut self) {
        if self.is_idle() {
            self.inbox.rest();
            self.reading.set(Instant::now() + self.patience.idle);
        }
    }

    /// Waits for the next request.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let mut read = false;
        loop {
            if !self.inbox.bytes.is_empty() {
                // A request that came with the one before it cost no read, which the runtime would have counted.
                if !std::mem::replace(&mut read, true) {
                    ready!(poll_proceed(cx)).made_progress();
                }
                match self.scan.advance(&self.inbox.bytes, self.limits) {
                    Scanned::Partial => {}
                    Scanned::Complete => return Poll::Ready(self.begin()),
                    Scanned::Refused(refusal) => return Poll::Ready(Next::Refused(refusal)),
                }
            }
            let fresh = self.is_idle();
            match self.inbox.poll_read(&mut self.stream, cx) {
                Poll::Ready(Ok(count)) if count > 0 => {
                    read = true;
                    // From here on it is the whole head that is waited for.
                    if fresh {
                        self.reading.stop();
                    }
                }
                Poll::Ready(_) => return Poll::Ready(Next::Nothing),
                Poll::Pending => {
                    let stalled = self.patience.stalled;
                    self.reading.set_once(|| Instant::now() + stalled);
                    ready!(self.reading.poll(cx));
                    return Poll::Ready(Next::Nothing);
                }
            }
        }
    }

    fn begin(&mut self) -> Next {
        self.reading.stop();
        match self.scan.take(&mut self.inbox.bytes) {
            Ok(mut head) => {
                self.body = std::mem::replace(&mut head.body, Decoder::ended());
                self.expects = head.expects && !self.body.is_ended();
                self.requests += 1;
                self.lingering_end = None;
                Next::Request(head)
            }
            Err(refusal) => Next::Refused(refusal),
        }
    }

    /// Whether the request's body has been read to its end.
    pub fn body_ended(&self) -> bool {
        self.body.is_ended()
    }

    /// Whether the body may never come, because nobody has asked for it.
    pub fn body_unasked(&self) -> bool {
        self.expects
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if std::mem::take(&mut self.expects) {
            self.outbox.head().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        if !self.outbox.is_empty()
            && let Poll::Ready(Err(error)) = self.poll_send(cx)
        {
            return Poll::Ready(Some(Err(BodyError::Client(error))));
        }
        let frame = self.inbox.poll_frame(&mut self.body, &mut self.stream, cx, BodyError::Client);
        if frame.is_ready() {
            self.reading.stop();
            return frame;
        }
        // Bytes move the deadline, and nothing else does.
        let (bytes, timeout) = (self.inbox.read_bytes(), self.patience.body);
        if std::mem::replace(&mut self.timed_bytes, bytes) == bytes {
            self.reading.set_once(|| Instant::now() + timeout);
        } else {
            self.reading.set(Instant::now() + timeout);
        }
        self.reading.poll(cx).map(|()| Some(Err(BodyError::Stalled)))
    }

    /// Whether the client has gone, while its request is being answered. Once it has sent more instead, that is kept,
    /// and nothing is read any more.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.body.is_ended() && self.is_idle() {
            match ready!(self.inbox.poll_read(&mut self.stream, cx)) {
                Ok(read) if read > 0 => {}
                _ => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Sends all that is in the outbox.
    ///
    /// # Errors
    /// When the connection fails, or the client takes nothing for too long.
    pub fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = match self.outbox.poll_write(&mut self.stream, cx) {
            Poll::Ready(Ok(())) => self.outbox.poll_flush(&mut self.stream, cx),
            other => other,
        };
        if sent.is_ready() {
            self.writing.stop();
            return sent;
        }
        let taking = self.patience.taking;
        self.writing.set_once(|| Instant::now() + taking);
        ready!(self.writing.poll(cx));
        let why = "the client takes no more of the response (send_timeout)";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }

    /// Reads and discards the rest of a request's body, as nginx does while it lingers.
    pub fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<Discarded> {
        let end = *self.lingering_end.get_or_insert_with(|| {
            self.reading.stop();
            Instant::now() + LINGERING_TIME
        });
        loop {
            let frame = self.inbox.poll_frame(&mut self.body, &mut self.stream, cx, BodyError::Client);
            let discarded = match frame {
                Poll::Ready(Some(Ok(_))) => {
                    self.reading.stop();
                    if Instant::now() < end {
                        continue;
                    }
                    Discarded::Part
                }
                Poll::Ready(None) => Discarded::Whole,
                Poll::Ready(Some(Err(BodyError::Client(_)))) => Discarded::ClientClosed,
                Poll::Ready(Some(Err(_))) => Discarded::Part,
                Poll::Pending => {
                    self.reading.set_once(|| end.min(Instant::now() + LINGERING_TIMEOUT));
                    ready!(self.reading.poll(cx));
                    Discarded::Part
                }
            };
            self.reading.stop();
            return Poll::Ready(discarded);
        }
    }

    /// Closes the connection so that the response arrives: closing with bytes unread would reset it. `clear`
    /// says that nothing but a socket is below, which has no closing message of its own.
    pub async fn close(mut self, clear: bool) {
        let unread = !self.body.is_ended() || !self.inbox.bytes.is_empty();
        if clear && !unread {
            return;
        }
        let end = Instant::now() + LINGERING_TIME;
        self.reading.set(Instant::now() + LINGERING_TIMEOUT);
        let mut is_shut = false;
        std::future::poll_fn(|cx| {
            is_shut = is_shut || Pin::new(&mut self.stream).poll_shutdown(cx).is_ready();
            if is_shut && (!unread || self.poll_unread(end, cx).is_ready()) {
                return Poll::Ready(());
            }
            self.reading.poll(cx)
        })
        .await;
    }

    /// Reads and forgets what still comes, until the client closes its side.
    fn poll_unread(&mut self, end: Instant, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.inbox.bytes.clear();
            match ready!(self.inbox.poll_read(&mut self.stream, cx)) {
                Ok(read) if read > 0 => {
                    let now = Instant::now();
                    if now >= end {
                        return Poll::Ready(());
                    }
                    self.reading.set(end.min(now + LINGERING_TIMEOUT));
                }
                _ => return Poll::Ready(()),
            }
        }
    }

    /// What is left when another protocol takes over: the stream, and what was read of it.
    pub fn into_parts(self) -> (S, BytesMut) {
        (self.stream, self.inbox.bytes)
    }
}

/// A request's body, as it comes in.
#[derive(Debug)]
pub struct Incoming<S> {
    connection: Rc<RefCell<Connection<S>>>,
    /// The request it belongs to.
    number: u64,
    budget: ConnectionBudget,
}

impl<S> Incoming<S> {
    /// The body of the connection's last request.
    pub fn new(connection: &Rc<RefCell<Connection<S>>>, budget: &ConnectionBudget) -> Self {
        let number = connection.borrow().requests;
        Incoming { connection: Rc::clone(connection), number, budget: budget.clone() }
    }
}

impl<S: Wire> RequestBody for Incoming<S> {
    fn budget(&self) -> &ConnectionBudget {
        &self.budget
    }
}

impl<S: Wire> http_body::Body for Incoming<S> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut connection = self.connection.borrow_mut();
        if connection.requests != self.number {
            return Poll::Ready(Some(Err(BodyError::Gone)));
        }
        connection.poll_body(cx)
    }

    fn is_end_stream(&self) -> bool {
        let connection = self.connection.borrow();
        connection.requests == self.number && connection.body.is_ended()
    }

    fn size_hint(&self) -> SizeHint {
        self.connection.borrow().body.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn due(connection: &mut Connection<DuplexStream>) -> Option<Instant> {
        match connection.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => connection.reading.due(),
            Poll::Ready(next) => {
                assert!(matches!(next, Next::Request(_)), "{next:?}");
                None
            }
        }
    }

    #[tokio::test]
    async fn a_head_has_its_time_from_its_first_byte_and_a_client_from_the_last_answer() {
        let (idle, stalled) = (Duration::from_secs(3600), Duration::from_secs(7200));
        let (mut client, near) = duplex(64);
        let patience = Patience { idle, stalled, body: idle, taking: idle };
        let mut connection = Connection::new(near, patience, HeadLimits::default());
        let opened = Instant::now();
        let first = due(&mut connection).expect("no bytes");
        assert!(first >= opened + stalled, "the first head has its time");
        client.write_all(b"GET / HTTP/1.1\r\n").await.expect("room");
        let begun = due(&mut connection).expect("a piece");
        assert!(begun >= first, "from when it has begun");
        client.write_all(b"Host: a\r\n").await.expect("room");
        assert_eq!(due(&mut connection), Some(begun), "further bytes win no time");
        client.write_all(b"\r\n").await.expect("room");
        assert_eq!(due(&mut connection), None, "a request");
        let answered = Instant::now();
        connection.rest();
        let next = due(&mut connection).expect("no bytes");
        assert!(next >= answered + idle && next < answered + stalled);
    }
}
