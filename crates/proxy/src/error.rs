//! Maps errors to status, message and log line; the only such table.
//!
//! It decides what a client sees of an error; `Display` is for the log. Errors of the gateway's code and of
//! Kong's HTTP server (nginx) differ in how the format of their body is negotiated.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::error_body;
use model::State;
use net::{BodyError, BudgetExceeded};
use plugin::{Exchange, LocalReply, LocalReplyBody};
use runtime::{ErrorTemplates, Options};
use upstream::SelectError;

/// Why a request has no response of an upstream or plugin.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The request is malformed.
    #[error("malformed request: {0}")]
    BadRequest(&'static str),
    /// The request line is too long.
    #[error("the request line is too long")]
    UriTooLong,
    /// The head is too long.
    #[error("the request's headers are too long")]
    HeadersTooLong,
    /// The body is longer than this node allows.
    #[error("the request's body is too long")]
    BodyTooLong,
    /// The body is malformed, or ended early.
    #[error("the request's body is malformed or broke off")]
    BodyBroken,
    /// The client stopped sending.
    #[error("the client stopped sending")]
    ClientStalled,
    /// A body cannot be buffered: the memory is exhausted.
    #[error("a body cannot be buffered: {0}")]
    Budget(BudgetExceeded),
    /// A method that a gateway does not serve.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// A transfer coding other than chunked.
    #[error("transfer coding not implemented")]
    NotImplemented,
    /// An HTTP version other than 1.x and 2.
    #[error("HTTP version not supported")]
    Version,
    /// No route matches.
    #[error("no route")]
    NoRoute,
    /// The route has no service, and no plugin responded.
    #[error("the route has no service")]
    NoService,
    /// Plaintext request on a route for HTTPS.
    #[error("the route needs HTTPS")]
    NeedsHttps(StatusCode),
    /// Plaintext request on a route for gRPC over TLS.
    #[error("the route needs gRPC over TLS")]
    NeedsGrpcs,
    /// A request other than gRPC on a route for gRPC.
    #[error("the route needs gRPC")]
    NeedsGrpc,
    /// gRPC over HTTP/1.
    #[error("gRPC needs HTTP/2")]
    NeedsHttp2,
    /// No upstream address can be selected.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The upstream timed out: address and what was awaited.
    #[error("the upstream timed out: {0}")]
    UpstreamTimeout(String),
    /// The upstream cannot be reached, or its response is invalid.
    #[error("the upstream failed: {0}")]
    Upstream(String),
    /// A plugin failed.
    #[error("plugin failed: {0}")]
    Plugin(String),
    /// The gateway's code panicked.
    #[error("a panic ended the request")]
    Panic,
}

impl From<BodyError> for ProxyError {
    /// Maps an error of the request's body.
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLong { .. } => ProxyError::BodyTooLong,
            BodyError::Budget(exceeded) => ProxyError::Budget(exceeded),
            BodyError::Stalled => ProxyError::ClientStalled,
            BodyError::Connection(_)
            | BodyError::Client(_)
            | BodyError::Upstream(_)
            | BodyError::Framing(_)
            | BodyError::Unreadable(_)
            | BodyError::AlreadyConsumed => ProxyError::BodyBroken,
        }
    }
}

/// Which part of Kong would send the error; it determines how the body's format is negotiated.
enum ErrorOrigin {
    /// Kong's Lua code: by Accept, else JSON.
    Gateway,
    /// nginx: by Accept, else the request's content type, else the node's setting.
    Server,
}

impl ProxyError {
    /// Whether the connection must be closed, since the start of the next request cannot be determined.
    pub fn must_close(&self) -> bool {
        use ProxyError::*;
        matches!(
            self,
            BadRequest(_)
                | UriTooLong
                | HeadersTooLong
                | BodyTooLong
                | BodyBroken
                | ClientStalled
                | Budget(_)
                | NotImplemented
                | Version
        )
    }

