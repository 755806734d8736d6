//! HTTP/1.1 (RFC 9112) codec: field lines, header fields, response heads, and bodies with a Content-Length or in chunks.
//!
//! Request heads are parsed in `proxy`, where the limits that nginx applies to clients are known.

mod body;
mod fields;
mod head;
mod line;
mod raw;

pub use body::{Decoder, FramingError, Step};
pub use fields::{Fields, Known, MAX_NAME, SINGLETONS};
pub use head::{Head, HeadError, RequestFacts, ResponseHeadParser};
pub use line::{Line, is_token};
pub use raw::{Place, RawHead};
