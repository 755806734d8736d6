//! Parser for response heads, which also determines the framing of the body (RFC 9112 sections 4 to 6).
//!
//! The parser is incremental: [`ResponseHeadParser::take`] resumes at the line where it stopped. [`HeadOffsets`] records
//! offsets while bytes arrive, and no header value is built before the head is complete.

use bytes::BytesMut;
use http::StatusCode;
use hyper::ext::ReasonPhrase;

use super::{
    body::BodyDecoder,
    fields::{KnownHeader, MAX_NAME_BYTES, RawFields},
    line::{FieldLine, find_control, line_end},
    raw::{HeadBytes, Span},
};
use crate::Headers;

/// Limit for a response head, the interim heads before it included.
pub const MAX_HEAD_BYTES: usize = 256 * 1024;
/// Limit for the number of fields in a head.
const MAX_FIELDS: usize = 1000;

/// Error in the head of a response.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// The head is not HTTP/1.
    #[error("malformed answer: {0}")]
    Malformed(&'static str),
    /// The head is too long, or the interim heads before it are.
    #[error("the answer's head is longer than {MAX_HEAD_BYTES} bytes")]
    TooLong,
    /// A Content-Length is not a number, or two of them differ.
    #[error("malformed Content-Length in the answer")]
    Length,
    /// The Transfer-Encoding is not `chunked`, or the version is HTTP/1.0.
    #[error("a Transfer-Encoding in the answer that cannot be decoded")]
    Coding,
    /// Content-Length and Transfer-Encoding are both present, so the length of the body is ambiguous (RFC 9112
    /// section 6.3).
    #[error("both Content-Length and Transfer-Encoding in the answer")]
    Framing,
    /// The upstream switches to a protocol that was not requested.
    #[error("the upstream switches protocols without being asked")]
    Switch,
}

/// Head of a response.
#[derive(Debug)]
pub struct ResponseHead {
    /// Status code.
    pub status: StatusCode,
    /// Reason phrase, if it is not the canonical one.
    pub reason: Option<ReasonPhrase>,
    /// Headers, without those of this connection alone: Transfer-Encoding, and Connection if it only has `close` or
    /// `keep-alive`.
    pub headers: Headers,
}

/// Response head with the framing and the persistence that it determines.
pub struct ParsedHead {
    pub head: ResponseHead,
    pub body: BodyDecoder,
    /// Whether the connection can be reused after the response.
    pub keep_alive: bool,
}

/// Facts about the request that determine how its response is parsed.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestFacts {
    /// The method is HEAD, so the response has no body.
    pub head_only: bool,
    /// The request has `Upgrade: websocket`.
    pub upgrade: bool,
}

/// Incremental parser for the heads of one response, interim heads included.
#[derive(Debug, Default)]
pub struct ResponseHeadParser {
    request: RequestFacts,
    offsets: HeadOffsets,
    /// Total length of the interim heads so far.
    interim_bytes: usize,
}

impl ResponseHeadParser {
    /// Creates a parser for the response to a request.
    pub fn new(request: RequestFacts) -> Self {
        ResponseHeadParser { request, ..ResponseHeadParser::default() }
    }

    /// Consumes a complete head from the buffer; `None` if more bytes are needed.
    ///
    /// Interim heads (RFC 9110 section 15.2) are skipped. Kong's nginx takes one for the final response and desynchronizes.
    /// They count against the limit of the head that they precede, so that a flood of them fails.
    pub fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<ParsedHead>, HeadError> {
        while !buffer.is_empty() {
            let is_complete = self.offsets.parse(buffer)?;
            let head_bytes = if is_complete { self.offsets.next_line } else { buffer.len() };
            if self.interim_bytes + head_bytes > MAX_HEAD_BYTES {
                return Err(HeadError::TooLong);
            }
            if !is_complete {
                return Ok(None);
            }
            let offsets = std::mem::take(&mut self.offsets);
            let head = buffer.split_to(offsets.next_line).freeze();
            match offsets.status {
                100 | 102..=199 => self.interim_bytes += head.len(),
                _ => return offsets.into_head(HeadBytes::new(head), self.request).map(Some),
            }
        }
        Ok(None)
    }
}

