//! A connection's state: its streams, and how it ends.

use std::{collections::VecDeque, future::Future, pin::Pin, rc::Rc, sync::Arc, task::Waker};

use http::{Method, Response, header, request};
use tokio::time::Instant;

use super::{
    bell::{self, Bell, NUMBERS, Set},
    body::{Incoming, body},
    flood::TurnBudget,
    frame::{self, Code, setting},
    hpack::{Decoder, Encoder},
    patience::{Account, Patience},
    stream::{Stream, Work},
    window::{CONNECTION_WINDOW, ConnectionWindow, INITIAL_WINDOW, MAX_GROWTH, StreamWindow},
};
use crate::{response_body::Tail, worker::Link};
use net::Body;
use plugin::Request;

/// Streams that a client may have open, as with nginx.
pub const STREAMS: usize = NUMBERS;
/// What a client believes before it is told.
const FIRST_WINDOW: i64 = 65_535;
/// Bytes on their way to a client beyond which no body is read for it.
pub const MOST: usize = 64 * 1024;
/// And beyond which nothing more is read from it: it does not even take what answers frames of its own.
pub const FULL: usize = MOST + 16 * 1024;
/// Bytes of responses that a client has made no room for, beyond which no piece is read ahead of what it takes.
pub const MAX_PARKED: usize = 1024 * 1024;
/// Streams of late that were reset here, and about which the client may not have heard yet.
const RECENT: usize = 128;
/// What a ping asks that is sent with the first GOAWAY: whoever answers it has read that.
pub const FAREWELL: [u8; 8] = *b"farewell";

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It takes requests.
    Open,
    /// The client has been told to begin no more, and may not know yet.
    Leaving,
    /// It has been told which stream is the last.
    Last,
    /// It ends when what is on its way has left. Whether the client may still be sending.
    Over(bool),
}

/// How far a client has introduced itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    Preface,
    Settings,
    Done,
}

/// A header block whose end has not come.
#[derive(Debug)]
pub struct Block {
    pub stream: u32,
    pub ends: bool,
    pub bytes: Vec<u8>,
}

/// What makes a response of a request.
pub type Handler = fn(Rc<Link>, Request) -> Pin<Box<dyn Future<Output = Response<Tail>>>>;

/// A connection's state.
pub struct Session {
    pub(super) link: Rc<Link>,
    pub(super) handler: Handler,
    pub(super) bell: Arc<Bell>,
    pub(super) account: Account,
    /// When this turn began.
    pub(super) now: Instant,
    /// Work that this turn may still do.
    pub(super) turn: TurnBudget,
    /// Whether frames were left in the buffer because the turn was over or too much was on its way.
    pub(super) backlog: bool,
    pub(super) stage: Stage,
    pub(super) greeting: Greeting,
    /// Largest list of headers that is taken.
    pub(super) list: usize,
    pub(super) decoder: Decoder,
    pub(super) encoder: Encoder,
    pub(super) block: Option<Block>,
    /// Streams by number: ids (zero where there is none), themselves, and what wakes them.
    pub(super) ids: Vec<u32>,
    pub(super) streams: Vec<Option<Box<Stream>>>,
    pub(super) buttons: Vec<Waker>,
    pub(super) open: usize,
    /// The last stream begun.
    pub(super) last: u32,
    /// Streams that were reset here, and what the client may have sent on them before it knew.
    pub(super) recent: VecDeque<(u32, usize)>,
    /// Streams to be looked at, and those that wait for something.
    pub(super) ready: Set,
    pub(super) for_way: Set,
    pub(super) for_window: Set,
    /// Those whose client takes its time.
    pub(super) paused: Set,
    /// Whose turn it is next.
    pub(super) next: u32,
    /// What is on its way; so many bytes of it have left.
    pub(super) out: Vec<u8>,
    pub(super) left: usize,
    /// What the client allows: bytes on the connection, at first on each stream, and in a frame.
    pub(super) window: i64,
    pub(super) first_window: i64,
    pub(super) longest: usize,
    /// What the client may send, and by how much the streams' windows may grow.
    pub(super) receive_window: ConnectionWindow,
    pub(super) growth: usize,
    /// Bytes of responses that the client has made no room for.
    pub(super) parked: usize,
    /// Whether the client begins no more streams.
    pub(super) going: bool,
}

