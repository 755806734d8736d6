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
mod entities;
#[cfg(test)]
mod entity_tests;
pub mod field;
mod filter_chain;
mod id;
mod key;
mod kind;
mod kind_macro;
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
pub use entities::{KINDS, State};
pub use field::{Protocol, Set, Timestamp};
pub use filter_chain::{Filter, FilterChain};
pub use id::{derived_id, namespace};
pub use key::{Key, KeyPair, KeySet};
pub use kind::{Admin, Child, Comparison, DEFAULT_WORKSPACE, Foreign, IdRule, KindInfo, Role, inline_schema};
pub use plugin::{PluginConfig, PluginEntity, PluginRow};
pub use route::{Cidr, PathHandling, Route};
pub use runtime_data::{
    AcmeStorage, CertificateDetails, ClusteringDataPlane, EmptyRecord, OAuth2AuthorizationCode, OAuth2Token,
    Parameter, RateLimitingMetric, Session, Workspace,
};
pub use service::{Service, ServiceProtocol};
pub use state::DisplayState;
pub use table::{Entity, Ix, Kind, Ref, Row, Rows, Table};
pub use upstream::{
    ActiveChecks, ActiveHealthy, ActiveUnhealthy, Algorithm, HashOn, HealthChecks, PassiveChecks,
    PassiveHealthy, PassiveUnhealthy, ProbeType, Target, Upstream,
};
pub use vault::{Vault, VaultConfig};
