//! What the settings of a node become.

use super::*;
use config::settings::{self, ROWS, Sources, unsupported_reason};

#[test]
fn a_head_may_be_as_large_as_the_largest_buffer() {
    let limits = |first: u64, large: &str| {
        let settings = Settings {
            client_header_buffer_size: settings::Size(first),
            large_client_header_buffers: large.to_owned(),
            ..Settings::default()
        };
        head(&settings).map(|limits| (limits.line, limits.total)).ok()
    };
    assert_eq!(limits(1024, "4 8k"), Some((8192, 32768)));
    assert_eq!(limits(65536, "4 8k"), Some((65536, 65536)));
    assert_eq!(limits(1024, "0 8k"), None);
    assert_eq!(limits(1024, "8k"), None);
}

#[test]
fn http_listeners_are_deferred_and_stream_listeners_only_with_the_flag() {
    let deferred = |found: Result<Vec<Listener>, ServeError>| {
        found.unwrap().iter().map(|listener| listener.deferred).collect::<Vec<_>>()
    };
    let list = Listeners::parse("127.0.0.1:1, 127.0.0.1:2 deferred, 127.0.0.1:3 udp deferred").unwrap();
    let settings = Settings { stream_listen: list, ..Settings::default() };
    assert_eq!(deferred(streams(&settings)), [false, true, false]);
    let list = Listeners::parse("127.0.0.1:1").unwrap();
    assert_eq!(deferred(listeners(&settings, "proxy_listen", &list)), [true]);
}

#[test]
fn an_error_of_a_file_names_its_setting() {
    let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let other = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap().signing_key;
    let other = other.serialize_pem();
    let error = |flags: &[(&str, &str)]| {
        let flags = flags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (settings, _) = settings::load(&Sources { flags, ..Sources::default() });
        let made = options(&settings, crate::catalog().registry().clone(), Mock::Off)
            .map(drop)
            .and_then(|()| admin(&settings, crate::catalog().registry()).map(drop));
        made.expect_err("an error").to_string()
    };
    for (flags, start) in [
        (
            &[("error_template_html", "/nowhere/x")][..],
            "--error-template-html: cannot read `/nowhere/x`: no such",
        ),
        (&[("ssl_cert", "/nowhere/x"), ("ssl_cert_key", &key)], "--ssl-cert: /nowhere/x: neither a file"),
        (
            &[("ssl_cert", &cert), ("ssl_cert_key", "/nowhere/x")],
            "--ssl-cert-key: /nowhere/x: neither a file",
        ),
        (&[("ssl_cert", &cert), ("ssl_cert_key", &cert)], "--ssl-cert-key: not a private key"),
        (&[("admin_ssl_cert", &cert), ("admin_ssl_cert_key", &other)], "--admin-ssl-cert: "),
        (&[("status_ssl_cert", &key), ("status_ssl_cert_key", &key)], "--status-ssl-cert: not a certificate"),
        (
            &[("client_ssl", "on"), ("client_ssl_cert", &key), ("client_ssl_cert_key", &key)],
            "--client-ssl-cert: not a certificate",
        ),
        (&[("lua_ssl_trusted_certificate", &key)], "--lua-ssl-trusted-certificate: not a certificate"),
        (&[("admin_ssl_client_certificate", "x")], "--admin-ssl-client-certificate: "),
        (&[("admin_listen", "nowhere.invalid:1")], "--admin-listen: `nowhere.invalid:1` cannot be resolved"),
    ] {
        let error = error(flags);
        assert!(error.starts_with(start), "{start}: {error}");
    }
}

#[test]
fn settings_are_shown_in_kongs_types_without_secrets() {
    let flags = [
        ("proxy_listen", "127.0.0.1:8000, 127.0.0.1:8443 http2 ssl"),
        ("declarative_config_string", "{\"secret\": 1}"),
        ("client_ssl", "off"),
    ];
    let flags = flags.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let (settings, _) = settings::load(&Sources { flags, ..Sources::default() });
    let shown = settings_json(&settings, crate::catalog().registry());
    assert_eq!(shown["proxy_listen"], json!(["127.0.0.1:8000", "127.0.0.1:8443 http2 ssl"]));
    assert_eq!(shown["proxy_listeners"][1]["ssl"], true);
    assert_eq!(shown["client_ssl"], false);
    assert_eq!(shown["keepalive_timeout"], 75);
    assert_eq!(shown["plugins"], json!(["bundled"]));
    assert_eq!(shown["database"], "off");
    assert_eq!(shown["declarative_config_string"], "******");
    assert_eq!(shown.get("ssl_cert"), None);
}

/// All that the gateway takes from settings, as text. The settings themselves, which `GET /` of the admin API shows, are
/// left out.
fn built(flags: &[(&str, &str)]) -> String {
    let flags = flags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let (settings, issues) = settings::load(&Sources { flags, ..Sources::default() });
    let wrong: Vec<_> = issues.iter().filter(|issue| issue.level == source::Level::Error).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let read = ReadOptions {
        catalog: crate::catalog(),
        kong_strict: false,
        flavor: Flavor::default(),
        env: std::sync::Arc::new(|_| None),
        vault_env_prefix: None,
        plugin_enabled: std::sync::Arc::new(|_| true),
        allow_unsupported: false,
    };
    let input = Input::Text { name: String::new(), text: Vec::new() };
    let ServeOptions { options, listeners, admin, read, node_id, evict_code_pages, access_logs, .. } =
        ServeOptions::new(&settings, input, read, Mock::Off).expect("options");
    let admin = admin::Options { settings: Value::Null, ..admin };
    let (flavor, prefix) = (read.flavor, read.vault_env_prefix);
    format!(
        "{options:?} {listeners:?} {admin:?} {flavor:?} {prefix:?} {node_id:?} {evict_code_pages} {access_logs:?}"
    )
}

