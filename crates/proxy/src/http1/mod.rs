//! HTTP/1 towards clients (RFC 9112): one task per connection reads a request, sends the response, and starts
//! again.
//!
//! The parser of request heads is in [`head`], the buffers and timers of a connection in `connection`, and
//! the framing of responses in `encode`. A request's body and its response use the connection in turns, so
//! that a connection needs neither a second task nor a channel.
//!
//! ```text
//!             +------+   head    +---------+   response   +---------+
//!  accept --> | idle | --------> | handler | -----------> | writing |
//!             +------+           +---------+              +---------+
//!               ^  | idle timeout,                       |  |  | 101
//!               |  | drain, EOF   keep-alive, body read  |  |  +-----> tunnel
//!               +--|-------------------------------------+  | close
//!                  v                                        |
//!             +-----------------+ <--------------------------+
//!             | lingering close |
//!             +-----------------+
//! ```

mod connection;
mod encode;
#[doc(hidden)]
pub mod harness;
pub mod head;
mod target;

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::ext::ReasonPhrase;
use tokio::time::sleep;

use self::{
    connection::{Discarded, Http1Body, Http1Connection, Http1Timeouts, Io, NextRequest},
    encode::{EncodedHead, Framing, RequestFacts},
    head::RequestHead,
};
use super::{
    active_request::{ActiveRequest, Refusal},
    counted_body::CountedBody,
    error::ProxyError,
    handle::handle,
    response_body::ResponseBody,
    upgrade,
    worker::{ConnContext, Worker},
};
use net::Body;
use plugin::{Received, Request};
use telemetry::EndedBy;

type SharedConnection<S> = Rc<RefCell<Http1Connection<S>>>;

/// Serves HTTP/1 on a connection until the client closes it, it fails, or the worker drains.
pub async fn serve(conn_ctx: Rc<ConnContext>, stream: impl Io) {
    let options = &conn_ctx.worker.options;
    let timeouts = Http1Timeouts {
        keepalive: options.idle_timeout,
        header: options.header_timeout,
        body: options.body_timeout,
        send: options.send_timeout,
    };
    let mut connection = Http1Connection::new(stream, timeouts, options.head);
    connection.set_memory(Arc::clone(&conn_ctx.worker.gateway.memory));
    let connection = Rc::new(RefCell::new(connection));
    let max_requests = options.requests_per_connection();
    let mut graceful_close = pin!(graceful_close(&conn_ctx.worker));
    let mut close_signal = CloseSignal::Unregistered;
    loop {
        let next =
            next_request(&connection, &conn_ctx.worker, graceful_close.as_mut(), &mut close_signal).await;
        let (request, rejection) = match next {
            NextRequest::Request(head) => (head, None),
            NextRequest::Rejected(rejection) => (RequestHead::placeholder(), Some(rejection.into())),
            NextRequest::Closed => {
                record_incomplete_head(&conn_ctx, &connection.borrow());
                break;
            }
        };
        let keep_alive =
            request.keep_alive && rejection.is_none() && conn_ctx.requests.get() + 1 < max_requests;
        match exchange(&conn_ctx, &connection, request, rejection, keep_alive).await {
            Ok(Disposition::KeepAlive) => connection.borrow_mut().enter_idle(),
            Ok(Disposition::Upgraded(upgraded, body)) => {
                if let Some(connection) = Rc::into_inner(connection) {
                    let client = connection.into_inner().into_parts();
                    Box::pin(upgrade::tunnel(&conn_ctx.worker, client, *upgraded, *body)).await;
                }
                return;
            }
            Ok(Disposition::Close) => break,
            Err(error) => {
                tracing::debug!(peer = %conn_ctx.client.peer, "a connection failed during a request: {error}");
                return;
            }
        }
    }
    if let Some(connection) = Rc::into_inner(connection) {
        connection.into_inner().close(!conn_ctx.client.is_tls).await;
    }
}

/// Completes when an idle connection has to close: the worker drains, and a request that was in flight by
/// then has had time to arrive. Requests that arrive in between get a response with `Connection: close`.
async fn graceful_close(worker: &Worker) {
    worker.drain_signal().await;
    Box::pin(sleep(worker.idle_close_delay.get())).await;
}

/// Progress of [`graceful_close`] as the connection's task knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CloseSignal {
    /// It has not been polled, so that its waker is not registered.
    Unregistered,
    /// It is registered; the task's waker does not change, so that one poll is enough.
    Registered,
    /// It has completed.
    Fired,
}

