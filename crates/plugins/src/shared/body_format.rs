//! Format of a body with named fields, as declared by its headers.
//!
//! A rule that hides a field must find it wherever the upstream's parser does, and parsers treat ambiguous headers
//! differently. [`BodyFormat::unambiguous`] rejects such headers. [`BodyFormat::mentioned`] is as lenient as Kong, for
//! rules that hide nothing.

use http::{HeaderMap, header::CONTENT_TYPE};
use http_codec::multipart;
use memchr::memmem;

use super::header::is_content_encoded;

/// Charsets in which ASCII characters have their ASCII encoding. `utf8` is a common misspelling.
const ASCII_CHARSETS: [&str; 4] = ["utf-8", "utf8", "us-ascii", "iso-8859-1"];

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Format of a body with named fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BodyFormat {
    Json,
    Multipart,
    Form,
}

/// Error for headers that parsers interpret differently: the body may have fields in an unknown format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the format of the body is ambiguous")]
pub struct Ambiguous;

impl BodyFormat {
    /// All formats in the order in which Kong searches for them.
    const ALL: [(Self, &str); 3] = [
        (Self::Json, "application/json"),
        (Self::Multipart, "multipart/form-data"),
        (Self::Form, "application/x-www-form-urlencoded"),
    ];

    /// Returns the format whose media type occurs anywhere in `Content-Type`, as Kong does.
    pub fn mentioned(headers: &HeaderMap) -> Option<Self> {
        headers.get_all(CONTENT_TYPE).iter().find_map(|value| {
            let text = value.as_bytes().to_ascii_lowercase();
            let is_in = |media_type: &str| memmem::find(&text, media_type.as_bytes()).is_some();
            Self::ALL.into_iter().find(|(_, media_type)| is_in(media_type)).map(|(format, _)| format)
        })
    }

    /// Returns the format on which all parsers agree; `None` if no parser treats the body as one with fields.
    ///
    /// # Errors
    /// If parsers could disagree: several content types, a media type that also occurs elsewhere in the header, a
    /// charset that is not a superset of ASCII, a content coding, or a boundary that violates RFC 2046.
    pub fn unambiguous(headers: &HeaderMap) -> Result<Option<Self>, Ambiguous> {
        let mut values = headers.get_all(CONTENT_TYPE).iter().map(|value| value.as_bytes());
        let Some(value) = values.next() else { return Ok(None) };
        let media_type_end = memchr::memchr(b';', value).unwrap_or(value.len());
        let (media_type, parameters) = value.split_at(media_type_end);
        let Some(format) = Self::of_media_type(media_type.trim_ascii()) else {
            return if is_mentioned(value) || values.any(is_mentioned) { Err(Ambiguous) } else { Ok(None) };
        };
        if values.next().is_some() || is_mentioned(parameters) || is_content_encoded(headers) {
            return Err(Ambiguous);
        }
        let charset = multipart::parameter(value, b"charset").map_err(|_| Ambiguous)?;
        if charset.is_some_and(|charset| !ASCII_CHARSETS.iter().any(|known| charset.text_is(known))) {
            return Err(Ambiguous);
        }
        if format == Self::Multipart {
            multipart::strict_boundary(value).map_err(|_| Ambiguous)?;
        }
        Ok(Some(format))
    }

    fn of_media_type(media_type: &[u8]) -> Option<Self> {
        let is = |known: &str| media_type.eq_ignore_ascii_case(known.as_bytes());
        let known = Self::ALL.into_iter().find(|(_, known)| is(known)).map(|(format, _)| format);
        known.or_else(|| ends_with_json_suffix(media_type).then_some(Self::Json))
    }
}

/// Returns whether a media type has the structured syntax suffix `+json` (RFC 6839 section 3.1).
fn ends_with_json_suffix(media_type: &[u8]) -> bool {
    let suffix = media_type.len().checked_sub(b"+json".len()).map(|at| &media_type[at..]);
    suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case(b"+json"))
}

/// Returns whether a media type with fields occurs anywhere in a text. Some parsers search for it there.
fn is_mentioned(text: &[u8]) -> bool {
    let text = text.to_ascii_lowercase();
    BodyFormat::ALL.iter().any(|(_, media_type)| memmem::find(&text, media_type.as_bytes()).is_some())
        || text.split(|byte| b";,\" ".contains(byte)).any(ends_with_json_suffix)
}

/// Returns whether a parser may treat the decoded name of an argument as this field.
///
/// PHP skips white space before a name and ends it at a NUL. Express skips a byte order mark. PHP, qs and Rack parse
/// `name[]` and `name[x]` as values of `name`; qs and Rack also `[name]`.
pub fn is_field(argument: &[u8], field: &[u8]) -> bool {
    argument == field || argument.trim_ascii() == field || base_name(argument) == field
}

/// Returns the name of an argument after its field is renamed. An index in brackets after the name is retained.
pub fn renamed(argument: &[u8], field: &[u8], new: &[u8]) -> Vec<u8> {
    let index = match memmem::find(argument, field).map(|at| &argument[at + field.len()..]) {
        Some(index @ [b'[', ..]) => index,
        _ => &[],
    };
    [new, index].concat()
}

