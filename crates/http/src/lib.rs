//! HTTP/1 and HTTP/2 codecs: message heads, chunked bodies, frames, HPACK, and the header fields they carry.
//!
//! The codecs work on byte buffers. They do no I/O and do not depend on an async runtime; `net` (upstreams) and
//! `proxy` (clients) feed them.

mod headers;
pub mod http1;
pub mod http2;
mod spelling;
mod trailers;

pub use headers::{HeaderLine, HeaderSource, Headers};
pub use http1::{
    BodyDecoder, DecodeStep, FieldLine, FramingError, HeadBytes, HeadError, KnownHeader, MAX_NAME_BYTES,
    RawFields, ResponseHead, SINGLETON_HEADERS, Span, is_token,
};
pub use spelling::HeaderSpelling;
pub use trailers::is_allowed_in_trailers;
