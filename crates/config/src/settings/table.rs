//! Table of all supported settings: name, type, default, and reference text.
//!
//! To add a setting, add a row. The struct, its defaults, the flags, the variables and `docs/settings.md` are
//! derived from it.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use super::admin::{AdminToken, HostPattern, WebOrigin};
use super::load::Origin;
use super::value::{
    AccessLogFormat, BadValue, CipherSuite, DnsRecord, ErrorType, LogFormat, LogLevel, LogTarget, Pem,
    PortMap, ProductToken, QueryLogging, ResponseHeaders, RouteMatch, RouterFlavor, Secret, Setting, Size,
    TlsVersion, TrustedPeer, UntrustedLua, UpstreamHeaders, Workers,
};
use crate::listen::Listeners;

/// Metadata of a setting, for the reference page, flags and shell completions.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Section of the reference page.
    pub section: &'static str,
    /// Name in `kong.conf`. The variable is `KONG_` and the name in upper case, the flag `--` and the name with
    /// dashes.
    pub name: &'static str,
    /// Default as text; empty if there is none.
    pub default: &'static str,
    /// Description of the accepted values.
    pub form: &'static str,
    /// Whether the value must never be printed.
    pub secret: bool,
    /// Whether an empty text is a valid value ("none") rather than absent.
    pub empty: bool,
    /// Description, line by line.
    pub doc: &'static [&'static str],
}

impl Row {
    /// Returns the name of the environment variable.
    pub fn variable(&self) -> String {
        format!("KONG_{}", self.name.to_ascii_uppercase())
    }
}

