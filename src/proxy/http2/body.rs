//! A request's body between the connection that reads it and the request that takes it.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::net::{BodyError, ConnectionBudget, RequestBody};

/// Pieces shorter than this are held together.
const SHORT: usize = 4 * 1024;
/// So many bytes taken are worth waking the connection, which gives the client room for more.
const MUCH: usize = 128 * 1024;

/// The connection's end. What it holds is bounded by the window that the client has been given.
#[derive(Clone, Debug)]
pub struct Inlet(Rc<RefCell<Held>>);

/// The request's end.
#[derive(Debug)]
pub struct Outlet {
    held: Rc<RefCell<Held>>,
    budget: ConnectionBudget,
}

#[derive(Debug)]
struct Held {
    pieces: VecDeque<Bytes>,
    /// Short pieces, after the others.
    short: BytesMut,
    /// Bytes that are to come or to be taken, if the client has said so.
    left: Option<u64>,
    trailers: Option<HeaderMap>,
    end: End,
    /// Bytes taken since the connection asked last.
    taken: usize,
    /// Whether nobody will take more.
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
}

/// A body of so many bytes, if that is known; `connection` is woken when some are taken.
pub fn body(length: Option<u64>, connection: Waker, budget: ConnectionBudget) -> (Inlet, Outlet) {
    let held = Rc::new(RefCell::new(Held {
        pieces: VecDeque::new(),
        short: BytesMut::new(),
        left: length,
        trailers: None,
        end: End::Open,
        taken: 0,
        gone: false,
        waiting: None,
        connection,
    }));
    (Inlet(Rc::clone(&held)), Outlet { held, budget })
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
            None if !self.short.is_empty() => self.short.split().freeze(),
            None => return None,
        };
        self.took(piece.len());
        Some(piece)
    }

    fn took(&mut self, count: usize) {
        self.taken += count;
        // The connection asks by itself after each time that it lets the request run.
        if self.taken >= MUCH {
            self.connection.wake_by_ref();
        }
    }
}

impl Inlet {
    /// Bytes have arrived; whether anybody wants them.
    pub fn push(&self, data: &[u8]) -> bool {
        let held = &mut *self.0.borrow_mut();
        if held.gone {
            return false;
        }
        if data.len() < SHORT {
            held.short.extend_from_slice(data);
        } else {
            if !held.short.is_empty() {
                held.pieces.push_back(held.short.split().freeze());
            }
            held.pieces.push_back(Bytes::copy_from_slice(data));
        }
        held.wake();
        true
    }

    /// All has arrived.
    pub fn end(&self, trailers: Option<HeaderMap>) {
        let mut held = self.0.borrow_mut();
        held.trailers = trailers;
        held.end = End::Ended;
        held.wake();
    }

    /// Bytes taken since this was asked last.
    pub fn taken(&self) -> usize {
        std::mem::take(&mut self.0.borrow_mut().taken)
    }

    /// The stream has ended: nobody is given more. Bytes that were not asked for by [`Inlet::taken`].
    pub fn close(&self) -> usize {
        let mut held = self.0.borrow_mut();
        while held.next().is_some() {}
        held.trailers = None;
        held.end = End::Failed;
        held.wake();
        std::mem::take(&mut held.taken)
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
        let mut held = self.held.borrow_mut();
        if let Some(piece) = held.next() {
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
            End::Open => {
                if !held.waiting.as_ref().is_some_and(|waiting| waiting.will_wake(cx.waker())) {
                    held.waiting = Some(cx.waker().clone());
                }
                Poll::Pending
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
        // The client may send as much to others.
        while held.next().is_some() {}
        held.connection.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn next(outlet: &mut Outlet) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(outlet).poll_frame(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn what_arrives_is_taken_in_order_and_counted() {
        let (inlet, outlet) = body(None, Waker::noop().clone(), ConnectionBudget::unlimited());
        let long = vec![b'x'; SHORT];
        for piece in [b"a", b"b", &long[..], &long[..], b"c"] {
            assert!(inlet.push(piece));
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("x-end", http::HeaderValue::from_static("1"));
        inlet.end(Some(trailers.clone()));
        assert_eq!(inlet.taken(), 0, "nothing has been taken");
        let all = outlet.collect().await.expect("a whole body");
        assert_eq!(all.trailers(), Some(&trailers));
        assert_eq!(all.to_bytes(), [b"ab", &long[..], &long[..], b"c"].concat());
        assert_eq!((inlet.taken(), inlet.taken()), (2 * SHORT + 3, 0));
    }

    #[test]
    fn a_body_says_what_is_left_and_when_it_has_ended() {
        let (inlet, mut outlet) = body(Some(3), Waker::noop().clone(), ConnectionBudget::unlimited());
        assert!(next(&mut outlet).is_pending() && !outlet.is_end_stream());
        inlet.push(b"abc");
        inlet.end(None);
        assert_eq!((outlet.size_hint().exact(), outlet.is_end_stream()), (Some(3), false));
        assert!(matches!(next(&mut outlet), Poll::Ready(Some(Ok(_)))));
        assert_eq!((outlet.size_hint().exact(), outlet.is_end_stream()), (Some(0), true));
        assert!(matches!(next(&mut outlet), Poll::Ready(None)));
    }

    #[test]
    fn what_nobody_wants_counts_as_taken() {
        let (inlet, outlet) = body(None, Waker::noop().clone(), ConnectionBudget::unlimited());
        inlet.push(b"abc");
        drop(outlet);
        assert_eq!((inlet.taken(), inlet.push(b"more")), (3, false));
    }

    #[test]
    fn a_stream_that_has_ended_leaves_nothing_behind() {
        let (inlet, mut outlet) = body(None, Waker::noop().clone(), ConnectionBudget::unlimited());
        inlet.push(b"abc");
        assert!(matches!(next(&mut outlet), Poll::Ready(Some(Ok(_)))));
        inlet.push(b"de");
        assert_eq!(inlet.close(), 5);
        assert!(matches!(next(&mut outlet), Poll::Ready(Some(Err(BodyError::Client(_))))));
        assert_eq!(inlet.close(), 0);
    }
}
