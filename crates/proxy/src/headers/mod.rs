//! Headers towards upstream and client: hop-by-hop fields are removed, the gateway's added.

mod gateway_headers;
mod response_headers;

use http::{HeaderName, HeaderValue, Version, header};
use smallvec::SmallVec;

use self::gateway_headers::{
    CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE, VIA, VIA_VALUES, X_FORWARDED_FOR,
    X_FORWARDED_HOST, X_FORWARDED_PATH, X_FORWARDED_PORT, X_FORWARDED_PREFIX, X_FORWARDED_PROTO,
    X_KONG_REQUEST_ID, X_REAL_IP, number_value,
};
pub use self::{
    gateway_headers::{HeaderSink, request_id_value},
    response_headers::AddedResponseHeaders,
};
use super::{validate, worker::ConnContext};
use http_codec::{Headers, Known};
use plugin::Exchange;

/// Whether a request is a WebSocket upgrade.
pub fn wants_websocket(exchange: &Exchange) -> bool {
    let headers = &exchange.request.headers;
    exchange.request.version == Version::HTTP_11
        && headers.has(Known::Upgrade)
        && headers.values_of(Known::Upgrade).next().is_some_and(|v| v.eq_ignore_ascii_case(b"websocket"))
        && tokens(headers, Known::Connection).any(|token| token.eq_ignore_ascii_case(b"upgrade"))
}

/// Whether a client accepts trailers.
pub fn wants_trailers(headers: &Headers) -> bool {
    headers.has(Known::Te) && tokens(headers, Known::Te).any(|token| token.eq_ignore_ascii_case(b"trailers"))
}

fn tokens(headers: &Headers, known: Known) -> impl Iterator<Item = &[u8]> {
    let tokens = headers.values_of(known).flat_map(|value| value.split(|&byte| byte == b','));
    tokens.map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

/// What the upstream's headers depend on, the exchange apart.
#[derive(Debug)]
pub struct UpstreamHeaderContext<'a> {
    /// The part of the path that was stripped; `None` if nothing was.
    pub prefix: Option<HeaderValue>,
    /// Whether it is a WebSocket upgrade.
    pub websocket: bool,
    /// The request's id, if it is sent.
    pub id: Option<&'a HeaderValue>,
    /// Whether the client has sent a body, possibly an empty one.
    pub body: bool,
}

/// How the length of the upstream request's body is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// As the client has announced it; HTTP/2's framing needs nothing.
    FromClient,
    /// By Content-Length; 0 only if the client sent a length, or a body that turned out to be empty.
    Known(u64),
    /// By the chunked transfer coding.
    Chunked,
}

/// Which of the fields that the gateway sets the client has sent.
#[derive(Default)]
struct ClientSent {
    forwarded_for: bool,
    via: bool,
    length: bool,
    te: bool,
    proto: bool,
    host: bool,
    port: bool,
    path: bool,
    prefix: bool,
}

