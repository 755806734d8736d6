//! Shared bytes of a message head, and the header names and values that are slices of them.

use std::ops::Range;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue,
    header::{self, InvalidHeaderName, InvalidHeaderValue},
};

/// Start and end offset of a slice of a head. Heads are shorter than 4 GiB.
pub type Span = (u32, u32);

/// Bytes of a complete head.
#[derive(Clone, Debug, Default)]
pub struct HeadBytes {
    bytes: Bytes,
    is_ascii: bool,
}

impl HeadBytes {
    /// Wraps the bytes of a head.
    pub fn new(bytes: Bytes) -> Self {
        // Without an early exit: heads are nearly always ASCII, so it would only cost branches.
        let (words, remainder) = bytes.as_chunks::<8>();
        let bits = words.iter().fold(0, |bits, word| bits | u64::from_ne_bytes(*word));
        let bits =
            bits.to_ne_bytes().into_iter().chain(remainder.iter().copied()).fold(0, |bits, byte| bits | byte);
        HeadBytes { bytes, is_ascii: bits.is_ascii() }
    }

    /// Returns all bytes of the head.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Borrows a slice of the head.
    pub fn slice(&self, span: Span) -> &[u8] {
        &self.bytes[range(span)]
    }

    /// Returns a slice that shares the buffer of the head.
    pub fn slice_shared(&self, span: Span) -> Bytes {
        self.bytes.slice(range(span))
    }

    /// Returns the header name at a span.
    ///
    /// # Errors
    /// Returns an error if the bytes are not a header name.
    pub fn name(&self, span: Span) -> Result<HeaderName, InvalidHeaderName> {
        let bytes = self.slice(span);
        frequent_name(bytes).map_or_else(|| HeaderName::from_bytes(bytes), Ok)
    }

    /// Returns the header value at a span. The parser must have checked that it has no control characters except tabs.
    ///
    /// # Errors
    /// Returns an error if the bytes are not a header value.
    #[allow(unsafe_code, reason = "the safe constructor would check every byte a second time")]
    pub fn value(&self, span: Span) -> Result<HeaderValue, InvalidHeaderValue> {
        let bytes = self.slice_shared(span);
        if self.is_ascii {
            // SAFETY: the value must be valid UTF-8, and any slice of ASCII bytes is.
            Ok(unsafe { HeaderValue::from_maybe_shared_unchecked(bytes) })
        } else {
            HeaderValue::from_maybe_shared(bytes)
        }
    }
}

fn range(span: Span) -> Range<usize> {
    span.0 as usize..span.1 as usize
}

macro_rules! match_names {
    ($bytes:ident; $($title:literal $lower:literal $name:expr,)+) => {
        match $bytes {
            $($title | $lower => Some(const { $name }),)+
            _ => None,
        }
    };
}

