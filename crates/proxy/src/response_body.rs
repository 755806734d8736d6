//! A response's body as it leaves: where its bytes come from, the filters they go through, and what is done when they have left.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::{headers::Added, run::Flow, upgrade::Switched, worker::Link};
use http_codec::Headers;
use net::{BodyError, Connection};
use plugin::{Chunk, RequestId};
use runtime::Held;

/// An answer's body on its way to the client, and what is to be done when it has left.
#[derive(Debug)]
pub struct Tail {
    pub(super) source: Source,
    pub(super) ending: Option<Box<Ending>>,
    /// The head's headers, where HTTP/1 writes them.
    pub(super) headers: Option<Headers>,
    /// Headers that are still to be added to the head.
    pub(super) added: Option<Added>,
    /// What left the filters while the head waited.
    pub(super) first: Option<Box<Frame<Bytes>>>,
}

#[derive(Debug)]
pub(super) enum Source {
    Empty,
    Whole(Bytes),
    Upstream(Delivery),
    /// Trailers held back until the filters' last bytes have left.
    Trailers(Box<HeaderMap>),
    /// The upstream speaks another protocol from here on.
    Switched(Box<Switched>),
}

/// A body that an upstream delivers.
#[derive(Debug)]
pub(super) struct Delivery {
    /// None as soon as the body has ended or failed.
    pub(super) connection: Option<Box<Connection>>,
    pub(super) link: Rc<Link>,
    pub(super) id: RequestId,
    pub(super) trailers: bool,
    /// Whether a piece is read while the client takes its time, and that piece.
    pub(super) ahead: bool,
    pub(super) held: Option<Box<Result<Frame<Bytes>, BodyError>>>,
}

impl Delivery {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.held.take() {
            Some(held) => Poll::Ready(Some(*held)),
            None => self.poll_upstream(cx),
        }
    }

    fn poll_upstream(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
        match connection.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if connection.is_end_stream() {
                    self.ended();
                }
                let dropped = frame.is_trailers() && !self.trailers;
                Poll::Ready((!dropped).then_some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => self.failed(error),
            Poll::Ready(None) => {
                self.ended();
                Poll::Ready(None)
            }
            Poll::Pending => {
                ready!(connection.poll_timeout(cx));
                self.failed(BodyError::Stalled)
            }
        }
    }

    /// Closes the upstream's connection in the middle of a response. Its status has been sent: the log is the only place
    /// that says what happened.
    fn failed(&mut self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let address = self.connection.take().map(|connection| connection.key.address);
        let (id, upstream) = (self.id, address.map(tracing::field::display));
        match error {
            BodyError::Client(_) => {
                tracing::debug!(request_id = %id, "the client left during the response: {error}")
            }
            _ => tracing::error!(request_id = %id, upstream, "the response broke off: {error}"),
        }
        Poll::Ready(Some(Err(error)))
    }

    fn has_ended(&self) -> bool {
        self.held.is_none() && self.connection.as_ref().is_none_or(|connection| connection.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.connection {
            _ if self.held.is_some() => SizeHint::default(),
            Some(connection) => connection.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }

    fn ended(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.link.worker.pool.give(connection);
        }
    }
}

/// What is left to do for plugins until the body has left.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) flow: Box<Flow>,
    pub(super) snap: Held,
    pub(super) filters: bool,
    pub(super) done: bool,
}

impl Ending {
    fn filter(&mut self, data: Bytes, last: bool) -> Result<Bytes, BodyError> {
        self.done |= last;
        let mut chunk = Chunk { data, last };
        self.flow.body_filter(&self.snap, &mut chunk);
        self.flow.exchange.response.refused.take().map_or(Ok(chunk.data), Err)
    }
}

impl Drop for Ending {
    /// The body has left, or the client has.
    fn drop(&mut self) {
        self.flow.log(&self.snap);
    }
}

impl Tail {
    /// Whether a filter may refuse the body, so that the head must wait for it.
    pub fn waits(&self) -> bool {
        self.ending
            .as_ref()
            .is_some_and(|ending| ending.filters && ending.flow.exchange.response.waits_for_body)
    }

    /// A body of these bytes, of which no plugin takes note.
    pub fn whole(bytes: Bytes) -> Self {
        let source = if bytes.is_empty() { Source::Empty } else { Source::Whole(bytes) };
        Tail { source, ending: None, headers: None, added: None, first: None }
    }

    /// Reads one piece of an upstream's answer while the client does not take the one before, unless its route
    /// says otherwise: with its last piece the upstream's connection is free for the next request.
    pub fn read_ahead(&mut self, cx: &mut Context<'_>) {
        if let Source::Upstream(delivery) = &mut self.source
            && delivery.ahead
            && delivery.held.is_none()
            && let Poll::Ready(piece) = delivery.poll_upstream(cx)
        {
            delivery.held = piece.map(Box::new);
        }
    }

    /// The head's headers, once, where HTTP/1 writes them; else the head itself has them.
    pub fn headers(&mut self) -> Option<Headers> {
        self.headers.take()
    }

