//! The request path: one direction, one page.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    task::Poll,
};

use http::{HeaderValue, Response};
use smallvec::SmallVec;

use super::{
    admit, body_form,
    fault::Fault,
    forward::{self, Answer},
    headers, respond,
    response_body::Tail,
    run::{Early, Flow},
    worker::Link,
};
use plugin::{self, Exchange, Matched, Request};
use router::{self, RequestLine};
use runtime::{Encrypted, RouteEntry, Snapshot};

/// Answers one request; one that is refused already, in that fault's way. A failure is an answer too.
pub async fn handle(link: Rc<Link>, request: Request, refusal: Option<Fault>) -> Response<Tail> {
    let snap = link.worker.snapshot();
    let mut flow = begin(&link, request);
    let id = headers::id_value(flow.exchange.id);
    let end = match refusal {
        Some(refusal) => Err(refusal.into()),
        None => match guarded(answer(&link, &snap, &mut flow, &id)).await {
            Ok(end) => end,
            Err(_) => Err(Fault::Panic.into()),
        },
    };
    let respond = || respond::respond(&link, snap, flow, end, &id);
    let response = catch_unwind(AssertUnwindSafe(respond)).unwrap_or_else(|_| respond::last_resort());
    match response.body().waits() {
        // Apart, as it is rare: it would make the future of every request larger.
        true => Box::pin(respond::wait(&link, response, &id)).await,
        false => response,
    }
}

/// Takes the request in.
fn begin(link: &Link, request: Request) -> Box<Flow> {
    let number = link.requests.get() + 1;
    link.requests.set(number);
    link.worker.requests.set(link.worker.requests.get() + 1);
    let client = plugin::Client { request: number, ..link.client.clone() };
    let exchange = Exchange::new(client, request, link.worker.request_id());
    Box::new(Flow { exchange, picks: SmallVec::new() })
}

/// From the request to an upstream's answer, or to what ends it earlier.
async fn answer(link: &Link, snap: &Snapshot, flow: &mut Flow, id: &HeaderValue) -> Result<Answer, Early> {
    admit::admit(&mut flow.exchange, link)?;
    flow.rewrite(snap).await?;
    let (uri, path);
    uri = flow.exchange.request.uri.clone();
    path = router::normalize(uri.path());
    let route = find(link, snap, &mut flow.exchange, &path)?;
    protocol(&flow.exchange, route)?;
    flow.access(snap).await?;
    forward::forward(link, snap, route, flow, &path, id).await
}

/// Finds the route.
pub(super) fn find<'s>(
    link: &Link,
    snap: &'s Snapshot,
    exchange: &mut Exchange,
    path: &[u8],
) -> Result<&'s RouteEntry, Early> {
    let request = &exchange.request;
    let host = request.headers.host().0.filter(|host| host.is_ascii());
    let host = host.and_then(|host| std::str::from_utf8(host).ok());
    let client = &exchange.client;
    let line = RequestLine {
        method: request.method.as_str(),
        https: client.tls,
        host,
        query: request.query().unwrap_or(""),
        headers: &request.headers,
        sni: client.sni.as_deref(),
        source: (client.ip, client.peer.port()),
        destination: (client.local.ip(), link.port),
    };
    let found = snap.router.find(&line, path).ok_or(Fault::NoRoute)?;
    let route = snap.route(found.route);
    exchange.matched = Some(Matched {
        route: found.route,
        service: route.service,
        matched: found.matched,
        captures: found.captures,
    });
    Ok(route)
}

/// Whether the request speaks what its route wants.
pub(super) fn protocol(exchange: &Exchange, route: &RouteEntry) -> Result<(), Fault> {
    if route.grpc {
        let grpc = body_form::is_grpc(&exchange.request.headers);
        if !grpc && route.grpc_only {
            return Err(Fault::NeedsGrpc);
        }
        if grpc && exchange.request.version != http::Version::HTTP_2 {
            return Err(Fault::NeedsHttp2);
        }
    }
    match route.encrypted_only {
        Some(Encrypted::Https(status)) if exchange.scheme() == "http" => Err(Fault::NeedsHttps(status)),
        Some(Encrypted::Grpcs) if exchange.scheme() == "http" => Err(Fault::NeedsGrpcs),
        _ => Ok(()),
    }
}

/// Runs a future; a panic in it ends it and nothing else.
async fn guarded<T>(future: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
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

    /// It is moved before it runs: its size is copied for each request.
    #[test]
    fn the_future_of_a_request_is_small() {
        fn size<A, B, C, F>(_: fn(A, B, C) -> F) -> usize {
            size_of::<F>()
        }
        let size = size(handle);
        assert!(size <= 5_000, "{size} bytes");
    }
}
