//! Responses that the gateway generates itself ("local replies"), in place of an upstream's.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Body of a local reply. The proxy serialises it once the client's preferred format is known.
#[derive(Clone, Debug)]
pub enum LocalReplyBody {
    /// No body.
    Empty,
    /// An error message with the request id, serialised as JSON, HTML, XML or plain text according to the request's
    /// `Accept` header, like Kong's `kong.response.error`. `None` selects the default message of the status.
    Message(Option<String>),
    /// Compact JSON regardless of `Accept`, like Kong's `kong.response.exit` with a table.
    Json(serde_json::Value),
    /// Raw bytes. The plugin sets `Content-Type`.
    Bytes(Bytes),
}

/// A response that the gateway generates: status, headers and body.
#[derive(Clone, Debug)]
pub struct LocalReply {
    /// Status.
    pub status: StatusCode,
    /// Headers in addition to those derived from the body.
    pub headers: HeaderMap,
    /// Body.
    pub body: LocalReplyBody,
}

impl LocalReply {
    /// Creates a reply with no headers and no body.
    pub fn empty(status: StatusCode) -> Self {
        LocalReply { status, headers: HeaderMap::new(), body: LocalReplyBody::Empty }
    }

    /// Creates an error message in the format that the client accepts.
    pub fn error(status: StatusCode, message: impl Into<String>) -> Self {
        LocalReply { body: LocalReplyBody::Message(Some(message.into())), ..Self::empty(status) }
    }

    /// Creates a reply with compact JSON.
    pub fn json(status: StatusCode, value: serde_json::Value) -> Self {
        LocalReply { body: LocalReplyBody::Json(value), ..Self::empty(status) }
    }

    /// Creates a reply with the body `{"message":"…"}` regardless of `Accept`.
    pub fn message(status: StatusCode, message: impl Into<String>) -> Self {
        Self::json(status, serde_json::json!({ "message": message.into() }))
    }

    /// Creates a reply with raw bytes of the given content type.
    pub fn bytes(status: StatusCode, content_type: HeaderValue, bytes: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, content_type);
        LocalReply { status, headers, body: LocalReplyBody::Bytes(bytes.into()) }
    }

    /// Appends a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }
}
