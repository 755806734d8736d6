//! A request's body between the connection that reads it and the request that takes it.

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

use net::{BodyError, ConnectionBudget, RequestBody, Timer};

/// Pieces shorter than this are joined.
const SHORT_PIECE: usize = 4 * 1024;
/// Bytes of short pieces that are joined. A buffer grows by doubling, so this bounds the memory that is allocated
/// beside the window.
const MAX_JOINED: usize = 16 * 1024;

/// The connection's end. What it buffers is bounded by the stream's window.
#[derive(Clone, Debug)]
pub struct Inlet(Rc<RefCell<Held>>);

/// The request's end.
#[derive(Debug)]
pub struct Outlet {
    held: Rc<RefCell<Held>>,
    budget: ConnectionBudget,
    /// Runs while a caller waits for bytes.
    stall: Timer,
    timeout: Duration,
}

#[derive(Debug)]
struct Held {
    pieces: VecDeque<Bytes>,
    /// Short pieces, after the others.
    short: Vec<u8>,
    /// Bytes that are to come or to be taken, if the client has said so.
    left: Option<u64>,
    trailers: Option<HeaderMap>,
    end: End,
    /// Bytes taken since the connection asked last, and how many of them wake it, so that it credits the client.
    taken: usize,
    wake_at: usize,
    /// When bytes arrived that are not part of a whole frame yet.
    partial_at: Option<Instant>,
    /// Whether the client waits for 100 (Continue), and whether it is to be sent.
    expects: bool,
    continues: bool,
    /// Whether no caller will take more.
    gone: bool,
    waiting: Option<Waker>,
    /// Wakes the connection.
    connection: Waker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    Ended,
    Failed,
    Stalled,
}

/// What a body needs to know of its request and its connection.
#[derive(Debug)]
pub struct Incoming {
    /// Its length, if the client has said so.
    pub length: Option<u64>,
    /// Whether the client waits for 100 (Continue).
    pub expects: bool,
    /// How long the client may send nothing of it while a caller waits.
    pub timeout: Duration,
    /// Bytes consumed that wake the connection.
    pub wake_at: usize,
    /// Wakes the connection.
    pub connection: Waker,
    /// What buffering it is counted against.
    pub budget: ConnectionBudget,
}

/// A body's two ends.
pub fn body(incoming: Incoming) -> (Inlet, Outlet) {
    let Incoming { length, expects, timeout, wake_at, connection, budget } = incoming;
    let held = Rc::new(RefCell::new(Held {
        pieces: VecDeque::new(),
        short: Vec::new(),
        left: length,
        trailers: None,
        end: End::Open,
        taken: 0,
        wake_at,
        partial_at: None,
        expects,
        continues: false,
        gone: false,
        waiting: None,
        connection,
    }));
    (Inlet(Rc::clone(&held)), Outlet { held, budget, stall: Timer::default(), timeout })
}

impl Held {
    fn wake(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    fn next(&mut self) -> Option<Bytes> {
        let piece = match self.pieces.pop_front() {
            Some(piece) => piece,
            None if !self.short.is_empty() => mem::take(&mut self.short).into(),
            None => return None,
        };
        self.took(piece.len());
        Some(piece)
    }

    fn took(&mut self, count: usize) {
        self.taken += count;
        // The connection asks by itself after each time that it lets the request run.
        if self.taken >= self.wake_at {
            self.connection.wake_by_ref();
        }
    }

    fn fail(&mut self, end: End) {
        self.end = end;
        self.pieces = VecDeque::new();
        self.short = Vec::new();
        self.trailers = None;
        self.wake();
    }
}

impl Inlet {
    /// Buffers bytes that have arrived; whether a caller will take them.
    pub fn push(&self, data: &[u8]) -> bool {
        let held = &mut *self.0.borrow_mut();
        if held.gone || held.end != End::Open {
            return false;
        }
        // A client that sends the body does not wait.
        held.expects = false;
        held.continues = false;
        let is_short = data.len() < SHORT_PIECE;
        if !held.short.is_empty() && (!is_short || held.short.len() + data.len() > MAX_JOINED) {
            held.pieces.push_back(mem::take(&mut held.short).into());
        }
        if is_short {
            held.short.extend_from_slice(data);
        } else {
            held.pieces.push_back(Bytes::copy_from_slice(data));
        }
        held.wake();
        true
    }

    /// Takes note of bytes of a frame that is not there as a whole: the client has not stalled.
    pub fn touch(&self, now: Instant) {
        self.0.borrow_mut().partial_at = Some(now);
    }

