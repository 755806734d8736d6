//! One request and its answer.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
};

use bytes::Bytes;
use http::Response;
use tokio::time::Instant;

use super::{body::Inlet, window::StreamWindow};
use crate::response_body::Tail;
use net::Reservation;
use plugin::Request;

/// One request and its answer.
pub struct Stream {
    pub id: u32,
    pub work: Work,
    /// Whether an answer has no body, whatever it says.
    pub bodiless: bool,
    /// Bytes that the client allows.
    pub window: i64,
    /// Where its bytes go, and whether more are to come.
    pub inlet: Option<Inlet>,
    pub receives: bool,
    /// What the client may send.
    pub receive_window: StreamWindow,
    /// Bytes of the request that are to come, if it has said so.
    pub left: Option<u64>,
    /// A piece of the answer that has not left, and whether it is the last.
    pub piece: Bytes,
    pub last: bool,
    /// Memory for a piece that waits for the client's window.
    pub reservation: Option<Reservation>,
    /// When the client has to have made room for the piece.
    pub due: Option<Instant>,
}

/// What is done for a stream.
pub enum Work {
    /// Nothing yet.
    New(Request),
    /// Its answer is made.
    Answer(Pin<Box<dyn Future<Output = Response<Tail>>>>),
    /// Its answer's body leaves.
    Body(Tail),
    /// Nothing more.
    Done,
}

impl Stream {
    /// Ends it: its request is handled no further, and its body fails for a task that still reads it.
    pub fn leave(self: Box<Self>) {
        let inlet = self.inlet.clone();
        // The log phase runs when the response is dropped, and a plugin may panic in it.
        if catch_unwind(AssertUnwindSafe(|| drop(self))).is_err() {
            tracing::error!("a plugin panicked at the end of a request");
        }
        if let Some(inlet) = inlet {
            inlet.close();
        }
    }
}
