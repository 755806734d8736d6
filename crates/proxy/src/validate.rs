//! Validates and normalises a request's head before it is routed: method, host, target, and the client's
//! address.

use std::{borrow::Cow, net::IpAddr};

use http::{
    HeaderValue, Method, Uri, Version, header,
    uri::{Authority, PathAndQuery, Scheme},
};

use super::{
    error::ProxyError,
    headers,
    worker::{ConnContext, is_trusted},
};
use http_codec::{SINGLETON_HEADERS, authority};
use plugin::{Exchange, Request};
use runtime::{Options, RealIp};

/// Validates a request's head; normalises Host, target and the client's address.
///
/// # Errors
/// If the request must not be served.
pub fn validate_request(exchange: &mut Exchange, conn_ctx: &ConnContext) -> Result<(), ProxyError> {
    let request = &mut exchange.request;
    match request.version {
        Version::HTTP_10 | Version::HTTP_11 | Version::HTTP_2 => {}
        _ => return Err(ProxyError::Version),
    }
    check_method(request)?;
    check_singletons(request)?;
    normalize_host(request)?;
    normalize_target(request)?;
    if request.version == Version::HTTP_2 {
        join_cookies(request);
    } else {
        headers::drop_nominated(&mut request.headers);
    }
    if !router::is_valid_path(request.uri.path()) {
        return Err(ProxyError::BadRequest("path"));
    }
    if conn_ctx.client.is_trusted {
        exchange.client.ip = client_address(request, &conn_ctx.worker.options, conn_ctx.client.ip);
    }
    Ok(())
}

/// Checks the method: upper case, `-` and `_`, as nginx; a gateway serves neither CONNECT nor TRACE.
fn check_method(request: &Request) -> Result<(), ProxyError> {
    if matches!(request.method, Method::GET | Method::POST | Method::PUT | Method::DELETE | Method::HEAD) {
        return Ok(());
    }
    if matches!(request.method, Method::CONNECT | Method::TRACE) {
        return Err(ProxyError::MethodNotAllowed);
    }
    let is_valid = |b: u8| b.is_ascii_uppercase() || b == b'_' || b == b'-';
    if request.method.as_str().bytes().all(is_valid) { Ok(()) } else { Err(ProxyError::BadRequest("method")) }
}

/// Joins cookie fields that HTTP/2 may send in several (RFC 9113 section 8.2.3).
fn join_cookies(request: &mut Request) {
    let mut parts = request.headers.get_all(header::COOKIE).iter();
    if parts.next().is_none() || parts.next().is_none() {
        return;
    }
    let parts: Vec<&[u8]> =
        request.headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(whole) = HeaderValue::from_bytes(&parts.join(&b"; "[..])) {
        request.headers.insert(header::COOKIE, whole);
    }
}

/// Rejects repeated singleton fields of HTTP/2; HTTP/1's parser has checked its own.
fn check_singletons(request: &Request) -> Result<(), ProxyError> {
    if request.headers.fields().is_some() || request.headers.len() == request.headers.keys_len() {
        return Ok(());
    }
    let names = SINGLETON_HEADERS.iter().filter_map(|known| known.name());
    match names.into_iter().any(|name| request.headers.get_all(name).iter().nth(1).is_some()) {
        true => Err(ProxyError::BadRequest("a field that may not be repeated")),
        false => Ok(()),
    }
}

/// Checks that the path starts with a slash, and that the scheme, if any, is HTTP's.
fn normalize_target(request: &mut Request) -> Result<(), ProxyError> {
    let uri = &request.uri;
    if uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) {
        return Err(ProxyError::BadRequest("scheme"));
    }
    match uri.path_and_query() {
        Some(path) if path.as_str().starts_with('/') => Ok(()),
        // `http://a?b` has the empty path, which is normalised to `/`; HTTP/2 has no such form.
        Some(path)
            if uri.authority().is_some()
                && path.as_str().starts_with('?')
                && request.version != Version::HTTP_2 =>
        {
            request.uri = with_root_path(uri, path).ok_or(ProxyError::BadRequest("target"))?;
            Ok(())
        }
        _ => Err(ProxyError::BadRequest("target")),
    }
}

fn with_root_path(uri: &Uri, path: &PathAndQuery) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(format!("/{}", path.as_str())).ok();
    Uri::from_parts(parts).ok()
}

