//! HTTP/1.1. What both sides of it need: reading bodies ([`Decoder`]), what was read ([`Inbox`]) and what is on its
//! way ([`Outbox`]). And the side towards an upstream, [`Http1`]: one connection, one request at a time, driven by whoever waits for the
//! answer. There is no task behind it and nothing is handed from thread to thread, which is half of what a
//! proxied request costs with a client that has both.
//!
//! The caller writes the request's head into the connection's own buffer ([`Http1::head`]), so that no map
//! of headers is made to be taken apart again.

mod inbox;
mod outbox;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body as _, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use http_codec::{
    Decoder, Head, HeadError,
    http1::{Asked, HeadReader},
};

pub use self::{inbox::Inbox, outbox::Outbox};
use super::{Body, BodyError, MemoryBudget, Stream};

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Connection(#[from] io::Error),
    /// The connection was closed before an answer.
    #[error("the connection was closed before an answer came")]
    Closed,
    /// What came is no answer.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The request's body failed.
    #[error("the request's body failed: {0}")]
    Body(#[source] BodyError),
    /// HTTP/2 failed.
    #[error(transparent)]
    Http2(#[from] hyper::Error),
}

/// What an exchange with an upstream waits for. Each phase has a deadline of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The client has to send more of the request's body. The body itself has the deadline for that.
    ReadClient,
    /// The upstream has to take more of the request (`write_timeout`).
    WriteUpstream,
    /// The upstream has to respond (`read_timeout`).
    ReadUpstream,
}

/// How far an exchange with an upstream has got. A deadline moves only when this changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it waits for.
    pub phase: Phase,
    /// Bytes that have crossed the connection: those written, and, once the response's head is there, those read.
    pub bytes: u64,
}

/// A connection to an upstream that uses HTTP/1.1.
///
/// A request is written and a response read at the same time. Another request may follow only once both messages
/// have crossed the connection whole ([`Http1::is_reusable`]): a request that is merely in the outbox would go on in
/// the middle of the next one's head.
///
/// ```text
///              body frames               last frame            all written and flushed
///   Plain/Chunked ----> Plain/Chunked ------------> Flushing -------------------------> Sent
///         |                                            |
///         +--------------------------------------------+---> Abandoned (write error, or refused by the upstream)
/// ```
#[derive(Debug)]
pub struct Http1<S = Stream> {
    stream: S,
    inbox: Inbox,
    outbox: Outbox,
    upload: Upload,
    reader: HeadReader,
    answer: Decoder,
    /// Whether the response's head has been read.
    has_head: bool,
    keep: bool,
}

/// How far a request has been written.
#[derive(Debug)]
enum Upload {
    /// Its body is still being taken from the client, as it is or in chunks.
    Plain(Body),
    Chunked(Body),
    /// All of it is in the outbox, and not all of that has been written.
    Flushing,
    /// All of it has been written to the socket.
    Sent,
    /// The rest of it is not sent: the connection has failed, with that error until it was reported, or the upstream has
    /// refused the request. A response may still come.
    Abandoned(Option<SendError>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http1<S> {
    /// A connection just opened.
    pub fn new(stream: S) -> Self {
        Http1 {
            stream,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            upload: Upload::Sent,
            reader: HeadReader::default(),
            answer: Decoder::ended(),
            has_head: false,
            keep: true,
        }
    }

    /// Reserves the room that a fast upstream needs from that budget.
    pub fn set_memory(&mut self, memory: Arc<MemoryBudget>) {
        self.inbox.set_memory(memory);
    }

    /// Where a request's head is to be written, its empty line included, before [`Http1::begin`].
    pub fn head(&mut self) -> &mut Vec<u8> {
        debug_assert!(
            self.outbox.is_empty(),
            "a connection is reused only when its request has been written"
        );
        self.outbox.head()
    }

    /// Begins the request whose head was written. Its body is sent `chunked` or as it is, which the head has
    /// said; `head_only` and `upgrade` tell what was asked for.
    pub fn begin(&mut self, body: Body, chunked: bool, head_only: bool, upgrade: bool) {
        self.reader = HeadReader::new(Asked { head_only, upgrade });
        self.keep = false;
        self.has_head = false;
        self.upload = match body {
            Body::Empty => Upload::Flushing,
            Body::Whole(bytes) => {
                self.outbox.piece(bytes);
                Upload::Flushing
            }
            body if chunked => Upload::Chunked(body),
            body => Upload::Plain(body),
        };
    }

    /// How far the exchange has got.
    pub fn progress(&self) -> Progress {
        let phase = match self.upload {
            Upload::Sent | Upload::Abandoned(_) => Phase::ReadUpstream,
            Upload::Plain(_) | Upload::Chunked(_) if self.outbox.is_flushed() => Phase::ReadClient,
            Upload::Plain(_) | Upload::Chunked(_) | Upload::Flushing => Phase::WriteUpstream,
        };
        let read = if self.has_head { self.inbox.read_bytes() } else { 0 };
        Progress { phase, bytes: self.outbox.written_bytes() + read }
    }

    /// Sends the request and waits for the answer's head. The body may still be on its way then.
    ///
    /// # Errors
    /// When there will be none, or the request's body fails.
    pub fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, SendError>> {
        self.send(cx).map_err(SendError::Body)?;
        loop {
            if let Some(parsed) = self.reader.take(&mut self.inbox.bytes)? {
                // What of the request is not written by now would be lost, or belong to the other protocol.
                if parsed.head.status == StatusCode::SWITCHING_PROTOCOLS
                    && !matches!(self.upload, Upload::Sent)
                {
                    return Poll::Ready(Err(HeadError::Switch.into()));
                }
                self.answer = parsed.body;
                self.keep = parsed.keep;
                self.has_head = true;
                // An upstream that refuses a request and closes reads no more of it. It may not even go on with its
                // response until that is read, nor the client before it has sent its body (RFC 9112 section 9.6).
                if parsed.head.status.as_u16() >= 400 && !self.keep && !matches!(self.upload, Upload::Sent) {
                    self.abandon(None);
                }
                return Poll::Ready(Ok(parsed.head));
            }
            let read = match ready!(self.inbox.poll_read(&mut self.stream, cx)) {
                Ok(0) => Err(SendError::Closed),
                Ok(_) => continue,
                Err(error) => Err(error.into()),
            };
            // What went wrong first is the reason.
            if let Upload::Abandoned(error) = &mut self.upload
                && let Some(error) = error.take()
            {
                return Poll::Ready(Err(error));
            }
            return Poll::Ready(read);
        }
    }

    /// The next piece of the answer's body.
    ///
    /// # Errors
    /// When the connection fails or is closed before the body's end, or the framing is malformed.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !matches!(self.upload, Upload::Sent | Upload::Abandoned(_)) {
            self.send(cx)?;
        }
        self.inbox.poll_frame(&mut self.answer, &mut self.stream, cx, BodyError::Upstream)
    }

