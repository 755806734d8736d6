//! HTTP/1 and HTTP/2 as bytes: heads, chunks, frames and HPACK, and the header fields that they carry. Nothing here
//! knows a socket or waits.

mod headers;
pub mod http1;
pub mod http2;
mod spelling;
mod trailers;

pub use headers::{HeaderLine, HeaderSource, Headers};
pub use http1::{
    Decoder, Fields, FramingError, Head, HeadError, Known, Line, MAX_NAME, Place, RawHead, SINGLETONS, Step,
    is_token,
};
pub use spelling::Spelling;
pub use trailers::may_trail;
