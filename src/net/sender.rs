//! The sending end of an upstream connection, of either version of HTTP, and the executor HTTP/2 needs.

use std::future::Future;

use futures_util::future::Either;
use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
    rt::Executor,
};
use tokio::task::spawn_local;

use super::Body;

/// hyper's end of a connection to an upstream.
#[derive(Debug)]
pub enum Sender {
    /// HTTP/1.1.
    Http1(http1::SendRequest<Body>),
    /// HTTP/2, for gRPC. A connection carries one request at a time, as nginx's gRPC upstreams do.
    Http2(http2::SendRequest<Body>),
}

impl Sender {
    /// Waits until a request can be sent.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn ready(&mut self) -> hyper::Result<()> {
        match self {
            Sender::Http1(sender) => sender.ready().await,
            Sender::Http2(sender) => sender.ready().await,
        }
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        match self {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }

    /// Sends a request; one that never left comes back with the error.
    pub fn try_send_request(
        &mut self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Body>>>> + use<> {
        match self {
            Sender::Http1(sender) => Either::Left(sender.try_send_request(request)),
            Sender::Http2(sender) => Either::Right(sender.try_send_request(request)),
        }
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
