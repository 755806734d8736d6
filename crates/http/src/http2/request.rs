//! Field sections of a request: collects decoded fields, and validates them by RFC 9113 section 8.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
    request::Parts,
    uri::{self, Authority, PathAndQuery, Scheme},
};

use super::hpack::Field;
use crate::{KnownHeader, is_allowed_in_trailers};

/// Initial capacity of a header map: requests of browsers have about a dozen headers besides the pseudo-headers.
const INITIAL_CAPACITY: usize = 12;

/// Field section that is being received: the header section of a request, or its trailers.
#[derive(Debug)]
pub struct FieldSection {
    method: Option<Method>,
    scheme: Option<Scheme>,
    authority: Option<Authority>,
    path: Option<PathAndQuery>,
    headers: HeaderMap,
    /// Whether a header has been received, which may have been dropped: no pseudo-header follows it.
    has_headers: bool,
    content_length: Option<u64>,
    is_trailers: bool,
    is_malformed: bool,
    /// Remaining size, of the maximum that SETTINGS_MAX_HEADER_LIST_SIZE announced.
    remaining_size: usize,
    is_too_long: bool,
}

/// Result of parsing the header section of a request.
#[derive(Debug)]
pub enum ParsedRequestHead {
    /// Head of the request, and its Content-Length.
    Head(Box<Parts>, Option<u64>),
    /// The section exceeds the maximum size.
    TooLong,
    /// The request is malformed (section 8.1.1).
    Malformed,
}

impl FieldSection {
    /// Creates the header section of a request with a maximum size.
    pub fn head(max_size: usize) -> Self {
        FieldSection {
            method: None,
            scheme: None,
            authority: None,
            path: None,
            headers: HeaderMap::with_capacity(INITIAL_CAPACITY),
            has_headers: false,
            content_length: None,
            is_trailers: false,
            is_malformed: false,
            remaining_size: max_size,
            is_too_long: false,
        }
    }

    /// Creates a trailer section with a maximum size.
    pub fn trailers(max_size: usize) -> Self {
        FieldSection { is_trailers: true, headers: HeaderMap::new(), ..FieldSection::head(max_size) }
    }

    /// Adds a field. `size` is what it counts towards the maximum.
    pub fn add(&mut self, field: Field, size: usize) {
        match self.remaining_size.checked_sub(size) {
            Some(remaining) if !self.is_too_long => self.remaining_size = remaining,
            _ => {
                self.is_too_long = true;
                return;
            }
        }
        let is_valid = match field {
            Field::Header(name, value) => {
                self.has_headers = true;
                self.add_header(name, value)
            }
            // Pseudo-headers must precede all headers, and each may occur once (section 8.3).
            _ if self.is_trailers || self.has_headers => false,
            Field::Method(method) => self.method.replace(method).is_none(),
            Field::Scheme(scheme) => self.scheme.replace(scheme).is_none(),
            Field::Authority(authority) => self.authority.replace(authority).is_none(),
            Field::Path(path) => self.path.replace(path).is_none(),
            Field::Malformed => false,
        };
        self.is_malformed |= !is_valid;
    }

    /// Adds a header, and returns whether it is valid.
    fn add_header(&mut self, name: HeaderName, value: HeaderValue) -> bool {
        // Section 8.2.1: no whitespace at either end. HTTP/1 would not forward it as part of the value.
        if let [b' ' | b'\t', ..] | [.., b' ' | b'\t'] = value.as_bytes() {
            return false;
        }
        match KnownHeader::from_name(name.as_str().as_bytes()) {
            // Connection-specific fields are malformed (section 8.2.2).
            Some(KnownHeader::Connection | KnownHeader::TransferEncoding | KnownHeader::Upgrade) => {
                return false;
            }
            Some(KnownHeader::KeepAlive | KnownHeader::ProxyConnection) => return false,
            Some(KnownHeader::Te) if !value.as_bytes().eq_ignore_ascii_case(b"trailers") => return false,
            Some(KnownHeader::ContentLength) => {
                let Some(length) = parse_content_length(value.as_bytes()) else { return false };
                if self.content_length.is_some_and(|previous| previous != length) {
                    return false;
                }
                self.content_length = Some(length);
            }
            // Dropped: an upstream could mistake it for a header that the gateway sets.
            Some(KnownHeader::LookAlike) => return true,
            _ => {}
        }
        if self.is_trailers && !is_allowed_in_trailers(&name) {
            return true;
        }
        // A map has a maximum capacity.
        self.is_too_long |= self.headers.try_append(name, value).is_err();
        true
    }