/// Writes the headers of the upstream's request, in one pass over the client's.
pub fn for_upstream(
    exchange: &Exchange,
    conn_ctx: &ConnContext,
    host: &HeaderValue,
    header_ctx: &UpstreamHeaderContext<'_>,
    length: BodyLength,
    to: &mut impl HeaderSink,
) {
    let client = &exchange.client;
    let sent = &exchange.request.headers;
    to.append_value(HOST, host);
    let mut client_sent = ClientSent { length: header_ctx.body, ..ClientSent::default() };
    let mut is_forwarded = |known| match known {
        None => true,
        Some(Known::ContentLength) => {
            client_sent.length = true;
            length == BodyLength::FromClient
        }
        Some(Known::Te) => note(&mut client_sent.te, true, false),
        Some(Known::Via) => note(&mut client_sent.via, true, false),
        Some(Known::ForwardedFor) => note(&mut client_sent.forwarded_for, true, false),
        // Values of a trusted peer are kept.
        Some(Known::ForwardedProto) => note(&mut client_sent.proto, client.trusted, client.trusted),
        Some(Known::ForwardedHost) => note(&mut client_sent.host, client.trusted, client.trusted),
        Some(Known::ForwardedPort) => note(&mut client_sent.port, client.trusted, client.trusted),
        Some(Known::ForwardedPath) => note(&mut client_sent.path, client.trusted, client.trusted),
        Some(Known::ForwardedPrefix) => note(&mut client_sent.prefix, client.trusted, client.trusted),
        Some(Known::Host | Known::RealIp | Known::KongRequestId) => false,
        Some(Known::Connection | Known::KeepAlive | Known::TransferEncoding | Known::Upgrade) => false,
        // A request's trailers are not forwarded.
        Some(Known::Proxy | Known::ProxyConnection | Known::Expect | Known::Trailer) => false,
        Some(Known::Date | Known::Server | Known::Pad | Known::Accel | Known::Kong) => true,
        Some(Known::Authorization | Known::ContentRange | Known::IfRange | Known::IfMatch) => true,
        Some(Known::IfNoneMatch | Known::IfModifiedSince | Known::IfUnmodifiedSince) => true,
        Some(Known::ConsumerId | Known::ConsumerCustomId | Known::ConsumerUsername) => true,
        Some(Known::ConsumerGroups | Known::AuthenticatedGroups | Known::AnonymousConsumer) => true,
        // Look-alikes from the client have been dropped: this one was configured.
        Some(Known::CredentialIdentifier | Known::LookAlike) => true,
    };
    match sent.fields() {
        // Fields that Connection nominates have been dropped by `drop_nominated`.
        Some(fields) => to.append_fields(fields, is_forwarded),
        None => {
            let listed = connection_listed(sent);
            for line in sent.lines() {
                if is_forwarded(Known::of(line.name.as_str().as_bytes())) && !listed.contains(line.name) {
                    to.append_line(&line);
                }
            }
        }
    }

    match length {
        BodyLength::Known(0) if !client_sent.length => {}
        BodyLength::Known(length) => to.append_value(CONTENT_LENGTH, &number_value(length)),
        BodyLength::Chunked => to.append_static(TRANSFER_ENCODING, "chunked"),
        BodyLength::FromClient => {}
    }
    // The peer is appended to an existing list; without one, the client starts it.
    let peer = &conn_ctx.peer_header;
    let client_ip_header;
    let real_ip = if client.ip == client.peer.ip() {
        peer
    } else {
        client_ip_header = super::worker::ip_header_value(client.ip);
        &client_ip_header
    };
    match client_sent.forwarded_for {
        true => to.append_value(X_FORWARDED_FOR, &join_comma(sent, Known::ForwardedFor, peer.as_bytes())),
        false => to.append_value(X_FORWARDED_FOR, real_ip),
    }
    to.append_value(X_REAL_IP, real_ip);
    if !client_sent.proto {
        to.append_static(X_FORWARDED_PROTO, if client.tls { "https" } else { "http" });
    }
    if let (false, Some(host)) = (client_sent.host, sent.host().0.and_then(validate::host_name)) {
        to.append_text(X_FORWARDED_HOST, &host);
    }
    if !client_sent.port {
        to.append_value(X_FORWARDED_PORT, &conn_ctx.port_header);
    }
    if !client_sent.path {
        to.append_text(X_FORWARDED_PATH, exchange.request.path().as_bytes());
    }
    if let (false, Some(prefix)) = (client_sent.prefix, &header_ctx.prefix) {
        to.append_value(X_FORWARDED_PREFIX, prefix);
    }
    let via = VIA_VALUES[match exchange.request.version {
        Version::HTTP_2 => 1,
        Version::HTTP_10 => 2,
        _ => 0,
    }];
    match client_sent.via {
        true => to.append_value(VIA, &join_comma(sent, Known::Via, via.as_bytes())),
        false => to.append_static(VIA, via),
    }
    if let Some(id) = header_ctx.id {
        to.append_value(X_KONG_REQUEST_ID, id);
    }
    if client_sent.te && wants_trailers(sent) {
        to.append_static(TE, "trailers");
    }
    if header_ctx.websocket {
        to.append_static(CONNECTION, "keep-alive, Upgrade");
        to.append_static(UPGRADE, "websocket");
    } else {
        to.append_static(CONNECTION, "keep-alive");
    }
}

/// Records that a header was sent if the peer's value `counts`; returns whether it is forwarded.
fn note(client_sent: &mut bool, counts: bool, is_forwarded: bool) -> bool {
    *client_sent = counts;
    is_forwarded
}

fn join_comma(headers: &Headers, known: Known, last: &[u8]) -> HeaderValue {
    let mut text = Vec::with_capacity(64);
    for value in headers.values_of(known) {
        text.extend_from_slice(value);
        text.extend_from_slice(b", ");
    }
    text.extend_from_slice(last);
    HeaderValue::try_from(text).expect("header values joined are a header value")
}

/// Fields that `Connection` nominates as hop-by-hop (RFC 9110 section 7.6.1).
fn connection_listed(headers: &Headers) -> SmallVec<[HeaderName; 2]> {
    let mut listed = SmallVec::new();
    for token in tokens(headers, Known::Connection) {
        if !is_connection_option(token) {
            listed.extend(HeaderName::from_bytes(token));
        }
    }
    listed
}

