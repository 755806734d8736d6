//! The plugins, one file or folder each, and the one table of them.

use crate::plugin::Entry;

mod shared;

/// Declares a plugin's module and its row. Modules named here are not seen by `cargo fmt`: format with
/// `rustfmt --check $(git ls-files '*.rs')`.
macro_rules! plugins {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        static ENTRIES: &[Entry] = &[$(Entry::of::<$name::Plugin>()),*];
    };
}

plugins! {
    acl,
    correlation_id,
    cors,
    ip_restriction,
    jwt,
    key_auth,
    rate_limiting,
    redirect,
    request_size_limiting,
    request_termination,
    request_transformer,
    response_transformer,
}

/// All plugins built into this program.
pub fn entries() -> &'static [Entry] {
    ENTRIES
}

/// The plugin of that name.
pub fn find(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}

/// Whether a plugin finds out who asks, and turns away whom it does not know.
pub fn authenticates(name: &str) -> bool {
    const NAMES: [&str; 7] = ["basic-auth", "hmac-auth", "jwt", "key-auth", "ldap-auth", "oauth2", "session"];
    NAMES.contains(&name)
}

/// Why a `jwt_secrets` entry of that algorithm cannot verify a token with that public key; `None` if it can.
pub fn unusable_jwt_key(algorithm: &str, public_key: Option<&str>) -> Option<String> {
    jwt::unusable_key(algorithm, public_key)
}

/// Names of the plugins that come with Kong 3.9, built here or not.
pub const BUNDLED: &[&str] = &[
    "acl",
    "acme",
    "ai-prompt-decorator",
    "ai-prompt-guard",
    "ai-prompt-template",
    "ai-proxy",
    "ai-request-transformer",
    "ai-response-transformer",
    "aws-lambda",
    "azure-functions",
    "basic-auth",
    "bot-detection",
    "correlation-id",
    "cors",
    "datadog",
    "file-log",
    "grpc-gateway",
    "grpc-web",
    "hmac-auth",
    "http-log",
    "ip-restriction",
    "jwt",
    "key-auth",
    "ldap-auth",
    "loggly",
    "oauth2",
    "opentelemetry",
    "post-function",
    "pre-function",
    "prometheus",
    "proxy-cache",
    "rate-limiting",
    "redirect",
    "request-size-limiting",
    "request-termination",
    "request-transformer",
    "response-ratelimiting",
    "response-transformer",
    "session",
    "standard-webhooks",
    "statsd",
    "syslog",
    "tcp-log",
    "udp-log",
    "zipkin",
];