    /// Whether the answer's body has ended.
    pub fn is_end_stream(&self) -> bool {
        self.answer.is_ended()
    }

    /// Bytes of the answer's body that are left.
    pub fn size_hint(&self) -> SizeHint {
        self.answer.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }

    /// Whether another request may follow: the request has been written whole, the response was read whole, nothing
    /// came after it, and neither side wants to close.
    pub fn is_reusable(&self) -> bool {
        self.keep
            && matches!(self.upload, Upload::Sent)
            && self.has_head
            && self.answer.is_ended()
            && self.inbox.is_idle()
    }

    /// Gives back room that only much data needs: the connection is about to be idle.
    pub(super) fn rest(&mut self) {
        self.inbox.rest();
    }

    /// Whether an idle connection was closed, or sent something unasked. Looks at the socket only when the
    /// kernel has said that something is there.
    pub fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut self.stream).poll_read(&mut cx, &mut buffer).is_ready()
    }

    /// What is left when both sides have agreed on another protocol: the stream, and what was read of it.
    pub fn into_parts(self) -> (S, Bytes) {
        (self.stream, self.inbox.bytes.freeze())
    }

    /// Sends what can be sent now. A failure of the connection is kept: the upstream may have responded before it closed.
    ///
    /// # Errors
    /// When the request's body fails: what was sent of it cannot be completed.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), BodyError> {
        let error = match self.poll_send(cx) {
            Poll::Ready(Err(error)) => error,
            _ => return Ok(()),
        };
        match error {
            SendError::Body(error) => {
                self.abandon(None);
                Err(error)
            }
            error => {
                self.abandon(Some(error));
                Ok(())
            }
        }
    }

    /// Sends no more of the request. Its body is dropped, so that the client's connection may discard the rest.
    fn abandon(&mut self, error: Option<SendError>) {
        self.keep = false;
        self.outbox.clear();
        self.upload = Upload::Abandoned(error);
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        loop {
            let waits = self.poll_pieces(cx)?.is_pending();
            ready!(self.outbox.poll_write(&mut self.stream, cx))?;
            let whole = !matches!(self.upload, Upload::Plain(_) | Upload::Chunked(_));
            if waits || whole {
                ready!(self.outbox.poll_flush(&mut self.stream, cx))?;
                if !whole {
                    return Poll::Pending;
                }
                if matches!(self.upload, Upload::Flushing) {
                    self.upload = Upload::Sent;
                }
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Puts the next pieces of the request's body into the outbox, as long as there is room for them.
    fn poll_pieces(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, SendError> {
        while self.outbox.has_room() {
            let (body, chunked) = match &mut self.upload {
                Upload::Plain(body) => (body, false),
                Upload::Chunked(body) => (body, true),
                Upload::Flushing | Upload::Sent | Upload::Abandoned(_) => break,
            };
            let frame = match Pin::new(body).poll_frame(cx) {
                Poll::Ready(frame) => frame.transpose().map_err(SendError::Body)?,
                Poll::Pending => return Ok(Poll::Pending),
            };
            match frame.map(Frame::into_data) {
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) if chunked => self.outbox.chunk(data),
                Some(Ok(data)) => self.outbox.piece(data),
                // Trailers are not sent on.
                Some(Err(_)) => {}
                None => {
                    if chunked {
                        self.outbox.last_chunk();
                    }
                    self.upload = Upload::Flushing;
                }
            }
        }
        Ok(Poll::Ready(()))
    }
}
