//! Asking the upstream: an address, a connection, the request, and another try where Kong would make one.

use std::{sync::Arc, task::Poll};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Uri, header, uri::PathAndQuery};
use hyper::body::Body as _;
use tokio::time::Instant;

use super::{
    fault::Fault,
    headers::{self, Length, Outgoing},
    mock,
    request_body::prepare,
    run::{Early, Flow},
    worker::Link,
};
use net::{Body, Connection, DialError, PoolKey, SendError, Timeouts, Wire, dial, tls::TlsTarget};
use plugin::Exchange;
use runtime::{Mock, RouteEntry, ServiceEntry, Snapshot};
use upstream::{Destination, Pick};

/// An upstream's answer, and the connection it comes from.
#[derive(Debug)]
pub struct Answer {
    /// Has its head, delivers its body, and goes back to the pool when that has ended.
    pub connection: Box<Connection>,
    /// How long the upstream may make no progress.
    pub timeouts: Timeouts,
    /// Whether it is read on while the client takes its time.
    pub ahead: bool,
}

/// Sends the request to the route's service. `path` is the normalised path that was routed on.
///
/// # Errors
/// When no upstream answers.
pub async fn forward(
    link: &Link,
    snap: &Snapshot,
    route: &RouteEntry,
    flow: &mut Flow,
    path: &[u8],
    id: &HeaderValue,
) -> Result<Answer, Early> {
    let service = match route.service {
        Some(service) => snap.service(service),
        None => return Err(Fault::NoService.into()),
    };
    let exchange = &mut flow.exchange;
    let options = &link.worker.options;
    let target = target(exchange, route, service, path);
    if options.mock == Mock::All {
        return Err(Box::pin(mock::answer(exchange, &snap.state, &target)).await);
    }
    let out = outgoing(exchange, link, route, path, id);
    let over = exchange.upstream.address.take().map(|(host, port)| Destination::direct(&host, port));
    let destination = over.as_ref().unwrap_or(&service.destination);
    if options.mock == Mock::Unresolved
        && let Err(error) = destination.pick(&link.worker.resolver).await
    {
        tracing::debug!("{error}: the echo answers");
        return Err(Box::pin(mock::answer(exchange, &snap.state, &target)).await);
    }
    let body = std::mem::take(&mut exchange.request.body);
    let body = prepare(body, route.request_buffering && !service.grpc, options).await?;
    let mut tries = Tries { left: service.retries, exchange, link, service };
    let mut body = Some(body);
    loop {
        let pick = destination.pick(&link.worker.resolver).await.map_err(Fault::Pick)?;
        let host = host(tries.exchange, route, service, destination, &pick);
        let mut connection = match tries.connection(&pick, host).await {
            Ok(connection) => connection,
            Err((fault, since)) => {
                tries.exchange.sent = Some(since);
                tries.exchange.answered = Some(std::time::Instant::now());
                match tries.again() {
                    true => continue,
                    false => return Err(fault.into()),
                }
            }
        };
        // A body that has been streamed in part is not there for another try.
        let Some(sent) = body.take() else { return Err(Fault::Upstream("no body left".into()).into()) };
        if sent.at_hand() {
            body = Some(copy(&sent));
        }
        let reused = connection.used;
        tries.begin(&mut connection, &target, host, &out, sent);
        let fault = match tries.send(connection).await {
            Ok(answer) => return Ok(Answer { ahead: route.response_buffering && !service.grpc, ..answer }),
            Err(fault) => fault,
        };
        let idempotent = !matches!(tries.exchange.request.method.as_str(), "POST" | "LOCK" | "PATCH");
        if body.is_none() || !idempotent {
            return Err(fault.into());
        }
        // An idle connection that was closed just now says nothing about the upstream.
        if !(reused && matches!(fault, Fault::Upstream(_)) || tries.again()) {
            return Err(fault.into());
        }
    }
}

fn copy(body: &Body) -> Body {
    match body {
        Body::Whole(bytes) => Body::Whole(bytes.clone()),
        _ => Body::Empty,
    }
}

