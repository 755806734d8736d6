//! HTTP/1.1 towards an upstream: one connection, one request at a time, driven by whoever waits for the
//! answer. There is no task behind it and nothing is handed from thread to thread, which is half of what a
//! proxied request costs with a client that has both.
//!
//! The caller writes the request's head into the connection's own buffer ([`Http1::head`]), so that no map
//! of headers is made to be taken apart again.

mod body;
mod head;

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body as _, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

pub use self::{
    body::FramingError,
    head::{Head, HeadError},
};
use self::{
    body::{Decoder, Step},
    head::Asked,
};
use super::{Body, BodyError, Stream};

/// Bytes for which there is room at a read, at first and at most.
const ROOM: (usize, usize) = (8 * 1024, 256 * 1024);
/// Room that is left of a buffer and not worth a read.
const SCRAP: usize = 2 * 1024;

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
    /// Read and not yet looked at.
    inbox: BytesMut,
    room: usize,
    /// A head or a chunk's frame on its way out; so many bytes of it have left.
    outbox: Vec<u8>,
    left: usize,
    /// A piece of the body that follows it, and what ends the piece.
    piece: Bytes,
    ending: &'static [u8],
    upload: Upload,
    /// Whether something was written that the stream may still hold back.
    held: bool,
    asked: Asked,
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
            inbox: BytesMut::new(),
            room: ROOM.0,
            outbox: Vec::new(),
            left: 0,
            piece: Bytes::new(),
            ending: b"",
            upload: Upload::Ended,
            held: false,
            asked: Asked::default(),
            answer: Decoder::ended(),
            keep: true,
        }
    }

    /// Where a request's head is to be written, its empty line included, before [`Http1::begin`].
    pub fn head(&mut self) -> &mut Vec<u8> {
        self.outbox.clear();
        self.left = 0;
        &mut self.outbox
    }

    /// Begins the request whose head was written. Its body is sent `chunked` or as it is, which the head has
    /// said; `head_only` and `upgrade` tell what was asked for.
    pub fn begin(&mut self, body: Body, chunked: bool, head_only: bool, upgrade: bool) {
        self.asked = Asked { head_only, upgrade };
        self.keep = false;
        self.upload = match body {
            Body::Empty => Upload::Ended,
            Body::Whole(bytes) => {
                self.piece = bytes;
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
            if let Some(parsed) = head::take(&mut self.inbox, self.asked)? {
                self.answer = parsed.body;
                self.keep = parsed.keep;
                return Poll::Ready(Ok(parsed.head));
            }
            let read = match ready!(self.read(cx)) {
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
        loop {
            match self.answer.step(&mut self.inbox) {
                Ok(Step::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Step::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Ok(Step::Ended) => return Poll::Ready(None),
                Ok(Step::More) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
            match ready!(self.read(cx)) {
                Ok(0) if self.answer.close() => return Poll::Ready(None),
                Ok(0) => return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
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
        self.keep && self.answer.is_ended() && matches!(self.upload, Upload::Ended) && self.inbox.is_empty()
    }

    /// Gives back room that only much data needs: the connection is about to be idle.
    pub(super) fn rest(&mut self) {
        if self.room > ROOM.0 {
            self.room = ROOM.0;
            self.inbox = BytesMut::new();
        }
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
        (self.stream, self.inbox.freeze())
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.inbox.capacity() - self.inbox.len() < SCRAP.max(self.room / 4) {
            self.inbox.reserve(self.room);
        }
        let room = self.inbox.capacity() - self.inbox.len();
        let read = ready!(poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.inbox))?;
        // A buffer read full is a sign of much to come.
        if read == room {
            self.room = (self.room * 2).min(ROOM.1);
        } else if read < self.room / 4 {
            self.room = (self.room / 2).max(ROOM.0);
        }
        Poll::Ready(Ok(read))
    }

    /// Sends what can be sent now. A failure is kept: the upstream may have answered before it closed.
    fn send(&mut self, cx: &mut Context<'_>) {
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            self.keep = false;
            self.outbox.clear();
            self.left = 0;
            self.piece = Bytes::new();
            self.ending = b"";
            self.upload = Upload::Failed(Some(error));
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        loop {
            ready!(self.poll_write(cx))?;
            let (body, chunked) = match &mut self.upload {
                Upload::Plain(body) => (body, false),
                Upload::Chunked(body) => (body, true),
                Upload::Ended | Upload::Failed(_) => return self.poll_flush(cx),
            };
            let frame = match Pin::new(body).poll_frame(cx) {
                Poll::Ready(frame) => frame.transpose().map_err(SendError::Body)?,
                Poll::Pending => {
                    ready!(self.poll_flush(cx))?;
                    return Poll::Pending;
                }
            };
            match frame.map(Frame::into_data) {
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) => {
                    if chunked {
                        frame_of(&mut self.outbox, data.len());
                        self.ending = b"\r\n";
                    }
                    self.piece = data;
                }
                // Trailers are not sent on.
                Some(Err(_)) => {}
                None => {
                    if chunked {
                        self.ending = b"0\r\n\r\n";
                    }
                    self.upload = Upload::Ended;
                }
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        while self.left < self.outbox.len() || !self.piece.is_empty() || !self.ending.is_empty() {
            let head = &self.outbox[self.left..];
            let stream = Pin::new(&mut self.stream);
            let written = if self.piece.is_empty() && self.ending.is_empty() {
                ready!(stream.poll_write(cx, head))?
            } else {
                let pieces = [IoSlice::new(head), IoSlice::new(&self.piece), IoSlice::new(self.ending)];
                ready!(stream.poll_write_vectored(cx, &pieces))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into()));
            }
            self.held = true;
            let of_head = written.min(head.len());
            self.left += of_head;
            let of_piece = (written - of_head).min(self.piece.len());
            self.piece.advance(of_piece);
            self.ending = &self.ending[written - of_head - of_piece..];
        }
        self.outbox.clear();
        self.left = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        if self.held {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.held = false;
        }
        Poll::Ready(Ok(()))
    }
}

/// A chunk's size line.
fn frame_of(out: &mut Vec<u8>, length: usize) {
    use std::io::Write as _;
    write!(out, "{length:x}\r\n").expect("a vector takes what is written");
}