    /// Returns the trailers; `None` if they are malformed or too long.
    pub fn into_trailers(self) -> Option<HeaderMap> {
        (!self.is_malformed && !self.is_too_long).then_some(self.headers)
    }

    /// Builds the head of the request.
    pub fn into_head(self) -> ParsedRequestHead {
        if self.is_malformed {
            return ParsedRequestHead::Malformed;
        }
        if self.is_too_long {
            return ParsedRequestHead::TooLong;
        }
        let Some(method) = self.method else { return ParsedRequestHead::Malformed };
        // The gateway serves and forwards no other schemes.
        if self.scheme.as_ref().is_some_and(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) {
            return ParsedRequestHead::Malformed;
        }
        // CONNECT has only an authority (section 8.5); all other methods require a scheme and a path (section 8.3.1).
        let uri = if method == Method::CONNECT {
            match (self.scheme, self.path, self.authority) {
                (None, None, Some(authority)) => Some(Uri::from(authority)),
                _ => None,
            }
        } else if let (Some(scheme), Some(path)) = (self.scheme, self.path) {
            let mut parts = uri::Parts::default();
            // A URI with a scheme needs an authority.
            parts.scheme = self.authority.is_some().then_some(scheme);
            parts.authority = self.authority;
            parts.path_and_query = Some(path);
            Uri::from_parts(parts).ok()
        } else {
            None
        };
        let Some(uri) = uri else { return ParsedRequestHead::Malformed };
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = method;
        head.uri = uri;
        head.version = Version::HTTP_2;
        head.headers = self.headers;
        ParsedRequestHead::Head(Box::new(head), self.content_length)
    }
}

/// Returns whether a header of a response is connection-specific (section 8.2.2) and must not be sent in HTTP/2.
pub fn is_connection_specific(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection" | "transfer-encoding" | "upgrade" | "keep-alive" | "proxy-connection" | "te"
    )
}

