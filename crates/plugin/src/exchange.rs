//! State of one request, from its head to the end of its response.

use std::{
    any::{Any, TypeId},
    borrow::Cow,
    cell::Cell,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, Uri, Version};
use smallvec::SmallVec;
use uuid::Uuid;

use super::LocalReply;
use http_codec::{
    Headers, KnownHeader,
    urlencoded::{self, Argument},
};
use model::{Consumer, Ix, Route, Service, Upstream};
use net::{Body, BodyBuffer, BodyError, ConnectionBudget};
use router::Capture;
use telemetry::Try;

/// Bytes of a body of unknown length that are buffered to find out whether it exceeds its limit. A longer body streams,
/// and is cut off at the limit.
const MAX_BUFFERED_BYTES: usize = 4 * 1024 * 1024;

/// The client, as identified by its connection.
#[derive(Clone, Debug)]
pub struct Client {
    /// Peer address of the connection.
    pub peer: SocketAddr,
    /// Client address: the peer's, or the one that a trusted peer reports.
    pub ip: IpAddr,
    /// Local address of the connection.
    pub local: SocketAddr,
    /// Whether the connection uses TLS.
    pub is_tls: bool,
    /// Server name of the TLS handshake (SNI).
    pub sni: Option<Arc<str>>,
    /// Whether the peer is in `trusted_ips`.
    pub is_trusted: bool,
    /// Sequence number of the connection in this process.
    pub connection_number: u64,
    /// Sequence number of the request on its connection, from 1.
    pub request_number: u64,
}

/// The client's request, as modified by plugins and forwarded to the upstream.
#[derive(Debug)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Request target as the client sent it; never modified.
    pub uri: Uri,
    /// HTTP version of the client's request.
    pub version: Version,
    /// Headers.
    pub headers: Headers,
    /// Body.
    pub body: Body,
    /// Reply that a plugin has set for a body that exceeds its limit while it streams.
    pub too_long_reply: Option<Box<LocalReply>>,
    /// What the client has sent, for the record of the request.
    pub received: Received,
    /// Query set by a plugin; `Some(None)` if it was removed.
    query: Option<Option<String>>,
    /// Budget that a body read from a connection is charged to.
    budget: Option<ConnectionBudget>,
}

/// What a client has sent.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Whether the head was refused or never completed: method, target and headers are placeholders then.
    pub is_refused: bool,
    /// Bytes of the head.
    pub head_bytes: u32,
    /// Bytes of the body that were read so far; `None` if there is no body.
    pub body_bytes: Option<Rc<Cell<u64>>>,
}

impl Received {
    /// Bytes of head and body.
    pub fn bytes(&self) -> u64 {
        u64::from(self.head_bytes) + self.body_bytes.as_ref().map_or(0, |bytes| bytes.get())
    }
}

impl Request {
    /// Creates a request as the client sent it.
    #[inline]
    pub fn new(method: Method, uri: Uri, version: Version, headers: Headers, body: Body) -> Self {
        Request {
            method,
            uri,
            version,
            headers,
            body,
            too_long_reply: None,
            received: Received::default(),
            query: None,
            budget: None,
        }
    }

    /// Creates a request from the parts of an `http::Request`.
    pub fn from_parts(parts: http::request::Parts, body: Body) -> Self {
        let headers = match parts.version {
            Version::HTTP_2 => Headers::from_http2(parts.headers),
            _ => parts.headers.into(),
        };
        Self::new(parts.method, parts.uri, parts.version, headers, body)
    }

    /// Returns the path as the client sent it, without the query.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// Returns the query as it is forwarded, without `?`; `None` if there is no `?`.
    pub fn query(&self) -> Option<&str> {
        match &self.query {
            Some(replaced) => replaced.as_deref(),
            None => self.uri.query(),
        }
    }

    /// Replaces the query; `None` removes it.
    pub fn set_query(&mut self, query: Option<String>) {
        self.query = Some(query);
    }

