//! HTTP/1.1 (RFC 9112) codec: field lines, header fields, response heads, and bodies with a Content-Length or in chunks.
//!
//! Request heads are parsed in `proxy`, where the limits that nginx applies to clients are known.

mod body;
mod fields;
mod head;
mod line;
mod raw;

pub use body::{BodyDecoder, DecodeStep, FramingError};
pub use fields::{KnownHeader, MAX_NAME_BYTES, RawFields, SINGLETON_HEADERS};
pub use head::{HeadError, RequestFacts, ResponseHead, ResponseHeadParser};
pub use line::{FieldLine, is_token};
pub use raw::{HeadBytes, Span};
