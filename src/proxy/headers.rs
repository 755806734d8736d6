//! Which headers travel: hop-by-hop ones end here, the gateway's own are added.

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use smallvec::SmallVec;

use super::{admit, worker::Link};
use crate::{
    plugin::{Exchange, RequestId},
    runtime::AddedHeaders,
};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const PATH: HeaderName = HeaderName::from_static("x-forwarded-path");
const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-kong-request-id");
const UPSTREAM_LATENCY: HeaderName = HeaderName::from_static("x-kong-upstream-latency");
const PROXY_LATENCY: HeaderName = HeaderName::from_static("x-kong-proxy-latency");
const RESPONSE_LATENCY: HeaderName = HeaderName::from_static("x-kong-response-latency");
const UPSTREAM_STATUS: HeaderName = HeaderName::from_static("x-kong-upstream-status");

/// The gateway's name in `Server` and `Via`: that of the Kong it stands in for.
const NAME: &str = "kong/3.9.3";
const VIA: [&str; 3] = ["1.1 kong/3.9.3", "2 kong/3.9.3", "1.0 kong/3.9.3"];

/// A request's id as a header value.
pub fn id_value(id: RequestId) -> HeaderValue {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(id.0.to_be_bytes()) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    HeaderValue::from_bytes(&text).expect("hex digits are a header value")
}

/// Whether a request asks for a WebSocket.
pub fn wants_websocket(exchange: &Exchange) -> bool {
    let headers = &exchange.request.headers;
    exchange.request.version == Version::HTTP_11
        && headers.get(header::UPGRADE).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && tokens(headers, &header::CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"))
}

/// Whether a client wants trailers.
pub fn wants_trailers(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TE)
        && tokens(headers, &header::TE).any(|token| token.eq_ignore_ascii_case("trailers"))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

/// What the request path has worked out for the upstream's headers.
#[derive(Debug)]
pub struct Outgoing {
    /// Host header.
    pub host: HeaderValue,
    /// The part of the path that was stripped; none if nothing was.
    pub prefix: Option<HeaderValue>,
    /// Whether a WebSocket is asked for.
    pub websocket: bool,
    /// The request's id, if it is sent.
    pub id: Option<HeaderValue>,
}

/// The headers of the request to the upstream.
pub fn for_upstream(exchange: &Exchange, link: &Link, out: &Outgoing) -> HeaderMap {
    let mut headers = exchange.request.headers.clone();
    let trailers = wants_trailers(&headers);
    strip(&mut headers, Side::Request);
    let client = &exchange.client;
    let sent = &exchange.request.headers;

    // What was said before is followed by the peer; where nothing was, the client stands for itself.
    let peer = &link.peer_text;
    let real = if client.ip == client.peer.ip() { peer.clone() } else { super::worker::text(client.ip) };
    let forwarded = match sent.get(FOR) {
        None => real.clone(),
        Some(_) => joined(sent, &FOR, peer.as_bytes()),
    };
    headers.insert(FOR, forwarded);
    headers.insert(REAL_IP, real);
    let keep = |name: &HeaderName| client.trusted && sent.contains_key(name);
    if !keep(&PROTO) {
        headers.insert(PROTO, HeaderValue::from_static(if client.tls { "https" } else { "http" }));
    }
    if !keep(&HOST) {
        match sent.get(header::HOST).map(|host| (host, host.to_str().unwrap_or(""))) {
            Some((value, host)) => {
                let bare = admit::split_host(host).0;
                let lower = admit::lower(bare);
                let value = if *lower == *host { Ok(value.clone()) } else { HeaderValue::from_str(&lower) };
                if let Ok(value) = value {
                    headers.insert(HOST, value);
                }
            }
            None => drop(headers.remove(HOST)),
        }
    }
    if !keep(&PORT) {
        headers.insert(PORT, link.port_text.clone());
    }
    if !keep(&PATH)
        && let Ok(path) = HeaderValue::from_str(exchange.request.path())
    {
        headers.insert(PATH, path);
    }
    if !keep(&PREFIX) {
        match &out.prefix {
            Some(prefix) => drop(headers.insert(PREFIX, prefix.clone())),
            None => drop(headers.remove(PREFIX)),
        }
    }
    let via = VIA[match exchange.request.version {
        Version::HTTP_2 => 1,
        Version::HTTP_10 => 2,
        _ => 0,
    }];
    let via = match sent.contains_key(header::VIA) {
        true => joined(sent, &header::VIA, via.as_bytes()),
        false => HeaderValue::from_static(via),
    };
    headers.insert(header::VIA, via);
    match &out.id {
        Some(id) => drop(headers.insert(REQUEST_ID, id.clone())),
        None => drop(headers.remove(REQUEST_ID)),
    }
    headers.insert(header::HOST, out.host.clone());
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if out.websocket {
        headers.insert(header::CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    } else {
        headers.insert(header::CONNECTION, HeaderValue::from_static("keep-alive"));
    }
    headers
}

fn joined(headers: &HeaderMap, name: &HeaderName, last: &[u8]) -> HeaderValue {
    let mut text = Vec::with_capacity(64);
    for value in headers.get_all(name) {
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b", ");
    }
    text.extend_from_slice(last);
    HeaderValue::try_from(text).expect("header values joined are a header value")
}

/// Removes from an upstream's answer what was meant for this connection only.
pub fn from_upstream(headers: &mut HeaderMap, upgraded: bool, trailers: bool) {
    strip(headers, Side::Response { upgraded, trailers });
}

#[derive(Clone, Copy)]
enum Side {
    Request,
    Response { upgraded: bool, trailers: bool },
}

/// One walk over the names finds what has to go; a look-up for each candidate would cost more.
fn strip(headers: &mut HeaderMap, side: Side) {
    let mut gone: SmallVec<[HeaderName; 8]> = SmallVec::new();
    for name in headers.keys() {
        let goes = match (name.as_str(), side) {
            ("connection", _) => {
                for token in tokens(headers, &header::CONNECTION) {
                    let kept = ["close", "keep-alive", "upgrade"];
                    if !kept.iter().any(|word| token.eq_ignore_ascii_case(word))
                        && let Ok(name) = HeaderName::from_bytes(token.as_bytes())
                    {
                        gone.push(name);
                    }
                }
                true
            }
            ("keep-alive" | "transfer-encoding", _) => true,
            ("proxy" | "proxy-connection" | "expect" | "te" | "upgrade", Side::Request) => true,
            ("upgrade", Side::Response { upgraded, .. }) => !upgraded,
            ("trailer", Side::Response { trailers, .. }) => !trailers,
            ("x-pad", Side::Response { .. }) => true,
            (name, Side::Response { .. }) => name.starts_with("x-accel-"),
            _ => false,
        };
        if goes {
            gone.push(name.clone());
        }
    }
    for name in gone {
        headers.remove(name);
    }
}

/// What the answer's last headers are made from.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// Whether an upstream was asked, whatever came of it.
    pub proxied: bool,
    /// Whether the head is the upstream's.
    pub upstream: bool,
}

