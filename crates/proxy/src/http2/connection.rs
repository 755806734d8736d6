//! State machine of a connection: its streams, flow control, and shutdown (RFC 9113 sections 5 and 6.8).
//!
//! Knows no socket; [`super::ConnectionIo`] drives it.
//!
//! ```text
//!  +------+ start_goaway  +-----------------+  PING acknowledged  +----------+
//!  | Open | ------------> | GoAwayAnnounced | ------------------> | Draining |
//!  +------+ (last stream  +-----------------+  (last stream id    +----------+
//!    |   |    2^31 - 1)       |                 announced)           |
//!    |   | client sent GOAWAY,  | fail                                 | no stream
//!    |   | no stream open       |                                      | open
//!    |   v                      v                                      v
//!    |  +-----------------------------------------------------------------+
//!    +->| Closed                                                          |
//!  fail +-----------------------------------------------------------------+
//! ```

use std::{collections::VecDeque, future::Future, mem, pin::Pin, rc::Rc, sync::Arc, task::Waker};

use http::{Method, Response, Version, header, request};
use tokio::time::Instant;

use super::{
    body::{RecvBodyConfig, recv_body},
    flood::TurnBudget,
    frame::{self, Reason, setting},
    hpack::{Decoder, Encoder},
    limits::{ConnStats, Http2Limits},
    stream::{Stream, StreamPhase},
    wake::{self, MAX_SLOTS, SlotSet, WakeSet},
    window::{CONNECTION_WINDOW, ConnectionWindow, INITIAL_WINDOW, MAX_GROWTH, StreamWindow},
};
use crate::{
    active_request::{ActiveRequest, Refusal},
    counted_body::CountedBody,
    response_body::ResponseBody,
    worker::ConnContext,
};
use net::Body;
use plugin::{Received, Request};
use telemetry::EndedBy;

/// Maximum number of concurrent streams, as with nginx.
pub const MAX_CONCURRENT_STREAMS: usize = MAX_SLOTS;
/// Initial window before any SETTINGS (RFC 9113 section 6.9.2).
const DEFAULT_WINDOW: i64 = 65_535;
/// Bytes in the send buffer beyond which no response body is read.
pub const WRITE_HIGH_WATER_BYTES: usize = 64 * 1024;
/// Bytes in the send buffer beyond which nothing is read: the client does not even read the replies to its
/// control frames.
pub const WRITE_HARD_LIMIT_BYTES: usize = WRITE_HIGH_WATER_BYTES + 16 * 1024;
/// Bytes of responses waiting for the client's window, beyond which nothing is read ahead.
pub const MAX_PARKED_BYTES: usize = 1024 * 1024;
/// Number of streams reset here that are remembered, since the client may not know of the reset yet.
const MAX_RECENT_RESETS: usize = 128;
/// Payload of the PING that follows the first GOAWAY; its value is arbitrary. The acknowledgement proves that
/// the GOAWAY was received.
pub const GOAWAY_PING_PAYLOAD: [u8; 8] = *b"draining";

/// State of a connection, see the module's diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnState {
    /// Accepts requests.
    Open,
    /// GOAWAY with the last possible stream id was sent; the client may not have received it.
    GoAwayAnnounced,
    /// GOAWAY with the last stream's id was sent.
    Draining,
    /// Ends when the send buffer is empty. `must_linger`: the client may still be sending.
    Closed { must_linger: bool },
}

/// Progress of the client's connection preface (RFC 9113 section 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    Preface,
    Settings,
    Complete,
}

/// A field block whose END_HEADERS has not arrived.
#[derive(Debug)]
pub struct HeaderBlock {
    pub stream: u32,
    pub end_stream: bool,
    pub bytes: Vec<u8>,
}

/// Makes the future of a request's response.
pub type Handler = fn(Rc<ConnContext>, Request) -> Pin<Box<dyn Future<Output = Response<ResponseBody>>>>;