/// Offsets of the parts of a head in the buffer, as far as it has been parsed.
#[derive(Debug, Default)]
struct HeadOffsets {
    status: u16,
    is_http10: bool,
    reason: Option<Span>,
    fields: RawFields,
    /// Start of the next line; 0 until the status line is complete.
    next_line: usize,
    /// Length of the buffer at the last call. The next line does not end in these bytes.
    scanned: usize,
}

impl HeadOffsets {
    /// Parses further, and returns whether the head is complete.
    fn parse(&mut self, buffer: &[u8]) -> Result<bool, HeadError> {
        // Each line is parsed at most twice, however small the pieces are in which it is received.
        if self.scanned > 0 && memchr::memchr(b'\n', &buffer[self.scanned..]).is_none() {
            self.scanned = buffer.len();
            return Ok(false);
        }
        if self.next_line == 0 {
            match self.parse_status_line(buffer).map_err(HeadError::Malformed)? {
                Some(end) => self.next_line = end,
                None => return Ok(self.need_more(buffer)),
            }
        }
        loop {
            match FieldLine::parse(&buffer[self.next_line..]) {
                FieldLine::Field { name, value, end } => {
                    if self.fields.len() == MAX_FIELDS {
                        return Err(HeadError::Malformed("too many headers"));
                    }
                    if name >= MAX_NAME_BYTES {
                        return Err(HeadError::Malformed("invalid header name"));
                    }
                    let line = self.next_line;
                    let known = KnownHeader::from_name(&buffer[line..line + name]);
                    self.fields.push(span(line, (0, name)), span(line, value), known);
                    self.next_line += end;
                }
                FieldLine::End { end } => {
                    self.next_line += end;
                    return Ok(true);
                }
                FieldLine::Partial => return Ok(self.need_more(buffer)),
                FieldLine::Malformed(reason) => return Err(HeadError::Malformed(reason)),
            }
        }
    }

    /// Records how far the buffer has been scanned. Returns `false`: the head is not complete.
    fn need_more(&mut self, buffer: &[u8]) -> bool {
        // An incomplete status line is parsed again from its start.
        if self.next_line == 0 {
            (self.status, self.is_http10) = (0, false);
        }
        self.scanned = buffer.len();
        false
    }

