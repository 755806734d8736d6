//! The plugin contract: what a plugin is, what it is handed, and what it may answer.
//!
//! A plugin is one file or folder in `plugins/` that implements [`Plugin`], plus one line in
//! `plugins/mod.rs`. It sees the [`Exchange`] of one request and the configuration's data, never the
//! proxy, a socket or another plugin.

mod build;
mod check;
mod exchange;
mod phase;
mod registry;
mod reply;
pub mod testing;

pub use build::{Build, BuildError};
pub use check::{Checks, NOT_YET, Place};
pub use exchange::{
    Client, Credential, Exchange, Matched, Request, RequestId, Response, ResponseSource, Stash,
    UpstreamRequest,
};
pub use phase::{Call, Chunk, Hook, Instance, Outcome, PhaseSet, Phases, Step, Stop};
pub use registry::{EntityRule, Entry, Registry, Scopes};
pub use reply::{Reply, ReplyBody};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use model::Protocol;

/// Protocols of plugins that only work on HTTP messages.
pub const HTTP_FAMILY: &[Protocol] = &[Protocol::Grpc, Protocol::Grpcs, Protocol::Http, Protocol::Https];

/// All protocols.
pub const ALL_PROTOCOLS: &[Protocol] = &[
    Protocol::Grpc,
    Protocol::Grpcs,
    Protocol::Http,
    Protocol::Https,
    Protocol::Tcp,
    Protocol::Tls,
    Protocol::TlsPassthrough,
    Protocol::Udp,
];

/// One plugin: its settings, and its part in each phase of a request.
///
/// `check` sees settings that already fit their schema; it adds what one schema cannot say. `build`
/// does no I/O: regular expressions, networks and templates are compiled there, so that a request
/// never sees raw settings and `validate` can build everything.
pub trait Plugin: Sized + Send + Sync + 'static {
    /// Name, as in a file: `key-auth`.
    const NAME: &'static str;
    /// The higher runs earlier; no two plugins share one.
    const PRIORITY: i32;
    /// Which methods run in which phase.
    const PHASES: Phases<Self>;
    /// What it may be attached to.
    const SCOPES: Scopes = Scopes::ALL;
    /// Protocols it works on.
    const PROTOCOLS: &'static [Protocol] = HTTP_FAMILY;
    /// Default of the field `protocols`.
    const DEFAULT_PROTOCOLS: &'static [Protocol] = HTTP_FAMILY;
    /// Whether it identifies the client and refuses a request without valid credentials.
    const AUTHENTICATES: bool = false;
    /// Rules about whole entities that belong to it, such as its credentials, by the name that a schema's `x-custom`
    /// gives.
    const RULES: &'static [(&'static str, EntityRule)] = &[];
    /// Its settings. The doc comment is the plugin's manual page, those of the fields describe them.
    type Config: DeserializeOwned
        + Serialize
        + JsonSchema
        + Clone
        + PartialEq
        + std::fmt::Debug
        + Send
        + Sync
        + 'static;

    /// Rules across fields.
    fn check(_config: &Self::Config, _checks: &mut Checks) {}

    /// Makes the plugin ready for requests.
    ///
    /// # Errors
    /// When the settings cannot work, such as a regular expression that does not compile.
    fn build(config: Self::Config, with: &mut Build<'_>) -> Result<Self, BuildError>;
}