/// State of a connection.
pub struct Http2Connection {
    pub(super) conn_ctx: Rc<ConnContext>,
    pub(super) handler: Handler,
    pub(super) wake_set: Arc<WakeSet>,
    pub(super) stats: ConnStats,
    /// When this turn started.
    pub(super) now: Instant,
    /// Work that this turn may still do.
    pub(super) turn: TurnBudget,
    /// Whether complete frames remain in the read buffer, since the turn's budget or the send buffer was
    /// exhausted.
    pub(super) backlog: bool,
    pub(super) state: ConnState,
    pub(super) handshake: Handshake,
    /// Maximum size of a field section, in bytes.
    pub(super) max_header_list_size: usize,
    pub(super) decoder: Decoder,
    pub(super) encoder: Encoder,
    pub(super) header_block: Option<HeaderBlock>,
    /// Streams by slot: ids (zero if free), states, and wakers.
    pub(super) ids: Vec<u32>,
    pub(super) streams: Vec<Option<Box<Stream>>>,
    pub(super) wakers: Vec<Waker>,
    pub(super) open_count: usize,
    /// Id of the last stream opened.
    pub(super) last_stream_id: u32,
    /// Streams that were reset here, and the bytes that the client may have sent on them before it knew.
    pub(super) recently_reset: VecDeque<(u32, usize)>,
    /// Slots to be polled, and those that wait for buffer space or for the connection's window.
    pub(super) ready: SlotSet,
    pub(super) waiting_for_io: SlotSet,
    pub(super) waiting_for_window: SlotSet,
    /// Slots whose client has not opened the window, and that have a deadline.
    pub(super) stalled: SlotSet,
    /// Slot that is polled first in the next turn.
    pub(super) next_slot: u32,
    /// The send buffer; `sent_bytes` of it have been written.
    pub(super) out: Vec<u8>,
    pub(super) sent_bytes: usize,
    /// What the client allows: the connection's window, the initial window of streams, and the frame size.
    pub(super) send_window: i64,
    pub(super) initial_send_window: i64,
    pub(super) max_frame_size: usize,
    /// The connection's receive window, and the growth left to the streams' windows.
    pub(super) recv_window: ConnectionWindow,
    pub(super) growth_budget: usize,
    /// Bytes of responses waiting for the client's window.
    pub(super) parked_bytes: usize,
    /// Whether the client has sent GOAWAY.
    pub(super) peer_is_leaving: bool,
}

impl Http2Connection {
    /// Creates the state of a new connection, with SETTINGS in the send buffer.
    pub fn new(conn_ctx: Rc<ConnContext>, handler: Handler) -> Self {
        let options = &conn_ctx.worker.options;
        let now = Instant::now();
        let max_header_list_size = options.head.total;
        let mut out = Vec::new();
        frame::write_settings(
            &mut out,
            &[
                (setting::MAX_CONCURRENT_STREAMS, MAX_CONCURRENT_STREAMS as u32),
                (setting::INITIAL_WINDOW_SIZE, INITIAL_WINDOW as u32),
                (setting::MAX_FRAME_SIZE, frame::MAX_FRAME_SIZE as u32),
                (setting::MAX_HEADER_LIST_SIZE, u32::try_from(max_header_list_size).unwrap_or(u32::MAX)),
            ],
        );
        let more = CONNECTION_WINDOW - DEFAULT_WINDOW as usize;
        frame::write_u32_frame(&mut out, frame::WINDOW_UPDATE, 0, [more as u32]);
        Http2Connection {
            stats: ConnStats::new(Http2Limits::new(options), now),
            wake_set: Arc::default(),
            now,
            turn: TurnBudget::default(),
            backlog: false,
            state: ConnState::Open,
            handshake: Handshake::Preface,
            max_header_list_size,
            decoder: Decoder::default(),
            encoder: Encoder::default(),
            header_block: None,
            ids: Vec::new(),
            streams: Vec::new(),
            wakers: Vec::new(),
            open_count: 0,
            last_stream_id: 0,
            recently_reset: VecDeque::new(),
            ready: 0,
            waiting_for_io: 0,
            waiting_for_window: 0,
            stalled: 0,
            next_slot: 0,
            out,
            sent_bytes: 0,
            send_window: DEFAULT_WINDOW,
            initial_send_window: DEFAULT_WINDOW,
            max_frame_size: frame::MAX_FRAME_SIZE,
            recv_window: ConnectionWindow::default(),
            growth_budget: MAX_GROWTH,
            parked_bytes: 0,
            peer_is_leaving: false,
            handler,
            conn_ctx,
        }
    }

