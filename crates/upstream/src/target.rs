//! Parsing and formatting of targets (`host:port`) and Host headers.

use http::HeaderValue;
use http_codec::authority;

/// Splits a target such as `a.test:80`, `10.0.0.1` or `[::1]:80` into host and port. The default port is 8000.
pub fn host_and_port(target: &str) -> (&str, u16) {
    const DEFAULT_PORT: u16 = 8000;
    let (host, port) = authority::split_address(target);
    (host, port.and_then(|port| port.parse().ok()).unwrap_or(DEFAULT_PORT))
}

/// Formats a target as Kong's admin API does: with its port, and IPv6 in brackets and not abbreviated.
pub fn canonical_target(target: &str) -> String {
    let (host, port) = host_and_port(target);
    match host.parse::<std::net::Ipv6Addr>() {
        Ok(ip) => format!("[{}]:{port}", ip.segments().map(|part| format!("{part:04x}")).join(":")),
        Err(_) => format!("{host}:{port}"),
    }
}

/// Returns whether a host includes a port.
pub fn has_port(host: &str) -> bool {
    let (_, port) = authority::split_address(host);
    port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Builds the Host header for a host and a port, which is omitted if it is the default of the protocol.
pub fn host_header(host: &str, port: u16, default_port: u16) -> HeaderValue {
    let host = authority::with_brackets(host);
    let text = if port == default_port { host.into_owned() } else { format!("{host}:{port}") };
    // The schema rejects hosts that are not valid header values.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_header_omits_the_default_port() {
        assert_eq!(host_header("a.test", 80, 80), "a.test");
        assert_eq!(host_header("a.test", 80, 443), "a.test:80");
        assert_eq!(host_header("::1", 81, 80), "[::1]:81");
        assert_eq!(host_header("[::1]", 80, 80), "[::1]");
    }

    #[test]
    fn targets_are_formatted_with_their_port() {
        for (target, expected) in [
            ("a.test", "a.test:8000"),
            ("a.test:81", "a.test:81"),
            ("10.0.0.1", "10.0.0.1:8000"),
            ("::1", "[0000:0000:0000:0000:0000:0000:0000:0001]:8000"),
            ("[2001:db8::1]:81", "[2001:0db8:0000:0000:0000:0000:0000:0001]:81"),
        ] {
            assert_eq!(canonical_target(target), expected);
            assert_eq!(canonical_target(expected), expected);
        }
    }

    #[test]
    fn a_host_can_include_a_port() {
        for host in ["a.test:80", "[::1]:80", "1.2.3.4:1"] {
            assert!(has_port(host), "{host}");
        }
        for host in ["a.test", "[::1]", "::1", "1.2.3.4"] {
            assert!(!has_port(host), "{host}");
        }
    }

    #[test]
    fn targets_are_split_into_host_and_port() {
        assert_eq!(host_and_port("a.test:81"), ("a.test", 81));
        assert_eq!(host_and_port("a.test"), ("a.test", 8000));
        assert_eq!(host_and_port("[::1]:81"), ("::1", 81));
        assert_eq!(host_and_port("[::1]"), ("::1", 8000));
        assert_eq!(host_and_port("::1"), ("::1", 8000));
    }
}
