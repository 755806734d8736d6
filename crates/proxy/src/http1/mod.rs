//! HTTP/1 towards clients: one task reads a request, lets it be answered, sends the answer, and begins anew.
//!
//! Every head is read once, strictly ([`head`]); bodies and the connection's order are kept by [`connection`];
//! how an answer is framed is in [`answer`]. A request's body and its answer share the connection in turns, so
//! there is no second task and no channel.

mod answer;
mod connection;
pub mod head;
#[doc(hidden)]
pub mod probe;
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
    answer::{Asked, Framing, Said},
    connection::{Connection, Discarded, Incoming, Next, Patience, Wire},
    head::Head,
};
use super::{
    fault::Fault,
    handle::handle,
    response_body::Tail,
    upgrade,
    worker::{Link, Worker},
};
use net::Body;
use plugin::Request;

type Shared<S> = Rc<RefCell<Connection<S>>>;

/// Serves HTTP/1 on a connection, until it ends or the worker drains.
pub async fn serve(link: Rc<Link>, stream: impl Wire) {
    let options = &link.worker.options;
    let patience = Patience {
        idle: options.idle_timeout,
        stalled: options.client_timeout,
        body: options.body_timeout,
        taking: options.send_timeout,
    };
    let mut connection = Connection::new(stream, patience, options.head);
    connection.set_memory(Arc::clone(&link.worker.gateway.memory));
    let connection = Rc::new(RefCell::new(connection));
    let last = options.requests_per_connection();
    let mut farewell = pin!(farewell(&link.worker));
    let mut stay = Stay::Unasked;
    loop {
        let next = next(&connection, &link.worker, farewell.as_mut(), &mut stay).await;
        let (request, refusal) = match next {
            Next::Request(head) => (head, None),
            Next::Refused(refusal) => (Head::stand_in(), Some(refusal.into())),
            Next::Nothing => break,
        };
        let keep = request.keep && refusal.is_none() && link.requests.get() + 1 < last;
        match exchange(&link, &connection, request, refusal, keep).await {
            Ok(End::Next) => connection.borrow_mut().rest(),
            Ok(End::Switched(switched)) => {
                if let Some(connection) = Rc::into_inner(connection) {
                    let client = connection.into_inner().into_parts();
                    Box::pin(upgrade::join(&link.worker, client, *switched)).await;
                }
                return;
            }
            Ok(End::Last) => break,
            Err(error) => {
                tracing::debug!(peer = %link.client.peer, "a connection ends in the middle of an exchange: {error}");
                return;
            }
        }
    }
    if let Some(connection) = Rc::into_inner(connection) {
        connection.into_inner().close(!link.client.tls).await;
    }
}

/// Waits until the connection is to end: the worker drains, and a request that was on its way then has had time
/// to arrive. Those that come meanwhile are answered with `Connection: close`.
async fn farewell(worker: &Worker) {
    worker.drained().await;
    Box::pin(sleep(worker.linger.get())).await;
}

/// What is known of a connection's farewell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    /// It has not been asked for.
    Unasked,
    /// It has, and will wake this task, whose waker does not change.
    Asked,
    /// It has come.
    Over,
}

/// Waits for the next request.
async fn next<S: Wire>(
    connection: &Shared<S>,
    worker: &Worker,
    mut farewell: Pin<&mut impl Future<Output = ()>>,
    stay: &mut Stay,
) -> Next {
    poll_fn(|cx| {
        let mut connection = connection.borrow_mut();
        if let Poll::Ready(next) = connection.poll_next(cx) {
            return Poll::Ready(next);
        }
        if *stay == Stay::Unasked || *stay == Stay::Asked && worker.draining.get() {
            *stay = if farewell.as_mut().poll(cx).is_ready() { Stay::Over } else { Stay::Asked };
        }
        // A request that has begun to arrive is still answered.
        if *stay == Stay::Over && connection.is_idle() {
            return Poll::Ready(Next::Nothing);
        }
        Poll::Pending
    })
    .await
}

/// How an exchange of request and answer ended.
enum End {
    /// Another one may follow.
    Next,
    /// It was the last.
    Last,
    /// Another protocol takes over.
    Switched(Box<upgrade::Switched>),
}

