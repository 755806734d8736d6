//! Fields that are allowed in a trailer section (RFC 9110 section 6.5.1).

use http::HeaderName;

use super::KnownHeader;

/// Returns whether a field is allowed in a trailer section.
///
/// Fields for framing, routing, authentication, request modifiers, response control and content format are not: a
/// recipient that merges them into the header section would process a different message.
pub fn is_allowed_in_trailers(name: &HeaderName) -> bool {
    KnownHeader::from_name(name.as_str().as_bytes()).is_none()
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
    fn fields_that_control_processing_are_not_allowed_in_trailers() {
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
            assert!(!is_allowed_in_trailers(&HeaderName::from_static(name)), "{name}");
        }
        for name in ["grpc-status", "grpc-message", "server-timing", "x-checksum", "digest", "etag"] {
            assert!(is_allowed_in_trailers(&HeaderName::from_static(name)), "{name}");
        }
    }
}
