//! Named arguments in a request's body (form, JSON object, multipart form): finding one, and taking one out
//! with the rest of the body left as it was.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING},
};
use http_body::Body as _;
use memchr::memmem;

use crate::{
    net::Body,
    plugin::{Request, Stop},
};

/// Longest body that is looked into, in bytes; longer ones count as having no arguments.
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

enum Format {
    Form,
    Json,
    /// With the delimiter: two dashes and the boundary.
    Multipart(Vec<u8>),
}

impl Format {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let is = |kind: &str| content_type.get(..kind.len()).is_some_and(|c| c.eq_ignore_ascii_case(kind));
        if is("application/x-www-form-urlencoded") {
            return Some(Format::Form);
        }
        if is("application/json") {
            return Some(Format::Json);
        }
        if !is("multipart/form-data") {
            return None;
        }
        let boundary = content_type.split(';').skip(1).find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
        })?;
        (!boundary.is_empty()).then(|| Format::Multipart([b"--", boundary.as_bytes()].concat()))
    }
}

/// The arguments of one body.
pub struct BodyArgs {
    format: Format,
    bytes: Bytes,
    /// Parsed, if the format is JSON.
    object: serde_json::Map<String, serde_json::Value>,
}

impl BodyArgs {
    /// Whether a request may have arguments in its body, told without reading it.
    pub fn expected(request: &Request) -> bool {
        let size = request.body.size_hint();
        size.exact() != Some(0) && size.lower() <= LIMIT as u64 && Format::of(&request.headers).is_some()
    }

    /// Reads the body, which stays in the request; none if it has no arguments.
    ///
    /// # Errors
    /// When the connection fails, or a body of unknown length turns out to be longer than [`LIMIT`].
    pub async fn read(request: &mut Request) -> Result<Option<Self>, Stop> {
        if !Self::expected(request) {
            return Ok(None);
        }
        let Some(format) = Format::of(&request.headers) else { return Ok(None) };
        let bytes = request.read_body(LIMIT).await?;
        let object = match format {
            Format::Json => match serde_json::from_slice(&bytes) {
                Ok(serde_json::Value::Object(object)) => object,
                _ => return Ok(None),
            },
            _ => serde_json::Map::new(),
        };
        Ok(Some(BodyArgs { format, bytes, object }))
    }

    /// What the body says about an argument.
    pub fn find(&self, name: &str) -> Seen<'_> {
        match &self.format {
            Format::Form => {
                Seen::of(pairs(&self.bytes).filter(|(n, ..)| n == name).map(|(_, value, _)| value))
            }
            Format::Json => match self.object.get(name) {
                None => Seen::Nothing,
                Some(serde_json::Value::String(text)) => Seen::Text(text.into()),
                Some(serde_json::Value::Array(_) | serde_json::Value::Object(_)) => Seen::Several,
                Some(_) => Seen::NoText,
            },
            Format::Multipart(delimiter) => Seen::of(
                parts(&self.bytes, delimiter)
                    .into_iter()
                    .filter(|part| part.name == Some(name))
                    .map(|part| Some(String::from_utf8_lossy(part.value))),
            ),
        }
    }

    /// Takes an argument out of the request's body, all its occurrences; other arguments stay as they are.
    pub fn remove(mut self, request: &mut Request, name: &str) {
        let left = match &self.format {
            _ if self.find(name) == Seen::Nothing => return,
            Format::Form => {
                let kept: Vec<&[u8]> =
                    pairs(&self.bytes).filter(|(n, ..)| n != name).map(|(.., raw)| raw).collect();
                kept.join(&b'&')
            }
            Format::Json => {
                self.object.shift_remove(name);
                serde_json::to_vec(&self.object).unwrap_or_default()
            }
            Format::Multipart(delimiter) => {
                let mut kept = BytesMut::with_capacity(self.bytes.len());
                let mut from = 0;
                for part in parts(&self.bytes, delimiter).iter().filter(|part| part.name == Some(name)) {
                    kept.extend_from_slice(&self.bytes[from..part.start]);
                    from = part.end;
                }
                kept.extend_from_slice(&self.bytes[from..]);
                kept.to_vec()
            }
        };
        if !request.headers.contains_key(TRANSFER_ENCODING) {
            request.headers.insert(CONTENT_LENGTH, HeaderValue::from(left.len()));
        }
        request.body = Body::whole(left);
    }
}

