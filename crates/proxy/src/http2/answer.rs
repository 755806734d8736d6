//! Requests run, and their answers leave.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Body as _;
use tokio::time::Instant;

use super::{
    bell::{NUMBERS, Set},
    body::Inlet,
    flood,
    frame::{self, Code},
    request::stays_behind,
    session::{FULL, MAX_PARKED, MOST, Session},
    stream::Work,
};
use crate::{date::date, response_body::Tail};
use net::BodyError;

/// Frames of a response that leave before the other streams have their turn.
const FRAMES_PER_POLL: usize = 32;

/// What a stream does next.
enum Next {
    /// It waits for what rings.
    Wait,
    /// It goes on after the others.
    Again,
    /// Its answer has left.
    Done,
    /// It failed.
    Fail,
    /// It takes more than there is.
    Refuse,
    /// The request's body failed after the response had started.
    Cancel,
}

impl Session {
    /// Lets all streams go on that can, until the turn is over or too much is on its way to the client.
    pub fn run(&mut self) {
        self.ready |= self.bell.rung();
        let first = self.next;
        let mut left: Set = mem::take(&mut self.ready).rotate_right(first);
        while left != 0 {
            let number = (left.trailing_zeros() + first) as usize % NUMBERS;
            if self.turn.is_spent() {
                self.ready |= left.rotate_left(first);
                self.next = number as u32;
                break;
            }
            if self.on_their_way() >= FULL {
                self.for_way |= left.rotate_left(first);
                break;
            }
            left &= left - 1;
            // A panic ends its stream and nothing else.
            let next = catch_unwind(AssertUnwindSafe(|| self.advance(number))).unwrap_or(Next::Fail);
            match next {
                Next::Wait => {}
                Next::Again => self.ready |= 1 << number,
                Next::Done => {
                    let asks_for_more = self.stream(number).receives;
                    self.end(number, asks_for_more.then_some(Code::NoError));
                }
                Next::Fail => self.end(number, Some(Code::Internal)),
                Next::Refuse => self.end(number, Some(Code::EnhanceYourCalm)),
                Next::Cancel => self.end(number, Some(Code::Cancel)),
            }
        }
    }

    /// Resets the streams whose client has not made room in time; when to look again.
    pub fn mind_paused(&mut self) -> Option<Instant> {
        let (mut left, mut soonest) = (self.paused, None);
        while left != 0 {
            let number = left.trailing_zeros() as usize;
            left &= left - 1;
            match self.streams[number].as_ref().and_then(|stream| stream.due) {
                Some(due) if due <= self.now => self.end(number, Some(Code::Cancel)),
                due => soonest = due.into_iter().chain(soonest).min(),
            }
        }
        soonest
    }

    fn advance(&mut self, number: usize) -> Next {
        let Some(stream) = self.streams.get_mut(number).and_then(Option::as_mut) else { return Next::Wait };
        if let Work::New(_) = &stream.work
            && let Work::New(request) = mem::replace(&mut stream.work, Work::Done)
        {
            self.turn.spend(flood::START_REQUEST);
            stream.work = Work::Answer((self.handler)(Rc::clone(&self.link), request));
        }
        self.turn.spend(flood::POLL_STREAM);
        let next = match &mut stream.work {
            Work::Answer(answer) => {
                let mut cx = Context::from_waker(&self.buttons[number]);
                match answer.as_mut().poll(&mut cx) {
                    Poll::Pending => {
                        self.interim(number);
                        Next::Wait
                    }
                    Poll::Ready(answer) => match self.head(number, answer) {
                        Next::Wait => self.body(number),
                        next => next,
                    },
                }
            }
            _ => self.body(number),
        };
        if !matches!(next, Next::Done) && self.has_stalled(number) {
            return Next::Cancel;
        }
        if matches!(next, Next::Wait | Next::Again) {
            self.settle(number, 0);
        }
        next
    }

    /// Sends 100 (Continue) if the client waits for it and its body is to be read.
    fn interim(&mut self, number: usize) {
        let stream = self.stream(number);
        if stream.inlet.as_ref().is_some_and(Inlet::takes_continue) {
            let id = stream.id;
            let start = self.begin_block();
            self.encoder.status(StatusCode::CONTINUE, &mut self.out);
            frame::close_block(&mut self.out, start, 0, id, self.longest);
        }
    }

    /// Whether the client has stopped sending the request's body although the response has started. Before that,
    /// the response says so.
    fn has_stalled(&mut self, number: usize) -> bool {
        let stream = self.stream(number);
        matches!(stream.work, Work::Body(_)) && stream.inlet.as_ref().is_some_and(Inlet::is_stalled)
    }

    /// Writes an answer's head.
    fn head(&mut self, number: usize, answer: Response<Tail>) -> Next {
        let (mut head, mut tail) = answer.into_parts();
        if tail.switched().is_some() {
            // Nobody asked for that.
            head.status = StatusCode::BAD_GATEWAY;
        }
        let stream = self.stream(number);
        let (id, bodiless) = (stream.id, stream.bodiless);
        let bodiless = bodiless || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let ends = bodiless || tail.is_end_stream();
        let length = if ends { None } else { tail.size_hint().exact() };
        let start = self.begin_block();
        self.encoder.status(head.status, &mut self.out);
        let (mut dated, mut measured) = (false, false);
        for (name, value) in &head.headers {
            if stays_behind(name) {
                continue;
            }
            dated |= *name == header::DATE;
            measured |= *name == header::CONTENT_LENGTH;
            self.encoder.header(name, value, &mut self.out);
        }
        if !dated {
            self.encoder.header(&header::DATE, &date(), &mut self.out);
        }
        if !measured && let Some(length) = length {
            self.encoder.header(&header::CONTENT_LENGTH, &HeaderValue::from(length), &mut self.out);
        }
        let flags = if ends { frame::END_STREAM } else { 0 };
        frame::close_block(&mut self.out, start, flags, id, self.longest);
        self.stream(number).work = if ends { Work::Done } else { Work::Body(tail) };
        if ends { Next::Done } else { Next::Wait }
    }

