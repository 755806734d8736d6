//! Message bodies: nothing, bytes at hand, or a stream from a connection.

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

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection it came from failed.
    #[error("the connection failed in the middle of a body")]
    Connection(#[from] hyper::Error),
    /// The client's connection failed, or was closed before the end.
    #[error("the client's connection failed in the middle of a body: {0}")]
    Client(#[source] io::Error),
    /// The upstream's connection failed, or was closed before the end.
    #[error("the upstream's connection failed in the middle of a body: {0}")]
    Upstream(#[from] io::Error),
    /// Chunks are malformed.
    #[error("malformed body: {0}")]
    Framing(#[from] FramingError),
    /// It is longer than may be held in memory.
    #[error("the body is longer than {limit} bytes")]
    TooLong {
        /// Bytes allowed.
        limit: usize,
    },
    /// Nothing arrived for too long.
    #[error("the body stopped arriving")]
    Stalled,
    /// There is no memory left to buffer it.
    #[error(transparent)]
    Budget(#[from] BudgetExceeded),
    /// A plugin has to change it and cannot read it.
    #[error("the body cannot be changed: {0}")]
    Unreadable(&'static str),
    /// It has been handed on already.
    #[error("the body has been sent on already")]
    Gone,
}

/// The body of a request as a client's connection delivers it. It fails with [`BodyError::Stalled`] when the client
/// sends no byte of it for `client_body_timeout` while a caller waits for one.
pub trait RequestBody: http_body::Body<Data = Bytes, Error = BodyError> + Unpin {
    /// What buffering it is counted against.
    fn budget(&self) -> &ConnectionBudget;
}

/// A request's body whose type is erased.
pub type Delivered = Box<dyn RequestBody>;

/// A body of a request or an answer.
#[derive(Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// Bytes at hand, given out as one frame.
    Whole(Bytes),
    /// What a connection delivers.
    Stream(Delivered),
    /// A request's body on its way to the upstream.
    Upload(Box<Upload>),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Body::Empty => "Empty",
            Body::Whole(_) => "Whole",
            Body::Stream(_) => "Stream",
            Body::Upload(_) => "Upload",
        })
    }
}

impl Body {
    /// A body of these bytes.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Body::Empty } else { Body::Whole(bytes) }
    }

    /// Reads to the end, up to `limit` bytes.
    ///
    /// # Errors
    /// When the connection fails, the body is longer, or there is no memory to buffer it.
    pub async fn read(mut self, limit: usize) -> Result<Bytes, BodyError> {
        let budget = match &self {
            Body::Empty => return Ok(Bytes::new()),
            Body::Whole(bytes) if bytes.len() > limit => return Err(BodyError::TooLong { limit }),
            Body::Whole(bytes) => return Ok(bytes.clone()),
            Body::Stream(stream) => stream.budget().clone(),
            Body::Upload(upload) => upload.rest.budget().clone(),
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

    /// Reads to the end of a body that a connection delivers; or until more than `held` bytes are held, or there is no
    /// memory for more, and streams the rest. Longer than `max` bytes, it fails, now or as it streams.
    ///
    /// # Errors
    /// When the connection fails, or the body is longer than `max` bytes.
    pub async fn hold(self, held: usize, max: u64) -> Result<Body, BodyError> {
        let Body::Stream(mut stream) = self else { return Ok(self) };
        let mut buffer = BodyBuffer::new(stream.budget());
        let unheld = loop {
            let Some(frame) = stream.frame().await else { return Ok(Body::whole(buffer.freeze())) };
            // Trailers are not sent on.
            let Ok(data) = frame?.into_data() else { continue };
            if (buffer.len() + data.len()) as u64 > max {
                return Err(BodyError::TooLong { limit: usize::try_from(max).unwrap_or(usize::MAX) });
            }
            if let Err((data, _)) = buffer.push(data) {
                break data;
            }
            if stream.is_end_stream() {
                return Ok(Body::whole(buffer.freeze()));
            }
            if buffer.len() > held {
                break Bytes::new();
            }
        };
        Ok(Body::Upload(Box::new(Upload::new([buffer.freeze(), unheld], stream, max))))
    }

    /// Whether all of it is at hand, so that it can be sent more than once.
    pub fn at_hand(&self) -> bool {
        matches!(self, Body::Empty | Body::Whole(_))
    }
}

/// A request's body that streams: what was read ahead of it, then the rest. Trailers end it: they are not
/// sent on.
pub struct Upload {
    held: VecDeque<Bytes>,
    rest: Delivered,
    max_bytes: u64,
}

impl Upload {
    /// A body that gives `held`, then `rest`; longer than `max_bytes` in all, it fails.
    pub fn new(held: impl IntoIterator<Item = Bytes>, rest: Delivered, max_bytes: u64) -> Self {
        Upload { held: held.into_iter().filter(|piece| !piece.is_empty()).collect(), rest, max_bytes }
    }

    /// Lets it fail beyond so many bytes, unless it does before. To be called before it is read.
    pub fn limit(&mut self, max_bytes: u64) {
        self.max_bytes = self.max_bytes.min(max_bytes);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let data = match self.held.pop_front() {
            Some(piece) => piece,
            None => match ready!(Pin::new(&mut self.rest).poll_frame(cx)) {
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
            Body::Whole(_) => match std::mem::take(this) {
                Body::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                _ => Poll::Ready(None),
            },
            Body::Stream(stream) => Pin::new(stream).poll_frame(cx),
            Body::Upload(upload) => upload.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Whole(_) => false,
            Body::Stream(stream) => stream.is_end_stream(),
            Body::Upload(upload) => upload.held.is_empty() && upload.rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Stream(stream) => stream.size_hint(),
            Body::Upload(upload) => match upload.rest.size_hint().exact() {
                Some(rest) => SizeHint::with_exact(
                    rest + upload.held.iter().map(|piece| piece.len() as u64).sum::<u64>(),
                ),
                None => SizeHint::default(),
            },
        }
    }
}