/// Name, value and raw text of each argument of a form; an argument without `=` has no value.
fn pairs(form: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Option<Cow<'_, str>>, &[u8])> {
    form.split(|b| *b == b'&').filter(|raw| !raw.is_empty()).filter_map(|raw| {
        let (name, value) = form_urlencoded::parse(raw).next()?;
        Some((name, raw.contains(&b'=').then_some(value), raw))
    })
}

struct Part<'a> {
    name: Option<&'a str>,
    value: &'a [u8],
    /// Where its delimiter starts.
    start: usize,
    /// Where the next delimiter starts.
    end: usize,
}

/// The parts of a multipart form (RFC 7578).
fn parts<'a>(body: &'a [u8], delimiter: &[u8]) -> Vec<Part<'a>> {
    let starts: Vec<usize> = memmem::find_iter(body, delimiter)
        .filter(|&at| at == 0 || body[at - 1] == b'\n')
        .filter(|&at| matches!(body.get(at + delimiter.len()), Some(b'\r' | b'\n' | b'-' | b' ' | b'\t')))
        .collect();
    starts
        .windows(2)
        .filter_map(|pair| {
            let (start, end) = (pair[0], pair[1]);
            let part = &body[start + delimiter.len()..end];
            let part = part.strip_suffix(b"\n").map_or(part, |p| p.strip_suffix(b"\r").unwrap_or(p));
            let part = &part[memchr::memchr(b'\n', part)? + 1..];
            let (head, value) = match part.strip_prefix(b"\r\n") {
                Some(value) => (&part[..0], value),
                None => {
                    let blank = memmem::find(part, b"\r\n\r\n").map(|at| (at, 4));
                    let (at, gap) = blank.or_else(|| memmem::find(part, b"\n\n").map(|at| (at, 2)))?;
                    (&part[..at], &part[at + gap..])
                }
            };
            Some(Part { name: part_name(head), value, start, end })
        })
        .collect()
}

/// The name in a part's `Content-Disposition`.
fn part_name(head: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(head)
        .ok()?
        .lines()
        .find(|line| line.get(..20).is_some_and(|name| name.eq_ignore_ascii_case("content-disposition:")))?;
    line.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("name").then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_and_values(body: &str) -> Vec<(Option<&str>, &str)> {
        parts(body.as_bytes(), b"--b")
            .into_iter()
            .map(|part| (part.name, std::str::from_utf8(part.value).expect("text")))
            .collect()
    }

    #[test]
    fn a_multipart_form_comes_apart_at_whole_delimiters_only() {
        let body = "preamble\r\n--b\r\ncontent-disposition: form-data; filename=x; Name=\"one\"\r\nX: y\r\n\r\n\
                    1\r\n--bc\r\n --b\r\n\r\n--b \r\n\r\nno head\r\n--b\r\nContent-Disposition: form-data; name=two\r\n\
                    \r\n\r\n--b--\r\nepilogue\r\n";
        assert_eq!(
            names_and_values(body),
            [(Some("one"), "1\r\n--bc\r\n --b\r\n"), (None, "no head"), (Some("two"), "")]
        );
    }

    #[test]
    fn lines_of_a_multipart_form_may_end_in_a_bare_newline() {
        let body = "--b\nContent-Disposition: form-data; name=\"one\"\n\n1\n--b--";
        assert_eq!(names_and_values(body), [(Some("one"), "1")]);
    }

    #[test]
    fn what_is_no_multipart_form_has_no_parts() {
        for body in ["", "--b", "--b--", "--b\r\n", "--b\r\n--b", "--b\r\nx--b--\r\n", "--b\n\u{e9}--b--"] {
            assert_eq!(names_and_values(body), [], "{body:?}");
        }
    }
}
