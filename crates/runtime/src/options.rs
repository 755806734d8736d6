//! Data-plane options, converted from the node's settings.

use std::{sync::Arc, time::Duration};

use ahash::AHashMap;
use http::HeaderName;
use ipnet::IpNet;

use net::{KeepaliveLimits, ServerTls};
use plugin::Registry;
use router::{Flavor, PriorityMode};
use telemetry::AccessLog;
use upstream::{DnsOptions, HostOverrides};

/// Services whose upstream is replaced by the built-in echo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mock {
    /// None.
    #[default]
    Off,
    /// Those whose host does not resolve or has no target.
    Unresolved,
    /// All.
    All,
}

/// Headers that the gateway adds to responses (setting `headers`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AddedHeaders {
    /// `Server`, on responses without one.
    pub server: bool,
    /// `Via`, on responses of upstreams.
    pub via: bool,
    /// The product in `Server` and `Via`.
    pub product: ProductToken,
    pub proxy_latency: bool,
    pub response_latency: bool,
    pub upstream_latency: bool,
    pub upstream_status: bool,
    pub request_id: bool,
}

impl AddedHeaders {
    /// None of them.
    pub const NONE: Self = AddedHeaders {
        server: false,
        via: false,
        product: ProductToken::Gatewayctl,
        proxy_latency: false,
        response_latency: false,
        upstream_latency: false,
        upstream_status: false,
        request_id: false,
    };
}

impl Default for AddedHeaders {
    fn default() -> Self {
        AddedHeaders {
            server: true,
            via: true,
            product: ProductToken::default(),
            proxy_latency: true,
            response_latency: true,
            upstream_latency: true,
            upstream_status: false,
            request_id: true,
        }
    }
}

/// Product that `Server` and `Via` name (setting `product_token`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProductToken {
    /// `gatewayctl/VERSION`.
    #[default]
    Gatewayctl,
    /// `kong/VERSION`, with the version of the Kong that the gateway is compatible with.
    Kong,
}

/// Source of the client's address for trusted peers (setting `real_ip_header`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RealIp {
    /// A header; for `X-Forwarded-For` its last entry.
    Header(HeaderName),
    /// The PROXY protocol header.
    ProxyProtocol,
}

/// Media type of error responses of the gateway, if the request accepts none in particular (setting
/// `error_default_type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ErrorFormat {
    #[default]
    Plain,
    Json,
    Html,
    Xml,
}

/// Limits of a request head in bytes (setting `large_client_header_buffers`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Maximum size of the request line, and of a header field.
    pub line: usize,
    /// Maximum size of the head.
    pub total: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        HeadLimits { line: 8 * 1024, total: 32 * 1024 }
    }
}

/// Custom error templates (settings `error_template_*`). The first `%s` is replaced by the message, the second by the
/// request id.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct ErrorTemplates {
    pub plain: Option<Box<str>>,
    pub json: Option<Box<str>>,
    pub html: Option<Box<str>>,
    pub xml: Option<Box<str>>,
}

impl ErrorTemplates {
    /// Returns the template of a media type.
    pub fn of(&self, form: ErrorFormat) -> Option<&str> {
        match form {
            ErrorFormat::Plain => self.plain.as_deref(),
            ErrorFormat::Json => self.json.as_deref(),
            ErrorFormat::Html => self.html.as_deref(),
            ErrorFormat::Xml => self.xml.as_deref(),
        }
    }
}

