//! What of the node's settings the machine and the proxy depend on, ready to use.

use std::{sync::Arc, time::Duration};

use ahash::AHashMap;
use http::HeaderName;
use ipnet::IpNet;

use net::{Keepalive, ServerTls};
use plugin::Registry;
use router::{Calculation, Flavor};
use upstream::Hosts;

/// Which services the built-in echo answers for.
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

/// Which headers the gateway adds to answers (setting `headers`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AddedHeaders {
    /// `Server`, on answers that have none.
    pub server: bool,
    /// `Via`, on answers of upstreams.
    pub via: bool,
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
            proxy_latency: true,
            response_latency: true,
            upstream_latency: true,
            upstream_status: false,
            request_id: true,
        }
    }
}

/// Where the client's address is taken from when the peer is trusted (setting `real_ip_header`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RealIp {
    /// A header; of `X-Forwarded-For` its last entry.
    Header(HeaderName),
    /// The PROXY protocol's address.
    ProxyProtocol,
}

/// Form of an error that the server itself answers, where the request names none
/// (setting `error_default_type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BodyForm {
    #[default]
    Plain,
    Json,
    Html,
    Xml,
}

/// How long a request's head may be (setting `large_client_header_buffers`), in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// The request line, or one header.
    pub line: usize,
    /// All of it.
    pub total: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        HeadLimits { line: 8 * 1024, total: 32 * 1024 }
    }
}

/// The user's own error pages (settings `error_template_*`); the first `%s` in one stands for the message,
/// the second for the request's id.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Templates {
    pub plain: Option<Box<str>>,
    pub json: Option<Box<str>>,
    pub html: Option<Box<str>>,
    pub xml: Option<Box<str>>,
}

impl Templates {
    /// The one for a form.
    pub fn of(&self, form: BodyForm) -> Option<&str> {
        match form {
            BodyForm::Plain => self.plain.as_deref(),
            BodyForm::Json => self.json.as_deref(),
            BodyForm::Html => self.html.as_deref(),
            BodyForm::Xml => self.xml.as_deref(),
        }
    }
}

/// Settings of the data plane. The defaults are Kong's.
#[derive(Clone, Debug)]
pub struct Options {
    /// The plugins that rows may name.
    pub registry: Registry,
    /// Which rules order the routes.
    pub flavor: Flavor,
    /// How their priorities are computed.
    pub calculation: Calculation,
    /// Worker threads; 0 is one to a core.
    pub workers: usize,
    /// Peers whose forwarding headers are believed.
    pub trusted: Vec<IpNet>,
    /// Where they say who the client is.
    pub real_ip: RealIp,
    /// Whether further trusted addresses in that header are skipped.
    pub real_ip_recursive: bool,
    /// Headers added to answers.
    pub headers: AddedHeaders,
    /// Whether `X-Kong-Request-Id` is sent to upstreams.
    pub request_id_upstream: bool,
    /// Idle connections to upstreams.
    pub keepalive: Keepalive,
    /// Longest request body in bytes; 0 is no limit (setting `nginx_http_client_max_body_size`).
    pub max_body: u64,
    /// Ports as the outside world sees them (setting `port_maps`).
    pub port_maps: AHashMap<u16, u16>,
    /// Form of the server's own errors.
    pub error_form: BodyForm,
    /// Whether a `Kong-Debug` header makes answers name route and service.
    pub debug_header: bool,
    /// Whether expressions of Lua in plugins' settings are evaluated (setting `untrusted_lua`).
    pub untrusted_lua: bool,
    /// Certificates and keys in PEM, of different kinds, shown where none is asked for or known; none: a
    /// self-signed one.
    pub certificates: Vec<(String, String)>,
    /// How TLS is spoken to clients.
    pub tls: ServerTls,
    /// How long a request's head may be.
    pub head: HeadLimits,
    /// Pages in place of the built-in ones for errors.
    pub templates: Templates,
    /// Certificate and key in PEM shown to upstreams, unless the service or upstream has its own.
    pub client_certificate: Option<(String, String)>,
    /// Authorities in PEM that upstreams are verified with, unless the service names its own.
    pub trusted_authorities: Option<String>,
    /// Whether upstreams are verified where the service does not say.
    pub verify_upstreams: bool,
    /// How many certificates may stand between an upstream's own and an authority, unless the service says.
    pub verify_depth: u32,
    /// Which services the built-in echo answers for.
    pub mock: Mock,
    /// Addresses that stand for hosts, in tests; no other host is asked then.
    pub hosts: Option<Arc<Hosts>>,
    /// A request's body up to this many bytes is held, so that a try can be repeated.
    pub replay: usize,
    /// A chunked request body up to this many bytes is held to learn its length.
    pub measure: usize,
    /// Bytes of bodies that are buffered for all clients together (setting `body_buffer_total_size`).
    pub max_buffered: u64,
    /// Bytes of request bodies that are buffered for one client connection (setting
    /// `body_buffer_connection_size`).
    pub max_buffered_per_connection: usize,
    /// How long a client may take between two reads of a request's head.
    pub client_timeout: Duration,
    /// How long a client may take between two reads of a request's body.
    pub body_timeout: Duration,
    /// How long a client may take no bytes of an answer.
    pub send_timeout: Duration,
    /// How long a connection may be idle between two requests.
    pub idle_timeout: Duration,
    /// How many requests a client's connection may carry (setting `keepalive_requests`).
    pub requests: u32,
}

impl Options {
    /// Requests that a client's connection may carry.
    pub fn requests_per_connection(&self) -> u64 {
        if self.idle_timeout.is_zero() { 1 } else { self.requests.into() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            registry: Registry::default(),
            flavor: Flavor::default(),
            calculation: Calculation::default(),
            workers: 0,
            trusted: Vec::new(),
            real_ip: RealIp::Header(HeaderName::from_static("x-real-ip")),
            real_ip_recursive: false,
            headers: AddedHeaders::default(),
            request_id_upstream: true,
            keepalive: Keepalive::default(),
            max_body: 0,
            port_maps: AHashMap::new(),
            error_form: BodyForm::default(),
            debug_header: false,
            untrusted_lua: true,
            certificates: Vec::new(),
            tls: ServerTls::default(),
            head: HeadLimits::default(),
            templates: Templates::default(),
            client_certificate: None,
            trusted_authorities: None,
            verify_upstreams: false,
            verify_depth: 1,
            mock: Mock::default(),
            hosts: None,
            replay: 256 * 1024,
            measure: 4 * 1024 * 1024,
            max_buffered: 256 * 1024 * 1024,
            max_buffered_per_connection: 32 * 1024 * 1024,
            client_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(60),
            send_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(65),
            requests: 10_000,
        }
    }
}
