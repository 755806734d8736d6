//! Field aliases of other gateways, and names that are not suggested.

use super::RecordSchema;
use model::{KINDS, KindInfo, Role};

/// Alias of a field.
#[derive(Clone, Copy)]
struct FieldAlias {
    /// The field.
    name: &'static str,
    /// Field that must be present in the record for the alias to apply; `None` if it always applies.
    beside: Option<&'static str>,
    others: &'static [&'static str],
}

const fn everywhere(name: &'static str, others: &'static [&'static str]) -> FieldAlias {
    FieldAlias { name, beside: None, others }
}

const fn beside(field: &'static str, name: &'static str, others: &'static [&'static str]) -> FieldAlias {
    FieldAlias { name, beside: Some(field), others }
}

/// Aliases that users write, from other gateways and from older versions of this format. Those of lists of entities are
/// in the table of entities.
const OTHER_NAMES: &[FieldAlias] = &[
    beside("custom_id", "username", &["name", "user", "login"]),
    everywhere("username", &["name", "user", "login"]),
    everywhere("password", &["pass", "pw", "passwd", "pwd"]),
    everywhere("allow", &["whitelist", "allowlist", "allowed"]),
    everywhere("deny", &["blacklist", "denylist", "blocklist", "denied"]),
    beside(
        "retries",
        "url",
        &["upstream_url", "uri", "address", "endpoint", "proxy_pass", "backend", "target_url"],
    ),
    beside("retries", "host", &["hostname", "upstream_host", "upstream"]),
    beside("strip_path", "paths", &["uris", "uri", "prefix", "location", "locations", "path_prefix", "url"]),
    beside(
        "strip_path",
        "hosts",
        &["server_name", "server_names", "hostname", "hostnames", "domain", "domains"],
    ),
    everywhere("strip_path", &["strip_uri", "strip_prefix"]),
    everywhere("target", &["host", "address", "url", "server"]),
    everywhere("http_path", &["path", "uri", "url"]),
    everywhere("config", &["settings", "options", "configuration", "parameters"]),
    beside("instance_name", "name", &["plugin", "plugin_name"]),
    beside("certificate", "name", &["sni", "server_name", "host", "domain"]),
    everywhere("cert", &["certificate", "crt", "certificate_pem", "tls_crt", "ssl_certificate", "chain"]),
    beside("cert_alt", "key", &["private_key", "privkey", "key_pem", "tls_key", "ssl_certificate_key"]),
    beside("ttl", "key", &["keys", "apikey", "api_key", "token", "value"]),
    everywhere("read_timeout", &["timeout"]),
    everywhere("status_code", &["status", "code", "http_status"]),
    beside("status_code", "location", &["url", "to", "redirect_to"]),
    beside("keep_incoming_path", "keep_incoming_path", &["keep_path", "preserve_path"]),
    beside("generator", "header_name", &["header"]),
    everywhere("querystring", &["query", "query_params", "params"]),
];

/// Returns whether a key is that of entities that a running gateway creates; files do not declare them.
pub(super) fn is_runtime_data(key: &str) -> bool {
    KindInfo::of(key).is_some_and(|kind| matches!(kind.role, Role::RuntimeData(_)))
}

/// Top-level keys added by decK.
pub(super) const DECK_KEYS: &[&str] =
    &["_info", "_workspace", "_konnect", "_plugin_configs", "partials", "consumer_groups"];

/// Returns the record's field for an alias; fields that are not set yet come first.
pub(super) fn resolve_alias(
    record: &RecordSchema,
    key: &str,
    free: &dyn Fn(&str) -> bool,
) -> Option<&'static str> {
    let plain = key.to_ascii_lowercase().replace('-', "_");
    let kinds = || KINDS.iter().map(|kind| everywhere(kind.key, kind.other_names));
    let intended = |alias: &FieldAlias| {
        let has = |field: &str| record.names().any(|own| own == field);
        alias.others.contains(&plain.as_str()) && has(alias.name) && alias.beside.is_none_or(has)
    };
    let all = || OTHER_NAMES.iter().copied().chain(kinds()).filter(intended).map(|alias| alias.name);
    all().find(|name| free(name)).or_else(|| all().next())
}
