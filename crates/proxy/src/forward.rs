//! Sends the request to the upstream: address, connection, head, and retries as Kong does.

use std::{sync::Arc, task::Poll, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Uri, header, uri::PathAndQuery};
use hyper::body::Body as _;
use tokio::time::Instant;

use super::{
    echo_upstream,
    error::ProxyError,
    headers::{self, BodyLength, UpstreamHeaderContext},
    pipeline::{EarlyExit, PipelineState},
    request_body::buffer_or_stream,
    worker::ConnContext,
};
use net::{Body, Connection, DialError, PoolKey, Protocol, SendError, Timeouts, dial, tls::TlsTarget};
use plugin::{Exchange, UpstreamTimeouts};
use runtime::{Mock, RouteEntry, ServiceEntry, Snapshot};
use telemetry::Try;
use upstream::{BalancerTarget, Destination, InFlight, Selected, Tried, TryResult};

/// An upstream's response, and its connection.
#[derive(Debug)]
pub struct UpstreamResponse {
    /// The connection; returns to the pool when the body has ended.
    pub connection: Box<Connection>,
    /// Write and read timeouts.
    pub timeouts: Timeouts,
    /// Whether one chunk is read ahead of a slow client.
    pub read_ahead: bool,
    /// Counts the request as in flight at its target until the body has ended.
    pub in_flight: Option<InFlight>,
}

/// Sends the request to the route's service. `path` is the normalised path that was matched.
///
/// # Errors
/// If no upstream responds.
pub async fn forward(
    conn_ctx: &ConnContext,
    snap: &Snapshot,
    route: &RouteEntry,
    pipeline: &mut PipelineState,
    path: &[u8],
    id: &HeaderValue,
) -> Result<UpstreamResponse, EarlyExit> {
    let service = match pipeline.exchange.upstream_overrides.service.or(route.service) {
        Some(service) => snap.service(service),
        None => return Err(ProxyError::NoService.into()),
    };
    let exchange = &mut pipeline.exchange;
    let options = &conn_ctx.worker.options;
    let target = upstream_target(exchange, route, service, path);
    if options.mock == Mock::All {
        return Err(Box::pin(echo_upstream::echo(exchange, &snap.state, &target)).await);
    }
    let header_ctx = upstream_header_context(exchange, conn_ctx, route, path, id);
    let overrides = &mut exchange.upstream_overrides;
    let overridden = match (overrides.address.take(), overrides.upstream) {
        (Some((host, port)), _) => Some(Destination::direct(&host, port)),
        (None, Some(upstream)) => Some(Destination::Balanced(Arc::clone(snap.balancer(upstream)))),
        (None, None) => None,
    };
    let (retries, timeouts) = (overrides.retries, overrides.timeouts);
    let timeouts = timeouts.unwrap_or(UpstreamTimeouts {
        connect: service.connect_timeout,
        write: service.write_timeout,
        read: service.read_timeout,
    });
    let destination = overridden.as_ref().unwrap_or(&service.destination);
    if options.mock == Mock::Unresolved
        && let Err(error) = destination.select(&conn_ctx.worker.resolver, None, &mut Tried::default()).await
    {
        tracing::debug!("{error}: the echo upstream responds");
        return Err(Box::pin(echo_upstream::echo(exchange, &snap.state, &target)).await);
    }
    let body = std::mem::take(&mut exchange.request.body);
    let body = buffer_or_stream(body, route.request_buffering && !service.grpc, options).await?;
    let mut retry =
        RetryState { remaining: retries.unwrap_or(service.retries), timeouts, exchange, conn_ctx, service };
    let mut body = Some(body);
    let mut tried = Tried::default();
    loop {
        // No algorithm has affinity yet, so that no key is computed.
        let selected = destination
            .select(&conn_ctx.worker.resolver, None, &mut tried)
            .await
            .map_err(ProxyError::Select)?;
        let host = upstream_host(retry.exchange, route, service, destination, selected.target);
        let (mut connection, connect) = match retry.connection(&selected, host).await {
            Ok(connected) => connected,
            Err(Failure { error, code, since }) => {
                report_failure(&selected, &error);
                let now = std::time::Instant::now();
                retry.exchange.upstream_sent_at = Some(since);
                retry.exchange.upstream_responded_at = Some(now);
                retry.exchange.tries.push(Try {
                    address: selected.address,
                    status: None,
                    connect: now.saturating_duration_since(since),
                    response: None,
                    error: Some(code),
                });
                match retry.try_consume() {
                    true => continue,
                    false => return Err(error.into()),
                }
            }
        };
        // A partly streamed body cannot be sent again.
        let Some(sent) = body.take() else { return Err(ProxyError::Upstream("no body left".into()).into()) };
        if sent.is_buffered() {
            body = Some(clone_buffered(&sent));
        }
        let reused = connection.is_reused;
        retry.start_request(&mut connection, &target, host, &header_ctx, sent);
        let error = match retry.send(connection, connect).await {
            Ok(response) => {
                return Ok(UpstreamResponse {
                    read_ahead: route.response_buffering && !service.grpc,
                    in_flight: selected.into_in_flight(),
                    ..response
                });
            }
            Err(error) => error,
        };
        // A reused connection that was closed in the meantime proves nothing about the upstream: the result is not reported,
        // and the retry is not counted.
        let is_stale = reused && matches!(error, ProxyError::Upstream(_));
        if !is_stale {
            report_failure(&selected, &error);
        }
        let idempotent = !matches!(retry.exchange.request.method.as_str(), "POST" | "LOCK" | "PATCH");
        if body.is_none() || !idempotent {
            return Err(error.into());
        }
        if !(is_stale || retry.try_consume()) {
            return Err(error.into());
        }
    }
}