struct Tries<'a> {
    left: u32,
    exchange: &'a mut Exchange,
    link: &'a Link,
    service: &'a ServiceEntry,
}

impl Tries<'_> {
    /// Whether there is one more.
    fn again(&mut self) -> bool {
        let more = self.left > 0;
        self.left = self.left.saturating_sub(1);
        more
    }

    /// An idle connection, or a new one.
    ///
    /// # Errors
    /// When none can be opened, and since when that was tried.
    async fn connection(
        &self,
        pick: &Pick<'_>,
        host: &HeaderValue,
    ) -> Result<Box<Connection>, (Fault, std::time::Instant)> {
        let own;
        let spoken = self.exchange.upstream.tls.unwrap_or(self.service.tls.is_some());
        let tls: Option<&TlsTarget> = match (&self.service.tls, &self.service.tls_target) {
            _ if !spoken => None,
            (Some(_), Some(target)) if pick.peer.is_none() && *host == self.service.host => Some(target),
            (Some(profile), _) => {
                let name = host.to_str().unwrap_or("");
                own = TlsTarget::new(Arc::clone(profile), super::admit::split_host(name).0);
                own.as_ref()
            }
            (None, _) => None,
        };
        let key = PoolKey {
            address: pick.address,
            tls: tls.map(|tls| Arc::clone(&tls.pool)),
            http2: self.service.grpc,
        };
        let pool = &self.link.worker.pool;
        while let Some(mut connection) = pool.take(&key) {
            let ready = match &mut connection.wire {
                Wire::Http1(_) => true,
                // Its last answer has been read to the end, so this does not wait for the upstream.
                Wire::Http2(http2) => http2.is_ready().await,
            };
            if ready {
                return Ok(connection);
            }
        }
        // Apart, as all that is rare: it would make the future of every request larger.
        let since = std::time::Instant::now();
        let memory = &self.link.worker.gateway.memory;
        let dialing = Box::pin(dial(pick.address, tls, self.service.connect_timeout, key, memory));
        dialing.await.map_err(|error| match error {
            DialError::Timeout => {
                let timeout = self.service.connect_timeout;
                (Fault::UpstreamTimeout(format!("{}: no connection within {timeout:?}", pick.address)), since)
            }
            other => (Fault::Upstream(format!("{}: {}", pick.address, chained(&other))), since),
        })
    }

    /// Writes the request's head, and begins to send it.
    fn begin(
        &self,
        connection: &mut Connection,
        target: &PathAndQuery,
        host: &HeaderValue,
        out: &Outgoing<'_>,
        body: Body,
    ) {
        let request = &self.exchange.request;
        match &mut connection.wire {
            Wire::Http1(http1) => {
                let length = body.size_hint().exact().map_or(Length::Chunked, Length::Known);
                let head = http1.head();
                head.extend_from_slice(request.method.as_str().as_bytes());
                head.push(b' ');
                head.extend_from_slice(target.as_str().as_bytes());
                head.extend_from_slice(b" HTTP/1.1");
                headers::for_upstream(self.exchange, self.link, host, out, length, head);
                head.extend_from_slice(b"\r\n\r\n");
                let head_only = request.method == Method::HEAD;
                http1.begin(body, length == Length::Chunked, head_only, out.websocket);
            }
            Wire::Http2(http2) => {
                let length = body.size_hint().exact().map_or(Length::AsSaid, Length::Known);
                let mut sent = Request::new(body);
                let fields = sent.headers_mut();
                headers::for_upstream(self.exchange, self.link, host, out, length, fields);
                fields.remove(header::CONNECTION);
                fields.remove(header::HOST);
                let tls = self.exchange.upstream.tls.unwrap_or(self.service.tls.is_some());
                *sent.uri_mut() = absolute(target, host, tls);
                *sent.method_mut() = request.method.clone();
                *sent.version_mut() = http::Version::HTTP_2;
                http2.begin(sent);
            }
        }
    }

    /// Sends the request that was begun and waits for the answer's head, as long as write and read timeouts
    /// allow.
    async fn send(&mut self, mut connection: Box<Connection>) -> Result<Answer, Fault> {
        let address = connection.key.address;
        let timeouts = Timeouts { write: self.service.write_timeout, read: self.service.read_timeout };
        let start = Instant::now();
        self.exchange.sent = Some(start.into_std());
        connection.start_timeouts(timeouts, start);
        let answered = std::future::poll_fn(|cx| match connection.poll_answer(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => connection.poll_timeout(cx).map(|()| None),
        })
        .await;
        self.exchange.answered = Some(std::time::Instant::now());
        match answered {
            None => {
                let Timeouts { write, read } = timeouts;
                Err(Fault::UpstreamTimeout(format!(
                    "{address} made no progress for as long as write_timeout ({write:?}) or read_timeout ({read:?}) allows"
                )))
            }
            Some(Ok(())) => Ok(Answer { connection, timeouts, ahead: false }),
            // The connection is closed with it, so that the upstream sees an incomplete request.
            Some(Err(SendError::Body(error))) => Err(error.into()),
            Some(Err(error)) => Err(Fault::Upstream(format!("{address}: {}", chained(&error)))),
        }
    }
}

