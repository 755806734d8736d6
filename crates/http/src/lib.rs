//! HTTP/1 and HTTP/2 codecs: message heads, chunked bodies, frames, HPACK, and the header fields they carry; and the
//! syntaxes inside messages that several layers read: query strings and forms, multipart forms, authorities.
//!
//! The codecs work on byte buffers. They do no I/O and do not depend on an async runtime; `net` (upstreams) and
//! `proxy` (clients) feed them.

pub mod authority;
mod headers;
pub mod http1;
pub mod http2;
pub mod multipart;
mod spelling;
mod trailers;
pub mod urlencoded;

pub use headers::{HeaderLine, HeaderSource, Headers};
pub use http1::{
    BodyDecoder, DecodeStep, FieldLine, FramingError, HeadBytes, HeadError, KnownHeader, MAX_NAME_BYTES,
    RawFields, ResponseHead, SINGLETON_HEADERS, Span, is_token,
};
pub use spelling::HeaderSpelling;
pub use trailers::is_allowed_in_trailers;
