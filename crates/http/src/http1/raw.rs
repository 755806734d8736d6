//! A head's bytes, and the names and values that are made of them.

use std::ops::Range;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue,
    header::{self, InvalidHeaderName, InvalidHeaderValue},
};

/// Begin and end of a part of a head, which is shorter than 4 GiB.
pub type Place = (u32, u32);

/// A head whose reader has told its parts apart.
#[derive(Clone, Debug, Default)]
pub struct RawHead {
    bytes: Bytes,
    ascii: bool,
}

impl RawHead {
    /// Those bytes are a head.
    pub fn new(bytes: Bytes) -> Self {
        // Without leaving early, which would be at the end at best.
        let (words, rest) = bytes.as_chunks::<8>();
        let all = words.iter().fold(0, |all, word| all | u64::from_ne_bytes(*word));
        let all = all.to_ne_bytes().into_iter().chain(rest.iter().copied()).fold(0, |all, byte| all | byte);
        RawHead { bytes, ascii: all.is_ascii() }
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A part, to be looked at.
    pub fn part(&self, place: Place) -> &[u8] {
        &self.bytes[range(place)]
    }

    /// A part, to be kept.
    pub fn share(&self, place: Place) -> Bytes {
        self.bytes.slice(range(place))
    }

    /// The name that stands there.
    ///
    /// # Errors
    /// When it is none.
    pub fn name(&self, place: Place) -> Result<HeaderName, InvalidHeaderName> {
        let spelled = self.part(place);
        usual(spelled).map_or_else(|| HeaderName::from_bytes(spelled), Ok)
    }

    /// The value that stands there. That no control character but tabs is in it, the reader has seen.
    ///
    /// # Errors
    /// When it is none.
    #[allow(unsafe_code, reason = "the safe call looks at every byte once more")]
    pub fn value(&self, place: Place) -> Result<HeaderValue, InvalidHeaderValue> {
        let bytes = self.share(place);
        if self.ascii {
            // SAFETY: UTF-8 is asked for, and a part of what is ASCII is ASCII.
            Ok(unsafe { HeaderValue::from_maybe_shared_unchecked(bytes) })
        } else {
            HeaderValue::from_maybe_shared(bytes)
        }
    }
}

fn range(place: Place) -> Range<usize> {
    place.0 as usize..place.1 as usize
}

macro_rules! usual {
    ($bytes:ident; $($title:literal $lower:literal $name:expr,)+) => {
        match $bytes {
            $($title | $lower => Some(const { $name }),)+
            _ => None,
        }
    };
}

/// The name, where it is a frequent one and spelled as most do: its letters need not be looked at one by one,
/// and one that HTTP does not define needs no memory.
fn usual(spelled: &[u8]) -> Option<HeaderName> {
    const fn own(name: &'static str) -> HeaderName {
        HeaderName::from_static(name)
    }
    usual! { spelled;
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
        b"Sec-Fetch-Dest" b"sec-fetch-dest" own("sec-fetch-dest"),
        b"Sec-Fetch-Mode" b"sec-fetch-mode" own("sec-fetch-mode"),
        b"Sec-Fetch-Site" b"sec-fetch-site" own("sec-fetch-site"),
        b"Sec-Fetch-User" b"sec-fetch-user" own("sec-fetch-user"),
        b"X-Forwarded-For" b"x-forwarded-for" own("x-forwarded-for"),
        b"X-Forwarded-Proto" b"x-forwarded-proto" own("x-forwarded-proto"),
        b"X-Forwarded-Host" b"x-forwarded-host" own("x-forwarded-host"),
        b"X-Forwarded-Port" b"x-forwarded-port" own("x-forwarded-port"),
        b"X-Real-IP" b"x-real-ip" own("x-real-ip"),
        b"X-Request-ID" b"x-request-id" own("x-request-id"),
        b"Traceparent" b"traceparent" own("traceparent"),
        b"Connection" b"connection" header::CONNECTION,
        b"Content-Type" b"content-type" header::CONTENT_TYPE,
        b"Content-Length" b"content-length" header::CONTENT_LENGTH,
        b"Transfer-Encoding" b"transfer-encoding" header::TRANSFER_ENCODING,
        b"Cache-Control" b"cache-control" header::CACHE_CONTROL,
        b"Pragma" b"pragma" header::PRAGMA,
        b"Date" b"date" header::DATE,
        b"Server" b"server" header::SERVER,
        b"Via" b"via" header::VIA,
        b"Keep-Alive" b"keep-alive" own("keep-alive"),
        b"Accept-Ranges" b"accept-ranges" header::ACCEPT_RANGES,
        b"Content-Encoding" b"content-encoding" header::CONTENT_ENCODING,
        b"Vary" b"vary" header::VARY,
        b"ETag" b"etag" header::ETAG,
        b"Last-Modified" b"last-modified" header::LAST_MODIFIED,
        b"Expires" b"expires" header::EXPIRES,
        b"Location" b"location" header::LOCATION,
        b"Set-Cookie" b"set-cookie" header::SET_COOKIE,
        b"Strict-Transport-Security" b"strict-transport-security" header::STRICT_TRANSPORT_SECURITY,
        b"X-Powered-By" b"x-powered-by" own("x-powered-by"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(spelled: &[u8]) -> Option<HeaderName> {
        let head = RawHead::new(Bytes::copy_from_slice(spelled));
        head.name((0, spelled.len() as u32)).ok()
    }

    #[test]
    fn frequent_names_are_known_and_no_other_is_taken_for_one() {
        for spelled in ["Host", "host", "ETag", "X-Real-IP", "sec-fetch-mode", "Strict-Transport-Security"] {
            assert_eq!(usual(spelled.as_bytes()), HeaderName::from_bytes(spelled.as_bytes()).ok());
        }
        for spelled in ["", "HOST", "hosts", "Hos", "x-realip", "content_type", "a b", "\u{e9}"] {
            assert_eq!(usual(spelled.as_bytes()), None, "{spelled}");
            assert_eq!(
                name(spelled.as_bytes()),
                HeaderName::from_bytes(spelled.as_bytes()).ok(),
                "{spelled}"
            );
        }
    }

    #[test]
    fn a_name_that_is_known_is_the_one_that_is_spelled() {
        const TABLE: &str = include_str!("raw.rs");
        let mut known = 0;
        for spelled in TABLE.split("b\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            if let Some(name) = usual(spelled.as_bytes()) {
                assert_eq!(name.as_str(), spelled.to_ascii_lowercase());
                known += 1;
            }
        }
        assert!(known >= 80, "{known}");
    }

    proptest! {
        #[test]
        fn values_are_those_that_are_checked_byte_by_byte(text in "[\t -~\u{80}-\u{ff}]{0,40}", from in 0..40_usize) {
            let bytes = Bytes::from(text);
            let from = from.min(bytes.len());
            let head = RawHead::new(bytes.clone());
            let value = head.value((from as u32, bytes.len() as u32));
            prop_assert_eq!(value.ok(), HeaderValue::from_bytes(&bytes[from..]).ok());
        }
    }
}
