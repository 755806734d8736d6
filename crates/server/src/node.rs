//! Conversion of the node's settings to the options of the server, the APIs and the data plane.

mod dns;

use std::{
    net::{SocketAddr, ToSocketAddrs},
    time::Duration,
};

use http::HeaderName;
use serde_json::{Value, json};

use super::{AccessLogs, ReadOptions, ServeError, ServeOptions, admin, handover::InheritedState};
use config::{
    Input, input,
    listen::{self, Host, Listeners},
    settings::{
        CipherSuite, ErrorType, Pem, RouteMatch, RouterFlavor, Secret, Settings, TlsVersion, TrustedPeer,
        UntrustedLua, Workers,
    },
};
use net::{
    KeepaliveLimits, ServerTls,
    tls::{TlsError, parse_certificates, parse_certified_key},
};
use plugin::Registry;
use proxy::{Listener, Traffic};
use router::{Flavor, PriorityMode};
use runtime::{AddedHeaders, ErrorFormat, ErrorTemplates, HeadLimits, Mock, Options, ProductToken, RealIp};
use store::Clock;

impl ServeOptions {
    /// Creates options from the settings. Files are watched; the drain limit is 30 seconds.
    ///
    /// # Errors
    /// When a certificate cannot be read or a name has no address.
    pub fn new(settings: &Settings, input: Input, read: ReadOptions, mock: Mock) -> Result<Self, ServeError> {
        Ok(ServeOptions {
            input,
            options: options(settings, read.catalog.registry().clone(), mock)?,
            listeners: [listeners(settings, "proxy_listen", &settings.proxy_listen)?, streams(settings)?]
                .concat(),
            origins: settings.origins.clone(),
            admin: admin(settings, read.catalog.registry())?,
            access_logs: AccessLogs::new(settings)?,
            read: ReadOptions {
                flavor: flavor(settings),
                vault_env_prefix: settings.vault_env_prefix.clone(),
                ..read
            },
            node_id: settings.node_id,
            watch: true,
            drain: Duration::from_secs(30),
            drain_delay: Duration::ZERO,
            evict_code_pages: settings.code_page_eviction,
            inherited: InheritedState::default(),
            exec: None,
            clock: Clock::System,
        })
    }
}

/// Converts the router flavor.
pub fn flavor(settings: &Settings) -> Flavor {
    match settings.router_flavor {
        RouterFlavor::TraditionalCompatible => Flavor::TraditionalCompatible,
        RouterFlavor::Traditional => Flavor::Traditional,
        RouterFlavor::Expressions => Flavor::Expressions,
    }
}

