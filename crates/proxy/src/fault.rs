//! Failure → status, message, log line: the only such table.
//!
//! What a client sees of a failure is decided here; `Display` is for the log. The gateway's own answers and
//! those that Kong's HTTP server gives differ in how their form is chosen.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::body_form;
use model::State;
use net::{BodyError, BudgetExceeded};
use plugin::{Exchange, Reply, ReplyBody};
use runtime::{Options, Templates};
use upstream::PickError;

/// Why a request has no answer of an upstream or plugin.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The request breaks HTTP's rules.
    #[error("malformed request: {0}")]
    BadRequest(&'static str),
    /// Its target is too long.
    #[error("the request line is too long")]
    UriTooLong,
    /// Its head is too long.
    #[error("the request's headers are too long")]
    HeadersTooLong,
    /// Its body is longer than this node allows.
    #[error("the request's body is too long")]
    BodyTooLong,
    /// Its body broke off.
    #[error("the request's body is malformed or broke off")]
    BodyBroken,
    /// The client stopped sending.
    #[error("the client stopped sending")]
    ClientStalled,
    /// A body cannot be buffered: the memory for that is used up.
    #[error("a body cannot be buffered: {0}")]
    Budget(BudgetExceeded),
    /// A method that no gateway serves.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// A transfer coding other than chunked.
    #[error("transfer coding not implemented")]
    NotImplemented,
    /// A version of HTTP other than 1.x and 2.
    #[error("HTTP version not supported")]
    Version,
    /// No route.
    #[error("no route")]
    NoRoute,
    /// A route without service, and no plugin answered.
    #[error("the route has no service")]
    NoService,
    /// Clear text on a route for HTTPS.
    #[error("the route needs HTTPS")]
    NeedsHttps(StatusCode),
    /// Clear text on a route for gRPC over TLS.
    #[error("the route needs gRPC over TLS")]
    NeedsGrpcs,
    /// Not gRPC, on a route for gRPC.
    #[error("the route needs gRPC")]
    NeedsGrpc,
    /// gRPC over HTTP/1.
    #[error("gRPC needs HTTP/2")]
    NeedsHttp2,
    /// No address to go to.
    #[error(transparent)]
    Pick(#[from] PickError),
    /// The upstream did not answer in time: who, and what was waited for.
    #[error("the upstream timed out: {0}")]
    UpstreamTimeout(String),
    /// The upstream cannot be reached, or what it answered is no HTTP.
    #[error("the upstream failed: {0}")]
    Upstream(String),
    /// A plugin failed.
    #[error("plugin failed: {0}")]
    Plugin(String),
    /// Code of ours panicked.
    #[error("a panic ended the request")]
    Panic,
}

impl From<BodyError> for Fault {
    /// What is wrong with a request's body, as a response tells it.
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLong { .. } => Fault::BodyTooLong,
            BodyError::Budget(exceeded) => Fault::Budget(exceeded),
            BodyError::Stalled => Fault::ClientStalled,
            BodyError::Connection(_)
            | BodyError::Client(_)
            | BodyError::Upstream(_)
            | BodyError::Framing(_)
            | BodyError::Unreadable(_)
            | BodyError::Gone => Fault::BodyBroken,
        }
    }
}

/// Whose manners an answer has.
enum Voice {
    /// The gateway's: Accept decides the form, JSON without it.
    Gateway,
    /// The HTTP server's: Accept, else the request's content type, else the node's setting.
    Server,
}

