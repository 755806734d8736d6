//! Targets as a file writes them.

use http::HeaderValue;

/// Host and port of a target such as `a.test:80`, `10.0.0.1` or `[::1]:80`; the port is 8000 if absent.
pub fn host_and_port(target: &str) -> (&str, u16) {
    const DEFAULT: u16 = 8000;
    if let Some(rest) = target.strip_prefix('[') {
        return match rest.split_once(']') {
            Some((host, port)) => {
                (host, port.strip_prefix(':').and_then(|p| p.parse().ok()).unwrap_or(DEFAULT))
            }
            None => (target, DEFAULT),
        };
    }
    match target.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, port.parse().unwrap_or(DEFAULT)),
        _ => (target, DEFAULT),
    }
}

/// A target as Kong's admin API gives it back: with its port, and IPv6 in full and in brackets.
pub fn shown(target: &str) -> String {
    let (host, port) = host_and_port(target);
    match host.parse::<std::net::Ipv6Addr>() {
        Ok(ip) => format!("[{}]:{port}", ip.segments().map(|part| format!("{part:04x}")).join(":")),
        Err(_) => format!("{host}:{port}"),
    }
}

/// Whether a host brings a port.
pub fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(name, port)| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']'))
    })
}

/// The Host header for a host and a port, which is left out where it is the protocol's own.
pub fn host_header(host: &str, port: u16, own: u16) -> HeaderValue {
    let bracketed = host.contains(':') && !host.starts_with('[');
    let host = if bracketed { format!("[{host}]") } else { host.to_owned() };
    let text = if port == own { host } else { format!("{host}:{port}") };
    // A host that is no header value was refused when the configuration was checked.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_told_where_it_is_not_the_protocol_s_own() {
        assert_eq!(host_header("a.test", 80, 80), "a.test");
        assert_eq!(host_header("a.test", 80, 443), "a.test:80");
        assert_eq!(host_header("::1", 81, 80), "[::1]:81");
        assert_eq!(host_header("[::1]", 80, 80), "[::1]");
    }

    #[test]
    fn a_target_is_shown_with_its_port() {
        for (target, told) in [
            ("a.test", "a.test:8000"),
            ("a.test:81", "a.test:81"),
            ("10.0.0.1", "10.0.0.1:8000"),
            ("::1", "[0000:0000:0000:0000:0000:0000:0000:0001]:8000"),
            ("[2001:db8::1]:81", "[2001:0db8:0000:0000:0000:0000:0000:0001]:81"),
        ] {
            assert_eq!(shown(target), told);
            assert_eq!(shown(told), told);
        }
    }

    #[test]
    fn a_host_may_bring_a_port() {
        for host in ["a.test:80", "[::1]:80", "1.2.3.4:1"] {
            assert!(has_port(host), "{host}");
        }
        for host in ["a.test", "[::1]", "::1", "1.2.3.4"] {
            assert!(!has_port(host), "{host}");
        }
    }

    #[test]
    fn a_target_is_a_host_and_perhaps_a_port() {
        assert_eq!(host_and_port("a.test:81"), ("a.test", 81));
        assert_eq!(host_and_port("a.test"), ("a.test", 8000));
        assert_eq!(host_and_port("[::1]:81"), ("::1", 81));
        assert_eq!(host_and_port("[::1]"), ("::1", 8000));
        assert_eq!(host_and_port("::1"), ("::1", 8000));
    }
}
