//! A connection's state: its streams, and how it ends.

use std::{collections::VecDeque, mem, rc::Rc, sync::Arc, task::Waker};

use http::{Method, request};
use tokio::time::Instant;

use super::{
    bell::{self, Bell, NUMBERS, Set},
    body::body,
    frame::{self, Code, setting},
    hpack::{Decoder, Encoder},
    patience::{Account, Patience},
    stream::{Stream, Work},
};
use crate::{net::Body, plugin::Request, proxy::worker::Link};

/// Streams that a client may have open, as with nginx.
pub const STREAMS: usize = NUMBERS;
/// Bytes that a client may send ahead of who takes them: on a stream, and on all of them together.
pub const ROOM: u32 = 1024 * 1024;
/// What a client believes before it is told.
const FIRST_WINDOW: i64 = 65_535;
/// Bytes on their way to a client beyond which no body is read for it.
pub const MOST: usize = 64 * 1024;
/// And beyond which nothing more is read from it: it does not even take what answers frames of its own.
const FULL: usize = MOST + 16 * 1024;
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

/// A connection's state.
pub struct Session {
    pub(super) link: Rc<Link>,
    pub(super) bell: Arc<Bell>,
    pub(super) account: Account,
    /// When this turn began.
    pub(super) now: Instant,
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
    pub(super) recent: VecDeque<u32>,
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
    /// Bytes that the client may send, and those that it has not been given back.
    pub(super) room: i64,
    pub(super) owed: usize,
    /// Whether the client begins no more streams.
    pub(super) going: bool,
}

impl Session {
    /// A connection just opened.
    pub fn new(link: Rc<Link>) -> Self {
        let options = &link.worker.options;
        let now = Instant::now();
        let list = options.head.total;
        let mut out = Vec::new();
        frame::put_settings(
            &mut out,
            &[
                (setting::MAX_CONCURRENT_STREAMS, STREAMS as u32),
                (setting::INITIAL_WINDOW_SIZE, ROOM),
                (setting::MAX_FRAME_SIZE, frame::LONGEST as u32),
                (setting::MAX_HEADER_LIST_SIZE, u32::try_from(list).unwrap_or(u32::MAX)),
            ],
        );
        frame::put_numbers(&mut out, frame::WINDOW_UPDATE, 0, [ROOM - FIRST_WINDOW as u32]);
        Session {
            account: Account::new(Patience::new(options), now),
            bell: Arc::default(),
            now,
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
            room: ROOM.into(),
            owed: 0,
            going: false,
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
            let (inlet, outlet) = body(length, self.buttons[number].clone(), self.link.budget().clone());
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
            room: ROOM.into(),
            owed: 0,
            left: length,
            piece: bytes::Bytes::new(),
            last: false,
            due: None,
        }));
        self.open += 1;
        self.ready |= 1 << number;
        self.account.requests += 1;
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

    /// A frame for a stream that is not open. One that was reset here may not have known.
    pub(super) fn stray(&mut self, id: u32, code: Code) -> Result<(), Code> {
        if id == 0 || self.is_idle(id) {
            return Err(Code::Protocol);
        }
        if id > self.last || self.recent.contains(&id) {
            return Ok(());
        }
        Err(code)
    }

    /// Ends a stream for what the client did.
    pub(super) fn fault(&mut self, id: u32, code: Code) -> Result<(), Code> {
        tracing::debug!(stream = id, ?code, "an HTTP/2 stream is reset");
        self.account.tally.faults += 1;
        match self.find(id) {
            Some(number) => self.end(number, Some(code)),
            None => self.reset(id, code),
        }
        Ok(())
    }

    pub(super) fn reset(&mut self, id: u32, code: Code) {
        frame::put_numbers(&mut self.out, frame::RST_STREAM, id, [code as u32]);
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(id);
    }

    /// Ends a stream, with a code if the client does not know yet.
    pub(super) fn end(&mut self, number: usize, code: Option<Code>) {
        if let Some(code) = code {
            self.reset(self.ids[number], code);
        }
        self.close(number);
    }

    /// Forgets a stream.
    pub(super) fn close(&mut self, number: usize) {
        let Some(stream) = self.streams[number].take() else { return };
        self.ids[number] = 0;
        let others = !(1 << number);
        self.ready &= others;
        self.for_way &= others;
        self.for_window &= others;
        self.paused &= others;
        self.open -= 1;
        if self.open == 0 {
            self.account.moved = self.now;
        }
        if let Some(rest) = stream.leave() {
            self.give_back(rest);
        }
    }

    /// So many bytes of the client's have been taken, beside those that the request took.
    pub(super) fn settle(&mut self, number: usize, taken: usize) {
        let stream = self.streams[number].as_mut().expect("it is called for streams that are open");
        let taken = taken + stream.inlet.as_ref().map_or(0, |inlet| inlet.taken());
        if taken == 0 {
            return;
        }
        stream.owed += taken;
        if stream.receives && stream.owed >= ROOM as usize / 2 {
            let owed = mem::take(&mut stream.owed);
            stream.room += owed as i64;
            frame::put_numbers(&mut self.out, frame::WINDOW_UPDATE, stream.id, [owed as u32]);
        }
        self.give_back(taken);
    }

    pub(super) fn give_back(&mut self, taken: usize) {
        self.owed += taken;
        if self.owed >= ROOM as usize / 2 {
            let owed = mem::take(&mut self.owed);
            self.room += owed as i64;
            frame::put_numbers(&mut self.out, frame::WINDOW_UPDATE, 0, [owed as u32]);
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
