//! Checks across settings: contradictions, and values that have no effect because of another setting.

use super::{
    table::Settings,
    value::{CipherSuite, DnsRecord, TrustedPeer},
};
use crate::listen::Listener;
use source::Level;

/// Conflict of one setting with others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    pub level: Level,
    pub setting: &'static str,
    pub message: String,
    pub help: String,
}

/// Checks combinations of settings that are valid individually. `given` returns whether a setting was set
/// explicitly.
pub(super) fn check(settings: &Settings, given: &dyn Fn(&str) -> bool) -> Vec<Conflict> {
    let mut found = Vec::new();
    let mut warn = |setting, message: String, help: &str| {
        found.push(Conflict { level: Level::Warning, setting, message, help: help.to_owned() });
    };
    check_tls(settings, given, &mut warn);
    check_clients(settings, given, &mut warn);
    check_limits(settings, &mut warn);
    if settings.declarative_config.is_some() && settings.declarative_config_string.is_some() {
        warn(
            "declarative_config_string",
            "has no effect: `declarative_config` names a file".to_owned(),
            "set one of the two",
        );
    }
    found.extend(addresses_given_twice(settings));
    found.extend(dns_order_without_types(settings));
    found
}

type Warn<'a> = dyn FnMut(&'static str, String, &str) + 'a;

fn check_tls(settings: &Settings, given: &dyn Fn(&str) -> bool, warn: &mut Warn<'_>) {
    let proxy_ssl = settings.proxy_listen.any_ssl() || settings.stream_listen.any_ssl();
    let (admin_ssl, status_ssl) = (settings.admin_listen.any_ssl(), settings.status_listen.any_ssl());
    for (setting, is_given, takes_effect, listen) in [
        (
            "ssl_cert",
            !settings.ssl_cert.is_empty(),
            proxy_ssl || admin_ssl || status_ssl,
            "`proxy_listen` or `stream_listen`",
        ),
        ("admin_ssl_cert", !settings.admin_ssl_cert.is_empty(), admin_ssl, "`admin_listen`"),
        ("status_ssl_cert", !settings.status_ssl_cert.is_empty(), status_ssl, "`status_listen`"),
        (
            "admin_ssl_client_certificate",
            !settings.admin_ssl_client_certificate.is_empty(),
            admin_ssl,
            "`admin_listen`",
        ),
    ] {
        if is_given && !takes_effect {
            let message = format!("has no effect: no address of {listen} has the flag `ssl`");
            warn(setting, message, "add `ssl` after the address, or leave the certificate out");
        }
    }
    match (settings.client_ssl, settings.client_ssl_cert.is_some()) {
        (true, false) => warn(
            "client_ssl",
            "has no effect: there is no certificate to show".to_owned(),
            "set `client_ssl_cert` and `client_ssl_cert_key`",
        ),
        (false, true) => {
            warn("client_ssl_cert", "has no effect: `client_ssl` is off".to_owned(), "set `client_ssl = on`");
        }
        _ => {}
    }
    if settings.ssl_cipher_suite != CipherSuite::Custom {
        let suite = settings.ssl_cipher_suite.name();
        let default = Settings::default();
        for name in ["ssl_ciphers", "ssl_protocols", "ssl_prefer_server_ciphers"] {
            if given(name) && settings.show(name) != default.show(name) {
                let message = format!("has no effect: `ssl_cipher_suite` is `{suite}`, which decides");
                warn(name, message, "set `ssl_cipher_suite = custom`");
            }
        }
    }
}

fn check_clients(settings: &Settings, given: &dyn Fn(&str) -> bool, warn: &mut Warn<'_>) {
    if settings.trusted_ips.contains(&TrustedPeer::Unix) {
        let message = "`unix:` has no effect: Unix sockets cannot be listened on".to_owned();
        warn("trusted_ips", message, "leave it out");
    }
    if settings.real_ip_header == "proxy_protocol" {
        let lists = [&settings.proxy_listen, &settings.stream_listen];
        if !lists.iter().any(|list| list.0.iter().any(|listener| listener.proxy_protocol)) {
            warn(
                "real_ip_header",
                "has no effect: no address of `proxy_listen` has the flag `proxy_protocol`".to_owned(),
                "add `proxy_protocol` after the address",
            );
        }
    } else if settings.trusted_ips.is_empty() {
        for name in ["real_ip_header", "real_ip_recursive"] {
            if given(name) && settings.show(name) != Settings::default().show(name) {
                let message = "has no effect: `trusted_ips` is empty, so no client's header is trusted";
                warn(name, message.to_owned(), "set `trusted_ips` to the addresses of your proxies");
            }
        }
    }
}

fn check_limits(settings: &Settings, warn: &mut Warn<'_>) {
    // 0 disables the limit of admin API bodies.
    let admin_total = settings.admin_body_buffer_total_size;
    for (setting, total_setting, contradicts) in [
        (
            "body_buffer_connection_size",
            "body_buffer_total_size",
            settings.body_buffer_connection_size > settings.body_buffer_total_size,
        ),
        (
            "admin_client_max_body_size",
            "admin_body_buffer_total_size",
            admin_total.0 > 0 && settings.admin_client_max_body_size > admin_total,
        ),
    ] {
        if contradicts {
            let shown = |name| settings.show(name).unwrap_or_default();
            let message = format!(
                "`{}` is more than `{total_setting}` allows in sum, `{}`",
                shown(setting),
                shown(total_setting)
            );
            warn(setting, message, &format!("lower it, or raise `{total_setting}`"));
        }
    }
}

