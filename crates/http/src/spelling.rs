//! How the names of headers are spelled in HTTP/1. Case does not count there, but some clients and upstreams look at it.

use bytes::Bytes;
use http::{HeaderName, header::InvalidHeaderName};

/// A header's name as the configuration spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spelling {
    /// The name itself.
    pub name: HeaderName,
    /// Its spelling.
    pub text: Bytes,
}

impl Spelling {
    /// A name in that spelling.
    ///
    /// # Errors
    /// When no header can have that name.
    pub fn new(text: &str) -> Result<Self, InvalidHeaderName> {
        Ok(Spelling {
            name: HeaderName::from_bytes(text.as_bytes())?,
            text: Bytes::copy_from_slice(text.as_bytes()),
        })
    }
}

/// Names that are not written with a capital after each dash alone: Kong's own, and frequent ones of HTTP.
pub fn usual(name: &str) -> Option<&'static str> {
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
        // Those that the gateway itself adds to a request are here whatever their spelling: a name that is not is
        // written in lower case where the client's HTTP/2 gave it so.
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

/// Writes a name with a capital at its beginning and after each dash.
pub fn write_title(name: &str, to: &mut Vec<u8>) {
    let begin = to.len();
    to.extend_from_slice(name.as_bytes());
    let mut first = true;
    for byte in &mut to[begin..] {
        if first {
            byte.make_ascii_uppercase();
        }
        first = *byte == b'-';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_spelling_is_of_the_same_name() {
        const TABLE: &str = include_str!("spelling.rs");
        let mut count = 0;
        for (name, spelled) in
            TABLE.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" => \""))
        {
            let spelled = spelled.trim_end_matches("\",");
            assert_eq!(usual(name), Some(spelled));
            assert_eq!(spelled.to_ascii_lowercase(), name);
            count += 1;
        }
        assert!(count >= 36, "{count}");
        assert_eq!(usual("accept"), None);
    }
}
