//! The plugin API.
//!
//! A plugin is one module of the crate `plugins` that implements [`Plugin`], and one line in that crate's
//! `registry`. Its hooks receive the [`Exchange`] of one request and the configuration; they never access the
//! proxy, a socket or another plugin.
//!
//! The life of a plugin: [`Plugin::Config`] is deserialised from the file, [`Plugin::check`] validates it,
//! [`Plugin::build`] compiles it once per snapshot, and the hooks in [`Plugin::PHASES`] run for each request.

mod build;
mod check;
mod exchange;
mod phase;
mod registry;
mod reply;
mod tasks;
pub mod testing;
mod worker;

pub use build::{BuildContext, BuildError};
pub use check::{ConfigPath, Diagnostics, UNSUPPORTED_SUFFIX};
pub use exchange::{
    Client, Credential, Exchange, Extensions, Received, Request, RequestId, Response, ResponseSource,
    RouteMatch, UpstreamOverrides,
};
pub use phase::{Chunk, Ctx, DynPlugin, Hook, HookFuture, HookResult, PhaseSet, Phases, ShortCircuit};
pub use registry::{EntityRule, PluginDescriptor, PluginScopes, Registry};
pub use reply::{LocalReply, LocalReplyBody};
pub use tasks::{Tasks, WorkerTasks};
pub use worker::WorkerHandle;

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use model::Protocol;

/// Protocols that carry HTTP messages.
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

/// A plugin: its configuration and its hooks.
///
/// `check` receives configuration that already conforms to its schema, and adds rules that a schema cannot express.
/// `build` does no I/O. It compiles regular expressions, networks and templates, so that hooks never parse
/// configuration and `validate` can build every plugin offline.
pub trait Plugin: Sized + Send + Sync + 'static {
    /// Name, as written in configuration files: `key-auth`.
    const NAME: &'static str;
    /// Priority within a phase; plugins with a higher priority run first. Unique across plugins.
    const PRIORITY: i32;
    /// Hooks by phase.
    const PHASES: Phases<Self>;
    /// Entities to which it can be attached.
    const SCOPES: PluginScopes = PluginScopes::ALL;
    /// Supported protocols.
    const PROTOCOLS: &'static [Protocol] = HTTP_FAMILY;
    /// Default of the row's `protocols`.
    const DEFAULT_PROTOCOLS: &'static [Protocol] = HTTP_FAMILY;
    /// Whether it authenticates the client and rejects requests without valid credentials.
    const AUTHENTICATES: bool = false;
    /// Validation rules for entities of the plugin, such as its credentials, keyed by the name in a schema's
    /// `x-custom`.
    const RULES: &'static [(&'static str, EntityRule)] = &[];
    /// Configuration. Its doc comment is the plugin's manual page; the doc comments of its fields describe the
    /// settings.
    type Config: DeserializeOwned
        + Serialize
        + JsonSchema
        + Clone
        + PartialEq
        + std::fmt::Debug
        + Send
        + Sync
        + 'static;

    /// Checks rules that span several fields.
    fn check(_config: &Self::Config, _checks: &mut Diagnostics) {}

    /// Compiles the configuration.
    ///
    /// # Errors
    /// If the configuration is unusable, such as a regular expression that does not compile.
    fn build(config: Self::Config, context: &mut BuildContext<'_>) -> Result<Self, BuildError>;
}