/// Waits for the next request.
async fn next_request<S: Io>(
    connection: &SharedConnection<S>,
    worker: &Worker,
    mut graceful_close: Pin<&mut impl Future<Output = ()>>,
    close_signal: &mut CloseSignal,
) -> NextRequest {
    poll_fn(|cx| {
        let mut connection = connection.borrow_mut();
        if let Poll::Ready(next) = connection.poll_request(cx) {
            return Poll::Ready(next);
        }
        if *close_signal == CloseSignal::Unregistered
            || *close_signal == CloseSignal::Registered && worker.draining.get()
        {
            *close_signal = if graceful_close.as_mut().poll(cx).is_ready() {
                CloseSignal::Fired
            } else {
                CloseSignal::Registered
            };
        }
        // A request whose first bytes have arrived is still served.
        if *close_signal == CloseSignal::Fired && connection.is_idle() {
            return Poll::Ready(NextRequest::Closed);
        }
        Poll::Pending
    })
    .await
}

/// Records a request whose head never completed: the client closed the connection, or the head's timeout passed.
fn record_incomplete_head<S: Io>(conn_ctx: &Rc<ConnContext>, connection: &Http1Connection<S>) {
    if connection.is_idle() || !conn_ctx.worker.sinks.is_on() {
        return;
    }
    let head = RequestHead::placeholder();
    let mut request = Request::new(head.method, head.uri, head.version, head.headers, Body::Empty);
    request.received.is_refused = true;
    let (status, error) = match connection.has_timed_out() {
        true => (408, Some("client_timeout")),
        false => (499, None),
    };
    let refusal = Refusal { status, error, ended_by: EndedBy::Client };
    ActiveRequest::record_refused(conn_ctx, request, refusal);
}

/// What follows a request and its response on the connection.
enum Disposition {
    /// Another request.
    KeepAlive,
    /// The connection closes.
    Close,
    /// Another protocol takes over. The record of the request is written with the body, when the tunnel ends.
    Upgraded(Box<upgrade::UpgradedUpstream>, Box<ResponseBody>),
}

/// Serves one request. Fails if the connection does.
async fn exchange<S: Io>(
    conn_ctx: &Rc<ConnContext>,
    connection: &SharedConnection<S>,
    head: RequestHead,
    rejection: Option<ProxyError>,
    keep_alive: bool,
) -> io::Result<Disposition> {
    let (method, version) = (head.method.clone(), head.version);
    let mut received = Received { is_refused: rejection.is_some(), head_bytes: head.bytes, body_bytes: None };
    let body = match connection.borrow().body_ended() {
        true => Body::Empty,
        false => CountedBody::wrap(Http1Body::new(connection, conn_ctx.budget()), &mut received),
    };
    let mut request = Request::new(head.method, head.uri, head.version, head.headers, body);
    request.received = received;
    let _active = conn_ctx.worker.connection_metrics.track_active();
    let mut handling = pin!(handle(Rc::clone(conn_ctx), request, rejection));
    let mut tick = pin!(conn_ctx.worker.housekeeping_tick.notified());
    let response = poll_fn(|cx| {
        if let Poll::Ready(response) = handling.as_mut().poll(cx) {
            return Poll::Ready(Ok(response));
        }
        let mut connection = connection.borrow_mut();
        // A new connection is not registered with the runtime yet, and each read costs a system call: wait for
        // the housekeeping tick.
        if !connection.is_watched() {
            ready!(tick.as_mut().poll(cx));
        }
        // A connection with an unread body is not read from while the body waits for the upstream: only this
        // detects a reset.
        while !connection.body_ended() && tick.as_mut().poll(cx).is_ready() {
            if connection.is_reset() {
                return Poll::Ready(Err(client_closed()));
            }
            tick.set(conn_ctx.worker.housekeeping_tick.notified());
        }
        connection.poll_client_closed(cx).map(|()| Err(client_closed()))
    })
    .await?;
    let mut writer = ResponseWriter::start(connection, response, &method, version, keep_alive, conn_ctx);
    let sent = poll_fn(|cx| writer.poll(cx)).await;
    writer.record_end(sent.is_ok());
    sent?;
    if let Some(upgraded) = writer.upgraded {
        return Ok(Disposition::Upgraded(upgraded, Box::new(writer.body)));
    }
    if !writer.encoded.keep_alive {
        return Ok(Disposition::Close);
    }
    drop(writer);
    let ended = connection.borrow().body_ended()
        || poll_fn(|cx| connection.borrow_mut().poll_discard(cx)).await == Discarded::Complete;
    Ok(if ended { Disposition::KeepAlive } else { Disposition::Close })
}

