use std::{net::IpAddr, time::Duration};

use super::*;
use source::Level;

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

fn from_env(list: &[(&str, &str)]) -> (Settings, Vec<Issue>) {
    load(&Sources { environment: pairs(list), ..Sources::default() })
}

fn from_file(text: &str) -> (Settings, Vec<Issue>) {
    load(&Sources { file: Some(("kong.conf", text)), ..Sources::default() })
}

#[track_caller]
fn clean((settings, issues): (Settings, Vec<Issue>)) -> Settings {
    assert!(issues.is_empty(), "{issues:#?}");
    settings
}

#[track_caller]
fn only((_, mut issues): (Settings, Vec<Issue>)) -> Issue {
    assert_eq!(issues.len(), 1, "{issues:#?}");
    issues.remove(0)
}

#[test]
fn every_default_round_trips() {
    let settings = clean(load(&Sources::default()));
    assert_eq!(settings, Settings::default());
    for row in ROWS {
        let shown = settings.show(row.name).expect("a row is a field");
        let mut again = Settings::default();
        assert_eq!(again.assign(row.name, &shown), Some(Ok(())), "{}: {shown}", row.name);
        assert_eq!(again, settings, "{}", row.name);
    }
}

#[test]
fn flags_win_over_variables_over_the_file_over_the_defaults() {
    let mut sources = Sources {
        file: Some(("kong.conf", "log_level = debug\nadmin_listen = 127.0.0.1:1\nclient_body_timeout = 4\n")),
        environment: pairs(&[
            ("KONG_ADMIN_LISTEN", "127.0.0.1:2"),
            ("KONG_LOG_LEVEL", "warn"),
            ("OTHER", "x"),
        ]),
        flags: pairs(&[("admin-listen", "off")]),
        set: pairs(&[("client_body_timeout", "5")]),
    };
    let settings = clean(load(&sources));
    assert!(settings.admin_listen.is_off());
    assert_eq!(settings.log_level, LogLevel::Warn);
    assert_eq!(settings.client_body_timeout, Duration::from_secs(5));
    assert!(settings.ssl_session_tickets, "the default");
    assert_eq!(settings.router_flavor, RouterFlavor::TraditionalCompatible);
    sources.flags.clear();
    sources.set.clear();
    let settings = clean(load(&sources));
    assert_eq!(settings.admin_listen.0[0].port, 2);
    assert_eq!(settings.client_body_timeout, Duration::from_secs(4));
}

#[test]
fn a_file_has_comments_continuations_and_escaped_hashes() {
    let settings = clean(from_file(
        "# a comment\n\n  proxy_listen = 0.0.0.0:1, \\\n    0.0.0.0:2 ssl # two of them\r\ndeclarative_config=a\\#b\n",
    ));
    assert_eq!(settings.proxy_listen.0.len(), 2);
    assert_eq!(settings.declarative_config.as_deref(), Some("a#b"));
}

#[test]
fn an_error_in_a_file_has_its_line() {
    let issue = only(from_file("# one\nlog_level = loud\n"));
    assert_eq!(issue.level, Level::Error);
    assert_eq!(issue.origin, Origin::File("kong.conf".into(), 2));
    assert!(issue.to_string().starts_with("kong.conf:2: log_level: `loud` is not one of"), "{issue}");
    assert_eq!(only(from_file("proxy_listen\n")).level, Level::Error);
    let twice = only(from_file("headers = off\nheaders = via\n"));
    assert!(twice.message.contains("kong.conf:1"), "{twice}");
}

#[test]
fn an_unknown_name_in_a_file_is_a_warning_with_the_nearest_name() {
    let issue = only(from_file("proxy_listn = off\n"));
    assert_eq!(issue.level, Level::Warning);
    assert_eq!(issue.help.as_deref(), Some("did you mean `proxy_listen`?"));
}

#[test]
fn an_unknown_variable_is_reported_only_if_near_a_known_one() {
    clean(from_env(&[("KONG_PROXY_SERVICE_HOST", "10.0.0.1"), ("kong_headers", "off"), ("KONG_", "x")]));
    let issue = only(from_env(&[("KONG_ROUTER_FLAVOUR", "expressions")]));
    assert_eq!(issue.help.as_deref(), Some("did you mean `KONG_ROUTER_FLAVOR`?"));
}

#[test]
fn an_unknown_flag_is_an_error() {
    let sources = Sources { flags: pairs(&[("proxy-lisen", "off")]), ..Sources::default() };
    let issue = only(load(&sources));
    assert_eq!((issue.level, issue.help.as_deref()), (Level::Error, Some("did you mean `--proxy-listen`?")));
}