    /// Returns the code for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            ProxyError::BadRequest(_) => "bad_request",
            ProxyError::UriTooLong => "uri_too_long",
            ProxyError::HeadersTooLong => "headers_too_long",
            ProxyError::BodyTooLong => "body_too_long",
            ProxyError::BodyBroken => "body_broken",
            ProxyError::ClientStalled => "client_timeout",
            ProxyError::Budget(_) => "memory",
            ProxyError::MethodNotAllowed => "method_not_allowed",
            ProxyError::NotImplemented => "transfer_coding",
            ProxyError::Version => "http_version",
            ProxyError::NoRoute => "no_route",
            ProxyError::NoService => "no_service",
            ProxyError::NeedsHttps(_) => "https_required",
            ProxyError::NeedsGrpcs => "grpcs_required",
            ProxyError::NeedsGrpc => "grpc_required",
            ProxyError::NeedsHttp2 => "http2_required",
            ProxyError::Select(SelectError::Name { .. }) => "name_resolution",
            ProxyError::Select(SelectError::NoTarget(_)) => "no_target",
            ProxyError::UpstreamTimeout(_) => "upstream_timeout",
            ProxyError::Upstream(_) => "upstream_failed",
            ProxyError::Plugin(_) => "plugin_failed",
            ProxyError::Panic => "panic",
        }
    }

    fn status_and_message(&self) -> (u16, &'static str, ErrorOrigin) {
        use ErrorOrigin::{Gateway, Server};
        match self {
            ProxyError::BadRequest(_) | ProxyError::BodyBroken => (400, "Bad request", Server),
            ProxyError::UriTooLong => (414, "URI too long", Server),
            ProxyError::HeadersTooLong => (400, "Request header or cookie too large", Server),
            ProxyError::BodyTooLong => (413, "Payload too large", Server),
            ProxyError::Budget(BudgetExceeded::Connection(_)) => (413, "Payload too large", Server),
            ProxyError::Budget(BudgetExceeded::Process(_)) => (503, "The server is overloaded", Server),
            ProxyError::ClientStalled => (408, "Request timeout", Server),
            ProxyError::MethodNotAllowed => (405, "Method not allowed", Server),
            ProxyError::NotImplemented => (501, "Not implemented", Server),
            ProxyError::Version => (505, "HTTP version not supported", Server),
            ProxyError::NoRoute => (404, "no Route matched with those values", Gateway),
            ProxyError::NoService => (503, "no Service found with those values", Gateway),
            ProxyError::NeedsHttps(status) => (status.as_u16(), "Please use HTTPS protocol", Gateway),
            ProxyError::NeedsGrpcs => (200, "gRPC request matched gRPCs route", Gateway),
            ProxyError::NeedsGrpc => (415, "Non-gRPC request matched gRPC route", Gateway),
            ProxyError::NeedsHttp2 => (426, "Please use HTTP2 protocol", Gateway),
            ProxyError::Select(SelectError::Name { .. }) => (503, "name resolution failed", Gateway),
            ProxyError::Select(SelectError::NoTarget(_)) => {
                (503, "failure to get a peer from the ring-balancer", Gateway)
            }
            ProxyError::UpstreamTimeout(_) => (504, "The upstream server is timing out", Server),
            ProxyError::Upstream(_) => {
                (502, "An invalid response was received from the upstream server", Server)
            }
            ProxyError::Plugin(_) | ProxyError::Panic => (500, "An unexpected error occurred", Gateway),
        }
    }

    /// Builds the response to the client.
    pub fn to_reply(&self, exchange: &Exchange, options: &Options) -> LocalReply {
        let (status, message, origin) = self.status_and_message();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match self {
            ProxyError::Plugin(_) | ProxyError::Panic => return LocalReply::message(status, message),
            ProxyError::NeedsHttps(code) if *code != StatusCode::UPGRADE_REQUIRED => {
                return LocalReply::empty(status).header(header::LOCATION, https_location(exchange));
            }
            ProxyError::NeedsGrpcs => {
                let text = HeaderValue::from_static("gRPC request matched gRPCs route");
                return LocalReply::empty(status)
                    .header(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"))
                    .header(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("1"))
                    .header(http::HeaderName::from_static("grpc-message"), text);
            }
            _ => {}
        }
        let mut reply = match origin {
            ErrorOrigin::Gateway => LocalReply::error(status, message),
            ErrorOrigin::Server if error_body::is_grpc(&exchange.request.headers) => {
                LocalReply::error(status, message)
            }
            ErrorOrigin::Server => {
                let format =
                    error_body::negotiate_server_format(&exchange.request.headers, options.error_format);
                let (kind, bytes) =
                    error_body::render(&options.error_templates, format, message, exchange.id);
                LocalReply::bytes(status, kind, bytes)
            }
        };
        let upgrade = match self {
            ProxyError::NeedsHttps(_) => Some("TLS/1.2, HTTP/1.1"),
            ProxyError::NeedsHttp2 => Some("HTTP/2"),
            _ => None,
        };
        if let Some(to) = upgrade {
            reply = reply
                .header(header::CONNECTION, HeaderValue::from_static("Upgrade"))
                .header(header::UPGRADE, HeaderValue::from_static(to));
        }
        if self.must_close() {
            reply = reply.header(header::CONNECTION, HeaderValue::from_static("close"));
        }
        reply
    }

    /// Writes the log line: at error level for failures of the gateway or the upstream, at debug level for
    /// the client's.
    pub fn log(&self, exchange: &Exchange, state: &State) {
        let route = || exchange.route().and_then(|route| state.routes[route].name.as_deref()).unwrap_or("-");
        let service = exchange.service().and_then(|service| state.services[service].name.as_deref());
        let request = &exchange.request;
        let (client, method) = (exchange.client.ip, &request.method);
        let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        // A query may contain credentials.
        let query = if request.uri.query().is_some() { "?…" } else { "" };
        let path = format_args!("{}{query}", request.uri.path());
        match self {
            ProxyError::Select(_)
            | ProxyError::UpstreamTimeout(_)
            | ProxyError::Upstream(_)
            | ProxyError::Plugin(_)
            | ProxyError::Panic => {
                tracing::error!(
                    request_id = %exchange.id, %client, %method, host, %path, route = route(), service, "{self}"
                );
            }
            _ => tracing::debug!(request_id = %exchange.id, %client, %method, host, %path, "{self}"),
        }
    }
}

