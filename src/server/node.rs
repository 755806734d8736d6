//! From the node's settings to what the machine and the proxy are told.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    time::Duration,
};

use http::HeaderName;

use super::{Read, Serve, ServeError, admin};
use crate::{
    config::{
        Input,
        listen::{self, Host, Listeners},
        read,
        settings::{
            ErrorType, Pem, RouteMatch, RouterFlavor, Secret, Settings, TrustedPeer, UntrustedLua, Workers,
        },
    },
    net::Keepalive,
    proxy::{Listener, Traffic},
    router::{Calculation, Flavor},
    runtime::{AddedHeaders, BodyForm, Mock, Options, RealIp},
    store::Clock,
};

impl Serve {
    /// What the settings say, for a configuration from there. Files are watched; 30 seconds to drain.
    ///
    /// # Errors
    /// When a certificate cannot be read or a name has no address.
    pub fn new(settings: &Settings, input: Input, read: Read, mock: Mock) -> Result<Self, ServeError> {
        Ok(Serve {
            input,
            read: Read { flavor: flavor(settings), ..read },
            options: options(settings, mock)?,
            listeners: [listeners(&settings.proxy_listen)?, streams(&settings.stream_listen)?].concat(),
            admin: admin(settings)?,
            node_id: settings.node_id,
            watch: true,
            drain: Duration::from_secs(30),
            clock: Clock::System,
        })
    }
}

/// The flavor that the settings name.
pub fn flavor(settings: &Settings) -> Flavor {
    match settings.router_flavor {
        RouterFlavor::TraditionalCompatible => Flavor::TraditionalCompatible,
        RouterFlavor::Traditional => Flavor::Traditional,
        RouterFlavor::Expressions => Flavor::Expressions,
    }
}

/// The data plane's options. Reads the certificates that the settings name.
///
/// # Errors
/// When one cannot be read.
pub fn options(settings: &Settings, mock: Mock) -> Result<Options, ServeError> {
    let headers = settings.headers;
    let client_certificate = pair(
        settings.client_ssl_cert.as_ref().filter(|_| settings.client_ssl),
        settings.client_ssl_cert_key.as_ref(),
    )?;
    Ok(Options {
        certificate: pair(settings.ssl_cert.first(), settings.ssl_cert_key.first())?,
        client_certificate,
        trusted_authorities: authorities(&settings.lua_ssl_trusted_certificate)?,
        flavor: flavor(settings),
        calculation: match settings.route_match_calculation {
            RouteMatch::Original => Calculation::Original,
            RouteMatch::Strict => Calculation::Strict,
        },
        workers: match settings.nginx_worker_processes {
            Workers::Auto => 0,
            Workers::Count(n) => usize::from(n),
        },
        trusted: settings
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
            proxy_latency: headers.proxy_latency,
            response_latency: headers.response_latency,
            upstream_latency: headers.upstream_latency,
            upstream_status: headers.upstream_status,
            request_id: headers.request_id,
        },
        request_id_upstream: settings.headers_upstream.request_id,
        keepalive: Keepalive {
            idle: settings.upstream_keepalive_pool_size as usize,
            timeout: settings.upstream_keepalive_idle_timeout,
            requests: match settings.upstream_keepalive_max_requests {
                0 => u32::MAX,
                n => n,
            },
        },
        max_body: settings.client_max_body_size.0,
        port_maps: settings.port_maps.iter().map(|map| (map.listen, map.host)).collect(),
        error_form: match settings.error_default_type {
            ErrorType::Plain => BodyForm::Plain,
            ErrorType::Json => BodyForm::Json,
            ErrorType::Html => BodyForm::Html,
            ErrorType::Xml => BodyForm::Xml,
        },
        debug_header: settings.allow_debug_header,
        untrusted_lua: settings.untrusted_lua != UntrustedLua::Off,
        client_timeout: settings.client_header_timeout,
        idle_timeout: settings.keepalive_timeout,
        mock,
        ..Options::default()
    })
}

/// A certificate and its key, both in PEM.
fn pair(cert: Option<&Pem>, key: Option<&Secret>) -> Result<Option<(String, String)>, ServeError> {
    match cert.zip(key) {
        Some((cert, key)) => Ok(Some((pem(&cert.0)?, pem(&key.0)?))),
        None => Ok(None),
    }
}

/// Authorities in PEM, one after the other. `system` are those of the system, if it has any.
fn authorities(list: &[Pem]) -> Result<Option<String>, ServeError> {
    const SYSTEM: [&str; 3] =
        ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
    let mut all = String::new();
    for Pem(source) in list {
        if source == "system" {
            all.extend(SYSTEM.iter().find_map(|path| std::fs::read_to_string(path).ok()));
        } else {
            all.push_str(&pem(source)?);
        }
        all.push('\n');
    }
    Ok((!all.trim().is_empty()).then_some(all))
}

fn pem(source: &str) -> Result<String, ServeError> {
    let bytes = read::pem(source).map_err(|error| ServeError::Setting(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| ServeError::Setting("a certificate or key is not PEM".to_owned()))
}

/// How the admin and status APIs are served.
///
/// # Errors
/// When a name has no address, or a certificate cannot be read.
pub fn admin(settings: &Settings) -> Result<admin::Options, ServeError> {
    let mut told = serde_json::to_value(settings).unwrap_or_default();
    // Clients look at these to learn that the API cannot write.
    told["database"] = "off".into();
    told["role"] = "traditional".into();
    Ok(admin::Options {
        listeners: listeners(&settings.admin_listen)?,
        certificate: pair(settings.admin_ssl_cert.first(), settings.admin_ssl_cert_key.first())?,
        status_listeners: listeners(&settings.status_listen)?,
        status_certificate: pair(settings.status_ssl_cert.first(), settings.status_ssl_cert_key.first())?,
        max_body: settings.admin_client_max_body_size.0,
        settings: told,
    })
}

/// The addresses of a list, names looked up.
///
/// # Errors
/// When a name has no address.
pub fn listeners(list: &Listeners) -> Result<Vec<Listener>, ServeError> {
    let mut found = Vec::new();
    for listener in &list.0 {
        let plain = Listener::plain(address(listener)?);
        found.push(Listener {
            tls: listener.ssl,
            http2: listener.http2,
            proxy_protocol: listener.proxy_protocol,
            backlog: listener.backlog.unwrap_or(plain.backlog),
            ..plain
        });
    }
    Ok(found)
}

/// The addresses of a list for streams.
fn streams(list: &Listeners) -> Result<Vec<Listener>, ServeError> {
    let mut found = listeners(list)?;
    for (made, listener) in found.iter_mut().zip(&list.0) {
        made.traffic = if listener.udp { Traffic::Datagrams } else { Traffic::Streams };
    }
    Ok(found)
}

/// The socket address of a listener.
fn address(listener: &listen::Listener) -> Result<SocketAddr, ServeError> {
    let name = match &listener.host {
        Host::Ip(ip) => return Ok(SocketAddr::new(*ip, listener.port)),
        Host::Name(name) => name,
    };
    let failed = |error| ServeError::Listen { address: listener.address(), error };
    let mut addresses = (name.as_str(), listener.port).to_socket_addrs().map_err(failed)?;
    addresses.next().ok_or_else(|| failed(std::io::Error::other("the name has no address")))
}
