//! State of one HTTP/2 stream: a request and its response.
//!
//! ```text
//!   +---------+ first poll +----------+ head sent +-------------+ END_STREAM sent +------+
//!   | Pending | ---------> | Handling | --------> | SendingBody | --------------> | Done |
//!   +---------+            +----------+           +-------------+                 +------+
//!                               |   head sent with END_STREAM (no body)              ^
//!                               +----------------------------------------------------+
//! ```
//!
//! In every phase, a reset, a timeout or the end of the connection removes the stream ([`Stream::abort`]).

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
};

use bytes::Bytes;
use http::Response;
use tokio::time::Instant;

use super::{body::RecvBodyTx, window::StreamWindow};
use crate::response_body::ResponseBody;
use net::Reservation;
use plugin::Request;

/// A request and its response.
pub struct Stream {
    pub id: u32,
    pub phase: StreamPhase,
    /// Whether the response has no body, whatever its headers announce (HEAD).
    pub is_bodiless: bool,
    /// Send window: bytes that the client allows.
    pub send_window: i64,
    /// Sender of the request's body, and whether the client has not sent END_STREAM.
    pub body_tx: Option<RecvBodyTx>,
    pub recv_open: bool,
    /// Receive window.
    pub recv_window: StreamWindow,
    /// Bytes of the request's body that remain, if it has a Content-Length.
    pub recv_remaining: Option<u64>,
    /// Data of the response that is not sent yet, and whether END_STREAM follows it.
    pub pending_data: Bytes,
    pub is_last_data: bool,
    /// Memory reserved for data that waits for the send window.
    pub reservation: Option<Reservation>,
    /// When the stream is reset unless the client has opened the window.
    pub send_deadline: Option<Instant>,
}

/// Phase of a stream, see the module's diagram.
pub enum StreamPhase {
    /// The handler has not started.
    Pending(Request),
    /// The handler runs.
    Handling(Pin<Box<dyn Future<Output = Response<ResponseBody>>>>),
    /// The head has been sent, the body follows.
    SendingBody(ResponseBody),
    /// END_STREAM has been sent.
    Done,
}

impl Stream {
    /// Ends the stream: drops the request's future, and fails the body for a task that still reads it.
    pub fn abort(self: Box<Self>) {
        let body_tx = self.body_tx.clone();
        // The log phase runs when the response is dropped, and a plugin may panic in it.
        if catch_unwind(AssertUnwindSafe(|| drop(self))).is_err() {
            tracing::error!("a plugin panicked in the log phase");
        }
        if let Some(body_tx) = body_tx {
            body_tx.close();
        }
    }
}