/// Whether a member of `Connection` is not the name of a field.
fn is_connection_option(token: &[u8]) -> bool {
    const OPTIONS: [&[u8]; 3] = [b"keep-alive", b"close", b"upgrade"];
    OPTIONS.iter().any(|option| token.eq_ignore_ascii_case(option))
}

/// Removes the fields that a client's `Connection` nominates, before plugins add theirs, which the nomination
/// does not concern. Fields that the gateway handles itself are kept.
pub fn drop_nominated(headers: &mut Headers) {
    const HANDLED_BY_GATEWAY: [Known; 15] = [
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
    let listed = connection_listed(headers);
    if listed.is_empty() {
        return;
    }
    let options: Vec<&[u8]> =
        tokens(headers, Known::Connection).filter(|token| is_connection_option(token)).collect();
    let options =
        HeaderValue::from_bytes(&options.join(&b", "[..])).expect("tokens joined are a header value");
    for name in listed {
        if Known::of(name.as_str().as_bytes()).is_none_or(|known| !HANDLED_BY_GATEWAY.contains(&known)) {
            headers.remove(name);
        }
    }
    match options.is_empty() {
        true => headers.remove(header::CONNECTION),
        false => headers.insert(header::CONNECTION, options),
    };
}

/// Removes hop-by-hop fields from an upstream's response.
pub fn from_upstream(headers: &mut Headers, upgraded: bool, trailers: bool) {
    const HOP_BY_HOP: [Known; 7] = [
        Known::Connection,
        Known::KeepAlive,
        Known::TransferEncoding,
        Known::Pad,
        Known::Upgrade,
        Known::Trailer,
        Known::Accel,
    ];
    if headers.fields().is_some_and(|fields| !fields.has(&HOP_BY_HOP)) {
        return;
    }
    let is_removed = |known| match known {
        Known::Upgrade => !upgraded,
        Known::Trailer => !trailers,
        known => HOP_BY_HOP.contains(&known),
    };
    let listed = connection_listed(headers);
    if listed.is_empty() && headers.strip(HOP_BY_HOP.into_iter().filter(|&known| is_removed(known))) {
        return;
    }
    // One pass over the names; a look-up per candidate would cost more.
    let names = headers.keys().filter(|name| Known::of(name.as_str().as_bytes()).is_some_and(is_removed));
    let removed: SmallVec<[HeaderName; 4]> = names.cloned().chain(listed).collect();
    for name in &removed {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers of a head that has not been converted into a map.
    fn unindexed(lines: &[(&str, &str)]) -> Headers {
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
    fn hop_by_hop_fields_of_a_response_are_removed() {
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
            let mut indexed = Headers::from(unindexed(lines).into_map());
            let mut unindexed = unindexed(lines);
            for headers in [&mut unindexed, &mut indexed] {
                from_upstream(headers, upgraded, trailers);
            }
            assert_eq!(unindexed.fields().is_some(), from > 0, "a map is built only to find other names");
            for headers in [unindexed, indexed] {
                let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
                names.sort();
                assert_eq!(names.join(" "), left);
            }
        }
    }

    #[test]
    fn fields_nominated_by_connection_are_dropped() {
        let lines = [
            ("Host", "a"),
            ("Connection", "X-Mine, upgrade, te"),
            ("connection", "host , X-CONSUMER-ID,Keep-Alive"),
            ("X-Mine", "1"),
            ("x-consumer-id", "2"),
            ("TE", "trailers"),
            ("X-Other", "3"),
        ];
        let mut headers = unindexed(&lines);
        drop_nominated(&mut headers);
        assert_eq!(headers["connection"], "upgrade, Keep-Alive");
        assert!(connection_listed(&headers).is_empty());
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort();
        assert_eq!(names, ["connection", "host", "te", "x-other"]);
        let mut headers = unindexed(&[("Connection", "close"), ("Close", "1")]);
        drop_nominated(&mut headers);
        assert!(headers.fields().is_some(), "nothing is nominated");
    }

    #[test]
    fn comma_lists_are_read_without_a_map() {
        let mut headers =
            unindexed(&[("Connection", "close"), ("TE", "x"), ("VIA", "a"), ("te", "a, Trailers ")]);
        for _ in 0..2 {
            assert!(connection_listed(&headers).is_empty() && wants_trailers(&headers));
            assert_eq!(join_comma(&headers, Known::Via, b"b"), "a, b");
            assert_eq!(join_comma(&headers, Known::ForwardedFor, b"b"), "b");
            headers = headers.into_map().into();
        }
    }
}
