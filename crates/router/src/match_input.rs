//! The fields of a request, as expressions name them.

use std::{borrow::Cow, net::IpAddr};

use http::{HeaderValue, header::ValueIter};
use http_codec::urlencoded;

use super::{
    RequestInput, StreamInput,
    expr::{Field, HeaderField},
};

/// Most query arguments that are parsed (`lua_max_uri_args`).
const MAX_ARGUMENTS: usize = 100;

/// The input of a match: a request or a connection. Fields are extracted on demand.
pub(super) struct MatchInput<'a> {
    protocol: &'static str,
    /// The request head; `None` for streams.
    http: Option<RequestHead<'a>>,
    sni: Option<&'a str>,
    source: (IpAddr, u16),
    destination: (IpAddr, u16),
}

struct RequestHead<'a> {
    line: &'a RequestInput<'a>,
    path: &'a [u8],
    /// Host without port.
    host: Option<&'a str>,
    port: Option<i64>,
}

/// Splits a host into name and port. There is no port unless the first colon precedes a number, so an IPv6 address is not
/// split.
pub fn split_port(host: &str) -> (&str, Option<u32>) {
    let Some(at) = host.bytes().position(|byte| byte == b':') else { return (host, None) };
    let (name, port) = (&host[..at], &host[at + 1..]);
    match port.parse() {
        // The parser accepts a sign, which is not valid in a port.
        Ok(number) if port.as_bytes()[0].is_ascii_digit() => (name, Some(number)),
        _ => (host, None),
    }
}

impl<'a> MatchInput<'a> {
    /// Creates the input for a request; `path` is normalised.
    pub fn of_request(line: &'a RequestInput<'a>, path: &'a [u8]) -> Self {
        let (host, port) = match line.host.map(split_port) {
            Some((host, port)) => (Some(host), port.map(i64::from)),
            None => (None, None),
        };
        MatchInput {
            protocol: if line.https { "https" } else { "http" },
            http: Some(RequestHead { line, path, host, port }),
            sni: line.sni,
            source: line.source,
            destination: line.destination,
        }
    }

    /// Creates the input for a connection. It counts as TLS if there is a server name.
    pub fn of_connection(connection: &StreamInput<'a>) -> Self {
        let protocol = match (connection.udp, connection.sni) {
            (true, _) => "udp",
            (false, Some(_)) => "tls",
            (false, None) => "tcp",
        };
        let StreamInput { sni, source, destination, .. } = *connection;
        MatchInput { protocol, http: None, sni, source, destination }
    }

    /// The protocol, as in the router's language.
    pub fn protocol(&self) -> &'static str {
        self.protocol
    }

    /// Returns the value of a numeric field.
    pub fn number(&self, field: &Field) -> Option<i64> {
        let named = || self.http.as_ref().and_then(|head| head.port);
        match field {
            Field::SourcePort => Some(self.source.1.into()),
            Field::DestinationPort => Some(named().unwrap_or(self.destination.1.into())),
            Field::HostPort => Some(named().unwrap_or(if self.protocol == "https" { 443 } else { 80 })),
            Field::SegmentCount => Some(self.http.as_ref()?.segments().count() as i64),
            _ => None,
        }
    }

    /// Returns the value of an address field.
    pub fn address(&self, field: &Field) -> Option<IpAddr> {
        match field {
            Field::SourceIp => Some(self.source.0),
            Field::DestinationIp => Some(self.destination.0),
            _ => None,
        }
    }

    /// Calls `f` with every value of a text field, until it returns false.
    pub fn each(&self, field: &Field, mut f: impl FnMut(&[u8]) -> bool) {
        match (field, &self.http) {
            (Field::Header(header), Some(head)) => {
                for value in head.header(header).into_iter().flatten() {
                    if !f(value.as_bytes()) {
                        return;
                    }
                }
            }
            (Field::Query(name), Some(head)) => {
                for (key, value) in arguments(head.line.query) {
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

    /// Returns the value of a text field that has at most one.
    fn single(&self, field: &Field) -> Option<&'a [u8]> {
        match field {
            Field::Protocol => return Some(self.protocol.as_bytes()),
            Field::Sni => return self.sni.map(str::as_bytes),
            _ => {}
        }
        let head = self.http.as_ref()?;
        match field {
            Field::Method => Some(head.line.method.as_bytes()),
            Field::Host => head.host.map(str::as_bytes),
            Field::HostAsSent => head.line.host.map(str::as_bytes),
            Field::Path => Some(head.path),
            Field::Segments(first, last) => head.range(*first as usize, *last as usize),
            _ => None,
        }
    }
}

impl<'a> RequestHead<'a> {
    fn header(&self, header: &HeaderField) -> Option<ValueIter<'a, HeaderValue>> {
        let headers = self.line.headers.map();
        let found = |name| headers.contains_key(name).then(|| headers.get_all(name).iter());
        header.underscored.as_ref().and_then(found).or_else(|| found(&header.dashed))
    }

    /// Iterates over the path segments; a trailing slash adds none.
    fn segments(&self) -> impl Iterator<Item = &'a [u8]> {
        let path = self.path.strip_prefix(b"/").unwrap_or(self.path);
        let path = path.strip_suffix(b"/").unwrap_or(path);
        path.split(|&b| b == b'/').take(if path.is_empty() { 0 } else { usize::MAX })
    }

    /// Returns segments `first` to `last` with the slashes between them.
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

/// Iterates over the decoded query arguments, in order. Those without `=` are empty.
pub(super) fn arguments(query: &str) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    urlencoded::arguments(query.as_bytes())
        .take(MAX_ARGUMENTS)
        .map(|argument| (argument.name(), argument.value().unwrap_or_default()))
}
