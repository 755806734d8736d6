//! HTTP/1.1 connections: the buffers that both sides use ([`ReadBuffer`], [`WriteBuffer`]), and the client side ([`Http1`]).
//!
//! An [`Http1`] is driven by the task that waits for the response. It has no task or channel of its own, which would double
//! the CPU time of a proxied request. The caller serializes the request head into the write buffer ([`Http1::head`]),
//! without building a header map first.

mod read_buffer;
mod write_buffer;

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
    BodyDecoder, HeadError, ResponseHead,
    http1::{RequestFacts, ResponseHeadParser},
};

pub use self::{read_buffer::ReadBuffer, write_buffer::WriteBuffer};
use super::{Body, BodyError, MemoryBudget, Stream};

/// Error of an exchange before the head of the response.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Connection(#[from] io::Error),
    /// The connection was closed before the head of the response.
    #[error("the connection was closed before an answer came")]
    Closed,
    /// The head of the response is malformed.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The request body failed.
    #[error("the request's body failed: {0}")]
    Body(#[source] BodyError),
    /// The HTTP/2 stream or connection failed.
    #[error(transparent)]
    Http2(#[from] hyper::Error),
}

/// Operation that an exchange with an upstream waits for. Each phase has its own timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The client must send more of the request body. [`RequestBody`](super::RequestBody) has the timeout for it.
    ReadClient,
    /// The upstream must read more of the request (`write_timeout`).
    WriteUpstream,
    /// The upstream must respond (`read_timeout`).
    ReadUpstream,
}

/// Progress of an exchange with an upstream. A deadline is reset only when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeProgress {
    /// Operation that the exchange waits for.
    pub phase: Phase,
    /// Bytes written, plus the bytes read once the head of the response is complete.
    pub bytes: u64,
}

/// HTTP/1.1 connection to an upstream.
///
/// The request is written while the response is read. Another request can follow only once both messages are complete
/// ([`Http1::is_reusable`]): if bytes of a request were still in the write buffer, the next head would follow in the
/// middle of it.
///
/// ```text
///              body frames               last frame            all written and flushed
///   Plain/Chunked ----> Plain/Chunked ------------> Flushing -------------------------> Sent
///         |                                            |
///         +--------------------------------------------+---> Abandoned (write error, or rejected by the upstream)
/// ```
#[derive(Debug)]
pub struct Http1<S = Stream> {
    stream: S,
    read_buffer: ReadBuffer,
    write_buffer: WriteBuffer,
    request: RequestState,
    head_parser: ResponseHeadParser,
    response_body: BodyDecoder,
    /// Whether the head of the response has been parsed.
    has_head: bool,
    keep_alive: bool,
}

/// State of sending a request.
#[derive(Debug)]
enum RequestState {
    /// The body is being read from the client, and sent with a Content-Length.
    Plain(Body),
    /// The body is being read from the client, and sent in chunks.
    Chunked(Body),
    /// The complete request is in the write buffer, and has not been written and flushed yet.
    Flushing,
    /// The complete request has been written.
    Sent,
    /// The remainder is not sent: the connection has failed, with an error until it is reported, or the upstream has
    /// rejected the request. A response may still be received.
    Abandoned(Option<SendError>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http1<S> {
    /// Wraps a new connection.
    pub fn new(stream: S) -> Self {
        Http1 {
            stream,
            read_buffer: ReadBuffer::default(),
            write_buffer: WriteBuffer::default(),
            request: RequestState::Sent,
            head_parser: ResponseHeadParser::default(),
            response_body: BodyDecoder::ended(),
            has_head: false,
            keep_alive: true,
        }
    }

    /// Sets the budget that large read buffers are reserved from.
    pub fn set_memory(&mut self, memory: Arc<MemoryBudget>) {
        self.read_buffer.set_memory(memory);
    }

    /// Returns the buffer for the head of the next request, the empty line behind it included. [`Http1::send_request`] sends it.
    pub fn head(&mut self) -> &mut Vec<u8> {
        debug_assert!(
            self.write_buffer.is_empty(),
            "a connection is reused only when its request has been written"
        );
        self.write_buffer.head()
    }

    /// Starts the request whose head was written. `chunked` must match the framing in the head. [`Http1::poll_response`]
    /// drives the request.
    pub fn send_request(&mut self, body: Body, chunked: bool, head_only: bool, upgrade: bool) {
        self.head_parser = ResponseHeadParser::new(RequestFacts { head_only, upgrade });
        self.keep_alive = false;
        self.has_head = false;
        self.request = match body {
            Body::Empty => RequestState::Flushing,
            Body::Buffered(bytes) => {
                self.write_buffer.push_data(bytes);
                RequestState::Flushing
            }
            body if chunked => RequestState::Chunked(body),
            body => RequestState::Plain(body),
        };
    }

    /// Returns the progress of the exchange.
    pub fn progress(&self) -> ExchangeProgress {
        use RequestState::{Abandoned, Chunked, Flushing, Plain, Sent};
        let phase = match self.request {
            Sent | Abandoned(_) => Phase::ReadUpstream,
            Plain(_) | Chunked(_) if self.write_buffer.is_flushed() => Phase::ReadClient,
            Plain(_) | Chunked(_) | Flushing => Phase::WriteUpstream,
        };
        let read_bytes = if self.has_head { self.read_buffer.read_bytes() } else { 0 };
        ExchangeProgress { phase, bytes: self.write_buffer.written_bytes() + read_bytes }
    }

    /// Sends the request, and polls for the head of the response. The request body may not be complete by then.
    ///
    /// # Errors
    /// Returns an error if the connection or the request body fails, or the head is malformed.
    pub fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, SendError>> {
        self.send(cx).map_err(SendError::Body)?;
        loop {
            if let Some(parsed) = self.head_parser.take(&mut self.read_buffer.bytes)? {
                // The request must be complete: the upstream would read the remainder as bytes of the new protocol.
                if parsed.head.status == StatusCode::SWITCHING_PROTOCOLS
                    && !matches!(self.request, RequestState::Sent)
                {
                    return Poll::Ready(Err(HeadError::Switch.into()));
                }
                self.response_body = parsed.body;
                self.keep_alive = parsed.keep_alive;
                self.has_head = true;
                // Stop sending: an upstream that rejects a request and closes the connection does not read the remainder
                // (RFC 9112 section 9.6). Waiting for the client's body could delay the response without end.
                if parsed.head.status.as_u16() >= 400
                    && !self.keep_alive
                    && !matches!(self.request, RequestState::Sent)
                {
                    self.abandon(None);
                }
                return Poll::Ready(Ok(parsed.head));
            }
            let result = match ready!(self.read_buffer.poll_read(&mut self.stream, cx)) {
                Ok(0) => Err(SendError::Closed),
                Ok(_) => continue,
                Err(error) => Err(error.into()),
            };
            // Report the write error if there was one: it is the first, and the cause.
            if let RequestState::Abandoned(error) = &mut self.request
                && let Some(error) = error.take()
            {
                return Poll::Ready(Err(error));
            }
            return Poll::Ready(result);
        }
    }

    /// Polls for the next frame of the response body, while it sends the remainder of the request.
    ///
    /// # Errors
    /// Returns an error if the connection fails, is closed before the end of the body, or the framing is malformed.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !matches!(self.request, RequestState::Sent | RequestState::Abandoned(_)) {
            self.send(cx)?;
        }
        self.read_buffer.poll_frame(&mut self.response_body, &mut self.stream, cx, BodyError::Upstream)
    }