    /// Bytes in the send buffer.
    pub fn buffered_bytes(&self) -> usize {
        self.out.len() - self.sent_bytes
    }

    /// Whether the client may be read from.
    pub fn can_read(&self) -> bool {
        self.buffered_bytes() < WRITE_HARD_LIMIT_BYTES && !matches!(self.state, ConnState::Closed { .. })
    }

    /// Opens a stream for a request; it is first polled after all received frames are handled.
    pub(super) fn open_stream(
        &mut self,
        id: u32,
        head: request::Parts,
        length: Option<u64>,
        end_stream: bool,
        head_bytes: usize,
    ) {
        let mut received =
            Received { head_bytes: u32::try_from(head_bytes).unwrap_or(u32::MAX), ..Received::default() };
        let slot = self.ids.iter().position(|&id| id == 0).unwrap_or_else(|| {
            self.ids.push(0);
            self.streams.push(None);
            self.wakers.push(wake::stream_waker(&self.wake_set, self.wakers.len()));
            self.ids.len() - 1
        });
        let (body_tx, body) = if end_stream || head.method == Method::CONNECT {
            (None, Body::Empty)
        } else {
            let expect = head.headers.get(header::EXPECT);
            let (body_tx, body_rx) = recv_body(RecvBodyConfig {
                length,
                awaits_continue: expect
                    .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")),
                timeout: self.conn_ctx.worker.options.body_timeout,
                wake_threshold: INITIAL_WINDOW / 4,
                connection_waker: self.wakers[slot].clone(),
                budget: self.conn_ctx.budget().clone(),
            });
            (Some(body_tx), CountedBody::wrap(body_rx, &mut received))
        };
        let is_bodiless = head.method == Method::HEAD;
        let mut request = Request::from_parts(head, body);
        request.received = received;
        self.ids[slot] = id;
        self.streams[slot] = Some(Box::new(Stream {
            id,
            is_bodiless,
            phase: StreamPhase::Pending(request),
            send_window: self.initial_send_window,
            body_tx,
            recv_open: !end_stream,
            recv_window: StreamWindow::new(self.now),
            recv_remaining: length,
            pending_data: bytes::Bytes::new(),
            is_last_data: false,
            reservation: None,
            send_deadline: None,
        }));
        self.open_count += 1;
        if self.open_count == 1 {
            self.conn_ctx.worker.connection_metrics.active.add(1);
        }
        self.ready |= 1 << slot;
        self.stats.on_request();
        if self.stats.requests >= self.stats.limits.max_requests {
            // Before the responses: a client that reads one may send its next request.
            self.start_goaway();
        }
    }

    pub(super) fn find(&self, id: u32) -> Option<usize> {
        // Zero marks a free slot.
        if id == 0 { None } else { self.ids.iter().position(|&open_id| open_id == id) }
    }

    /// The stream in a slot that [`Http2Connection::find`] returned.
    pub(super) fn stream(&mut self, slot: usize) -> &mut Stream {
        self.streams[slot].as_mut().expect("a slot with an id has a stream")
    }

    /// Whether the stream is idle (RFC 9113 section 5.1): not opened yet.
    pub(super) fn is_idle(&self, id: u32) -> bool {
        self.state != ConnState::Draining && (id.is_multiple_of(2) || id > self.last_stream_id)
    }

