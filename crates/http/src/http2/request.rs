//! From fields to a request's head: what RFC 9113, section 8, makes of them.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
    request::Parts,
    uri::{self, Authority, PathAndQuery, Scheme},
};

use super::hpack::Field;
use crate::{Known, may_trail};

/// Headers for which there is room at first.
const HEADERS: usize = 12;

/// A field section as it is read.
#[derive(Debug)]
pub struct Section {
    method: Option<Method>,
    scheme: Option<Scheme>,
    authority: Option<Authority>,
    path: Option<PathAndQuery>,
    headers: HeaderMap,
    length: Option<u64>,
    trailers: bool,
    malformed: bool,
    /// Bytes that the list may still count.
    left: usize,
    /// Whether it counts more.
    too_long: bool,
}

/// What a field section turned out to be.
#[derive(Debug)]
pub enum Read {
    /// A request's head, and the length that it says its body has.
    Head(Box<Parts>, Option<u64>),
    /// It is longer than is allowed.
    TooLong,
    /// It breaks a rule.
    Malformed,
}

impl Section {
    /// A request's head of that size at most.
    pub fn head(most: usize) -> Self {
        Section {
            method: None,
            scheme: None,
            authority: None,
            path: None,
            headers: HeaderMap::with_capacity(HEADERS),
            length: None,
            trailers: false,
            malformed: false,
            left: most,
            too_long: false,
        }
    }

    /// What follows a body.
    pub fn trailers(most: usize) -> Self {
        Section { trailers: true, headers: HeaderMap::new(), ..Section::head(most) }
    }

    /// Adds a field that counts so much.
    pub fn add(&mut self, field: Field, size: usize) {
        match self.left.checked_sub(size) {
            Some(left) if !self.too_long => self.left = left,
            _ => {
                self.too_long = true;
                return;
            }
        }
        let fits = match field {
            Field::Header(name, value) => self.header(name, value),
            // Before all headers, and once each.
            _ if self.trailers || !self.headers.is_empty() => false,
            Field::Method(method) => self.method.replace(method).is_none(),
            Field::Scheme(scheme) => self.scheme.replace(scheme).is_none(),
            Field::Authority(authority) => self.authority.replace(authority).is_none(),
            Field::Path(path) => self.path.replace(path).is_none(),
            Field::Malformed => false,
        };
        self.malformed |= !fits;
    }

    fn header(&mut self, name: HeaderName, value: HeaderValue) -> bool {
        // RFC 9113 section 8.2.1. In HTTP/1 the blanks would not be part of the value.
        if let [b' ' | b'\t', ..] | [.., b' ' | b'\t'] = value.as_bytes() {
            return false;
        }
        match Known::of(name.as_str().as_bytes()) {
            // What is meant for one connection has no place here.
            Some(Known::Connection | Known::TransferEncoding | Known::Upgrade) => return false,
            Some(Known::KeepAlive | Known::ProxyConnection) => return false,
            Some(Known::Te) if !value.as_bytes().eq_ignore_ascii_case(b"trailers") => return false,
            Some(Known::ContentLength) => {
                let Some(length) = number(value.as_bytes()) else { return false };
                if self.length.is_some_and(|said| said != length) {
                    return false;
                }
                self.length = Some(length);
            }
            // An upstream could take it for one of the gateway's own.
            Some(Known::LookAlike) => return true,
            _ => {}
        }
        if self.trailers && !may_trail(&name) {
            return true;
        }
        // More than a map can hold is more than is allowed.
        self.too_long |= self.headers.try_append(name, value).is_err();
        true
    }

    /// What follows a body; none if it breaks a rule or is too long.
    pub fn into_trailers(self) -> Option<HeaderMap> {
        (!self.malformed && !self.too_long).then_some(self.headers)
    }