/// Returns a frequent header name in its common spelling or in lower case. This avoids the validation of each byte, and
/// an allocation for names that are not constants of the `http` crate.
fn frequent_name(bytes: &[u8]) -> Option<HeaderName> {
    const fn custom(name: &'static str) -> HeaderName {
        HeaderName::from_static(name)
    }
    match_names! { bytes;
        b"Host" b"host" header::HOST,
        b"User-Agent" b"user-agent" header::USER_AGENT,
        b"Accept" b"accept" header::ACCEPT,
        b"Accept-Encoding" b"accept-encoding" header::ACCEPT_ENCODING,
        b"Accept-Language" b"accept-language" header::ACCEPT_LANGUAGE,
        b"Authorization" b"authorization" header::AUTHORIZATION,
        b"Cookie" b"cookie" header::COOKIE,
        b"Referer" b"referer" header::REFERER,
        b"Origin" b"origin" header::ORIGIN,
        b"Upgrade-Insecure-Requests" b"upgrade-insecure-requests" header::UPGRADE_INSECURE_REQUESTS,
        b"If-None-Match" b"if-none-match" header::IF_NONE_MATCH,
        b"If-Modified-Since" b"if-modified-since" header::IF_MODIFIED_SINCE,
        b"Sec-Fetch-Dest" b"sec-fetch-dest" custom("sec-fetch-dest"),
        b"Sec-Fetch-Mode" b"sec-fetch-mode" custom("sec-fetch-mode"),
        b"Sec-Fetch-Site" b"sec-fetch-site" custom("sec-fetch-site"),
        b"Sec-Fetch-User" b"sec-fetch-user" custom("sec-fetch-user"),
        b"X-Forwarded-For" b"x-forwarded-for" custom("x-forwarded-for"),
        b"X-Forwarded-Proto" b"x-forwarded-proto" custom("x-forwarded-proto"),
        b"X-Forwarded-Host" b"x-forwarded-host" custom("x-forwarded-host"),
        b"X-Forwarded-Port" b"x-forwarded-port" custom("x-forwarded-port"),
        b"X-Real-IP" b"x-real-ip" custom("x-real-ip"),
        b"X-Request-ID" b"x-request-id" custom("x-request-id"),
        b"Traceparent" b"traceparent" custom("traceparent"),
        b"Connection" b"connection" header::CONNECTION,
        b"Content-Type" b"content-type" header::CONTENT_TYPE,
        b"Content-Length" b"content-length" header::CONTENT_LENGTH,
        b"Transfer-Encoding" b"transfer-encoding" header::TRANSFER_ENCODING,
        b"Cache-Control" b"cache-control" header::CACHE_CONTROL,
        b"Pragma" b"pragma" header::PRAGMA,
        b"Date" b"date" header::DATE,
        b"Server" b"server" header::SERVER,
        b"Via" b"via" header::VIA,
        b"Keep-Alive" b"keep-alive" custom("keep-alive"),
        b"Accept-Ranges" b"accept-ranges" header::ACCEPT_RANGES,
        b"Content-Encoding" b"content-encoding" header::CONTENT_ENCODING,
        b"Vary" b"vary" header::VARY,
        b"ETag" b"etag" header::ETAG,
        b"Last-Modified" b"last-modified" header::LAST_MODIFIED,
        b"Expires" b"expires" header::EXPIRES,
        b"Location" b"location" header::LOCATION,
        b"Set-Cookie" b"set-cookie" header::SET_COOKIE,
        b"Strict-Transport-Security" b"strict-transport-security" header::STRICT_TRANSPORT_SECURITY,
        b"X-Powered-By" b"x-powered-by" custom("x-powered-by"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(spelled: &[u8]) -> Option<HeaderName> {
        let head = HeadBytes::new(Bytes::copy_from_slice(spelled));
        head.name((0, spelled.len() as u32)).ok()
    }

    #[test]
    fn only_frequent_names_match() {
        for spelled in ["Host", "host", "ETag", "X-Real-IP", "sec-fetch-mode", "Strict-Transport-Security"] {
            assert_eq!(frequent_name(spelled.as_bytes()), HeaderName::from_bytes(spelled.as_bytes()).ok());
        }
        for spelled in ["", "HOST", "hosts", "Hos", "x-realip", "content_type", "a b", "\u{e9}"] {
            assert_eq!(frequent_name(spelled.as_bytes()), None, "{spelled}");
            assert_eq!(
                name(spelled.as_bytes()),
                HeaderName::from_bytes(spelled.as_bytes()).ok(),
                "{spelled}"
            );
        }
    }

    #[test]
    fn each_frequent_name_is_that_of_its_spelling() {
        const TABLE: &str = include_str!("raw.rs");
        let mut known = 0;
        for spelled in TABLE.split("b\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            if let Some(name) = frequent_name(spelled.as_bytes()) {
                assert_eq!(name.as_str(), spelled.to_ascii_lowercase());
                known += 1;
            }
        }
        assert!(known >= 80, "{known}");
    }

    proptest! {
        #[test]
        fn unchecked_values_equal_checked_ones(text in "[\t -~\u{80}-\u{ff}]{0,40}", from in 0..40_usize) {
            let bytes = Bytes::from(text);
            let from = from.min(bytes.len());
            let head = HeadBytes::new(bytes.clone());
            let value = head.value((from as u32, bytes.len() as u32));
            prop_assert_eq!(value.ok(), HeaderValue::from_bytes(&bytes[from..]).ok());
        }
    }
}
