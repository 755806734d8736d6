//! Responses of the admin API: status, body, headers. Bodies are JSON except for metrics.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

/// A response of the admin API.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    /// Content type and body.
    body: Option<(&'static str, Bytes)>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

const JSON: &str = "application/json; charset=utf-8";

impl Reply {
    /// Creates a response without a body.
    pub fn empty(status: StatusCode) -> Self {
        Reply { status, body: None, headers: Vec::new() }
    }

    /// Creates a response with a value as JSON.
    pub fn json(status: StatusCode, value: &impl Serialize) -> Self {
        // Serialization cannot fail: values contain only maps with string keys, strings and numbers.
        let body = serde_json::to_vec(value).unwrap_or_default();
        Reply { status, body: Some((JSON, body.into())), headers: Vec::new() }
    }

    /// Creates a 200 response with a value as JSON.
    pub fn ok(value: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, value)
    }

    /// Creates a response in plain text, as Prometheus expects it.
    pub fn text(text: String) -> Self {
        let body = Some(("text/plain; charset=UTF-8", text.into()));
        Reply { status: StatusCode::OK, body, headers: Vec::new() }
    }

    /// Creates a response with the body `{"message": …}`.
    pub fn message(status: StatusCode, message: impl Into<String>) -> Self {
        Self::json(status, &json!({ "message": message.into() }))
    }

    /// Creates a 400 response with a message.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::message(StatusCode::BAD_REQUEST, message)
    }

    /// Creates a 503 response for a request that would exceed the memory limits.
    pub fn overloaded(message: &str) -> Self {
        Self::message(StatusCode::SERVICE_UNAVAILABLE, message)
            .with(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// Size of the body in bytes.
    pub fn len(&self) -> usize {
        self.body.as_ref().map_or(0, |(_, body)| body.len())
    }

    /// Attaches a permit that is released when the body has been sent.
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

    /// Creates Kong's 404 response.
    pub fn not_found() -> Self {
        Self::message(StatusCode::NOT_FOUND, "Not found")
    }

    /// Creates a 405 response for a method that the endpoint does not support.
    pub fn not_allowed() -> Self {
        Self::message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
    }

    /// Creates an error response of Kong's DAO. `details` is added next to code, name and message.
    pub fn error(error: ErrorCode, message: Value, details: Option<(&str, Value)>) -> Self {
        let (code, name, status) = error.code_name_status();
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

    /// Converts it to an HTTP response.
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

/// Error codes of Kong's DAO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// The id is not a UUID.
    InvalidPrimaryKey,
    /// The entity violates its schema.
    SchemaViolation,
    /// The entity to change does not exist.
    NotFound,
    /// The offset token cannot be decoded.
    InvalidOffset,
    /// The page size is out of bounds.
    InvalidSize,
    /// The filters are not valid.
    InvalidOptions,
    /// A write without a database.
    Unsupported,
}

impl ErrorCode {
    fn code_name_status(self) -> (u8, &'static str, StatusCode) {
        match self {
            ErrorCode::InvalidPrimaryKey => (1, "invalid primary key", StatusCode::BAD_REQUEST),
            ErrorCode::SchemaViolation => (2, "schema violation", StatusCode::BAD_REQUEST),
            ErrorCode::NotFound => (6, "not found", StatusCode::NOT_FOUND),
            ErrorCode::InvalidOffset => (7, "invalid offset", StatusCode::BAD_REQUEST),
            ErrorCode::InvalidSize => (9, "invalid size", StatusCode::BAD_REQUEST),
            ErrorCode::InvalidOptions => (11, "invalid options", StatusCode::BAD_REQUEST),
            ErrorCode::Unsupported => (12, "operation unsupported", StatusCode::METHOD_NOT_ALLOWED),
        }
    }
}
