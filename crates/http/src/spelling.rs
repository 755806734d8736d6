//! Spelling (case) of header names in HTTP/1. Names are case-insensitive, but some clients and upstreams compare them
//! case-sensitively.

use bytes::Bytes;
use http::{HeaderName, header::InvalidHeaderName};

/// Header name with the case that the configuration gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderSpelling {
    /// Name, in lower case.
    pub name: HeaderName,
    /// Name as it is written.
    pub text: Bytes,
}

impl HeaderSpelling {
    /// Parses a name and preserves its case.
    ///
    /// # Errors
    /// Returns an error if the text is not a header name.
    pub fn new(text: &str) -> Result<Self, InvalidHeaderName> {
        Ok(HeaderSpelling {
            name: HeaderName::from_bytes(text.as_bytes())?,
            text: Bytes::copy_from_slice(text.as_bytes()),
        })
    }
}

/// Returns the conventional spelling of a name for which title case is wrong, or which the gateway itself adds.
pub fn conventional_spelling(name: &str) -> Option<&'static str> {
    Some(match name {
        "dnt" => "DNT",
        "etag" => "ETag",
        "te" => "TE",
        "content-md5" => "Content-MD5",
        "grpc-message" => "grpc-message",
        "grpc-status" => "grpc-status",
        "ratelimit-limit" => "RateLimit-Limit",
        "ratelimit-remaining" => "RateLimit-Remaining",
        "ratelimit-reset" => "RateLimit-Reset",
        "sec-websocket-accept" => "Sec-WebSocket-Accept",
        "sec-websocket-extensions" => "Sec-WebSocket-Extensions",
        "sec-websocket-key" => "Sec-WebSocket-Key",
        "sec-websocket-protocol" => "Sec-WebSocket-Protocol",
        "sec-websocket-version" => "Sec-WebSocket-Version",
        "www-authenticate" => "WWW-Authenticate",
        // Names that the gateway adds to requests are listed even if title case would be right: with an HTTP/2 client,
        // unlisted names are written in lower case.
        "content-length" => "Content-Length",
        "content-type" => "Content-Type",
        "x-anonymous-consumer" => "X-Anonymous-Consumer",
        "x-authenticated-groups" => "X-Authenticated-Groups",
        "x-consumer-custom-id" => "X-Consumer-Custom-ID",
        "x-consumer-groups" => "X-Consumer-Groups",
        "x-consumer-id" => "X-Consumer-ID",
        "x-consumer-username" => "X-Consumer-Username",
        "x-credential-identifier" => "X-Credential-Identifier",
        "x-ratelimit-limit-second" => "X-RateLimit-Limit-Second",
        "x-ratelimit-limit-minute" => "X-RateLimit-Limit-Minute",
        "x-ratelimit-limit-hour" => "X-RateLimit-Limit-Hour",
        "x-ratelimit-limit-day" => "X-RateLimit-Limit-Day",
        "x-ratelimit-limit-month" => "X-RateLimit-Limit-Month",
        "x-ratelimit-limit-year" => "X-RateLimit-Limit-Year",
        "x-ratelimit-remaining-second" => "X-RateLimit-Remaining-Second",
        "x-ratelimit-remaining-minute" => "X-RateLimit-Remaining-Minute",
        "x-ratelimit-remaining-hour" => "X-RateLimit-Remaining-Hour",
        "x-ratelimit-remaining-day" => "X-RateLimit-Remaining-Day",
        "x-ratelimit-remaining-month" => "X-RateLimit-Remaining-Month",
        "x-ratelimit-remaining-year" => "X-RateLimit-Remaining-Year",
        "x-real-ip" => "X-Real-IP",
        _ => return None,
    })
}

/// Appends a name in title case: a capital at its start and after each dash.
pub fn write_title_case(name: &str, to: &mut Vec<u8>) {
    let start = to.len();
    to.extend_from_slice(name.as_bytes());
    let mut is_word_start = true;
    for byte in &mut to[start..] {
        if is_word_start {
            byte.make_ascii_uppercase();
        }
        is_word_start = *byte == b'-';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conventional_spelling_differs_only_in_case() {
        const TABLE: &str = include_str!("spelling.rs");
        let mut count = 0;
        for (name, spelled) in
            TABLE.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" => \""))
        {
            let spelled = spelled.trim_end_matches("\",");
            assert_eq!(conventional_spelling(name), Some(spelled));
            assert_eq!(spelled.to_ascii_lowercase(), name);
            count += 1;
        }
        assert!(count >= 36, "{count}");
        assert_eq!(conventional_spelling("accept"), None);
    }
}