impl Session {
    /// A connection just opened.
    pub fn new(link: Rc<Link>, handler: Handler) -> Self {
        let options = &link.worker.options;
        let now = Instant::now();
        let list = options.head.total;
        let mut out = Vec::new();
        frame::put_settings(
            &mut out,
            &[
                (setting::MAX_CONCURRENT_STREAMS, STREAMS as u32),
                (setting::INITIAL_WINDOW_SIZE, INITIAL_WINDOW as u32),
                (setting::MAX_FRAME_SIZE, frame::LONGEST as u32),
                (setting::MAX_HEADER_LIST_SIZE, u32::try_from(list).unwrap_or(u32::MAX)),
            ],
        );
        let more = CONNECTION_WINDOW - FIRST_WINDOW as usize;
        frame::put_numbers(&mut out, frame::WINDOW_UPDATE, 0, [more as u32]);
        Session {
            account: Account::new(Patience::new(options), now),
            bell: Arc::default(),
            now,
            turn: TurnBudget::default(),
            backlog: false,
            stage: Stage::Open,
            greeting: Greeting::Preface,
            list,
            decoder: Decoder::default(),
            encoder: Encoder::default(),
            block: None,
            ids: Vec::new(),
            streams: Vec::new(),
            buttons: Vec::new(),
            open: 0,
            last: 0,
            recent: VecDeque::new(),
            ready: 0,
            for_way: 0,
            for_window: 0,
            paused: 0,
            next: 0,
            out,
            left: 0,
            window: FIRST_WINDOW,
            first_window: FIRST_WINDOW,
            longest: frame::LONGEST,
            receive_window: ConnectionWindow::default(),
            growth: MAX_GROWTH,
            parked: 0,
            going: false,
            handler,
            link,
        }
    }

    /// Bytes that have not left.
    pub fn on_their_way(&self) -> usize {
        self.out.len() - self.left
    }

    /// Whether more is to be read from the client now.
    pub fn reads(&self) -> bool {
        self.on_their_way() < FULL && !matches!(self.stage, Stage::Over(_))
    }

    /// A request begins. It runs when all that has been read is looked at.
    pub(super) fn begin(&mut self, id: u32, head: request::Parts, length: Option<u64>, ends: bool) {
        let number = self.ids.iter().position(|&id| id == 0).unwrap_or_else(|| {
            self.ids.push(0);
            self.streams.push(None);
            self.buttons.push(bell::button(&self.bell, self.buttons.len()));
            self.ids.len() - 1
        });
        let (inlet, body) = if ends || head.method == Method::CONNECT {
            (None, Body::Empty)
        } else {
            let expects = head.headers.get(header::EXPECT);
            let (inlet, outlet) = body(Incoming {
                length,
                expects: expects.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")),
                timeout: self.link.worker.options.body_timeout,
                wake_at: INITIAL_WINDOW / 4,
                connection: self.buttons[number].clone(),
                budget: self.link.budget().clone(),
            });
            (Some(inlet), Body::Stream(Box::new(outlet)))
        };
        self.ids[number] = id;
        self.streams[number] = Some(Box::new(Stream {
            id,
            bodiless: head.method == Method::HEAD,
            work: Work::New(Request::from_parts(head, body)),
            window: self.first_window,
            inlet,
            receives: !ends,
            receive_window: StreamWindow::new(self.now),
            left: length,
            piece: bytes::Bytes::new(),
            last: false,
            reservation: None,
            due: None,
        }));
        self.open += 1;
        self.ready |= 1 << number;
        self.account.on_request();
        if self.account.requests >= self.account.patience.requests {
            // Before the answers: whoever reads one begins the next request.
            self.leave();
        }
    }

    pub(super) fn find(&self, id: u32) -> Option<usize> {
        // Zero stands for no stream.
        if id == 0 { None } else { self.ids.iter().position(|&open| open == id) }
    }

    /// A stream that [`Session::find`] has found.
    pub(super) fn stream(&mut self, number: usize) -> &mut Stream {
        self.streams[number].as_mut().expect("a number with an id has a stream")
    }

    /// Whether no stream of that id has begun yet.
    pub(super) fn is_idle(&self, id: u32) -> bool {
        self.stage != Stage::Last && (id.is_multiple_of(2) || id > self.last)
    }

    /// Judges a frame for a stream that is not open: what it carries is lost. The client may not know yet that
    /// a stream was reset here.
    pub(super) fn stray(&mut self, id: u32, code: Code) -> Result<(), Code> {
        if id == 0 || self.is_idle(id) {
            return Err(Code::Protocol);
        }
        if id > self.last || self.recent.iter().any(|&(recent, _)| recent == id) {
            return Ok(());
        }
        Err(code)
    }