    /// All has arrived.
    pub fn end(&self, trailers: Option<HeaderMap>) {
        let mut held = self.0.borrow_mut();
        if held.end == End::Open {
            held.trailers = trailers;
            held.end = End::Ended;
            held.wake();
        }
    }

    /// Bytes taken since this was asked last.
    pub fn taken(&self) -> usize {
        mem::take(&mut self.0.borrow_mut().taken)
    }

    /// Sets how many bytes consumed wake the connection.
    pub fn wake_at(&self, count: usize) {
        self.0.borrow_mut().wake_at = count;
    }

    /// Whether a caller has started to read a body that the client sends after 100 (Continue), once.
    pub fn takes_continue(&self) -> bool {
        mem::take(&mut self.0.borrow_mut().continues)
    }

    /// Whether the client has stopped sending.
    pub fn is_stalled(&self) -> bool {
        self.0.borrow().end == End::Stalled
    }

    /// Bytes that have arrived and that [`Inlet::taken`] has not returned.
    pub fn outstanding(&self) -> usize {
        let held = self.0.borrow();
        held.taken + held.short.len() + held.pieces.iter().map(Bytes::len).sum::<usize>()
    }

    /// Whether nothing is buffered.
    pub fn is_empty(&self) -> bool {
        let held = self.0.borrow();
        held.short.is_empty() && held.pieces.is_empty()
    }

