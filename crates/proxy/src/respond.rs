//! Builds the head of a response: an upstream's, a plugin's, or one for an error.

use std::{future::poll_fn, rc::Rc};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use hyper::ext::ReasonPhrase;

use super::{
    active_request::{ActiveRequest, Transfer},
    error::{self, ProxyError},
    forward::UpstreamResponse,
    headers::{self, AddedResponseHeaders},
    pipeline::{EarlyExit, PipelineState},
    response_body::{BodySource, ResponseBody, UpstreamBody},
    upgrade::UpgradedUpstream,
    worker::ConnContext,
};
use http_codec::Headers;
use net::{BodyBuffer, BodyError, BudgetExceeded, Protocol};
use plugin::{LocalReplyBody, Phase, ResponseSource};
use runtime::{Snapshot, SnapshotRef};
use telemetry::EndedBy;
use upstream::TryResult;

/// Result of the request pipeline.
pub type PipelineResult = Result<Responded, EarlyExit>;

/// A response of an upstream.
#[derive(Debug)]
pub enum Responded {
    /// Its head has been read.
    Upstream(UpstreamResponse),
    /// It has been read whole, and its head is in the exchange.
    Whole(BodySource, Option<ReasonPhrase>),
}

/// Builds the response's head, runs the header filters, and attaches the remaining phases to its body.
pub fn respond(
    conn_ctx: &Rc<ConnContext>,
    mut active: Box<ActiveRequest>,
    result: PipelineResult,
    id: &HeaderValue,
) -> Response<ResponseBody> {
    let options = &conn_ctx.worker.options;
    let ActiveRequest { pipeline, snap, transfer, .. } = &mut *active;
    let proxied = pipeline.exchange.upstream_sent_at.is_some();
    let (mut source, mut reason) = match result {
        Ok(Responded::Upstream(response)) => adopt_upstream_head(conn_ctx, pipeline, response),
        Ok(Responded::Whole(source, reason)) => (source, reason),
        Err(early) => (synthesize_response(conn_ctx, snap, pipeline, transfer, early), None),
    };
    let phases = pipeline.chain(snap).phases;
    let mut runs_body_filter = phases.contains(Phase::BodyFilter);
    if runs_body_filter {
        pipeline.exchange.body_budget = Some(conn_ctx.budget().clone());
    }
    if let Err(panic) = pipeline.header_filter(snap) {
        pipeline.exchange.response.headers = Default::default();
        source = synthesize_response(conn_ctx, snap, pipeline, transfer, panic.into());
        (reason, runs_body_filter) = (None, false);
    }
    if options.debug_header && pipeline.exchange.request.headers.contains_key("kong-debug") {
        debug_headers(snap, pipeline);
    }
    let runs_later_phases = runs_body_filter || phases.contains(Phase::Log);
    let sinks = &conn_ctx.worker.sinks;
    let keeps_headers = runs_later_phases || sinks.needs_response_headers();
    let (mut head, headers, added) = build_head(conn_ctx, pipeline, proxied, keeps_headers, id);
    transfer.status = Some(head.status().as_u16());
    if let Some(reason) = reason {
        head.extensions_mut().insert(reason);
    }
    active.runs_body_filter = runs_body_filter;
    let active = (runs_later_phases || sinks.is_on()).then_some(active);
    head.map(|()| ResponseBody { source, active, headers, added, first: None })
}

/// Reads the whole response and runs the response hooks on it. A response that switches protocols has no body to read.
///
/// # Errors
/// If the body cannot be read within the limit of the plugins, or a hook responds instead.
pub async fn run_response_hooks(
    conn_ctx: &Rc<ConnContext>,
    snap: &SnapshotRef,
    pipeline: &mut PipelineState,
    response: UpstreamResponse,
) -> PipelineResult {
    let (source, reason) = adopt_upstream_head(conn_ctx, pipeline, response);
    let mut body = match source {
        BodySource::Upstream(body) => body,
        BodySource::Empty => return finish_response_hooks(snap, pipeline, Bytes::new(), reason).await,
        other => return Ok(Responded::Whole(other, reason)),
    };
    let limit = pipeline.max_response_body_bytes(snap);
    let mut whole = BodyBuffer::new(conn_ctx.budget());
    let read = async {
        while let Some(frame) = poll_fn(|cx| body.poll_frame(cx)).await {
            let Ok(data) = frame?.into_data() else { continue };
            if whole.len() + data.len() > limit {
                return Err(BodyError::TooLong { limit });
            }
            whole.push(data).map_err(|(_, exceeded)| exceeded)?;
        }
        Ok(())
    };
    if let Err(error) = read.await {
        pipeline.exchange.response.headers = Default::default();
        return Err(unreadable_response(error).into());
    }
    finish_response_hooks(snap, pipeline, whole.freeze(), reason).await
}

