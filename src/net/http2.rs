//! HTTP/2 towards an upstream, which gRPC needs: hyper's client, one request at a time as nginx's gRPC
//! upstreams do, and the executor its streams run on.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http2},
    rt::Executor,
};
use tokio::task::spawn_local;

use super::{Body, BodyError, Head, HeadError, SendError, may_trail};

type Answer = Result<Response<Incoming>, TrySendError<Request<Body>>>;

/// A connection that speaks HTTP/2.
pub struct Http2 {
    sender: http2::SendRequest<Body>,
    waiting: Option<Pin<Box<dyn Future<Output = Answer>>>>,
    answer: Option<Incoming>,
}

impl Http2 {
    /// A connection just opened.
    pub(super) fn new(sender: http2::SendRequest<Body>) -> Self {
        Http2 { sender, waiting: None, answer: None }
    }

    /// Begins a request.
    pub fn begin(&mut self, request: Request<Body>) {
        self.answer = None;
        self.waiting = Some(Box::pin(self.sender.try_send_request(request)));
    }

    /// Waits for the answer's head.
    ///
    /// # Errors
    /// When there will be none.
    pub fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, SendError>> {
        let Some(waiting) = &mut self.waiting else { return Poll::Ready(Err(SendError::Closed)) };
        let answer = ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        let (parts, body) = answer.map_err(|error| error.into_error())?.into_parts();
        // No class of status begins with a digit above 5 (RFC 9110 section 15).
        if parts.status.as_u16() > 599 {
            return Poll::Ready(Err(HeadError::Malformed("invalid response status").into()));
        }
        self.answer = Some(body);
        Poll::Ready(Ok(Head { status: parts.status, reason: None, headers: parts.headers.into() }))
    }

    /// The next piece of the answer's body.
    ///
    /// # Errors
    /// When the stream or the connection fails.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(body) = &mut self.answer else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx)).transpose()?;
        Poll::Ready(frame.map(|mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                let stray: Vec<_> = trailers.keys().filter(|name| !may_trail(name)).cloned().collect();
                stray.iter().for_each(|name| drop(trailers.remove(name)));
            }
            Ok(frame)
        }))
    }

    /// Whether the answer's body has ended.
    pub fn is_end_stream(&self) -> bool {
        self.answer.as_ref().is_none_or(Incoming::is_end_stream)
    }

    /// Bytes of the answer's body that are left.
    pub fn size_hint(&self) -> SizeHint {
        self.answer.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Waits until a request can be sent; whether one can.
    pub async fn is_ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }
}

impl std::fmt::Debug for Http2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http2").field("sender", &self.sender).finish_non_exhaustive()
    }
}

/// Runs HTTP/2's streams on the worker's own thread.
#[derive(Clone, Copy, Debug)]
pub struct OnThisThread;

impl<F: Future + 'static> Executor<F> for OnThisThread {
    fn execute(&self, future: F) {
        spawn_local(async move { drop(future.await) });
    }
}