    /// Checks a frame on a stream that is not open, and drops it: the client may not know yet that the stream
    /// was reset here.
    pub(super) fn frame_on_closed_stream(&mut self, id: u32, code: Reason) -> Result<(), Reason> {
        if id == 0 || self.is_idle(id) {
            return Err(Reason::Protocol);
        }
        if id > self.last_stream_id || self.recently_reset.iter().any(|&(recent, _)| recent == id) {
            return Ok(());
        }
        Err(code)
    }

    /// Counts data on a stream that is not open. Within the stream's window, the client sent it before it
    /// knew of the reset; all else counts as overhead.
    pub(super) fn data_on_closed_stream(&mut self, id: u32, length: usize) {
        if let Some((_, window)) = self.recently_reset.iter_mut().find(|(recent, _)| *recent == id)
            && length > 0
            && let Some(remaining) = window.checked_sub(length)
        {
            *window = remaining;
            return;
        }
        self.stats.flood.on_overhead(1 + length as u64 / 1024);
    }

    /// Resets a stream for an error of the client (RFC 9113 section 5.4.2).
    pub(super) fn stream_error(&mut self, id: u32, code: Reason) -> Result<(), Reason> {
        tracing::debug!(stream = id, ?code, "an HTTP/2 stream is reset");
        self.stats.flood.on_stream_error();
        match self.find(id) {
            Some(slot) => self.finish_stream(slot, Some(code)),
            None => self.reset(id, code, INITIAL_WINDOW),
        }
        Ok(())
    }

    /// Resets a stream on which the client may have sent `window` bytes before it knows.
    pub(super) fn reset(&mut self, id: u32, code: Reason, window: usize) {
        frame::write_u32_frame(&mut self.out, frame::RST_STREAM, id, [code as u32]);
        if self.recently_reset.len() == MAX_RECENT_RESETS {
            self.recently_reset.pop_front();
        }
        self.recently_reset.push_back((id, window));
    }

    /// Ends a stream; sends RST_STREAM if there is a code.
    pub(super) fn finish_stream(&mut self, slot: usize, code: Option<Reason>) {
        if let Some(code) = code {
            let window = self.stream(slot).recv_window.available();
            self.reset(self.ids[slot], code, window);
        }
        self.remove_stream(slot);
    }

    /// Records how a response has ended, unless its body has recorded an error.
    pub(super) fn record_end(&mut self, slot: usize, ended_by: EndedBy) {
        if let StreamPhase::SendingBody(body) = &mut self.stream(slot).phase {
            body.record(|transfer| {
                if transfer.ended_by == EndedBy::Client {
                    transfer.ended_by = ended_by;
                }
            });
        }
    }

    /// Records a request whose head is refused.
    pub(super) fn record_refused_head(&self, status: u16, error: &'static str, head_bytes: usize) {
        let mut head = http::Request::new(()).into_parts().0;
        head.version = Version::HTTP_2;
        let mut request = Request::from_parts(head, Body::Empty);
        let head_bytes = u32::try_from(head_bytes).unwrap_or(u32::MAX);
        request.received = Received { is_refused: true, head_bytes, body_bytes: None };
        let refusal = Refusal { status, error: Some(error), ended_by: EndedBy::Gateway };
        ActiveRequest::record_refused(&self.conn_ctx, request, refusal);
    }

