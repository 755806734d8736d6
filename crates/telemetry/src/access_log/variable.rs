//! Variables of log formats. Names and forms are nginx's; those that start with `gateway_` are the gateway's own.

use std::{
    io::Write as _,
    time::{Duration, UNIX_EPOCH},
};

use super::{
    Escape, QueryLogging,
    query::push_query,
    time::{with_iso8601, with_time_local},
};
use crate::record::{Record, Try};

/// What stands for a value that is not logged.
pub const HIDDEN: &[u8] = b"***";

macro_rules! variables {
    ($($(#[doc = $doc:literal])+ $name:ident = $($text:literal)|+;)+) => {
        /// A variable.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Variable {
            $($(#[doc = $doc])+ $name,)+
            /// A header field of the request.
            RequestHeader(HeaderField),
            /// A header field of the response.
            ResponseHeader(HeaderField),
        }

        fn named(name: &str) -> Option<Variable> {
            Some(match name {
                $($($text)|+ => Variable::$name,)+
                _ => return None,
            })
        }
    };
}

variables! {
    /// Address of the client.
    RemoteAddr = "remote_addr";
    /// Port of the peer.
    RemotePort = "remote_port" | "realip_remote_port";
    /// Address of the peer, which is a load balancer's if the client's address was reported.
    RealipRemoteAddr = "realip_remote_addr";
    /// The authenticated consumer.
    RemoteUser = "remote_user" | "gateway_consumer";
    /// Time, such as `01/Dec/2026:14:26:23 +0000`.
    TimeLocal = "time_local";
    /// Time, such as `2026-12-01T14:26:23+00:00`.
    TimeIso8601 = "time_iso8601";
    /// Time in seconds since 1970, with milliseconds.
    Msec = "msec";
    /// Method, target and version.
    Request = "request";
    /// Method.
    Method = "request_method";
    /// Path and query.
    RequestUri = "request_uri";
    /// Path.
    Path = "uri" | "document_uri";
    /// Query.
    Args = "args" | "query_string";
    /// `http` or `https`.
    Scheme = "scheme";
    /// HTTP version.
    Protocol = "server_protocol" | "protocol";
    /// `Host` in lower case, without a port.
    Host = "host";
    /// Status.
    Status = "status";
    /// Bytes sent.
    BytesSent = "bytes_sent";
    /// Bytes of the body sent.
    BodyBytesSent = "body_bytes_sent";
    /// Bytes received.
    RequestLength = "request_length" | "bytes_received";
    /// Duration in seconds, with milliseconds.
    RequestTime = "request_time" | "session_time";
    /// Number of the connection.
    Connection = "connection";
    /// Number of the request on the connection.
    ConnectionRequests = "connection_requests";
    /// `p` for a pipelined request in nginx; always `.`.
    Pipe = "pipe";
    /// Id of the request.
    RequestId = "request_id" | "kong_request_id";
    /// Process id.
    Pid = "pid";
    /// Local address.
    ServerAddr = "server_addr";
    /// Local port.
    ServerPort = "server_port";
    /// TLS version.
    SslProtocol = "ssl_protocol";
    /// Cipher suite.
    SslCipher = "ssl_cipher";
    /// Server name of the TLS handshake.
    SslServerName = "ssl_server_name";
    /// Addresses of the tries.
    UpstreamAddr = "upstream_addr";
    /// Statuses of the tries.
    UpstreamStatus = "upstream_status";
    /// Times to connect, in seconds.
    UpstreamConnectTime = "upstream_connect_time";
    /// Times to the response's head, in seconds.
    UpstreamResponseTime = "upstream_response_time" | "upstream_header_time";
    /// Route.
    Route = "gateway_route";
    /// Service.
    Service = "gateway_service";
    /// Origin of the response.
    Source = "gateway_source";
    /// Which side ended the exchange.
    EndedBy = "gateway_ended_by";
    /// Code of the error.
    Error = "gateway_error";
    /// What a rate limit counted.
    LimitedBy = "gateway_limited_by";
}

/// There is no variable of that name.
#[derive(Debug)]
pub struct Unknown;

impl Variable {
    /// The variable of a name, without `$`.
    pub fn parse(name: &str) -> Result<Variable, Unknown> {
        let field = |name: &str| HeaderField::new(&name.replace('_', "-"));
        match (name.strip_prefix("sent_http_"), name.strip_prefix("http_")) {
            (Some(name), _) if !name.is_empty() => Ok(Variable::ResponseHeader(field(name))),
            (_, Some(name)) if !name.is_empty() => Ok(Variable::RequestHeader(field(name))),
            _ => named(name).ok_or(Unknown),
        }
    }

    /// Appends the variable's value.
    pub fn write(&self, record: &Record<'_>, escape: Escape, query: QueryLogging, line: &mut Vec<u8>) {
        let mut text = |value: Option<&str>| match value {
            Some(value) => escape.push(value.as_bytes(), line),
            None => escape.push_absent(line),
        };
        match self {
            Variable::RemoteUser => text(record.consumer),
            Variable::Method => text(record.request.map(|request| request.method)),
            Variable::Path => text(record.request.map(|request| request.path)),
            Variable::Scheme => text(Some(record.scheme)),
            Variable::Protocol => text(Some(record.protocol)),
            Variable::Pipe => text(Some(".")),
            Variable::SslProtocol => text(record.tls.map(|tls| tls.version)),
            Variable::SslCipher => text(record.tls.map(|tls| tls.cipher)),
            Variable::SslServerName => text(record.tls.and_then(|tls| tls.server_name)),
            Variable::Route => text(record.route),
            Variable::Service => text(record.service),
            Variable::Source => text(Some(record.source.name())),
            Variable::EndedBy => text(Some(record.ended_by.name())),
            Variable::Error => text(record.error),
            Variable::LimitedBy => text(record.limited_by),
            Variable::Request => match record.request {
                None => escape.push_absent(line),
                Some(request) => {
                    escape.push(request.method.as_bytes(), line);
                    line.push(b' ');
                    escape.push(request.path.as_bytes(), line);
                    push_query(request.query, query, Some(b'?'), escape, line);
                    line.push(b' ');
                    line.extend_from_slice(record.protocol.as_bytes());
                }
            },
            Variable::RequestUri => match record.request {
                None => escape.push_absent(line),
                Some(request) => {
                    escape.push(request.path.as_bytes(), line);
                    push_query(request.query, query, Some(b'?'), escape, line);
                }
            },
            Variable::Args => match record.request.and_then(|request| request.query) {
                Some(args) if query != QueryLogging::Off => push_query(Some(args), query, None, escape, line),
                _ => escape.push_absent(line),
            },
            Variable::Host => push_host(record, escape, line),
            Variable::RequestHeader(field) => {
                field.write(record.request_headers.value(&field.name), escape, query, line)
            }
            Variable::ResponseHeader(field) => {
                field.write(record.response_headers.value(&field.name), escape, query, line)
            }
            Variable::TimeLocal => {
                with_time_local(record.ended_at, |text| line.extend_from_slice(text.as_bytes()))
            }
            Variable::TimeIso8601 => with_iso8601(record.ended_at, |text| {
                line.extend_from_slice(text.as_bytes());
                line.extend_from_slice(b"+00:00");
            }),
            Variable::Msec => {
                push_seconds(record.ended_at.duration_since(UNIX_EPOCH).unwrap_or_default(), line)
            }
            Variable::RequestTime => push_seconds(record.duration, line),
            Variable::Status => push_status(record.status, line),
            Variable::BytesSent => push_number(record.sent_bytes, line),
            Variable::BodyBytesSent => push_number(record.sent_body_bytes, line),
            Variable::RequestLength => push_number(record.request_bytes, line),
            Variable::Connection => push_number(record.connection, line),
            Variable::ConnectionRequests => push_number(record.connection_request, line),
            Variable::Pid => push_number(std::process::id().into(), line),
            Variable::RemotePort => push_number(record.peer.port().into(), line),
            Variable::ServerPort => push_number(record.local.port().into(), line),
            Variable::RemoteAddr => push_display(record.client, line),
            Variable::RealipRemoteAddr => push_display(record.peer.ip(), line),
            Variable::ServerAddr => push_display(record.local.ip(), line),
            Variable::RequestId => push_display(format_args!("{:032x}", record.request_id), line),
            Variable::UpstreamAddr => {
                push_tries(record, escape, line, |one, line| push_display(one.address, line))
            }
            Variable::UpstreamStatus => push_tries(record, escape, line, |one, line| match one.status {
                Some(status) => push_status(status, line),
                None => line.push(b'-'),
            }),
            Variable::UpstreamConnectTime => {
                push_tries(record, escape, line, |one, line| push_seconds(one.connect, line))
            }
            Variable::UpstreamResponseTime => {
                push_tries(record, escape, line, |one, line| match one.response {
                    Some(time) => push_seconds(time, line),
                    None => line.push(b'-'),
                })
            }
        }
    }
}

/// Appends a value of each try, separated by commas as in nginx.
fn push_tries(record: &Record<'_>, escape: Escape, line: &mut Vec<u8>, push: impl Fn(&Try, &mut Vec<u8>)) {
    if record.tries.is_empty() {
        escape.push_absent(line);
    }
    for (at, one) in record.tries.iter().enumerate() {
        if at > 0 {
            line.extend_from_slice(b", ");
        }
        push(one, line);
    }
}

/// Words in the names of header fields whose values are credentials.
const SECRET_WORDS: [&str; 14] = [
    "auth",
    "passphrase",
    "pwd",
    "cookie",
    "key",
    "token",
    "secret",
    "password",
    "passwd",
    "signature",
    "session",
    "credential",
    "jwt",
    "assertion",
];

/// A header field in a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderField {
    /// Its name in lower case.
    pub name: Box<str>,
    kind: FieldKind,
}

/// How the value of a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FieldKind {
    /// As stars: it may be a credential.
    Secret,
    /// Its query as that of the request.
    Uri,
    /// As it is.
    Plain,
}

impl HeaderField {
    fn new(name: &str) -> Self {
        let kind = match name {
            "referer" | "location" => FieldKind::Uri,
            _ if SECRET_WORDS.iter().any(|word| name.contains(word)) => FieldKind::Secret,
            _ => FieldKind::Plain,
        };
        HeaderField { name: name.into(), kind }
    }

    /// Appends the field's value.
    fn write(&self, value: Option<&[u8]>, escape: Escape, query: QueryLogging, line: &mut Vec<u8>) {
        match (value, self.kind) {
            (None, _) => escape.push_absent(line),
            (Some(_), FieldKind::Secret) => line.extend_from_slice(HIDDEN),
            (Some(value), FieldKind::Uri) => push_uri(value, escape, query, line),
            (Some(value), FieldKind::Plain) => escape.push(value, line),
        }
    }
}

/// Appends a URI with its query as that of the request. Unless queries are logged in full, the user information is hidden
/// and the fragment is omitted: OAuth 2.0 sends tokens in fragments (RFC 6749 section 4.2.2).
pub fn push_uri(value: &[u8], escape: Escape, query: QueryLogging, line: &mut Vec<u8>) {
    let mut value = value;
    if query != QueryLogging::Full {
        value = value.split(|&byte| byte == b'#').next().unwrap_or_default();
        if let Some(start) = value.windows(2).position(|pair| pair == b"//").map(|at| at + 2) {
            let authority =
                value[start..].split(|byte| matches!(byte, b'/' | b'?')).next().unwrap_or_default();
            if let Some(at) = authority.iter().rposition(|&byte| byte == b'@') {
                escape.push(&value[..start], line);
                line.extend_from_slice(HIDDEN);
                value = &value[start + at..];
            }
        }
    }
    let end = value.iter().position(|&byte| byte == b'?').unwrap_or(value.len());
    escape.push(&value[..end], line);
    if let Some(text) = value.get(end + 1..).and_then(|text| std::str::from_utf8(text).ok()) {
        push_query(Some(text), query, Some(b'?'), escape, line);
    }
}

fn push_host(record: &Record<'_>, escape: Escape, line: &mut Vec<u8>) {
    let Some(host) = record.request_headers.value("host") else { return escape.push_absent(line) };
    let end = match host.first() {
        Some(b'[') => host.iter().position(|&byte| byte == b']').map_or(host.len(), |at| at + 1),
        _ => host.iter().position(|&byte| byte == b':').unwrap_or(host.len()),
    };
    escape.push(&host[..end].to_ascii_lowercase(), line);
}

/// Appends a status in three digits; `000` if none was sent.
fn push_status(status: u16, line: &mut Vec<u8>) {
    push_display(format_args!("{status:03}"), line);
}

pub fn push_number(number: u64, line: &mut Vec<u8>) {
    line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends seconds with milliseconds.
pub fn push_seconds(time: Duration, line: &mut Vec<u8>) {
    push_number(time.as_secs(), line);
    let milliseconds = time.subsec_millis();
    line.push(b'.');
    line.extend([100, 10, 1].map(|unit| b'0' + (milliseconds / unit % 10) as u8));
}

pub fn push_display(value: impl std::fmt::Display, line: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = write!(line, "{value}");
}
