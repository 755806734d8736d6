//! Targets as a file writes them.

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

#[cfg(test)]
mod tests {
    use super::host_and_port;

    #[test]
    fn a_target_is_a_host_and_perhaps_a_port() {
        assert_eq!(host_and_port("a.test:81"), ("a.test", 81));
        assert_eq!(host_and_port("a.test"), ("a.test", 8000));
        assert_eq!(host_and_port("[::1]:81"), ("::1", 81));
        assert_eq!(host_and_port("[::1]"), ("::1", 8000));
        assert_eq!(host_and_port("::1"), ("::1", 8000));
    }
}