/// Lets one request be answered. Fails when the connection does.
async fn exchange<S: Wire>(
    link: &Rc<Link>,
    connection: &Shared<S>,
    head: Head,
    refusal: Option<Fault>,
    keep: bool,
) -> io::Result<End> {
    let (method, version) = (head.method.clone(), head.version);
    let body = match connection.borrow().body_ended() {
        true => Body::Empty,
        false => Body::Stream(Box::new(Incoming::new(connection, link.budget()))),
    };
    let request = Request::new(head.method, head.uri, head.version, head.headers, body);
    let mut handling = pin!(handle(Rc::clone(link), request, refusal));
    let mut tick = pin!(link.worker.ticks.notified());
    let answer = poll_fn(|cx| {
        if let Poll::Ready(answer) = handling.as_mut().poll(cx) {
            return Poll::Ready(Ok(answer));
        }
        let mut connection = connection.borrow_mut();
        // The runtime does not watch a client that has just come: it is looked after when a response takes long.
        if !connection.is_watched() {
            ready!(tick.as_mut().poll(cx));
        }
        // A client whose body waits for the upstream is not read from, so that only this finds it gone.
        while !connection.body_ended() && tick.as_mut().poll(cx).is_ready() {
            if connection.is_reset() {
                return Poll::Ready(Err(gone()));
            }
            tick.set(link.worker.ticks.notified());
        }
        connection.poll_gone(cx).map(|()| Err(gone()))
    })
    .await?;
    let mut sending = Sending::begin(connection, answer, &method, version, keep, link);
    poll_fn(|cx| sending.poll(cx)).await?;
    if let Some(switched) = sending.switched {
        return Ok(End::Switched(switched));
    }
    if !sending.said.keep {
        return Ok(End::Last);
    }
    drop(sending);
    let ended = connection.borrow().body_ended()
        || poll_fn(|cx| connection.borrow_mut().poll_discard(cx)).await == Discarded::Whole;
    Ok(if ended { End::Next } else { End::Last })
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the client has left")
}

/// An answer on its way to the client.
struct Sending<'a, S> {
    connection: &'a Shared<S>,
    tail: Tail,
    said: Said,
    switched: Option<Box<upgrade::Switched>>,
    /// Bytes of the body that are left, where its length was said.
    left: u64,
    ended: bool,
    failure: Option<io::Error>,
    /// Whether discarding the request's body has come to an end.
    has_discarded: bool,
}

impl<'a, S: Wire> Sending<'a, S> {
    /// Writes the head.
    fn begin(
        connection: &'a Shared<S>,
        answer: Response<Tail>,
        method: &Method,
        version: Version,
        keep: bool,
        link: &Link,
    ) -> Self {
        let (mut parts, mut tail) = answer.into_parts();
        let switched = tail.switched();
        if parts.status.is_informational() && switched.is_none() {
            // No answer at all; a client would go on waiting for one.
            parts.status = StatusCode::INTERNAL_SERVER_ERROR;
        }
        let mut held = connection.borrow_mut();
        let keep = keep && !link.worker.draining.get() && !held.body_unasked();
        let body = tail.size_hint();
        let headers = tail.headers().unwrap_or_else(|| parts.headers.into());
        let said = answer::write(
            held.outbox.head(),
            parts.status,
            parts.extensions.get::<ReasonPhrase>(),
            &headers,
            &body,
            Asked { method, version, keep },
            |to| {
                if let Some(added) = tail.added() {
                    added.put(&link.worker.options.headers, to);
                }
            },
        );
        let left = if let Framing::Length(length) = said.framing { length } else { 0 };
        let ended = matches!(said.framing, Framing::Nothing | Framing::Length(0));
        drop(held);
        Sending { connection, tail, said, switched, left, ended, failure: None, has_discarded: false }
    }

