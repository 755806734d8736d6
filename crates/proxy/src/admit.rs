//! What a request must fulfil before it is looked at: host, target, method, and who the client is.

use std::{borrow::Cow, net::IpAddr};

use http::{
    HeaderValue, Method, Uri, Version, header,
    uri::{Authority, PathAndQuery, Scheme},
};

use super::{
    fault::Fault,
    headers,
    worker::{Link, is_trusted},
};
use http_codec::SINGLETONS;
use plugin::{Exchange, Request};
use runtime::{Options, RealIp};

/// Checks a request's head and settles its Host header, target and the client's address.
///
/// # Errors
/// When the request must not be served.
pub fn admit(exchange: &mut Exchange, link: &Link) -> Result<(), Fault> {
    let request = &mut exchange.request;
    match request.version {
        Version::HTTP_10 | Version::HTTP_11 | Version::HTTP_2 => {}
        _ => return Err(Fault::Version),
    }
    method(request)?;
    singletons(request)?;
    host(request)?;
    target(request)?;
    if request.version == Version::HTTP_2 {
        join_cookies(request);
    } else {
        headers::drop_nominated(&mut request.headers);
    }
    if !router::acceptable(request.uri.path()) {
        return Err(Fault::BadRequest("path"));
    }
    if link.client.trusted {
        exchange.client.ip = client_address(request, &link.worker.options, link.client.ip);
    }
    Ok(())
}

/// Methods are in upper case, with `-` and `_`; CONNECT asks for a tunnel, which a gateway is not.
fn method(request: &Request) -> Result<(), Fault> {
    if matches!(request.method, Method::GET | Method::POST | Method::PUT | Method::DELETE | Method::HEAD) {
        return Ok(());
    }
    if matches!(request.method, Method::CONNECT | Method::TRACE) {
        return Err(Fault::MethodNotAllowed);
    }
    let fits = |b: u8| b.is_ascii_uppercase() || b == b'_' || b == b'-';
    if request.method.as_str().bytes().all(fits) { Ok(()) } else { Err(Fault::BadRequest("method")) }
}

/// HTTP/2 may send a cookie header in crumbs; elsewhere there is one (RFC 9113 section 8.2.3).
fn join_cookies(request: &mut Request) {
    let mut crumbs = request.headers.get_all(header::COOKIE).iter();
    if crumbs.next().is_none() || crumbs.next().is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> =
        request.headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        request.headers.insert(header::COOKIE, whole);
    }
}

/// HTTP/2's fields that may not be repeated. Of a head of HTTP/1 its reader has made sure.
fn singletons(request: &Request) -> Result<(), Fault> {
    if request.headers.fields().is_some() || request.headers.len() == request.headers.keys_len() {
        return Ok(());
    }
    let names = SINGLETONS.iter().filter_map(|known| known.name());
    match names.into_iter().any(|name| request.headers.get_all(name).iter().nth(1).is_some()) {
        true => Err(Fault::BadRequest("a field that may not be repeated")),
        false => Ok(()),
    }
}

/// A path begins with a slash, and a scheme, if there is one, is HTTP's.
fn target(request: &mut Request) -> Result<(), Fault> {
    let uri = &request.uri;
    if uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) {
        return Err(Fault::BadRequest("scheme"));
    }
    match uri.path_and_query() {
        Some(path) if path.as_str().starts_with('/') => Ok(()),
        // `http://a?b` has the empty path, which is written as `/`; HTTP/2 has no such form.
        Some(path)
            if uri.authority().is_some()
                && path.as_str().starts_with('?')
                && request.version != Version::HTTP_2 =>
        {
            request.uri = rooted(uri, path).ok_or(Fault::BadRequest("target"))?;
            Ok(())
        }
        _ => Err(Fault::BadRequest("target")),
    }
}

fn rooted(uri: &Uri, path: &PathAndQuery) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(format!("/{}", path.as_str())).ok();
    Uri::from_parts(parts).ok()
}

/// One Host header that is a host; an authority in the target comes before it.
fn host(request: &mut Request) -> Result<(), Fault> {
    let (first, more) = request.headers.host();
    if more {
        return Err(Fault::BadRequest("more than one Host header"));
    }
    match first {
        Some(host) if !is_host(host) => return Err(Fault::BadRequest("Host header")),
        None if request.version == Version::HTTP_11 => return Err(Fault::BadRequest("no Host header")),
        None if request.version == Version::HTTP_2 && request.uri.authority().is_none() => {
            return Err(Fault::BadRequest("neither :authority nor host"));
        }
        _ => {}
    }
    let Some(authority) = request.uri.authority() else { return Ok(()) };
    if authority.as_str().contains('@') || !is_host(authority.as_str().as_bytes()) {
        return Err(Fault::BadRequest("authority"));
    }
    if request.version == Version::HTTP_2 && first.is_some_and(|host| !same_host(host, authority)) {
        return Err(Fault::BadRequest("host differs from :authority"));
    }
    let value = HeaderValue::from_str(authority.as_str()).map_err(|_| Fault::BadRequest("authority"))?;
    request.headers.insert(header::HOST, value);
    Ok(())
}

