//! Polls the requests, and sends their responses.

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
    body::RecvBodyTx,
    connection::{Http2Connection, MAX_PARKED_BYTES, WRITE_HARD_LIMIT_BYTES, WRITE_HIGH_WATER_BYTES},
    flood,
    frame::{self, Reason},
    request::is_connection_specific,
    stream::StreamPhase,
    wake::{MAX_SLOTS, SlotSet},
};
use crate::{date::date, response_body::ResponseBody};
use net::BodyError;
use telemetry::EndedBy;

/// DATA frames of one response before the other streams are polled.
const MAX_FRAMES_PER_POLL: usize = 32;

/// What follows a poll of a stream.
enum StreamStep {
    /// It waits to be woken.
    Wait,
    /// It is polled again after the others.
    Yield,
    /// The response has been sent.
    Done,
    /// The response failed.
    Fail,
    /// The client does not read, and the memory for what waits is exhausted.
    Refuse,
    /// The request's body failed after the response had started.
    Cancel,
}

impl Http2Connection {
    /// Polls the streams that are ready, until the turn's budget or the send buffer is exhausted.
    pub fn poll_streams(&mut self) {
        self.ready |= self.wake_set.take_ready();
        let first = self.next_slot;
        let mut remaining: SlotSet = mem::take(&mut self.ready).rotate_right(first);
        while remaining != 0 {
            let slot = (remaining.trailing_zeros() + first) as usize % MAX_SLOTS;
            if self.turn.is_spent() {
                self.ready |= remaining.rotate_left(first);
                self.next_slot = slot as u32;
                break;
            }
            if self.buffered_bytes() >= WRITE_HARD_LIMIT_BYTES {
                self.waiting_for_io |= remaining.rotate_left(first);
                break;
            }
            remaining &= remaining - 1;
            // A panic ends its stream only.
            let step = catch_unwind(AssertUnwindSafe(|| self.poll_stream(slot))).unwrap_or(StreamStep::Fail);
            match step {
                StreamStep::Wait => {}
                StreamStep::Yield => self.ready |= 1 << slot,
                StreamStep::Done => {
                    self.record_end(slot, EndedBy::Complete);
                    let is_request_incomplete = self.stream(slot).recv_open;
                    self.finish_stream(slot, is_request_incomplete.then_some(Reason::NoError));
                }
                StreamStep::Fail => {
                    self.record_end(slot, EndedBy::Gateway);
                    self.finish_stream(slot, Some(Reason::Internal));
                }
                StreamStep::Refuse => {
                    self.record_end(slot, EndedBy::Gateway);
                    self.finish_stream(slot, Some(Reason::EnhanceYourCalm));
                }
                StreamStep::Cancel => self.finish_stream(slot, Some(Reason::Cancel)),
            }
        }
    }

    /// Resets the streams whose client has not opened the window in time; returns the next deadline.
    pub fn reset_overdue_streams(&mut self) -> Option<Instant> {
        let (mut remaining, mut next_deadline) = (self.stalled, None);
        while remaining != 0 {
            let slot = remaining.trailing_zeros() as usize;
            remaining &= remaining - 1;
            match self.streams[slot].as_ref().and_then(|stream| stream.send_deadline) {
                Some(due) if due <= self.now => self.finish_stream(slot, Some(Reason::Cancel)),
                due => next_deadline = due.into_iter().chain(next_deadline).min(),
            }
        }
        next_deadline
    }

    fn poll_stream(&mut self, slot: usize) -> StreamStep {
        let Some(stream) = self.streams.get_mut(slot).and_then(Option::as_mut) else {
            return StreamStep::Wait;
        };
        if let StreamPhase::Pending(_) = &stream.phase
            && let StreamPhase::Pending(request) = mem::replace(&mut stream.phase, StreamPhase::Done)
        {
            self.turn.spend(flood::START_REQUEST);
            stream.phase = StreamPhase::Handling((self.handler)(Rc::clone(&self.conn_ctx), request));
        }
        self.turn.spend(flood::POLL_STREAM);
        let step = match &mut stream.phase {
            StreamPhase::Handling(response) => {
                let mut cx = Context::from_waker(&self.wakers[slot]);
                match response.as_mut().poll(&mut cx) {
                    Poll::Pending => {
                        self.send_continue(slot);
                        StreamStep::Wait
                    }
                    Poll::Ready(response) => match self.send_head(slot, response) {
                        StreamStep::Wait => self.send_body(slot),
                        step => step,
                    },
                }
            }
            _ => self.send_body(slot),
        };
        if !matches!(step, StreamStep::Done) && self.has_stalled(slot) {
            return StreamStep::Cancel;
        }
        if matches!(step, StreamStep::Wait | StreamStep::Yield) {
            self.release_capacity(slot, 0);
        }
        step
    }