    /// Sends as much of an answer's body as there is, and room for.
    fn body(&mut self, number: usize) -> Next {
        for _ in 0..FRAMES_PER_POLL {
            let next = self.piece(number);
            let parked = self.parked;
            let stream = self.streams[number].as_mut().expect("a stream that runs is open");
            let Work::Body(tail) = &mut stream.work else { return next.unwrap_or(Next::Wait) };
            let mut cx = Context::from_waker(&self.buttons[number]);
            if let Some(next) = next {
                if matches!(next, Next::Wait) && parked <= MAX_PARKED {
                    tail.read_ahead(&mut cx);
                }
                return next;
            }
            let frame = match Pin::new(&mut *tail).poll_frame(&mut cx) {
                Poll::Pending => return Next::Wait,
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!("an answer broke off: {error}");
                    let of_client = matches!(error, BodyError::TooLong { .. } | BodyError::Client(_));
                    return if of_client { Next::Cancel } else { Next::Fail };
                }
                Poll::Ready(None) => {
                    frame::put(&mut self.out, 0, frame::DATA, frame::END_STREAM, stream.id);
                    return Next::Done;
                }
            };
            match frame.into_data() {
                Ok(data) => {
                    stream.last = tail.is_end_stream();
                    if data.is_empty() && stream.last {
                        frame::put(&mut self.out, 0, frame::DATA, frame::END_STREAM, stream.id);
                        return Next::Done;
                    }
                    self.parked += data.len();
                    stream.piece = data;
                }
                Err(frame) => {
                    let id = stream.id;
                    self.trailers_out(id, &frame.into_trailers().unwrap_or_default());
                    return Next::Done;
                }
            }
        }
        Next::Again
    }

    /// Sends a frame of the piece at hand; none when all of it has left, and is not the last.
    fn piece(&mut self, number: usize) -> Option<Next> {
        let way = MOST.saturating_sub(self.on_their_way());
        let stream = self.streams[number].as_mut().expect("a stream that runs is open");
        if stream.piece.is_empty() {
            // Nothing more is read of it than can leave.
            if way == 0 && matches!(stream.work, Work::Body(_)) {
                self.for_way |= 1 << number;
                return Some(Next::Wait);
            }
            return None;
        }
        let window = usize::try_from(stream.window.min(self.window)).unwrap_or(0);
        let count = stream.piece.len().min(window).min(self.longest);
        if way == 0 || count == 0 {
            if way == 0 {
                self.for_way |= 1 << number;
            } else if stream.window > 0 {
                self.for_window |= 1 << number;
            }
            // A client that gives no window makes us hold the piece.
            if way > 0 && stream.reservation.is_none() {
                match self.link.budget().reserve(stream.piece.len()) {
                    Ok(reservation) => stream.reservation = Some(reservation),
                    Err(exceeded) => {
                        self.link.worker.log_limits.memory.log(|unlogged_events| {
                            tracing::error!(
                                unlogged_events,
                                "a stream whose client takes no response is reset: {exceeded}"
                            );
                        });
                        return Some(Next::Refuse);
                    }
                }
            }
            if stream.due.is_none() {
                stream.due = Some(self.now + self.account.patience.for_piece(stream.piece.len()));
                self.paused |= 1 << number;
            }
            return Some(Next::Wait);
        }
        let all = count == stream.piece.len();
        let ends = all && stream.last;
        frame::put(&mut self.out, count, frame::DATA, if ends { frame::END_STREAM } else { 0 }, stream.id);
        self.out.extend_from_slice(&stream.piece[..count]);
        stream.window -= count as i64;
        self.window -= count as i64;
        self.parked -= count;
        self.turn.spend(flood::data_frame(count));
        self.account.flood.on_payload(count);
        self.next = (number as u32 + 1) % NUMBERS as u32;
        stream.piece.advance(count);
        if ends {
            return Some(Next::Done);
        }
        if !all {
            return Some(Next::Again);
        }
        stream.piece = Bytes::new();
        stream.reservation = None;
        stream.due = None;
        self.paused &= !(1 << number);
        None
    }

    fn trailers_out(&mut self, id: u32, trailers: &HeaderMap) {
        let start = self.begin_block();
        for (name, value) in trailers {
            if !stays_behind(name) {
                self.encoder.header(name, value, &mut self.out);
            }
        }
        frame::close_block(&mut self.out, start, frame::END_STREAM, id, self.longest);
    }

    /// Refuses a request whose head is too long.
    pub(super) fn too_long(&mut self, id: u32) {
        let start = self.begin_block();
        self.encoder.status(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &mut self.out);
        frame::close_block(&mut self.out, start, frame::END_STREAM, id, self.longest);
    }

    fn begin_block(&mut self) -> usize {
        let start = self.out.len();
        self.out.resize(start + frame::HEAD, 0);
        self.encoder.begin(&mut self.out);
        start
    }
}