/// Reports an order without a type to query: no name would resolve.
fn dns_order_without_types(settings: &Settings) -> Option<Conflict> {
    let has_type = settings.dns_order.iter().any(|record| *record != DnsRecord::Last);
    (!has_type).then(|| Conflict {
        level: Level::Error,
        setting: "dns_order",
        message: "has no type of records to query".to_owned(),
        help: "add `A`".to_owned(),
    })
}

/// Reports addresses used by two settings, since only one listener can be bound.
fn addresses_given_twice(settings: &Settings) -> Vec<Conflict> {
    let lists = [
        ("proxy_listen", &settings.proxy_listen),
        ("stream_listen", &settings.stream_listen),
        ("admin_listen", &settings.admin_listen),
        ("status_listen", &settings.status_listen),
    ];
    let all: Vec<(&'static str, &Listener)> =
        lists.iter().flat_map(|(name, list)| list.0.iter().map(|listener| (*name, listener))).collect();
    let mut found = Vec::new();
    for (i, (setting, listener)) in all.iter().enumerate() {
        let same = |(_, other): &&(&str, &Listener)| {
            listener.port != 0
                && other.host == listener.host
                && other.port == listener.port
                && other.udp == listener.udp
        };
        if let Some((other, _)) = all[..i].iter().find(same) {
            found.push(Conflict {
                level: Level::Error,
                setting,
                message: format!("`{}` is an address of `{other}` already", listener.address()),
                help: "give each its own port".to_owned(),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::{Sources, load};

    /// Returns the issues of settings as `name: message`.
    #[track_caller]
    fn issues(flags: &[(&str, &str)]) -> Vec<String> {
        let flags = flags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (_, issues) = load(&Sources { flags, ..Sources::default() });
        issues.iter().map(|issue| format!("{}: {}", issue.setting, issue.message)).collect()
    }

    #[test]
    fn values_overridden_by_other_settings_are_warnings() {
        for (flags, start) in [
            (&[("client_ssl", "on")][..], "client_ssl: has no effect: there is no certificate"),
            (
                &[("client_ssl_cert", "/a"), ("client_ssl_cert_key", "/b")],
                "client_ssl_cert: has no effect: `client_ssl` is off",
            ),
            (&[("ssl_protocols", "TLSv1.3")], "ssl_protocols: has no effect: `ssl_cipher_suite` is"),
            (
                &[("admin_ssl_client_certificate", "/a")],
                "admin_ssl_client_certificate: has no effect: no address of `admin_listen`",
            ),
            (
                &[("proxy_listen", "127.0.0.1:1"), ("ssl_cert", "/a"), ("ssl_cert_key", "/b")],
                "ssl_cert: has no effect",
            ),
            (
                &[("real_ip_header", "X-Forwarded-For")],
                "real_ip_header: has no effect: `trusted_ips` is empty",
            ),
            (
                &[("real_ip_header", "proxy_protocol"), ("trusted_ips", "10.0.0.0/8")],
                "real_ip_header: has no effect: no address of `proxy_listen`",
            ),
            (&[("trusted_ips", "unix:")], "trusted_ips: `unix:` has no effect"),
            (
                &[("declarative_config", "/a"), ("declarative_config_string", "{}")],
                "declarative_config_string: has no effect",
            ),
        ] {
            let issues = issues(flags);
            assert!(issues.len() == 1 && issues[0].starts_with(start), "{flags:?}: {issues:#?}");
        }
        assert_eq!(issues(&[("ssl_cipher_suite", "custom"), ("ssl_protocols", "TLSv1.3")]), [""; 0]);
        assert_eq!(issues(&[("trusted_ips", "10.0.0.0/8"), ("real_ip_recursive", "on")]), [""; 0]);
    }

    #[test]
    fn a_limit_above_the_total_limit_is_a_warning() {
        let connection = [("body_buffer_connection_size", "64m"), ("body_buffer_total_size", "32m")];
        assert_eq!(
            issues(&connection),
            ["body_buffer_connection_size: `64m` is more than `body_buffer_total_size` allows in sum, `32m`"]
        );
        assert_eq!(issues(&[("admin_client_max_body_size", "65m")]).len(), 1);
        let unlimited = [("admin_client_max_body_size", "65m"), ("admin_body_buffer_total_size", "0")];
        assert_eq!(issues(&unlimited), [""; 0]);
    }

    #[test]
    fn an_address_of_two_settings_is_an_error() {
        let twice = [("proxy_listen", "127.0.0.1:1, 127.0.0.1:2"), ("stream_listen", "127.0.0.1:2")];
        assert_eq!(issues(&twice), ["stream_listen: `127.0.0.1:2` is an address of `proxy_listen` already"]);
        let other_transport = [("proxy_listen", "127.0.0.1:2"), ("stream_listen", "127.0.0.1:2 udp")];
        assert_eq!(issues(&other_transport), [""; 0]);
    }
}