async fn finish_response_hooks(
    snap: &SnapshotRef,
    pipeline: &mut PipelineState,
    body: Bytes,
    reason: Option<ReasonPhrase>,
) -> PipelineResult {
    pipeline.exchange.response.body = body;
    if let Err(early) = pipeline.response(snap).await {
        pipeline.exchange.response.headers = Default::default();
        return Err(early);
    }
    let response = &mut pipeline.exchange.response;
    let body = std::mem::take(&mut response.body);
    let has_length = pipeline.exchange.request.method != Method::HEAD
        && response.status != StatusCode::NO_CONTENT
        && response.status != StatusCode::NOT_MODIFIED;
    if has_length {
        response.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    let source = if body.is_empty() { BodySource::Empty } else { BodySource::Buffered(body) };
    Ok(Responded::Whole(source, reason))
}

/// The error of a response body that has to be read before the head can be sent.
fn unreadable_response(error: BodyError) -> ProxyError {
    match error {
        BodyError::Stalled => ProxyError::UpstreamTimeout("its response's body stopped arriving".to_owned()),
        BodyError::Budget(exceeded @ BudgetExceeded::Process(_)) => ProxyError::Budget(exceeded),
        BodyError::Budget(exceeded) => {
            ProxyError::Upstream(format!("the response cannot be buffered: {exceeded}"))
        }
        other => ProxyError::Upstream(other.to_string()),
    }
}

/// Waits for the first bytes that leave the body filters. If a filter rejects the body, or the body fails
/// before, the client gets an error response instead.
pub async fn await_first_frame(
    conn_ctx: &Rc<ConnContext>,
    response: Response<ResponseBody>,
    id: &HeaderValue,
) -> Response<ResponseBody> {
    let (parts, mut body) = response.into_parts();
    let error = match body.frame().await.transpose() {
        Ok(first) => {
            body.first = first.map(Box::new);
            return Response::from_parts(parts, body);
        }
        Err(error) => error,
    };
    let Some(mut active) = body.active.take() else { return fallback_response() };
    let proxy_error = unreadable_response(error);
    let ActiveRequest { pipeline, snap, runs_body_filter, transfer, .. } = &mut *active;
    *runs_body_filter = false;
    transfer.ended_by = EndedBy::Client;
    transfer.body_bytes = 0;
    pipeline.exchange.response.headers = Default::default();
    let source = synthesize_response(conn_ctx, snap, pipeline, transfer, proxy_error.into());
    let proxied = pipeline.exchange.upstream_sent_at.is_some();
    let (head, headers, added) = build_head(conn_ctx, pipeline, proxied, true, id);
    transfer.status = Some(head.status().as_u16());
    head.map(|()| ResponseBody { source, active: Some(active), headers, added, first: None })
}

/// Builds the head: the HTTP response, its headers if HTTP/1 encodes them, and headers still to be appended.
/// With `keeps_headers`, the exchange keeps a copy of the headers for later phases and the record.
fn build_head(
    conn_ctx: &ConnContext,
    pipeline: &mut PipelineState,
    proxied: bool,
    keeps_headers: bool,
    id: &HeaderValue,
) -> (Response<()>, Option<Headers>, Option<AddedResponseHeaders>) {
    let options = &conn_ctx.worker.options;
    let added = AddedResponseHeaders::new(&pipeline.exchange, proxied, id);
    let http2 = pipeline.exchange.request.version == Version::HTTP_2;
    let response = &mut pipeline.exchange.response;
    // Only HTTP/1's encoder reads them from here on: they can skip the map.
    let added = if keeps_headers || http2 || added.overlaps(&response.headers) {
        added.insert_into(&options.headers, &mut response.headers);
        None
    } else {
        Some(added)
    };
    let mut head = Response::new(());
    *head.status_mut() = response.status;
    let headers = match keeps_headers {
        true => response.headers.clone(),
        false => std::mem::take(&mut response.headers),
    };
    let headers = match http2 {
        true => {
            *head.headers_mut() = headers.into_map();
            None
        }
        false => Some(headers),
    };
    (head, headers, added)
}

/// Moves the head of an upstream's response into the exchange.
fn adopt_upstream_head(
    conn_ctx: &Rc<ConnContext>,
    pipeline: &mut PipelineState,
    response: UpstreamResponse,
) -> (BodySource, Option<ReasonPhrase>) {
    let UpstreamResponse { mut connection, timeouts, read_ahead, in_flight } = response;
    let head = connection.take_head().expect("an upstream response exists once its head has been read");
    if let Some(in_flight) = &in_flight {
        in_flight.report(TryResult::Response(head.status));
    }
    let mut headers = head.headers;
    let is_upgrade = head.status == StatusCode::SWITCHING_PROTOCOLS;
    // gRPC sends its status in trailers, with or without `TE: trailers`.
    let trailers = connection.key.http2 || headers::wants_trailers(&pipeline.exchange.request.headers);
    headers::from_upstream(&mut headers, is_upgrade, trailers);
    if is_upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    }
    if let Some(attempt) = pipeline.exchange.tries.last_mut() {
        attempt.status = Some(head.status.as_u16());
    }
    let kept = &mut pipeline.exchange.response;
    kept.status = head.status;
    kept.source = ResponseSource::Upstream;
    kept.headers = match kept.headers.is_empty() {
        true => headers,
        // Headers that plugins have set precede the upstream's.
        false => std::mem::take(&mut kept.headers).append_upstream(headers),
    };
    if is_upgrade && let Protocol::Http1(http1) = connection.protocol {
        let (stream, read_ahead) = http1.into_parts();
        let upgraded = UpgradedUpstream { stream, read_ahead, idle_timeout: timeouts.read, in_flight };
        return (BodySource::Upgraded(Box::new(upgraded)), head.reason);
    }
    let source = if connection.is_end_stream() {
        conn_ctx.worker.pool.put(connection);
        BodySource::Empty
    } else {
        let conn_ctx = Rc::clone(conn_ctx);
        BodySource::Upstream(UpstreamBody {
            connection: Some(connection),
            conn_ctx,
            id: pipeline.exchange.id,
            trailers,
            read_ahead,
            buffered: None,
            in_flight,
        })
    };
    (source, head.reason)
}

