//! The request pipeline.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    task::Poll,
};

use http::{HeaderValue, Response};

use super::{
    active_request::ActiveRequest,
    error::ProxyError,
    error_body,
    forward::{self, UpstreamResponse},
    headers,
    pipeline::{EarlyExit, PipelineState},
    request_body,
    respond::{self, Responded},
    response_body::ResponseBody,
    validate,
    worker::ConnContext,
};
use plugin::{self, Exchange, Phase, Request, RouteMatch};
use router::{self, RequestInput};
use runtime::{RouteEntry, Snapshot, TlsRequired};

/// Serves one request, or responds to one that the parser has rejected. Errors become responses, too.
pub async fn handle(
    conn_ctx: Rc<ConnContext>,
    request: Request,
    rejection: Option<ProxyError>,
) -> Response<ResponseBody> {
    let mut active = ActiveRequest::start(&conn_ctx, request);
    let snap = Rc::clone(&active.snap);
    let id = headers::request_id_value(active.pipeline.exchange.id);
    let result = match rejection {
        Some(rejection) => Err(rejection.into()),
        None => match catch_panics(run_pipeline(&conn_ctx, &snap, &mut active.pipeline, &id)).await {
            Ok(result) => result,
            Err(_) => Err(ProxyError::Panic.into()),
        },
    };
    let result = match result {
        // Boxed, as it is rare: it would make the future of every request larger.
        Ok(response) if active.pipeline.chain(&snap).phases.contains(Phase::Response) => {
            let hooks =
                Box::pin(respond::run_response_hooks(&conn_ctx, &snap, &mut active.pipeline, response));
            catch_panics(hooks).await.unwrap_or_else(|_| Err(ProxyError::Panic.into()))
        }
        result => result.map(Responded::Upstream),
    };
    drop(snap);
    let respond = || respond::respond(&conn_ctx, active, result, &id);
    let response = catch_unwind(AssertUnwindSafe(respond)).unwrap_or_else(|_| respond::fallback_response());
    match response.body().holds_back_head() {
        // Boxed, as it is rare: it would make the future of every request larger.
        true => Box::pin(respond::await_first_frame(&conn_ctx, response, &id)).await,
        false => response,
    }
}

/// Runs the pipeline up to the upstream's response, or an earlier exit.
async fn run_pipeline(
    conn_ctx: &ConnContext,
    snap: &Snapshot,
    pipeline: &mut PipelineState,
    id: &HeaderValue,
) -> Result<UpstreamResponse, EarlyExit> {
    validate::validate_request(&mut pipeline.exchange, conn_ctx)?;
    pipeline.rewrite(snap).await?;
    let (uri, path);
    uri = pipeline.exchange.request.uri.clone();
    path = router::normalize(uri.path());
    let route = find_route(conn_ctx, snap, &mut pipeline.exchange, &path)?;
    check_protocol(&pipeline.exchange, route)?;
    pipeline.access(snap).await?;
    request_body::attach_filters(pipeline, snap, conn_ctx)?;
    forward::forward(conn_ctx, snap, route, pipeline, &path, id).await
}

/// Finds the route.
pub(super) fn find_route<'s>(
    conn_ctx: &ConnContext,
    snap: &'s Snapshot,
    exchange: &mut Exchange,
    path: &[u8],
) -> Result<&'s RouteEntry, EarlyExit> {
    let request = &exchange.request;
    let host = request.headers.host().0.filter(|host| host.is_ascii());
    let host = host.and_then(|host| std::str::from_utf8(host).ok());
    let client = &exchange.client;
    let line = RequestInput {
        method: request.method.as_str(),
        https: client.is_tls,
        host,
        query: request.query().unwrap_or(""),
        headers: &request.headers,
        sni: client.sni.as_deref(),
        source: (client.ip, client.peer.port()),
        destination: (client.local.ip(), conn_ctx.port),
    };
    let found = snap.router.find(&line, path).ok_or(ProxyError::NoRoute)?;
    let route = snap.route(found.route);
    exchange.route_match = Some(RouteMatch {
        route: found.route,
        service: route.service,
        matched_len: found.matched_len,
        captures: found.captures,
    });
    Ok(route)
}

/// Checks that the request uses the protocols of its route.
pub(super) fn check_protocol(exchange: &Exchange, route: &RouteEntry) -> Result<(), ProxyError> {
    if route.grpc {
        let grpc = error_body::is_grpc(&exchange.request.headers);
        if !grpc && route.grpc_only {
            return Err(ProxyError::NeedsGrpc);
        }
        if grpc && exchange.request.version != http::Version::HTTP_2 {
            return Err(ProxyError::NeedsHttp2);
        }
    }
    match route.tls_required {
        Some(TlsRequired::Https(status)) if exchange.scheme() == "http" => {
            Err(ProxyError::NeedsHttps(status))
        }
        Some(TlsRequired::Grpcs) if exchange.scheme() == "http" => Err(ProxyError::NeedsGrpcs),
        _ => Ok(()),
    }
}

/// Runs a future; returns a panic in it as an error.
async fn catch_panics<T>(future: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The future is moved before it runs, so that its size is copied for each request.
    #[test]
    fn the_future_of_a_request_is_small() {
        fn size<A, B, C, F>(_: fn(A, B, C) -> F) -> usize {
            size_of::<F>()
        }
        let size = size(handle);
        assert!(size <= 5_000, "{size} bytes");
    }
}
