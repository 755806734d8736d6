//! Which fields may follow a body (RFC 9110 section 6.5.1).

use http::HeaderName;

use super::Known;

/// Whether a field may stand in a trailer section: none that frames, routes or authenticates a message, controls how
/// it is handled, or says how its content is to be read. A recipient that merges it into the head would read another message.
pub fn may_trail(name: &HeaderName) -> bool {
    Known::of(name.as_str().as_bytes()).is_none()
        && !matches!(
            name.as_str(),
            "age"
                | "authentication-info"
                | "cache-control"
                | "content-encoding"
                | "content-language"
                | "content-location"
                | "content-type"
                | "cookie"
                | "expires"
                | "forwarded"
                | "location"
                | "max-forwards"
                | "pragma"
                | "proxy-authenticate"
                | "proxy-authentication-info"
                | "proxy-authorization"
                | "range"
                | "retry-after"
                | "set-cookie"
                | "vary"
                | "warning"
                | "www-authenticate"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_how_a_message_is_read_does_not_follow_it() {
        for name in [
            "content-length",
            "transfer-encoding",
            "host",
            "te",
            "authorization",
            "content-type",
            "set-cookie",
            "x-forwarded-for",
            "x_forwarded_for",
            "x-consumer-id",
            "x-kong-request-id",
            "trailer",
            "if-match",
        ] {
            assert!(!may_trail(&HeaderName::from_static(name)), "{name}");
        }
        for name in ["grpc-status", "grpc-message", "server-timing", "x-checksum", "digest", "etag"] {
            assert!(may_trail(&HeaderName::from_static(name)), "{name}");
        }
    }
}