/// Reports a failed try; an error of the client says nothing about the target.
fn report_failure(selected: &Selected<'_>, error: &ProxyError) {
    match error {
        ProxyError::UpstreamTimeout(_) => selected.report(TryResult::TimedOut),
        ProxyError::Upstream(_) => selected.report(TryResult::ConnectionFailed),
        _ => {}
    }
}

fn clone_buffered(body: &Body) -> Body {
    match body {
        Body::Buffered(bytes) => Body::Buffered(bytes.clone()),
        _ => Body::Empty,
    }
}

/// Why a connection cannot be opened.
struct Failure {
    error: ProxyError,
    /// Code for logs and metrics.
    code: &'static str,
    /// When the attempt began.
    since: std::time::Instant,
}

struct RetryState<'a> {
    remaining: u32,
    timeouts: UpstreamTimeouts,
    exchange: &'a mut Exchange,
    conn_ctx: &'a ConnContext,
    service: &'a ServiceEntry,
}

impl RetryState<'_> {
    /// Consumes one retry, if there is one.
    fn try_consume(&mut self) -> bool {
        let more = self.remaining > 0;
        self.remaining = self.remaining.saturating_sub(1);
        more
    }

    /// Takes a pooled connection, or opens one. Returns it with the time that opening it took.
    ///
    /// # Errors
    /// If it cannot be opened.
    async fn connection(
        &self,
        selected: &Selected<'_>,
        host: &HeaderValue,
    ) -> Result<(Box<Connection>, Duration), Failure> {
        let per_host;
        let uses_tls = self.exchange.upstream_overrides.tls.unwrap_or(self.service.tls.is_some());
        let tls: Option<&TlsTarget> = match (&self.service.tls, &self.service.tls_target) {
            _ if !uses_tls => None,
            (Some(_), Some(target)) if selected.target.is_none() && *host == self.service.host => {
                Some(target)
            }
            (Some(profile), _) => {
                let name = host.to_str().unwrap_or("");
                per_host = TlsTarget::new(Arc::clone(profile), super::validate::split_host_port(name).0);
                per_host.as_ref()
            }
            // Sending in clear text what was to be encrypted is not an option.
            (None, _) => {
                let message = format!("{host:?}: a plugin requires TLS, and the service has no TLS settings");
                let since = std::time::Instant::now();
                return Err(Failure { error: ProxyError::Upstream(message), code: "tls_handshake", since });
            }
        };
        let key = PoolKey {
            address: selected.address,
            tls: tls.map(|tls| Arc::clone(&tls.pool)),
            http2: self.service.grpc,
        };
        let pool = &self.conn_ctx.worker.pool;
        while let Some(mut connection) = pool.checkout(&key) {
            let ready = match &mut connection.protocol {
                Protocol::Http1(_) => true,
                // Its last response has been read to the end, so that this does not wait for the upstream.
                Protocol::Http2(http2) => http2.is_ready().await,
            };
            if ready {
                return Ok((connection, Duration::ZERO));
            }
        }
        // Boxed, as it is rare: it would make the future of every request larger.
        let since = std::time::Instant::now();
        let memory = &self.conn_ctx.worker.gateway.memory;
        let dialing = Box::pin(dial(selected.address, tls, self.timeouts.connect, key, memory));
        let error = match dialing.await {
            Ok(connection) => return Ok((connection, since.elapsed())),
            Err(error) => error,
        };
        let code = match &error {
            DialError::Timeout => "connect_timeout",
            DialError::Connect(_) | DialError::Http(_) => "connect",
            DialError::Tls(_) => "tls_handshake",
        };
        let (address, timeout) = (selected.address, self.timeouts.connect);
        let error = match error {
            DialError::Timeout => {
                ProxyError::UpstreamTimeout(format!("{address}: no connection within {timeout:?}"))
            }
            other => ProxyError::Upstream(format!("{address}: {}", error_chain(&other))),
        };
        Err(Failure { error, code, since })
    }

    /// Encodes the request's head, and starts to send it.
    fn start_request(
        &self,
        connection: &mut Connection,
        target: &PathAndQuery,
        host: &HeaderValue,
        header_ctx: &UpstreamHeaderContext<'_>,
        body: Body,
    ) {
        let request = &self.exchange.request;
        match &mut connection.protocol {
            Protocol::Http1(http1) => {
                let length = body.size_hint().exact().map_or(BodyLength::Chunked, BodyLength::Known);
                let head = http1.head();
                head.extend_from_slice(request.method.as_str().as_bytes());
                head.push(b' ');
                head.extend_from_slice(target.as_str().as_bytes());
                head.extend_from_slice(b" HTTP/1.1");
                headers::for_upstream(self.exchange, self.conn_ctx, host, header_ctx, length, head);
                head.extend_from_slice(b"\r\n\r\n");
                let head_only = request.method == Method::HEAD;
                http1.send_request(body, length == BodyLength::Chunked, head_only, header_ctx.websocket);
            }
            Protocol::Http2(http2) => {
                let length = body.size_hint().exact().map_or(BodyLength::FromClient, BodyLength::Known);
                let mut sent = Request::new(body);
                let fields = sent.headers_mut();
                headers::for_upstream(self.exchange, self.conn_ctx, host, header_ctx, length, fields);
                fields.remove(header::CONNECTION);
                fields.remove(header::HOST);
                let tls = self.exchange.upstream_overrides.tls.unwrap_or(self.service.tls.is_some());
                *sent.uri_mut() = absolute_uri(target, host, tls);
                *sent.method_mut() = request.method.clone();
                *sent.version_mut() = http::Version::HTTP_2;
                http2.send_request(sent);
            }
        }
    }

    /// Sends the request and waits for the response's head, within the write and read timeouts.
    async fn send(
        &mut self,
        mut connection: Box<Connection>,
        connect: Duration,
    ) -> Result<UpstreamResponse, ProxyError> {
        let address = connection.key.address;
        let timeouts = Timeouts { write: self.timeouts.write, read: self.timeouts.read };
        let start = Instant::now();
        self.exchange.upstream_sent_at = Some(start.into_std());
        // Its status is set when the head is taken.
        self.exchange.tries.push(Try { address, status: None, connect, response: None, error: None });
        connection.start_timeouts(timeouts, start);
        let outcome = std::future::poll_fn(|cx| match connection.poll_response(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => connection.poll_timeout(cx).map(|()| None),
        })
        .await;
        let answered = std::time::Instant::now();
        self.exchange.upstream_responded_at = Some(answered);
        if let Some(attempt) = self.exchange.tries.last_mut() {
            attempt.response = Some(answered.saturating_duration_since(start.into_std()));
            attempt.error = match &outcome {
                None => Some("timeout"),
                // An error of the request's body is the client's.
                Some(Ok(()) | Err(SendError::Body(_))) => None,
                Some(Err(_)) => Some("response"),
            };
        }
        match outcome {
            None => {
                let Timeouts { write, read } = timeouts;
                Err(ProxyError::UpstreamTimeout(format!(
                    "{address} made no progress for as long as write_timeout ({write:?}) or read_timeout ({read:?}) allows"
                )))
            }
            Some(Ok(())) => Ok(UpstreamResponse { connection, timeouts, read_ahead: false, in_flight: None }),
            // Dropping the connection closes it, so that the upstream sees an incomplete request.
            Some(Err(SendError::Body(error))) => Err(error.into()),
            Some(Err(error)) => Err(ProxyError::Upstream(format!("{address}: {}", error_chain(&error)))),
        }
    }
}

