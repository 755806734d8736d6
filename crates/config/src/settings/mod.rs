//! Node settings: listeners, trusted addresses, TLS and the like, by the names of `kong.conf`.
//!
//! [`Settings`] is plain data. [`load`] fills it from, lowest to highest: the defaults in `table.rs`,
//! a `kong.conf`, `KONG_*` variables, flags. Nothing here opens a file or reads the environment:
//! the command line hands both in. What a setting does is its consumer's business.

mod admin;
mod consistency;
mod known;
mod load;
mod reference;
mod table;
mod value;

pub use admin::{AdminToken, HostPattern, WebOrigin};
pub use known::{ALIASES, no_effect_yet, without_meaning};
pub use load::{DEFAULT_FILES, Issue, Origin, Sources, load};
pub use reference::reference;
pub use table::{ROWS, Row, Settings};
pub use value::{
    BadValue, CipherSuite, DnsRecord, ErrorType, LogFormat, LogLevel, LogTarget, Pem, PortMap,
    ResponseHeaders, RouteMatch, RouterFlavor, Secret, Setting, Size, TlsVersion, TrustedPeer, UntrustedLua,
    UpstreamHeaders, Workers, parse_time,
};

#[cfg(test)]
mod tests;
