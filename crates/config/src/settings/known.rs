//! Aliases of settings, and Kong settings without effect here, each with the reason.

/// Aliases and the settings they stand for.
pub const ALIASES: &[(&str, &str)] = &[
    ("nginx_main_worker_processes", "nginx_worker_processes"),
    ("workers", "nginx_worker_processes"),
    ("nginx_proxy_real_ip_header", "real_ip_header"),
    ("nginx_http_real_ip_header", "real_ip_header"),
    ("nginx_proxy_real_ip_recursive", "real_ip_recursive"),
    ("nginx_http_real_ip_recursive", "real_ip_recursive"),
    ("nginx_http_client_max_body_size", "client_max_body_size"),
    ("nginx_proxy_client_max_body_size", "client_max_body_size"),
    ("nginx_http_client_header_buffer_size", "client_header_buffer_size"),
    ("nginx_http_large_client_header_buffers", "large_client_header_buffers"),
    ("nginx_http_client_header_timeout", "client_header_timeout"),
    ("nginx_http_client_body_timeout", "client_body_timeout"),
    ("nginx_http_send_timeout", "send_timeout"),
    ("nginx_http_keepalive_timeout", "keepalive_timeout"),
    ("nginx_http_keepalive_requests", "keepalive_requests"),
    ("nginx_admin_client_max_body_size", "admin_client_max_body_size"),
    ("nginx_admin_ssl_client_certificate", "admin_ssl_client_certificate"),
    ("nginx_http_log_format", "access_log_format"),
    ("nginx_proxy_log_format", "access_log_format"),
    ("nginx_http_ssl_protocols", "ssl_protocols"),
    ("nginx_http_ssl_prefer_server_ciphers", "ssl_prefer_server_ciphers"),
    ("nginx_http_ssl_session_tickets", "ssl_session_tickets"),
    ("nginx_http_ssl_session_timeout", "ssl_session_timeout"),
    ("nginx_http_lua_ssl_protocols", "lua_ssl_protocols"),
    ("nginx_http_upstream_keepalive", "upstream_keepalive_pool_size"),
    ("nginx_upstream_keepalive", "upstream_keepalive_pool_size"),
    ("nginx_upstream_keepalive_requests", "upstream_keepalive_max_requests"),
    ("nginx_upstream_keepalive_timeout", "upstream_keepalive_idle_timeout"),
    ("resolver_address", "dns_resolver"),
    ("resolver_hosts_file", "dns_hostsfile"),
    ("resolver_family", "dns_order"),
    ("resolver_valid_ttl", "dns_valid_ttl"),
    ("resolver_stale_ttl", "dns_stale_ttl"),
    ("resolver_error_ttl", "dns_error_ttl"),
    ("resolver_lru_cache_size", "dns_cache_size"),
    ("opentelemetry_tracing", "tracing_instrumentations"),
    ("opentelemetry_tracing_sampling_rate", "tracing_sampling_rate"),
];

