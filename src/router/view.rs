//! The fields of one request, as expressions name them. Knows how each is read off the request's head,
//! not who asks.

use std::{borrow::Cow, net::IpAddr};

use http::{HeaderValue, header::ValueIter};

use super::{
    RequestLine,
    expr::{Field, HeaderField},
};

/// Most query arguments that are looked at (`lua_max_uri_args`).
const MAX_ARGUMENTS: usize = 100;

/// A request, read field by field.
pub(super) struct View<'a> {
    line: &'a RequestLine<'a>,
    path: &'a [u8],
    host: Option<&'a str>,
    port: Option<i64>,
}

/// Splits a port off a host. Without a number after the first colon there is none, so an IPv6 address
/// stays whole.
pub fn split_port(host: &str) -> (&str, Option<u32>) {
    match host.split_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (host, None),
        },
        _ => (host, None),
    }
}

impl<'a> View<'a> {
    pub fn new(line: &'a RequestLine<'a>, path: &'a [u8]) -> Self {
        let (host, port) = match line.host {
            Some(host) => {
                let (host, port) = split_port(host);
                (Some(host), port)
            }
            None => (None, None),
        };
        View { line, path, host, port: port.map(i64::from) }
    }

    /// The request's protocol: `http` or `https`.
    pub fn protocol(&self) -> &'static str {
        if self.line.https { "https" } else { "http" }
    }

    /// The value of a field that is a number.
    pub fn number(&self, field: &Field) -> Option<i64> {
        match field {
            Field::SourcePort => Some(self.line.source.1.into()),
            Field::DestinationPort => Some(self.port.unwrap_or(self.line.destination.1.into())),
            Field::HostPort => Some(self.port.unwrap_or(if self.line.https { 443 } else { 80 })),
            Field::SegmentCount => Some(self.segments().count() as i64),
            _ => None,
        }
    }

    /// The value of a field that is an address.
    pub fn address(&self, field: &Field) -> Option<IpAddr> {
        match field {
            Field::SourceIp => Some(self.line.source.0),
            Field::DestinationIp => Some(self.line.destination.0),
            _ => None,
        }
    }

    /// Calls `f` with every value of a field that is text, until it returns false.
    pub fn each(&self, field: &Field, mut f: impl FnMut(&[u8]) -> bool) {
        match field {
            Field::Header(header) => {
                for value in self.header(header).into_iter().flatten() {
                    if !f(value.as_bytes()) {
                        return;
                    }
                }
            }
            Field::Query(name) => {
                for (key, value) in arguments(self.line.query) {
                    if *key == *name.as_bytes() && !f(&value) {
                        return;
                    }
                }
            }
            _ => {
                if let Some(value) = self.single(field) {
                    f(value);
                }
            }
        }
    }

    /// The value of a text field that has at most one.
    fn single(&self, field: &Field) -> Option<&'a [u8]> {
        match field {
            Field::Method => Some(self.line.method.as_bytes()),
            Field::Protocol => Some(self.protocol().as_bytes()),
            Field::Sni => self.line.sni.map(str::as_bytes),
            Field::Host => self.host.map(str::as_bytes),
            Field::HostAsSent => self.line.host.map(str::as_bytes),
            Field::Path => Some(self.path),
            Field::Segments(first, last) => self.range(*first as usize, *last as usize),
            _ => None,
        }
    }

    fn header(&self, header: &HeaderField) -> Option<ValueIter<'a, HeaderValue>> {
        let found =
            |name| self.line.headers.contains_key(name).then(|| self.line.headers.get_all(name).iter());
        header.underscored.as_ref().and_then(found).or_else(|| found(&header.dashed))
    }

    /// The path's segments; a slash at the end adds none.
    fn segments(&self) -> impl Iterator<Item = &'a [u8]> {
        let path = self.path.strip_prefix(b"/").unwrap_or(self.path);
        let path = path.strip_suffix(b"/").unwrap_or(path);
        path.split(|&b| b == b'/').take(if path.is_empty() { 0 } else { usize::MAX })
    }

    /// Segments `first` to `last` with the slashes between them.
    fn range(&self, first: usize, last: usize) -> Option<&'a [u8]> {
        let mut start = 1;
        let mut at = 1;
        for (number, segment) in self.segments().enumerate() {
            if number == first {
                start = at;
            }
            at += segment.len() + 1;
            if number == last {
                return Some(&self.path[start..at - 1]);
            }
        }
        None
    }
}

/// Arguments of a query, decoded, in order.
pub(super) fn arguments(query: &str) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    query.split('&').filter(|argument| !argument.is_empty()).take(MAX_ARGUMENTS).filter_map(|argument| {
        let (key, value) = argument.split_once('=').unwrap_or((argument, ""));
        let key = decode(key);
        (!key.is_empty()).then(|| (key, decode(value)))
    })
}

fn decode(text: &str) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'%', b'+', text.as_bytes()).is_none() {
        return text.as_bytes().into();
    }
    let text = text.replace('+', " ");
    percent_encoding::percent_decode(text.as_bytes()).collect::<Vec<u8>>().into()
}
