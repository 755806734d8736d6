//! Headers towards upstream and client: hop-by-hop fields are removed, the gateway's added.

mod gateway_headers;
mod response_headers;

use http::{HeaderName, HeaderValue, Version, header};
use smallvec::SmallVec;

use self::gateway_headers::{
    CONNECTION, CONTENT_LENGTH, HOST, ProductValues, TE, TRANSFER_ENCODING, UPGRADE, VIA, X_FORWARDED_FOR,
    X_FORWARDED_HOST, X_FORWARDED_PATH, X_FORWARDED_PORT, X_FORWARDED_PREFIX, X_FORWARDED_PROTO,
    X_KONG_REQUEST_ID, X_REAL_IP, number_value,
};
pub use self::{
    gateway_headers::{HeaderSink, request_id_value},
    response_headers::AddedResponseHeaders,
};
use super::{validate, worker::ConnContext};
use http_codec::{Headers, KnownHeader};
use plugin::Exchange;

/// Whether a request is a WebSocket upgrade.
pub fn wants_websocket(exchange: &Exchange) -> bool {
    let headers = &exchange.request.headers;
    exchange.request.version == Version::HTTP_11
        && headers.contains_known(KnownHeader::Upgrade)
        && headers
            .known_values(KnownHeader::Upgrade)
            .next()
            .is_some_and(|v| v.eq_ignore_ascii_case(b"websocket"))
        && tokens(headers, KnownHeader::Connection).any(|token| token.eq_ignore_ascii_case(b"upgrade"))
}

/// Whether a client accepts trailers.
pub fn wants_trailers(headers: &Headers) -> bool {
    headers.contains_known(KnownHeader::Te)
        && tokens(headers, KnownHeader::Te).any(|token| token.eq_ignore_ascii_case(b"trailers"))
}

