//! Static table (RFC 7541 appendix A).

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method,
    header::*,
    uri::{PathAndQuery, Scheme},
};

use super::decoder::{Field, Name};

/// Number of entries.
pub const COUNT: usize = 61;
/// Index of the first entry that is not a pseudo-header.
const FIRST_HEADER: usize = 15;

/// Names of the entries from [`FIRST_HEADER`] on.
static NAMES: [HeaderName; COUNT + 1 - FIRST_HEADER] = [
    ACCEPT_CHARSET,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    ACCEPT_RANGES,
    ACCEPT,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    AGE,
    ALLOW,
    AUTHORIZATION,
    CACHE_CONTROL,
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_LOCATION,
    CONTENT_RANGE,
    CONTENT_TYPE,
    COOKIE,
    DATE,
    ETAG,
    EXPECT,
    EXPIRES,
    FROM,
    HOST,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    LAST_MODIFIED,
    LINK,
    LOCATION,
    MAX_FORWARDS,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    RANGE,
    REFERER,
    REFRESH,
    RETRY_AFTER,
    SERVER,
    SET_COOKIE,
    STRICT_TRANSPORT_SECURITY,
    TRANSFER_ENCODING,
    USER_AGENT,
    VARY,
    VIA,
    WWW_AUTHENTICATE,
];

/// Returns the field at an index, and the length of its name and value.
pub fn field(index: usize) -> Option<(Field, usize)> {
    let with = |field: Field, name: &str, value: &str| Some((field, name.len() + value.len()));
    match index {
        1 => with(Field::Malformed, ":authority", ""),
        2 => with(Field::Method(Method::GET), ":method", "GET"),
        3 => with(Field::Method(Method::POST), ":method", "POST"),
        4 => with(Field::Path(PathAndQuery::from_static("/")), ":path", "/"),
        5 => with(Field::Path(PathAndQuery::from_static("/index.html")), ":path", "/index.html"),
        6 => with(Field::Scheme(Scheme::HTTP), ":scheme", "http"),
        7 => with(Field::Scheme(Scheme::HTTPS), ":scheme", "https"),
        // `:status` is not valid in a request. All values have three digits.
        8..=14 => with(Field::Malformed, ":status", "200"),
        16 => with(
            Field::Header(ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate")),
            "accept-encoding",
            "gzip, deflate",
        ),
        _ => {
            let name = NAMES.get(index.checked_sub(FIRST_HEADER)?)?;
            let field = Field::Header(name.clone(), HeaderValue::from_static(""));
            Some((field, name.as_str().len()))
        }
    }
}

/// Returns the name at an index, and its length.
pub fn name(index: usize) -> Option<(Name, usize)> {
    Some(match index {
        1 => (Name::Authority, 10),
        2 | 3 => (Name::Method, 7),
        4 | 5 => (Name::Path, 5),
        6 | 7 => (Name::Scheme, 7),
        8..=14 => (Name::Malformed, 7),
        _ => {
            let name = NAMES.get(index.checked_sub(FIRST_HEADER)?)?;
            (Name::Header(name.clone()), name.as_str().len())
        }
    })
}

/// Returns the index of a `:status` field.
pub fn status_index(status: u16) -> Option<u8> {
    Some(match status {
        200 => 8,
        204 => 9,
        206 => 10,
        304 => 11,
        400 => 12,
        404 => 13,
        500 => 14,
        _ => return None,
    })
}

/// Returns the index of a name that occurs in responses.
pub fn name_index(name: &HeaderName) -> Option<usize> {
    let at = match name.as_str() {
        "accept-ranges" => 18,
        "access-control-allow-origin" => 20,
        "age" => 21,
        "allow" => 22,
        "cache-control" => 24,
        "content-disposition" => 25,
        "content-encoding" => 26,
        "content-language" => 27,
        "content-length" => 28,
        "content-location" => 29,
        "content-range" => 30,
        "content-type" => 31,
        "date" => 33,
        "etag" => 34,
        "expires" => 36,
        "last-modified" => 44,
        "link" => 45,
        "location" => 46,
        "proxy-authenticate" => 48,
        "refresh" => 52,
        "retry-after" => 53,
        "server" => 54,
        "set-cookie" => 55,
        "strict-transport-security" => 56,
        "vary" => 59,
        "via" => 60,
        "www-authenticate" => 61,
        _ => return None,
    };
    Some(at)
}

/// Parses a value as the type of its name.
pub fn parse_field(name: &Name, value: Bytes) -> Field {
    let field = match name {
        Name::Method => Method::from_bytes(&value).ok().map(Field::Method),
        Name::Scheme => Scheme::try_from(&value[..]).ok().map(Field::Scheme),
        Name::Authority => http::uri::Authority::from_maybe_shared(value).ok().map(Field::Authority),
        Name::Path if value.is_empty() => None,
        Name::Path => PathAndQuery::from_maybe_shared(value).ok().map(Field::Path),
        Name::Header(name) => {
            HeaderValue::from_maybe_shared(value).ok().map(|value| Field::Header(name.clone(), value))
        }
        Name::Malformed => None,
    };
    field.unwrap_or(Field::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_indexes_of_the_rfc() {
        for (index, header) in
            [(15, ACCEPT_CHARSET), (28, CONTENT_LENGTH), (38, HOST), (61, WWW_AUTHENTICATE)]
        {
            let (name, length) = name(index).expect("an index in the table");
            assert_eq!((name, length), (Name::Header(header.clone()), header.as_str().len()));
        }
        assert!(name(0).is_none() && field(0).is_none());
        assert!(name(62).is_none() && field(62).is_none());
        for header in &NAMES {
            if let Some(index) = name_index(header) {
                assert_eq!(NAMES[index - FIRST_HEADER], *header);
            }
        }
    }
}