    /// The stream has ended: what is buffered is dropped, and a caller that reads on gets an error.
    pub fn close(&self) {
        self.0.borrow_mut().fail(End::Failed);
    }
}

impl RequestBody for Outlet {
    fn budget(&self) -> &ConnectionBudget {
        &self.budget
    }
}

impl Body for Outlet {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Outlet { held, stall, timeout, .. } = self.get_mut();
        let held = &mut *held.borrow_mut();
        if let Some(piece) = held.next() {
            stall.stop();
            held.partial_at = None;
            if let Some(left) = &mut held.left {
                *left = left.saturating_sub(piece.len() as u64);
            }
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match held.end {
            End::Ended => Poll::Ready(held.trailers.take().map(|trailers| Ok(Frame::trailers(trailers)))),
            End::Failed => {
                let why = io::Error::from(io::ErrorKind::ConnectionReset);
                Poll::Ready(Some(Err(BodyError::Client(why))))
            }
            End::Stalled => Poll::Ready(Some(Err(BodyError::Stalled))),
            End::Open => {
                if mem::take(&mut held.expects) {
                    held.continues = true;
                    held.connection.wake_by_ref();
                }
                if !held.waiting.as_ref().is_some_and(|waiting| waiting.will_wake(cx.waker())) {
                    held.waiting = Some(cx.waker().clone());
                }
                match held.partial_at.take() {
                    // Arrived while the caller waits.
                    Some(at) if stall.due().is_some() => stall.set(at + *timeout),
                    _ => stall.set_once(|| Instant::now() + *timeout),
                }
                ready!(stall.poll(cx));
                held.fail(End::Stalled);
                // The connection ends a stream whose response has started.
                held.connection.wake_by_ref();
                Poll::Ready(Some(Err(BodyError::Stalled)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let held = self.held.borrow();
        held.end == End::Ended && held.pieces.is_empty() && held.short.is_empty() && held.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.held.borrow().left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        let mut held = self.held.borrow_mut();
        held.gone = true;
        // The client gets credit for what no caller will take, and may send the rest of its frames.
        while held.next().is_some() {}
        held.connection.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pair(length: Option<u64>, expects: bool) -> (Inlet, Outlet) {
        body(Incoming {
            length,
            expects,
            timeout: 60 * SECOND,
            wake_at: 1024,
            connection: Waker::noop().clone(),
            budget: ConnectionBudget::unlimited(),
        })
    }

    fn next(outlet: &mut Outlet) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(outlet).poll_frame(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn what_arrives_is_taken_in_order_and_counted() {
        let (inlet, outlet) = pair(None, false);
        let long = vec![b'x'; SHORT_PIECE];
        for piece in [b"a", b"b", &long[..], &long[..], b"c"] {
            assert!(inlet.push(piece));
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("x-end", http::HeaderValue::from_static("1"));
        inlet.end(Some(trailers.clone()));
        assert_eq!((inlet.taken(), inlet.outstanding()), (0, 2 * SHORT_PIECE + 3), "nothing has been taken");
        let all = outlet.collect().await.expect("a whole body");
        assert_eq!(all.trailers(), Some(&trailers));
        assert_eq!(all.to_bytes(), [b"ab", &long[..], &long[..], b"c"].concat());
        assert_eq!((inlet.taken(), inlet.taken(), inlet.is_empty()), (2 * SHORT_PIECE + 3, 0, true));
    }

    /// A buffer that is split keeps the size that it once had: a piece of one byte used to take that much.
    #[test]
    fn what_is_buffered_takes_hardly_more_memory_than_its_bytes() {
        let (inlet, outlet) = pair(None, false);
        for round in 0..1000 {
            inlet.push(&vec![b'x'; if round < 100 { SHORT_PIECE - 1 } else { SHORT_PIECE }]);
            inlet.push(b"y");
        }
        let buffered = inlet.outstanding();
        let mut held = outlet.held.borrow_mut();
        let capacity = |piece: Bytes| piece.try_into_mut().expect("it has one owner").capacity();
        let allocated: usize = mem::take(&mut held.pieces).into_iter().map(capacity).sum();
        assert!(allocated <= buffered * 4 / 3, "{allocated} bytes for {buffered}");
        assert!(held.short.capacity() <= MAX_JOINED);
    }

    #[tokio::test]
    async fn a_body_says_what_is_left_and_when_it_has_ended() {
        let (inlet, mut outlet) = pair(Some(3), false);
        assert!(next(&mut outlet).is_pending() && !outlet.is_end_stream());
        inlet.push(b"abc");
        inlet.end(None);
        assert_eq!((outlet.size_hint().exact(), outlet.is_end_stream()), (Some(3), false));
        assert!(matches!(next(&mut outlet), Poll::Ready(Some(Ok(_)))));
        assert_eq!((outlet.size_hint().exact(), outlet.is_end_stream()), (Some(0), true));
        assert!(matches!(next(&mut outlet), Poll::Ready(None)));
    }

    #[test]
    fn what_no_caller_takes_counts_as_taken() {
        let (inlet, outlet) = pair(None, false);
        inlet.push(b"abc");
        drop(outlet);
        assert_eq!((inlet.taken(), inlet.push(b"more")), (3, false));
    }

    #[test]
    fn a_stream_that_has_ended_leaves_nothing_behind() {
        let (inlet, mut outlet) = pair(None, false);
        inlet.push(b"abc");
        assert!(matches!(next(&mut outlet), Poll::Ready(Some(Ok(_)))));
        inlet.push(b"de");
        inlet.close();
        assert!(inlet.is_empty() && !inlet.push(b"f"));
        assert!(matches!(next(&mut outlet), Poll::Ready(Some(Err(BodyError::Client(_))))));
    }

    #[tokio::test]
    async fn only_bytes_move_the_deadline_of_a_body() {
        let (inlet, mut outlet) = pair(None, false);
        // The client may pause while no caller waits.
        inlet.touch(Instant::now() - 100 * SECOND);
        assert!(next(&mut outlet).is_pending());
        let due = outlet.stall.due().expect("a caller waits");
        assert!(next(&mut outlet).is_pending() && outlet.stall.due() == Some(due), "polls do not move it");
        inlet.push(b"a");
        assert!(next(&mut outlet).is_ready() && outlet.stall.due().is_none());
        assert!(next(&mut outlet).is_pending() && outlet.stall.due() > Some(due));
        // A part of a frame counts from when it arrived.
        let arrived = Instant::now() - 59 * SECOND;
        inlet.touch(arrived);
        assert!(next(&mut outlet).is_pending() && outlet.stall.due() == Some(arrived + 60 * SECOND));
        inlet.touch(arrived - 2 * SECOND);
        let is_stalled =
            |outlet: &mut Outlet| matches!(next(outlet), Poll::Ready(Some(Err(BodyError::Stalled))));
        assert!(is_stalled(&mut outlet) && inlet.is_stalled());
        assert!(!inlet.push(b"late") && is_stalled(&mut outlet), "it stays so");
    }

    #[tokio::test]
    async fn the_client_is_asked_for_a_body_that_it_holds_back() {
        let (inlet, mut outlet) = pair(None, true);
        assert!(!inlet.takes_continue(), "no caller reads it");
        assert!(next(&mut outlet).is_pending());
        assert!(inlet.takes_continue() && !inlet.takes_continue());
        let (inlet, mut outlet) = pair(None, true);
        inlet.push(b"unasked");
        assert!(next(&mut outlet).is_ready() && next(&mut outlet).is_pending());
        assert!(!inlet.takes_continue());
    }
}
