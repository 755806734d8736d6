//! Node settings: listeners, trusted addresses, TLS and others, with the names of `kong.conf`.
//!
//! [`Settings`] is plain data. [`load`] fills it from, in ascending precedence: the defaults in `table.rs`, a
//! `kong.conf`, `KONG_*` variables, flags. This module performs no I/O: the command line passes file contents and
//! environment. The effect of a setting is up to its consumer.

mod admin;
mod consistency;
mod known;
mod load;
mod reference;
mod table;
mod value;

pub use admin::{AdminToken, HostPattern, WebOrigin};
pub use known::{ALIASES, ignored_reason, unsupported_reason};
pub use load::{DEFAULT_FILES, Issue, Origin, Sources, load};
pub use reference::reference;
pub use table::{ROWS, Row, Settings};
pub use value::{
    AccessLogFormat, BadValue, CipherSuite, DnsRecord, ErrorType, LogEscape, LogFormat, LogLevel, LogTarget,
    Pem, PortMap, ProductToken, QueryLogging, ResponseHeaders, RouteMatch, RouterFlavor, Secret, Setting,
    Size, TlsVersion, TrustedPeer, UntrustedLua, UpstreamHeaders, Workers, parse_time,
};

#[cfg(test)]
mod tests;
