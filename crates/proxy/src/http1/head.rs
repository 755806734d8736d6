//! Strict parser of HTTP/1 request heads; accepts what Kong's nginx accepts.

use bytes::BytesMut;
use http::{Method, Uri, Version};

use super::target::{self, TargetForm};
use crate::error::ProxyError;
use http_codec::{
    BodyDecoder, FieldLine, HeadBytes, Headers, KnownHeader, MAX_NAME_BYTES, RawFields, Span, is_token,
};
use runtime::HeadLimits;

/// Maximum number of fields in a head.
const MAX_FIELDS: usize = 1000;

/// Why a head is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadRejection {
    /// Malformed, or with ambiguous framing.
    Malformed,
    /// The request line is too long.
    LineTooLong,
    /// A field line or the head is too long, or there are too many fields.
    HeadTooLong,
    /// A transfer coding other than chunked.
    Coding,
    /// A version other than 1.x.
    Version,
}

impl From<HeadRejection> for ProxyError {
    fn from(rejection: HeadRejection) -> Self {
        match rejection {
            HeadRejection::Malformed => ProxyError::BadRequest("malformed head"),
            HeadRejection::LineTooLong => ProxyError::UriTooLong,
            HeadRejection::HeadTooLong => ProxyError::HeadersTooLong,
            HeadRejection::Coding => ProxyError::NotImplemented,
            HeadRejection::Version => ProxyError::Version,
        }
    }
}

/// A request's head.
#[derive(Debug)]
pub struct RequestHead {
    /// Method.
    pub method: Method,
    /// Target; bytes that Kong accepts and [`Uri`] does not are percent-encoded.
    pub uri: Uri,
    /// 1.0 or 1.1.
    pub version: Version,
    /// Fields; one without a colon has an empty value.
    pub headers: Headers,
    /// Decoder of the body.
    pub body: BodyDecoder,
    /// Whether the client allows another request on the connection.
    pub keep_alive: bool,
    /// Whether the client waits for 100 (Continue) before it sends the body.
    pub expect_continue: bool,
    /// Its length, empty lines before it included.
    pub bytes: u32,
}

impl RequestHead {
    /// Creates a head that represents a rejected request.
    pub fn placeholder() -> Self {
        RequestHead {
            method: Method::GET,
            uri: Uri::default(),
            version: Version::HTTP_11,
            headers: Headers::default(),
            body: BodyDecoder::ended(),
            keep_alive: false,
            expect_continue: false,
            bytes: 0,
        }
    }
}

/// Result of [`HeadParser::advance`].
#[derive(Debug)]
pub enum ParseStatus {
    /// More bytes are needed.
    Partial,
    /// The head is complete: [`HeadParser::take`] returns it.
    Complete,
    /// The head is rejected.
    Rejected(HeadRejection),
}

/// Incremental parser of a head; continues where it stopped when more bytes have arrived.
#[derive(Debug, Default)]
pub struct HeadParser {
    at: usize,
    facts: HeadFacts,
    fields: RawFields,
}

/// What the lines so far have determined, fields apart.
#[derive(Clone, Copy, Debug, Default)]
struct HeadFacts {
    has_request_line: bool,
    method: Span,
    target: Span,
    /// Whether the target contains bytes to be percent-encoded.
    needs_escaping: bool,
    is_http10: bool,
    content_length: Option<u64>,
    is_chunked: bool,
    has_keep_alive: bool,
    has_close: bool,
    expect_continue: bool,
}

/// Maximum number of bytes of empty lines before a request line.
const MAX_BLANK_BYTES: usize = 64;

