//! A request's body that counts the bytes that are read from it.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use net::{BodyError, ConnectionBudget, RequestBody};
use plugin::Received;

/// A body, and the number of bytes read from it.
pub struct CountedBody<B> {
    body: B,
    count: Rc<Cell<u64>>,
}

impl<B: RequestBody + Unpin + 'static> CountedBody<B> {
    /// Wraps a body of a request, and makes the count known to `received`.
    pub fn wrap(body: B, received: &mut Received) -> net::Body {
        let count = Rc::clone(received.body_bytes.get_or_insert_default());
        net::Body::Stream(Box::new(CountedBody { body, count }))
    }
}

impl<B: RequestBody + Unpin> RequestBody for CountedBody<B> {
    fn budget(&self) -> &ConnectionBudget {
        self.body.budget()
    }
}

impl<B: RequestBody + Unpin> Body for CountedBody<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let CountedBody { body, count } = self.get_mut();
        let frame = Pin::new(body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            count.set(count.get() + data.len() as u64);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