/// Creates the options of the data plane. Reads certificates and error templates from their files.
///
/// # Errors
/// When one cannot be read.
pub fn options(settings: &Settings, registry: Registry, mock: Mock) -> Result<Options, ServeError> {
    let headers = settings.headers;
    let client_certificate = pair(
        settings,
        "client_ssl_cert",
        settings.client_ssl_cert.as_ref().filter(|_| settings.client_ssl),
        settings.client_ssl_cert_key.as_ref(),
    )?;
    Ok(Options {
        certificates: pairs(settings, "ssl_cert", &settings.ssl_cert, &settings.ssl_cert_key)?,
        tls: tls(settings),
        head: head(settings)?,
        error_templates: ErrorTemplates {
            plain: template(settings, "error_template_plain", settings.error_template_plain.as_deref())?,
            json: template(settings, "error_template_json", settings.error_template_json.as_deref())?,
            html: template(settings, "error_template_html", settings.error_template_html.as_deref())?,
            xml: template(settings, "error_template_xml", settings.error_template_xml.as_deref())?,
        },
        client_certificate,
        dns: dns::options(settings)?,
        verify_depth: settings.lua_ssl_verify_depth,
        trusted_authorities: authorities(
            settings,
            "lua_ssl_trusted_certificate",
            &settings.lua_ssl_trusted_certificate,
        )?,
        flavor: flavor(settings),
        calculation: match settings.route_match_calculation {
            RouteMatch::Original => PriorityMode::Original,
            RouteMatch::Strict => PriorityMode::Strict,
        },
        workers: match settings.nginx_worker_processes {
            Workers::Auto => 0,
            Workers::Count(n) => usize::from(n),
        },
        trusted_ips: settings
            .trusted_ips
            .iter()
            .filter_map(|peer| match peer {
                TrustedPeer::Net(net) => Some(*net),
                TrustedPeer::Unix => None,
            })
            .collect(),
        real_ip: if settings.real_ip_header.eq_ignore_ascii_case("proxy_protocol") {
            RealIp::ProxyProtocol
        } else {
            let name = HeaderName::try_from(settings.real_ip_header.as_str());
            RealIp::Header(name.unwrap_or(HeaderName::from_static("x-real-ip")))
        },
        real_ip_recursive: settings.real_ip_recursive,
        headers: AddedHeaders {
            server: headers.server,
            via: headers.via,
            product: match settings.product_token {
                config::settings::ProductToken::Gatewayctl => ProductToken::Gatewayctl,
                config::settings::ProductToken::Kong => ProductToken::Kong,
            },
            proxy_latency: headers.proxy_latency,
            response_latency: headers.response_latency,
            upstream_latency: headers.upstream_latency,
            upstream_status: headers.upstream_status,
            request_id: headers.request_id,
        },
        request_id_upstream: settings.headers_upstream.request_id,
        keepalive: KeepaliveLimits {
            max_idle: settings.upstream_keepalive_pool_size as usize,
            idle_timeout: settings.upstream_keepalive_idle_timeout,
            max_requests: match settings.upstream_keepalive_max_requests {
                0 => u32::MAX,
                n => n,
            },
        },
        max_body: settings.client_max_body_size.0,
        max_buffered_bytes: settings.body_buffer_total_size.0,
        max_buffered_bytes_per_connection: usize::try_from(settings.body_buffer_connection_size.0)
            .unwrap_or(usize::MAX),
        port_maps: settings.port_maps.iter().map(|map| (map.listen, map.host)).collect(),
        error_format: match settings.error_default_type {
            ErrorType::Plain => ErrorFormat::Plain,
            ErrorType::Json => ErrorFormat::Json,
            ErrorType::Html => ErrorFormat::Html,
            ErrorType::Xml => ErrorFormat::Xml,
        },
        debug_header: settings.allow_debug_header,
        untrusted_lua: settings.untrusted_lua != UntrustedLua::Off,
        header_timeout: settings.client_header_timeout,
        body_timeout: settings.client_body_timeout,
        send_timeout: settings.send_timeout,
        idle_timeout: settings.keepalive_timeout,
        max_requests_per_connection: settings.keepalive_requests,
        request_metrics: settings.request_metrics,
        mock,
        registry,
        ..Options::default()
    })
}

/// Converts the TLS settings towards clients.
fn tls(settings: &Settings) -> ServerTls {
    let versions = settings.tls_versions();
    let custom = settings.ssl_cipher_suite == CipherSuite::Custom;
    let named = |list: &str| list.split(':').map(|name| name.trim().to_owned()).collect();
    ServerTls {
        tls12: versions.contains(&TlsVersion::V12),
        tls13: versions.contains(&TlsVersion::V13),
        suites: match settings.ssl_cipher_suite {
            CipherSuite::Custom => settings.ssl_ciphers.as_deref().map(named),
            CipherSuite::Fips => Some(named(
                "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384",
            )),
            _ => None,
        },
        server_order: settings.ssl_cipher_suite == CipherSuite::Old
            || custom && settings.ssl_prefer_server_ciphers,
        tickets: settings.ssl_session_tickets,
        // nginx fits about 4,000 sessions into a megabyte.
        sessions: usize::try_from(settings.ssl_session_cache_size.0 / 256).unwrap_or(usize::MAX),
        session_timeout: settings.ssl_session_timeout,
    }
}

/// Parses `large_client_header_buffers`: number and size of buffers, such as `4 8k`. As in nginx, a head that fits
/// `client_header_buffer_size` needs none of them.
fn head(settings: &Settings) -> Result<HeadLimits, ServeError> {
    let buffers = &settings.large_client_header_buffers;
    let first = usize::try_from(settings.client_header_buffer_size.0).unwrap_or(usize::MAX);
    let parsed = buffers.split_once(char::is_whitespace).and_then(|(count, size)| {
        let size = size.trim().to_ascii_lowercase();
        let (digits, unit) = match size.as_bytes().last()? {
            b'k' => (&size[..size.len() - 1], 1024),
            b'm' => (&size[..size.len() - 1], 1024 * 1024),
            _ => (&size[..], 1),
        };
        let line = digits.parse::<usize>().ok()?.checked_mul(unit)?;
        let total = line.checked_mul(count.trim().parse().ok()?)?;
        (total > 0).then(|| HeadLimits { line: line.max(first), total: total.max(first) })
    });
    parsed.ok_or_else(|| {
        let message = format!("`{buffers}` is not a count and a size such as `4 8k`");
        ServeError::Setting(settings.error("large_client_header_buffers", message, None))
    })
}