    /// Sends 100 (Continue) if the client waits for it and the body is being read.
    fn send_continue(&mut self, slot: usize) {
        let stream = self.stream(slot);
        if stream.body_tx.as_ref().is_some_and(RecvBodyTx::take_continue_request) {
            let id = stream.id;
            let start = self.start_header_block();
            self.encoder.status(StatusCode::CONTINUE, &mut self.out);
            frame::finish_header_block(&mut self.out, start, 0, id, self.max_frame_size);
        }
    }

    /// Whether the body's timeout has passed after the response started. Before that, the response is a 408.
    fn has_stalled(&mut self, slot: usize) -> bool {
        let stream = self.stream(slot);
        matches!(stream.phase, StreamPhase::SendingBody(_))
            && stream.body_tx.as_ref().is_some_and(RecvBodyTx::is_stalled)
    }

    /// Sends a response's head.
    fn send_head(&mut self, slot: usize, response: Response<ResponseBody>) -> StreamStep {
        let (mut head, mut body) = response.into_parts();
        if body.take_upgraded().is_some() {
            // HTTP/2 has no Upgrade (RFC 9113 section 8.6): the upstream switched unasked.
            head.status = StatusCode::BAD_GATEWAY;
        }
        let stream = self.stream(slot);
        let (id, is_bodiless) = (stream.id, stream.is_bodiless);
        let is_bodiless =
            is_bodiless || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let end_stream = is_bodiless || body.is_end_stream();
        let length = if end_stream { None } else { body.size_hint().exact() };
        let start = self.start_header_block();
        self.encoder.status(head.status, &mut self.out);
        let (mut has_date, mut has_content_length) = (false, false);
        for (name, value) in &head.headers {
            if is_connection_specific(name) {
                continue;
            }
            has_date |= *name == header::DATE;
            has_content_length |= *name == header::CONTENT_LENGTH;
            self.encoder.header(name, value, &mut self.out);
        }
        if !has_date {
            self.encoder.header(&header::DATE, &date(), &mut self.out);
        }
        if !has_content_length && let Some(length) = length {
            self.encoder.header(&header::CONTENT_LENGTH, &HeaderValue::from(length), &mut self.out);
        }
        let flags = if end_stream { frame::END_STREAM } else { 0 };
        frame::finish_header_block(&mut self.out, start, flags, id, self.max_frame_size);
        let head_bytes = (self.out.len() - start) as u64;
        body.record(|transfer| {
            transfer.status = Some(head.status.as_u16());
            transfer.head_bytes = head_bytes;
            if end_stream {
                transfer.ended_by = EndedBy::Complete;
            }
        });
        self.stream(slot).phase = if end_stream { StreamPhase::Done } else { StreamPhase::SendingBody(body) };
        if end_stream { StreamStep::Done } else { StreamStep::Wait }
    }

