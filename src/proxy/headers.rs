//! Which headers travel: hop-by-hop ones end here, the gateway's own are added.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use smallvec::SmallVec;

use super::{admit, worker::Link};
use crate::{
    net::{self, Headers, Known},
    plugin::{Exchange, RequestId, ResponseSource},
    runtime::AddedHeaders,
};

/// A header of the gateway's own.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    name: fn() -> HeaderName,
    /// The end of the line before it, and how its own begins.
    begin: &'static [u8],
}

macro_rules! own {
    ($name:literal) => {
        Own {
            name: || const { HeaderName::from_static($name) },
            begin: concat!("\r\n", $name, ": ").as_bytes(),
        }
    };
}

const FOR: Own = own!("x-forwarded-for");
const REAL_IP: Own = own!("x-real-ip");
const PROTO: Own = own!("x-forwarded-proto");
const FORWARDED_HOST: Own = own!("x-forwarded-host");
const PORT: Own = own!("x-forwarded-port");
const PATH: Own = own!("x-forwarded-path");
const PREFIX: Own = own!("x-forwarded-prefix");
const ID: Own = own!("x-kong-request-id");
const HOST: Own = own!("host");
const LENGTH: Own = own!("content-length");
const CODING: Own = own!("transfer-encoding");
const VIA: Own = own!("via");
const TE: Own = own!("te");
const CONNECTION: Own = own!("connection");
const UPGRADE: Own = own!("upgrade");

const UPSTREAM_LATENCY: Own = own!("x-kong-upstream-latency");
const PROXY_LATENCY: Own = own!("x-kong-proxy-latency");
const RESPONSE_LATENCY: Own = own!("x-kong-response-latency");
const UPSTREAM_STATUS: Own = own!("x-kong-upstream-status");
const SERVER: Own = own!("server");

/// The gateway's name in `Server` and `Via`: that of the Kong it stands in for.
const NAME: &str = "kong/3.9.3";
const HOPS: [&str; 3] = ["1.1 kong/3.9.3", "2 kong/3.9.3", "1.0 kong/3.9.3"];

/// A request's id as a header value.
pub fn id_value(id: RequestId) -> HeaderValue {
    let mut text = [0; 32];
    for (part, bytes) in text.as_chunks_mut::<8>().0.iter_mut().zip(id.0.to_be_bytes().as_chunks::<4>().0) {
        *part = hex(u32::from_be_bytes(*bytes));
    }
    // An owner is not copied when the value is.
    HeaderValue::from_maybe_shared(Bytes::from_owner(text)).expect("hex digits are a header value")
}

/// A number in hex, all its digits at once. Apart: several copies of it in one place do not pay for a jump saved.
#[inline(never)]
fn hex(number: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut digits = u64::from(number);
    digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff;
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff;
    digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // From 10 on, adding 6 carries into the next half of a byte.
    let letters = (digits + 6 * ONES) >> 4 & ONES;
    (digits + u64::from(b'0') * ONES + letters * u64::from(b'a' - b'0' - 10)).to_be_bytes()
}

/// Whether a request asks for a WebSocket.
pub fn wants_websocket(exchange: &Exchange) -> bool {
    let headers = &exchange.request.headers;
    exchange.request.version == Version::HTTP_11
        && headers.has(Known::Upgrade)
        && headers.values_of(Known::Upgrade).next().is_some_and(|v| v.eq_ignore_ascii_case(b"websocket"))
        && tokens(headers, Known::Connection).any(|token| token.eq_ignore_ascii_case(b"upgrade"))
}

/// Whether a client wants trailers.
pub fn wants_trailers(headers: &Headers) -> bool {
    headers.has(Known::Te) && tokens(headers, Known::Te).any(|token| token.eq_ignore_ascii_case(b"trailers"))
}

fn tokens(headers: &Headers, known: Known) -> impl Iterator<Item = &[u8]> {
    let tokens = headers.values_of(known).flat_map(|value| value.split(|&byte| byte == b','));
    tokens.map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

/// What the request path has worked out for the upstream's headers.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The part of the path that was stripped; none if nothing was.
    pub prefix: Option<HeaderValue>,
    /// Whether a WebSocket is asked for.
    pub websocket: bool,
    /// The request's id, if it is sent.
    pub id: Option<&'a HeaderValue>,
}

/// How the length of a request's body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// By what the client has said, for HTTP/2's framing tells it by itself.
    AsSaid,
    /// By a Content-Length; one of 0 only where the client sent any.
    Known(u64),
    /// By its chunks.
    Chunked,
}