impl Fault {
    /// Whether the connection must end, because what follows on it cannot be told.
    pub fn closes(&self) -> bool {
        use Fault::*;
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

    fn table(&self) -> (u16, &'static str, Voice) {
        use Voice::{Gateway, Server};
        match self {
            Fault::BadRequest(_) | Fault::BodyBroken => (400, "Bad request", Server),
            Fault::UriTooLong => (414, "URI too long", Server),
            Fault::HeadersTooLong => (400, "Request header or cookie too large", Server),
            Fault::BodyTooLong => (413, "Payload too large", Server),
            Fault::Budget(BudgetExceeded::Connection(_)) => (413, "Payload too large", Server),
            Fault::Budget(BudgetExceeded::Process(_)) => (503, "The server is overloaded", Server),
            Fault::ClientStalled => (408, "Request timeout", Server),
            Fault::MethodNotAllowed => (405, "Method not allowed", Server),
            Fault::NotImplemented => (501, "Not implemented", Server),
            Fault::Version => (505, "HTTP version not supported", Server),
            Fault::NoRoute => (404, "no Route matched with those values", Gateway),
            Fault::NoService => (503, "no Service found with those values", Gateway),
            Fault::NeedsHttps(status) => (status.as_u16(), "Please use HTTPS protocol", Gateway),
            Fault::NeedsGrpcs => (200, "gRPC request matched gRPCs route", Gateway),
            Fault::NeedsGrpc => (415, "Non-gRPC request matched gRPC route", Gateway),
            Fault::NeedsHttp2 => (426, "Please use HTTP2 protocol", Gateway),
            Fault::Pick(PickError::Name { .. }) => (503, "name resolution failed", Gateway),
            Fault::Pick(PickError::NoPeer(_)) => {
                (503, "failure to get a peer from the ring-balancer", Gateway)
            }
            Fault::UpstreamTimeout(_) => (504, "The upstream server is timing out", Server),
            Fault::Upstream(_) => (502, "An invalid response was received from the upstream server", Server),
            Fault::Plugin(_) | Fault::Panic => (500, "An unexpected error occurred", Gateway),
        }
    }

    /// The answer a client gets.
    pub fn reply(&self, exchange: &Exchange, options: &Options) -> Reply {
        let (status, message, voice) = self.table();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match self {
            Fault::Plugin(_) | Fault::Panic => return Reply::message(status, message),
            Fault::NeedsHttps(code) if *code != StatusCode::UPGRADE_REQUIRED => {
                return Reply::empty(status).header(header::LOCATION, https_location(exchange));
            }
            Fault::NeedsGrpcs => {
                let text = HeaderValue::from_static("gRPC request matched gRPCs route");
                return Reply::empty(status)
                    .header(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"))
                    .header(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("1"))
                    .header(http::HeaderName::from_static("grpc-message"), text);
            }
            _ => {}
        }
        let mut reply = match voice {
            Voice::Gateway => Reply::error(status, message),
            Voice::Server if body_form::is_grpc(&exchange.request.headers) => Reply::error(status, message),
            Voice::Server => {
                let form = body_form::of_server(&exchange.request.headers, options.error_form);
                let (kind, bytes) = body_form::write(&options.templates, form, message, exchange.id);
                Reply::bytes(status, kind, bytes)
            }
        };
        let upgrade = match self {
            Fault::NeedsHttps(_) => Some("TLS/1.2, HTTP/1.1"),
            Fault::NeedsHttp2 => Some("HTTP/2"),
            _ => None,
        };
        if let Some(to) = upgrade {
            reply = reply
                .header(header::CONNECTION, HeaderValue::from_static("Upgrade"))
                .header(header::UPGRADE, HeaderValue::from_static(to));
        }
        if self.closes() {
            reply = reply.header(header::CONNECTION, HeaderValue::from_static("close"));
        }
        reply
    }

    /// Writes the log line: an error where we or the upstream failed, nothing where the client did.
    pub fn log(&self, exchange: &Exchange, state: &State) {
        let route = || exchange.route().and_then(|route| state.routes[route].name.as_deref()).unwrap_or("-");
        let service = exchange.service().and_then(|service| state.services[service].name.as_deref());
        let request = &exchange.request;
        let (client, method) = (exchange.client.ip, &request.method);
        let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        // A query may hold credentials.
        let query = if request.uri.query().is_some() { "?…" } else { "" };
        let path = format_args!("{}{query}", request.uri.path());
        match self {
            Fault::Pick(_)
            | Fault::UpstreamTimeout(_)
            | Fault::Upstream(_)
            | Fault::Plugin(_)
            | Fault::Panic => {
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
    let forwarded = exchange.client.trusted.then(|| headers.get("x-forwarded-host")).flatten();
    let host = forwarded.or_else(|| headers.get(header::HOST)).and_then(|h| h.to_str().ok()).unwrap_or("");
    let (host, _) = super::admit::split_host(host);
    let target = exchange.request.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    HeaderValue::try_from(format!("https://{host}{target}")).unwrap_or_else(|_| HeaderValue::from_static("/"))
}

/// Turns a reply's body into bytes and names their type in the headers, unless the reply has.
pub fn render(
    reply: ReplyBody,
    status: StatusCode,
    exchange: &Exchange,
    templates: &Templates,
    headers: &mut HeaderMap,
) -> Bytes {
    // A client of gRPC reads a message in a header, whatever form the plugin gave it.
    if let ReplyBody::Json(value) = &reply
        && body_form::is_grpc(&exchange.request.headers)
    {
        let message = value.get("message").and_then(|message| message.as_str()).unwrap_or_default();
        body_form::grpc_headers(status, message, headers);
        return Bytes::new();
    }
    let (kind, bytes) = match reply {
        ReplyBody::Empty => return Bytes::new(),
        ReplyBody::Bytes(bytes) => return bytes,
        ReplyBody::Json(value) => {
            (HeaderValue::from_static("application/json; charset=utf-8"), Bytes::from(value.to_string()))
        }
        ReplyBody::Message(message) => {
            let default;
            let message = match &message {
                Some(message) => message,
                None => {
                    default = body_form::default_message(status);
                    &default
                }
            };
            if body_form::is_grpc(&exchange.request.headers) {
                body_form::grpc_headers(status, message, headers);
                return Bytes::new();
            }
            let form = body_form::of_gateway(&exchange.request.headers);
            body_form::write(templates, form, message, exchange.id)
        }
    };
    headers.entry(header::CONTENT_TYPE).or_insert(kind);
    bytes
}