fn same_host(host: &[u8], authority: &Authority) -> bool {
    host.eq_ignore_ascii_case(authority.as_str().as_bytes())
}

/// What nginx takes for a host: no control characters, blanks, slashes, commas, no two dots in a row; a port
/// of digits; an address in brackets.
fn is_host(host: &[u8]) -> bool {
    if host.is_empty() {
        return false;
    }
    let (name, port, fits) = match host {
        [b'[', rest @ ..] => match rest.iter().position(|&b| b == b']') {
            Some(end) => {
                (&rest[..end], &rest[end + 1..], rest[..end].iter().all(|&b| b == b':' || in_host(b)))
            }
            None => return false,
        },
        // The first byte that is of no name begins the port, or is not allowed.
        _ => match host.iter().position(|&b| !in_host(b)) {
            Some(at) => (&host[..at], &host[at..], true),
            None => (host, &b""[..], true),
        },
    };
    let port_fits = match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    fits && port_fits && !name.is_empty() && !name.windows(2).any(|two| two == b"..")
}

/// A byte that may not stand in a host's name.
const NO_NAME: u8 = 1;
/// One that is no text.
const NO_TEXT: u8 = 2;
/// A letter in upper case.
const UPPER: u8 = 4;

/// What is to be said of each byte of a host.
const IN_HOST: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'\t' | b' ' => NO_NAME,
            0..b' ' | 0x7f => NO_NAME | NO_TEXT,
            b'/' | b'\\' | b',' | b'@' | b'#' | b'?' | b':' => NO_NAME,
            0x80.. => NO_TEXT,
            b'A'..=b'Z' => UPPER,
            _ => 0,
        };
        byte += 1;
    }
    table
};

fn in_host(byte: u8) -> bool {
    IN_HOST[usize::from(byte)] & NO_NAME == 0
}

/// The host without its port, and the port.
pub fn split_host(host: &str) -> (&str, Option<u16>) {
    match host.bytes().rposition(|byte| matches!(byte, b':' | b']')) {
        Some(at) if host.as_bytes()[at] == b':' => (&host[..at], host[at + 1..].parse().ok()),
        _ => (host, None),
    }
}

/// The host that a Host header names, in lower case and without its port; none if it is not text.
pub fn host_name(host: &[u8]) -> Option<Cow<'_, [u8]>> {
    let found = host.iter().fold(0, |found, &byte| found | IN_HOST[usize::from(byte)]);
    let name = match host.iter().rposition(|byte| matches!(byte, b':' | b']')) {
        Some(at) if host[at] == b':' => &host[..at],
        _ => host,
    };
    match found {
        _ if found & NO_TEXT != 0 => None,
        _ if found & UPPER != 0 => Some(Cow::Owned(name.to_ascii_lowercase())),
        _ => Some(Cow::Borrowed(name)),
    }
}

/// The client's address as a trusted peer tells it.
fn client_address(request: &Request, options: &Options, peer: IpAddr) -> IpAddr {
    let RealIp::Header(name) = &options.real_ip else { return peer };
    let values = request.headers.get_all(name).iter().map(HeaderValue::as_bytes);
    nearest(values.rev(), peer, |ip| options.real_ip_recursive && is_trusted(options, ip))
}

/// The last address of a list that may be several fields, which come the last first. Empty elements are no part of
/// it (RFC 9110 section 5.6.1). While an address `is_passed`, the one before it counts.
fn nearest<'a>(
    values: impl Iterator<Item = &'a [u8]>,
    peer: IpAddr,
    is_passed: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    let entries = values.flat_map(|value| value.rsplit(|&byte| byte == b',')).map(<[u8]>::trim_ascii);
    let mut found = peer;
    for entry in entries.filter(|entry| !entry.is_empty()) {
        let Some(ip) = std::str::from_utf8(entry).ok().and_then(address) else { break };
        found = ip;
        if !is_passed(ip) {
            break;
        }
    }
    found
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse().or_else(|_| text.parse::<std::net::SocketAddr>().map(|address| address.ip()));
    ip.ok().map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use net::Body;

    #[test]
    fn the_nearest_address_counts_and_empty_elements_do_not() {
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
            let found = nearest(values.iter().rev().map(|value| value.as_bytes()), peer, trusted);
            assert_eq!(found.to_string(), ip, "{values:?}");
        }
    }

    #[test]
    fn targets_have_a_path_and_a_scheme_of_http() {
        let path = |version, uri: &str| {
            let uri = uri.parse().unwrap_or_else(|_| Uri::from(PathAndQuery::try_from(uri).expect("a path")));
            let mut request = Request::new(Method::GET, uri, version, HeaderMap::new().into(), Body::Empty);
            let checked = target(&mut request);
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
    fn hosts_are_those_that_nginx_takes() {
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
    fn a_host_s_name_is_in_lower_case_and_without_its_port() {
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
