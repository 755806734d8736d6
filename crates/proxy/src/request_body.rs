//! Prepares a request's body for the upstream: buffered or streamed.

use http_body::Body as _;

use super::error::ProxyError;
use net::{Body, StreamingBody};
use runtime::Options;

/// Prepares a body. With `buffering`, a short one is buffered so that the request can be retried, and a
/// chunked one so that Content-Length can be sent, within a bound and the memory budget; a longer one is
/// streamed, as is any without `buffering`.
///
/// # Errors
/// If it is too long, malformed, or stops arriving.
pub async fn buffer_or_stream(
    mut body: Body,
    buffering: bool,
    options: &Options,
) -> Result<Body, ProxyError> {
    let max_bytes = if options.max_body == 0 { u64::MAX } else { options.max_body };
    let length = match &mut body {
        Body::Stream(stream) => stream.size_hint().exact(),
        Body::Buffered(bytes) if bytes.len() as u64 > max_bytes => return Err(ProxyError::BodyTooLong),
        // A plugin has read its start.
        Body::Upload(upload) => {
            upload.limit(max_bytes);
            return Ok(body);
        }
        Body::Empty | Body::Buffered(_) => return Ok(body),
    };
    if length.is_some_and(|length| length > max_bytes) {
        return Err(ProxyError::BodyTooLong);
    }
    let max_buffered = match length {
        _ if !buffering => None,
        Some(length) => {
            (length <= options.max_retained_body_bytes as u64).then_some(options.max_retained_body_bytes)
        }
        None => Some(options.max_measured_body_bytes),
    };
    match (max_buffered, body) {
        (Some(max_buffered), body) => Ok(Box::pin(body.buffer(max_buffered, max_bytes)).await?),
        (None, Body::Stream(stream)) => Ok(Body::Upload(Box::new(StreamingBody::new([], stream, max_bytes)))),
        (None, body) => Ok(body),
    }
}
