//! A response's body: its source, the body filters, and the log phase.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::{
    active_request::{ActiveRequest, Transfer},
    headers::AddedResponseHeaders,
    upgrade::UpgradedUpstream,
    worker::ConnContext,
};
use http_codec::Headers;
use net::{BodyError, Connection};
use plugin::{BodyFlow, Chunk, ReplyStream, RequestId};
use telemetry::EndedBy;
use upstream::InFlight;

/// A response's body on its way to the client, with the phases that run until it has been sent.
#[derive(Debug)]
pub struct ResponseBody {
    pub(super) source: BodySource,
    /// The request, if something is left to do for it: body filters, log phase, record.
    pub(super) active: Option<Box<ActiveRequest>>,
    /// Headers of the head, if HTTP/1 encodes them.
    pub(super) headers: Option<Headers>,
    /// Headers to be appended to the head.
    pub(super) added: Option<AddedResponseHeaders>,
    /// First frame that left the filters while the head was held back.
    pub(super) first: Option<Box<Frame<Bytes>>>,
}

#[derive(Debug)]
pub enum BodySource {
    Empty,
    Buffered(Bytes),
    Upstream(UpstreamBody),
    /// A body that a plugin produces.
    Reply(ReplyStream),
    /// Trailers held back until the filters' last bytes are sent.
    Trailers(Box<HeaderMap>),
    /// The upstream has switched protocols.
    Upgraded(Box<UpgradedUpstream>),
}

/// A body received from an upstream.
#[derive(Debug)]
pub struct UpstreamBody {
    /// `None` once the body has ended or failed.
    pub(super) connection: Option<Box<Connection>>,
    pub(super) conn_ctx: Rc<ConnContext>,
    pub(super) id: RequestId,
    pub(super) trailers: bool,
    /// Whether one frame is read ahead of a slow client, and that frame.
    pub(super) read_ahead: bool,
    pub(super) buffered: Option<Box<Result<Frame<Bytes>, BodyError>>>,
    /// Counts the request as in flight at its target until the body has ended or failed.
    pub(super) in_flight: Option<InFlight>,
}

