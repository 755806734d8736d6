//! HTTP/1.1. What both sides of it need: reading bodies ([`Decoder`]), what was read ([`Inbox`]) and what is on its
//! way ([`Outbox`]). And the side towards an upstream, [`Http1`]: one connection, one request at a time, driven by whoever waits for the
//! answer. There is no task behind it and nothing is handed from thread to thread, which is half of what a
//! proxied request costs with a client that has both.
//!
//! The caller writes the request's head into the connection's own buffer ([`Http1::head`]), so that no map
//! of headers is made to be taken apart again.

mod body;
mod fields;
mod head;
mod inbox;
mod line;
mod outbox;
mod raw;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::head::{Asked, HeadReader};
pub use self::{
    body::{Decoder, FramingError, Step},
    fields::{Fields, Known, MAX_NAME, SINGLETONS},
    head::{Head, HeadError},
    inbox::Inbox,
    line::{Line, is_token},
    outbox::Outbox,
    raw::{Place, RawHead},
};
use super::{Body, BodyError, Stream};

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

/// A connection that speaks HTTP/1.1.
#[derive(Debug)]
pub struct Http1<S = Stream> {
    stream: S,
    inbox: Inbox,
    outbox: Outbox,
    upload: Upload,
    reader: HeadReader,
    answer: Decoder,
    keep: bool,
}

/// The rest of a request's body.
#[derive(Debug)]
enum Upload {
    Ended,
    Plain(Body),
    Chunked(Body),
    /// It, or the connection's way out, failed; an answer may still come.
    Failed(Option<SendError>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http1<S> {
    /// A connection just opened.
    pub fn new(stream: S) -> Self {
        Http1 {
            stream,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            upload: Upload::Ended,
            reader: HeadReader::default(),
            answer: Decoder::ended(),
            keep: true,
        }
    }

    /// Where a request's head is to be written, its empty line included, before [`Http1::begin`].
    pub fn head(&mut self) -> &mut Vec<u8> {
        self.outbox.clear();
        self.outbox.head()
    }

    /// Begins the request whose head was written. Its body is sent `chunked` or as it is, which the head has
    /// said; `head_only` and `upgrade` tell what was asked for.
    pub fn begin(&mut self, body: Body, chunked: bool, head_only: bool, upgrade: bool) {
        self.reader = HeadReader::new(Asked { head_only, upgrade });
        self.keep = false;
        self.upload = match body {
            Body::Empty => Upload::Ended,
            Body::Whole(bytes) => {
                self.outbox.piece(bytes);
                Upload::Ended
            }
            body if chunked => Upload::Chunked(body),
            body => Upload::Plain(body),
        };
    }

    /// Sends the request and waits for the answer's head. The body may still be on its way then.
    ///
    /// # Errors
    /// When there will be none.
    pub fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, SendError>> {
        self.send(cx);
        loop {
            if let Some(parsed) = self.reader.take(&mut self.inbox.bytes)? {
                self.answer = parsed.body;
                self.keep = parsed.keep;
                return Poll::Ready(Ok(parsed.head));
            }
            let read = match ready!(self.inbox.poll_read(&mut self.stream, cx)) {
                Ok(0) => Err(SendError::Closed),
                Ok(_) => continue,
                Err(error) => Err(error.into()),
            };
            // What went wrong first is the reason.
            if let Upload::Failed(error) = &mut self.upload
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
        if !matches!(self.upload, Upload::Ended) {
            self.send(cx);
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

    /// Whether another request may follow: both messages have ended, and neither side wants to close.
    pub fn is_reusable(&self) -> bool {
        self.keep && self.answer.is_ended() && matches!(self.upload, Upload::Ended) && self.inbox.is_idle()
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

    /// Sends what can be sent now. A failure is kept: the upstream may have answered before it closed.
    fn send(&mut self, cx: &mut Context<'_>) {
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            self.keep = false;
            self.outbox.clear();
            self.upload = Upload::Failed(Some(error));
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        loop {
            let waits = self.poll_pieces(cx)?.is_pending();
            ready!(self.outbox.poll_write(&mut self.stream, cx))?;
            if waits || matches!(self.upload, Upload::Ended | Upload::Failed(_)) {
                ready!(self.outbox.poll_flush(&mut self.stream, cx))?;
                return if waits { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
        }
    }

    /// Puts the next pieces of the request's body into the outbox, as long as there is room for them.
    fn poll_pieces(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, SendError> {
        while self.outbox.has_room() {
            let (body, chunked) = match &mut self.upload {
                Upload::Plain(body) => (body, false),
                Upload::Chunked(body) => (body, true),
                Upload::Ended | Upload::Failed(_) => break,
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
                    self.upload = Upload::Ended;
                }
            }
        }
        Ok(Poll::Ready(()))
    }
}
