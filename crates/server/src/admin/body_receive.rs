//! Receiving of request bodies: each limited in size and time, all together in memory.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::{Admin, Client, reply::Reply};
use net::{BodyBuffer, ConnectionBudget};

/// Time limit of a whole body.
const BODY_TIMEOUT: Duration = Duration::from_secs(600);
/// Interval in which a client must send [`MIN_INTERVAL_BYTES`], unless the body ends: 4 KiB a second, averaged so that a
/// lost packet does not fail the request.
const RATE_INTERVAL: Duration = Duration::from_secs(30);
const MIN_INTERVAL_BYTES: usize = 120 * 1024;

impl Admin {
    /// Receives a body to its end.
    pub(super) async fn receive(&self, client: &Client, mut body: Incoming) -> Result<Bytes, Reply> {
        let too_large = || Reply::message(StatusCode::PAYLOAD_TOO_LARGE, "Request body too large");
        let timed_out = || Reply::message(StatusCode::REQUEST_TIMEOUT, "Request Timeout");
        let limit = if self.max_body == 0 { u64::MAX } else { self.max_body };
        if body.size_hint().lower() > limit {
            return Err(too_large());
        }
        // A single request may use the whole budget.
        let budget = ConnectionBudget::new(self.limits.bodies.clone(), usize::MAX / 2);
        let mut buffer = BodyBuffer::new(&budget);
        let end = Instant::now() + BODY_TIMEOUT;
        let (mut interval_end, mut received_bytes) = (Instant::now() + RATE_INTERVAL, 0);
        loop {
            let frame = match timeout_at(interval_end.min(end), body.frame()).await {
                Ok(None) => return Ok(buffer.freeze()),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(_))) => return Err(Reply::bad_request("the body broke off")),
                Err(_) if Instant::now() < end && received_bytes >= MIN_INTERVAL_BYTES => {
                    (interval_end, received_bytes) = (Instant::now() + RATE_INTERVAL, 0);
                    continue;
                }
                Err(_) => return Err(timed_out()),
            };
            let Ok(mut data) = frame.into_data() else { continue };
            if buffer.len() as u64 + data.len() as u64 > limit {
                return Err(too_large());
            }
            received_bytes += data.len();
            while let Err((piece, _)) = buffer.push(data) {
                if !client.evict_slowest().await {
                    return Err(Reply::overloaded("too many request bodies are being received"));
                }
                data = piece;
            }
        }
    }
}