#[test]
fn a_setting_of_kongs_without_effect_here_is_a_warning_with_the_reason() {
    for name in ["database", "pg_host", "prefix", "nginx_http_charset", "lua_package_path", "cluster_listen"]
    {
        let issue = only(from_file(&format!("{name} = x\n")));
        assert_eq!(issue.level, Level::Warning, "{name}");
        assert!(issue.to_string().starts_with(&format!("kong.conf:1: {name}: has no effect: ")), "{issue}");
    }
    for (name, value) in
        [("KONG_DATABASE", "off"), ("KONG_ROLE", "traditional"), ("KONG_NGINX_DAEMON", "off")]
    {
        assert_eq!(only(from_env(&[(name, value)])).level, Level::Note, "{name}: nothing else happens");
    }
}

#[test]
fn no_supported_setting_is_listed_as_ignored() {
    for (alias, setting) in ALIASES {
        assert!(ROWS.iter().any(|row| row.name == *setting), "{alias} stands for unknown {setting}");
        assert!(ROWS.iter().all(|row| row.name != *alias), "{alias} is both");
    }
}

#[test]
fn the_own_name_of_a_setting_overrides_its_aliases() {
    let settings = clean(from_env(&[("KONG_NGINX_HTTP_CLIENT_MAX_BODY_SIZE", "1k")]));
    assert_eq!(settings.client_max_body_size, Size(1024));
    let both = [
        ("KONG_REAL_IP_HEADER", "X-A"),
        ("KONG_NGINX_PROXY_REAL_IP_HEADER", "X-B"),
        ("KONG_TRUSTED_IPS", "10.0.0.0/8"),
    ];
    assert_eq!(clean(from_env(&both)).real_ip_header, "X-A");
}

#[test]
fn an_empty_value_clears_a_list_and_is_otherwise_absent() {
    let settings = clean(from_env(&[("KONG_PLUGINS", ""), ("KONG_LOG_LEVEL", ""), ("KONG_SSL_CERT", "")]));
    assert!(settings.plugins.is_empty());
    assert_eq!(settings.log_level, LogLevel::Notice);
}

#[test]
fn switches_sizes_and_times_parse_as_in_kong_and_nginx() {
    let trusted = ("KONG_TRUSTED_IPS", "10.0.0.0/8");
    for (text, value) in [("on", true), ("true", true), ("yes", true), ("off", false), ("false", false)] {
        assert_eq!(
            clean(from_env(&[("KONG_REAL_IP_RECURSIVE", text), trusted])).real_ip_recursive,
            value,
            "{text}"
        );
    }
    assert_eq!(only(from_env(&[("KONG_CLIENT_SSL", "1x")])).level, Level::Error);
    for (text, bytes) in [("0", 0), ("8k", 8192), ("1m", 1 << 20), ("2G", 2 << 30), ("17", 17)] {
        assert_eq!(Size::parse(text), Ok(Size(bytes)), "{text}");
    }
    for text in ["", "k", "1.5m", "8kb", "-1", "99999999999999999999", "18446744073709551615g"] {
        assert!(Size::parse(text).is_err(), "{text}");
    }
    for (text, millis) in [
        ("60", 60_000),
        ("0.5", 500),
        ("1d", 86_400_000),
        ("1h 30m", 5_400_000),
        ("1h30m", 5_400_000),
        ("20ms", 20),
    ] {
        assert_eq!(parse_time(text), Some(Duration::from_millis(millis)), "{text}");
    }
    for text in ["", "x", "-1", "5q", "s", "inf", "99999999999999999999d"] {
        assert_eq!(parse_time(text), None, "{text}");
    }
}

#[test]
fn headers_are_enabled_individually_and_in_groups() {
    let default = Settings::default().headers;
    assert!(
        default.via
            && default.server
            && default.proxy_latency
            && default.request_id
            && !default.upstream_status
    );
    let headers = |text| clean(from_env(&[("KONG_HEADERS", text)])).headers;
    assert_eq!(headers("off"), ResponseHeaders::default());
    let one = headers("x-kong-UPSTREAM-status, off");
    assert_eq!(one, ResponseHeaders { upstream_status: true, ..ResponseHeaders::default() });
    assert_eq!(one.show(), "X-Kong-Upstream-Status");
    let issue = only(from_env(&[("KONG_HEADERS", "latency_token")]));
    assert_eq!(issue.help.as_deref(), Some("did you mean `latency_tokens`?"));
    assert!(!clean(from_env(&[("KONG_HEADERS_UPSTREAM", "off")])).headers_upstream.request_id);
}