    /// Sends head and body. What is there of both leaves together.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let waits = self.poll_pieces(cx).is_pending();
            let sent = self.connection.borrow_mut().poll_send(cx)?;
            if sent.is_ready() && !waits && self.ended {
                return Poll::Ready(self.failure.take().map_or(Ok(()), Err));
            }
            if sent.is_pending() || waits {
                let discarded = self.discard(cx);
                if sent.is_pending() {
                    if !waits && !self.ended {
                        self.tail.read_ahead(cx);
                    }
                    return Poll::Pending;
                }
                if discarded == Poll::Ready(Discarded::ClientClosed) {
                    return Poll::Ready(Err(gone()));
                }
                return self.connection.borrow_mut().poll_gone(cx).map(|()| Err(gone()));
            }
        }
    }

    /// Reads on what the client still sends of its body, once no upstream and no plugin takes it any more: a client that
    /// sends all of it before it reads would otherwise never come to read the response.
    fn discard(&mut self, cx: &mut Context<'_>) -> Poll<Discarded> {
        // The body holds the other handle.
        let is_taken = Rc::strong_count(self.connection) > 1;
        let mut connection = self.connection.borrow_mut();
        if is_taken || self.has_discarded || connection.body_ended() || connection.body_unasked() {
            return Poll::Pending;
        }
        let discarded = ready!(connection.poll_discard(cx));
        self.has_discarded = true;
        Poll::Ready(discarded)
    }

    /// Puts the next pieces of the body into the outbox, as long as there is room for them.
    fn poll_pieces(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.ended && self.connection.borrow().outbox.has_room() {
            match ready!(Pin::new(&mut self.tail).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.piece(data),
                    Err(frame) => self.end(frame.into_trailers().ok()),
                },
                Some(Err(error)) => self.fail(io::Error::other(error)),
                None => self.end(None),
            }
        }
        Poll::Ready(())
    }

    fn piece(&mut self, data: Bytes) {
        if let Framing::Length(_) = self.said.framing {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => return self.fail(io::Error::other("the body is longer than it says")),
            }
        }
        match self.said.framing {
            _ if data.is_empty() => {}
            Framing::Chunked => self.connection.borrow_mut().outbox.chunk(data),
            _ => self.connection.borrow_mut().outbox.piece(data),
        }
        if self.tail.is_end_stream() {
            self.end(None);
        }
    }

    fn end(&mut self, trailers: Option<HeaderMap>) {
        if self.left > 0 {
            return self.fail(io::ErrorKind::UnexpectedEof.into());
        }
        self.ended = true;
        if self.said.framing == Framing::Chunked {
            let outbox = &mut self.connection.borrow_mut().outbox;
            match trailers {
                Some(trailers) => outbox.trailers(&trailers),
                None => outbox.last_chunk(),
            }
        }
    }

    /// The body does not come to its end: what came before leaves, and the connection ends where it stands, which
    /// tells the client.
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
    async fn a_head_that_has_begun_to_arrive_outlasts_the_farewell() {
        let (options, stores) = (Options::default(), Stores::default());
        let (snapshot, _) = compile(Arc::new(State::default()), &options, &stores, None);
        let limits = options.head;
        let worker = Worker::new(Gateway::new(options, stores, snapshot));
        worker.drain(Duration::ZERO);
        let hour = Duration::from_secs(3600);
        let patience = Patience { idle: hour, stalled: hour, body: hour, taking: hour };
        for (said, ends) in [(&[][..], true), (&["GET / HTTP/1.1\r\n", "Host: a\r\n", "X: 1\r\n"], false)] {
            let (mut client, near) = duplex(64);
            let connection = Rc::new(RefCell::new(Connection::new(near, patience, limits)));
            // It has come, and is not asked again.
            let farewell = pin!(async {});
            let mut stay = Stay::Unasked;
            let mut waiting = pin!(next(&connection, &worker, farewell, &mut stay));
            let mut poll = || waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            for piece in said {
                client.write_all(piece.as_bytes()).await.expect("room");
                assert!(poll().is_pending(), "{piece}");
            }
            client.write_all(if ends { b"" } else { b"\r\n" }).await.expect("room");
            match poll() {
                Poll::Ready(Next::Nothing) => assert!(ends),
                Poll::Ready(Next::Request(_)) => assert!(!ends),
                other => panic!("{other:?}"),
            }
        }
    }
}