/// Returns the name without surrounding white space and brackets, up to the first bracket after it.
fn base_name(argument: &[u8]) -> &[u8] {
    let is_bracket = |byte: &u8| matches!(byte, b'[' | b']');
    let argument = argument.strip_prefix(BYTE_ORDER_MARK).unwrap_or(argument);
    let start = argument.iter().position(|byte| !byte.is_ascii_whitespace() && !is_bracket(byte));
    let name = &argument[start.unwrap_or(argument.len())..];
    let end = name.iter().position(|byte| *byte == 0 || is_bracket(byte)).unwrap_or(name.len());
    name[..end].trim_ascii_end()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let value = |text: &&str| (CONTENT_TYPE, HeaderValue::from_str(text).expect("a header value"));
        values.iter().map(value).collect()
    }

    #[test]
    fn a_media_type_ends_at_the_semicolon() {
        for (text, expected) in [
            ("application/json", Some(BodyFormat::Json)),
            (" Application/JSON ; charset=UTF-8", Some(BodyFormat::Json)),
            ("application/json; charset=\"us-ascii\"; profile=\"x\"", Some(BodyFormat::Json)),
            ("application/vnd.api+json", Some(BodyFormat::Json)),
            ("application/problem+JSON;charset=utf8", Some(BodyFormat::Json)),
            ("application/x-www-form-urlencoded;charset=iso-8859-1", Some(BodyFormat::Form)),
            ("multipart/form-data; boundary=----WebKitFormBoundaryx1", Some(BodyFormat::Multipart)),
            ("multipart/form-data; boundary=\"a=b,c:d?e/f g\"", Some(BodyFormat::Multipart)),
            ("text/plain", None),
            ("text/plain; charset=utf-16", None),
            ("application/json-patch+json", Some(BodyFormat::Json)),
        ] {
            assert_eq!(BodyFormat::unambiguous(&headers(&[text])), Ok(expected), "{text}");
        }
        assert_eq!(BodyFormat::unambiguous(&headers(&[])), Ok(None));
        assert_eq!(BodyFormat::unambiguous(&headers(&["text/plain", "text/html"])), Ok(None));
    }

    #[test]
    fn headers_that_parsers_disagree_about_are_ambiguous() {
        for values in [
            &["application/x-www-form-urlencoded; x=application/json"][..],
            &["multipart/form-data; boundary=\"application/json\""],
            &["application/json, application/x-www-form-urlencoded"],
            &["application/json x"],
            &["application/x-www-form-urlencodedx"],
            &["multipart/mixed; boundary=b; x=multipart/form-data"],
            &["text/plain; x=\"Application/Json\""],
            &["application/a+json, text/plain"],
            &["application/json; charset=utf-7"],
            &["application/json; charset=utf-16le"],
            &["application/json; charset=utf-8; charset=utf-7"],
            &["application/json; charset*=utf-8''utf-7"],
            &["application/json; charset = utf-7"],
            &["application/vnd.api+json; charset=utf-7"],
            &["application/x-www-form-urlencoded; charset=cp037"],
            &["application/x-www-form-urlencoded; charset=\"utf-7\""],
            &["multipart/form-data; boundary=b; charset=utf-16"],
            &["multipart/form-data"],
            &["multipart/form-data; boundary=b,c"],
            &["multipart/form-data; boundary=b=c"],
            &["multipart/form-data; boundary=\"b;c\""],
            &["multipart/form-data; boundary=\"b@c\""],
            &["application/json", "text/plain"],
            &["text/plain", "application/json"],
        ] {
            assert_eq!(BodyFormat::unambiguous(&headers(values)), Err(Ambiguous), "{values:?}");
        }
        let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
        assert_eq!(BodyFormat::unambiguous(&headers(&[&long])), Err(Ambiguous));
    }

    #[test]
    fn names_that_parsers_treat_as_a_field_match_it() {
        for argument in [
            "admin",
            " admin",
            "admin ",
            "admin[]",
            " admin[x][y]",
            "[admin]",
            "admin[",
            "admin\0x",
            "\u{feff}admin",
        ] {
            assert!(is_field(argument.as_bytes(), b"admin"), "{argument:?}");
        }
        for argument in ["", "[]", "Admin", "x[admin]", "admin.x", "adminx", "x admin"] {
            assert!(!is_field(argument.as_bytes(), b"admin"), "{argument:?}");
        }
        assert!(is_field(b"a[b]", b"a[b]") && is_field(b" a[b]", b"a[b]") && !is_field(b"a[c]", b"a[b]"));
        for (argument, expected) in [("old", "new"), (" old", "new"), ("old[]", "new[]"), ("[old]", "new")] {
            assert_eq!(renamed(argument.as_bytes(), b"old", b"new"), expected.as_bytes(), "{argument:?}");
        }
    }
}