/// Reads a custom error template.
fn template(settings: &Settings, name: &str, path: Option<&str>) -> Result<Option<Box<str>>, ServeError> {
    let Some(path) = path.filter(|path| !path.is_empty()) else { return Ok(None) };
    let text = std::fs::read_to_string(path);
    text.map(|text| Some(text.into())).map_err(|error| {
        let message = format!("cannot read `{path}`: {}", input::io_error_reason(&error));
        ServeError::Setting(settings.error(name, message, None))
    })
}

/// Reads certificates with their keys, in the order of the lists.
fn pairs(
    settings: &Settings,
    name: &str,
    certs: &[Pem],
    keys: &[Secret],
) -> Result<Vec<(String, String)>, ServeError> {
    let made = certs.iter().zip(keys).map(|(cert, key)| pair(settings, name, Some(cert), Some(key)));
    made.filter_map(Result::transpose).collect()
}

/// Reads and checks the certificate of the setting `name` and its key, both in PEM.
fn pair(
    settings: &Settings,
    name: &str,
    cert: Option<&Pem>,
    key: Option<&Secret>,
) -> Result<Option<(String, String)>, ServeError> {
    let Some((cert, key)) = cert.zip(key) else { return Ok(None) };
    let key_name = format!("{name}_key");
    let (cert, key) = (pem(settings, name, &cert.0)?, pem(settings, &key_name, &key.0)?);
    match parse_certified_key(&cert, &key) {
        Ok(_) => Ok(Some((cert, key))),
        Err(error) => {
            let name = if matches!(error, TlsError::Key | TlsError::UnfitKey(_)) { &key_name } else { name };
            Err(ServeError::Setting(settings.error(name, error.to_string(), None)))
        }
    }
}

/// Reads certificate authorities in PEM and concatenates them. `system` selects the system's trust store, if there is one.
fn authorities(settings: &Settings, name: &str, list: &[Pem]) -> Result<Option<String>, ServeError> {
    let mut all = String::new();
    for Pem(source) in list {
        if source == "system" {
            all.extend(net::system_authorities());
        } else {
            let pem = pem(settings, name, source)?;
            parse_certificates(&pem)
                .map_err(|error| ServeError::Setting(settings.error(name, error.to_string(), None)))?;
            all.push_str(&pem);
        }
        all.push('\n');
    }
    Ok((!all.trim().is_empty()).then_some(all))
}

/// Reads the PEM that a value of the setting `name` contains or refers to.
fn pem(settings: &Settings, name: &str, source: &str) -> Result<String, ServeError> {
    let failed = |message: String| ServeError::Setting(settings.error(name, message, None));
    let bytes = input::pem(source).map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| failed("this is not PEM".to_owned()))
}

/// Creates the options of the admin and status APIs.
///
/// # Errors
/// When a name has no address, or a certificate cannot be read.
pub fn admin(settings: &Settings, registry: &Registry) -> Result<admin::Options, ServeError> {
    Ok(admin::Options {
        listeners: listeners(settings, "admin_listen", &settings.admin_listen)?,
        certificate: pair(
            settings,
            "admin_ssl_cert",
            settings.admin_ssl_cert.first(),
            settings.admin_ssl_cert_key.first(),
        )?,
        status_listeners: listeners(settings, "status_listen", &settings.status_listen)?,
        status_certificate: pair(
            settings,
            "status_ssl_cert",
            settings.status_ssl_cert.first(),
            settings.status_ssl_cert_key.first(),
        )?,
        client_authorities: authorities(
            settings,
            "admin_ssl_client_certificate",
            &settings.admin_ssl_client_certificate,
        )?,
        guard: admin::Guard {
            hosts: settings.admin_allowed_hosts.clone(),
            origins: [&settings.admin_gui_url[..], &settings.admin_allowed_origins].concat(),
            token: settings.admin_token.clone(),
        },
        max_body: settings.admin_client_max_body_size.0,
        max_buffered: settings.admin_body_buffer_total_size.0,
        settings: settings_json(settings, registry),
    })
}