    /// Iterates over the query arguments in order.
    pub fn query_args(&self) -> impl Iterator<Item = Argument<'_>> {
        urlencoded::arguments(self.query().unwrap_or("").as_bytes())
    }

    /// Returns the first value of a query argument, decoded; empty for an argument without `=`.
    pub fn query_arg(&self, name: &str) -> Option<Cow<'_, str>> {
        let found = self.query_args().find(|argument| argument.is(name.as_bytes()))?;
        Some(found.value_text().unwrap_or_default())
    }

    /// Removes all occurrences of a query argument. The rest of the query keeps its bytes.
    pub fn remove_query_arg(&mut self, name: &str) {
        let query = self.query().unwrap_or("").as_bytes();
        if let Some(rest) = urlencoded::remove(query, |found| found == name.as_bytes()) {
            // Only whole arguments of a text were removed, so it is UTF-8.
            self.set_query(String::from_utf8(rest).ok().filter(|query| !query.is_empty()));
        }
    }

    /// Returns the first value of a header, if it is visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// Buffers the whole body, up to `limit` bytes. The body stays in the request for later plugins and the upstream.
    ///
    /// # Errors
    /// If the connection fails or the body is longer. The body is dropped in that case.
    pub async fn read_body(&mut self, limit: usize) -> Result<Bytes, BodyError> {
        if let Body::Stream(stream) = &self.body {
            self.budget = Some(stream.budget().clone());
        }
        let bytes = std::mem::take(&mut self.body).read(limit).await?;
        self.body = Body::from_bytes(bytes.clone());
        Ok(bytes)
    }

    /// Limits the length of the body; a longer one is rejected with `too_long`. A body of unknown length is buffered up
    /// to 4 MiB. If it is longer than that, it streams, and is cut off when it exceeds the limit.
    ///
    /// # Errors
    /// If the body cannot be read, or is already known to be longer. The body is dropped in that case.
    pub async fn limit_body(&mut self, max: u64, too_long: LocalReply) -> Result<(), BodyError> {
        self.too_long_reply = Some(Box::new(too_long));
        self.body = std::mem::take(&mut self.body).buffer(MAX_BUFFERED_BYTES, max).await?;
        Ok(())
    }

    /// Replaces the body, and charges the new one to the same budget. Drop other handles to the old body first:
    /// otherwise both are charged at the same time.
    ///
    /// # Errors
    /// If the budget is exhausted. The body is dropped in that case.
    pub fn replace_body(&mut self, bytes: Vec<u8>) -> Result<(), BodyError> {
        self.body = Body::Empty;
        let bytes = match &self.budget {
            Some(budget) => {
                let mut buffer = BodyBuffer::new(budget);
                buffer.push(bytes.into()).map_err(|(_, exceeded)| exceeded)?;
                buffer.freeze()
            }
            None => bytes.into(),
        };
        self.body = Body::from_bytes(bytes);
        Ok(())
    }
}

/// Result of routing: the matched route and its service.
#[derive(Clone, Debug)]
pub struct RouteMatch {
    /// The matched route.
    pub route: Ix<Route>,
    /// The route's service, if any.
    pub service: Option<Ix<Service>>,
    /// Length in bytes of the prefix of the normalised path that the route's path matched.
    pub matched_len: usize,
    /// Capture groups of a regular expression path.
    pub captures: SmallVec<[Capture; 0]>,
}

/// Properties of the upstream request that plugins override. Those that are `None` follow from route and service.
#[derive(Clone, Debug, Default)]
pub struct UpstreamOverrides {
    /// Path as sent on the wire, without query.
    pub path: Option<String>,
    /// `Host` header.
    pub host: Option<HeaderValue>,
    /// Host and port to connect to.
    pub address: Option<(String, u16)>,
    /// Whether the connection to the upstream uses TLS.
    pub tls: Option<bool>,
    /// Service whose upstream, timeouts, retries and TLS settings are used in place of those of the route's service.
    pub service: Option<Ix<Service>>,
    /// Upstream entity whose balancer selects the address.
    pub upstream: Option<Ix<Upstream>>,
    /// Timeouts in place of the service's.
    pub timeouts: Option<UpstreamTimeouts>,
    /// Retries in place of the service's.
    pub retries: Option<u32>,
}

/// Timeouts of an upstream request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct UpstreamTimeouts {
    pub connect: Duration,
    pub write: Duration,
    pub read: Duration,
}

/// Credential with which the client was authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Id of the credential entity.
    pub id: Uuid,
    /// Value of `X-Credential-Identifier`, such as a username or a key; the id if `None`.
    pub identifier: Option<String>,
}

/// Origin of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseSource {
    /// The upstream.
    Upstream,
    /// A plugin that short-circuited the request.
    Plugin,
    /// The gateway itself: no route, no upstream, or an error.
    Gateway,
}

/// Head of the response.
#[derive(Debug)]
pub struct Response {
    /// Status.
    pub status: StatusCode,
    /// Headers. Those set before the upstream responds precede the upstream's.
    pub headers: Headers,
    /// Origin of the response.
    pub source: ResponseSource,
    /// Whether the head is held back until the body filters emit their first bytes, because a filter may still reject
    /// the body. Set by header filters.
    pub holds_head_for_body: bool,
    /// The whole body, while `response` hooks run, which may replace it.
    pub body: Bytes,
}

