//! Encodes response heads and determines the framing of their bodies (RFC 9112 sections 3 and 6).

use http::{HeaderValue, Method, StatusCode, Version};
use http_body::SizeHint;
use hyper::ext::ReasonPhrase;

use crate::date::date;
use http_codec::{Headers, KnownHeader};

/// Framing of the body that follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    WithoutBody,
    /// Content-Length.
    Length(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
    /// Delimited by the end of the connection.
    CloseDelimited,
}

/// Facts of the request that determine how its response is encoded.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// Its version.
    pub version: Version,
    /// Whether another request may follow on the connection.
    pub keep_alive: bool,
}

/// What an encoded head has announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodedHead {
    /// Framing of the body.
    pub framing: Framing,
    /// Whether another request may follow.
    pub keep_alive: bool,
}

/// Encodes a response's head. Each line is written after the CRLF that ends the previous one. `body` is the
/// body's length if known; `add` appends further lines.
pub fn encode_head(
    to: &mut Vec<u8>,
    status: StatusCode,
    reason: Option<&ReasonPhrase>,
    headers: &Headers,
    body: &SizeHint,
    request: RequestFacts<'_>,
    add: impl FnOnce(&mut Vec<u8>),
) -> EncodedHead {
    to.reserve(512);
    status_line(to, status, reason);
    let is_upgrade = status == StatusCode::SWITCHING_PROTOCOLS;
    let has_no_length = is_upgrade || status == StatusCode::NO_CONTENT;
    let has_no_body = has_no_length || status == StatusCode::NOT_MODIFIED;
    let (mut length, mut has_date, mut options) = (None, false, None);
    let mut keep_alive = request.keep_alive;
    match headers.fields() {
        // The upstream's own fields, without hop-by-hop ones.
        Some(fields) => {
            length = fields.values(KnownHeader::ContentLength).next().and_then(parse_length);
            has_date = fields.contains_any(&[KnownHeader::Date]);
            fields.write(to, |known| known != Some(KnownHeader::ContentLength));
        }
        None => {
            for line in headers.lines() {
                match line.name.as_str() {
                    "content-length" => length = length.or(parse_length(line.value.as_bytes())),
                    "transfer-encoding" => {}
                    "connection" => {
                        options = Some(line.value);
                        keep_alive &= !has_token(line.value, b"close");
                    }
                    name => {
                        has_date |= name == "date";
                        to.reserve(name.len() + line.value.len() + 4);
                        to.extend_from_slice(b"\r\n");
                        line.write_name(to);
                        to.extend_from_slice(b": ");
                        to.extend_from_slice(line.value.as_bytes());
                    }
                }
            }
        }
    }
    add(to);
    let framing = if has_no_body || request.method == Method::HEAD {
        // Where no body is sent, only the response's own Content-Length is valid (RFC 9110 section 8.6).
        if let (Some(length), false) = (length, has_no_length) {
            push_content_length(to, length);
        }
        Framing::WithoutBody
    } else if let Some(length) = length.or(body.exact()) {
        push_content_length(to, length);
        Framing::Length(length)
    } else if request.version == Version::HTTP_10 {
        Framing::CloseDelimited
    } else {
        to.extend_from_slice(b"\r\nTransfer-Encoding: chunked");
        Framing::Chunked
    };
    if !has_date && !is_upgrade {
        to.extend_from_slice(b"\r\nDate: ");
        to.extend_from_slice(date().as_bytes());
    }
    keep_alive &= framing != Framing::CloseDelimited;
    match options {
        _ if is_upgrade => to.extend_from_slice(b"\r\nConnection: Upgrade"),
        Some(options) => {
            to.extend_from_slice(b"\r\nConnection: ");
            to.extend_from_slice(options.as_bytes());
            if !keep_alive && !has_token(options, b"close") {
                to.extend_from_slice(b", close");
            }
        }
        None if keep_alive => to.extend_from_slice(b"\r\nConnection: keep-alive"),
        None => to.extend_from_slice(b"\r\nConnection: close"),
    }
    to.extend_from_slice(b"\r\n\r\n");
    EncodedHead { framing, keep_alive: keep_alive && !is_upgrade }
}