    /// Headers that are still to be added to the head, once.
    pub fn added(&mut self) -> Option<Added> {
        self.added.take()
    }

    /// The upstream's connection, if it has switched to another protocol.
    pub fn switched(&mut self) -> Option<Box<Switched>> {
        match std::mem::replace(&mut self.source, Source::Empty) {
            Source::Switched(switched) => Some(switched),
            other => {
                self.source = other;
                None
            }
        }
    }

    /// Whether nothing is left for filters.
    fn is_filtered(&self) -> bool {
        self.ending.as_ref().is_none_or(|ending| ending.done || !ending.filters)
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.source {
            Source::Empty | Source::Switched(_) => Poll::Ready(None),
            Source::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.source = Source::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Source::Upstream(delivery) => delivery.poll(cx),
            Source::Trailers(trailers) => {
                let trailers = std::mem::take(trailers);
                self.source = Source::Empty;
                Poll::Ready(Some(Ok(Frame::trailers(*trailers))))
            }
        }
    }

    fn source_ended(&self) -> bool {
        match &self.source {
            Source::Empty | Source::Switched(_) => true,
            Source::Whole(_) | Source::Trailers(_) => false,
            Source::Upstream(delivery) => delivery.has_ended(),
        }
    }
}

impl Body for Tail {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(*first)));
        }
        loop {
            let frame = ready!(this.poll_source(cx)?);
            let Some(ending) = this.ending.as_mut().filter(|ending| ending.filters) else {
                return Poll::Ready(frame.map(Ok));
            };
            let data = match frame.map(Frame::into_data) {
                Some(Ok(data)) => data,
                // Trailers come after the body: the filters see its end first.
                Some(Err(trailers)) => {
                    let data = if ending.done { Bytes::new() } else { ending.filter(Bytes::new(), true)? };
                    if data.is_empty() {
                        return Poll::Ready(Some(Ok(trailers)));
                    }
                    this.source = Source::Trailers(Box::new(trailers.into_trailers().unwrap_or_default()));
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                None if ending.done => return Poll::Ready(None),
                None => Bytes::new(),
            };
            let empty = data.is_empty();
            let last = match &this.source {
                Source::Upstream(delivery) => empty || delivery.has_ended(),
                _ => true,
            };
            let data = ending.filter(data, last)?;
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            if last {
                return Poll::Ready(None);
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.is_filtered() && self.source_ended()
    }

    fn size_hint(&self) -> SizeHint {
        if self.ending.as_ref().is_some_and(|ending| ending.filters) {
            let first = self.first.as_ref().map_or(Some(0), |first| first.data_ref().map(Bytes::len));
            return match first {
                Some(length) if self.is_filtered() && self.source_ended() => {
                    SizeHint::with_exact(length as u64)
                }
                _ => SizeHint::default(),
            };
        }
        match &self.source {
            Source::Empty | Source::Switched(_) => SizeHint::with_exact(0),
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Upstream(delivery) => delivery.size_hint(),
            Source::Trailers(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, net::Ipv4Addr, sync::Arc, task::Waker, time::Duration};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::worker::{Peer, Worker};
    use model::State;
    use net::{PoolKey, Wire, dial};
    use runtime::{Gateway, Options, compile};
    use store::Stores;

    #[tokio::test]
    async fn an_upstream_is_free_before_a_slow_client_has_its_answer() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let upstream = || async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 64]).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef").await.unwrap();
            stream
        };
        let (options, stores) = (Options::default(), Stores::default());
        let (snapshot, _) = compile(Arc::new(State::default()), &options, &stores, None);
        let worker = Worker::new(Gateway::new(options, stores, snapshot));
        let from = Peer { socket: address, told: None };
        let link = Rc::new(Link::new(worker, from, address, false, None));
        for ahead in [true, false] {
            let key = PoolKey { address, tls: None, http2: false };
            let asking = async {
                let mut connection =
                    dial(address, None, Duration::from_secs(60), key.clone(), &link.worker.gateway.memory)
                        .await
                        .unwrap();
                let Wire::Http1(http1) = &mut connection.wire else { panic!("it speaks HTTP/1") };
                http1.head().extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
                http1.begin(net::Body::Empty, false, false, false);
                poll_fn(|cx| connection.poll_answer(cx)).await.unwrap();
                connection
            };
            let (connection, _stream) = tokio::join!(asking, upstream());
            let delivery = Delivery {
                connection: Some(connection),
                link: Rc::clone(&link),
                id: link.worker.request_id(),
                trailers: false,
                ahead,
                held: None,
            };
            let mut tail = Tail {
                source: Source::Upstream(delivery),
                ending: None,
                headers: None,
                added: None,
                first: None,
            };
            let mut cx = Context::from_waker(Waker::noop());
            tail.read_ahead(&mut cx);
            assert_eq!(link.worker.pool.take(&key).is_some(), ahead);
            assert!(!tail.is_end_stream());
            let frame = poll_fn(|cx| Pin::new(&mut tail).poll_frame(cx)).await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), "abcdef");
            assert!(tail.is_end_stream());
        }
    }
}