/// Checks that there is one valid Host; the target's authority takes precedence over it.
fn normalize_host(request: &mut Request) -> Result<(), ProxyError> {
    let (first, more) = request.headers.host();
    if more {
        return Err(ProxyError::BadRequest("more than one Host header"));
    }
    match first {
        Some(host) if !is_host(host) => return Err(ProxyError::BadRequest("Host header")),
        None if request.version == Version::HTTP_11 => return Err(ProxyError::BadRequest("no Host header")),
        None if request.version == Version::HTTP_2 && request.uri.authority().is_none() => {
            return Err(ProxyError::BadRequest("neither :authority nor host"));
        }
        _ => {}
    }
    let Some(authority) = request.uri.authority() else { return Ok(()) };
    if authority.as_str().contains('@') || !is_host(authority.as_str().as_bytes()) {
        return Err(ProxyError::BadRequest("authority"));
    }
    if request.version == Version::HTTP_2 && first.is_some_and(|host| !same_host(host, authority)) {
        return Err(ProxyError::BadRequest("host differs from :authority"));
    }
    let value = HeaderValue::from_str(authority.as_str()).map_err(|_| ProxyError::BadRequest("authority"))?;
    request.headers.insert(header::HOST, value);
    Ok(())
}

fn same_host(host: &[u8], authority: &Authority) -> bool {
    host.eq_ignore_ascii_case(authority.as_str().as_bytes())
}

/// Whether nginx accepts this host: no control characters, whitespace, slashes or commas, no two dots in a
/// row; a numeric port; an address in brackets.
fn is_host(host: &[u8]) -> bool {
    if host.is_empty() {
        return false;
    }
    let (name, port, is_valid) = match host {
        [b'[', rest @ ..] => match rest.iter().position(|&b| b == b']') {
            Some(end) => {
                (&rest[..end], &rest[end + 1..], rest[..end].iter().all(|&b| b == b':' || is_name_byte(b)))
            }
            None => return false,
        },
        // The first byte that is not part of a name starts the port, or is invalid.
        _ => match host.iter().position(|&b| !is_name_byte(b)) {
            Some(at) => (&host[..at], &host[at..], true),
            None => (host, &b""[..], true),
        },
    };
    let is_port_valid = match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    is_valid && is_port_valid && !name.is_empty() && !name.windows(2).any(|two| two == b"..")
}

/// A byte that a host's name must not contain.
const NOT_IN_NAME: u8 = 1;
/// A byte that is not ASCII text.
const NOT_TEXT: u8 = 2;
/// An upper-case letter.
const UPPERCASE: u8 = 4;

/// Class of each byte in a host.
const HOST_BYTE_CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'\t' | b' ' => NOT_IN_NAME,
            0..b' ' | 0x7f => NOT_IN_NAME | NOT_TEXT,
            b'/' | b'\\' | b',' | b'@' | b'#' | b'?' | b':' => NOT_IN_NAME,
            0x80.. => NOT_TEXT,
            b'A'..=b'Z' => UPPERCASE,
            _ => 0,
        };
        byte += 1;
    }
    table
};

fn is_name_byte(byte: u8) -> bool {
    HOST_BYTE_CLASS[usize::from(byte)] & NOT_IN_NAME == 0
}

/// Splits a host into name and port.
pub fn split_host_port(host: &str) -> (&str, Option<u16>) {
    let (name, port) = authority::split(host);
    (name, port.and_then(|port| port.parse().ok()))
}

/// The name in a Host header, in lower case and without port; `None` if it is not text.
pub fn host_name(host: &[u8]) -> Option<Cow<'_, [u8]>> {
    let found = host.iter().fold(0, |found, &byte| found | HOST_BYTE_CLASS[usize::from(byte)]);
    let name = authority::host(host);
    match found {
        _ if found & NOT_TEXT != 0 => None,
        _ if found & UPPERCASE != 0 => Some(Cow::Owned(name.to_ascii_lowercase())),
        _ => Some(Cow::Borrowed(name)),
    }
}

/// The client's address as sent by a trusted peer (`real_ip_header`).
fn client_address(request: &Request, options: &Options, peer: IpAddr) -> IpAddr {
    let RealIp::Header(name) = &options.real_ip else { return peer };
    let values = request.headers.get_all(name).iter().map(HeaderValue::as_bytes);
    last_unpassed_address(values.rev(), peer, |ip| options.real_ip_recursive && is_trusted(options, ip))
}