impl UpstreamBody {
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.buffered.take() {
            Some(frame) => Poll::Ready(Some(*frame)),
            None => self.poll_upstream(cx),
        }
    }

    fn poll_upstream(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
        match connection.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if connection.is_end_stream() {
                    self.return_to_pool();
                }
                let dropped = frame.is_trailers() && !self.trailers;
                Poll::Ready((!dropped).then_some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => self.fail(error),
            Poll::Ready(None) => {
                self.return_to_pool();
                Poll::Ready(None)
            }
            Poll::Pending => {
                ready!(connection.poll_timeout(cx));
                self.fail(BodyError::Stalled)
            }
        }
    }

    /// Closes the upstream connection in the middle of a response. The status has been sent, so that the log
    /// is the only report.
    fn fail(&mut self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let address = self.connection.take().map(|connection| connection.key.address);
        self.in_flight = None;
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
        self.buffered.is_none()
            && self.connection.as_ref().is_none_or(|connection| connection.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.connection {
            _ if self.buffered.is_some() => SizeHint::default(),
            Some(connection) => connection.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }

    fn return_to_pool(&mut self) {
        self.in_flight = None;
        if let Some(connection) = self.connection.take() {
            self.conn_ctx.worker.pool.put(connection);
        }
    }
}

impl ActiveRequest {
    fn filter(
        &mut self,
        data: Bytes,
        last: bool,
        trailers: Option<Box<HeaderMap>>,
    ) -> Result<Chunk, BodyError> {
        let mut chunk = Chunk { data, last, trailers };
        let flow = self.pipeline.body_filter(&self.snap, &mut chunk);
        self.is_body_filtered |= chunk.last;
        match flow {
            BodyFlow::Continue | BodyFlow::End => Ok(chunk),
            BodyFlow::Abort(error) => {
                self.transfer.ended_by = EndedBy::Gateway;
                Err(error)
            }
        }
    }
}

impl ResponseBody {
    /// Whether a filter may reject the body, so that the head must be held back.
    pub fn holds_back_head(&self) -> bool {
        self.active.as_ref().is_some_and(|active| {
            active.runs_body_filter && active.pipeline.exchange.response.holds_head_for_body
        })
    }

    /// A body of these bytes, without plugin phases.
    pub fn from_bytes(bytes: Bytes) -> Self {
        let source = if bytes.is_empty() { BodySource::Empty } else { BodySource::Buffered(bytes) };
        ResponseBody { source, active: None, headers: None, added: None, first: None }
    }

    /// Reads one frame of an upstream's body while the client has not read the previous one, unless the route
    /// disables it: with its last frame, the upstream connection is free for the next request.
    pub fn read_ahead(&mut self, cx: &mut Context<'_>) {
        if let BodySource::Upstream(upstream_body) = &mut self.source
            && upstream_body.read_ahead
            && upstream_body.buffered.is_none()
            && let Poll::Ready(frame) = upstream_body.poll_upstream(cx)
        {
            upstream_body.buffered = frame.map(Box::new);
        }
    }

    /// Records what was sent of the response; `None` for bytes that are not known.
    pub fn record(&mut self, record: impl FnOnce(&mut Transfer)) {
        if let Some(active) = &mut self.active {
            record(&mut active.transfer);
        }
    }

    /// Records the bytes of a tunnel that follows the response.
    pub fn record_tunnel(&mut self, received_bytes: u64, sent_bytes: u64) {
        if let Some(active) = &mut self.active {
            let received = &mut active.pipeline.exchange.request.received;
            received.body_bytes.get_or_insert_default().set(received_bytes);
            let transfer = &mut active.transfer;
            transfer.body_bytes += sent_bytes;
            transfer.written_bytes = transfer.written_bytes.map(|written| written + sent_bytes);
        }
    }

    /// Takes the headers, if HTTP/1 encodes them; otherwise the head has them.
    pub fn take_headers(&mut self) -> Option<Headers> {
        self.headers.take()
    }

    /// Takes the headers to be appended to the head.
    pub fn take_added(&mut self) -> Option<AddedResponseHeaders> {
        self.added.take()
    }

    /// Takes the upstream's connection, if it has switched protocols.
    pub fn take_upgraded(&mut self) -> Option<Box<UpgradedUpstream>> {
        match std::mem::replace(&mut self.source, BodySource::Empty) {
            BodySource::Upgraded(upgraded) => Some(upgraded),
            other => {
                self.source = other;
                None
            }
        }
    }

    /// Whether the filters have nothing left to process.
    fn are_filters_finished(&self) -> bool {
        self.active.as_ref().is_none_or(|active| active.is_body_filtered || !active.runs_body_filter)
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.source {
            BodySource::Empty | BodySource::Upgraded(_) => Poll::Ready(None),
            BodySource::Buffered(bytes) => {
                let bytes = std::mem::take(bytes);
                self.source = BodySource::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            BodySource::Upstream(upstream_body) => upstream_body.poll_frame(cx),
            BodySource::Reply(body) => body.0.as_mut().poll_frame(cx),
            BodySource::Trailers(trailers) => {
                let trailers = std::mem::take(trailers);
                self.source = BodySource::Empty;
                Poll::Ready(Some(Ok(Frame::trailers(*trailers))))
            }
        }
    }

    fn is_source_ended(&self) -> bool {
        match &self.source {
            BodySource::Empty | BodySource::Upgraded(_) => true,
            BodySource::Buffered(_) | BodySource::Trailers(_) => false,
            BodySource::Upstream(upstream_body) => upstream_body.has_ended(),
            BodySource::Reply(body) => body.0.is_end_stream(),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        // Counted when it left the filters.
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(*first)));
        }
        let frame = ready!(this.poll_filtered(cx));
        if let Some(active) = &mut this.active {
            let transfer = &mut active.transfer;
            match &frame {
                Some(Ok(frame)) => {
                    transfer.body_bytes += frame.data_ref().map_or(0, |data| data.len() as u64)
                }
                // A filter that refuses the body has set it.
                Some(Err(error)) if transfer.ended_by == EndedBy::Client => {
                    transfer.ended_by = match error {
                        BodyError::Client(_) => EndedBy::Client,
                        BodyError::Budget(_) => EndedBy::Gateway,
                        _ => EndedBy::Upstream,
                    };
                }
                _ => {}
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.are_filters_finished() && self.is_source_ended()
    }

    fn size_hint(&self) -> SizeHint {
        if self.active.as_ref().is_some_and(|active| active.runs_body_filter) {
            let first = self.first.as_ref().map_or(Some(0), |first| first.data_ref().map(Bytes::len));
            return match first {
                Some(length) if self.are_filters_finished() && self.is_source_ended() => {
                    SizeHint::with_exact(length as u64)
                }
                _ => SizeHint::default(),
            };
        }
        match &self.source {
            BodySource::Empty | BodySource::Upgraded(_) => SizeHint::with_exact(0),
            BodySource::Buffered(bytes) => SizeHint::with_exact(bytes.len() as u64),
            BodySource::Upstream(upstream_body) => upstream_body.size_hint(),
            BodySource::Reply(body) => body.0.size_hint(),
            BodySource::Trailers(_) => SizeHint::default(),
        }
    }
}

impl ResponseBody {
    /// Polls the source through the filters.
    fn poll_filtered(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            let frame = ready!(self.poll_source(cx)?);
            let Some(active) = self.active.as_mut().filter(|active| active.runs_body_filter) else {
                return Poll::Ready(frame.map(Ok));
            };
            if active.is_body_filtered && frame.as_ref().is_none_or(Frame::is_trailers) {
                return Poll::Ready(frame.map(Ok));
            }
            let is_end = frame.is_none();
            let data = match frame.map(Frame::into_data) {
                Some(Ok(data)) => data,
                // The filters see the trailers with the end of the body.
                Some(Err(frame)) => {
                    let trailers = frame.into_trailers().ok().map(Box::new);
                    let chunk = active.filter(Bytes::new(), true, trailers)?;
                    self.source = chunk.trailers.map_or(BodySource::Empty, BodySource::Trailers);
                    if chunk.data.is_empty() {
                        continue;
                    }
                    return Poll::Ready(Some(Ok(Frame::data(chunk.data))));
                }
                None => Bytes::new(),
            };
            let empty = data.is_empty();
            let last = match &self.source {
                BodySource::Upstream(upstream_body) => empty || upstream_body.has_ended(),
                // A plugin may send an empty frame in the middle.
                BodySource::Reply(body) => is_end || body.0.is_end_stream(),
                _ => true,
            };
            let chunk = active.filter(data, last, None)?;
            if chunk.last && !last {
                // A filter has ended the body: dropping the source closes the upstream connection.
                self.source = BodySource::Empty;
            }
            if !chunk.data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(chunk.data))));
            }
            if chunk.last {
                return Poll::Ready(None);
            }
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
    use net::{PoolKey, Protocol, dial};
    use runtime::{Gateway, Options, compile};
    use store::Stores;

    #[tokio::test]
    async fn read_ahead_frees_the_upstream_before_a_slow_client_has_read() {
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
        let from = Peer { socket: address, proxy_source: None };
        let conn_ctx = Rc::new(ConnContext::new(worker, from, address, false, None));
        for ahead in [true, false] {
            let key = PoolKey { address, tls: None, http2: false };
            let requesting = async {
                let mut connection = dial(
                    address,
                    None,
                    Duration::from_secs(60),
                    key.clone(),
                    &conn_ctx.worker.gateway.memory,
                )
                .await
                .unwrap();
                let Protocol::Http1(http1) = &mut connection.protocol else { panic!("an HTTP/1 connection") };
                http1.head().extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
                http1.send_request(net::Body::Empty, false, false, false);
                poll_fn(|cx| connection.poll_response(cx)).await.unwrap();
                connection
            };
            let (connection, _stream) = tokio::join!(requesting, upstream());
            let upstream_body = UpstreamBody {
                connection: Some(connection),
                conn_ctx: Rc::clone(&conn_ctx),
                id: conn_ctx.worker.request_id(),
                trailers: false,
                read_ahead: ahead,
                buffered: None,
                in_flight: None,
            };
            let mut body = ResponseBody {
                source: BodySource::Upstream(upstream_body),
                active: None,
                headers: None,
                added: None,
                first: None,
            };
            let mut cx = Context::from_waker(Waker::noop());
            body.read_ahead(&mut cx);
            assert_eq!(conn_ctx.worker.pool.checkout(&key).is_some(), ahead);
            assert!(!body.is_end_stream());
            let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), "abcdef");
            assert!(body.is_end_stream());
        }
    }
}
