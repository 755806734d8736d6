//! Host and port in authorities (RFC 3986 section 3.2), `Host` fields and addresses, without copying or decoding them.

/// Splits an authority or a `Host` field into the host and the text after the colon. The colon is the last one, and
/// none in brackets, as for nginx and for Kong's parser of URLs. The host keeps its brackets.
pub fn split(authority: &str) -> (&str, Option<&str>) {
    match colon(authority.as_bytes()) {
        Some(at) => (&authority[..at], Some(&authority[at + 1..])),
        None => (authority, None),
    }
}

/// Returns the host of an authority or a `Host` field, which need not be text.
pub fn host(authority: &[u8]) -> &[u8] {
    colon(authority).map_or(authority, |at| &authority[..at])
}

/// Returns the position of the colon before the port.
fn colon(authority: &[u8]) -> Option<usize> {
    memchr::memrchr2(b':', b']', authority).filter(|at| authority[*at] == b':')
}

/// Splits an address such as `a.test:80`, `[::1]:80` or `::1` into the host without brackets and the text after the
/// colon. Two colons without brackets are an IPv6 address without port, as in Kong's targets.
pub fn split_address(address: &str) -> (&str, Option<&str>) {
    match split(address) {
        (host, Some(_)) if host.contains(':') && !host.starts_with('[') => (address, None),
        (host, port) => (without_brackets(host), port),
    }
}

/// Removes the brackets around an IPv6 address.
pub fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Adds brackets to an IPv6 address that has none.
pub fn with_brackets(host: &str) -> std::borrow::Cow<'_, str> {
    match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]").into(),
        false => host.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_follows_the_last_colon_outside_brackets() {
        for (text, expected) in [
            ("a.test", ("a.test", None)),
            ("a.test:80", ("a.test", Some("80"))),
            ("a.test:", ("a.test", Some(""))),
            ("[::1]", ("[::1]", None)),
            ("[::1]:80", ("[::1]", Some("80"))),
            ("::1", (":", Some("1"))),
            ("[::1", ("[:", Some("1"))),
            (":80", ("", Some("80"))),
            ("", ("", None)),
        ] {
            assert_eq!(split(text), expected, "{text}");
            assert_eq!(host(text.as_bytes()), expected.0.as_bytes(), "{text}");
        }
    }

    #[test]
    fn an_address_may_be_ipv6_without_brackets() {
        for (text, expected) in [
            ("a.test:80", ("a.test", Some("80"))),
            ("a.test", ("a.test", None)),
            ("[::1]:80", ("::1", Some("80"))),
            ("[::1]", ("::1", None)),
            ("::1", ("::1", None)),
            ("2001:db8::1", ("2001:db8::1", None)),
        ] {
            assert_eq!(split_address(text), expected, "{text}");
        }
        assert_eq!(with_brackets("::1"), "[::1]");
        assert_eq!(with_brackets("[::1]"), "[::1]");
        assert_eq!(with_brackets("a.test"), "a.test");
        assert_eq!(without_brackets("[::1"), "[::1");
    }
}