/// HTTP/2's target: scheme and authority are told apart from the path.
fn absolute(target: &PathAndQuery, host: &HeaderValue, tls: bool) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if tls { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP });
    parts.authority = host.to_str().ok().and_then(|host| host.parse().ok());
    parts.path_and_query = Some(target.clone());
    // A host that is no authority leaves the path alone, and the upstream to complain.
    Uri::from_parts(parts).unwrap_or_else(|_| Uri::from(target.clone()))
}

/// An error with its causes, for the log.
fn chained(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// What the headers need to know besides the exchange.
pub(super) fn outgoing<'a>(
    exchange: &Exchange,
    link: &Link,
    route: &RouteEntry,
    path: &[u8],
    id: &'a HeaderValue,
) -> Outgoing<'a> {
    let matched = exchange.matched.as_ref().map_or(0, |m| m.matched);
    let prefix = path.get(..matched).filter(|p| route.strip_path && !p.is_empty() && *p != b"/");
    Outgoing {
        prefix: prefix.and_then(|p| HeaderValue::from_str(&router::escape_for_upstream(p)).ok()),
        websocket: headers::wants_websocket(exchange),
        body: !matches!(exchange.request.body, Body::Empty),
        id: link.worker.options.request_id_upstream.then_some(id),
    }
}

/// The Host header for a try.
pub(super) fn host<'a>(
    exchange: &'a Exchange,
    route: &RouteEntry,
    service: &'a ServiceEntry,
    destination: &'a Destination,
    pick: &Pick<'a>,
) -> &'a HeaderValue {
    if let Some(host) = &exchange.upstream.host {
        return host;
    }
    if route.preserve_host
        && let Some(host) = exchange.request.headers.get(header::HOST)
    {
        return host;
    }
    match (destination, pick.peer) {
        (_, Some(peer)) => peer.host(service.tls.is_some()),
        // Which target it will be is not known.
        (Destination::Balanced(balancer), None) if let Some(host) = &balancer.host_header => host,
        _ => &service.host,
    }
}

/// Path and query of the upstream's request.
pub(super) fn target(
    exchange: &Exchange,
    route: &RouteEntry,
    service: &ServiceEntry,
    path: &[u8],
) -> PathAndQuery {
    let request = &exchange.request;
    let (joined, escaped);
    let wanted: &str = match &exchange.upstream.path {
        Some(path) => path,
        None => {
            let matched = exchange.matched.as_ref().map_or(0, |m| m.matched);
            joined =
                router::upstream_path(&service.path, path, matched, route.strip_path, route.path_handling);
            escaped = router::escape_for_upstream(&joined);
            &escaped
        }
    };
    let same =
        request.uri.path_and_query().filter(|own| own.path() == wanted && own.query() == request.query());
    if let Some(own) = same {
        return own.clone();
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
    // Escaping leaves nothing in a path that a target may not hold; a plugin's query might.
    PathAndQuery::from_maybe_shared(Bytes::from(text)).unwrap_or_else(|_| PathAndQuery::from_static("/"))
}