fn client_closed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the client closed the connection")
}

/// Writes a response to the client.
struct ResponseWriter<'a, S> {
    connection: &'a SharedConnection<S>,
    body: ResponseBody,
    encoded: EncodedHead,
    upgraded: Option<Box<upgrade::UpgradedUpstream>>,
    /// Bytes of the body that remain, if Content-Length was sent.
    remaining: u64,
    ended: bool,
    failure: Option<io::Error>,
    /// Whether discarding the request's body has ended.
    has_discarded: bool,
    /// Bytes that had been written to the connection before the response.
    written_before: u64,
}

impl<'a, S: Io> ResponseWriter<'a, S> {
    /// Encodes the head into the write buffer.
    fn start(
        connection: &'a SharedConnection<S>,
        response: Response<ResponseBody>,
        method: &Method,
        version: Version,
        keep_alive: bool,
        conn_ctx: &ConnContext,
    ) -> Self {
        let (mut parts, mut body) = response.into_parts();
        let upgraded = body.take_upgraded();
        // A plugin may have replaced the status: without 101 the client goes on with HTTP, which must not reach the
        // upstream as bytes of a tunnel.
        let keep_alive =
            keep_alive && (upgraded.is_none() || parts.status == StatusCode::SWITCHING_PROTOCOLS);
        let upgraded = upgraded.filter(|_| parts.status == StatusCode::SWITCHING_PROTOCOLS);
        if parts.status.is_informational() && upgraded.is_none() {
            // An informational response is not final (RFC 9110 section 15.2): the client would go on waiting.
            parts.status = StatusCode::INTERNAL_SERVER_ERROR;
        }
        let mut connection_ref = connection.borrow_mut();
        let keep_alive =
            keep_alive && !conn_ctx.worker.draining.get() && !connection_ref.is_awaiting_continue();
        let size_hint = body.size_hint();
        let written_before = connection_ref.outbox.written_bytes();
        let start = connection_ref.outbox.head().len();
        let headers = body.take_headers().unwrap_or_else(|| parts.headers.into());
        let encoded = encode::encode_head(
            connection_ref.outbox.head(),
            parts.status,
            parts.extensions.get::<ReasonPhrase>(),
            &headers,
            &size_hint,
            RequestFacts { method, version, keep_alive },
            |to| {
                if let Some(added) = body.take_added() {
                    added.append_to(&conn_ctx.worker.options.headers, to);
                }
            },
        );
        let head_bytes = (connection_ref.outbox.head().len() - start) as u64;
        body.record(|transfer| {
            transfer.status = Some(parts.status.as_u16());
            transfer.head_bytes = head_bytes;
        });
        let remaining = if let Framing::Length(length) = encoded.framing { length } else { 0 };
        let ended = matches!(encoded.framing, Framing::WithoutBody | Framing::Length(0));
        drop(connection_ref);
        ResponseWriter {
            connection,
            body,
            encoded,
            upgraded,
            remaining,
            ended,
            failure: None,
            has_discarded: false,
            written_before,
        }
    }

