//! The head of an answer, and where its body ends.

use bytes::BytesMut;
use http::StatusCode;
use hyper::ext::ReasonPhrase;

use super::{
    body::Decoder,
    fields::{Fields, Known, MAX_NAME},
    line::{Line, line_end, stop},
    raw::{Place, RawHead},
};
use crate::Headers;

/// Bytes of a head and its informational forerunners that are read before it is given up.
pub const MAX_HEAD: usize = 256 * 1024;
/// Fields accepted in a head.
const MAX_FIELDS: usize = 1000;

/// Why what an upstream sends is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// Not HTTP/1.
    #[error("malformed answer: {0}")]
    Malformed(&'static str),
    /// Longer than a response's head may be, with the interim ones before it.
    #[error("the answer's head is longer than {MAX_HEAD} bytes")]
    TooLong,
    /// A Content-Length that is no number, or two that differ.
    #[error("malformed Content-Length in the answer")]
    Length,
    /// A Transfer-Encoding other than `chunked`, or one where the version has none.
    #[error("a Transfer-Encoding in the answer that cannot be decoded")]
    Coding,
    /// A Content-Length beside a Transfer-Encoding: the body would have two ends (RFC 9112 section 6.3).
    #[error("both Content-Length and Transfer-Encoding in the answer")]
    Framing,
    /// A switch to another protocol than the one that was asked for, if any was.
    #[error("the upstream switches protocols without being asked")]
    Switch,
}

/// An answer's head.
#[derive(Debug)]
pub struct Head {
    /// Status.
    pub status: StatusCode,
    /// The words after it, where they are not the usual ones.
    pub reason: Option<ReasonPhrase>,
    /// Headers, without what concerns this connection alone: how the body is framed, whether it stays open.
    pub headers: Headers,
}

/// A head and what it says about the connection.
pub struct Parsed {
    pub head: Head,
    pub body: Decoder,
    /// Whether the connection may be used again.
    pub keep: bool,
}

/// What was asked, as far as it decides how the answer is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// HEAD: the answer has no body.
    pub head_only: bool,
    /// Whether a switch to WebSocket was asked for.
    pub upgrade: bool,
}

/// Reads the heads of one response, the interim ones included; goes on where it stopped when more bytes are there.
#[derive(Debug, Default)]
pub struct HeadReader {
    asked: Asked,
    outline: Outline,
    /// Bytes of the interim heads before.
    interim: usize,
}

impl HeadReader {
    /// A reader of the response to what was asked.
    pub fn new(asked: Asked) -> Self {
        HeadReader { asked, ..HeadReader::default() }
    }

    /// Takes a complete head off the buffer; `None` if there is no complete one yet. Interim ones (RFC 9110
    /// section 15.2) are passed over: Kong's server takes one for the answer itself, and goes astray. They count
    /// against the same limit as the head that they precede, so that a flood of them ends.
    pub fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Parsed>, HeadError> {
        while !buffer.is_empty() {
            let complete = self.outline.read(buffer)?;
            if self.interim + if complete { self.outline.at } else { buffer.len() } > MAX_HEAD {
                return Err(HeadError::TooLong);
            }
            if !complete {
                return Ok(None);
            }
            let outline = std::mem::take(&mut self.outline);
            let head = buffer.split_to(outline.at).freeze();
            match outline.status {
                100 | 102..=199 => self.interim += head.len(),
                _ => return outline.parsed(RawHead::new(head), self.asked).map(Some),
            }
        }
        Ok(None)
    }
}

/// Where in the buffer the parts of a head lie.
#[derive(Debug, Default)]
struct Outline {
    status: u16,
    old: bool,
    reason: Option<Place>,
    fields: Fields,
    /// Where the next line begins; 0 before the status line is complete.
    at: usize,
    /// Bytes in which that line does not end.
    seen: usize,
}

impl Outline {
    /// Tells the parts of a head apart, as far as they are there; returns whether it is complete.
    fn read(&mut self, buffer: &[u8]) -> Result<bool, HeadError> {
        // A line is looked at twice at most, however small the pieces are in which it comes.
        if self.seen > 0 && memchr::memchr(b'\n', &buffer[self.seen..]).is_none() {
            self.seen = buffer.len();
            return Ok(false);
        }
        if self.at == 0 {
            match self.status_line(buffer).map_err(HeadError::Malformed)? {
                Some(at) => self.at = at,
                None => return Ok(self.wait(buffer)),
            }
        }
        loop {
            match Line::read(&buffer[self.at..]) {
                Line::Field { name, value, end } => {
                    if self.fields.len() == MAX_FIELDS {
                        return Err(HeadError::Malformed("too many headers"));
                    }
                    if name >= MAX_NAME {
                        return Err(HeadError::Malformed("invalid header name"));
                    }
                    let known = Known::of(&buffer[self.at..self.at + name]);
                    self.fields.push(place(self.at, (0, name)), place(self.at, value), known);
                    self.at += end;
                }
                Line::Last { end } => {
                    self.at += end;
                    return Ok(true);
                }
                Line::Partial => return Ok(self.wait(buffer)),
                Line::Odd(why) => return Err(HeadError::Malformed(why)),
            }
        }
    }

