//! The body of a request: a channel between the connection, which receives it, and the task that reads it.
//!
//! ```text
//!   +------+  END_STREAM, or trailers             +---------+
//!   | Open | -----------------------------------> | Ended   |
//!   +------+                                      +---------+
//!     |  |    the client sends nothing            +---------+
//!     |  +--- while the reader waits, ----------> | Stalled |
//!     |       until the timeout                   +---------+
//!     |
//!     |  the stream is closed                     +---------+
//!     +-----------------------------------------> | Failed  | <--- also from Ended and Stalled
//!                                                 +---------+
//! ```
//!
//! `Ended` retains buffered data for the reader. `Stalled` and `Failed` discard it and fail the reader.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io, mem,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use net::{BodyError, ConnectionBudget, Deadline, RequestBody};

/// Chunks smaller than this are joined.
const MIN_CHUNK_BYTES: usize = 4 * 1024;
/// Maximum number of bytes that are joined. A buffer grows by doubling, so that this bounds the memory
/// allocated beyond the window.
const MAX_JOINED_BYTES: usize = 16 * 1024;

/// The connection's end of a body. The stream's receive window bounds what it buffers.
#[derive(Clone, Debug)]
pub struct RecvBodyTx(Rc<RefCell<SharedBody>>);

/// The reader's end of a body.
#[derive(Debug)]
pub struct RecvBody {
    shared: Rc<RefCell<SharedBody>>,
    budget: ConnectionBudget,
    /// Runs while the reader waits for bytes.
    stall_timer: Deadline,
    timeout: Duration,
}

#[derive(Debug)]
struct SharedBody {
    chunks: VecDeque<Bytes>,
    /// Joined small chunks, after the others.
    joined: Vec<u8>,
    /// Bytes that the reader has not taken, if Content-Length was sent.
    remaining: Option<u64>,
    trailers: Option<HeaderMap>,
    state: RecvState,
    /// Bytes consumed since the connection last took the count, and the number that wakes it to credit the
    /// client.
    consumed: usize,
    wake_threshold: usize,
    /// When bytes of an incomplete frame arrived.
    partial_at: Option<Instant>,
    /// Whether the client waits for 100 (Continue), and whether it is to be sent.
    awaits_continue: bool,
    continue_requested: bool,
    /// Whether the reader was dropped.
    is_reader_dropped: bool,
    reader_waker: Option<Waker>,
    /// Wakes the connection's task.
    connection_waker: Waker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecvState {
    Open,
    Ended,
    Failed,
    Stalled,
}

/// What a body needs from its request and its connection.
#[derive(Debug)]
pub struct RecvBodyConfig {
    /// Content-Length, if there is one.
    pub length: Option<u64>,
    /// Whether the client waits for 100 (Continue).
    pub awaits_continue: bool,
    /// How long the client may send nothing while the reader waits.
    pub timeout: Duration,
    /// Bytes consumed that wake the connection.
    pub wake_threshold: usize,
    /// Wakes the connection's task.
    pub connection_waker: Waker,
    /// Budget that buffering the body is charged to.
    pub budget: ConnectionBudget,
}

/// Creates a body's two ends.
pub fn recv_body(config: RecvBodyConfig) -> (RecvBodyTx, RecvBody) {
    let RecvBodyConfig { length, awaits_continue, timeout, wake_threshold, connection_waker, budget } =
        config;
    let shared = Rc::new(RefCell::new(SharedBody {
        chunks: VecDeque::new(),
        joined: Vec::new(),
        remaining: length,
        trailers: None,
        state: RecvState::Open,
        consumed: 0,
        wake_threshold,
        partial_at: None,
        awaits_continue,
        continue_requested: false,
        is_reader_dropped: false,
        reader_waker: None,
        connection_waker,
    }));
    (RecvBodyTx(Rc::clone(&shared)), RecvBody { shared, budget, stall_timer: Deadline::default(), timeout })
}

impl SharedBody {
    fn wake(&mut self) {
        if let Some(reader_waker) = self.reader_waker.take() {
            reader_waker.wake();
        }
    }