    /// Counts data on a stream that is not open. A client that keeps to the stream's window sent it before it knew
    /// of the reset; all else is overhead.
    pub(super) fn stray_data(&mut self, id: u32, length: usize) {
        if let Some((_, window)) = self.recent.iter_mut().find(|(recent, _)| *recent == id)
            && length > 0
            && let Some(left) = window.checked_sub(length)
        {
            *window = left;
            return;
        }
        self.account.flood.on_overhead(1 + length as u64 / 1024);
    }

    /// Ends a stream for what the client did.
    pub(super) fn fault(&mut self, id: u32, code: Code) -> Result<(), Code> {
        tracing::debug!(stream = id, ?code, "an HTTP/2 stream is reset");
        self.account.flood.on_stream_error();
        match self.find(id) {
            Some(number) => self.end(number, Some(code)),
            None => self.reset(id, code, INITIAL_WINDOW),
        }
        Ok(())
    }

    /// Resets a stream on which the client may have sent `window` bytes before it knows.
    pub(super) fn reset(&mut self, id: u32, code: Code, window: usize) {
        frame::put_numbers(&mut self.out, frame::RST_STREAM, id, [code as u32]);
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((id, window));
    }

    /// Ends a stream, with a code if the client does not know yet.
    pub(super) fn end(&mut self, number: usize, code: Option<Code>) {
        if let Some(code) = code {
            let window = self.stream(number).receive_window.available();
            self.reset(self.ids[number], code, window);
        }
        self.close(number);
    }

    /// Forgets a stream.
    pub(super) fn close(&mut self, number: usize) {
        let Some(mut stream) = self.streams[number].take() else { return };
        self.ids[number] = 0;
        let others = !(1 << number);
        self.ready &= others;
        self.for_way &= others;
        self.for_window &= others;
        self.paused &= others;
        self.open -= 1;
        if self.open == 0 {
            self.account.idle_since = self.now;
        }
        stream.receive_window.release(&mut self.growth);
        self.parked -= stream.piece.len();
        stream.leave();
    }

    /// Credits the client for so many bytes of a stream, beside those that the request consumed.
    pub(super) fn settle(&mut self, number: usize, consumed: usize) {
        let stream = self.streams[number].as_mut().expect("it is called for streams that are open");
        let consumed = consumed + stream.inlet.as_ref().map_or(0, |inlet| inlet.taken());
        if !stream.receives {
            if stream.inlet.as_ref().is_none_or(|inlet| inlet.is_empty()) {
                stream.receive_window.release(&mut self.growth);
            }
            return;
        }
        if consumed > 0
            && let Some(increment) = stream.receive_window.consume(consumed, self.now, &mut self.growth)
        {
            frame::put_numbers(&mut self.out, frame::WINDOW_UPDATE, stream.id, [increment]);
            if let Some(inlet) = &stream.inlet {
                inlet.wake_at(stream.receive_window.size() / 4);
            }
        }
    }

    pub(super) fn goaway(&mut self, last: u32, code: Code) {
        frame::put_numbers(&mut self.out, frame::GOAWAY, 0, [last, code as u32]);
    }

    /// Lets the client begin no more streams: those that it begins before it knows are answered too.
    pub fn leave(&mut self) {
        if self.greeting != Greeting::Done {
            return self.fail(Code::NoError);
        }
        if self.stage == Stage::Open {
            self.stage = Stage::Leaving;
            self.account.told = Some(self.now);
            self.goaway(frame::WINDOW as u32, Code::NoError);
            frame::put_ping(&mut self.out, 0, FAREWELL);
        }
    }

    /// Ends the connection, and all that is open.
    pub fn fail(&mut self, code: Code) {
        if matches!(self.stage, Stage::Over(_)) {
            return;
        }
        (0..self.ids.len()).for_each(|number| self.close(number));
        self.goaway(self.last, code);
        self.block = None;
        self.account.block = None;
        self.account.told.get_or_insert(self.now);
        self.stage = Stage::Over(code != Code::NoError);
    }

    /// Ends the connection if all has been said.
    pub fn is_over(&mut self) -> bool {
        match self.stage {
            Stage::Over(_) => return true,
            _ if self.open > 0 => return false,
            Stage::Last => {}
            _ if self.going => self.goaway(self.last, Code::NoError),
            _ => return false,
        }
        self.stage = Stage::Over(false);
        true
    }
}

impl Drop for Session {
    /// Whoever still holds a request's body learns that no more will come.
    fn drop(&mut self) {
        (0..self.ids.len()).for_each(|number| self.close(number));
    }
}