/// Options of the data plane. The defaults are Kong's.
#[derive(Clone, Debug)]
pub struct Options {
    /// The available plugins.
    pub registry: Registry,
    /// Router flavor.
    pub flavor: Flavor,
    /// Computation of route priorities.
    pub calculation: PriorityMode,
    /// Number of worker threads; 0 is one per core.
    pub workers: usize,
    /// Peers whose `X-Forwarded-*` headers are trusted.
    pub trusted_ips: Vec<IpNet>,
    /// Source of the client's address for these peers.
    pub real_ip: RealIp,
    /// Whether trusted addresses in that header are skipped.
    pub real_ip_recursive: bool,
    /// Headers added to responses.
    pub headers: AddedHeaders,
    /// Whether `X-Kong-Request-Id` is sent to upstreams.
    pub request_id_upstream: bool,
    /// Idle connections to upstreams.
    pub keepalive: KeepaliveLimits,
    /// Maximum size of a request body in bytes; 0 is no limit (setting `nginx_http_client_max_body_size`).
    pub max_body: u64,
    /// Listening ports to the ports that clients connect to (setting `port_maps`).
    pub port_maps: AHashMap<u16, u16>,
    /// Default media type of error responses.
    pub error_format: ErrorFormat,
    /// Whether a `Kong-Debug` request header adds route and service to the response.
    pub debug_header: bool,
    /// Whether expressions of Lua in plugins' settings are evaluated (setting `untrusted_lua`).
    pub untrusted_lua: bool,
    /// Default certificates and keys in PEM, with different key types, for clients without SNI or without a match. A
    /// self-signed one is generated if empty.
    pub certificates: Vec<(String, String)>,
    /// TLS settings towards clients.
    pub tls: ServerTls,
    /// Limits of a request head.
    pub head: HeadLimits,
    /// Custom error templates.
    pub error_templates: ErrorTemplates,
    /// Client certificate and key in PEM towards upstreams, unless the service or upstream has its own.
    pub client_certificate: Option<(String, String)>,
    /// Trusted authorities in PEM for upstreams, unless the service has its own.
    pub trusted_authorities: Option<String>,
    /// Whether certificates of upstreams are verified, unless set for the service.
    pub verify_upstreams: bool,
    /// Maximum number of intermediate certificates of an upstream, unless set for the service.
    pub verify_depth: u32,
    /// Services whose upstream is replaced by the built-in echo.
    pub mock: Mock,
    /// Name resolution (settings `dns_*`).
    pub dns: DnsOptions,
    /// Host name overrides for tests; other names do not resolve then.
    pub host_overrides: Option<Arc<HostOverrides>>,
    /// Maximum size in bytes of a request body that is retained for retries.
    pub max_retained_body_bytes: usize,
    /// Maximum size in bytes of a chunked request body that is buffered to compute its `Content-Length`.
    pub max_measured_body_bytes: usize,
    /// Maximum size in bytes of all buffered bodies (setting `body_buffer_total_size`).
    pub max_buffered_bytes: u64,
    /// Maximum size in bytes of the buffered request bodies of a client connection (setting
    /// `body_buffer_connection_size`).
    pub max_buffered_bytes_per_connection: usize,
    /// Time limit to receive a request head.
    pub header_timeout: Duration,
    /// Time limit between two reads of a request body.
    pub body_timeout: Duration,
    /// Time limit between two writes of a response.
    pub send_timeout: Duration,
    /// Keep-alive timeout of client connections.
    pub idle_timeout: Duration,
    /// Maximum number of requests per client connection (setting `keepalive_requests`).
    pub max_requests_per_connection: u32,
    /// Whether requests are counted for `/metrics` (setting `request_metrics`).
    pub request_metrics: bool,
    /// Log of the proxy's requests.
    pub access_log: Option<AccessLog>,
}

impl Options {
    /// Returns the maximum number of requests per client connection; 1 if keep-alive is disabled.
    pub fn requests_per_connection(&self) -> u64 {
        if self.idle_timeout.is_zero() { 1 } else { self.max_requests_per_connection.into() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            registry: Registry::default(),
            flavor: Flavor::default(),
            calculation: PriorityMode::default(),
            workers: 0,
            trusted_ips: Vec::new(),
            real_ip: RealIp::Header(HeaderName::from_static("x-real-ip")),
            real_ip_recursive: false,
            headers: AddedHeaders::default(),
            request_id_upstream: true,
            keepalive: KeepaliveLimits::default(),
            max_body: 0,
            port_maps: AHashMap::new(),
            error_format: ErrorFormat::default(),
            debug_header: false,
            untrusted_lua: true,
            certificates: Vec::new(),
            tls: ServerTls::default(),
            head: HeadLimits::default(),
            error_templates: ErrorTemplates::default(),
            client_certificate: None,
            trusted_authorities: None,
            verify_upstreams: false,
            verify_depth: 1,
            mock: Mock::default(),
            dns: DnsOptions::default(),
            host_overrides: None,
            max_retained_body_bytes: 256 * 1024,
            max_measured_body_bytes: 4 * 1024 * 1024,
            max_buffered_bytes: 256 * 1024 * 1024,
            max_buffered_bytes_per_connection: 32 * 1024 * 1024,
            header_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(60),
            send_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(65),
            max_requests_per_connection: 10_000,
            request_metrics: true,
            access_log: None,
        }
    }
}