#[test]
fn trusted_peers_are_addresses_and_blocks() {
    let settings = clean(from_env(&[("KONG_TRUSTED_IPS", "127.0.0.1, 10.0.0.0/8,::/0")]));
    let trusts = |text: &str| settings.trusts(text.parse::<IpAddr>().expect("ip"));
    assert!(trusts("127.0.0.1") && trusts("10.9.9.9") && trusts("fe80::1") && trusts("::ffff:10.1.1.1"));
    assert!(!trusts("127.0.0.2") && !trusts("192.168.0.1"));
    let issue = only(from_env(&[("KONG_TRUSTED_IPS", "10.0.0.0/99")]));
    assert!(issue.message.contains("`10.0.0.0/99`"), "{issue}");
}

#[test]
fn external_ports_are_mapped_from_listening_ports() {
    let settings = clean(from_env(&[("KONG_PORT_MAPS", "80:8000,443:8443")]));
    assert_eq!((settings.outer_port(8443), settings.outer_port(9)), (443, 9));
    assert_eq!(only(from_env(&[("KONG_PORT_MAPS", "80")])).level, Level::Error);
}

#[test]
fn the_cipher_suite_decides_the_versions_unless_it_is_custom() {
    let versions = |suite, protocols| {
        let env = [("KONG_SSL_CIPHER_SUITE", suite), ("KONG_SSL_PROTOCOLS", protocols)];
        from_env(&env).0.tls_versions()
    };
    assert_eq!(versions("modern", "TLSv1.2"), [TlsVersion::V13]);
    assert_eq!(versions("intermediate", "TLSv1.3"), [TlsVersion::V12, TlsVersion::V13]);
    assert_eq!(versions("custom", "TLSv1.1 TLSv1.2"), [TlsVersion::V12]);
    let env = [("KONG_SSL_CIPHER_SUITE", "custom"), ("KONG_SSL_PROTOCOLS", "TLSv1")];
    let levels: Vec<Level> = from_env(&env).1.iter().map(|i| i.level).collect();
    assert_eq!(levels, [Level::Warning, Level::Error]);
}

#[test]
fn a_certificate_without_its_key_is_an_error() {
    let issue = only(from_env(&[("KONG_SSL_CERT", "/a.pem,/b.pem"), ("KONG_SSL_CERT_KEY", "/a.key")]));
    assert_eq!(issue.origin, Origin::Variable("KONG_SSL_CERT".into()));
    assert!(issue.message.contains("2 of them, but 1"), "{issue}");
    only(from_env(&[("KONG_CLIENT_SSL_CERT_KEY", "/a.key")]));
}

#[test]
fn values_with_limits_beyond_their_kind_are_checked() {
    for (name, value) in [
        ("KONG_TRACING_SAMPLING_RATE", "1.5"),
        ("KONG_TRACING_INSTRUMENTATIONS", "routr"),
        ("KONG_TRACING_INSTRUMENTATIONS", "off,router"),
        ("KONG_NGINX_HTTP_LARGE_CLIENT_HEADER_BUFFERS", "8k"),
        ("KONG_REAL_IP_HEADER", "X Forwarded"),
        ("KONG_PROXY_LISTEN", "0.0.0.0:1 udp"),
        ("KONG_DNS_ORDER", "LAST"),
        ("KONG_DNS_ORDER", ""),
        ("KONG_DNS_ORDER", "A,MX"),
        ("KONG_DNS_RESOLVER", "ns.test"),
    ] {
        let (_, issues) = from_env(&[(name, value)]);
        let errors = issues.iter().filter(|issue| issue.level == Level::Error);
        assert_eq!(errors.count(), 1, "{name}={value}: {issues:#?}");
    }
}

#[test]
fn secrets_are_never_printed() {
    let env = [
        ("KONG_SSL_CERT", "c"),
        ("KONG_SSL_CERT_KEY", "hidden-key"),
        ("KONG_DECLARATIVE_CONFIG_STRING", "hidden-doc"),
        ("KONG_LOG_LEVEL", "{vault://env/level}"),
        ("LEVEL", "hidden-level"),
    ];
    let (settings, issues) = from_env(&env);
    assert_eq!(settings.ssl_cert_key, [Secret("hidden-key".into())]);
    let json = serde_json::to_string(&settings).expect("serializes");
    for text in [format!("{settings:?}"), json, format!("{issues:?}")] {
        assert!(!text.contains("hidden"), "{text}");
    }
    assert_eq!(issues.len(), 1);
}

