//! The head of an answer as it stands on the wire, and how its body is framed. RFC 9112 sections 3 and 6.

use http::{HeaderValue, Method, StatusCode, Version};
use http_body::SizeHint;
use hyper::ext::ReasonPhrase;

use crate::date::date;
use http_codec::{Headers, Known};

/// How the body that follows a head is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    Nothing,
    /// It has so many bytes.
    Length(u64),
    /// It comes in chunks.
    Chunked,
    /// The end of the connection ends it.
    Close,
}

/// What decides how an answer is written, besides itself.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// Its version.
    pub version: Version,
    /// Whether another request may follow on the connection.
    pub keep: bool,
}

/// What a head has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// How the body is framed.
    pub framing: Framing,
    /// Whether another request may follow.
    pub keep: bool,
}

/// Writes an answer's head. Each line begins with the end of the one before. `body` says how long its body is, where that is known; `add` adds more lines.
pub fn write(
    to: &mut Vec<u8>,
    status: StatusCode,
    reason: Option<&ReasonPhrase>,
    headers: &Headers,
    body: &SizeHint,
    asked: Asked<'_>,
    add: impl FnOnce(&mut Vec<u8>),
) -> Said {
    to.reserve(512);
    status_line(to, status, reason);
    let switches = status == StatusCode::SWITCHING_PROTOCOLS;
    let lengthless = switches || status == StatusCode::NO_CONTENT;
    let bodiless = lengthless || status == StatusCode::NOT_MODIFIED;
    let (mut length, mut dated, mut options) = (None, false, None);
    let mut keep = asked.keep;
    match headers.fields() {
        // An upstream's own, without those that concern its connection.
        Some(fields) => {
            length = fields.values(Known::ContentLength).next().and_then(number);
            dated = fields.has(&[Known::Date]);
            fields.write(to, |known| known != Some(Known::ContentLength));
        }
        None => {
            for line in headers.lines() {
                match line.name.as_str() {
                    "content-length" => length = length.or(number(line.value.as_bytes())),
                    "transfer-encoding" => {}
                    "connection" => {
                        options = Some(line.value);
                        keep &= !contains(line.value, b"close");
                    }
                    name => {
                        dated |= name == "date";
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
    let framing = if bodiless || asked.method == Method::HEAD {
        // Of a body that is not sent, its own words may tell the length.
        if let (Some(length), false) = (length, lengthless) {
            length_field(to, length);
        }
        Framing::Nothing
    } else if let Some(length) = length.or(body.exact()) {
        length_field(to, length);
        Framing::Length(length)
    } else if asked.version == Version::HTTP_10 {
        Framing::Close
    } else {
        to.extend_from_slice(b"\r\nTransfer-Encoding: chunked");
        Framing::Chunked
    };
    if !dated && !switches {
        to.extend_from_slice(b"\r\nDate: ");
        to.extend_from_slice(date().as_bytes());
    }
    keep &= framing != Framing::Close;
    match options {
        _ if switches => to.extend_from_slice(b"\r\nConnection: Upgrade"),
        Some(options) => {
            to.extend_from_slice(b"\r\nConnection: ");
            to.extend_from_slice(options.as_bytes());
            if !keep && !contains(options, b"close") {
                to.extend_from_slice(b", close");
            }
        }
        None if keep => to.extend_from_slice(b"\r\nConnection: keep-alive"),
        None => to.extend_from_slice(b"\r\nConnection: close"),
    }
    to.extend_from_slice(b"\r\n\r\n");
    Said { framing, keep: keep && !switches }
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

fn length_field(to: &mut Vec<u8>, length: u64) {
    to.extend_from_slice(b"\r\nContent-Length: ");
    to.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
}

fn contains(options: &HeaderValue, wanted: &[u8]) -> bool {
    options
        .as_bytes()
        .split(|&byte| byte == b',')
        .any(|token| token.trim_ascii().eq_ignore_ascii_case(wanted))
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(
        status: u16,
        fields: &[(&'static str, &'static str)],
        body: Option<u64>,
        method: Method,
        version: Version,
        keep: bool,
    ) -> (String, Said) {
        let headers = fields
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut to = Vec::new();
        let said = write(
            &mut to,
            StatusCode::from_u16(status).expect("a status"),
            None,
            &headers.collect::<http::HeaderMap>().into(),
            &body.map_or_else(SizeHint::default, SizeHint::with_exact),
            Asked { method: &method, version, keep },
            |to| to.extend_from_slice(b"\r\nx-own: 1"),
        );
        (String::from_utf8(to).expect("text"), said)
    }

    #[test]
    fn bodies_are_framed_as_their_length_and_the_request_allow() {
        use Framing::*;
        for (status, length, body, method, old, framing, keep) in [
            (200, None, Some(3), "GET", false, Length(3), true),
            (200, None, Some(0), "GET", false, Length(0), true),
            (200, Some("3"), None, "GET", false, Length(3), true),
            (200, None, None, "GET", false, Chunked, true),
            (200, None, None, "GET", true, Close, false),
            (200, Some("3"), Some(0), "HEAD", false, Nothing, true),
            (200, None, None, "HEAD", false, Nothing, true),
            (204, Some("3"), Some(0), "GET", false, Nothing, true),
            (304, Some("3"), Some(0), "GET", false, Nothing, true),
            (101, None, Some(0), "GET", false, Nothing, false),
        ] {
            let fields = length.map(|length| ("content-length", length));
            let version = if old { Version::HTTP_10 } else { Version::HTTP_11 };
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            let (text, said) = written(status, fields.as_slice(), body, method.clone(), version, true);
            assert_eq!(said, Said { framing, keep }, "{text}");
            let told = text.matches("Content-Length: ").count();
            let may_tell = matches!(framing, Length(_)) || length.is_some() && status != 204;
            assert_eq!(told == 1, may_tell, "{text}");
            assert_eq!(text.contains("Transfer-Encoding: chunked\r\n"), framing == Chunked, "{text}");
        }
    }

    #[test]
    fn what_becomes_of_the_connection_is_said_once() {
        for (fields, asked, said, keep) in [
            (&[][..], true, "keep-alive", true),
            (&[], false, "close", false),
            (&[("connection", "close")], true, "close", false),
            (&[("connection", "Upgrade")], true, "Upgrade", true),
            (&[("connection", "Upgrade")], false, "Upgrade, close", false),
        ] {
            let (text, written) = written(200, fields, Some(0), Method::GET, Version::HTTP_11, asked);
            assert_eq!(text.matches("Connection: ").count(), 1, "{text}");
            assert!(text.contains(&format!("\r\nConnection: {said}\r\n")), "{text}");
            assert_eq!(written.keep, keep, "{text}");
        }
    }

    #[test]
    fn an_answer_is_dated_unless_it_says_when_it_was_made() {
        let own = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (fields, count) in [(&[][..], 1), (&[own], 1)] {
            let (text, _) = written(200, fields, Some(0), Method::GET, Version::HTTP_11, true);
            assert_eq!(text.matches("Date: ").count(), count, "{text}");
            assert_eq!(text.contains(own.1), !fields.is_empty(), "{text}");
            assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\n"), "{text}");
            assert!(text.contains("\r\nx-own: 1\r\n"), "{text}");
        }
    }
}
