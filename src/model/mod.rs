//! A configuration as data: typed rows in flat tables, ids settled, defaults filled in, references
//! resolved to ids. Knows what a gateway is; knows neither plugins' settings nor sockets.
//!
//! The types here are the format: serde reads and writes them, schemars turns them into the published
//! JSON Schema, and `config` checks files against that schema. Names are the format's own.

mod certificate;
mod consumer;
mod credential;
mod field;
mod id;
mod key;
mod plugin;
mod route;
mod service;
mod state;
mod table;
mod upstream;
mod vault;

pub use certificate::{CaCertificate, Certificate, Sni};
pub use consumer::Consumer;
pub use credential::{Acl, BasicAuth, HmacAuth, JwtSecret, KeyAuth, OAuth2Credential};
pub use field::{Protocol, Set, Timestamp};
pub use id::{derived_id, namespace};
pub use key::{Key, KeySet};
pub use plugin::{Plugin, PluginConfig};
pub use route::{Cidr, PathHandling, Route};
pub use service::{Service, ServiceProtocol};
pub use state::State;
pub use table::{Ix, Kind, Ref, Row, Table};
pub use upstream::{Algorithm, HashOn, HealthChecks, Target, Upstream};
pub use vault::Vault;