/// The last address of the list in `values`, which come in reverse order. Empty elements are ignored (RFC
/// 9110 section 5.6.1). While `is_passed` holds for an address, the one before it is taken.
fn last_unpassed_address<'a>(
    values: impl Iterator<Item = &'a [u8]>,
    peer: IpAddr,
    is_passed: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    let entries = values.flat_map(|value| value.rsplit(|&byte| byte == b',')).map(<[u8]>::trim_ascii);
    let mut found = peer;
    for entry in entries.filter(|entry| !entry.is_empty()) {
        let Some(ip) = std::str::from_utf8(entry).ok().and_then(parse_address) else { break };
        found = ip;
        if !is_passed(ip) {
            break;
        }
    }
    found
}

fn parse_address(text: &str) -> Option<IpAddr> {
    let ip = authority::without_brackets(text)
        .parse()
        .or_else(|_| text.parse::<std::net::SocketAddr>().map(|address| address.ip()));
    ip.ok().map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use net::Body;

    #[test]
    fn the_last_untrusted_address_is_the_client() {
        let peer: IpAddr = "10.0.0.9".parse().expect("an address");
        let trusted = |ip: IpAddr| ip.to_string().starts_with("10.");
        for (values, ip) in [
            (&["1.1.1.1"][..], "1.1.1.1"),
            (&["2.2.2.2, 1.1.1.1"], "1.1.1.1"),
            (&["2.2.2.2", "1.1.1.1"], "1.1.1.1"),
            (&["2.2.2.2,,1.1.1.1"], "1.1.1.1"),
            (&["1.1.1.1,"], "1.1.1.1"),
            (&["1.1.1.1 , \t,"], "1.1.1.1"),
            (&["1.1.1.1", ""], "1.1.1.1"),
            (&["1.1.1.1,,10.0.0.1,"], "1.1.1.1"),
            (&["\u{e9}, 1.1.1.1"], "1.1.1.1"),
            (&["1.1.1.1, unknown"], "10.0.0.9"),
            (&["1.1.1.1, unknown, 10.0.0.2"], "10.0.0.2"),
            (&["1.1.1.1:80"], "1.1.1.1"),
            (&["[::1]:80"], "::1"),
            (&["[::1]"], "::1"),
            (&["::ffff:1.1.1.1"], "1.1.1.1"),
            (&[], "10.0.0.9"),
            (&[","], "10.0.0.9"),
        ] {
            let found =
                last_unpassed_address(values.iter().rev().map(|value| value.as_bytes()), peer, trusted);
            assert_eq!(found.to_string(), ip, "{values:?}");
        }
    }

    #[test]
    fn targets_need_a_path_and_an_http_scheme() {
        let path = |version, uri: &str| {
            let uri = uri.parse().unwrap_or_else(|_| Uri::from(PathAndQuery::try_from(uri).expect("a path")));
            let mut request = Request::new(Method::GET, uri, version, HeaderMap::new().into(), Body::Empty);
            let checked = normalize_target(&mut request);
            checked.ok().map(|()| request.uri.path_and_query().map(ToString::to_string).unwrap_or_default())
        };
        for (uri, h1, h2) in [
            ("/a?x", Some("/a?x"), Some("/a?x")),
            ("http://a", Some("/"), Some("/")),
            ("http://a?x", Some("/?x"), None),
            ("https://a/b", Some("/b"), Some("/b")),
            ("ftp://a/b", None, None),
            ("?x", None, None),
            ("*", None, None),
        ] {
            assert_eq!(path(Version::HTTP_11, uri).as_deref(), h1, "{uri}");
            assert_eq!(path(Version::HTTP_2, uri).as_deref(), h2, "{uri}");
        }
    }

    #[test]
    fn hosts_are_those_that_nginx_accepts() {
        for host in ["a", "a.b-c_d", "a:80", "a:", "127.0.0.1:1", "[::1]", "[::1]:80", "a.", "\u{e9}", "a%b|"]
        {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in [
            "", ":80", "a..b", "a b", "a/b", "a\\b", "a,b", "a@b", "a#", "a?", "a\u{7f}", "a:8x", "a:8:8",
            "[::1", "[]", "[a]b",
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn host_name_is_lower_case_without_port() {
        for (host, name) in [
            ("a.b:80", Some("a.b")),
            ("A.b", Some("a.b")),
            ("[::1]:80", Some("[::1]")),
            ("[::1]", Some("[::1]")),
            ("\u{e9}", None),
        ] {
            assert_eq!(host_name(host.as_bytes()).as_deref(), name.map(str::as_bytes), "{host}");
        }
    }
}