#[test]
fn a_value_may_be_read_from_the_environment_by_reference() {
    let settings = clean(from_env(&[("KONG_LOG_LEVEL", "{vault://env/my-level}"), ("MY_LEVEL", "debug")]));
    assert_eq!(settings.log_level, LogLevel::Debug);
    assert_eq!(only(from_env(&[("KONG_LOG_LEVEL", "{vault://env/none}")])).level, Level::Error);
}

#[test]
fn plugins_are_allowed_by_name_all_together_or_not_at_all() {
    let settings = |text| clean(from_env(&[("KONG_PLUGINS", text)]));
    assert!(Settings::default().allows_plugin("cors"));
    assert!(settings("cors, jwt").allows_plugin("jwt"));
    assert!(!settings("cors,jwt").allows_plugin("acl"));
    assert!(!settings("off").allows_plugin("cors"));
}

#[test]
fn record_types_are_read_in_any_case() {
    let order = clean(from_env(&[("KONG_DNS_ORDER", "last, a,Aaaa")])).dns_order;
    assert_eq!(order, [DnsRecord::Last, DnsRecord::A, DnsRecord::Aaaa]);
    assert_eq!(order.show(), "LAST,A,AAAA");
}

#[test]
fn logs_go_to_a_path_with_a_format_or_nowhere() {
    let (settings, _) = from_env(&[("KONG_PROXY_ACCESS_LOG", "/dev/stdout custom_fmt")]);
    let expected = LogTarget::File { path: "/dev/stdout".into(), format: Some("custom_fmt".into()) };
    assert_eq!(settings.proxy_access_log, expected);
    assert_eq!(clean(from_env(&[("KONG_PROXY_ACCESS_LOG", "off")])).proxy_access_log, LogTarget::Off);
}

#[test]
fn a_format_of_access_logs_is_a_name_and_quoted_text() {
    let format = |text: &str| clean(from_env(&[("KONG_NGINX_HTTP_LOG_FORMAT", text)])).access_log_format;
    let expected = |escape, text: &str| {
        Some(AccessLogFormat { name: "short".to_owned(), escape, text: text.to_owned() })
    };
    assert_eq!(format("short '$status' \" it's $host\""), expected(LogEscape::Default, "$status it's $host"));
    assert_eq!(format(r"short escape=json '{\'a\\b\x\'}'"), expected(LogEscape::Json, r"{'a\b\x'}"));
    let shown = expected(LogEscape::Json, r"it's \ $a").unwrap();
    assert_eq!(AccessLogFormat::parse(&shown.show()), Ok(shown));
    for wrong in ["short", "short $status", "short '$status", "short escape=xml 'a'", "short 'a' b"] {
        assert_eq!(only(from_env(&[("KONG_ACCESS_LOG_FORMAT", wrong)])).level, Level::Error, "{wrong}");
    }
}

#[test]
fn a_vault_reference_is_shown_as_given() {
    let settings = clean(from_env(&[("KONG_LOG_LEVEL", "{vault://env/my-level}"), ("MY_LEVEL", "debug")]));
    assert_eq!(settings.log_level, LogLevel::Debug, "what counts is the value");
    assert_eq!(settings.show("log_level").as_deref(), Some("{vault://env/my-level}"));
}

#[test]
fn the_prefix_of_variables_applies_to_settings_from_every_source() {
    let environment =
        pairs(&[("KONG_LOG_LEVEL", "{vault://env/level}"), ("A_LEVEL", "debug"), ("LEVEL", "warn")]);
    for (file, set) in [("vault_env_prefix = A_", &[][..]), ("", &[("vault_env_prefix", "A_")])] {
        let file = Some(("kong.conf", file));
        let loaded =
            load(&Sources { file, environment: environment.clone(), set: pairs(set), ..Sources::default() });
        assert_eq!(clean(loaded).log_level, LogLevel::Debug);
    }
    let loaded = load(&Sources { environment, ..Sources::default() });
    assert_eq!(clean(loaded).log_level, LogLevel::Warn);
}

#[test]
fn an_invalid_token_is_explained_without_repeating_it() {
    let issue = only(from_env(&[("KONG_ADMIN_TOKEN", "hunter2")]));
    assert_eq!(issue.level, Level::Error);
    assert!(issue.message.contains("at least 16") && !issue.message.contains("hunter2"), "{issue}");
    assert!(issue.message.ends_with("in hex"), "{issue}");
}

#[test]
fn the_reference_page_has_every_setting() {
    let page = reference();
    for row in ROWS {
        assert!(page.contains(&format!("\n### {}\n", row.name)), "{}", row.name);
        assert!(page.contains(&row.variable()), "{}", row.name);
    }
}