    /// Removes a stream.
    pub(super) fn remove_stream(&mut self, slot: usize) {
        let Some(mut stream) = self.streams[slot].take() else { return };
        self.ids[slot] = 0;
        let others = !(1 << slot);
        self.ready &= others;
        self.waiting_for_io &= others;
        self.waiting_for_window &= others;
        self.stalled &= others;
        self.open_count -= 1;
        if self.open_count == 0 {
            self.stats.idle_since = self.now;
            self.conn_ctx.worker.connection_metrics.active.add(-1);
        }
        stream.recv_window.release(&mut self.growth_budget);
        self.parked_bytes -= stream.pending_data.len();
        let unsent_bytes = stream.pending_data.len() as u64;
        match mem::replace(&mut stream.phase, StreamPhase::Done) {
            // The client has reset the stream before the request was started.
            StreamPhase::Pending(request) => {
                let refusal = Refusal { status: 499, error: None, ended_by: EndedBy::Client };
                ActiveRequest::record_refused(&self.conn_ctx, request, refusal);
            }
            mut phase => {
                if let StreamPhase::SendingBody(body) = &mut phase {
                    body.record(|transfer| {
                        transfer.body_bytes = transfer.body_bytes.saturating_sub(unsent_bytes)
                    });
                }
                stream.phase = phase;
            }
        }
        stream.abort();
    }

    /// Credits the client for consumed bytes: `consumed`, and those that the request's body reader has taken.
    pub(super) fn release_capacity(&mut self, slot: usize, consumed: usize) {
        let stream = self.streams[slot].as_mut().expect("only called for open streams");
        let consumed = consumed + stream.body_tx.as_ref().map_or(0, |body_tx| body_tx.take_consumed());
        if !stream.recv_open {
            if stream.body_tx.as_ref().is_none_or(|body_tx| body_tx.is_empty()) {
                stream.recv_window.release(&mut self.growth_budget);
            }
            return;
        }
        if consumed > 0
            && let Some(increment) = stream.recv_window.consume(consumed, self.now, &mut self.growth_budget)
        {
            frame::write_u32_frame(&mut self.out, frame::WINDOW_UPDATE, stream.id, [increment]);
            if let Some(body_tx) = &stream.body_tx {
                body_tx.set_wake_threshold(stream.recv_window.size() / 4);
            }
        }
    }

    pub(super) fn send_goaway(&mut self, last_stream_id: u32, code: Reason) {
        frame::write_u32_frame(&mut self.out, frame::GOAWAY, 0, [last_stream_id, code as u32]);
    }

    /// Starts a graceful shutdown (RFC 9113 section 6.8). Streams that the client opens before it receives
    /// the GOAWAY are served.
    pub fn start_goaway(&mut self) {
        if self.handshake != Handshake::Complete {
            return self.fail(Reason::NoError);
        }
        if self.state == ConnState::Open {
            self.state = ConnState::GoAwayAnnounced;
            self.stats.goaway_sent_at = Some(self.now);
            self.send_goaway(frame::MAX_WINDOW_SIZE as u32, Reason::NoError);
            frame::write_ping(&mut self.out, 0, GOAWAY_PING_PAYLOAD);
        }
    }

    /// Closes the connection with its streams.
    pub fn fail(&mut self, code: Reason) {
        if matches!(self.state, ConnState::Closed { .. }) {
            return;
        }
        (0..self.ids.len()).for_each(|slot| self.remove_stream(slot));
        self.send_goaway(self.last_stream_id, code);
        self.header_block = None;
        self.stats.headers_open_since = None;
        self.stats.goaway_sent_at.get_or_insert(self.now);
        self.state = ConnState::Closed { must_linger: code != Reason::NoError };
    }

    /// Closes the connection if it is draining and no stream is open; whether it is closed.
    pub fn try_close(&mut self) -> bool {
        match self.state {
            ConnState::Closed { .. } => return true,
            _ if self.open_count > 0 => return false,
            ConnState::Draining => {}
            _ if self.peer_is_leaving => self.send_goaway(self.last_stream_id, Reason::NoError),
            _ => return false,
        }
        self.state = ConnState::Closed { must_linger: false };
        true
    }
}

impl Drop for Http2Connection {
    /// Fails the body for tasks that still read it.
    fn drop(&mut self) {
        (0..self.ids.len()).for_each(|slot| self.remove_stream(slot));
    }
}