/// Builds HTTP/2's target with scheme and authority.
fn absolute_uri(target: &PathAndQuery, host: &HeaderValue, tls: bool) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if tls { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP });
    parts.authority = host.to_str().ok().and_then(|host| host.parse().ok());
    parts.path_and_query = Some(target.clone());
    // An invalid authority is left out; the upstream will reject the request.
    Uri::from_parts(parts).unwrap_or_else(|_| Uri::from(target.clone()))
}

/// Formats an error with its sources, for the log.
fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Collects what the upstream's headers depend on, the exchange apart.
pub(super) fn upstream_header_context<'a>(
    exchange: &Exchange,
    conn_ctx: &ConnContext,
    route: &RouteEntry,
    path: &[u8],
    id: &'a HeaderValue,
) -> UpstreamHeaderContext<'a> {
    let matched = exchange.route_match.as_ref().map_or(0, |m| m.matched_len);
    let prefix = path.get(..matched).filter(|p| route.strip_path && !p.is_empty() && *p != b"/");
    UpstreamHeaderContext {
        prefix: prefix.and_then(|p| HeaderValue::from_str(&router::escape_for_upstream(p)).ok()),
        websocket: headers::wants_websocket(exchange),
        body: !matches!(exchange.request.body, Body::Empty),
        id: conn_ctx.worker.options.request_id_upstream.then_some(id),
    }
}

