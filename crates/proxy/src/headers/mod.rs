//! Which headers travel: hop-by-hop ones end here, the gateway's own are added.

mod added;
mod own;

use http::{HeaderName, HeaderValue, Version, header};
use smallvec::SmallVec;

use self::own::{
    CODING, CONNECTION, FOR, FORWARDED_HOST, HOPS, HOST, ID, LENGTH, PATH, PORT, PREFIX, PROTO, REAL_IP, TE,
    UPGRADE, VIA, number,
};
pub use self::{
    added::Added,
    own::{Fields, id_value},
};
use super::{admit, worker::Link};
use http_codec::{Headers, Known};
use plugin::Exchange;

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
    /// Whether the client has sent a body, be it an empty one.
    pub body: bool,
}

/// How the length of a request's body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// By what the client has said, for HTTP/2's framing tells it by itself.
    AsSaid,
    /// By a Content-Length; one of 0 only where the client sent one, or a body that turned out to be empty.
    Known(u64),
    /// By its chunks.
    Chunked,
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
    let mut seen = Seen { length: out.body, ..Seen::default() };
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
        // A request's trailers end here.
        Some(Known::Proxy | Known::ProxyConnection | Known::Expect | Known::Trailer) => false,
        Some(Known::Date | Known::Server | Known::Pad | Known::Accel | Known::Kong) => true,
        Some(Known::Authorization | Known::ContentRange | Known::IfRange | Known::IfMatch) => true,
        Some(Known::IfNoneMatch | Known::IfModifiedSince | Known::IfUnmodifiedSince) => true,
        Some(Known::ConsumerId | Known::ConsumerCustomId | Known::ConsumerUsername) => true,
        Some(Known::ConsumerGroups | Known::AuthenticatedGroups | Known::AnonymousConsumer) => true,
        // A client's own look-alikes have been dropped: this one was configured.
        Some(Known::CredentialIdentifier | Known::LookAlike) => true,
    };
    match sent.fields() {
        // Fields that Connection nominates have been dropped, see `drop_nominated`.
        Some(fields) => to.copy(fields, travels),
        None => {
            let listed = listed(sent);
            for line in sent.lines() {
                if travels(Known::of(line.name.as_str().as_bytes())) && !listed.contains(line.name) {
                    to.add(&line);
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
    let mut listed = SmallVec::new();
    for token in tokens(headers, Known::Connection) {
        if !is_option(token) {
            listed.extend(HeaderName::from_bytes(token));
        }
    }
    listed
}

/// Whether a member of `Connection` is not the name of a field.
fn is_option(token: &[u8]) -> bool {
    const OPTIONS: [&[u8]; 3] = [b"keep-alive", b"close", b"upgrade"];
    OPTIONS.iter().any(|option| token.eq_ignore_ascii_case(option))
}

/// Removes the fields that a client's `Connection` nominates, before a plugin adds its own: the nomination does not
/// concern those, nor those that the gateway handles itself.
pub fn drop_nominated(headers: &mut Headers) {
    const KEPT: [Known; 15] = [
        Known::Te,
        Known::Via,
        Known::Host,
        Known::Expect,
        Known::Trailer,
        Known::Upgrade,
        Known::RealIp,
        Known::ContentLength,
        Known::TransferEncoding,
        Known::ForwardedFor,
        Known::ForwardedHost,
        Known::ForwardedPath,
        Known::ForwardedPort,
        Known::ForwardedProto,
        Known::ForwardedPrefix,
    ];
    let listed = listed(headers);
    if listed.is_empty() {
        return;
    }
    let options: Vec<&[u8]> = tokens(headers, Known::Connection).filter(|token| is_option(token)).collect();
    let options =
        HeaderValue::from_bytes(&options.join(&b", "[..])).expect("tokens joined are a header value");
    for name in listed {
        if Known::of(name.as_str().as_bytes()).is_none_or(|known| !KEPT.contains(&known)) {
            headers.remove(name);
        }
    }
    match options.is_empty() {
        true => headers.remove(header::CONNECTION),
        false => headers.insert(header::CONNECTION, options),
    };
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
    if listed.is_empty() && headers.strip(GO.into_iter().filter(|&known| goes(known))) {
        return;
    }
    // One walk over the names finds them; a look-up for each candidate would cost more.
    let names = headers.keys().filter(|name| Known::of(name.as_str().as_bytes()).is_some_and(goes));
    let gone: SmallVec<[HeaderName; 4]> = names.cloned().chain(listed).collect();
    for name in &gone {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers of a head that nobody has looked at.
    fn unread(lines: &[(&str, &str)]) -> Headers {
        let (mut text, mut fields) = (String::new(), http_codec::Fields::default());
        for (name, value) in lines {
            let begin = text.len() as u32;
            let colon = begin + name.len() as u32;
            text += &format!("{name}: {value}\r\n");
            let value = (colon + 2, text.len() as u32 - 2);
            fields.push((begin, colon), value, Known::of(name.as_bytes()));
        }
        fields.complete(http_codec::RawHead::new(text.into()));
        fields.into()
    }

    #[test]
    fn what_concerns_an_upstream_s_connection_ends_there_looked_at_or_not() {
        let lines = [
            ("Connection", "x-mine, Close"),
            ("Keep-Alive", "timeout=5"),
            ("X-Mine", "1"),
            ("X-Accel-Buffering", "no"),
            ("Upgrade", "h2c"),
            ("Trailer", "x-end"),
            ("Server", "a"),
        ];
        for (from, upgraded, trailers, left) in [
            (0, false, false, "server"),
            (0, true, true, "server trailer upgrade"),
            (1, false, false, "server x-mine"),
            (1, true, true, "server trailer upgrade x-mine"),
            (6, false, false, "server"),
        ] {
            let lines = &lines[from..];
            let mut looked_at = Headers::from(unread(lines).into_map());
            let mut unread = unread(lines);
            for headers in [&mut unread, &mut looked_at] {
                from_upstream(headers, upgraded, trailers);
            }
            assert_eq!(unread.fields().is_some(), from > 0, "a map is made only to find other names in it");
            for headers in [unread, looked_at] {
                let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
                names.sort();
                assert_eq!(names.join(" "), left);
            }
        }
    }

    #[test]
    fn what_connection_nominates_goes_before_plugins_add_theirs() {
        let lines = [
            ("Host", "a"),
            ("Connection", "X-Mine, upgrade, te"),
            ("connection", "host , X-CONSUMER-ID,Keep-Alive"),
            ("X-Mine", "1"),
            ("x-consumer-id", "2"),
            ("TE", "trailers"),
            ("X-Other", "3"),
        ];
        let mut headers = unread(&lines);
        drop_nominated(&mut headers);
        assert_eq!(headers["connection"], "upgrade, Keep-Alive");
        assert!(listed(&headers).is_empty());
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort();
        assert_eq!(names, ["connection", "host", "te", "x-other"]);
        let mut headers = unread(&[("Connection", "close"), ("Close", "1")]);
        drop_nominated(&mut headers);
        assert!(headers.fields().is_some(), "nothing is nominated");
    }

    #[test]
    fn a_list_is_read_without_a_map() {
        let mut headers =
            unread(&[("Connection", "close"), ("TE", "x"), ("VIA", "a"), ("te", "a, Trailers ")]);
        for _ in 0..2 {
            assert!(listed(&headers).is_empty() && wants_trailers(&headers));
            assert_eq!(joined(&headers, Known::Via, b"b"), "a, b");
            assert_eq!(joined(&headers, Known::ForwardedFor, b"b"), "b");
            headers = headers.into_map().into();
        }
    }
}
