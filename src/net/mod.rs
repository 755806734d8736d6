//! What crosses a socket: message bodies, dialing, pools, TLS.

mod body;

pub use body::{Body, BodyError};
