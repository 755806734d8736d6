//! Facts about a configured plugin, for tools that reason about requests without sending them: lints, the impact of a
//! change, proofs.
//!
//! The facts of a plugin are its gates, in the order in which they apply to a request in the access phase. A plugin
//! without facts is opaque: tools assume neither that it protects nor that it lets anything pass. The harness
//! ([`testing::facts`](super::testing::facts)) holds facts against the plugin.

use http::HeaderName;

pub use router::Condition;

/// One effect of a plugin, and the requests on which it has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// The requests concerned; `None` for all.
    pub when: Option<Condition>,
    /// The effect on them.
    pub effect: Effect,
}

/// Effect of a gate.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// The request passes: the gates after this one do not apply.
    Passes,
    /// The plugin responds, always.
    Responds,
    /// The plugin may respond, depending on what the condition cannot express, such as the body or earlier requests.
    MayRespond,
    /// The plugin authenticates the client by a credential. It rejects a request without a valid one, unless
    /// `anonymous` is set.
    Authenticates {
        /// The kind of the credentials, as the key of their list in a file: `keyauth_credentials`.
        credentials: &'static str,
        /// Username or id of the consumer that is used if authentication fails.
        anonymous: Option<String>,
    },
    /// The plugin rejects a request whose consumer is in none of the groups, or has no consumer.
    NeedsGroup(Vec<String>),
    /// The plugin rejects a request whose consumer is in one of the groups, or has no consumer.
    DeniesGroup(Vec<String>),
    /// The plugin rejects a request beyond so many within a period.
    Limits {
        /// Requests within the period.
        at_most: f64,
        /// Length of the period in seconds; a month counts 30 days, a year 365.
        period_secs: u64,
    },
    /// The plugin rejects a body of more bytes.
    LimitsBody {
        /// Bytes of the longest body that passes.
        at_most_bytes: u64,
    },
    /// The plugin sets, replaces or removes a header of the request on its way to the upstream. What the client sends in
    /// it may be retained only if `retains` is set.
    SetsRequestHeader {
        /// The header.
        name: HeaderName,
        /// Whether the client's value may pass.
        retains: bool,
    },
    /// The plugin sets, replaces or removes a header of the response.
    SetsResponseHeader(HeaderName),
}

impl Gate {
    /// Creates a gate for all requests.
    pub fn always(effect: Effect) -> Self {
        Gate { when: None, effect }
    }

    /// Creates a gate for the requests that meet a condition in the router's language; `None` if the condition cannot be
    /// expressed there, such as an address that is not one.
    pub fn when(condition: impl Into<String>, effect: Effect) -> Option<Self> {
        let when = Some(Condition::parse(condition).ok()?);
        Some(Gate { when, effect })
    }
}

/// Returns the values of a header in the router's language. In capitals, `_` stands for `-` only.
pub fn header(name: &str) -> String {
    format!("http.headers.{}", name.to_ascii_uppercase().replace('-', "_"))
}

/// Returns the condition that a header is present, in the router's language.
pub fn has_header(name: &str) -> String {
    format!("{} contains \"\"", header(name))
}

/// What plugins of a type do, whatever their configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PluginTraits {
    /// Authenticates the client, and rejects requests without valid credentials unless it is configured to let them
    /// pass.
    pub authenticates: bool,
    /// Admits or rejects requests by the consumer or its groups, which another plugin has found.
    pub authorizes: bool,
    /// Rejects requests by other properties, such as the client's address.
    pub restricts: bool,
    /// Limits how many requests pass, or how long they are.
    pub limits: bool,
    /// Responds in place of the upstream.
    pub responds: bool,
    /// Changes the body of requests or responses.
    pub changes_body: bool,
    /// Changes the head of requests or responses.
    pub transforms: bool,
    /// Records requests without changing them.
    pub observes: bool,
}

impl PluginTraits {
    /// No trait.
    pub const NONE: Self = PluginTraits {
        authenticates: false,
        authorizes: false,
        restricts: false,
        limits: false,
        responds: false,
        changes_body: false,
        transforms: false,
        observes: false,
    };
}