    /// Returns whether the response body has ended.
    pub fn is_end_stream(&self) -> bool {
        self.response_body.is_ended()
    }

    /// Returns the remaining length of the response body.
    pub fn size_hint(&self) -> SizeHint {
        self.response_body.remaining().map_or_else(SizeHint::default, SizeHint::with_exact)
    }

    /// Returns whether another request can follow: both messages are complete, no bytes follow the response, and neither
    /// side closes the connection.
    pub fn is_reusable(&self) -> bool {
        self.keep_alive
            && matches!(self.request, RequestState::Sent)
            && self.has_head
            && self.response_body.is_ended()
            && self.read_buffer.is_idle()
    }

    /// Shrinks the read buffer before the connection becomes idle.
    pub(super) fn shrink_buffers(&mut self) {
        self.read_buffer.shrink();
    }

    /// Returns whether an idle connection was closed, or received bytes outside of an exchange. Reads from the socket only
    /// if the poller has reported it readable.
    pub fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(&mut self.stream).poll_read(&mut cx, &mut buffer).is_ready()
    }

    /// Returns the stream and the bytes read from it, after an upgrade to another protocol.
    pub fn into_parts(self) -> (S, Bytes) {
        (self.stream, self.read_buffer.bytes.freeze())
    }

    /// Sends what the stream accepts now. A write error is stored: the upstream may have responded before it closed.
    ///
    /// # Errors
    /// Returns an error if the request body fails, so that the request cannot be completed.
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

    /// Stops sending the request. Drops its body, so that the client's connection can discard the remainder.
    fn abandon(&mut self, error: Option<SendError>) {
        self.keep_alive = false;
        self.write_buffer.clear();
        self.request = RequestState::Abandoned(error);
    }

    /// Sends the request until the client or the upstream blocks. Ready once it is sent or abandoned.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        loop {
            let waits_for_client = self.poll_body(cx)?.is_pending();
            ready!(self.write_buffer.poll_write(&mut self.stream, cx))?;
            let is_complete = !matches!(self.request, RequestState::Plain(_) | RequestState::Chunked(_));
            if waits_for_client || is_complete {
                ready!(self.write_buffer.poll_flush(&mut self.stream, cx))?;
                if !is_complete {
                    return Poll::Pending;
                }
                if matches!(self.request, RequestState::Flushing) {
                    self.request = RequestState::Sent;
                }
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Moves frames of the request body to the write buffer while it has capacity.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, SendError> {
        while self.write_buffer.has_capacity() {
            let (body, chunked) = match &mut self.request {
                RequestState::Plain(body) => (body, false),
                RequestState::Chunked(body) => (body, true),
                RequestState::Flushing | RequestState::Sent | RequestState::Abandoned(_) => break,
            };
            let frame = match Pin::new(body).poll_frame(cx) {
                Poll::Ready(frame) => frame.transpose().map_err(SendError::Body)?,
                Poll::Pending => return Ok(Poll::Pending),
            };
            match frame.map(Frame::into_data) {
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) if chunked => self.write_buffer.push_chunk(data),
                Some(Ok(data)) => self.write_buffer.push_data(data),
                // Trailers are not forwarded.
                Some(Err(_)) => {}
                None => {
                    if chunked {
                        self.write_buffer.push_last_chunk();
                    }
                    self.request = RequestState::Flushing;
                }
            }
        }
        Ok(Poll::Ready(()))
    }
}
