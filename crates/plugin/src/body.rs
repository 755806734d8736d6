//! Bodies that plugins filter or produce.

use std::{fmt, pin::Pin};

use bytes::Bytes;
use http::HeaderMap;

use net::BodyError;

/// A chunk of a body: of the response on its way to the client, or of the request on its way to the upstream.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Bytes of the chunk. A hook may replace or extend them, or leave them empty to buffer.
    pub data: Bytes,
    /// Whether this is the last chunk of the body.
    pub last: bool,
    /// Trailers of a response, in its last chunk; gRPC sends its status there. A hook may change or remove them. Absent
    /// if the body ended before its trailers were received.
    pub trailers: Option<Box<HeaderMap>>,
}

/// What becomes of a body after a chunk.
#[derive(Debug, Default)]
pub enum BodyFlow {
    /// It continues.
    #[default]
    Continue,
    /// It ends with this chunk; the rest is not read.
    End,
    /// It fails. If the head was held back, the client receives an error response; otherwise the message is aborted.
    Abort(BodyError),
}

/// Filter of one request's body. It is called for each chunk as it is received, and has its own state: the exchange is
/// in use by the request's other phases meanwhile.
pub trait RequestBodyFilter {
    /// Filters a chunk; the last one is marked, and may be empty.
    fn filter(&mut self, chunk: &mut Chunk) -> BodyFlow;
}

/// Body of a reply that is produced while it is sent, such as server-sent events.
pub struct ReplyStream(pub Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError>>>);

impl ReplyStream {
    /// Creates the body from a stream of frames.
    pub fn new(body: impl http_body::Body<Data = Bytes, Error = BodyError> + 'static) -> Self {
        ReplyStream(Box::pin(body))
    }
}

impl fmt::Debug for ReplyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyStream")
    }
}
