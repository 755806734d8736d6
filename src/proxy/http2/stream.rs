//! One request and its answer.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
};

use bytes::Bytes;
use http::Response;
use tokio::time::Instant;

use super::body::Inlet;
use crate::{plugin::Request, proxy::respond::Tail};

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
    /// Bytes that the client may send, and those that it has not been given back.
    pub room: i64,
    pub owed: usize,
    /// Bytes of the request that are to come, if it has said so.
    pub left: Option<u64>,
    /// A piece of the answer that has not left, and whether it is the last.
    pub piece: Bytes,
    pub last: bool,
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
    /// Ends it. Bytes of its request that nobody has taken into account, if there could be any.
    pub fn leave(self: Box<Self>) -> Option<usize> {
        let inlet = self.inlet.clone();
        // A plugin may look at the end of a request, and fail.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(self)));
        inlet.map(|inlet| inlet.close())
    }
}
