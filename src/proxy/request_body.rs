//! What becomes of a request's body before it is sent on: held, measured, or streamed.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::fault::Fault;
use crate::{
    net::{Body, Delivered, Progress, Upload},
    runtime::Options,
};

/// A body ready to be sent on; one that streams tells how it is getting on.
pub type Prepared = (Body, Option<Arc<Progress>>);

/// Makes a body ready. With `buffering`, a short one is held so that tries can be repeated, and a chunked
/// one is measured, up to a bound; a longer one streams, as every one does without `buffering`.
///
/// # Errors
/// When it is too long, broken, or stops arriving.
pub async fn prepare(body: Body, buffering: bool, options: &Options) -> Result<Prepared, Fault> {
    let most = if options.max_body == 0 { u64::MAX } else { options.max_body };
    let stream = match body {
        Body::Stream(stream) => stream,
        Body::Whole(bytes) if bytes.len() as u64 > most => return Err(Fault::BodyTooLong),
        other => return Ok((other, None)),
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
    let (held, rest) = match hold {
        Some(limit) => Box::pin(read(stream, limit, most, options.body_timeout)).await?,
        None => (Bytes::new(), Some(stream)),
    };
    Ok(match rest {
        None => (Body::whole(held), None),
        Some(rest) => {
            let (upload, progress) = Upload::new(held, rest, most);
            (Body::Upload(Box::new(upload)), Some(progress))
        }
    })
}

/// Reads to the end, or until `limit` bytes are held; what is left comes back.
async fn read(
    mut stream: Delivered,
    limit: usize,
    most: u64,
    patience: Duration,
) -> Result<(Bytes, Option<Delivered>), Fault> {
    let mut first = Bytes::new();
    let mut held = BytesMut::new();
    loop {
        let frame = match timeout(patience, stream.frame()).await {
            Err(_) => return Err(Fault::ClientStalled),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(Fault::BodyBroken),
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers are not sent on.
        let Ok(data) = frame.into_data() else { continue };
        // One piece is kept as it is.
        if held.is_empty() && first.is_empty() {
            first = data;
        } else {
            if held.is_empty() {
                held.extend_from_slice(&std::mem::take(&mut first));
            }
            held.extend_from_slice(&data);
        }
        let length = first.len().max(held.len());
        if length as u64 > most {
            return Err(Fault::BodyTooLong);
        }
        if length > limit {
            let held = if held.is_empty() { first } else { held.freeze() };
            return Ok((held, Some(stream)));
        }
        if stream.is_end_stream() {
            break;
        }
    }
    Ok((if held.is_empty() { first } else { held.freeze() }, None))
}
