//! HTTP/2 (RFC 9113): frames, header compression (RFC 7541), and the head of a request.

pub mod frame;
pub mod hpack;
pub mod request;
