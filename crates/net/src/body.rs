//! Message bodies: empty, buffered, or streamed from a client's connection.

use std::{
    collections::VecDeque,
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;

use http_codec::FramingError;

use super::{BodyBuffer, BudgetExceeded, ConnectionBudget};

/// Error that ended a body prematurely.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// An HTTP/2 stream or connection failed.
    #[error("the connection failed in the middle of a body")]
    Connection(#[from] hyper::Error),
    /// The client's connection failed, or was closed prematurely.
    #[error("the client's connection failed in the middle of a body: {0}")]
    Client(#[source] io::Error),
    /// The upstream's connection failed, or was closed prematurely.
    #[error("the upstream's connection failed in the middle of a body: {0}")]
    Upstream(#[from] io::Error),
    /// The chunked framing is malformed.
    #[error("malformed body: {0}")]
    Framing(#[from] FramingError),
    /// The body exceeds a limit.
    #[error("the body is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// No bytes were received for too long.
    #[error("the body stopped arriving")]
    Stalled,
    /// A memory budget for buffered bodies is exhausted.
    #[error(transparent)]
    Budget(#[from] BudgetExceeded),
    /// A plugin must modify the body and cannot parse it.
    #[error("the body cannot be changed: {0}")]
    Unreadable(&'static str),
    /// The body has been consumed.
    #[error("the body has been sent on already")]
    AlreadyConsumed,
}

/// Request body that is streamed from a client's connection. Fails with [`BodyError::Stalled`] if the client sends no
/// byte for `client_body_timeout` while the body is polled.
pub trait RequestBody: http_body::Body<Data = Bytes, Error = BodyError> + Unpin {
    /// Returns the budget that buffering the body is charged to.
    fn budget(&self) -> &ConnectionBudget;
}

/// Type-erased request body.
pub type IncomingBody = Box<dyn RequestBody>;

/// Body of a request or a response.
#[derive(Default)]
pub enum Body {
    /// No bytes.
    #[default]
    Empty,
    /// A buffered body, returned as one frame.
    Buffered(Bytes),
    /// A body that is streamed from a client's connection.
    Stream(IncomingBody),
    /// A request body that is partly buffered and streamed to the upstream.
    Upload(Box<StreamingBody>),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Body::Empty => "Empty",
            Body::Buffered(_) => "Whole",
            Body::Stream(_) => "Stream",
            Body::Upload(_) => "Upload",
        })
    }
}

impl Body {
    /// Creates a buffered body.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Body::Empty } else { Body::Buffered(bytes) }
    }

    /// Reads the body to its end, up to `limit` bytes.
    ///
    /// # Errors
    /// Returns an error if the connection fails, the body exceeds the limit, or the budget is exhausted.
    pub async fn read(mut self, limit: usize) -> Result<Bytes, BodyError> {
        let budget = match &self {
            Body::Empty => return Ok(Bytes::new()),
            Body::Buffered(bytes) if bytes.len() > limit => return Err(BodyError::TooLong { limit }),
            Body::Buffered(bytes) => return Ok(bytes.clone()),
            Body::Stream(stream) => stream.budget().clone(),
            Body::Upload(upload) => upload.remainder.budget().clone(),
        };
        let mut buffer = BodyBuffer::new(&budget);
        while let Some(frame) = self.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            if buffer.len() + data.len() > limit {
                return Err(BodyError::TooLong { limit });
            }
            buffer.push(data).map_err(|(_, exceeded)| exceeded)?;
        }
        Ok(buffer.freeze())
    }

    /// Buffers a streamed body. Once more than `max_buffered` bytes are buffered, or the budget is exhausted, the remainder
    /// is streamed. A body of more than `max_bytes` fails, here or while it is streamed.
    ///
    /// # Errors
    /// Returns an error if the connection fails, or the body exceeds `max_bytes`.
    pub async fn buffer(self, max_buffered: usize, max_bytes: u64) -> Result<Body, BodyError> {
        let Body::Stream(mut stream) = self else { return Ok(self) };
        let mut buffer = BodyBuffer::new(stream.budget());
        let unbuffered = loop {
            let Some(frame) = stream.frame().await else { return Ok(Body::from_bytes(buffer.freeze())) };
            // Trailers are not forwarded.
            let Ok(data) = frame?.into_data() else { continue };
            if (buffer.len() + data.len()) as u64 > max_bytes {
                return Err(BodyError::TooLong { limit: usize::try_from(max_bytes).unwrap_or(usize::MAX) });
            }
            if let Err((data, _)) = buffer.push(data) {
                break data;
            }
            if stream.is_end_stream() {
                return Ok(Body::from_bytes(buffer.freeze()));
            }
            if buffer.len() > max_buffered {
                break Bytes::new();
            }
        };
        Ok(Body::Upload(Box::new(StreamingBody::new([buffer.freeze(), unbuffered], stream, max_bytes))))
    }

    /// Returns whether the body is buffered completely, so that a retry can send it again.
    pub fn is_buffered(&self) -> bool {
        matches!(self, Body::Empty | Body::Buffered(_))
    }
}

/// Request body of which the first bytes are buffered and the remainder is streamed. Ends at trailers, which are not
/// forwarded.
pub struct StreamingBody {
    buffered: VecDeque<Bytes>,
    remainder: IncomingBody,
    max_bytes: u64,
}

impl StreamingBody {
    /// Creates a body of `buffered` followed by `remainder`. It fails beyond `max_bytes` in total.
    pub fn new(buffered: impl IntoIterator<Item = Bytes>, remainder: IncomingBody, max_bytes: u64) -> Self {
        let buffered = buffered.into_iter().filter(|chunk| !chunk.is_empty()).collect();
        StreamingBody { buffered, remainder, max_bytes }
    }

    /// Lowers the maximum length. Must be called before the body is polled.
    pub fn limit(&mut self, max_bytes: u64) {
        self.max_bytes = self.max_bytes.min(max_bytes);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let data = match self.buffered.pop_front() {
            Some(chunk) => chunk,
            None => match ready!(Pin::new(&mut self.remainder).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    Err(_) => return Poll::Ready(None),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            },
        };
        match self.max_bytes.checked_sub(data.len() as u64) {
            Some(remaining) => self.max_bytes = remaining,
            None => return Poll::Ready(Some(Err(BodyError::TooLong { limit: 0 }))),
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        match this {
            Body::Empty => Poll::Ready(None),
            Body::Buffered(_) => match std::mem::take(this) {
                Body::Buffered(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                _ => Poll::Ready(None),
            },
            Body::Stream(stream) => Pin::new(stream).poll_frame(cx),
            Body::Upload(upload) => upload.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Buffered(_) => false,
            Body::Stream(stream) => stream.is_end_stream(),
            Body::Upload(upload) => upload.buffered.is_empty() && upload.remainder.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Buffered(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Stream(stream) => stream.size_hint(),
            Body::Upload(upload) => match upload.remainder.size_hint().exact() {
                Some(remaining) => SizeHint::with_exact(
                    remaining + upload.buffered.iter().map(|chunk| chunk.len() as u64).sum::<u64>(),
                ),
                None => SizeHint::default(),
            },
        }
    }
}