/// Takes the fields of a head, one after the other.
pub trait Fields {
    /// Takes one.
    fn add(&mut self, name: &HeaderName, value: &HeaderValue);
    /// Takes those that travel of a head that nobody has changed.
    fn copy(&mut self, fields: &net::Fields, travels: impl FnMut(Option<Known>) -> bool);
    /// Takes one of the gateway's own.
    fn own(&mut self, own: Own, value: &HeaderValue);
    /// Takes one of the gateway's own whose value is known beforehand.
    fn fixed(&mut self, own: Own, value: &'static str);
    /// Takes one of the gateway's own whose value is text without control characters.
    fn text(&mut self, own: Own, text: &[u8]);
}

impl Fields for HeaderMap {
    fn add(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.append(name, value.clone());
    }

    fn copy(&mut self, fields: &net::Fields, mut travels: impl FnMut(Option<Known>) -> bool) {
        for (name, value) in &fields.to_map() {
            if travels(Known::of(name.as_str().as_bytes())) {
                self.append(name, value.clone());
            }
        }
    }

    fn own(&mut self, own: Own, value: &HeaderValue) {
        self.append((own.name)(), value.clone());
    }

    fn fixed(&mut self, own: Own, value: &'static str) {
        self.append((own.name)(), HeaderValue::from_static(value));
    }

    fn text(&mut self, own: Own, text: &[u8]) {
        if let Ok(value) = HeaderValue::from_bytes(text) {
            self.append((own.name)(), value);
        }
    }
}

/// As they stand in a head of HTTP/1, each after the end of the line before it. What the compiler knows of a line it
/// copies in words, so these are to be part of the code that calls them.
impl Fields for Vec<u8> {
    fn add(&mut self, name: &HeaderName, value: &HeaderValue) {
        let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
        self.reserve(name.len() + value.len() + 4);
        self.extend_from_slice(b"\r\n");
        self.extend_from_slice(name);
        self.extend_from_slice(b": ");
        self.extend_from_slice(value);
    }

    #[inline]
    fn copy(&mut self, fields: &net::Fields, travels: impl FnMut(Option<Known>) -> bool) {
        fields.write(self, travels);
    }

    #[inline]
    fn own(&mut self, own: Own, value: &HeaderValue) {
        self.extend_from_slice(own.begin);
        self.extend_from_slice(value.as_bytes());
    }

    #[inline]
    fn fixed(&mut self, own: Own, value: &'static str) {
        self.extend_from_slice(own.begin);
        self.extend_from_slice(value.as_bytes());
    }