    /// Writes head and body; what is available of both leaves in one write.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let is_body_pending = self.poll_fill_outbox(cx).is_pending();
            let sent = self.connection.borrow_mut().poll_send(cx)?;
            if sent.is_ready() && !is_body_pending && self.ended {
                return Poll::Ready(self.failure.take().map_or(Ok(()), Err));
            }
            if sent.is_pending() || is_body_pending {
                let discarded = self.poll_discard_request(cx);
                if sent.is_pending() {
                    if !is_body_pending && !self.ended {
                        self.body.read_ahead(cx);
                    }
                    return Poll::Pending;
                }
                if discarded == Poll::Ready(Discarded::ClientClosed) {
                    return Poll::Ready(Err(client_closed()));
                }
                return self.connection.borrow_mut().poll_client_closed(cx).map(|()| Err(client_closed()));
            }
        }
    }

    /// Records what was sent.
    fn record_end(&mut self, is_complete: bool) {
        let written = self.connection.borrow().outbox.written_bytes() - self.written_before;
        self.body.record(|transfer| {
            transfer.written_bytes = Some(written);
            if is_complete {
                transfer.ended_by = EndedBy::Complete;
            }
        });
    }

    /// Reads and discards the rest of the request's body once neither the upstream nor a plugin reads it: a
    /// client that sends its whole body before it reads would never get to the response.
    fn poll_discard_request(&mut self, cx: &mut Context<'_>) -> Poll<Discarded> {
        // The body's reader holds the other reference.
        let body_has_reader = Rc::strong_count(self.connection) > 1;
        let mut connection = self.connection.borrow_mut();
        if body_has_reader
            || self.has_discarded
            || connection.body_ended()
            || connection.is_awaiting_continue()
        {
            return Poll::Pending;
        }
        let discarded = ready!(connection.poll_discard(cx));
        self.has_discarded = true;
        Poll::Ready(discarded)
    }

    /// Moves the next chunks of the body into the write buffer while it has capacity.
    fn poll_fill_outbox(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.ended && self.connection.borrow().outbox.has_capacity() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.write_data(data),
                    Err(frame) => self.finish(frame.into_trailers().ok()),
                },
                Some(Err(error)) => self.fail(io::Error::other(error)),
                None => self.finish(None),
            }
        }
        Poll::Ready(())
    }

    fn write_data(&mut self, data: Bytes) {
        if let Framing::Length(_) = self.encoded.framing {
            match self.remaining.checked_sub(data.len() as u64) {
                Some(remaining) => self.remaining = remaining,
                None => return self.fail(io::Error::other("the body is longer than its Content-Length")),
            }
        }
        match self.encoded.framing {
            _ if data.is_empty() => {}
            Framing::Chunked => self.connection.borrow_mut().outbox.push_chunk(data),
            _ => self.connection.borrow_mut().outbox.push_data(data),
        }
        if self.body.is_end_stream() {
            self.finish(None);
        }
    }

    fn finish(&mut self, trailers: Option<HeaderMap>) {
        if self.remaining > 0 {
            return self.fail(io::ErrorKind::UnexpectedEof.into());
        }
        self.ended = true;
        if self.encoded.framing == Framing::Chunked {
            let outbox = &mut self.connection.borrow_mut().outbox;
            match trailers {
                Some(trailers) => outbox.push_trailers(&trailers),
                None => outbox.push_last_chunk(),
            }
        }
    }

    /// Ends a body that cannot be completed: what has been buffered is sent, and closing the connection
    /// reports the truncation to the client.
    fn fail(&mut self, error: io::Error) {
        self.ended = true;
        self.failure = Some(error);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, task::Waker, time::Duration};

    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;
    use model::State;
    use runtime::{Gateway, Options, compile};
    use store::Stores;

    #[tokio::test]
    async fn a_started_head_outlasts_the_graceful_close() {
        let (options, stores) = (Options::default(), Stores::default());
        let (snapshot, _) = compile(Arc::new(State::default()), &options, &stores, None);
        let limits = options.head;
        let worker = Worker::new(Gateway::new(options, stores, snapshot));
        worker.drain(Duration::ZERO);
        let hour = Duration::from_secs(3600);
        let timeouts = Http1Timeouts { keepalive: hour, header: hour, body: hour, send: hour };
        for (pieces, ends) in [(&[][..], true), (&["GET / HTTP/1.1\r\n", "Host: a\r\n", "X: 1\r\n"], false)] {
            let (mut client, near) = duplex(64);
            let connection = Rc::new(RefCell::new(Http1Connection::new(near, timeouts, limits)));
            // It has fired and is not polled again.
            let graceful_close = pin!(async {});
            let mut close_signal = CloseSignal::Unregistered;
            let mut waiting = pin!(next_request(&connection, &worker, graceful_close, &mut close_signal));
            let mut poll = || waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            for piece in pieces {
                client.write_all(piece.as_bytes()).await.expect("capacity");
                assert!(poll().is_pending(), "{piece}");
            }
            client.write_all(if ends { b"" } else { b"\r\n" }).await.expect("capacity");
            match poll() {
                Poll::Ready(NextRequest::Closed) => assert!(ends),
                Poll::Ready(NextRequest::Request(_)) => assert!(!ends),
                other => panic!("{other:?}"),
            }
        }
    }
}
