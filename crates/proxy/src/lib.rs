//! The data plane: listeners, HTTP/1 and HTTP/2 towards clients, and the request pipeline.
//!
//! [`Workers::start`] opens the listeners and starts one thread per core. A request runs through `handle`:
//! validation, route, plugins, `forward`, `respond`. How an error is presented to the client is in `error`.

mod active_request;
mod counted_body;
mod date;
mod echo_upstream;
mod error;
mod error_body;
mod forward;
mod handle;
mod headers;
pub mod http1;
pub mod http2;
mod listener;
mod log_limit;
mod pipeline;
mod proxy_protocol;
mod request_body;
mod request_metrics;
mod respond;
mod response_body;
mod sched;
mod simulate;
mod stream;
mod tls;
mod upgrade;
mod validate;
mod worker;
mod workers;

use std::net::SocketAddr;

pub use simulate::{SimulatedOutcome, SimulatedRequest, Simulator};
use socket2::Type;
pub use workers::{ForceShutdown, StartError, Workers};

use net::Role;

use config::listen::KeepAlive;

/// What a listener accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// HTTP requests.
    Http,
    /// TCP or TLS connections for stream routes.
    Streams,
    /// UDP datagrams for stream routes.
    Datagrams,
}

/// A listening address and its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Address; port 0 binds a free one, reported by [`Workers::addresses`].
    pub address: SocketAddr,
    /// What is accepted.
    pub traffic: Traffic,
    /// Whether TLS is used.
    pub tls: bool,
    /// Whether HTTP/2 is served: negotiated by ALPN with TLS, by the preface without.
    pub http2: bool,
    /// Whether each connection starts with a PROXY protocol header.
    pub proxy_protocol: bool,
    /// Length of the accept queue.
    pub backlog: u32,
    /// Whether an IPv6 address accepts no IPv4 connections (`IPV6_V6ONLY`).
    pub only_v6: bool,
    /// TCP keepalive probes; `None` leaves the system's default.
    pub so_keepalive: Option<KeepAlive>,
    /// Whether a connection is accepted only with its first bytes, or after a second without any, where the
    /// system supports it (`TCP_DEFER_ACCEPT`). An HTTP client sends first; in a stream, the server may.
    pub deferred: bool,
    /// Whether another process may listen at the same address.
    pub shared: bool,
}

impl Listener {
    /// Creates a plaintext HTTP/1.1 listener.
    pub fn plain(address: SocketAddr) -> Self {
        Listener {
            address,
            traffic: Traffic::Http,
            tls: false,
            http2: false,
            proxy_protocol: false,
            backlog: 16_384,
            only_v6: true,
            so_keepalive: None,
            deferred: true,
            shared: false,
        }
    }

    /// The role of its sockets.
    pub fn role(&self) -> Role {
        if self.traffic == Traffic::Http { Role::Proxy } else { Role::Stream }
    }

    /// The type of its sockets.
    fn socket_type(&self) -> Type {
        if self.traffic == Traffic::Datagrams { Type::DGRAM } else { Type::STREAM }
    }
}
