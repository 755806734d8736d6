//! The response's head: an upstream's, a plugin's, or one that tells of a failure.

use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use hyper::ext::ReasonPhrase;

use super::{
    fault::{self, Fault},
    forward::Answer,
    headers::{self, Added},
    response_body::{Delivery, Ending, Source, Tail},
    run::{Early, Flow},
    worker::Link,
};
use http_codec::Headers;
use net::{BodyError, BudgetExceeded, Wire};
use plugin::{ReplyBody, ResponseSource};
use runtime::{Held, Snapshot};

/// How the request path ended.
pub type End = Result<Answer, Early>;

/// Makes the answer's head, runs the header filters, and hands all that is left to do to its body.
pub fn respond(
    link: &Rc<Link>,
    snap: Held,
    mut flow: Box<Flow>,
    end: End,
    id: &HeaderValue,
) -> Response<Tail> {
    let options = &link.worker.options;
    let proxied = flow.exchange.sent.is_some();
    let (source, reason) = match end {
        Ok(answer) => take(link, &mut flow, answer),
        Err(early) => (made_here(link, &snap, &mut flow, early), None),
    };
    let phases = flow.chain(&snap).phases;
    if phases.body_filter {
        flow.exchange.budget = Some(link.budget().clone());
    }
    flow.header_filter(&snap);
    if options.debug_header && flow.exchange.request.headers.contains_key("kong-debug") {
        debug_headers(&snap, &mut flow);
    }
    let later = phases.body_filter || phases.log;
    let (mut head, headers, added) = head(link, &mut flow, proxied, later, id);
    if let Some(reason) = reason {
        head.extensions_mut().insert(reason);
    }
    let ending = later.then(|| Box::new(Ending { flow, snap, filters: phases.body_filter, done: false }));
    head.map(|()| Tail { source, ending, headers, added, first: None })
}

/// Waits for the first bytes that leave the filters. If a filter refuses the body, or it fails before, the client gets
/// a failure in place of the response.
pub async fn wait(link: &Rc<Link>, response: Response<Tail>, id: &HeaderValue) -> Response<Tail> {
    let (parts, mut tail) = response.into_parts();
    let error = match tail.frame().await.transpose() {
        Ok(first) => {
            tail.first = first.map(Box::new);
            return Response::from_parts(parts, tail);
        }
        Err(error) => error,
    };
    let Some(mut ending) = tail.ending.take() else { return last_resort() };
    let fault = match error {
        BodyError::Stalled => Fault::UpstreamTimeout("its response's body stopped arriving".to_owned()),
        BodyError::Budget(exceeded @ BudgetExceeded::Process(_)) => Fault::Budget(exceeded),
        BodyError::Budget(exceeded) => Fault::Upstream(format!("the response cannot be held: {exceeded}")),
        other => Fault::Upstream(other.to_string()),
    };
    let Ending { flow, snap, filters, .. } = &mut *ending;
    *filters = false;
    flow.exchange.response.headers = Default::default();
    let source = made_here(link, snap, flow, fault.into());
    let proxied = flow.exchange.sent.is_some();
    let (head, headers, added) = head(link, flow, proxied, true, id);
    head.map(|()| Tail { source, ending: Some(ending), headers, added, first: None })
}

/// A response's head, its headers where HTTP/1 writes them, and headers that are still to be added. With
/// `later`, the exchange keeps a copy for the phases to come.
fn head(
    link: &Link,
    flow: &mut Flow,
    proxied: bool,
    later: bool,
    id: &HeaderValue,
) -> (Response<()>, Option<Headers>, Option<Added>) {
    let options = &link.worker.options;
    let added = Added::new(&flow.exchange, proxied, id);
    let http2 = flow.exchange.request.version == Version::HTTP_2;
    let response = &mut flow.exchange.response;
    // Nobody but HTTP/1's writer looks at them any more: they need not go through the map.
    let added = if later || http2 || added.clashes(&response.headers) {
        added.insert(&options.headers, &mut response.headers);
        None
    } else {
        Some(added)
    };
    let mut head = Response::new(());
    *head.status_mut() = response.status;
    let headers = match later {
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

/// The head of an upstream's answer becomes the exchange's.
fn take(link: &Rc<Link>, flow: &mut Flow, answer: Answer) -> (Source, Option<ReasonPhrase>) {
    let Answer { mut connection, timeouts, ahead } = answer;
    let head = connection.take_head().expect("an answer is made when its head is there");
    let mut headers = head.headers;
    let switches = head.status == StatusCode::SWITCHING_PROTOCOLS;
    // gRPC says in them how a call ended, whether asked for or not.
    let trailers = connection.key.http2 || headers::wants_trailers(&flow.exchange.request.headers);
    headers::from_upstream(&mut headers, switches, trailers);
    if switches {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    }
    let held = &mut flow.exchange.response;
    held.status = head.status;
    held.source = ResponseSource::Upstream;
    held.headers = match held.headers.is_empty() {
        true => headers,
        // What plugins have set already stands before the upstream's own.
        false => std::mem::take(&mut held.headers).followed_by(headers),
    };
    if switches && let Wire::Http1(http1) = connection.wire {
        let (stream, read) = http1.into_parts();
        return (Source::Switched(Box::new((stream, read, timeouts.read))), head.reason);
    }
    let source = if connection.is_end_stream() {
        link.worker.pool.give(connection);
        Source::Empty
    } else {
        let link = Rc::clone(link);
        Source::Upstream(Delivery {
            connection: Some(connection),
            link,
            id: flow.exchange.id,
            trailers,
            ahead,
            held: None,
        })
    };
    (source, head.reason)
}

/// A reply or a failure becomes the exchange's answer.
fn made_here(link: &Rc<Link>, snap: &Snapshot, flow: &mut Flow, early: Early) -> Source {
    let exchange = &mut flow.exchange;
    // A plugin that bounds the body has said what to answer.
    let early = match (early, exchange.request.too_long.take()) {
        (Early::Fault(Fault::BodyTooLong), Some(reply)) => Early::Reply(reply),
        (early, _) => early,
    };
    let (reply, source) = match early {
        Early::Reply(reply) => (*reply, ResponseSource::Plugin),
        Early::Fault(fault) => {
            match &fault {
                // One event of many clients.
                Fault::Budget(exceeded) => link.worker.log_limits.memory.log(|unlogged_events| {
                    tracing::error!(request_id = %exchange.id, unlogged_events, "a body cannot be buffered: {exceeded}");
                }),
                fault => fault.log(exchange, &snap.state),
            }
            (fault.reply(exchange, &link.worker.options), ResponseSource::Gateway)
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
    let mut made = std::mem::take(&mut exchange.response.headers);
    let empty = matches!(reply.body, ReplyBody::Empty);
    let bytes = fault::render(reply.body, reply.status, exchange, &link.worker.options.templates, &mut made);
    let bodiless = reply.status == StatusCode::NO_CONTENT
        || reply.status == StatusCode::NOT_MODIFIED
        || reply.status.is_informational();
    if !bodiless && (!empty || exchange.request.method != Method::HEAD) {
        made.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    exchange.response.headers = made;
    if bytes.is_empty() || bodiless { Source::Empty } else { Source::Whole(bytes) }
}

fn debug_headers(snap: &Snapshot, flow: &mut Flow) {
    let exchange = &mut flow.exchange;
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

/// An answer that is left when even its making panicked.
pub fn last_resort() -> Response<Tail> {
    let mut response =
        Response::new(Tail::whole(Bytes::from_static(b"{\"message\":\"An unexpected error occurred\"}")));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