/// Turns a reply or an error into the exchange's response.
fn synthesize_response(
    conn_ctx: &Rc<ConnContext>,
    snap: &Snapshot,
    pipeline: &mut PipelineState,
    transfer: &mut Transfer,
    early: EarlyExit,
) -> BodySource {
    let exchange = &mut pipeline.exchange;
    // A plugin that limits the body has set the reply.
    let early = match (early, exchange.request.too_long_reply.take()) {
        (EarlyExit::Error(ProxyError::BodyTooLong), Some(reply)) => EarlyExit::Reply(reply),
        (early, _) => early,
    };
    let mut stream = None;
    let (reply, source) = match early {
        EarlyExit::Reply(reply) => (*reply, ResponseSource::Plugin),
        EarlyExit::Stream(reply, body) => {
            stream = Some(body);
            (*reply, ResponseSource::Plugin)
        }
        EarlyExit::Error(error) => {
            transfer.error = Some(error.code());
            match &error {
                // Affects many clients at a time: rate-limited log.
                ProxyError::Budget(exceeded) => conn_ctx.worker.log_limits.memory.log(|unlogged_events| {
                    tracing::error!(request_id = %exchange.id, unlogged_events, "a body cannot be buffered: {exceeded}");
                }),
                error => error.log(exchange, &snap.state),
            }
            (error.to_reply(exchange, &conn_ctx.worker.options), ResponseSource::Gateway)
        }
    };
    exchange.response.status = reply.status;
    exchange.response.source = source;
    let mut last = None;
    for (name, value) in reply.headers {
        last = name.or(last);
        if let Some(name) = &last {
            exchange.response.headers.append(name, value);
        }
    }
    if let Some(body) = stream {
        let is_head = exchange.request.method == Method::HEAD;
        return if is_head { BodySource::Empty } else { BodySource::Reply(body) };
    }
    let mut headers = std::mem::take(&mut exchange.response.headers);
    let empty = matches!(reply.body, LocalReplyBody::Empty);
    let bytes = error::render_reply_body(
        reply.body,
        reply.status,
        exchange,
        &conn_ctx.worker.options.error_templates,
        &mut headers,
    );
    let has_no_body = reply.status == StatusCode::NO_CONTENT
        || reply.status == StatusCode::NOT_MODIFIED
        || reply.status.is_informational();
    if !has_no_body && (!empty || exchange.request.method != Method::HEAD) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    exchange.response.headers = headers;
    if bytes.is_empty() || has_no_body { BodySource::Empty } else { BodySource::Buffered(bytes) }
}

fn debug_headers(snap: &Snapshot, pipeline: &mut PipelineState) {
    let exchange = &mut pipeline.exchange;
    let route = exchange.route().map(|ix| &snap.state.routes[ix]);
    let service = exchange.service().map(|ix| &snap.state.services[ix]);
    let mut add = |name: &'static str, value: Option<String>| {
        if let Some(value) = value.and_then(|v| HeaderValue::try_from(v).ok()) {
            exchange.response.headers.insert(name, value);
        }
    };
    add("kong-route-id", route.map(|r| r.id.to_string()));
    add("kong-route-name", route.and_then(|r| r.name.clone()));
    add("kong-service-id", service.map(|s| s.id.to_string()));
    add("kong-service-name", service.and_then(|s| s.name.clone()));
}

/// Returns the response for a panic while a response was built.
pub fn fallback_response() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::from_bytes(Bytes::from_static(
        b"{\"message\":\"An unexpected error occurred\"}",
    )));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
