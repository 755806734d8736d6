//! What becomes of a request's body before it is sent on: held, measured, or streamed.

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt;

use super::fault::Fault;
use crate::{
    net::{Body, BodyBuffer, Delivered, Upload},
    runtime::Options,
};

/// Makes a body ready to be sent on. With `buffering`, a short one is held so that tries can be repeated, and a
/// chunked one is measured, up to a bound and as long as there is memory for it; a longer one streams, as every one
/// does without `buffering`.
///
/// # Errors
/// When it is too long, broken, or stops arriving.
pub async fn prepare(body: Body, buffering: bool, options: &Options) -> Result<Body, Fault> {
    let most = if options.max_body == 0 { u64::MAX } else { options.max_body };
    let stream = match body {
        Body::Stream(stream) => stream,
        Body::Whole(bytes) if bytes.len() as u64 > most => return Err(Fault::BodyTooLong),
        other => return Ok(other),
    };
    let length = stream.size_hint().exact();
    if length.is_some_and(|length| length > most) {
        return Err(Fault::BodyTooLong);
    }
    let hold = match length {
        _ if !buffering => None,
        Some(length) => (length <= options.replay as u64).then_some(options.replay),
        None => Some(options.measure),
    };
    match hold {
        Some(limit) => Box::pin(read(stream, limit, most)).await,
        None => Ok(Body::Upload(Box::new(Upload::new([], stream, most)))),
    }
}

/// Reads to the end; or until `limit` bytes are held, or there is no memory for more, and streams the rest.
async fn read(mut stream: Delivered, limit: usize, most: u64) -> Result<Body, Fault> {
    let mut buffer = BodyBuffer::new(stream.budget());
    let unheld = loop {
        let Some(frame) = stream.frame().await else { return Ok(Body::whole(buffer.freeze())) };
        // Trailers are not sent on.
        let Ok(data) = frame?.into_data() else { continue };
        if (buffer.len() + data.len()) as u64 > most {
            return Err(Fault::BodyTooLong);
        }
        if let Err((data, _)) = buffer.push(data) {
            break data;
        }
        if stream.is_end_stream() {
            return Ok(Body::whole(buffer.freeze()));
        }
        if buffer.len() > limit {
            break Bytes::new();
        }
    };
    Ok(Body::Upload(Box::new(Upload::new([buffer.freeze(), unheld], stream, most))))
}
