//! Sockets and the request path.
//!
//! [`Workers::start`] opens the listeners and starts a thread to a core; a request runs from `handle` on one
//! page: route, plugins, `forward`, `respond`. What a failure looks like to a client is in `fault`.

mod admit;
mod body_form;
mod date;
mod door;
mod fault;
mod forward;
mod handle;
mod headers;
pub mod http1;
pub mod http2;
mod listen;
mod log_limit;
mod mock;
mod proxy_protocol;
mod rehearse;
mod request_body;
mod respond;
mod response_body;
mod run;
mod slice;
mod stream;
mod tls;
mod upgrade;
mod worker;

use std::net::SocketAddr;

pub use listen::{Hurry, StartError, Workers};
pub use rehearse::{Asked, Fate, Rehearsal};
use socket2::Type;

use net::Role;

use config::listen::KeepAlive;

/// What is accepted at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Requests.
    Http,
    /// Connections for the routes of streams.
    Streams,
    /// Datagrams for the routes of streams.
    Datagrams,
}

/// An address to accept requests at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Address; port 0 takes a free one, which [`Workers::addresses`] tells.
    pub address: SocketAddr,
    /// What is accepted.
    pub traffic: Traffic,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Whether HTTP/2 is spoken: by ALPN with TLS, by its preface without.
    pub http2: bool,
    /// Whether a connection begins with a PROXY protocol header.
    pub proxy_protocol: bool,
    /// Length of the queue of connections not accepted yet.
    pub backlog: u32,
    /// Whether an IPv6 address takes no IPv4 connections.
    pub only_v6: bool,
    /// Whether TCP looks for clients that have gone without a word; none: as the system does.
    pub so_keepalive: Option<KeepAlive>,
    /// Whether clients are taken in only with their first words, or after a second of silence, where the system
    /// knows how. A client of HTTP speaks first; one of a stream may wait to be spoken to.
    pub deferred: bool,
    /// Whether another process may listen at the same address.
    pub shared: bool,
}

impl Listener {
    /// A clear-text HTTP/1.1 listener.
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

    /// What its sockets are for.
    pub fn role(&self) -> Role {
        if self.traffic == Traffic::Http { Role::Proxy } else { Role::Stream }
    }

    /// Their kind.
    fn kind(&self) -> Type {
        if self.traffic == Traffic::Datagrams { Type::DGRAM } else { Type::STREAM }
    }
}