macro_rules! settings {
    ($($section:literal { $($(#[doc = $doc:literal])+ $name:ident: $kind:ty = $default:literal;)+ })+) => {
        /// Settings of one node, with a value for each.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $($($(#[doc = $doc])+ pub $name: $kind,)+)+
            /// Vault references as given, by setting.
            pub references: BTreeMap<&'static str, String>,
            /// Origins of the settings that differ from the default.
            pub origins: BTreeMap<&'static str, Origin>,
        }

        /// All settings, in the order of the reference page.
        pub const ROWS: &[Row] = &[$($(Row {
            section: $section,
            name: stringify!($name),
            default: $default,
            form: <$kind as Setting>::FORM,
            secret: <$kind as Setting>::SECRET,
            empty: <$kind as Setting>::EMPTY,
            doc: &[$($doc),+],
        },)+)+];

        impl Default for Settings {
            fn default() -> Self {
                Settings { references: BTreeMap::new(), origins: BTreeMap::new(), $($($name: <$kind as Setting>::parse($default)
                    .expect(concat!("the default of ", stringify!($name), " reads (a test loads them all)")),)+)+ }
            }
        }

        impl Settings {
            /// Parses and sets a setting by name; `None` if there is none of that name.
            pub(super) fn assign(&mut self, name: &str, text: &str) -> Option<Result<(), BadValue>> {
                match name {
                    $($(stringify!($name) => Some(Setting::parse(text).map(|value| self.$name = value)),)+)+
                    _ => None,
                }
            }

            /// Formats a setting as in `kong.conf`: secrets as stars, vault references as given.
            pub fn show(&self, name: &str) -> Option<String> {
                if let Some(reference) = self.references.get(name) {
                    return Some(reference.clone());
                }
                match name {
                    $($(stringify!($name) => Some(self.$name.show()),)+)+
                    _ => None,
                }
            }
        }
    };
}

settings! {
    "Listening" {
        /// Where clients are served HTTP, HTTPS, HTTP/2, gRPC and WebSocket. After each address may stand
        /// `ssl`, `http2`, `proxy_protocol`, `backlog=N`, `ipv6only=on|off`, `so_keepalive=…`; `reuseport`,
        /// `bind` and, on Linux, `deferred` are understood and always in force. Kong's default adds
        /// `reuseport backlog=16384`.
        proxy_listen: Listeners = "0.0.0.0:8000, 0.0.0.0:8443 http2 ssl";
        /// Where the admin API answers. Kong's default adds `127.0.0.1:8444 http2 ssl`.
        admin_listen: Listeners = "127.0.0.1:8001";
        /// Where health and metrics are served without the rest of the admin API. Kong's default is
        /// `127.0.0.1:8007`.
        status_listen: Listeners = "off";
        /// Where TCP, TLS and UDP routes are served; `udp` after an address makes it take datagrams, `deferred`
        /// accepts a client with its first data (Linux), which does not suit protocols where the server sends first.
        stream_listen: Listeners = "off";
        /// Ports as clients know them where a load balancer or a container maps them, such as
        /// `80:8000,443:8443`: routes that match ports, and `X-Forwarded-Port`, use the outer one.
        port_maps: Vec<PortMap> = "";
        /// Whether another process may listen at the same addresses of `proxy_listen` and `stream_listen` at the same time:
        /// the system spreads connections over both then. Otherwise an address in use is an error. Sockets that are handed
        /// over (`SIGUSR2`, systemd) need no such permission. Not a setting of Kong.
        listen_shared: bool = "off";
        /// How many threads serve requests.
        nginx_worker_processes: Workers = "auto";
        /// Whether the pages of the program's code are evicted from memory after the start and one second after a
        /// reload (Linux). An idle gateway then takes about 13 MB less; requests read the pages that serving needs
        /// from the page cache again, which adds latency. Not a setting of Kong.
        code_page_eviction: bool = "off";
    }
    "Access to the admin API" {
        /// Hosts of requests to the admin and status APIs beside addresses and names that public DNS cannot hold
        /// (`localhost`, one label, `.svc`, `.local`, `.internal`, …): `kong.example.com`, `*.example.com`, or `*`. A
        /// request with another `Host` is answered 403, since a web page may let its own name lead here. Not a
        /// setting of Kong.
        admin_allowed_hosts: Vec<HostPattern> = "";
        /// Web pages whose requests are taken, beside those of `admin_gui_url`; others are answered 403. Not a setting
        /// of Kong.
        admin_allowed_origins: Vec<WebOrigin> = "";
        /// URLs of a Kong Manager that is served elsewhere: its requests are taken.
        admin_gui_url: Vec<WebOrigin> = "";
        /// A token that each request to the admin API has to show, as `Authorization: Bearer …` or
        /// `Kong-Admin-Token: …`; others are answered 401. Best given as `sha256:` and its digest. Not a setting of
        /// Kong's open-source edition.
        admin_token: Option<AdminToken> = "";
        /// Authorities whose client certificates listeners of `admin_listen` with `ssl` ask for: paths, PEM, or base64
        /// of PEM (`nginx_admin_ssl_client_certificate`). None are asked for if none are given.
        admin_ssl_client_certificate: Vec<Pem> = "";
        /// Memory for the request bodies of the admin and status APIs together. Beyond it, requests are answered 503.
        /// Not a setting of Kong.
        admin_body_buffer_total_size: Size = "64m";
    }
    "Configuration" {
        /// The file or folder to serve if none is given as an argument.
        declarative_config: Option<String> = "";
        /// The document itself, for where a file is hard to come by.
        declarative_config_string: Option<Secret> = "";
        /// Which plugins may be used: `bundled`, names, or `off`.
        plugins: Vec<String> = "bundled";
        /// Which kinds of vault references may be used: `bundled`, names, or `off`.
        vaults: Vec<String> = "bundled";
        /// What the names of variables begin with that `{vault://env/…}` reads.
        vault_env_prefix: Option<String> = "";
        /// The language of routes.
        router_flavor: RouterFlavor = "traditional_compatible";
        /// Which of several matching routes wins where Kong 3.9 departs from its documentation: what
        /// it really does, or what is documented. Not a setting of Kong.
        route_match_calculation: RouteMatch = "original";
        /// A fixed id for this node; a new one at every start if not given.
        node_id: Option<uuid::Uuid> = "";
    }
    "Headers and clients" {
        /// Which headers answers carry. `server_tokens` stands for `Via` and `Server`, `latency_tokens`
        /// for `X-Kong-Proxy-Latency`, `X-Kong-Upstream-Latency`, `X-Kong-Response-Latency` and
        /// `X-Kong-Admin-Latency`; `X-Kong-Upstream-Status` and `X-Kong-Request-Id` stand for themselves.
        headers: ResponseHeaders = "server_tokens, latency_tokens, X-Kong-Request-Id";
        /// The product that `Server` and `Via` name: `gatewayctl` and its version, or `kong` and the version of the Kong
        /// that the gateway is compatible with, for clients that expect Kong's. Not a setting of Kong.
        product_token: ProductToken = "gatewayctl";
        /// Which headers of our own requests to upstreams carry.
        headers_upstream: UpstreamHeaders = "X-Kong-Request-Id";
        /// Peers whose `X-Forwarded-*` headers and client address are trusted: addresses, blocks, `unix:`.
        trusted_ips: Vec<TrustedPeer> = "";
        /// The header a trusted peer names the client's address in, or `proxy_protocol`.
        real_ip_header: String = "X-Real-IP";
        /// Whether to go on past trusted addresses, from the right, in a header that lists several.
        real_ip_recursive: bool = "off";
        /// Whether a request with a `Kong-Debug` header learns its route and service from the answer.
        allow_debug_header: bool = "off";
    }
    "Errors" {
        /// The type of an error answer when the request asks for none.
        error_default_type: ErrorType = "text/plain";
        /// A file that replaces the HTML error page: two `%s`, for the message and the request id.
        error_template_html: Option<String> = "";
        /// The same for JSON.
        error_template_json: Option<String> = "";
        /// The same for XML.
        error_template_xml: Option<String> = "";
        /// The same for plain text.
        error_template_plain: Option<String> = "";
    }
    "Limits of requests" {
        /// The largest request body taken; a larger one is answered 413. 0 means any. Kong knows this one
        /// as `nginx_http_client_max_body_size`.
        client_max_body_size: Size = "0";
        /// The first buffer for a request's head (`nginx_http_client_header_buffer_size`): what fits into it
        /// is taken even if the larger ones are smaller.
        client_header_buffer_size: Size = "1k";
        /// Memory for buffered bodies, for all clients together. Beyond it, request bodies stream to the
        /// upstream where they can, and are answered 503 where a plugin has to read them; responses that a
        /// plugin has to change are answered 503.
        body_buffer_total_size: Size = "256m";
        /// Memory for the buffered bodies of one client connection. Beyond it, request bodies stream to the
        /// upstream where they can, and are answered 413 where a plugin has to read them; responses that a
        /// plugin has to change are answered 502.
        body_buffer_connection_size: Size = "32m";
        /// Count and size of the larger buffers for a request's head (`nginx_http_large_client_header_buffers`):
        /// no header line may be longer than one, nor the head longer than all.
        large_client_header_buffers: String = "4 8k";
        /// How long the head of a request may take (`nginx_http_client_header_timeout`).
        client_header_timeout: Duration = "60";
        /// How long a client may pause while it sends a body (`nginx_http_client_body_timeout`).
        client_body_timeout: Duration = "60";
        /// How long a client may pause while it takes an answer (`nginx_http_send_timeout`).
        send_timeout: Duration = "60";
        /// How long an idle client connection is kept (`nginx_http_keepalive_timeout`); 0 closes each
        /// after one request.
        keepalive_timeout: Duration = "75";
        /// How many requests one client connection may carry (`nginx_http_keepalive_requests`): the last is
        /// answered with `Connection: close`, or GOAWAY.
        keepalive_requests: u32 = "10000";
        /// The largest body the admin API takes (`nginx_admin_client_max_body_size`).
        admin_client_max_body_size: Size = "10m";
    }
    "Upstream connections" {
        /// How many idle connections are kept for each address, port, TLS name and client certificate,
        /// and worker. 0 keeps none.
        upstream_keepalive_pool_size: u32 = "512";
        /// How many requests one connection may carry; 0 means any number.
        upstream_keepalive_max_requests: u32 = "10000";
        /// How long an idle connection is kept; 0 means until the upstream closes it.
        upstream_keepalive_idle_timeout: Duration = "60";
    }
    "TLS for clients" {
        /// Certificates for `proxy_listen` and `stream_listen` where the configuration has none for a name:
        /// paths, PEM, or base64 of PEM. One signed by itself is made if none is given.
        ssl_cert: Vec<Pem> = "";
        /// Their keys, in the same order.
        ssl_cert_key: Vec<Secret> = "";
        /// The same for `admin_listen`.
        admin_ssl_cert: Vec<Pem> = "";
        /// The same for `admin_listen`.
        admin_ssl_cert_key: Vec<Secret> = "";
        /// The same for `status_listen`.
        status_ssl_cert: Vec<Pem> = "";
        /// The same for `status_listen`.
        status_ssl_cert_key: Vec<Secret> = "";
        /// A named choice of versions and ciphers.
        ssl_cipher_suite: CipherSuite = "intermediate";
        /// Ciphers by OpenSSL's names, joined with `:`, in force with `ssl_cipher_suite = custom`.
        ssl_ciphers: Option<String> = "";
        /// Versions of TLS, in force with `ssl_cipher_suite = custom`.
        ssl_protocols: Vec<TlsVersion> = "TLSv1.2 TLSv1.3";
        /// Whether our order of ciphers counts rather than the client's, in force with
        /// `ssl_cipher_suite = custom`.
        ssl_prefer_server_ciphers: bool = "on";
        /// Whether sessions may be resumed by ticket.
        ssl_session_tickets: bool = "on";
        /// How long a session may be resumed; by ticket for twelve hours at most, when keys are forgotten.
        ssl_session_timeout: Duration = "1d";
        /// Room for sessions resumed by id, 256 bytes for each.
        ssl_session_cache_size: Size = "10m";
    }
    "TLS to upstreams and other servers" {
        /// Whether upstreams that ask for one are shown the certificate of `client_ssl_cert`.
        client_ssl: bool = "off";
        /// That certificate: a path, PEM, or base64 of PEM.
        client_ssl_cert: Option<Pem> = "";
        /// Its key: a path, PEM, or base64 of PEM.
        client_ssl_cert_key: Option<Secret> = "";
        /// Authorities trusted when an upstream's certificate is verified: `system`, paths, PEM, or base64 of PEM.
        lua_ssl_trusted_certificate: Vec<Pem> = "system";
        /// How many certificates may stand between a server's own and a trusted one, where a service has
        /// no `tls_verify_depth`.
        lua_ssl_verify_depth: u32 = "1";
        /// Versions of TLS for connections to other servers.
        lua_ssl_protocols: Vec<TlsVersion> = "TLSv1.2 TLSv1.3";
    }
    "Name resolution" {
        /// Name servers; those of `/etc/resolv.conf` if none are given. Its search list, `ndots`, `timeout`, `attempts`,
        /// `rotate` and `use-vc` apply in any case. The file is read once.
        dns_resolver: Vec<SocketAddr> = "";
        /// The file of fixed names, which precede DNS. It is read once.
        dns_hostsfile: String = "/etc/hosts";
        /// The types of records in the order in which they are queried. `LAST` is the type that succeeded last for the
        /// name. The targets of SRV records and aliases are resolved with `A` and `AAAA`, as far as the list has them.
        /// Kong's default does not have `AAAA`: names with IPv6 addresses only do not resolve there.
        dns_order: Vec<DnsRecord> = "LAST,SRV,A,AAAA,CNAME";
        /// The TTL of all records. If it is not given, their own TTL applies, from one second to one hour.
        dns_valid_ttl: Option<Duration> = "";
        /// How long addresses are used after their TTL, while a refresh is in flight in the background and while refreshes
        /// fail. They are not used any more once a name server has responded that the name does not exist.
        dns_stale_ttl: Duration = "3600";
        /// The maximum number of names in the cache, at least one. The name that was not used for the longest time is
        /// evicted.
        dns_cache_size: u32 = "10000";
        /// The TTL of the result that a name does not exist or has no records.
        dns_not_found_ttl: Duration = "30";
        /// The TTL of failures: no response, or an error of the name server. A refresh that fails is repeated after this
        /// time.
        dns_error_ttl: Duration = "1";
        /// Whether each request that finds no answer in the cache sends its own queries. Otherwise such requests wait for
        /// one lookup together.
        dns_no_sync: bool = "off";
    }
    "Logs and traces" {
        /// How much is logged on standard error. `info` is as much as `notice` here, and `crit`, `alert` and `emerg` as
        /// much as `error`.
        log_level: LogLevel = "notice";
        /// How a line of the log is written: `text` or `json`.
        log_format: LogFormat = "text";
        /// Where each request to the proxy is logged: a path, `/dev/stdout`, or `off`. A name after the path selects the
        /// format: `kong_log_format` (the default), nginx's `combined`, `json`, or the one of `access_log_format`.
        /// `SIGUSR1` opens the file again. Kong's default is `logs/access.log`.
        proxy_access_log: LogTarget = "off";
        /// Where each request to the admin API is logged; the default format is `combined`. Kong's default is
        /// `logs/admin_access.log`.
        admin_access_log: LogTarget = "off";
        /// Where each request to the status API is logged; the default format is `combined`.
        status_access_log: LogTarget = "off";
        /// A format that the settings of access logs can name, as in nginx's `log_format`: a name, `escape=json` or
        /// `escape=none` if need be, and text with variables in quotes.
        access_log_format: Option<AccessLogFormat> = "";
        /// How access logs contain the query of a request, in which a client may send a credential: `names` writes `***` in
        /// place of each value, `full` all of it, `off` nothing. Not a setting of Kong, which writes all of it.
        access_log_query: QueryLogging = "names";
        /// Whether requests are counted for `/metrics`. Not a setting of Kong.
        request_metrics: bool = "on";
        /// Where each proxied stream is logged. Kong's default is `logs/access.log basic`.
        proxy_stream_access_log: LogTarget = "off";
        /// Which spans are made: `all`, `request`, `http_client`, `balancer`, `router`, `plugin_access`,
        /// `plugin_rewrite`, `plugin_header_filter`, `dns_query`, `db_query`, or `off`.
        tracing_instrumentations: Vec<String> = "off";
        /// Which share of requests is traced, from 0 to 1.
        tracing_sampling_rate: f64 = "0.01";
    }
    "Code in configurations" {
        /// Whether the Lua of serverless functions and of `*_by_lua` fields runs.
        untrusted_lua: UntrustedLua = "sandbox";
        /// Which modules that Lua may load, in the sandbox.
        untrusted_lua_sandbox_requires: Vec<String> = "";
        /// Which globals it may see, in the sandbox.
        untrusted_lua_sandbox_environment: Vec<String> = "";
    }
}

impl Settings {
    /// Returns whether forwarding headers of a peer are trusted.
    pub fn trusts(&self, peer: std::net::IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_ips.iter().any(|t| matches!(t, TrustedPeer::Net(net) if net.contains(&peer)))
    }

    /// Returns the externally visible port for a listening port.
    pub fn outer_port(&self, port: u16) -> u16 {
        self.port_maps.iter().find(|m| m.listen == port).map_or(port, |m| m.host)
    }

    /// Returns the TLS versions offered to clients: those of the cipher suite unless it is `custom`, and never
    /// older than 1.2.
    pub fn tls_versions(&self) -> Vec<TlsVersion> {
        use TlsVersion::{V12, V13};
        match self.ssl_cipher_suite {
            CipherSuite::Modern => vec![V13],
            CipherSuite::Intermediate | CipherSuite::Old => vec![V12, V13],
            CipherSuite::Fips => vec![V12],
            CipherSuite::Custom => {
                [V12, V13].into_iter().filter(|v| self.ssl_protocols.contains(v)).collect()
            }
        }
    }

    /// Returns whether a plugin may be used.
    pub fn allows_plugin(&self, name: &str) -> bool {
        self.plugins.first().is_none_or(|first| first != "off")
            && self.plugins.iter().any(|p| p == "bundled" || p == name)
    }
}

impl serde::Serialize for Settings {
    /// Serialises as a map of names to `kong.conf` values; secrets as stars.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(ROWS.iter().map(|row| (row.name, self.show(row.name).unwrap_or_default())))
    }
}
