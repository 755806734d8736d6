//! An answer made by the gateway in place of the upstream's.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// What the body is made of; the proxy writes it in the form the client accepts.
#[derive(Clone, Debug)]
pub enum ReplyBody {
    /// Nothing.
    Empty,
    /// A message, written as JSON, HTML, XML or text after the request's Accept header, with the
    /// request's id: Kong's `kong.response.error`. Without text: the default message of the status.
    Message(Option<String>),
    /// Compact JSON, always: Kong's `kong.response.exit` with a table.
    Json(serde_json::Value),
    /// Bytes as they are; the content type is the plugin's to set.
    Bytes(Bytes),
}

/// A status, headers and a body.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Headers beside those the body brings.
    pub headers: HeaderMap,
    /// Body.
    pub body: ReplyBody,
}

impl Reply {
    /// An answer with nothing in it.
    pub fn empty(status: StatusCode) -> Self {
        Reply { status, headers: HeaderMap::new(), body: ReplyBody::Empty }
    }

    /// A message in the form the client accepts, with the request's id.
    pub fn error(status: StatusCode, message: impl Into<String>) -> Self {
        Reply { body: ReplyBody::Message(Some(message.into())), ..Self::empty(status) }
    }

    /// Compact JSON.
    pub fn json(status: StatusCode, value: serde_json::Value) -> Self {
        Reply { body: ReplyBody::Json(value), ..Self::empty(status) }
    }

    /// `{"message":"…"}`, compact, whatever the client accepts.
    pub fn message(status: StatusCode, message: impl Into<String>) -> Self {
        Self::json(status, serde_json::json!({ "message": message.into() }))
    }

    /// Bytes of a content type.
    pub fn bytes(status: StatusCode, content_type: HeaderValue, bytes: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, content_type);
        Reply { status, headers, body: ReplyBody::Bytes(bytes.into()) }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }
}
