//! Runs a connection on any stream and checks its invariants after each turn, for property tests.

use std::{
    net::Ipv4Addr,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use http::Response;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    ConnectionIo,
    body::RecvBodyTx,
    connection::{Handler, Http2Connection},
    handle_request,
    stream::StreamPhase,
    wake::MAX_SLOTS,
    window::{INITIAL_WINDOW, MAX_GROWTH},
};
use crate::{
    response_body::ResponseBody,
    worker::{ConnContext, Peer, Worker},
};
use runtime::Gateway;

/// A connection on any stream.
pub struct ConnectionHarness<S>(ConnectionIo<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> ConnectionHarness<S> {
    /// Creates a connection to that gateway.
    pub fn new(gateway: &Arc<Gateway>, stream: S) -> Self {
        Self::with_handler(gateway, stream, handle_request)
    }

    /// Creates a connection with another handler.
    pub fn with_handler(gateway: &Arc<Gateway>, stream: S, handler: Handler) -> Self {
        ConnectionHarness(ConnectionIo::new(loopback_context(gateway), stream, handler))
    }

    /// Runs one turn as if the socket were ready. Ready when the connection has ended.
    ///
    /// # Panics
    /// If an invariant is broken, or a stream waits for what is available.
    pub fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.socket_waker.wake_by_ref();
        loop {
            let poll = self.0.poll(cx);
            self.0.connection.check();
            // A turn that exhausted its budget continues in the next one.
            if poll.is_pending() && !self.0.connection.turn.is_spent() {
                self.0.connection.check_waiting();
                return poll;
            }
            if poll.is_ready() {
                return poll;
            }
        }
    }

    /// The stream below.
    pub fn stream(&mut self) -> &mut S {
        &mut self.0.stream
    }
}

/// A response with that body, for handlers of [`ConnectionHarness::with_handler`].
pub fn response(body: Vec<u8>) -> Response<ResponseBody> {
    Response::new(ResponseBody::from_bytes(body.into()))
}

/// The context of a connection from loopback to that gateway.
pub(crate) fn loopback_context(gateway: &Arc<Gateway>) -> Rc<ConnContext> {
    let address = (Ipv4Addr::LOCALHOST, 1).into();
    let peer = Peer { socket: address, proxy_source: None };
    Rc::new(ConnContext::new(Worker::new(Arc::clone(gateway)), peer, address, false, None))
}

impl Http2Connection {
    /// Checks what holds at any time.
    pub(super) fn check(&self) {
        let open = self.streams.iter().flatten().count();
        let named = self.ids.iter().filter(|&&id| id != 0).count();
        assert_eq!((self.open_count, self.open_count), (open, named), "streams open");
        assert!(self.send_window >= 0, "more was sent than the client allows: {}", self.send_window);
        let waiting = self.waiting_for_io | self.waiting_for_window | self.stalled;
        let is_closed = |slot: &usize| self.streams.get(*slot).is_none_or(Option::is_none);
        let stale = (0..MAX_SLOTS).filter(|slot| waiting >> slot & 1 == 1).find(is_closed);
        assert_eq!(stale, None, "a stream that has ended waits");
        assert!(self.recv_window.is_balanced(), "bytes of the connection are never credited");
        let (mut grown, mut parked_bytes) = (0, 0);
        for stream in self.streams.iter().flatten() {
            grown += stream.recv_window.size() - INITIAL_WINDOW;
            parked_bytes += stream.pending_data.len();
            let buffered = stream.body_tx.as_ref().map_or(0, RecvBodyTx::unreleased_bytes);
            assert!(
                buffered <= stream.recv_window.size() || !stream.recv_open,
                "more is buffered than allowed"
            );
            assert!(
                !stream.recv_open || stream.recv_window.is_balanced(buffered),
                "bytes of stream {} are never credited",
                stream.id
            );
        }
        assert_eq!(
            (self.growth_budget, self.parked_bytes),
            (MAX_GROWTH - grown, parked_bytes),
            "window growth and parked bytes"
        );
    }

    /// Checks what holds after a turn: no stream waits for what is available.
    fn check_waiting(&self) {
        assert_eq!(self.ready, 0, "a stream is ready");
        if self.buffered_bytes() > 0 {
            return;
        }
        assert_eq!(self.waiting_for_io, 0, "the send buffer is empty");
        for stream in self.streams.iter().flatten() {
            let has_data =
                matches!(stream.phase, StreamPhase::SendingBody(_)) && !stream.pending_data.is_empty();
            assert!(
                !has_data || self.send_window <= 0 || stream.send_window <= 0,
                "the window of stream {} is open",
                stream.id
            );
            assert!(
                !matches!(stream.phase, StreamPhase::Pending(_)),
                "stream {} was never polled",
                stream.id
            );
        }
    }
}
