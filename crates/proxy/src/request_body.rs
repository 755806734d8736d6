//! What becomes of a request's body before it is sent on: held, measured, or streamed.

use http_body::Body as _;

use super::fault::Fault;
use net::{Body, Upload};
use runtime::Options;

/// Makes a body ready to be sent on. With `buffering`, a short one is held so that tries can be repeated, and a
/// chunked one is measured, up to a bound and as long as there is memory for it; a longer one streams, as every one
/// does without `buffering`.
///
/// # Errors
/// When it is too long, broken, or stops arriving.
pub async fn prepare(mut body: Body, buffering: bool, options: &Options) -> Result<Body, Fault> {
    let max = if options.max_body == 0 { u64::MAX } else { options.max_body };
    let length = match &mut body {
        Body::Stream(stream) => stream.size_hint().exact(),
        Body::Whole(bytes) if bytes.len() as u64 > max => return Err(Fault::BodyTooLong),
        // A plugin has read its beginning.
        Body::Upload(upload) => {
            upload.limit(max);
            return Ok(body);
        }
        Body::Empty | Body::Whole(_) => return Ok(body),
    };
    if length.is_some_and(|length| length > max) {
        return Err(Fault::BodyTooLong);
    }
    let held = match length {
        _ if !buffering => None,
        Some(length) => (length <= options.replay as u64).then_some(options.replay),
        None => Some(options.measure),
    };
    match (held, body) {
        (Some(held), body) => Ok(Box::pin(body.hold(held, max)).await?),
        (None, Body::Stream(stream)) => Ok(Body::Upload(Box::new(Upload::new([], stream, max)))),
        (None, body) => Ok(body),
    }
}
