//! Field aliases of other gateways, and names that are not suggested.

use super::RecordSchema;

/// Alias of a field.
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

/// Aliases that users write, from other gateways and from older versions of this format.
const OTHER_NAMES: &[FieldAlias] = &[
    beside("custom_id", "username", &["name", "user", "login"]),
    everywhere("username", &["name", "user", "login"]),
    everywhere("password", &["pass", "pw", "passwd", "pwd"]),
    everywhere("jwt_secrets", &["jwt", "jwts", "jwt_credentials", "jwt_keys"]),
    everywhere("keyauth_credentials", &["key_auth", "keyauth", "api_keys", "apikeys", "keys"]),
    everywhere("basicauth_credentials", &["basic_auth", "basicauth"]),
    everywhere("hmacauth_credentials", &["hmac_auth", "hmacauth"]),
    everywhere("oauth2_credentials", &["oauth2", "oauth2_apps"]),
    everywhere("acls", &["acl"]),
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
    everywhere("services", &["apis"]),
    everywhere("upstreams", &["clusters", "backends"]),
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

/// Entities that a running gateway creates; files do not declare them.
pub(super) const RUNTIME_KINDS: &[&str] = &[
    "clustering_data_planes",
    "acme_storage",
    "oauth2_authorization_codes",
    "oauth2_tokens",
    "ratelimiting_metrics",
    "sessions",
];

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
    let intended = |resolve_alias: &&FieldAlias| {
        let has = |field: &str| record.names().any(|own| own == field);
        resolve_alias.others.contains(&plain.as_str())
            && has(resolve_alias.name)
            && resolve_alias.beside.is_none_or(has)
    };
    let all = || OTHER_NAMES.iter().filter(intended).map(|resolve_alias| resolve_alias.name);
    all().find(|name| free(name)).or_else(|| all().next())
}