    /// Sends a response's body as far as it is available and the windows allow.
    fn send_body(&mut self, slot: usize) -> StreamStep {
        for _ in 0..MAX_FRAMES_PER_POLL {
            let step = self.send_pending_data(slot);
            let parked_bytes = self.parked_bytes;
            let stream = self.streams[slot].as_mut().expect("a polled stream is open");
            let StreamPhase::SendingBody(body) = &mut stream.phase else {
                return step.unwrap_or(StreamStep::Wait);
            };
            let mut cx = Context::from_waker(&self.wakers[slot]);
            if let Some(step) = step {
                if matches!(step, StreamStep::Wait) && parked_bytes <= MAX_PARKED_BYTES {
                    body.read_ahead(&mut cx);
                }
                return step;
            }
            let frame = match Pin::new(&mut *body).poll_frame(&mut cx) {
                Poll::Pending => return StreamStep::Wait,
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!("a response broke off: {error}");
                    let is_client_fault = matches!(error, BodyError::TooLong { .. } | BodyError::Client(_));
                    return if is_client_fault { StreamStep::Cancel } else { StreamStep::Fail };
                }
                Poll::Ready(None) => {
                    frame::write_header(&mut self.out, 0, frame::DATA, frame::END_STREAM, stream.id);
                    return StreamStep::Done;
                }
            };
            match frame.into_data() {
                Ok(data) => {
                    stream.is_last_data = body.is_end_stream();
                    if data.is_empty() && stream.is_last_data {
                        frame::write_header(&mut self.out, 0, frame::DATA, frame::END_STREAM, stream.id);
                        return StreamStep::Done;
                    }
                    self.parked_bytes += data.len();
                    stream.pending_data = data;
                }
                Err(frame) => {
                    let id = stream.id;
                    self.send_trailers(id, &frame.into_trailers().unwrap_or_default());
                    return StreamStep::Done;
                }
            }
        }
        StreamStep::Yield
    }

    /// Sends one DATA frame of the pending data; `None` once there is none.
    fn send_pending_data(&mut self, slot: usize) -> Option<StreamStep> {
        let buffer_space = WRITE_HIGH_WATER_BYTES.saturating_sub(self.buffered_bytes());
        let stream = self.streams[slot].as_mut().expect("a polled stream is open");
        if stream.pending_data.is_empty() {
            // No more is read than can be buffered.
            if buffer_space == 0 && matches!(stream.phase, StreamPhase::SendingBody(_)) {
                self.waiting_for_io |= 1 << slot;
                return Some(StreamStep::Wait);
            }
            return None;
        }
        let window = usize::try_from(stream.send_window.min(self.send_window)).unwrap_or(0);
        let count = stream.pending_data.len().min(window).min(self.max_frame_size);
        if buffer_space == 0 || count == 0 {
            if buffer_space == 0 {
                self.waiting_for_io |= 1 << slot;
            } else if stream.send_window > 0 {
                self.waiting_for_window |= 1 << slot;
            }
            // Without window, the data is retained: charge it to the memory budget.
            if buffer_space > 0 && stream.reservation.is_none() {
                match self.conn_ctx.budget().reserve(stream.pending_data.len()) {
                    Ok(reservation) => stream.reservation = Some(reservation),
                    Err(exceeded) => {
                        self.conn_ctx.worker.log_limits.memory.log(|unlogged_events| {
                            tracing::error!(
                                unlogged_events,
                                "a stream is reset whose client does not read the response: {exceeded}"
                            );
                        });
                        return Some(StreamStep::Refuse);
                    }
                }
            }
            if stream.send_deadline.is_none() {
                stream.send_deadline =
                    Some(self.now + self.stats.limits.send_timeout_for(stream.pending_data.len()));
                self.stalled |= 1 << slot;
            }
            return Some(StreamStep::Wait);
        }
        let is_whole = count == stream.pending_data.len();
        let end_stream = is_whole && stream.is_last_data;
        frame::write_header(
            &mut self.out,
            count,
            frame::DATA,
            if end_stream { frame::END_STREAM } else { 0 },
            stream.id,
        );
        self.out.extend_from_slice(&stream.pending_data[..count]);
        stream.send_window -= count as i64;
        self.send_window -= count as i64;
        self.parked_bytes -= count;
        self.turn.spend(flood::data_frame(count));
        self.stats.flood.on_payload(count);
        self.next_slot = (slot as u32 + 1) % MAX_SLOTS as u32;
        stream.pending_data.advance(count);
        if end_stream {
            return Some(StreamStep::Done);
        }
        if !is_whole {
            return Some(StreamStep::Yield);
        }
        stream.pending_data = Bytes::new();
        stream.reservation = None;
        stream.send_deadline = None;
        self.stalled &= !(1 << slot);
        None
    }

    fn send_trailers(&mut self, id: u32, trailers: &HeaderMap) {
        let start = self.start_header_block();
        for (name, value) in trailers {
            if !is_connection_specific(name) {
                self.encoder.header(name, value, &mut self.out);
            }
        }
        frame::finish_header_block(&mut self.out, start, frame::END_STREAM, id, self.max_frame_size);
    }

    /// Responds to a request whose head is too large.
    pub(super) fn respond_head_too_large(&mut self, id: u32) {
        let start = self.start_header_block();
        self.encoder.status(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &mut self.out);
        frame::finish_header_block(&mut self.out, start, frame::END_STREAM, id, self.max_frame_size);
    }

    fn start_header_block(&mut self) -> usize {
        let start = self.out.len();
        self.out.resize(start + frame::FRAME_HEADER_BYTES, 0);
        self.encoder.start_block(&mut self.out);
        start
    }
}
