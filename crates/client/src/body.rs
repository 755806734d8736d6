//! Bodies of requests and responses.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Error, Limits, Stage};

/// Error of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Body of a request: bytes, or a stream of frames.
#[derive(Debug)]
pub struct RequestBody(UnsyncBoxBody<Bytes, BoxError>);

impl RequestBody {
    /// Creates a body that is sent while it is produced.
    pub fn stream<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        RequestBody(body.map_err(Into::into).boxed_unsync())
    }
}

impl From<()> for RequestBody {
    fn from((): ()) -> Self {
        RequestBody::stream(Empty::new())
    }
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        RequestBody::stream(Full::new(bytes))
    }
}

impl From<Vec<u8>> for RequestBody {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for RequestBody {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for RequestBody {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Body of a response, as it is received: a stream of data frames and possibly trailers. Ends with an error when a limit
/// of the request is exceeded. Dropping it before its end closes the connection (HTTP/1.1) or resets the stream (HTTP/2).
pub struct ResponseBody {
    incoming: Incoming,
    deadline: Pin<Box<Sleep>>,
    max_bytes: usize,
    received_bytes: usize,
}

impl ResponseBody {
    pub(crate) fn new(incoming: Incoming, deadline: Instant, limits: &Limits) -> Self {
        ResponseBody {
            incoming,
            deadline: Box::pin(sleep_until(deadline)),
            max_bytes: limits.max_response_bytes,
            received_bytes: 0,
        }
    }

    /// Reads the body to its end and discards trailers.
    ///
    /// # Errors
    /// If a limit of the request is exceeded, or the connection fails.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        Ok(self.collect().await?.to_bytes())
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let too_large = Error::BodyTooLarge { max_bytes: self.max_bytes };
        // The declared length, of what has not been received.
        if self.incoming.size_hint().lower() > (self.max_bytes - self.received_bytes) as u64 {
            return Poll::Ready(Some(Err(too_large)));
        }
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
            ready!(self.deadline.as_mut().poll(cx));
            return Poll::Ready(Some(Err(Error::Timeout(Stage::Body))));
        };
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                let received = self.received_bytes + frame.data_ref().map_or(0, Bytes::len);
                if received > self.max_bytes {
                    return Poll::Ready(Some(Err(too_large)));
                }
                self.received_bytes = received;
                Some(Ok(frame))
            }
            Some(Err(error)) => Some(Err(Error::from_hyper(error.into()))),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("received_bytes", &self.received_bytes).finish_non_exhaustive()
    }
}
