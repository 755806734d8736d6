//! The data model of a configuration: typed rows in flat tables, with ids assigned, defaults filled in and references
//! resolved to ids. It does not depend on the settings of plugins, nor on sockets.
//!
//! The types define the file format: serde serializes them, schemars derives the published JSON Schema, and `config`
//! validates files against that schema. Names are those of the format, and doc comments of fields are the descriptions
//! in the schema.

mod certificate;
mod consumer;
mod credential;
mod credential_header;
mod derived;
pub mod field;
mod filter_chain;
mod id;
mod key;
mod kind;
mod plugin;
pub mod public_key;
mod route;
pub mod rule;
mod runtime_data;
mod service;
mod state;
mod table;
mod upstream;
mod vault;

pub use certificate::{CaCertificate, Certificate, Sni};
pub use consumer::Consumer;
pub use credential::{Acl, BasicAuth, HmacAuth, JwtSecret, KeyAuth, OAuth2Credential};
pub use credential_header::is_credential_name;
pub use derived::DerivedCache;
pub use field::{Protocol, Set, Timestamp};
pub use filter_chain::{Filter, FilterChain};
pub use id::{derived_id, namespace};
pub use key::{Key, KeyPair, KeySet};
pub use kind::{Child, DEFAULT_WORKSPACE, Foreign, IdRule, KINDS, KindInfo, inline_schema};
pub use plugin::{PluginConfig, PluginEntity, PluginRow};
pub use route::{Cidr, PathHandling, Route};
pub use runtime_data::{
    AcmeStorage, CertificateDetails, ClusteringDataPlane, EmptyRecord, OAuth2AuthorizationCode, OAuth2Token,
    Parameter, RateLimitingMetric, Session, Workspace,
};
pub use service::{Service, ServiceProtocol};
pub use state::{DisplayState, State};
pub use table::{Ix, Kind, Ref, Row, Table};
pub use upstream::{
    ActiveChecks, ActiveHealthy, ActiveUnhealthy, Algorithm, HashOn, HealthChecks, PassiveChecks,
    PassiveHealthy, PassiveUnhealthy, ProbeType, Target, Upstream,
};
pub use vault::{Vault, VaultConfig};