fn tokens(headers: &Headers, known: KnownHeader) -> impl Iterator<Item = &[u8]> {
    let tokens = headers.known_values(known).flat_map(|value| value.split(|&byte| byte == b','));
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
        Some(KnownHeader::ContentLength) => {
            client_sent.length = true;
            length == BodyLength::FromClient
        }
        Some(KnownHeader::Te) => note(&mut client_sent.te, true, false),
        Some(KnownHeader::Via) => note(&mut client_sent.via, true, false),
        Some(KnownHeader::ForwardedFor) => note(&mut client_sent.forwarded_for, true, false),
        // Values of a trusted peer are kept.
        Some(KnownHeader::ForwardedProto) => {
            note(&mut client_sent.proto, client.is_trusted, client.is_trusted)
        }
        Some(KnownHeader::ForwardedHost) => note(&mut client_sent.host, client.is_trusted, client.is_trusted),
        Some(KnownHeader::ForwardedPort) => note(&mut client_sent.port, client.is_trusted, client.is_trusted),
        Some(KnownHeader::ForwardedPath) => note(&mut client_sent.path, client.is_trusted, client.is_trusted),
        Some(KnownHeader::ForwardedPrefix) => {
            note(&mut client_sent.prefix, client.is_trusted, client.is_trusted)
        }
        Some(KnownHeader::Host | KnownHeader::RealIp | KnownHeader::KongRequestId) => false,
        Some(
            KnownHeader::Connection
            | KnownHeader::KeepAlive
            | KnownHeader::TransferEncoding
            | KnownHeader::Upgrade,
        ) => false,
        // A request's trailers are not forwarded.
        Some(
            KnownHeader::Proxy | KnownHeader::ProxyConnection | KnownHeader::Expect | KnownHeader::Trailer,
        ) => false,
        Some(
            KnownHeader::Date
            | KnownHeader::Server
            | KnownHeader::Pad
            | KnownHeader::Accel
            | KnownHeader::Kong,
        ) => true,
        Some(
            KnownHeader::Authorization
            | KnownHeader::ContentRange
            | KnownHeader::IfRange
            | KnownHeader::IfMatch,
        ) => true,
        Some(KnownHeader::IfNoneMatch | KnownHeader::IfModifiedSince | KnownHeader::IfUnmodifiedSince) => {
            true
        }
        Some(KnownHeader::ConsumerId | KnownHeader::ConsumerCustomId | KnownHeader::ConsumerUsername) => true,
        Some(
            KnownHeader::ConsumerGroups | KnownHeader::AuthenticatedGroups | KnownHeader::AnonymousConsumer,
        ) => true,
        // Look-alikes from the client have been dropped: this one was configured.
        Some(KnownHeader::CredentialIdentifier | KnownHeader::LookAlike) => true,
    };
    match sent.fields() {
        // Fields that Connection nominates have been dropped by `drop_nominated`.
        Some(fields) => to.append_fields(fields, is_forwarded),
        None => {
            let listed = connection_listed(sent);
            for line in sent.lines() {
                if is_forwarded(KnownHeader::from_name(line.name.as_str().as_bytes()))
                    && !listed.contains(line.name)
                {
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
        true => {
            to.append_value(X_FORWARDED_FOR, &join_comma(sent, KnownHeader::ForwardedFor, peer.as_bytes()))
        }
        false => to.append_value(X_FORWARDED_FOR, real_ip),
    }
    to.append_value(X_REAL_IP, real_ip);
    if !client_sent.proto {
        to.append_static(X_FORWARDED_PROTO, if client.is_tls { "https" } else { "http" });
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
    let product = conn_ctx.worker.options.headers.product;
    let via = ProductValues::of(product).via(exchange.request.version);
    match client_sent.via {
        true => to.append_value(VIA, &join_comma(sent, KnownHeader::Via, via.as_bytes())),
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

fn join_comma(headers: &Headers, known: KnownHeader, last: &[u8]) -> HeaderValue {
    let mut text = Vec::with_capacity(64);
    for value in headers.known_values(known) {
        text.extend_from_slice(value);
        text.extend_from_slice(b", ");
    }
    text.extend_from_slice(last);
    HeaderValue::try_from(text).expect("header values joined are a header value")
}

/// Fields that `Connection` nominates as hop-by-hop (RFC 9110 section 7.6.1).
fn connection_listed(headers: &Headers) -> SmallVec<[HeaderName; 2]> {
    let mut listed = SmallVec::new();
    for token in tokens(headers, KnownHeader::Connection) {
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
    const HANDLED_BY_GATEWAY: [KnownHeader; 15] = [
        KnownHeader::Te,
        KnownHeader::Via,
        KnownHeader::Host,
        KnownHeader::Expect,
        KnownHeader::Trailer,
        KnownHeader::Upgrade,
        KnownHeader::RealIp,
        KnownHeader::ContentLength,
        KnownHeader::TransferEncoding,
        KnownHeader::ForwardedFor,
        KnownHeader::ForwardedHost,
        KnownHeader::ForwardedPath,
        KnownHeader::ForwardedPort,
        KnownHeader::ForwardedProto,
        KnownHeader::ForwardedPrefix,
    ];
    let listed = connection_listed(headers);
    if listed.is_empty() {
        return;
    }
    let options: Vec<&[u8]> =
        tokens(headers, KnownHeader::Connection).filter(|token| is_connection_option(token)).collect();
    let options =
        HeaderValue::from_bytes(&options.join(&b", "[..])).expect("tokens joined are a header value");
    for name in listed {
        if KnownHeader::from_name(name.as_str().as_bytes())
            .is_none_or(|known| !HANDLED_BY_GATEWAY.contains(&known))
        {
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
    const HOP_BY_HOP: [KnownHeader; 7] = [
        KnownHeader::Connection,
        KnownHeader::KeepAlive,
        KnownHeader::TransferEncoding,
        KnownHeader::Pad,
        KnownHeader::Upgrade,
        KnownHeader::Trailer,
        KnownHeader::Accel,
    ];
    if headers.fields().is_some_and(|fields| !fields.contains_any(&HOP_BY_HOP)) {
        return;
    }
    let is_removed = |known| match known {
        KnownHeader::Upgrade => !upgraded,
        KnownHeader::Trailer => !trailers,
        known => HOP_BY_HOP.contains(&known),
    };
    let listed = connection_listed(headers);
    if listed.is_empty() && headers.remove_known(HOP_BY_HOP.into_iter().filter(|&known| is_removed(known))) {
        return;
    }
    // One pass over the names; a look-up per candidate would cost more.
    let names = headers
        .keys()
        .filter(|name| KnownHeader::from_name(name.as_str().as_bytes()).is_some_and(is_removed));
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
        let (mut text, mut fields) = (String::new(), http_codec::RawFields::default());
        for (name, value) in lines {
            let begin = text.len() as u32;
            let colon = begin + name.len() as u32;
            text += &format!("{name}: {value}\r\n");
            let value = (colon + 2, text.len() as u32 - 2);
            fields.push((begin, colon), value, KnownHeader::from_name(name.as_bytes()));
        }
        fields.complete(http_codec::HeadBytes::new(text.into()));
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
            assert_eq!(join_comma(&headers, KnownHeader::Via, b"b"), "a, b");
            assert_eq!(join_comma(&headers, KnownHeader::ForwardedFor, b"b"), "b");
            headers = headers.into_map().into();
        }
    }
}