fn https_location(exchange: &Exchange) -> HeaderValue {
    let headers = &exchange.request.headers;
    let forwarded = exchange.client.is_trusted.then(|| headers.get("x-forwarded-host")).flatten();
    let host = forwarded.or_else(|| headers.get(header::HOST)).and_then(|h| h.to_str().ok()).unwrap_or("");
    let (host, _) = super::validate::split_host_port(host);
    let target = exchange.request.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    HeaderValue::try_from(format!("https://{host}{target}")).unwrap_or_else(|_| HeaderValue::from_static("/"))
}

/// Renders a reply's body, and sets its content type unless the reply has one.
pub fn render_reply_body(
    reply: LocalReplyBody,
    status: StatusCode,
    exchange: &Exchange,
    templates: &ErrorTemplates,
    headers: &mut HeaderMap,
) -> Bytes {
    // A gRPC client reads the message in a header, whatever the plugin's format.
    if let LocalReplyBody::Json(value) = &reply
        && error_body::is_grpc(&exchange.request.headers)
    {
        let message = value.get("message").and_then(|message| message.as_str()).unwrap_or_default();
        error_body::set_grpc_headers(status, message, headers);
        return Bytes::new();
    }
    let (kind, bytes) = match reply {
        LocalReplyBody::Empty => return Bytes::new(),
        LocalReplyBody::Bytes(bytes) => return bytes,
        LocalReplyBody::Json(value) => {
            (HeaderValue::from_static("application/json; charset=utf-8"), Bytes::from(value.to_string()))
        }
        LocalReplyBody::Message(message) => {
            let default;
            let message = match &message {
                Some(message) => message,
                None => {
                    default = error_body::default_message(status);
                    &default
                }
            };
            if error_body::is_grpc(&exchange.request.headers) {
                error_body::set_grpc_headers(status, message, headers);
                return Bytes::new();
            }
            let format = error_body::negotiate_gateway_format(&exchange.request.headers);
            error_body::render(templates, format, message, exchange.id)
        }
    };
    headers.entry(header::CONTENT_TYPE).or_insert(kind);
    bytes
}
