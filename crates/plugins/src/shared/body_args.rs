//! Named arguments in a request body (form, JSON object or multipart form): looking one up, and removing one without
//! changing the rest of the body.

use std::borrow::Cow;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING},
};
use http_body::Body as _;
use http_codec::{
    multipart::{self, Mode},
    urlencoded,
};

use super::{
    body_format::{Ambiguous, BodyFormat, is_field},
    header::is_content_encoded,
    json::{self, Document},
};
use plugin::{LocalReply, Request, ShortCircuit};

/// Maximum length of a body in which arguments are looked up. A body is buffered for this.
pub const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Result of looking up an argument in one part of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// The argument is absent.
    Missing,
    /// The argument is present but not a string: `?name` without a value, or a JSON number.
    NotText,
    /// The argument is present once.
    Text(Cow<'a, str>),
    /// The argument is present more than once.
    Multiple,
}

impl<'a> Lookup<'a> {
    /// Creates a result from all values of one name. `None` represents a value that is not a string.
    pub fn of(mut values: impl Iterator<Item = Option<Cow<'a, str>>>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Lookup::Missing,
            (Some(_), Some(_)) => Lookup::Multiple,
            (Some(None), None) => Lookup::NotText,
            (Some(Some(text)), None) => Lookup::Text(text),
        }
    }
}

/// Format in which arguments are looked up. Selected by the start of the content type, as Kong does.
enum Format {
    Form,
    Json,
    /// Multipart form with its boundary.
    Multipart(Vec<u8>),
    /// The body may have arguments that cannot be parsed, because it is compressed or its content type is ambiguous.
    Unreadable,
}

impl Format {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let mut types = headers.get_all(CONTENT_TYPE).iter();
        let content_type = types.next()?.as_bytes();
        let is = |kind: &str| {
            content_type.get(..kind.len()).is_some_and(|c| c.eq_ignore_ascii_case(kind.as_bytes()))
        };
        let format = if is("application/x-www-form-urlencoded") {
            Format::Form
        } else if is("application/json") {
            Format::Json
        } else if is("multipart/form-data") {
            multipart::boundary(content_type)
                .map_or(Format::Unreadable, |boundary| Format::Multipart(boundary.to_vec()))
        } else {
            return None;
        };
        let plain = types.next().is_none() && !is_content_encoded(headers);
        Some(if plain { format } else { Format::Unreadable })
    }
}

/// Arguments of one request body.
pub struct BodyArgs {
    /// `None` if the content type has no named arguments.
    format: Option<Format>,
    bytes: Bytes,
}

impl BodyArgs {
    /// Returns whether the body may contain arguments, without reading it. `removes` is whether an argument may have
    /// to be removed; then also content types that only some parsers accept count.
    pub fn is_expected(request: &Request, removes: bool) -> bool {
        let headers = &request.headers;
        request.body.size_hint().exact() != Some(0)
            && (Format::of(headers).is_some() || removes && BodyFormat::unambiguous(headers) != Ok(None))
    }

    /// Returns whether the body is known to be longer than [`MAX_BODY_BYTES`].
    pub fn is_too_long(request: &Request) -> bool {
        request.body.size_hint().lower() > MAX_BODY_BYTES as u64
    }

    /// Buffers the body, which stays in the request.
    ///
    /// # Errors
    /// If the connection fails, or the body is longer than [`MAX_BODY_BYTES`].
    pub async fn read(request: &mut Request) -> Result<Self, ShortCircuit> {
        let format = Format::of(&request.headers);
        let bytes = request.read_body(MAX_BODY_BYTES).await?;
        Ok(BodyArgs { format, bytes })
    }

    /// Looks up an argument. A body that cannot be parsed has no arguments.
    pub fn find(&self, name: &str) -> Lookup<'_> {
        match &self.format {
            Some(Format::Form) => {
                let found = urlencoded::arguments(&self.bytes).filter(|found| found.is(name.as_bytes()));
                Lookup::of(found.map(|argument| argument.value_text()))
            }
            Some(Format::Json) => match json::parse(&self.bytes, &[name.as_bytes()]) {
                Ok(Document::Object(mut object)) => {
                    object.remove(name.as_bytes()).map_or(Lookup::Missing, |value| lookup_json(&value))
                }
                _ => Lookup::Missing,
            },
            Some(Format::Multipart(boundary)) => Lookup::of(
                multipart::parts(&self.bytes, boundary, Mode::Lenient)
                    .unwrap_or_default()
                    .into_iter()
                    .filter(|part| part.name == Some(name.as_bytes()))
                    .map(|part| Some(String::from_utf8_lossy(part.value))),
            ),
            Some(Format::Unreadable) | None => Lookup::Missing,
        }
    }

    /// Removes an argument from the body, under every name that a parser may treat as this argument. Other arguments
    /// keep their encoding.
    ///
    /// # Errors
    /// If parsers could read the body differently, since the upstream might then find an argument that is not removed
    /// here.
    pub fn remove(self, request: &mut Request, name: &str) -> Result<(), ShortCircuit> {
        let malformed = || LocalReply::error(StatusCode::BAD_REQUEST, "Cannot process request body");
        if self.bytes.is_empty() {
            return Ok(());
        }
        let name = name.as_bytes();
        let remaining = match BodyFormat::unambiguous(&request.headers).map_err(|Ambiguous| malformed())? {
            None => None,
            Some(BodyFormat::Form) => urlencoded::remove(&self.bytes, |found| is_field(found, name)),
            Some(BodyFormat::Json) => match json::parse(&self.bytes, &[name]) {
                Ok(Document::Object(mut object)) => object.remove(name).map(|_| object.write()),
                Ok(Document::Other) => None,
                Err(json::Malformed) => return Err(malformed().into()),
            },
            Some(BodyFormat::Multipart) => {
                let content_type = request.headers.get(CONTENT_TYPE).map_or(&b""[..], |v| v.as_bytes());
                let parts = multipart::boundary(content_type)
                    .and_then(|boundary| multipart::parts(&self.bytes, boundary, Mode::Strict))
                    .map_err(|multipart::Malformed| malformed())?;
                let mut remaining = Vec::with_capacity(self.bytes.len());
                let mut from = 0;
                for part in parts.iter().filter(|part| part.name.is_some_and(|n| is_field(n, name))) {
                    remaining.extend_from_slice(&self.bytes[from..part.span.start]);
                    from = part.span.end;
                }
                remaining.extend_from_slice(&self.bytes[from..]);
                (from > 0).then_some(remaining)
            }
        };
        let Some(remaining) = remaining else { return Ok(()) };
        if !request.headers.contains_key(TRANSFER_ENCODING) {
            request.headers.insert(CONTENT_LENGTH, HeaderValue::from(remaining.len()));
        }
        drop(self);
        Ok(request.replace_body(remaining)?)
    }
}

/// Converts a JSON value to a lookup result.
fn lookup_json(value: &[u8]) -> Lookup<'static> {
    match value {
        [b'[' | b'{', ..] => Lookup::Multiple,
        text => json::unquote(text)
            .map_or(Lookup::NotText, |text| Lookup::Text(String::from_utf8_lossy(&text).into_owned().into())),
    }
}
