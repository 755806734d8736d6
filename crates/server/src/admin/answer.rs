//! What an admin request is answered with: status, body, headers. Bodies are JSON but for metrics.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    /// Content type and body.
    body: Option<(&'static str, Bytes)>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

const JSON: &str = "application/json; charset=utf-8";

impl Answer {
    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Self {
        Answer { status, body: None, headers: Vec::new() }
    }

    /// A value as JSON.
    pub fn json(status: StatusCode, value: &impl Serialize) -> Self {
        // What is shown here are maps with text keys and numbers: writing them to memory cannot fail.
        let body = serde_json::to_vec(value).unwrap_or_default();
        Answer { status, body: Some((JSON, body.into())), headers: Vec::new() }
    }

    /// 200 with a value.
    pub fn ok(value: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, value)
    }

    /// Plain text, as Prometheus reads it.
    pub fn text(text: String) -> Self {
        let body = Some(("text/plain; charset=UTF-8", text.into()));
        Answer { status: StatusCode::OK, body, headers: Vec::new() }
    }

    /// `{"message": …}`.
    pub fn message(status: StatusCode, message: impl Into<String>) -> Self {
        Self::json(status, &json!({ "message": message.into() }))
    }

    /// 400 with a message.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::message(StatusCode::BAD_REQUEST, message)
    }

    /// 503 for what would take more memory than the API may.
    pub fn overloaded(message: &str) -> Self {
        Self::message(StatusCode::SERVICE_UNAVAILABLE, message)
            .with(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// Bytes of its body.
    pub fn len(&self) -> usize {
        self.body.as_ref().map_or(0, |(_, body)| body.len())
    }

    /// Holds a permit until the body was sent.
    #[must_use]
    pub fn with_permit(mut self, permit: OwnedSemaphorePermit) -> Self {
        struct Held(
            Bytes,
            #[allow(dead_code, reason = "held until the bytes are dropped")] OwnedSemaphorePermit,
        );
        impl AsRef<[u8]> for Held {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        self.body = self.body.map(|(kind, body)| (kind, Bytes::from_owner(Held(body, permit))));
        self
    }

    /// 404 in the API's words.
    pub fn not_found() -> Self {
        Self::message(StatusCode::NOT_FOUND, "Not found")
    }

    /// 405 for a method that an endpoint does not know.
    pub fn not_allowed() -> Self {
        Self::message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
    }

    /// One of the numbered errors of Kong's data layer. `details` is put beside code, name and message.
    pub fn failure(failure: Failure, message: Value, details: Option<(&str, Value)>) -> Self {
        let (code, name, status) = failure.told();
        let mut body = json!({ "code": code, "name": name, "message": message });
        if let Some((key, value)) = details {
            body[key] = value;
        }
        Self::json(status, &body)
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.headers.push((name, value));
        }
        self
    }

    /// As HTTP wants it.
    pub fn into_response(self) -> Response<Full<Bytes>> {
        let (kind, body) = self.body.map_or((None, Bytes::new()), |(kind, body)| (Some(kind), body));
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = self.status;
        if let Some(kind) = kind {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        response.headers_mut().extend(self.headers);
        response
    }
}

/// The numbered errors that entities' endpoints answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// An id that is none.
    InvalidPrimaryKey,
    /// An entity that breaks its schema.
    SchemaViolation,
    /// An entity to change that is not there.
    NotFound,
    /// A page that cannot be told from its token.
    InvalidOffset,
    /// A page size out of bounds.
    InvalidSize,
    /// Filters that make no sense.
    InvalidOptions,
    /// A write without a database.
    Unsupported,
}

impl Failure {
    fn told(self) -> (u8, &'static str, StatusCode) {
        match self {
            Failure::InvalidPrimaryKey => (1, "invalid primary key", StatusCode::BAD_REQUEST),
            Failure::SchemaViolation => (2, "schema violation", StatusCode::BAD_REQUEST),
            Failure::NotFound => (6, "not found", StatusCode::NOT_FOUND),
            Failure::InvalidOffset => (7, "invalid offset", StatusCode::BAD_REQUEST),
            Failure::InvalidSize => (9, "invalid size", StatusCode::BAD_REQUEST),
            Failure::InvalidOptions => (11, "invalid options", StatusCode::BAD_REQUEST),
            Failure::Unsupported => (12, "operation unsupported", StatusCode::METHOD_NOT_ALLOWED),
        }
    }
}