    #[inline]
    fn text(&mut self, own: Own, text: &[u8]) {
        // A line end inside would begin a header of its own.
        if !text.iter().any(|&byte| byte < b' ') {
            self.extend_from_slice(own.begin);
            self.extend_from_slice(text);
        }
    }
}

/// Which of the headers that the gateway speaks about the client has sent.
#[derive(Default)]
struct Seen {
    chain: bool,
    via: bool,
    length: bool,
    te: bool,
    proto: bool,
    to_host: bool,
    port: bool,
    path: bool,
    prefix: bool,
}

/// The headers of the request to the upstream, in one walk over the client's.
pub fn for_upstream(
    exchange: &Exchange,
    link: &Link,
    host: &HeaderValue,
    out: &Outgoing<'_>,
    length: Length,
    to: &mut impl Fields,
) {
    let client = &exchange.client;
    let sent = &exchange.request.headers;
    to.own(HOST, host);
    let mut seen = Seen::default();
    let mut travels = |known| match known {
        None => true,
        Some(Known::ContentLength) => {
            seen.length = true;
            length == Length::AsSaid
        }
        Some(Known::Te) => mark(&mut seen.te, true, false),
        Some(Known::Via) => mark(&mut seen.via, true, false),
        Some(Known::ForwardedFor) => mark(&mut seen.chain, true, false),
        // What a trusted peer says stands.
        Some(Known::ForwardedProto) => mark(&mut seen.proto, client.trusted, client.trusted),
        Some(Known::ForwardedHost) => mark(&mut seen.to_host, client.trusted, client.trusted),
        Some(Known::ForwardedPort) => mark(&mut seen.port, client.trusted, client.trusted),
        Some(Known::ForwardedPath) => mark(&mut seen.path, client.trusted, client.trusted),
        Some(Known::ForwardedPrefix) => mark(&mut seen.prefix, client.trusted, client.trusted),
        Some(Known::Host | Known::RealIp | Known::KongRequestId) => false,
        Some(Known::Connection | Known::KeepAlive | Known::TransferEncoding | Known::Upgrade) => false,
        Some(Known::Proxy | Known::ProxyConnection | Known::Expect) => false,
        Some(Known::Date | Known::Server | Known::Trailer | Known::Pad | Known::Accel | Known::Kong) => true,
    };
    let listed = listed(sent);
    match sent.fields() {
        Some(fields) if listed.is_empty() => to.copy(fields, travels),
        _ => {
            for (name, value) in sent {
                if travels(Known::of(name.as_str().as_bytes())) && !listed.contains(name) {
                    to.add(name, value);
                }
            }
        }
    }

    match length {
        Length::Known(0) if !seen.length => {}
        Length::Known(length) => to.own(LENGTH, &number(length)),
        Length::Chunked => to.fixed(CODING, "chunked"),
        Length::AsSaid => {}
    }
    // What was said before is followed by the peer; where nothing was, the client stands for itself.
    let peer = &link.peer_text;
    let own;
    let real = if client.ip == client.peer.ip() {
        peer
    } else {
        own = super::worker::text(client.ip);
        &own
    };
    match seen.chain {
        true => to.own(FOR, &joined(sent, Known::ForwardedFor, peer.as_bytes())),
        false => to.own(FOR, real),
    }
    to.own(REAL_IP, real);
    if !seen.proto {
        to.fixed(PROTO, if client.tls { "https" } else { "http" });
    }
    if let (false, Some(host)) = (seen.to_host, sent.host().0.and_then(admit::host_name)) {
        to.text(FORWARDED_HOST, &host);
    }
    if !seen.port {
        to.own(PORT, &link.port_text);
    }
    if !seen.path {
        to.text(PATH, exchange.request.path().as_bytes());
    }
    if let (false, Some(prefix)) = (seen.prefix, &out.prefix) {
        to.own(PREFIX, prefix);
    }
    let via = HOPS[match exchange.request.version {
        Version::HTTP_2 => 1,
        Version::HTTP_10 => 2,
        _ => 0,
    }];
    match seen.via {
        true => to.own(VIA, &joined(sent, Known::Via, via.as_bytes())),
        false => to.fixed(VIA, via),
    }
    if let Some(id) = out.id {
        to.own(ID, id);
    }
    if seen.te && wants_trailers(sent) {
        to.fixed(TE, "trailers");
    }
    if out.websocket {
        to.fixed(CONNECTION, "keep-alive, Upgrade");
        to.fixed(UPGRADE, "websocket");
    } else {
        to.fixed(CONNECTION, "keep-alive");
    }
}

/// Notes that a header was sent, if the peer's word `counts`; whether it `travels`.
fn mark(seen: &mut bool, counts: bool, travels: bool) -> bool {
    *seen = counts;
    travels
}

fn joined(headers: &Headers, known: Known, last: &[u8]) -> HeaderValue {
    let mut text = Vec::with_capacity(64);
    for value in headers.values_of(known) {
        text.extend_from_slice(value);
        text.extend_from_slice(b", ");
    }
    text.extend_from_slice(last);
    HeaderValue::try_from(text).expect("header values joined are a header value")
}

/// Headers that `Connection` names as meant for this connection only.
fn listed(headers: &Headers) -> SmallVec<[HeaderName; 2]> {
    const OTHERS: [&[u8]; 3] = [b"keep-alive", b"close", b"upgrade"];
    let mut listed = SmallVec::new();
    for token in tokens(headers, Known::Connection) {
        if !OTHERS.iter().any(|word| token.eq_ignore_ascii_case(word)) {
            listed.extend(HeaderName::from_bytes(token));
        }
    }
    listed
}

/// Removes from an upstream's answer what was meant for this connection only.
pub fn from_upstream(headers: &mut Headers, upgraded: bool, trailers: bool) {
    const GO: [Known; 7] = [
        Known::Connection,
        Known::KeepAlive,
        Known::TransferEncoding,
        Known::Pad,
        Known::Upgrade,
        Known::Trailer,
        Known::Accel,
    ];
    if headers.fields().is_some_and(|fields| !fields.has(&GO)) {
        return;
    }
    let goes = |known| match known {
        Known::Upgrade => !upgraded,
        Known::Trailer => !trailers,
        known => GO.contains(&known),
    };
    let listed = listed(headers);
    *headers = match std::mem::take(headers).into_fields() {
        Ok(mut fields) if listed.is_empty() => {
            GO.into_iter().filter(|&known| goes(known)).for_each(|known| fields.remove(known));
            fields.into()
        }
        other => {
            let mut map = other.map_or_else(|map| map, |fields| fields.to_map());
            // One walk over the names finds them; a look-up for each candidate would cost more.
            let names = map.keys().filter(|name| Known::of(name.as_str().as_bytes()).is_some_and(goes));
            let gone: SmallVec<[HeaderName; 4]> = names.cloned().chain(listed).collect();
            gone.iter().for_each(|name| {
                map.remove(name);
            });
            map.into()
        }
    };
}

/// The gateway's own headers of an answer.
#[derive(Debug)]
pub struct Added {
    /// Milliseconds that the upstream took, and those before it was asked; if it was.
    proxied: Option<(u64, u64)>,
    /// Milliseconds that the answer took, if none was asked.
    response: u64,
    /// The upstream's status, if the answer is its.
    status: Option<u16>,
    /// Whether the upstream has said who it is.
    server: bool,
    id: HeaderValue,
}

impl Added {
    /// Those of an exchange after its last plugin; `proxied` tells whether an upstream was asked, whatever came of
    /// it.
    pub fn new(exchange: &Exchange, proxied: bool, id: &HeaderValue) -> Self {
        let millis = |from: Instant, to: Option<Instant>| {
            to.map_or(0, |to| to.saturating_duration_since(from).as_millis() as u64)
        };
        let Exchange { started, sent, answered, response, .. } = exchange;
        let upstream = response.source == ResponseSource::Upstream;
        Added {
            proxied: sent.filter(|_| proxied).map(|at| (millis(at, *answered), millis(*started, Some(at)))),
            response: if proxied { 0 } else { millis(*started, Some(Instant::now())) },
            status: upstream.then(|| response.status.as_u16()),
            server: upstream && response.headers.has(Known::Server),
            id: id.clone(),
        }
    }

