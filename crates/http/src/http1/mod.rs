//! HTTP/1.1 (RFC 9112): lines, header fields, the head of a response, and bodies by length or in chunks.

mod body;
mod fields;
mod head;
mod line;
mod raw;

pub use body::{Decoder, FramingError, Step};
pub use fields::{Fields, Known, MAX_NAME, SINGLETONS};
pub use head::{Asked, Head, HeadError, HeadReader};
pub use line::{Line, is_token};
pub use raw::{Place, RawHead};