impl HeadParser {
    /// Parses further lines. `bytes` starts where it started in the previous call.
    pub fn advance(&mut self, bytes: &[u8], limits: HeadLimits) -> ParseStatus {
        loop {
            let start = self.at;
            let remaining = &bytes[start..];
            // Fast path: most lines are well-formed fields.
            if self.facts.has_request_line
                && let FieldLine::Field { name, value, end } = FieldLine::parse(remaining)
                && self.length_rejection(end - 1, start + end - 1, limits).is_none()
            {
                self.at += end;
                let (name, text) = (&remaining[..name], &remaining[value.0..value.1]);
                let known = KnownHeader::from_name(name);
                let observed = self
                    .observe_field(known, text)
                    .and_then(|()| self.push_field(known, name, text, start, value.0));
                match observed {
                    Ok(()) => continue,
                    Err(rejection) => return ParseStatus::Rejected(rejection),
                }
            }
            let Some(end) = memchr::memchr(b'\n', remaining) else {
                return match self.length_rejection(remaining.len(), bytes.len(), limits) {
                    Some(rejection) => ParseStatus::Rejected(rejection),
                    None => ParseStatus::Partial,
                };
            };
            if let Some(rejection) = self.length_rejection(end, start + end, limits) {
                return ParseStatus::Rejected(rejection);
            }
            self.at += end + 1;
            let line = remaining[..end].strip_suffix(b"\r").unwrap_or(&remaining[..end]);
            let checked = match (self.facts.has_request_line, line) {
                // RFC 9112 section 2.2 lets a server ignore empty lines before a request; no client needs
                // many.
                (false, b"") if self.at <= MAX_BLANK_BYTES => continue,
                (false, b"") => return ParseStatus::Rejected(HeadRejection::Malformed),
                (false, _) => self.request_line(line, start),
                (true, b"") => return self.complete(),
                (true, _) => self.lenient_field(line, start),
            };
            if let Err(rejection) = checked {
                return ParseStatus::Rejected(rejection);
            }
        }
    }

    fn length_rejection(&self, line: usize, head: usize, limits: HeadLimits) -> Option<HeadRejection> {
        match self.facts.has_request_line {
            false if line > limits.line => Some(HeadRejection::LineTooLong),
            true if line > limits.line || head > limits.total => Some(HeadRejection::HeadTooLong),
            _ => None,
        }
    }

    fn request_line(&mut self, line: &[u8], start: usize) -> Result<(), HeadRejection> {
        let facts = &mut self.facts;
        facts.has_request_line = true;
        // Every valid version has the same length.
        let Some((line, [b' ', version @ ..])) = line.split_last_chunk::<9>() else {
            return Err(HeadRejection::Malformed);
        };
        let fits = |b: u8| b.is_ascii_uppercase() || matches!(b, b'_' | b'-');
        let (method, target) = match line.iter().position(|&b| !fits(b)) {
            Some(blank) if blank > 0 && line[blank] == b' ' => (&line[..blank], &line[blank + 1..]),
            _ => return Err(HeadRejection::Malformed),
        };
        let form = target::classify(target).ok_or(HeadRejection::Malformed)?;
        facts.needs_escaping = form == TargetForm::NeedsEscaping;
        facts.method = span(start, 0, method);
        facts.target = span(start, method.len() + 1, target);
        match version {
            b"HTTP/1.0" => {
                facts.is_http10 = true;
                Ok(())
            }
            // A later minor version is served as HTTP/1.1 (RFC 9110 section 2.5).
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => Ok(()),
            [b'H', b'T', b'T', b'P', b'/', major @ b'2'..=b'9', b'.', b'0'..=b'9'] if *major > b'1' => {
                Err(HeadRejection::Version)
            }
            _ => Err(HeadRejection::Malformed),
        }
    }

    /// Parses a line that [`Line`] does not recognise as a field. Framing errors of its value are reported
    /// first.
    fn lenient_field(&mut self, line: &[u8], start: usize) -> Result<(), HeadRejection> {
        let (name, (blank, value)) = match line.iter().position(|&b| !is_token(b)) {
            Some(colon) if colon > 0 && line[colon] == b':' => {
                (&line[..colon], trim_with_offset(&line[colon + 1..]))
            }
            Some(_) => return Err(HeadRejection::Malformed),
            None => (line, (0, &b""[..])),
        };
        let known = KnownHeader::from_name(name);
        self.observe_field(known, value)?;
        if name.len() < line.len() {
            return Err(HeadRejection::Malformed);
        }
        self.push_field(known, name, value, start, name.len() + 1 + blank)
    }

