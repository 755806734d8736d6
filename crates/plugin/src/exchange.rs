//! The whole memory of one request.

use std::{
    any::{Any, TypeId},
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, Uri, Version};
use smallvec::SmallVec;
use uuid::Uuid;

use super::Reply;
use http_codec::{Headers, Known};
use model::{Consumer, Ix, Route, Service};
use net::{Body, BodyBuffer, BodyError, ConnectionBudget};
use router::Capture;

/// Bytes of a body that are held to learn whether it is longer than it may be.
const HELD_BYTES: usize = 4 * 1024 * 1024;

/// Who asks, as the connection tells.
#[derive(Clone, Debug)]
pub struct Client {
    /// The other end of the connection.
    pub peer: SocketAddr,
    /// The client's address: the peer's, or what a trusted peer says.
    pub ip: IpAddr,
    /// Our end of the connection.
    pub local: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Server name asked for in the TLS handshake.
    pub sni: Option<Arc<str>>,
    /// Whether the peer is in `trusted_ips`.
    pub trusted: bool,
    /// Number of the connection since the process started.
    pub connection: u64,
    /// Number of this request on its connection, from 1.
    pub request: u64,
}

/// The request: what the client sent, changed by plugins, and sent on.
#[derive(Debug)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Target as the client sent it; never changed.
    pub uri: Uri,
    /// Version the client speaks.
    pub version: Version,
    /// Headers.
    pub headers: Headers,
    /// Body.
    pub body: Body,
    /// What a plugin answers to a body that turns out to be too long.
    pub too_long: Option<Box<Reply>>,
    query: Option<Option<String>>,
    /// What the body is counted against, once it was read from a connection.
    budget: Option<ConnectionBudget>,
}

impl Request {
    /// A request as the client sent it.
    #[inline]
    pub fn new(method: Method, uri: Uri, version: Version, headers: Headers, body: Body) -> Self {
        Request { method, uri, version, headers, body, too_long: None, query: None, budget: None }
    }

    /// Takes a request apart.
    pub fn from_parts(parts: http::request::Parts, body: Body) -> Self {
        let headers = match parts.version {
            Version::HTTP_2 => Headers::of_http2(parts.headers),
            _ => parts.headers.into(),
        };
        Self::new(parts.method, parts.uri, parts.version, headers, body)
    }

    /// Path as the client sent it, without query.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// Query as it will be sent on, without `?`; none if there is no `?`.
    pub fn query(&self) -> Option<&str> {
        match &self.query {
            Some(changed) => changed.as_deref(),
            None => self.uri.query(),
        }
    }

    /// Replaces the query; none removes it.
    pub fn set_query(&mut self, query: Option<String>) {
        self.query = Some(query);
    }

    /// The query's arguments in order, decoded; an argument without `=` has no value.
    pub fn query_args(&self) -> impl Iterator<Item = (Cow<'_, str>, Option<Cow<'_, str>>)> {
        self.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            match pair.split_once('=') {
                Some((name, value)) => (decode(name), Some(decode(value))),
                None => (decode(pair), None),
            }
        })
    }

    /// The first value of a query argument, decoded.
    pub fn query_arg(&self, name: &str) -> Option<Cow<'_, str>> {
        self.query_args().find(|(n, _)| n == name).map(|(_, v)| v.unwrap_or_default())
    }

    /// Takes a query argument out, all its occurrences; the others stay as they were written.
    pub fn remove_query_arg(&mut self, name: &str) {
        if !self.query_args().any(|(n, _)| n == name) {
            return;
        }
        let kept: Vec<&str> = self
            .query()
            .unwrap_or("")
            .split('&')
            .filter(|pair| decode(pair.split_once('=').map_or(pair, |(n, _)| n)) != name)
            .collect();
        let left = kept.join("&");
        self.set_query((!left.is_empty()).then_some(left));
    }

    /// A header's first value as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// Reads the body whole, up to `limit` bytes, and keeps it for whoever comes next.
    ///
    /// # Errors
    /// When the connection fails or the body is longer; the body is gone then.
    pub async fn read_body(&mut self, limit: usize) -> Result<Bytes, BodyError> {
        if let Body::Stream(stream) = &self.body {
            self.budget = Some(stream.budget().clone());
        }
        let bytes = std::mem::take(&mut self.body).read(limit).await?;
        self.body = Body::whole(bytes.clone());
        Ok(bytes)
    }

    /// Bounds the length of the body, to be answered with `too_long` if it is longer. Of one whose length is unknown as
    /// much is read as may be held; if it goes on, it is cut off as it streams.
    ///
    /// # Errors
    /// When the body fails, or is known to be longer; it is gone then.
    pub async fn limit_body(&mut self, max: u64, too_long: Reply) -> Result<(), BodyError> {
        self.too_long = Some(Box::new(too_long));
        self.body = std::mem::take(&mut self.body).hold(HELD_BYTES, max).await?;
        Ok(())
    }

    /// Puts other bytes in place of a body that was read, counted as that one was. Handles on that one should be
    /// dropped before, since both count meanwhile.
    ///
    /// # Errors
    /// When the budget is used up; the body is gone then.
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
        self.body = Body::whole(bytes);
        Ok(())
    }
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}

/// The route that won, and its service.
#[derive(Clone, Debug)]
pub struct Matched {
    /// The route.
    pub route: Ix<Route>,
    /// Its service, if it has one.
    pub service: Option<Ix<Service>>,
    /// Bytes of the normalised path that the route's path took.
    pub matched: usize,
    /// Captures of a regular expression path.
    pub captures: SmallVec<[Capture; 0]>,
}

