//! Named arguments in a request's body (form, JSON object, multipart form): finding one, and taking one out
//! with the rest of the body left as it was.

use std::borrow::Cow;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING},
};
use http_body::Body as _;

use super::{
    body_format::{Ambiguous, BodyFormat, is_field},
    header::is_content_encoded,
    json::{self, Document},
    multipart::{self, Mode},
};
use plugin::{Reply, Request, Stop};

/// Longest body that is looked into, in bytes.
pub const LIMIT: usize = 8 * 1024 * 1024;

/// What a place of the request says about an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// Not there.
    Nothing,
    /// There, but no text: `?name` without a value, a JSON number.
    NoText,
    /// There, once.
    Text(Cow<'a, str>),
    /// There more than once.
    Several,
}

impl<'a> Seen<'a> {
    /// From all values of one name; none stands for one that is no text.
    pub fn of(mut values: impl Iterator<Item = Option<Cow<'a, str>>>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Seen::Nothing,
            (Some(_), Some(_)) => Seen::Several,
            (Some(None), None) => Seen::NoText,
            (Some(Some(text)), None) => Seen::Text(text),
        }
    }
}

/// How an argument is looked for: by the beginning of the content type, as Kong does.
enum Format {
    Form,
    Json,
    /// With the boundary.
    Multipart(Vec<u8>),
    /// It has arguments that cannot be read: it is compressed, or its type is ambiguous.
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

/// The arguments of one body.
pub struct BodyArgs {
    /// `None` if no argument is looked for in it.
    format: Option<Format>,
    bytes: Bytes,
}

impl BodyArgs {
    /// Whether a request may have arguments in its body, decided without reading it; `removes` if an argument may have
    /// to be removed from it.
    pub fn expected(request: &Request, removes: bool) -> bool {
        let headers = &request.headers;
        request.body.size_hint().exact() != Some(0)
            && (Format::of(headers).is_some() || removes && BodyFormat::agreed(headers) != Ok(None))
    }

    /// Whether a request's body is known to be longer than [`LIMIT`].
    pub fn is_too_long(request: &Request) -> bool {
        request.body.size_hint().lower() > LIMIT as u64
    }

    /// Reads the body, which stays in the request.
    ///
    /// # Errors
    /// When the connection fails, or the body is longer than [`LIMIT`].
    pub async fn read(request: &mut Request) -> Result<Self, Stop> {
        let format = Format::of(&request.headers);
        let bytes = request.read_body(LIMIT).await?;
        Ok(BodyArgs { format, bytes })
    }

    /// What the body says about an argument. A body that cannot be read has none.
    pub fn find(&self, name: &str) -> Seen<'_> {
        match &self.format {
            Some(Format::Form) => {
                Seen::of(pairs(&self.bytes).filter(|(n, ..)| n == name).map(|(_, value, _)| value))
            }
            Some(Format::Json) => match json::read(&self.bytes, &[name.as_bytes()]) {
                Ok(Document::Object(mut object)) => {
                    object.remove(name.as_bytes()).map_or(Seen::Nothing, |value| of_json(&value))
                }
                _ => Seen::Nothing,
            },
            Some(Format::Multipart(boundary)) => Seen::of(
                multipart::parts(&self.bytes, boundary, Mode::Lenient)
                    .unwrap_or_default()
                    .into_iter()
                    .filter(|part| part.name == Some(name.as_bytes()))
                    .map(|part| Some(String::from_utf8_lossy(part.value))),
            ),
            Some(Format::Unreadable) | None => Seen::Nothing,
        }
    }

    /// Removes an argument from the request's body, under all names that parsers may take for it; other arguments stay
    /// as they are.
    ///
    /// # Errors
    /// When parsers disagree about the body: the argument may be in it, and the upstream may find it.
    pub fn remove(self, request: &mut Request, name: &str) -> Result<(), Stop> {
        let refusal = || Reply::error(StatusCode::BAD_REQUEST, "Cannot process request body");
        if self.bytes.is_empty() {
            return Ok(());
        }
        let name = name.as_bytes();
        let left = match BodyFormat::agreed(&request.headers).map_err(|Ambiguous| refusal())? {
            None => None,
            Some(BodyFormat::Form) => {
                let mut left = Vec::with_capacity(self.bytes.len());
                for (.., raw) in pairs(&self.bytes).filter(|(n, ..)| !is_field(n.as_bytes(), name)) {
                    if !left.is_empty() {
                        left.push(b'&');
                    }
                    left.extend_from_slice(raw);
                }
                (left.len() < self.bytes.len()).then_some(left)
            }
            Some(BodyFormat::Json) => match json::read(&self.bytes, &[name]) {
                Ok(Document::Object(mut object)) => object.remove(name).map(|_| object.write()),
                Ok(Document::Other) => None,
                Err(json::Malformed) => return Err(refusal().into()),
            },
            Some(BodyFormat::Multipart) => {
                let content_type = request.headers.get(CONTENT_TYPE).map_or(&b""[..], |v| v.as_bytes());
                let parts = multipart::boundary(content_type)
                    .and_then(|boundary| multipart::parts(&self.bytes, boundary, Mode::Strict))
                    .map_err(|multipart::Malformed| refusal())?;
                let mut left = Vec::with_capacity(self.bytes.len());
                let mut from = 0;
                for part in parts.iter().filter(|part| part.name.is_some_and(|n| is_field(n, name))) {
                    left.extend_from_slice(&self.bytes[from..part.span.start]);
                    from = part.span.end;
                }
                left.extend_from_slice(&self.bytes[from..]);
                (from > 0).then_some(left)
            }
        };
        let Some(left) = left else { return Ok(()) };
        if !request.headers.contains_key(TRANSFER_ENCODING) {
            request.headers.insert(CONTENT_LENGTH, HeaderValue::from(left.len()));
        }
        drop(self);
        Ok(request.replace_body(left)?)
    }
}

/// What a value in JSON says.
fn of_json(value: &[u8]) -> Seen<'static> {
    match value {
        [b'[' | b'{', ..] => Seen::Several,
        text => json::text_of(text)
            .map_or(Seen::NoText, |text| Seen::Text(String::from_utf8_lossy(&text).into_owned().into())),
    }
}

/// Name, value and raw text of each argument of a form; an argument without `=` has no value.
fn pairs(form: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Option<Cow<'_, str>>, &[u8])> {
    form.split(|b| *b == b'&').filter(|raw| !raw.is_empty()).filter_map(|raw| {
        let (name, value) = form_urlencoded::parse(raw).next()?;
        Some((name, raw.contains(&b'=').then_some(value), raw))
    })
}