/// Settings that the command line reads; `config` checks that it does.
const OF_COMMAND_LINE: &[&str] =
    &["declarative_config", "declarative_config_string", "plugins", "log_level", "log_format"];

#[test]
fn a_setting_changes_what_is_built_unless_it_is_marked_as_without_effect() {
    let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let (cert, key) = (&*made.cert.pem(), &*made.signing_key.serialize_pem());
    let template = std::env::temp_dir().join(format!("gatewayctl-template-{}", std::process::id()));
    std::fs::write(&template, "%s %s").unwrap();
    let file = template.to_str().unwrap();
    // Another value than the default, and settings without which it has no effect, as text.
    let sample = |name: &str| -> (&str, Vec<(&str, &str)>) {
        let custom = || vec![("ssl_cipher_suite", "custom")];
        match name {
            "proxy_listen" | "admin_listen" | "status_listen" | "stream_listen" => ("127.0.0.1:9", vec![]),
            "port_maps" => ("80:8000", vec![]),
            "nginx_worker_processes" => ("3", vec![]),
            "admin_allowed_hosts" => ("*.example.com", vec![]),
            "admin_allowed_origins" | "admin_gui_url" => ("https://example.com", vec![]),
            "admin_token" => ("0123456789abcdef0123", vec![]),
            "vaults" => ("off", vec![]),
            "vault_env_prefix" => ("A_", vec![]),
            "router_flavor" => ("expressions", vec![]),
            "route_match_calculation" => ("strict", vec![]),
            "node_id" => ("5ad4e1d6-4b8f-4e33-9a3e-1f6a3a0a3c11", vec![]),
            "headers" | "headers_upstream" | "upstream_keepalive_pool_size" => match name {
                "upstream_keepalive_pool_size" => ("7", vec![]),
                _ => ("off", vec![]),
            },
            "trusted_ips" => ("10.0.0.0/8", vec![]),
            "real_ip_header" => ("X-Forwarded-For", vec![]),
            "error_default_type" => ("application/json", vec![]),
            "large_client_header_buffers" => ("2 4k", vec![]),
            "client_header_buffer_size" => ("64k", vec![]),
            "ssl_cert" => (cert, vec![("ssl_cert_key", key)]),
            "ssl_cert_key" => (key, vec![("ssl_cert", cert)]),
            "admin_ssl_cert" => (cert, vec![("admin_ssl_cert_key", key)]),
            "admin_ssl_cert_key" => (key, vec![("admin_ssl_cert", cert)]),
            "status_ssl_cert" => (cert, vec![("status_ssl_cert_key", key)]),
            "status_ssl_cert_key" => (key, vec![("status_ssl_cert", cert)]),
            "client_ssl" => ("on", vec![("client_ssl_cert", cert), ("client_ssl_cert_key", key)]),
            "client_ssl_cert" => (cert, vec![("client_ssl", "on"), ("client_ssl_cert_key", key)]),
            "client_ssl_cert_key" => (key, vec![("client_ssl", "on"), ("client_ssl_cert", cert)]),
            "admin_ssl_client_certificate" | "lua_ssl_trusted_certificate" => (cert, vec![]),
            "ssl_cipher_suite" => ("modern", vec![]),
            "ssl_ciphers" => ("ECDHE-RSA-AES128-GCM-SHA256", custom()),
            "ssl_protocols" => ("TLSv1.3", custom()),
            "ssl_prefer_server_ciphers" => ("off", custom()),
            "ssl_session_tickets" => ("off", vec![]),
            "lua_ssl_protocols" => ("TLSv1.3", vec![]),
            "dns_resolver" => ("127.0.0.1:53", vec![]),
            "dns_hostsfile" => (file, vec![]),
            "dns_order" => ("A", vec![]),
            "tracing_instrumentations" => ("request", vec![]),
            "tracing_sampling_rate" => ("0.5", vec![]),
            "untrusted_lua" => ("off", vec![]),
            "untrusted_lua_sandbox_requires" | "untrusted_lua_sandbox_environment" => ("a", vec![]),
            name if name.starts_with("error_template_") => (file, vec![]),
            "access_log_format" => ("combined '$status'", vec![("proxy_access_log", "/dev/stdout combined")]),
            "access_log_query" => ("full", vec![("proxy_access_log", "/dev/stdout")]),
            "request_metrics" => ("off", vec![]),
            "product_token" => ("kong", vec![]),
            name if name.ends_with("_access_log") => ("/dev/stdout", vec![]),
            // Sizes, times, counts and switches that are off.
            name => match ROWS.iter().find(|row| row.name == name).map(|row| row.default) {
                Some("off") => ("on", vec![]),
                _ => ("7", vec![]),
            },
        }
    };
    for row in ROWS.iter().filter(|row| !OF_COMMAND_LINE.contains(&row.name)) {
        let (value, mut flags) = sample(row.name);
        // Certificates and keys are only accepted together.
        let pairs = flags.iter().any(|(name, _)| name.contains("ssl_cert"));
        let before = if pairs { built(&[]) } else { built(&flags) };
        flags.push((row.name, value));
        let is_read = built(&flags) != before;
        let reason = unsupported_reason(row.name);
        assert_eq!(is_read, reason.is_none(), "{} = {value}: marked as without effect: {reason:?}", row.name);
    }
    std::fs::remove_file(&template).unwrap();
}