/// Adds the gateway's own headers to an answer, after all plugins.
pub fn for_client(exchange: &mut Exchange, added: &AddedHeaders, answered: Answered, id: &HeaderValue) {
    let millis = |from: Option<std::time::Instant>, to: Option<std::time::Instant>| {
        from.zip(to).map_or(0, |(from, to)| to.saturating_duration_since(from).as_millis() as u64)
    };
    let (started, sent, done) = (Some(exchange.started), exchange.sent, exchange.answered);
    let headers = &mut exchange.response.headers;
    if answered.proxied {
        if added.upstream_latency {
            headers.insert(UPSTREAM_LATENCY, number(millis(sent, done)));
        }
        if added.proxy_latency {
            headers.insert(PROXY_LATENCY, number(millis(started, sent)));
        }
    } else if added.response_latency {
        headers.insert(RESPONSE_LATENCY, number(millis(started, Some(std::time::Instant::now()))));
    }
    if added.upstream_status && answered.upstream {
        headers.insert(UPSTREAM_STATUS, number(exchange.response.status.as_u16().into()));
    }
    if added.via && answered.upstream {
        let via = match headers.contains_key(header::VIA) {
            true => joined(headers, &header::VIA, VIA[0].as_bytes()),
            false => HeaderValue::from_static(VIA[0]),
        };
        headers.insert(header::VIA, via);
    }
    if added.server && !(answered.upstream && headers.contains_key(header::SERVER)) {
        headers.insert(header::SERVER, HeaderValue::from_static(NAME));
    }
    if added.request_id {
        headers.insert(REQUEST_ID, id.clone());
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
