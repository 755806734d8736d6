//! Receiving request bodies: each bounded in size and time, and all together in memory.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::{Admin, Client, answer::Answer};
use net::{BodyBuffer, ConnectionBudget};

/// How long a whole body may take.
const MAX_TIME: Duration = Duration::from_secs(600);
/// A stretch of time in which a client has to send [`MIN_BYTES`], unless the body ends: 4 KiB a second, averaged so
/// that a lost packet does no harm.
const WINDOW: Duration = Duration::from_secs(30);
const MIN_BYTES: usize = 120 * 1024;

impl Admin {
    /// Receives a body to its end.
    pub(super) async fn receive(&self, client: &Client, mut body: Incoming) -> Result<Bytes, Answer> {
        let too_large = || Answer::message(StatusCode::PAYLOAD_TOO_LARGE, "Request body too large");
        let timed_out = || Answer::message(StatusCode::REQUEST_TIMEOUT, "Request Timeout");
        let limit = if self.max_body == 0 { u64::MAX } else { self.max_body };
        if body.size_hint().lower() > limit {
            return Err(too_large());
        }
        // One request may take what all may.
        let budget = ConnectionBudget::new(self.limits.bodies.clone(), usize::MAX / 2);
        let mut buffer = BodyBuffer::new(&budget);
        let end = Instant::now() + MAX_TIME;
        let (mut window, mut in_window) = (Instant::now() + WINDOW, 0);
        loop {
            let frame = match timeout_at(window.min(end), body.frame()).await {
                Ok(None) => return Ok(buffer.freeze()),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(_))) => return Err(Answer::bad_request("the body broke off")),
                Err(_) if Instant::now() < end && in_window >= MIN_BYTES => {
                    (window, in_window) = (Instant::now() + WINDOW, 0);
                    continue;
                }
                Err(_) => return Err(timed_out()),
            };
            let Ok(mut data) = frame.into_data() else { continue };
            if buffer.len() as u64 + data.len() as u64 > limit {
                return Err(too_large());
            }
            in_window += data.len();
            while let Err((piece, _)) = buffer.push(data) {
                if !client.evict_slowest().await {
                    return Err(Answer::overloaded("too many request bodies are being received"));
                }
                data = piece;
            }
        }
    }
}
