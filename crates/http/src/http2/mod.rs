//! HTTP/2 codec: frames (RFC 9113), header compression (RFC 7541), and the header section of a request.
//!
//! Stateless except for the HPACK tables; connection and stream states are in `proxy`.

pub mod frame;
pub mod hpack;
pub mod request;
