//! HTTP/2 client connections to upstreams, for gRPC: hyper's client with one request at a time, as nginx's grpc module
//! does, and the executor that its tasks run on.

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

use http_codec::{HeadError, ResponseHead, is_allowed_in_trailers};

use super::{Body, BodyError, ExchangeProgress, Phase, SendError};

type SendResult = Result<Response<Incoming>, TrySendError<Request<TrackedBody>>>;
type ResponseFuture = Pin<Box<dyn Future<Output = SendResult>>>;

/// HTTP/2 connection to an upstream.
pub struct Http2 {
    sender: http2::SendRequest<TrackedBody>,
    response: Option<ResponseFuture>,
    response_body: Option<Incoming>,
    upload: Rc<UploadState>,
    /// Bytes of the response body received so far.
    read_bytes: u64,
}

/// Progress of the request body, which hyper polls in a task of its own. Shared by that task and the exchange.
#[derive(Debug, Default)]
struct UploadState {
    /// Bytes that hyper has taken.
    sent_bytes: Cell<u64>,
    phase: Cell<Option<Phase>>,
    error: RefCell<Option<BodyError>>,
    /// Waker of the task that waits for the response.
    waker: RefCell<Option<Waker>>,
}

impl UploadState {
    /// Takes the error of the body, or registers the current task to be woken by one.
    fn poll_error(&self, cx: &Context<'_>) -> Option<BodyError> {
        let error = self.error.borrow_mut().take();
        if error.is_none() && self.phase.get() != Some(Phase::ReadUpstream) {
            *self.waker.borrow_mut() = Some(cx.waker().clone());
        }
        error
    }
}

/// Request body that records its progress in an [`UploadState`].
#[derive(Debug)]
pub struct TrackedBody {
    body: Body,
    state: Rc<UploadState>,
}

impl http_body::Body for TrackedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.state.phase.set(Some(Phase::ReadClient));
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        // hyper polls for the next frame only when the send window has capacity.
        self.state.phase.set(Some(match frame {
            Some(Ok(_)) if !self.body.is_end_stream() => Phase::WriteUpstream,
            _ => Phase::ReadUpstream,
        }));
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                self.state.sent_bytes.set(self.state.sent_bytes.get() + length);
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                // hyper resets the stream on any error; the exchange reports the actual one.
                let reset = BodyError::AlreadyConsumed;
                *self.state.error.borrow_mut() = Some(error);
                if let Some(waker) = self.state.waker.take() {
                    waker.wake();
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
    /// Wraps a new connection.
    pub(super) fn new(sender: http2::SendRequest<TrackedBody>) -> Self {
        Http2 { sender, response: None, response_body: None, upload: Rc::default(), read_bytes: 0 }
    }

    /// Starts a request. [`Http2::poll_response`] drives it.
    pub fn send_request(&mut self, request: Request<Body>) {
        self.response_body = None;
        self.read_bytes = 0;
        self.upload = Rc::default();
        let state = Rc::clone(&self.upload);
        if request.body().is_end_stream() {
            state.phase.set(Some(Phase::ReadUpstream));
        }
        let request = request.map(|body| TrackedBody { body, state });
        self.response = Some(Box::pin(self.sender.try_send_request(request)));
    }

    /// Returns the progress of the exchange. Bytes of the request count as written once hyper has taken them.
    pub fn progress(&self) -> ExchangeProgress {
        ExchangeProgress {
            phase: self.upload.phase.get().unwrap_or(Phase::WriteUpstream),
            bytes: self.upload.sent_bytes.get() + self.read_bytes,
        }
    }

    /// Polls for the head of the response.
    ///
    /// # Errors
    /// Returns an error if the connection, the stream or the request body fails.
    pub fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, SendError>> {
        let Some(response) = &mut self.response else { return Poll::Ready(Err(SendError::Closed)) };
        let result = response.as_mut().poll(cx);
        if let Some(error) = self.upload.poll_error(cx) {
            return Poll::Ready(Err(SendError::Body(error)));
        }
        let result = ready!(result);
        self.response = None;
        let (parts, body) = result.map_err(|error| error.into_error())?.into_parts();
        // Status codes above 599 belong to no class (RFC 9110 section 15).
        if parts.status.as_u16() > 599 {
            return Poll::Ready(Err(HeadError::Malformed("invalid response status").into()));
        }
        self.response_body = Some(body);
        Poll::Ready(Ok(ResponseHead { status: parts.status, reason: None, headers: parts.headers.into() }))
    }

    /// Polls for the next frame of the response body.
    ///
    /// # Errors
    /// Returns an error if the stream or the connection fails.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(body) = &mut self.response_body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(cx);
        if let Some(error) = self.upload.poll_error(cx) {
            return Poll::Ready(Some(Err(error)));
        }
        let Some(mut frame) = ready!(frame).transpose()? else { return Poll::Ready(None) };
        self.read_bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
        if let Some(trailers) = frame.trailers_mut() {
            let forbidden: Vec<_> =
                trailers.keys().filter(|name| !is_allowed_in_trailers(name)).cloned().collect();
            forbidden.iter().for_each(|name| drop(trailers.remove(name)));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    /// Returns whether the response body has ended.
    pub fn is_end_stream(&self) -> bool {
        self.response_body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    /// Returns the remaining length of the response body.
    pub fn size_hint(&self) -> SizeHint {
        self.response_body.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }

    /// Returns whether the connection is closed.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Waits until the connection can send a request. Returns `false` if it was closed.
    pub async fn is_ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }
}

impl std::fmt::Debug for Http2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http2").field("sender", &self.sender).finish_non_exhaustive()
    }
}

/// Executor that spawns hyper's tasks on the current worker thread.
#[derive(Clone, Copy, Debug)]
pub struct LocalExecutor;

impl<F: Future + 'static> Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        spawn_local(async move { drop(future.await) });
    }
}