#[test]
fn flags_without_effect_are_reported() {
    let issue = only(from_file("stream_listen = 127.0.0.1:1 udp deferred, 127.0.0.1:2 deferred\n"));
    assert_eq!((issue.level, issue.setting.as_str()), (Level::Note, "stream_listen"));
    assert!(issue.message.starts_with("`deferred` has no meaning here: "), "{issue}");
    let issue = only(from_file("admin_listen = 127.0.0.1:2 deferred\n"));
    assert_eq!((issue.level, issue.setting.as_str()), (Level::Note, "admin_listen"));
    clean(from_file("proxy_listen = 127.0.0.1:1 deferred\nstream_listen = 127.0.0.1:2 deferred\n"));
}

#[test]
fn an_unsupported_setting_is_a_warning_from_every_source() {
    let sources = Sources {
        file: Some(("kong.conf", "log_level = notice\nuntrusted_lua_sandbox_requires = a\n")),
        environment: pairs(&[("KONG_TRACING_SAMPLING_RATE", "0.01")]),
        flags: pairs(&[("proxy_access_log", "off")]),
        set: pairs(&[("vaults", "off")]),
    };
    let (_, issues) = load(&sources);
    let reason_text: Vec<String> = issues.iter().map(ToString::to_string).collect();
    let starts = [
        "--set vaults: has no effect yet: ",
        "kong.conf:2: untrusted_lua_sandbox_requires: has no effect yet: ",
        "KONG_TRACING_SAMPLING_RATE: has no effect yet: ",
    ];
    assert_eq!(reason_text.len(), starts.len(), "{reason_text:#?}");
    for start in starts {
        assert!(reason_text.iter().any(|line| line.starts_with(start)), "{start}: {reason_text:#?}");
    }
    assert!(issues.iter().all(|issue| issue.level == Level::Warning));
}

/// Source code that reads settings, without white space before dots.
fn readers() -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = [
        "crates/config/src/settings/table.rs",
        "crates/server/src/access_logs.rs",
        "crates/server/src/node.rs",
        "crates/server/src/node/dns.rs",
        "src/cli/log.rs",
        "src/cli/commands/serve/mod.rs",
        "src/cli/commands/serve/settings.rs",
    ];
    let text = files.map(|name| std::fs::read_to_string(root.join(name)).expect("a source file")).concat();
    text.lines()
        .map(str::trim)
        .fold(String::new(), |all, line| if line.starts_with('.') { all + line } else { all + "\n" + line })
}

#[test]
fn exactly_the_settings_without_readers_are_marked_unsupported() {
    let readers = readers();
    let is_read = |name: &str| {
        ["settings.", "self."].iter().any(|owner| {
            let field = format!("{owner}{name}");
            let end = |at: usize| readers[at + field.len()..].chars().next();
            readers
                .match_indices(&field)
                .any(|(at, _)| end(at).is_none_or(|c| !c.is_alphanumeric() && c != '_'))
        })
    };
    for row in ROWS {
        assert_ne!(is_read(row.name), unsupported_reason(row.name).is_some(), "{}", row.name);
    }
    let page = reference();
    let marked = page.split("\n### ").filter(|part| part.contains("- **no effect yet**: "));
    let marked: Vec<&str> = marked.filter_map(|part| part.lines().next()).collect();
    let expected: Vec<&str> =
        ROWS.iter().map(|row| row.name).filter(|name| unsupported_reason(name).is_some()).collect();
    assert_eq!(marked, expected);
    assert!(page.contains("| `pg_*` | there is no database"));
}

#[test]
fn a_misspelled_name_suggests_the_nearest_in_its_sources_spelling() {
    let sources = Sources { set: pairs(&[("proxy-listn", "off")]), ..Sources::default() };
    let issue = only(load(&sources));
    assert_eq!(issue.level, Level::Error);
    assert_eq!(issue.to_string(), "--set proxy-listn: is not a setting (did you mean `--set proxy_listen`?)");
    let issue = only(from_file("databse = off\n"));
    assert_eq!(issue.to_string(), "kong.conf:1: databse: is not a setting (did you mean `database`?)");
}

#[test]
fn a_later_error_names_the_setting_and_its_origin() {
    let (settings, _) = from_env(&[("KONG_SSL_CERT", "/a"), ("KONG_SSL_CERT_KEY", "/b")]);
    assert_eq!(settings.error("ssl_cert", "m", None).to_string(), "KONG_SSL_CERT: m");
    assert_eq!(settings.error("proxy_listen", "m", Some("h".into())).to_string(), "proxy_listen: m (h)");
}
