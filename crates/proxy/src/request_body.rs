//! Prepares a request's body for the upstream: filtered by plugins, buffered or streamed.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http_body::{Body as _, Frame};

use super::{error::ProxyError, pipeline::PipelineState, worker::ConnContext};
use net::{Body, BodyError, ConnectionBudget, RequestBody, StreamingBody};
use plugin::{BodyFlow, Chunk, Phase, RequestBodyFilter};
use runtime::{Options, Snapshot};

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
    let max_bytes = max_body_bytes(options);
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

/// `client_max_body_size`, where 0 is no limit.
fn max_body_bytes(options: &Options) -> u64 {
    if options.max_body == 0 { u64::MAX } else { options.max_body }
}

/// Attaches the plugins' filters to the request's body. The length that the client sent is not forwarded, because it may
/// change. The size limit applies to the bytes that the client sends: a filter may shorten or discard them.
///
/// # Errors
/// If the body is too long.
pub fn attach_filters(
    pipeline: &mut PipelineState,
    snap: &Snapshot,
    conn_ctx: &ConnContext,
) -> Result<(), ProxyError> {
    if !pipeline.chain(snap).phases.contains(Phase::RequestBody)
        || matches!(pipeline.exchange.request.body, Body::Empty)
    {
        return Ok(());
    }
    let filters = pipeline.request_body_filters(snap);
    if filters.is_empty() {
        return Ok(());
    }
    let request = &mut pipeline.exchange.request;
    request.headers.remove(CONTENT_LENGTH);
    let max_bytes = max_body_bytes(&conn_ctx.worker.options);
    let body = match std::mem::take(&mut request.body) {
        Body::Stream(stream) if stream.size_hint().exact().is_some_and(|length| length > max_bytes) => {
            return Err(ProxyError::BodyTooLong);
        }
        Body::Stream(stream) => Body::Upload(Box::new(StreamingBody::new([], stream, max_bytes))),
        Body::Upload(mut upload) => {
            upload.limit(max_bytes);
            Body::Upload(upload)
        }
        Body::Buffered(bytes) if bytes.len() as u64 > max_bytes => return Err(ProxyError::BodyTooLong),
        body => body,
    };
    let budget = conn_ctx.budget().clone();
    request.body = Body::Stream(Box::new(FilteredBody { body, filters, budget, is_ended: false }));
    Ok(())
}

/// A request body that passes through filters.
struct FilteredBody {
    body: Body,
    filters: Vec<Box<dyn RequestBodyFilter>>,
    budget: ConnectionBudget,
    is_ended: bool,
}

impl FilteredBody {
    /// Passes a chunk through the filters.
    fn filter(&mut self, data: Bytes, last: bool) -> Result<Bytes, BodyError> {
        let mut chunk = Chunk { data, last, trailers: None };
        for filter in &mut self.filters {
            match filter.filter(&mut chunk) {
                BodyFlow::Continue => {}
                BodyFlow::End => chunk.last = true,
                BodyFlow::Abort(error) => {
                    self.is_ended = true;
                    return Err(error);
                }
            }
        }
        self.is_ended = chunk.last;
        if self.is_ended {
            self.filters.clear();
        }
        Ok(chunk.data)
    }
}

impl http_body::Body for FilteredBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        while !this.is_ended {
            let frame = ready!(Pin::new(&mut this.body).poll_frame(cx)?);
            // Trailers are not forwarded.
            let data = frame.and_then(|frame| frame.into_data().ok());
            let last = data.is_none() || this.body.is_end_stream();
            let data = this.filter(data.unwrap_or_default(), last)?;
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.is_ended
    }
}

impl RequestBody for FilteredBody {
    fn budget(&self) -> &ConnectionBudget {
        &self.budget
    }
}