    /// Parses the status line, and returns its end; `None` if more bytes are needed. Skips empty lines before it.
    fn parse_status_line(&mut self, buffer: &[u8]) -> Result<Option<usize>, &'static str> {
        const VERSION: &str = "invalid HTTP version";
        const STATUS: &str = "invalid response status";
        let mut at = 0;
        while let Some(b'\r' | b'\n') = buffer.get(at) {
            let Some(end) = line_end(&buffer[at..]).map_err(|()| "invalid new line")? else {
                return Ok(None);
            };
            at += end;
        }
        let line = &buffer[at..];
        match line.first_chunk() {
            Some(b"HTTP/1.1") => {}
            Some(b"HTTP/1.0") => self.is_http10 = true,
            None if b"HTTP/1.".starts_with(&line[..line.len().min(7)]) => return Ok(None),
            _ => return Err(VERSION),
        }
        match line.get(8) {
            Some(b' ') => {}
            Some(_) => return Err(VERSION),
            None => return Ok(None),
        }
        for digit in line[9..].iter().take(3) {
            if !digit.is_ascii_digit() {
                return Err(STATUS);
            }
            self.status = self.status * 10 + u16::from(digit - b'0');
        }
        let Some(after_status) = line.get(12..) else { return Ok(None) };
        // The reason phrase may be absent, and the space before it too.
        let space = usize::from(after_status.first() == Some(&b' '));
        let reason_len = if space == 1 { find_control(after_status) - space } else { 0 };
        let Some(end) = line_end(&after_status[space + reason_len..]).map_err(|()| STATUS)? else {
            return Ok(None);
        };
        let reason = &after_status[space..space + reason_len];
        let is_canonical = match self.status {
            200 => reason == b"OK",
            status => StatusCode::from_u16(status)
                .ok()
                .and_then(|status| status.canonical_reason())
                .is_some_and(|canonical| canonical.as_bytes() == reason),
        };
        if !is_canonical {
            // A reason that is not ASCII is replaced by an empty one.
            let forwarded_len = if reason.is_ascii() { reason_len } else { 0 };
            self.reason = Some(span(at + 12 + space, (0, forwarded_len)));
        }
        Ok(Some(at + 12 + space + reason_len + end))
    }

    /// Builds the head, and determines the framing of the body (RFC 9112 section 6.3) and the persistence of the
    /// connection (section 9.3).
    fn into_head(self, raw: HeadBytes, request: RequestFacts) -> Result<ParsedHead, HeadError> {
        let reason = self.reason.and_then(|span| ReasonPhrase::try_from(raw.slice_shared(span)).ok());
        let mut fields = self.fields;
        fields.complete(raw);
        let mut length = None;
        for text in fields.values(KnownHeader::ContentLength) {
            let number =
                parse_number(text).or_else(|| parse_repeated_number(text)).ok_or(HeadError::Length)?;
            if length.replace(number).is_some_and(|previous| previous != number) {
                return Err(HeadError::Length);
            }
        }
        let (mut close, mut keep_alive, mut has_other_options) = (false, false, false);
        for options in fields.values(KnownHeader::Connection) {
            if options.eq_ignore_ascii_case(b"keep-alive") {
                keep_alive = true;
                continue;
            }
            for token in tokens(options) {
                match token {
                    _ if token.eq_ignore_ascii_case(b"keep-alive") => keep_alive = true,
                    _ if token.eq_ignore_ascii_case(b"close") => close = true,
                    _ => has_other_options = true,
                }
            }
        }
        if !has_other_options {
            fields.remove(KnownHeader::Connection);
        }
        let status = StatusCode::from_u16(self.status)
            .ok()
            .filter(|status| status.as_u16() <= 599)
            .ok_or(HeadError::Malformed("invalid response status"))?;
        if self.status == 101 {
            let mut protocols = fields.values(KnownHeader::Upgrade).flat_map(tokens);
            if !request.upgrade || !protocols.any(|protocol| protocol.eq_ignore_ascii_case(b"websocket")) {
                return Err(HeadError::Switch);
            }
        }
        let chunked = {
            let mut codings = fields.values(KnownHeader::TransferEncoding);
            match (codings.next(), codings.next()) {
                (None, _) => false,
                (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") && !self.is_http10 => true,
                _ => return Err(HeadError::Coding),
            }
        };
        if chunked {
            if length.is_some() {
                return Err(HeadError::Framing);
            }
            fields.remove(KnownHeader::TransferEncoding);
        }
        let has_no_body = request.head_only || matches!(self.status, 101 | 204 | 304);
        let is_persistent = if self.is_http10 { keep_alive && !close } else { !close };
        let body = match length {
            _ if has_no_body => BodyDecoder::ended(),
            _ if chunked => BodyDecoder::chunked(),
            Some(length) => BodyDecoder::length(length),
            None => BodyDecoder::until_close(),
        };
        let keep_alive = is_persistent && self.status != 101 && !body.needs_close();
        Ok(ParsedHead { head: ResponseHead { status, reason, headers: fields.into() }, body, keep_alive })
    }
}

/// Returns the span of a part of a line. Cannot overflow: a head has at most [`MAX_HEAD_BYTES`].
fn span(line_start: usize, part: (usize, usize)) -> Span {
    ((line_start + part.0) as u32, (line_start + part.1) as u32)
}

/// Splits a comma-separated list.
fn tokens(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// Parses a list that repeats one number, which RFC 9110 section 8.6 allows for Content-Length.
#[cold]
fn parse_repeated_number(list: &[u8]) -> Option<u64> {
    let mut numbers = tokens(list).map(parse_number);
    let first = numbers.next()??;
    numbers.all(|number| number == Some(first)).then_some(first)
}

/// Parses decimal digits without a sign.
fn parse_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests;