    /// More bytes are needed.
    fn wait(&mut self, buffer: &[u8]) -> bool {
        // A status line that is not complete is read again, from its beginning.
        if self.at == 0 {
            (self.status, self.old) = (0, false);
        }
        self.seen = buffer.len();
        false
    }

    /// Reads the first line, which empty ones may precede, and tells where it ends.
    fn status_line(&mut self, buffer: &[u8]) -> Result<Option<usize>, &'static str> {
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
            Some(b"HTTP/1.0") => self.old = true,
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
        let Some(after) = line.get(12..) else { return Ok(None) };
        // The words may be absent, and so may be the blank before them.
        let blank = usize::from(after.first() == Some(&b' '));
        let words = if blank == 1 { stop(after) - blank } else { 0 };
        let Some(end) = line_end(&after[blank + words..]).map_err(|()| STATUS)? else { return Ok(None) };
        let text = &after[blank..blank + words];
        let usual = match self.status {
            200 => text == b"OK",
            status => StatusCode::from_u16(status)
                .ok()
                .and_then(|status| status.canonical_reason())
                .is_some_and(|usual| usual.as_bytes() == text),
        };
        if !usual {
            // Words that are not ASCII are not told.
            let told = if text.is_ascii() { words } else { 0 };
            self.reason = Some(place(at + 12 + blank, (0, told)));
        }
        Ok(Some(at + 12 + blank + words + end))
    }

    /// RFC 9112 section 6.3.
    fn parsed(self, raw: RawHead, asked: Asked) -> Result<Parsed, HeadError> {
        let reason = self.reason.and_then(|place| ReasonPhrase::try_from(raw.share(place)).ok());
        let mut fields = self.fields;
        fields.complete(raw);
        let mut length = None;
        for text in fields.values(Known::ContentLength) {
            let number = number(text).or_else(|| repeated(text)).ok_or(HeadError::Length)?;
            if length.replace(number).is_some_and(|before| before != number) {
                return Err(HeadError::Length);
            }
        }
        let (mut close, mut keep, mut others) = (false, false, false);
        for options in fields.values(Known::Connection) {
            if options.eq_ignore_ascii_case(b"keep-alive") {
                keep = true;
                continue;
            }
            for token in tokens(options) {
                match token {
                    _ if token.eq_ignore_ascii_case(b"keep-alive") => keep = true,
                    _ if token.eq_ignore_ascii_case(b"close") => close = true,
                    _ => others = true,
                }
            }
        }
        if !others {
            fields.remove(Known::Connection);
        }
        let status = StatusCode::from_u16(self.status)
            .ok()
            .filter(|status| status.as_u16() <= 599)
            .ok_or(HeadError::Malformed("invalid response status"))?;
        if self.status == 101 {
            let mut protocols = fields.values(Known::Upgrade).flat_map(tokens);
            if !asked.upgrade || !protocols.any(|protocol| protocol.eq_ignore_ascii_case(b"websocket")) {
                return Err(HeadError::Switch);
            }
        }
        let chunked = {
            let mut codings = fields.values(Known::TransferEncoding);
            match (codings.next(), codings.next()) {
                (None, _) => false,
                (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") && !self.old => true,
                _ => return Err(HeadError::Coding),
            }
        };
        if chunked {
            if length.is_some() {
                return Err(HeadError::Framing);
            }
            fields.remove(Known::TransferEncoding);
        }
        let bodiless = asked.head_only || matches!(self.status, 101 | 204 | 304);
        let reusable = if self.old { keep && !close } else { !close };
        let body = match length {
            _ if bodiless => Decoder::ended(),
            _ if chunked => Decoder::chunked(),
            Some(length) => Decoder::length(length),
            None => Decoder::until_close(),
        };
        let keep = reusable && self.status != 101 && !body.needs_close();
        Ok(Parsed { head: Head { status, reason, headers: fields.into() }, body, keep })
    }
}

/// A part of a line that begins at `begin`. No head that is held is longer than 4 GiB.
fn place(begin: usize, part: (usize, usize)) -> Place {
    ((begin + part.0) as u32, (begin + part.1) as u32)
}

fn tokens(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

/// The number of a list that repeats one (RFC 9110 section 8.6).
#[cold]
fn repeated(list: &[u8]) -> Option<u64> {
    let mut numbers = tokens(list).map(number);
    let first = numbers.next()??;
    numbers.all(|number| number == Some(first)).then_some(first)
}

fn number(digits: &[u8]) -> Option<u64> {
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