/// Kong settings that are ignored; a trailing `*` matches any suffix. The first match applies.
const IGNORED: &[(&str, &str)] = &[
    ("prefix", "there is no working folder: nothing is written beside the logs that are asked for"),
    ("proxy_error_log", ERRORS),
    ("proxy_stream_error_log", ERRORS),
    ("admin_error_log", ERRORS),
    ("status_error_log", ERRORS),
    ("anonymous_reports", "no reports are ever sent"),
    ("proxy_server*", "outgoing proxies are set for each plugin"),
    ("role", "there are no control planes and data planes: every node reads the file"),
    ("cluster_*", "nodes do not form a cluster: every node reads the file"),
    ("database", "there is no database: the file is the configuration"),
    ("pg_*", "there is no database: the file is the configuration"),
    ("cassandra_*", "there is no database: the file is the configuration"),
    ("db_*", "there is no database: the file is the configuration"),
    ("_debug_pg_ttl_cleanup_interval", "there is no database: the file is the configuration"),
    ("client_body_buffer_size", BODIES),
    ("nginx_http_client_body_buffer_size", BODIES),
    ("nginx_proxy_client_body_buffer_size", BODIES),
    ("nginx_http_proxy_request_buffering", "routes say so themselves: `request_buffering`"),
    ("nginx_http_proxy_buffering", "answers are never held: a slow client slows its upstream"),
    ("lmdb_*", "the configuration is kept in memory"),
    ("mem_cache_size", "memory is used as needed"),
    ("resolver_mem_cache_size", "there is one cache of names; `dns_cache_size` bounds it"),
    ("new_dns_client", "there is one resolver; settings by the names of either of Kong's are read"),
    ("worker_events_max_payload", "workers share memory and send no events"),
    ("worker_consistency", "a new configuration takes effect immediately in every worker"),
    ("router_consistency", "a new configuration takes effect immediately in every worker"),
    ("worker_state_update_frequency", "a new configuration takes effect immediately in every worker"),
    ("dedicated_config_processing", "configurations are never loaded on a thread that serves requests"),
    ("privileged_worker", "configurations are never loaded on a thread that serves requests"),
    ("ssl_dhparam", "no cipher with finite-field Diffie-Hellman is offered"),
    ("nginx_http_ssl_dhparam", "no cipher with finite-field Diffie-Hellman is offered"),
    ("nginx_stream_ssl_dhparam", "no cipher with finite-field Diffie-Hellman is offered"),
    ("nginx_user", "start the program as the user it is to run as"),
    ("nginx_main_user", "start the program as the user it is to run as"),
    ("nginx_daemon", "the program stays in the foreground; a supervisor puts it into the background"),
    ("nginx_main_daemon", "the program stays in the foreground; a supervisor puts it into the background"),
    ("nginx_*", "there is no nginx to hand this directive to"),
    ("lua_*", "there is no Lua to set up"),
    ("openresty_path", "there is no nginx to find"),
    ("pluginserver_*", "plugin servers cannot be attached"),
    ("wasm*", "proxy-wasm filters are not run yet"),
    (
        "nginx_admin_ssl_verify_client",
        "client certificates are verified where `admin_ssl_client_certificate` is given",
    ),
    ("admin_gui_*", "there is no Kong Manager"),
    ("kic", "the ingress controller is served by the same admin API either way"),
    ("request_debug*", "request timing is not returned on demand yet; use traces"),
    ("debug_*", "there is no debug listener"),
    ("vault_*", "only variables of the environment are read as a vault"),
    ("host_ports", "it is computed from `port_maps`"),
    ("portal*", ENTERPRISE),
    ("rbac*", ENTERPRISE),
    ("enforce_rbac", ENTERPRISE),
    ("license*", ENTERPRISE),
    ("audit_log*", ENTERPRISE),
    ("vitals*", ENTERPRISE),
    ("smtp*", ENTERPRISE),
    ("keyring_*", ENTERPRISE),
    ("analytics_*", ENTERPRISE),
    ("konnect_*", ENTERPRISE),
    ("fips", ENTERPRISE),
    ("event_hooks_enabled", ENTERPRISE),
    ("password", ENTERPRISE),
];

const BODIES: &str = "bodies never go to a file: short ones are held in memory, longer ones stream";
const ERRORS: &str = "errors go to standard error, where `log_level` says how much";
const ENTERPRISE: &str = "it belongs to Kong Enterprise or Konnect";

const STREAM_LOGS: &str = "streams are not logged yet";
const TRACES: &str = "spans are not recorded yet";
const LUA: &str = "Lua runs with the same modules and globals everywhere";

/// Settings that are parsed and validated but not implemented yet: the reason, and the value that describes the
/// actual behaviour.
const UNSUPPORTED: &[(&str, &str, Option<&str>)] = &[
    ("vaults", "the environment is the one vault that is built", Some("bundled")),
    ("proxy_stream_access_log", STREAM_LOGS, Some("off")),
    ("tracing_instrumentations", TRACES, Some("off")),
    ("tracing_sampling_rate", TRACES, None),
    ("untrusted_lua_sandbox_requires", LUA, None),
    ("untrusted_lua_sandbox_environment", LUA, None),
    ("lua_ssl_protocols", "TLS 1.2 and 1.3 are offered to other servers", Some("TLSv1.2 TLSv1.3")),
];

/// Returns the reason why a setting has no effect yet.
pub fn unsupported_reason(name: &str) -> Option<&'static str> {
    UNSUPPORTED.iter().find(|(setting, ..)| *setting == name).map(|(_, why, _)| *why)
}

/// Returns whether a value of a setting without effect describes the actual behaviour.
pub(super) fn matches_actual_behaviour(name: &str, value: &str) -> bool {
    let value = value.trim();
    if let Some((.., truth)) = UNSUPPORTED.iter().find(|(setting, ..)| *setting == name) {
        return *truth == Some(value);
    }
    match name {
        "role" => value == "traditional",
        "database"
        | "anonymous_reports"
        | "nginx_daemon"
        | "nginx_main_daemon"
        | "wasm"
        | "admin_gui_listen"
        | "debug_listen"
        | "request_debug"
        | "cluster_listen"
        | "cluster_telemetry_listen" => value == "off",
        _ => false,
    }
}

/// Iterates over the names, and prefixes with `*`, of ignored Kong settings, each with the reason.
pub(super) fn ignored_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    IGNORED.iter().copied()
}

/// Returns the reason why a Kong setting is ignored.
pub fn ignored_reason(name: &str) -> Option<&'static str> {
    let fits = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    };
    IGNORED.iter().find(|(pattern, _)| fits(pattern)).map(|(_, why)| *why)
}