    /// Evaluates a field that determines the framing or the connection's persistence.
    fn observe_field(&mut self, known: Option<KnownHeader>, value: &[u8]) -> Result<(), HeadRejection> {
        let facts = &mut self.facts;
        match known {
            Some(KnownHeader::TransferEncoding) => {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(HeadRejection::Coding);
                }
                if facts.is_chunked || facts.is_http10 {
                    return Err(HeadRejection::Malformed);
                }
                facts.is_chunked = true;
            }
            Some(KnownHeader::ContentLength) => {
                if facts.content_length.is_some() || value.is_empty() || !value.iter().all(u8::is_ascii_digit)
                {
                    return Err(HeadRejection::Malformed);
                }
                let digits = std::str::from_utf8(value).map_err(|_| HeadRejection::Malformed)?;
                // As nginx: a recipient with signed integers would misread a larger value.
                let length: i64 = digits.parse().map_err(|_| HeadRejection::Malformed)?;
                facts.content_length = Some(length.unsigned_abs());
            }
            Some(KnownHeader::Connection) => {
                for token in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                    facts.has_close |= token.eq_ignore_ascii_case(b"close");
                    facts.has_keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            Some(KnownHeader::Expect) => {
                facts.expect_continue = value.eq_ignore_ascii_case(b"100-continue");
            }
            _ => {}
        }
        // Of a repeated singleton, recipients may use the first or the last value: they would see different
        // requests.
        match known {
            Some(known) if known.is_singleton() && self.fields.contains_any(&[known]) => {
                Err(HeadRejection::Malformed)
            }
            _ => Ok(()),
        }
    }

    /// Stores a field, unless an upstream could mistake it for a header that the gateway sets. Its name is at
    /// `start`, its value `offset` bytes after that.
    fn push_field(
        &mut self,
        known: Option<KnownHeader>,
        name: &[u8],
        value: &[u8],
        start: usize,
        offset: usize,
    ) -> Result<(), HeadRejection> {
        if name.len() >= MAX_NAME_BYTES {
            return Err(HeadRejection::Malformed);
        }
        if known == Some(KnownHeader::LookAlike) {
            return Ok(());
        }
        if self.fields.len() == MAX_FIELDS {
            return Err(HeadRejection::HeadTooLong);
        }
        self.fields.push(span(start, 0, name), span(start, offset, value), known);
        Ok(())
    }

    fn complete(&self) -> ParseStatus {
        if self.facts.is_chunked && self.facts.content_length.is_some() {
            return ParseStatus::Rejected(HeadRejection::Malformed);
        }
        ParseStatus::Complete
    }

    /// Splits the complete head off the buffer and resets the parser.
    ///
    /// # Errors
    /// If the target is not a URI.
    pub fn take(&mut self, buffer: &mut BytesMut) -> Result<RequestHead, HeadRejection> {
        let HeadParser { at, facts, mut fields } = std::mem::take(self);
        let raw = HeadBytes::new(buffer.split_to(at).freeze());
        let target = raw.slice_shared(facts.target);
        let target = if facts.needs_escaping { target::escape(&target) } else { target };
        let method = Method::from_bytes(raw.slice(facts.method)).map_err(|_| HeadRejection::Malformed)?;
        fields.complete(raw);
        Ok(RequestHead {
            method,
            uri: Uri::from_maybe_shared(target).map_err(|_| HeadRejection::Malformed)?,
            version: if facts.is_http10 { Version::HTTP_10 } else { Version::HTTP_11 },
            headers: fields.into(),
            body: match facts.content_length {
                _ if facts.is_chunked => BodyDecoder::chunked(),
                Some(length) => BodyDecoder::length(length),
                None => BodyDecoder::ended(),
            },
            keep_alive: !facts.has_close && (facts.has_keep_alive || !facts.is_http10),
            expect_continue: facts.expect_continue && !facts.is_http10,
            bytes: u32::try_from(at).unwrap_or(u32::MAX),
        })
    }
}

/// Returns the span of `part`, which starts `offset` bytes into a line at `start`. Heads are bounded far
/// below 4 GiB.
fn span(start: usize, offset: usize, part: &[u8]) -> Span {
    let at = start + offset;
    (at as u32, (at + part.len()) as u32)
}

/// Trims whitespace; returns the number of bytes trimmed at the start, and the rest.
fn trim_with_offset(value: &[u8]) -> (usize, &[u8]) {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let start = value.iter().position(|b| !blank(b)).unwrap_or(value.len());
    let end = value.iter().rposition(|b| !blank(b)).map_or(start, |at| at + 1);
    (start, &value[start..end])
}

#[cfg(test)]
mod tests;