/// Parses a Content-Length.
fn parse_content_length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let number = digits.iter().try_fold(0_u64, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
    });
    // Limited to 63 bits as in nginx: upstreams with signed integers would misread larger numbers.
    number.filter(|&number| i64::try_from(number).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudo(name: &str, value: &'static str) -> Field {
        match name {
            "method" => Field::Method(Method::from_bytes(value.as_bytes()).expect("a method")),
            "scheme" => Field::Scheme(Scheme::try_from(value).expect("a scheme")),
            "authority" => Field::Authority(Authority::from_static(value)),
            _ => Field::Path(PathAndQuery::from_static(value)),
        }
    }

    fn header(name: &'static str, value: &'static str) -> Field {
        Field::Header(HeaderName::from_static(name), HeaderValue::from_static(value))
    }

    fn get() -> Vec<Field> {
        vec![
            pseudo("method", "GET"),
            pseudo("scheme", "https"),
            pseudo("authority", "a"),
            pseudo("path", "/x?y"),
        ]
    }

    fn parse(fields: impl IntoIterator<Item = Field>) -> ParsedRequestHead {
        let mut section = FieldSection::head(1000);
        fields.into_iter().for_each(|field| section.add(field, 40));
        section.into_head()
    }

    fn with(more: impl IntoIterator<Item = Field>) -> ParsedRequestHead {
        parse(get().into_iter().chain(more))
    }

    #[test]
    fn a_head_is_built_from_fields() {
        let ParsedRequestHead::Head(head, length) = with([header("a", "1"), header("content-length", "12")])
        else {
            panic!("no head")
        };
        assert_eq!((head.uri.to_string(), head.version), ("https://a/x?y".to_owned(), Version::HTTP_2));
        assert_eq!((head.headers["a"].as_bytes(), length), (&b"1"[..], Some(12)));
        let ParsedRequestHead::Head(head, _) =
            parse([pseudo("method", "CONNECT"), pseudo("authority", "a:1")])
        else {
            panic!("no head")
        };
        assert_eq!((head.method, head.uri.to_string()), (Method::CONNECT, "a:1".to_owned()));
    }

    #[test]
    fn malformed_requests_are_rejected() {
        for more in [
            vec![pseudo("path", "/")],
            vec![header("a", "1"), pseudo("authority", "b")],
            vec![Field::Malformed],
            vec![header("connection", "close")],
            vec![header("keep-alive", "1")],
            vec![header("proxy-connection", "close")],
            vec![header("transfer-encoding", "chunked")],
            vec![header("upgrade", "h2c")],
            vec![header("te", "gzip")],
            vec![header("content-length", "1"), header("content-length", "2")],
            vec![header("content-length", "-1")],
            vec![header("content-length", "")],
            vec![header("content-length", "99999999999999999999")],
            vec![header("a", " b")],
            vec![header("a", "b\t")],
            vec![header("a", " ")],
        ] {
            let shown = format!("{more:?}");
            assert!(matches!(with(more), ParsedRequestHead::Malformed), "{shown}");
        }
        for missing in [0, 1, 3] {
            let mut fields = get();
            fields.remove(missing);
            assert!(matches!(parse(fields), ParsedRequestHead::Malformed), "without field {missing}");
        }
        // The look-alike is dropped, and is a header all the same.
        let mut late = get();
        late.insert(3, header("x_forwarded_for", "1"));
        assert!(
            matches!(parse(late), ParsedRequestHead::Malformed),
            "a pseudo-header after a dropped header"
        );
        let other =
            [pseudo("method", "GET"), pseudo("scheme", "ftp"), pseudo("authority", "a"), pseudo("path", "/")];
        assert!(matches!(parse(other), ParsedRequestHead::Malformed));
        let tunnel = [pseudo("method", "CONNECT"), pseudo("authority", "a:1"), pseudo("path", "/")];
        assert!(matches!(parse(tunnel), ParsedRequestHead::Malformed));
    }

    #[test]
    fn unusual_but_valid_fields_are_accepted() {
        for more in [
            vec![header("te", "trailers")],
            vec![header("content-length", "3"), header("content-length", "3")],
            vec![header("expect", "100-continue")],
        ] {
            assert!(matches!(with(more), ParsedRequestHead::Head(..)));
        }
    }

    #[test]
    fn look_alikes_and_forbidden_trailers_are_dropped() {
        let ParsedRequestHead::Head(head, _) =
            with([header("x_forwarded_for", "1"), header("x_consumer-id", "2"), header("a_b", "3")])
        else {
            panic!("no head")
        };
        assert_eq!(head.headers.keys().collect::<Vec<_>>(), ["a_b"]);
        let mut section = FieldSection::trailers(1000);
        for name in ["host", "authorization", "content-length", "x_real_ip", "grpc-status"] {
            section.add(header(name, "1"), 40);
        }
        let trailers = section.into_trailers().expect("trailers");
        assert_eq!(trailers.keys().collect::<Vec<_>>(), ["grpc-status"]);
    }

    #[test]
    fn the_size_of_a_section_is_limited() {
        let many = |count| with((0..count).map(|_| header("a", "1")));
        assert!(matches!(many(21), ParsedRequestHead::Head(..)));
        assert!(matches!(many(22), ParsedRequestHead::TooLong));
        let mut section = FieldSection::trailers(40);
        section.add(header("a", "1"), 40);
        assert!(section.into_trailers().is_some_and(|trailers| trailers.len() == 1));
        let mut section = FieldSection::trailers(40);
        section.add(pseudo("path", "/"), 40);
        assert!(section.into_trailers().is_none());
    }
}
