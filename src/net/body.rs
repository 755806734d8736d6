//! Message bodies: nothing, bytes at hand, or a stream from a connection.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection it came from failed.
    #[error("the connection failed in the middle of a body")]
    Connection(#[from] hyper::Error),
    /// It is longer than may be held in memory.
    #[error("the body is longer than {limit} bytes")]
    TooLong {
        /// Bytes allowed.
        limit: usize,
    },
    /// It has been handed on already.
    #[error("the body has been sent on already")]
    Gone,
}

/// A body of a request or an answer.
#[derive(Debug, Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// Bytes at hand, given out as one frame.
    Whole(Bytes),
    /// What a connection delivers.
    Stream(Incoming),
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
    /// When the connection fails, or the body is longer.
    pub async fn read(self, limit: usize) -> Result<Bytes, BodyError> {
        use http_body_util::BodyExt;
        match self {
            Body::Empty => Ok(Bytes::new()),
            Body::Whole(bytes) => Ok(bytes),
            Body::Stream(mut stream) => {
                let mut held = bytes::BytesMut::new();
                while let Some(frame) = stream.frame().await {
                    let Ok(data) = frame?.into_data() else { continue };
                    if held.len() + data.len() > limit {
                        return Err(BodyError::TooLong { limit });
                    }
                    held.extend_from_slice(&data);
                }
                Ok(held.freeze())
            }
        }
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
            Body::Stream(stream) => Pin::new(stream).poll_frame(cx).map_err(BodyError::from),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Whole(_) => false,
            Body::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Stream(stream) => stream.size_hint(),
        }
    }
}