/// Boolean settings.
const BOOLEAN_SETTINGS: [&str; 8] = [
    "allow_debug_header",
    "client_ssl",
    "dns_no_sync",
    "listen_shared",
    "real_ip_recursive",
    "request_metrics",
    "ssl_prefer_server_ciphers",
    "ssl_session_tickets",
];
/// List settings.
const LIST_SETTINGS: [&str; 22] = [
    "admin_allowed_hosts",
    "admin_allowed_origins",
    "admin_gui_url",
    "admin_listen",
    "admin_ssl_cert",
    "admin_ssl_cert_key",
    "admin_ssl_client_certificate",
    "dns_order",
    "dns_resolver",
    "headers",
    "headers_upstream",
    "lua_ssl_trusted_certificate",
    "plugins",
    "port_maps",
    "proxy_listen",
    "ssl_cert",
    "ssl_cert_key",
    "status_listen",
    "stream_listen",
    "tracing_instrumentations",
    "trusted_ips",
    "vaults",
];

/// Renders the settings for `GET /` of the admin API, with secrets hidden and in Kong's types. Clients read some of them
/// to detect features of the node.
fn settings_json(settings: &Settings, registry: &Registry) -> Value {
    let mut shown = serde_json::to_value(settings).unwrap_or_default();
    if let Value::Object(fields) = &mut shown {
        fields.retain(|_, value| value != "");
        for (name, value) in fields.iter_mut() {
            let Value::String(text) = value else { continue };
            *value = if BOOLEAN_SETTINGS.contains(&name.as_str()) {
                Value::Bool(text == "on")
            } else if LIST_SETTINGS.contains(&name.as_str()) {
                text.split(',').map(str::trim).collect()
            } else if let Ok(number) = text.parse::<u64>() {
                number.into()
            } else {
                continue;
            };
        }
    }
    for (name, list) in [
        ("proxy_listeners", &settings.proxy_listen),
        ("admin_listeners", &settings.admin_listen),
        ("status_listeners", &settings.status_listen),
    ] {
        let one = |l: &listen::Listener| {
            let ip = match &l.host {
                Host::Ip(ip) => ip.to_string(),
                Host::Name(name) => name.clone(),
            };
            json!({ "ip": ip, "port": l.port, "ssl": l.ssl, "http2": l.http2, "listener": l.address() })
        };
        shown[name] = list.0.iter().map(one).collect();
    }
    let loaded = registry.descriptors().filter(|entry| settings.allows_plugin(&entry.name));
    shown["loaded_plugins"] = loaded.map(|entry| (entry.name.to_string(), Value::Bool(true))).collect();
    shown["database"] = "off".into();
    shown["role"] = "traditional".into();
    shown
}

/// Converts the listeners of the setting `name`, resolving host names.
///
/// # Errors
/// When a name has no address.
fn listeners(settings: &Settings, name: &str, list: &Listeners) -> Result<Vec<Listener>, ServeError> {
    let mut found = Vec::new();
    for listener in &list.0 {
        let address = address(listener).map_err(|error| {
            let message = format!("`{}` cannot be resolved: {error}", listener.address());
            ServeError::Setting(settings.error(name, message, None))
        })?;
        let plain = Listener::plain(address);
        found.push(Listener {
            tls: listener.ssl,
            http2: listener.http2,
            proxy_protocol: listener.proxy_protocol,
            backlog: listener.backlog.unwrap_or(plain.backlog),
            only_v6: listener.ipv6only.unwrap_or(plain.only_v6),
            so_keepalive: listener.so_keepalive,
            shared: settings.listen_shared,
            ..plain
        });
    }
    Ok(found)
}

/// Converts the stream listeners.
fn streams(settings: &Settings) -> Result<Vec<Listener>, ServeError> {
    let list = &settings.stream_listen;
    let mut found = listeners(settings, "stream_listen", list)?;
    for (made, listener) in found.iter_mut().zip(&list.0) {
        made.traffic = if listener.udp { Traffic::Datagrams } else { Traffic::Streams };
        made.deferred = listener.deferred && !listener.udp;
    }
    Ok(found)
}

/// Resolves the socket address of a listener.
fn address(listener: &listen::Listener) -> std::io::Result<SocketAddr> {
    let name = match &listener.host {
        Host::Ip(ip) => return Ok(SocketAddr::new(*ip, listener.port)),
        Host::Name(name) => name,
    };
    let mut addresses = (name.as_str(), listener.port).to_socket_addrs()?;
    addresses.next().ok_or_else(|| std::io::Error::other("the name has no address"))
}

#[cfg(test)]
mod tests;