    /// The request's head.
    pub fn into_head(self) -> Read {
        if self.malformed {
            return Read::Malformed;
        }
        if self.too_long {
            return Read::TooLong;
        }
        let Some(method) = self.method else { return Read::Malformed };
        // Other schemes are not served here, and only these two are passed on to an upstream.
        if self.scheme.as_ref().is_some_and(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) {
            return Read::Malformed;
        }
        // CONNECT names an authority and nothing else; all others have a scheme and a path.
        let uri = if method == Method::CONNECT {
            match (self.scheme, self.path, self.authority) {
                (None, None, Some(authority)) => Some(Uri::from(authority)),
                _ => None,
            }
        } else if let (Some(scheme), Some(path)) = (self.scheme, self.path) {
            let mut parts = uri::Parts::default();
            // A scheme alone makes no URI.
            parts.scheme = self.authority.is_some().then_some(scheme);
            parts.authority = self.authority;
            parts.path_and_query = Some(path);
            Uri::from_parts(parts).ok()
        } else {
            None
        };
        let Some(uri) = uri else { return Read::Malformed };
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = method;
        head.uri = uri;
        head.version = Version::HTTP_2;
        head.headers = self.headers;
        Read::Head(Box::new(head), self.length)
    }
}

/// Whether a header of an answer is meant for HTTP/1 alone.
pub fn stays_behind(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection" | "transfer-encoding" | "upgrade" | "keep-alive" | "proxy-connection" | "te"
    )
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let number = digits.iter().try_fold(0_u64, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'))
    });
    // As nginx: readers that have signed numbers would take a larger one for something else.
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

    fn read(fields: impl IntoIterator<Item = Field>) -> Read {
        let mut section = Section::head(1000);
        fields.into_iter().for_each(|field| section.add(field, 40));
        section.into_head()
    }

    fn with(more: impl IntoIterator<Item = Field>) -> Read {
        read(get().into_iter().chain(more))
    }

    #[test]
    fn fields_make_a_head() {
        let Read::Head(head, length) = with([header("a", "1"), header("content-length", "12")]) else {
            panic!("no head")
        };
        assert_eq!((head.uri.to_string(), head.version), ("https://a/x?y".to_owned(), Version::HTTP_2));
        assert_eq!((head.headers["a"].as_bytes(), length), (&b"1"[..], Some(12)));
        let Read::Head(head, _) = read([pseudo("method", "CONNECT"), pseudo("authority", "a:1")]) else {
            panic!("no head")
        };
        assert_eq!((head.method, head.uri.to_string()), (Method::CONNECT, "a:1".to_owned()));
    }

    #[test]
    fn what_breaks_a_rule_is_malformed() {
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
            let told = format!("{more:?}");
            assert!(matches!(with(more), Read::Malformed), "{told}");
        }
        for left_out in [0, 1, 3] {
            let mut fields = get();
            fields.remove(left_out);
            assert!(matches!(read(fields), Read::Malformed), "without field {left_out}");
        }
        let other =
            [pseudo("method", "GET"), pseudo("scheme", "ftp"), pseudo("authority", "a"), pseudo("path", "/")];
        assert!(matches!(read(other), Read::Malformed));
        let tunnel = [pseudo("method", "CONNECT"), pseudo("authority", "a:1"), pseudo("path", "/")];
        assert!(matches!(read(tunnel), Read::Malformed));
    }

    #[test]
    fn what_looks_odd_and_is_allowed_passes() {
        for more in [
            vec![header("te", "trailers")],
            vec![header("content-length", "3"), header("content-length", "3")],
            vec![header("expect", "100-continue")],
        ] {
            assert!(matches!(with(more), Read::Head(..)));
        }
    }

    #[test]
    fn what_could_be_taken_for_another_field_is_dropped() {
        let Read::Head(head, _) =
            with([header("x_forwarded_for", "1"), header("x_consumer-id", "2"), header("a_b", "3")])
        else {
            panic!("no head")
        };
        assert_eq!(head.headers.keys().collect::<Vec<_>>(), ["a_b"]);
        let mut section = Section::trailers(1000);
        for name in ["host", "authorization", "content-length", "x_real_ip", "grpc-status"] {
            section.add(header(name, "1"), 40);
        }
        let trailers = section.into_trailers().expect("trailers");
        assert_eq!(trailers.keys().collect::<Vec<_>>(), ["grpc-status"]);
    }

    #[test]
    fn a_list_has_an_end() {
        let many = |count| with((0..count).map(|_| header("a", "1")));
        assert!(matches!(many(21), Read::Head(..)));
        assert!(matches!(many(22), Read::TooLong));
        let mut section = Section::trailers(40);
        section.add(header("a", "1"), 40);
        assert!(section.into_trailers().is_some_and(|trailers| trailers.len() == 1));
        let mut section = Section::trailers(40);
        section.add(pseudo("path", "/"), 40);
        assert!(section.into_trailers().is_none());
    }
}
