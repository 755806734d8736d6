//! HTTP client for requests that the gateway makes itself: of plugins, health probes, log sinks and `diff --against`.
//! Requests that are forwarded do not use it; they have the connections of `net`.
//!
//! A [`Client`] has connection pools, TLS, HTTP/1.1 and HTTP/2, and a limit for everything that a server controls: the
//! time to connect, to the response head and to the end of the body, and the length of the body. It does not follow
//! redirects, and reads neither proxy settings nor cookies. Dropping a future or a body cancels the request.
//!
//! It runs on every kind of tokio runtime; the tasks of its connections run on the runtime that opened them. A worker has
//! a client of its own, so that its connections are driven by the thread that uses them.
//!
//! ```
//! use client::{Client, Limits};
//! use http::Request;
//!
//! async fn fetch_keys(client: &Client) -> Result<bytes::Bytes, client::Error> {
//!     let request = Request::get("https://id.example/keys").body(()).expect("a well-formed request");
//!     let limits = Limits { max_response_bytes: 64 << 10, ..Limits::default() };
//!     // The URL is part of a token and not of the configuration: no private address may be reached with it.
//!     let response = client.external().send_within(request, limits).await?;
//!     response.into_body().bytes().await
//! }
//! ```

mod address;
mod body;
mod client;
mod connect;
mod error;
mod resolve;

pub use address::{AddressPolicy, is_public};
pub use body::{BoxError, RequestBody, ResponseBody};
pub use client::{Client, ClientOptions, Limits, Protocol};
pub use error::{Error, Stage};
pub use resolve::{Resolve, ResolveFuture, SystemResolver};