    /// Whether one of them may have to stand in place of what is there.
    pub fn clashes(&self, headers: &Headers) -> bool {
        match headers.fields() {
            Some(fields) => {
                fields.has(&[Known::Via, Known::KongRequestId, Known::Kong])
                    || !self.server && fields.has(&[Known::Server])
            }
            None => headers.keys().any(|name| match name.as_str() {
                "via" => true,
                "server" => !self.server,
                name => name.starts_with("x-kong-"),
            }),
        }
    }

    /// Adds them where none of them is.
    pub fn put(&self, wanted: &AddedHeaders, to: &mut impl Fields) {
        match self.proxied {
            Some((upstream, before)) => {
                if wanted.upstream_latency {
                    to.own(UPSTREAM_LATENCY, &number(upstream));
                }
                if wanted.proxy_latency {
                    to.own(PROXY_LATENCY, &number(before));
                }
            }
            None if wanted.response_latency => to.own(RESPONSE_LATENCY, &number(self.response)),
            None => {}
        }
        if let Some(status) = self.status {
            if wanted.upstream_status {
                to.own(UPSTREAM_STATUS, &number(status.into()));
            }
            if wanted.via {
                to.fixed(VIA, HOPS[0]);
            }
        }
        if wanted.server && !self.server {
            to.fixed(SERVER, NAME);
        }
        if wanted.request_id {
            to.own(ID, &self.id);
        }
    }

    /// Adds them to a map, in place of what is there.
    pub fn insert(&self, wanted: &AddedHeaders, headers: &mut Headers) {
        if !self.clashes(headers) {
            return self.put(wanted, &mut **headers);
        }
        let mut own = HeaderMap::with_capacity(8);
        self.put(wanted, &mut own);
        // Who has passed an answer on is a list.
        if own.contains_key(header::VIA) && headers.has(Known::Via) {
            own.insert(header::VIA, joined(headers, Known::Via, HOPS[0].as_bytes()));
        }
        headers.extend(own);
    }
}

/// A number as a header value; small ones need no memory.
fn number(value: u64) -> HeaderValue {
    const SMALL: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    match usize::try_from(value).ok().and_then(|at| SMALL.get(at)) {
        Some(text) => HeaderValue::from_static(text),
        None => HeaderValue::from(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_and_a_map_take_the_same_fields() {
        fn fill(to: &mut impl Fields) {
            to.own(HOST, &HeaderValue::from_static("a"));
            to.add(&header::ACCEPT, &HeaderValue::from_static("*/*"));
            to.fixed(VIA, HOPS[0]);
            to.text(PATH, b"/a");
            to.text(PREFIX, b"/\r\nx: y");
        }
        let (mut head, mut map) = (Vec::new(), HeaderMap::new());
        fill(&mut head);
        fill(&mut map);
        let lines = map.iter().map(|(name, value)| format!("\r\n{name}: {}", value.to_str().expect("text")));
        assert_eq!(String::from_utf8(head).expect("text"), lines.collect::<String>());
        assert_eq!(map.len(), 4);
    }

    #[test]
    fn an_id_is_told_in_hex() {
        assert_eq!(
            id_value(RequestId(0x0123_4567_89ab_cdef_u128 << 64 | 0xfe)),
            "0123456789abcdef00000000000000fe"
        );
    }
}