    fn next_chunk(&mut self) -> Option<Bytes> {
        let chunk = match self.chunks.pop_front() {
            Some(chunk) => chunk,
            None if !self.joined.is_empty() => mem::take(&mut self.joined).into(),
            None => return None,
        };
        self.record_consumed(chunk.len());
        Some(chunk)
    }

    fn record_consumed(&mut self, count: usize) {
        self.consumed += count;
        // The connection takes the count by itself each time it polls the request.
        if self.consumed >= self.wake_threshold {
            self.connection_waker.wake_by_ref();
        }
    }

    fn fail(&mut self, state: RecvState) {
        self.state = state;
        self.chunks = VecDeque::new();
        self.joined = Vec::new();
        self.trailers = None;
        self.wake();
    }
}

impl RecvBodyTx {
    /// Buffers received bytes; whether a reader will take them.
    pub fn push(&self, data: &[u8]) -> bool {
        let shared = &mut *self.0.borrow_mut();
        if shared.is_reader_dropped || shared.state != RecvState::Open {
            return false;
        }
        // A client that sends the body does not wait for 100 (Continue).
        shared.awaits_continue = false;
        shared.continue_requested = false;
        let is_small = data.len() < MIN_CHUNK_BYTES;
        if !shared.joined.is_empty() && (!is_small || shared.joined.len() + data.len() > MAX_JOINED_BYTES) {
            shared.chunks.push_back(mem::take(&mut shared.joined).into());
        }
        if is_small {
            shared.joined.extend_from_slice(data);
        } else {
            shared.chunks.push_back(Bytes::copy_from_slice(data));
        }
        shared.wake();
        true
    }

    /// Records bytes of an incomplete frame: the client has not stalled.
    pub fn on_partial_frame(&self, now: Instant) {
        self.0.borrow_mut().partial_at = Some(now);
    }

    /// Marks the body as complete.
    pub fn end(&self, trailers: Option<HeaderMap>) {
        let mut shared = self.0.borrow_mut();
        if shared.state == RecvState::Open {
            shared.trailers = trailers;
            shared.state = RecvState::Ended;
            shared.wake();
        }
    }

    /// Takes the number of bytes consumed since the last call.
    pub fn take_consumed(&self) -> usize {
        mem::take(&mut self.0.borrow_mut().consumed)
    }

    /// Sets the number of consumed bytes that wakes the connection.
    pub fn set_wake_threshold(&self, count: usize) {
        self.0.borrow_mut().wake_threshold = count;
    }

    /// Takes the request for 100 (Continue): the reader has started to read a body that the client holds
    /// back.
    pub fn take_continue_request(&self) -> bool {
        mem::take(&mut self.0.borrow_mut().continue_requested)
    }

    /// Whether the body's timeout has passed.
    pub fn is_stalled(&self) -> bool {
        self.0.borrow().state == RecvState::Stalled
    }

    /// Bytes received that [`RecvBodyTx::take_consumed`] has not returned.
    pub fn unreleased_bytes(&self) -> usize {
        let shared = self.0.borrow();
        shared.consumed + shared.joined.len() + shared.chunks.iter().map(Bytes::len).sum::<usize>()
    }

    /// Whether nothing is buffered.
    pub fn is_empty(&self) -> bool {
        let shared = self.0.borrow();
        shared.joined.is_empty() && shared.chunks.is_empty()
    }

