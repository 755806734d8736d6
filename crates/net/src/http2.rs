//! HTTP/2 towards an upstream, which gRPC needs: hyper's client, one request at a time as nginx's gRPC
//! upstreams do, and the executor its streams run on.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
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

use http_codec::{Head, HeadError, may_trail};

use super::{Body, BodyError, Phase, Progress, SendError};

type Answer = Result<Response<Incoming>, TrySendError<Request<Upload>>>;

/// A connection that speaks HTTP/2.
pub struct Http2 {
    sender: http2::SendRequest<Upload>,
    waiting: Option<Pin<Box<dyn Future<Output = Answer>>>>,
    answer: Option<Incoming>,
    upload: Rc<UploadState>,
    /// Bytes of the response's body.
    read_bytes: u64,
}

/// What the exchange knows of a request's body, which hyper takes in a task of its own.
#[derive(Debug, Default)]
struct UploadState {
    taken_bytes: Cell<u64>,
    phase: Cell<Option<Phase>>,
    error: RefCell<Option<BodyError>>,
    /// The task that waits for the response.
    waiting: RefCell<Option<Waker>>,
}

impl UploadState {
    /// Takes the error that ended the body, or has the caller's task woken by one.
    fn error(&self, cx: &Context<'_>) -> Option<BodyError> {
        let error = self.error.borrow_mut().take();
        if error.is_none() && self.phase.get() != Some(Phase::ReadUpstream) {
            *self.waiting.borrow_mut() = Some(cx.waker().clone());
        }
        error
    }
}

/// A request's body as hyper takes it.
#[derive(Debug)]
pub struct Upload {
    body: Body,
    state: Rc<UploadState>,
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.state.phase.set(Some(Phase::ReadClient));
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        // hyper asks for more only when the upstream has given it room for more.
        self.state.phase.set(Some(match frame {
            Some(Ok(_)) if !self.body.is_end_stream() => Phase::WriteUpstream,
            _ => Phase::ReadUpstream,
        }));
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                let taken = frame.data_ref().map_or(0, Bytes::len) as u64;
                self.state.taken_bytes.set(self.state.taken_bytes.get() + taken);
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                // hyper resets the stream for the error it gets; the exchange gets the reason.
                let reset = BodyError::Gone;
                *self.state.error.borrow_mut() = Some(error);
                if let Some(waiting) = self.state.waiting.take() {
                    waiting.wake();
                }
                Some(Err(reset))
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Http2 {
    /// A connection just opened.
    pub(super) fn new(sender: http2::SendRequest<Upload>) -> Self {
        Http2 { sender, waiting: None, answer: None, upload: Rc::default(), read_bytes: 0 }
    }

    /// Begins a request.
    pub fn begin(&mut self, request: Request<Body>) {
        self.answer = None;
        self.read_bytes = 0;
        self.upload = Rc::default();
        let state = Rc::clone(&self.upload);
        if request.body().is_end_stream() {
            state.phase.set(Some(Phase::ReadUpstream));
        }
        let request = request.map(|body| Upload { body, state });
        self.waiting = Some(Box::pin(self.sender.try_send_request(request)));
    }

    /// How far the exchange has got. Of a request, what hyper has taken counts as written.
    pub fn progress(&self) -> Progress {
        Progress {
            phase: self.upload.phase.get().unwrap_or(Phase::WriteUpstream),
            bytes: self.upload.taken_bytes.get() + self.read_bytes,
        }
    }

    /// Waits for the answer's head.
    ///
    /// # Errors
    /// When there will be none.
    pub fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, SendError>> {
        let Some(waiting) = &mut self.waiting else { return Poll::Ready(Err(SendError::Closed)) };
        let answer = waiting.as_mut().poll(cx);
        if let Some(error) = self.upload.error(cx) {
            return Poll::Ready(Err(SendError::Body(error)));
        }
        let answer = ready!(answer);
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
        let frame = Pin::new(body).poll_frame(cx);
        if let Some(error) = self.upload.error(cx) {
            return Poll::Ready(Some(Err(error)));
        }
        let Some(mut frame) = ready!(frame).transpose()? else { return Poll::Ready(None) };
        self.read_bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
        if let Some(trailers) = frame.trailers_mut() {
            let stray: Vec<_> = trailers.keys().filter(|name| !may_trail(name)).cloned().collect();
            stray.iter().for_each(|name| drop(trailers.remove(name)));
        }
        Poll::Ready(Some(Ok(frame)))
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