fn status_line(to: &mut Vec<u8>, status: StatusCode, reason: Option<&ReasonPhrase>) {
    if status == StatusCode::OK && reason.is_none() {
        return to.extend_from_slice(b"HTTP/1.1 200 OK");
    }
    to.extend_from_slice(b"HTTP/1.1 ");
    to.extend_from_slice(status.as_str().as_bytes());
    to.push(b' ');
    match reason {
        Some(reason) => to.extend_from_slice(reason.as_bytes()),
        None => to.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes()),
    }
}

fn push_content_length(to: &mut Vec<u8>, length: u64) {
    to.extend_from_slice(b"\r\nContent-Length: ");
    to.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
}

fn has_token(options: &HeaderValue, wanted: &[u8]) -> bool {
    options
        .as_bytes()
        .split(|&byte| byte == b',')
        .any(|token| token.trim_ascii().eq_ignore_ascii_case(wanted))
}

fn parse_length(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(
        status: u16,
        fields: &[(&'static str, &'static str)],
        body: Option<u64>,
        method: Method,
        version: Version,
        keep_alive: bool,
    ) -> (String, EncodedHead) {
        let headers = fields
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut to = Vec::new();
        let encoded = encode_head(
            &mut to,
            StatusCode::from_u16(status).expect("a status"),
            None,
            &headers.collect::<http::HeaderMap>().into(),
            &body.map_or_else(SizeHint::default, SizeHint::with_exact),
            RequestFacts { method: &method, version, keep_alive },
            |to| to.extend_from_slice(b"\r\nx-own: 1"),
        );
        (String::from_utf8(to).expect("text"), encoded)
    }

    #[test]
    fn framing_follows_the_length_the_status_and_the_request() {
        use Framing::*;
        for (status, length, body, method, is_http10, framing, keep_alive) in [
            (200, None, Some(3), "GET", false, Length(3), true),
            (200, None, Some(0), "GET", false, Length(0), true),
            (200, Some("3"), None, "GET", false, Length(3), true),
            (200, None, None, "GET", false, Chunked, true),
            (200, None, None, "GET", true, CloseDelimited, false),
            (200, Some("3"), Some(0), "HEAD", false, WithoutBody, true),
            (200, None, None, "HEAD", false, WithoutBody, true),
            (204, Some("3"), Some(0), "GET", false, WithoutBody, true),
            (304, Some("3"), Some(0), "GET", false, WithoutBody, true),
            (101, None, Some(0), "GET", false, WithoutBody, false),
        ] {
            let fields = length.map(|length| ("content-length", length));
            let version = if is_http10 { Version::HTTP_10 } else { Version::HTTP_11 };
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let (text, encoded) = encode(status, fields.as_slice(), body, method.clone(), version, true);
            assert_eq!(encoded, EncodedHead { framing, keep_alive }, "{text}");
            let content_length_count = text.matches("Content-Length: ").count();
            let expects_content_length = matches!(framing, Length(_)) || length.is_some() && status != 204;
            assert_eq!(content_length_count == 1, expects_content_length, "{text}");
            assert_eq!(text.contains("Transfer-Encoding: chunked\r\n"), framing == Chunked, "{text}");
        }
    }

    #[test]
    fn one_connection_field_is_written() {
        for (fields, allowed, option, keep_alive) in [
            (&[][..], true, "keep-alive", true),
            (&[], false, "close", false),
            (&[("connection", "close")], true, "close", false),
            (&[("connection", "Upgrade")], true, "Upgrade", true),
            (&[("connection", "Upgrade")], false, "Upgrade, close", false),
        ] {
            let (text, written) = encode(200, fields, Some(0), Method::GET, Version::HTTP_11, allowed);
            assert_eq!(text.matches("Connection: ").count(), 1, "{text}");
            assert!(text.contains(&format!("\r\nConnection: {option}\r\n")), "{text}");
            assert_eq!(written.keep_alive, keep_alive, "{text}");
        }
    }

    #[test]
    fn date_is_added_unless_present() {
        let own = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (fields, count) in [(&[][..], 1), (&[own], 1)] {
            let (text, _) = encode(200, fields, Some(0), Method::GET, Version::HTTP_11, true);
            assert_eq!(text.matches("Date: ").count(), count, "{text}");
            assert_eq!(text.contains(own.1), !fields.is_empty(), "{text}");
            assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\n"), "{text}");
            assert!(text.contains("\r\nx-own: 1\r\n"), "{text}");
        }
    }
}
