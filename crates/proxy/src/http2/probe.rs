//! A connection on any stream, whose books are looked into after each turn: for what is held of any input.

use std::{
    net::Ipv4Addr,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use http::Response;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    Connection,
    bell::NUMBERS,
    body::Inlet,
    respond,
    session::{Handler, Session},
    stream::Work,
    window::{INITIAL_WINDOW, MAX_GROWTH},
};
use crate::{
    response_body::Tail,
    worker::{Link, Peer, Worker},
};
use runtime::Gateway;

/// A connection on any stream.
pub struct Probe<S>(Connection<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Probe<S> {
    /// A connection to that gateway.
    pub fn new(gateway: &Arc<Gateway>, stream: S) -> Self {
        Self::with(gateway, stream, respond)
    }

    /// A connection whose requests another handler responds to.
    pub fn with(gateway: &Arc<Gateway>, stream: S, handler: Handler) -> Self {
        Probe(Connection::new(link(gateway), stream, handler))
    }

    /// Does all that can be done now; the stream may have something, and room. Ready when the connection has ended.
    ///
    /// # Panics
    /// When the books do not add up, or a stream waits for what is there.
    pub fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.socket.wake_by_ref();
        loop {
            let over = self.0.poll(cx);
            self.0.session.check();
            // A turn that was long goes on in the next one.
            if over.is_pending() && !self.0.session.turn.is_spent() {
                self.0.session.check_waiting();
                return over;
            }
            if over.is_ready() {
                return over;
            }
        }
    }

    /// The stream.
    pub fn stream(&mut self) -> &mut S {
        &mut self.0.stream
    }
}

/// A response with that body, for handlers of [`Probe::with`].
pub fn response(body: Vec<u8>) -> Response<Tail> {
    Response::new(Tail::whole(body.into()))
}

/// A connection of somebody's to that gateway.
pub(crate) fn link(gateway: &Arc<Gateway>) -> Rc<Link> {
    let address = (Ipv4Addr::LOCALHOST, 1).into();
    let peer = Peer { socket: address, told: None };
    Rc::new(Link::new(Worker::new(Arc::clone(gateway)), peer, address, false, None))
}

impl Session {
    /// What holds at any time.
    pub(super) fn check(&self) {
        let open = self.streams.iter().flatten().count();
        let named = self.ids.iter().filter(|&&id| id != 0).count();
        assert_eq!((self.open, self.open), (open, named), "streams open");
        assert!(self.window >= 0, "more was sent than the client allows: {}", self.window);
        let waiting = self.for_way | self.for_window | self.paused;
        let nobody = |number: &usize| self.streams.get(*number).is_none_or(Option::is_none);
        let gone = (0..NUMBERS).filter(|number| waiting >> number & 1 == 1).find(nobody);
        assert_eq!(gone, None, "a stream that has ended waits");
        assert!(self.receive_window.is_balanced(), "bytes of the connection are never credited");
        let (mut grown, mut parked) = (0, 0);
        for stream in self.streams.iter().flatten() {
            grown += stream.receive_window.size() - INITIAL_WINDOW;
            parked += stream.piece.len();
            let buffered = stream.inlet.as_ref().map_or(0, Inlet::outstanding);
            assert!(
                buffered <= stream.receive_window.size() || !stream.receives,
                "more is buffered than allowed"
            );
            assert!(
                !stream.receives || stream.receive_window.is_balanced(buffered),
                "bytes of stream {} are never credited",
                stream.id
            );
        }
        assert_eq!((self.growth, self.parked), (MAX_GROWTH - grown, parked), "bytes granted and parked");
    }

    /// What holds when a turn is over: no stream waits for what it has.
    fn check_waiting(&self) {
        assert_eq!(self.ready, 0, "a stream could go on");
        if self.on_their_way() > 0 {
            return;
        }
        assert_eq!(self.for_way, 0, "the way is free");
        for stream in self.streams.iter().flatten() {
            let held = matches!(stream.work, Work::Body(_)) && !stream.piece.is_empty();
            assert!(!held || self.window <= 0 || stream.window <= 0, "stream {} has room", stream.id);
            assert!(!matches!(stream.work, Work::New(_)), "stream {} has not begun", stream.id);
        }
    }
}