/// The Host header of an attempt.
pub(super) fn upstream_host<'a>(
    exchange: &'a Exchange,
    route: &RouteEntry,
    service: &'a ServiceEntry,
    destination: &'a Destination,
    target: Option<&'a BalancerTarget>,
) -> &'a HeaderValue {
    if let Some(host) = &exchange.upstream_overrides.host {
        return host;
    }
    if route.preserve_host
        && let Some(host) = exchange.request.headers.get(header::HOST)
    {
        return host;
    }
    match (destination, target) {
        (_, Some(target)) => target.host_header(service.tls.is_some()),
        // The target is not selected yet.
        (Destination::Balanced(balancer), None) if let Some(host) = &balancer.host_header => host,
        _ => &service.host,
    }
}

/// Path and query of the upstream's request.
pub(super) fn upstream_target(
    exchange: &Exchange,
    route: &RouteEntry,
    service: &ServiceEntry,
    path: &[u8],
) -> PathAndQuery {
    let request = &exchange.request;
    let (joined, escaped);
    let wanted: &str = match &exchange.upstream_overrides.path {
        Some(path) => path,
        None => {
            let matched = exchange.route_match.as_ref().map_or(0, |m| m.matched_len);
            joined =
                router::upstream_path(&service.path, path, matched, route.strip_path, route.path_handling);
            escaped = router::escape_for_upstream(&joined);
            &escaped
        }
    };
    let unchanged = request
        .uri
        .path_and_query()
        .filter(|original| original.path() == wanted && original.query() == request.query());
    if let Some(original) = unchanged {
        return original.clone();
    }
    let query = request.query();
    let mut text = BytesMut::with_capacity(wanted.len() + query.map_or(0, |q| q.len() + 1) + 1);
    if !wanted.starts_with('/') {
        text.put_u8(b'/');
    }
    text.put_slice(wanted.as_bytes());
    if let Some(query) = query {
        text.put_u8(b'?');
        text.put_slice(query.as_bytes());
    }
    // Escaping leaves no invalid byte in a path; a plugin's query may contain one.
    PathAndQuery::from_maybe_shared(Bytes::from(text)).unwrap_or_else(|_| PathAndQuery::from_static("/"))
}