    /// Ends the stream: drops what is buffered, and fails the reader.
    pub fn close(&self) {
        self.0.borrow_mut().fail(RecvState::Failed);
    }
}

impl RequestBody for RecvBody {
    fn budget(&self) -> &ConnectionBudget {
        &self.budget
    }
}

impl Body for RecvBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let RecvBody { shared, stall_timer, timeout, .. } = self.get_mut();
        let shared = &mut *shared.borrow_mut();
        if let Some(chunk) = shared.next_chunk() {
            stall_timer.clear();
            shared.partial_at = None;
            if let Some(remaining) = &mut shared.remaining {
                *remaining = remaining.saturating_sub(chunk.len() as u64);
            }
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match shared.state {
            RecvState::Ended => {
                Poll::Ready(shared.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
            }
            RecvState::Failed => {
                let why = io::Error::from(io::ErrorKind::ConnectionReset);
                Poll::Ready(Some(Err(BodyError::Client(why))))
            }
            RecvState::Stalled => Poll::Ready(Some(Err(BodyError::Stalled))),
            RecvState::Open => {
                if mem::take(&mut shared.awaits_continue) {
                    shared.continue_requested = true;
                    shared.connection_waker.wake_by_ref();
                }
                if !shared
                    .reader_waker
                    .as_ref()
                    .is_some_and(|reader_waker| reader_waker.will_wake(cx.waker()))
                {
                    shared.reader_waker = Some(cx.waker().clone());
                }
                match shared.partial_at.take() {
                    // Arrived while the reader waits.
                    Some(at) if stall_timer.instant().is_some() => stall_timer.reset(at + *timeout),
                    _ => stall_timer.reset_if_unset(|| Instant::now() + *timeout),
                }
                ready!(stall_timer.poll(cx));
                shared.fail(RecvState::Stalled);
                // The connection resets a stream whose response has started.
                shared.connection_waker.wake_by_ref();
                Poll::Ready(Some(Err(BodyError::Stalled)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let shared = self.shared.borrow();
        shared.state == RecvState::Ended
            && shared.chunks.is_empty()
            && shared.joined.is_empty()
            && shared.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.shared.borrow().remaining.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for RecvBody {
    fn drop(&mut self) {
        let mut shared = self.shared.borrow_mut();
        shared.is_reader_dropped = true;
        // The client gets credit for what no reader will take, and may send the rest.
        while shared.next_chunk().is_some() {}
        shared.connection_waker.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pair(length: Option<u64>, awaits_continue: bool) -> (RecvBodyTx, RecvBody) {
        recv_body(RecvBodyConfig {
            length,
            awaits_continue,
            timeout: 60 * SECOND,
            wake_threshold: 1024,
            connection_waker: Waker::noop().clone(),
            budget: ConnectionBudget::unlimited(),
        })
    }

    fn next_chunk(body: &mut RecvBody) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn chunks_are_consumed_in_order_and_counted() {
        let (body_tx, body) = pair(None, false);
        let long = vec![b'x'; MIN_CHUNK_BYTES];
        for chunk in [b"a", b"b", &long[..], &long[..], b"c"] {
            assert!(body_tx.push(chunk));
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("x-end", http::HeaderValue::from_static("1"));
        body_tx.end(Some(trailers.clone()));
        assert_eq!(
            (body_tx.take_consumed(), body_tx.unreleased_bytes()),
            (0, 2 * MIN_CHUNK_BYTES + 3),
            "nothing is consumed yet"
        );
        let all = body.collect().await.expect("a whole body");
        assert_eq!(all.trailers(), Some(&trailers));
        assert_eq!(all.to_bytes(), [b"ab", &long[..], &long[..], b"c"].concat());
        assert_eq!(
            (body_tx.take_consumed(), body_tx.take_consumed(), body_tx.is_empty()),
            (2 * MIN_CHUNK_BYTES + 3, 0, true)
        );
    }

    /// A slice of a large buffer keeps the whole allocation: a chunk of one byte once cost as much.
    #[test]
    fn buffered_bytes_take_little_extra_memory() {
        let (body_tx, body) = pair(None, false);
        for round in 0..1000 {
            body_tx.push(&vec![b'x'; if round < 100 { MIN_CHUNK_BYTES - 1 } else { MIN_CHUNK_BYTES }]);
            body_tx.push(b"y");
        }
        let buffered = body_tx.unreleased_bytes();
        let mut shared = body.shared.borrow_mut();
        let capacity = |chunk: Bytes| chunk.try_into_mut().expect("it has one owner").capacity();
        let allocated: usize = mem::take(&mut shared.chunks).into_iter().map(capacity).sum();
        assert!(allocated <= buffered * 4 / 3, "{allocated} bytes for {buffered}");
        assert!(shared.joined.capacity() <= MAX_JOINED_BYTES);
    }

    #[tokio::test]
    async fn size_hint_and_end_of_stream_are_exact() {
        let (body_tx, mut body) = pair(Some(3), false);
        assert!(next_chunk(&mut body).is_pending() && !body.is_end_stream());
        body_tx.push(b"abc");
        body_tx.end(None);
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(3), false));
        assert!(matches!(next_chunk(&mut body), Poll::Ready(Some(Ok(_)))));
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
        assert!(matches!(next_chunk(&mut body), Poll::Ready(None)));
    }

    #[test]
    fn bytes_without_a_reader_count_as_consumed() {
        let (body_tx, body) = pair(None, false);
        body_tx.push(b"abc");
        drop(body);
        assert_eq!((body_tx.take_consumed(), body_tx.push(b"more")), (3, false));
    }

    #[test]
    fn close_drops_what_is_buffered() {
        let (body_tx, mut body) = pair(None, false);
        body_tx.push(b"abc");
        assert!(matches!(next_chunk(&mut body), Poll::Ready(Some(Ok(_)))));
        body_tx.push(b"de");
        body_tx.close();
        assert!(body_tx.is_empty() && !body_tx.push(b"f"));
        assert!(matches!(next_chunk(&mut body), Poll::Ready(Some(Err(BodyError::Client(_))))));
    }

    #[tokio::test]
    async fn only_bytes_move_the_deadline_of_a_body() {
        let (body_tx, mut body) = pair(None, false);
        // The client may pause while the reader does not wait.
        body_tx.on_partial_frame(Instant::now() - 100 * SECOND);
        assert!(next_chunk(&mut body).is_pending());
        let due = body.stall_timer.instant().expect("the reader waits");
        assert!(
            next_chunk(&mut body).is_pending() && body.stall_timer.instant() == Some(due),
            "polls do not move it"
        );
        body_tx.push(b"a");
        assert!(next_chunk(&mut body).is_ready() && body.stall_timer.instant().is_none());
        assert!(next_chunk(&mut body).is_pending() && body.stall_timer.instant() > Some(due));
        // A part of a frame counts from its arrival.
        let arrived = Instant::now() - 59 * SECOND;
        body_tx.on_partial_frame(arrived);
        assert!(
            next_chunk(&mut body).is_pending() && body.stall_timer.instant() == Some(arrived + 60 * SECOND)
        );
        body_tx.on_partial_frame(arrived - 2 * SECOND);
        let is_stalled =
            |body: &mut RecvBody| matches!(next_chunk(body), Poll::Ready(Some(Err(BodyError::Stalled))));
        assert!(is_stalled(&mut body) && body_tx.is_stalled());
        assert!(!body_tx.push(b"late") && is_stalled(&mut body), "it stays stalled");
    }

    #[tokio::test]
    async fn reading_requests_100_continue_once() {
        let (body_tx, mut body) = pair(None, true);
        assert!(!body_tx.take_continue_request(), "no reader yet");
        assert!(next_chunk(&mut body).is_pending());
        assert!(body_tx.take_continue_request() && !body_tx.take_continue_request());
        let (body_tx, mut body) = pair(None, true);
        body_tx.push(b"unasked");
        assert!(next_chunk(&mut body).is_ready() && next_chunk(&mut body).is_pending());
        assert!(!body_tx.take_continue_request());
    }
}