/// What a plugin changed about where the request goes; what is none follows from route and service.
#[derive(Clone, Debug, Default)]
pub struct UpstreamRequest {
    /// Path in place of the computed one, as sent on the wire, without query.
    pub path: Option<String>,
    /// Host header in place of the computed one.
    pub host: Option<HeaderValue>,
    /// Host and port in place of the service's.
    pub address: Option<(String, u16)>,
    /// Whether TLS is spoken to the upstream, in place of the service's protocol.
    pub tls: Option<bool>,
}

/// How the consumer was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The credential's id.
    pub id: Uuid,
    /// What `X-Credential-Identifier` says: the username, the key's name.
    pub identifier: Option<String>,
}

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseSource {
    /// The upstream.
    Upstream,
    /// A plugin decided it.
    Plugin,
    /// The gateway: no route, no upstream, a failure.
    Gateway,
}

/// The answer's head.
#[derive(Debug)]
pub struct Response {
    /// Status.
    pub status: StatusCode,
    /// Headers. Set before the upstream answers, they stand before the upstream's own.
    pub headers: Headers,
    /// Where it comes from.
    pub source: ResponseSource,
    /// Whether a body filter may refuse the body, so that the head waits for the first bytes that leave the filters.
    /// Set by header filters.
    pub waits_for_body: bool,
    /// Why a body filter refuses the body. The client gets a failure in place of the response if the head has
    /// waited; otherwise the response is aborted.
    pub refused: Option<BodyError>,
}

/// One request's whole memory. Borrows nothing, so that it can move into the answer's tail.
#[derive(Debug)]
pub struct Exchange {
    /// Who asks.
    pub client: Client,
    /// What they ask.
    pub request: Request,
    /// 32 hex digits that name this request.
    pub id: RequestId,
    /// Route and service, once known.
    pub matched: Option<Matched>,
    /// Changes to where the request goes.
    pub upstream: UpstreamRequest,
    /// Who is behind the request, once known.
    pub consumer: Option<Ix<Consumer>>,
    /// How they were recognised; none for an anonymous consumer.
    pub credential: Option<Credential>,
    /// Groups that an authentication plugin gave, in place of the consumer's own.
    pub groups: Option<Vec<String>>,
    /// The answer.
    pub response: Response,
    /// What bodies that filters hold are counted against; set where body filters run.
    pub budget: Option<ConnectionBudget>,
    /// When the request's head was there.
    pub started: Instant,
    /// When the request was handed to the upstream's connection, at the last try; if there came to be none, when it
    /// was dialed.
    pub sent: Option<Instant>,
    /// When the upstream's head was there, or the last try had failed.
    pub answered: Option<Instant>,
    stash: Stash,
}

impl Exchange {
    /// The memory of a request that has just come in.
    #[inline]
    pub fn new(client: Client, request: Request, id: RequestId) -> Self {
        Exchange {
            client,
            request,
            id,
            matched: None,
            upstream: UpstreamRequest::default(),
            consumer: None,
            credential: None,
            groups: None,
            response: Response {
                status: StatusCode::OK,
                headers: Headers::default(),
                source: ResponseSource::Gateway,
                waits_for_body: false,
                refused: None,
            },
            budget: None,
            started: Instant::now(),
            sent: None,
            answered: None,
            stash: Stash::default(),
        }
    }

    /// The route that won.
    pub fn route(&self) -> Option<Ix<Route>> {
        self.matched.as_ref().map(|m| m.route)
    }

    /// The service behind it.
    pub fn service(&self) -> Option<Ix<Service>> {
        self.matched.as_ref().and_then(|m| m.service)
    }

    /// `https` or `http`: what the client spoke, or what a trusted peer says it spoke.
    pub fn scheme(&self) -> &'static str {
        if self.client.trusted && self.request.headers.has(Known::ForwardedProto) {
            // All that say so have to say the same: one may be the client's own.
            let mut protos = self.request.headers.values_of(Known::ForwardedProto);
            return if protos.all(|proto| proto.eq_ignore_ascii_case(b"https")) { "https" } else { "http" };
        }
        if self.client.tls { "https" } else { "http" }
    }

    /// What bodies that filters hold are counted against. Without a connection, nothing limits it.
    pub fn budget(&self) -> ConnectionBudget {
        self.budget.clone().unwrap_or_else(ConnectionBudget::unlimited)
    }

    /// What a plugin keeps from one phase to the next, made on first use.
    pub fn stash<T: Default + 'static>(&mut self) -> &mut T {
        self.stash.get()
    }

    /// What a plugin kept, if it did.
    pub fn stashed<T: 'static>(&self) -> Option<&T> {
        self.stash.peek()
    }
}

/// A request's name: random, printed as 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(pub u128);

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Values by type; allocates nothing until used.
#[derive(Debug, Default)]
pub struct Stash(Vec<(TypeId, Box<dyn Any>)>);

impl Stash {
    fn get<T: Default + 'static>(&mut self) -> &mut T {
        let id = TypeId::of::<T>();
        let at = self.0.iter().position(|(i, _)| *i == id).unwrap_or_else(|| {
            self.0.push((id, Box::<T>::default()));
            self.0.len() - 1
        });
        self.0[at].1.downcast_mut().expect("an entry holds the type it is filed under")
    }

    fn peek<T: 'static>(&self) -> Option<&T> {
        let id = TypeId::of::<T>();
        self.0.iter().find(|(i, _)| *i == id).and_then(|(_, value)| value.downcast_ref())
    }
}