/// State of one HTTP exchange: a request, its response, and what plugins and the proxy record about them. It borrows
/// nothing, so that it can move into the response body and live until the log phase.
#[derive(Debug)]
pub struct Exchange {
    /// The client.
    pub client: Client,
    /// The request.
    pub request: Request,
    /// Id of the request.
    pub id: RequestId,
    /// Matched route and service; `None` before routing.
    pub route_match: Option<RouteMatch>,
    /// Overrides of the upstream request.
    pub upstream_overrides: UpstreamOverrides,
    /// Authenticated or anonymous consumer.
    pub consumer: Option<Ix<Consumer>>,
    /// Credential of the consumer; `None` for an anonymous one.
    pub credential: Option<Credential>,
    /// Groups assigned by an authentication plugin, in place of the consumer's ACL groups.
    pub authenticated_groups: Option<Vec<String>>,
    /// Head of the response.
    pub response: Response,
    /// Budget that bodies buffered by body filters are charged to; set if the chain has body filters.
    pub body_budget: Option<ConnectionBudget>,
    /// When the request head was complete.
    pub received_at: Instant,
    /// When the last attempt handed the request to an upstream connection; if connecting failed, when the attempt
    /// began.
    pub upstream_sent_at: Option<Instant>,
    /// When the upstream's response head was complete, or the last attempt failed.
    pub upstream_responded_at: Option<Instant>,
    /// Attempts to get a response from an upstream.
    pub tries: SmallVec<[Try; 1]>,
    /// What a rate limit counts that has refused the request: `ip`, `consumer`. Set by the plugin.
    pub limited_by: Option<&'static str>,
    extensions: Extensions,
}

impl Exchange {
    /// Creates the state of a request whose head has just been parsed.
    #[inline]
    pub fn new(client: Client, request: Request, id: RequestId) -> Self {
        Exchange {
            client,
            request,
            id,
            route_match: None,
            upstream_overrides: UpstreamOverrides::default(),
            consumer: None,
            credential: None,
            authenticated_groups: None,
            response: Response {
                status: StatusCode::OK,
                headers: Headers::default(),
                source: ResponseSource::Gateway,
                holds_head_for_body: false,
                body: Bytes::new(),
            },
            body_budget: None,
            received_at: Instant::now(),
            upstream_sent_at: None,
            upstream_responded_at: None,
            tries: SmallVec::new(),
            limited_by: None,
            extensions: Extensions::default(),
        }
    }

    /// Returns the matched route.
    pub fn route(&self) -> Option<Ix<Route>> {
        self.route_match.as_ref().map(|m| m.route)
    }

    /// Returns the service of the matched route.
    pub fn service(&self) -> Option<Ix<Service>> {
        self.route_match.as_ref().and_then(|m| m.service)
    }

    /// Returns `https` or `http`: the scheme of the client's connection, or the one that a trusted peer reports in
    /// `X-Forwarded-Proto`.
    pub fn scheme(&self) -> &'static str {
        if self.client.is_trusted && self.request.headers.contains_known(KnownHeader::ForwardedProto) {
            // All values must be `https`: one of them may have been sent by the client itself.
            let mut protos = self.request.headers.known_values(KnownHeader::ForwardedProto);
            return if protos.all(|proto| proto.eq_ignore_ascii_case(b"https")) { "https" } else { "http" };
        }
        if self.client.is_tls { "https" } else { "http" }
    }

    /// Returns the budget that bodies buffered by body filters are charged to; unlimited if there is no connection.
    pub fn body_budget(&self) -> ConnectionBudget {
        self.body_budget.clone().unwrap_or_else(ConnectionBudget::unlimited)
    }

    /// Returns the value of a type that plugins carry from one phase to the next; inserts its default if absent.
    pub fn extension_mut<T: Default + 'static>(&mut self) -> &mut T {
        self.extensions.get_or_default()
    }

    /// Returns the value of a type that a plugin has inserted.
    pub fn extension<T: 'static>(&self) -> Option<&T> {
        self.extensions.get()
    }
}

/// Random id of a request, displayed as 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(pub u128);

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Values keyed by type, like `http::Extensions` but without `Send` and `Clone`. Allocates on first use.
#[derive(Debug, Default)]
pub struct Extensions(Vec<(TypeId, Box<dyn Any>)>);

impl Extensions {
    pub(super) fn get_or_default<T: Default + 'static>(&mut self) -> &mut T {
        let id = TypeId::of::<T>();
        let at = self.0.iter().position(|(i, _)| *i == id).unwrap_or_else(|| {
            self.0.push((id, Box::<T>::default()));
            self.0.len() - 1
        });
        self.0[at].1.downcast_mut().expect("the value has the type of its key")
    }

    fn get<T: 'static>(&self) -> Option<&T> {
        let id = TypeId::of::<T>();
        self.0.iter().find(|(i, _)| *i == id).and_then(|(_, value)| value.downcast_ref())
    }
}
