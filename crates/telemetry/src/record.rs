//! The record of a request: what access logs, and later spans and log plugins, are written from.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, SystemTime},
};

/// Facts of one request and its response, complete when the response has ended. It borrows everything, so that building
/// it allocates nothing.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// Wall clock time at which the response ended.
    pub ended_at: SystemTime,
    /// Time from the end of the request's head to the end of the response.
    pub duration: Duration,
    /// Id of the request: 128 bits, displayed as 32 hex digits.
    pub request_id: u128,
    /// Address of the client, which a trusted peer may have reported.
    pub client: IpAddr,
    /// Peer of the connection.
    pub peer: SocketAddr,
    /// Local address of the connection.
    pub local: SocketAddr,
    /// Sequence number of the connection in the process.
    pub connection: u64,
    /// Sequence number of the request on its connection, from 1.
    pub connection_request: u64,
    /// TLS towards the client.
    pub tls: Option<Tls<'a>>,
    /// `HTTP/1.1`, `HTTP/2.0`, or the protocol of a stream.
    pub protocol: &'static str,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Method and target; `None` if the head was refused or incomplete.
    pub request: Option<RequestLine<'a>>,
    /// Header fields of the request.
    pub request_headers: &'a dyn Headers,
    /// Bytes received: head and body.
    pub request_bytes: u64,
    /// Status sent; 499 if the client left before the head.
    pub status: u16,
    /// Header fields of the response, if they were retained.
    pub response_headers: &'a dyn Headers,
    /// Bytes sent: head and body.
    pub sent_bytes: u64,
    /// Bytes of the body sent.
    pub sent_body_bytes: u64,
    /// Attempts to reach an upstream, in order.
    pub tries: &'a [Try],
    /// Name of the matched route, or its id.
    pub route: Option<&'a str>,
    /// Name of its service, or its id.
    pub service: Option<&'a str>,
    /// Username of the consumer, or its custom id, or its id.
    pub consumer: Option<&'a str>,
    /// Origin of the response.
    pub source: Source,
    /// Which side ended the exchange.
    pub ended_by: EndedBy,
    /// Code of the error that the response reports, such as `upstream_timeout`.
    pub error: Option<&'static str>,
    /// What a rate limit counted, if it refused the request.
    pub limited_by: Option<&'static str>,
}

/// Method and target of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'a> {
    /// Method.
    pub method: &'a str,
    /// Path as the client sent it.
    pub path: &'a str,
    /// Query without `?`.
    pub query: Option<&'a str>,
}

/// TLS parameters of a client's connection.
#[derive(Clone, Copy, Debug)]
pub struct Tls<'a> {
    /// Version, such as `TLSv1.3`.
    pub version: &'a str,
    /// Cipher suite.
    pub cipher: &'a str,
    /// Server name of the handshake.
    pub server_name: Option<&'a str>,
}

/// An attempt to reach an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Try {
    /// The upstream's address.
    pub address: SocketAddr,
    /// Status of its response, if there was one.
    pub status: Option<u16>,
    /// Time until a connection was at hand; zero for one from the pool.
    pub connect: Duration,
    /// Time from sending the request to the response's head, or to the failure; `None` if no connection was opened.
    pub response: Option<Duration>,
    /// Code of the failure.
    pub error: Option<&'static str>,
}

/// Origin of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The upstream.
    Upstream,
    /// A plugin.
    Plugin,
    /// The gateway: an error, or no response at all.
    Gateway,
}

impl Source {
    /// Name in logs.
    pub fn name(self) -> &'static str {
        match self {
            Source::Upstream => "upstream",
            Source::Plugin => "plugin",
            Source::Gateway => "gateway",
        }
    }
}

/// Which side ended an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// None: the response was sent whole.
    Complete,
    /// The client closed or reset the connection or stream, or stopped reading or sending.
    Client,
    /// The upstream's response broke off after its head had been sent.
    Upstream,
    /// The gateway cut it off: a limit, a plugin, an error of its own, or a forced shutdown.
    Gateway,
}

impl EndedBy {
    /// Name in logs.
    pub fn name(self) -> &'static str {
        match self {
            EndedBy::Complete => "complete",
            EndedBy::Client => "client",
            EndedBy::Upstream => "upstream",
            EndedBy::Gateway => "gateway",
        }
    }
}

/// Header fields by name.
pub trait Headers {
    /// The first value of a field, by its name in lower case.
    fn value(&self, name: &str) -> Option<&[u8]>;
}

/// No header fields.
impl Headers for () {
    fn value(&self, _name: &str) -> Option<&[u8]> {
        None
    }
}
