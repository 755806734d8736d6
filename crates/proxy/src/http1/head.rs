//! Reading a request's head, as strictly as Kong's server does.

use bytes::BytesMut;
use http::{Method, Uri, Version};

use super::target::{self, Form};
use crate::fault::Fault;
use http_codec::{Decoder, Fields, Headers, Known, Line, MAX_NAME, Place, RawHead, is_token};
use runtime::HeadLimits;

/// Most fields in a head.
const MAX_FIELDS: usize = 1000;

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Malformed, or two ways to frame its body.
    Malformed,
    /// The request line is too long.
    LineTooLong,
    /// A header or all of them are too long, or there are too many.
    HeadTooLong,
    /// A transfer coding other than chunked.
    Coding,
    /// A version that is not 1.x.
    Version,
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed => Fault::BadRequest("malformed head"),
            Refusal::LineTooLong => Fault::UriTooLong,
            Refusal::HeadTooLong => Fault::HeadersTooLong,
            Refusal::Coding => Fault::NotImplemented,
            Refusal::Version => Fault::Version,
        }
    }
}

/// A request's head.
#[derive(Debug)]
pub struct Head {
    /// Method.
    pub method: Method,
    /// Target; bytes in it that Kong passes and [`Uri`] does not are escaped.
    pub uri: Uri,
    /// 1.0 or 1.1.
    pub version: Version,
    /// Headers; one without a colon has no value.
    pub headers: Headers,
    /// Reads the body.
    pub body: Decoder,
    /// Whether the client lets another request follow.
    pub keep: bool,
    /// Whether the client waits for 100 (Continue) before it sends the body.
    pub expects: bool,
}

impl Head {
    /// What stands for a request that is refused.
    pub fn stand_in() -> Self {
        Head {
            method: Method::GET,
            uri: Uri::default(),
            version: Version::HTTP_11,
            headers: Headers::default(),
            body: Decoder::ended(),
            keep: false,
            expects: false,
        }
    }
}

/// How far a head has been read.
#[derive(Debug)]
pub enum Scanned {
    /// More bytes are needed.
    Partial,
    /// It is complete: [`Scan::take`] has it.
    Complete,
    /// It is not acceptable.
    Refused(Refusal),
}

/// Reads a head line by line; goes on where it stopped when more bytes are there.
#[derive(Debug, Default)]
pub struct Scan {
    at: usize,
    said: Said,
    fields: Fields,
}

/// What a head has said so far, besides its fields.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    started: bool,
    method: Place,
    target: Place,
    /// Whether the target holds bytes to be escaped.
    odd: bool,
    old: bool,
    length: Option<u64>,
    chunked: bool,
    keep: bool,
    close: bool,
    expects: bool,
}

/// Bytes of empty lines that are passed over before a request line.
const MAX_BLANK_BYTES: usize = 64;

impl Scan {
    /// Reads on. `bytes` begins where it began the last time.
    pub fn advance(&mut self, bytes: &[u8], limits: HeadLimits) -> Scanned {
        loop {
            let begin = self.at;
            let rest = &bytes[begin..];
            // Most lines are fields with nothing odd about them.
            if self.said.started
                && let Line::Field { name, value, end } = Line::read(rest)
                && self.too_long(end - 1, begin + end - 1, limits).is_none()
            {
                self.at += end;
                let (name, text) = (&rest[..name], &rest[value.0..value.1]);
                let known = Known::of(name);
                let taken =
                    self.hear(known, text).and_then(|()| self.keep(known, name, text, begin, value.0));
                match taken {
                    Ok(()) => continue,
                    Err(refusal) => return Scanned::Refused(refusal),
                }
            }
            let Some(end) = memchr::memchr(b'\n', rest) else {
                return match self.too_long(rest.len(), bytes.len(), limits) {
                    Some(refusal) => Scanned::Refused(refusal),
                    None => Scanned::Partial,
                };
            };
            if let Some(refusal) = self.too_long(end, begin + end, limits) {
                return Scanned::Refused(refusal);
            }
            self.at += end + 1;
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            let checked = match (self.said.started, line) {
                // RFC 9112 section 2.2 lets a server pass over empty lines; a client has no use for many.
                (false, b"") if self.at <= MAX_BLANK_BYTES => continue,
                (false, b"") => return Scanned::Refused(Refusal::Malformed),
                (false, _) => self.request_line(line, begin),
                (true, b"") => return self.complete(),
                (true, _) => self.odd_field(line, begin),
            };
            if let Err(refusal) = checked {
                return Scanned::Refused(refusal);
            }
        }
    }

    fn too_long(&self, line: usize, head: usize, limits: HeadLimits) -> Option<Refusal> {
        match self.said.started {
            false if line > limits.line => Some(Refusal::LineTooLong),
            true if line > limits.line || head > limits.total => Some(Refusal::HeadTooLong),
            _ => None,
        }
    }

    fn request_line(&mut self, line: &[u8], begin: usize) -> Result<(), Refusal> {
        let said = &mut self.said;
        said.started = true;
        // Every version that is one has as many bytes.
        let Some((line, [b' ', version @ ..])) = line.split_last_chunk::<9>() else {
            return Err(Refusal::Malformed);
        };
        let fits = |b: u8| b.is_ascii_uppercase() || matches!(b, b'_' | b'-');
        let (method, target) = match line.iter().position(|&b| !fits(b)) {
            Some(blank) if blank > 0 && line[blank] == b' ' => (&line[..blank], &line[blank + 1..]),
            _ => return Err(Refusal::Malformed),
        };
        let form = target::check(target).ok_or(Refusal::Malformed)?;
        said.odd = form == Form::Odd;
        said.method = place(begin, 0, method);
        said.target = place(begin, method.len() + 1, target);
        match version {
            b"HTTP/1.0" => {
                said.old = true;
                Ok(())
            }
            // A later minor version is served as the last one that is known (RFC 9110 section 2.5).
            [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9'] => Ok(()),
            [b'H', b'T', b'T', b'P', b'/', major @ b'2'..=b'9', b'.', b'0'..=b'9'] if *major > b'1' => {
                Err(Refusal::Version)
            }
            _ => Err(Refusal::Malformed),
        }
    }

    /// A line that [`Line`] does not take for a field. What it says counts before what is wrong with it does.
    fn odd_field(&mut self, line: &[u8], begin: usize) -> Result<(), Refusal> {
        let (name, (blank, value)) = match line.iter().position(|&b| !is_token(b)) {
            Some(colon) if colon > 0 && line[colon] == b':' => (&line[..colon], trimmed(&line[colon + 1..])),
            Some(_) => return Err(Refusal::Malformed),
            None => (line, (0, &b""[..])),
        };
        let known = Known::of(name);
        self.hear(known, value)?;
        if name.len() < line.len() {
            return Err(Refusal::Malformed);
        }
        self.keep(known, name, value, begin, name.len() + 1 + blank)
    }

    /// Notes what a field says of the body and of the connection.
    fn hear(&mut self, known: Option<Known>, value: &[u8]) -> Result<(), Refusal> {
        let said = &mut self.said;
        match known {
            Some(Known::TransferEncoding) => {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Refusal::Coding);
                }
                if said.chunked || said.old {
                    return Err(Refusal::Malformed);
                }
                said.chunked = true;
            }
            Some(Known::ContentLength) => {
                if said.length.is_some() || value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
                    return Err(Refusal::Malformed);
                }
                let digits = std::str::from_utf8(value).map_err(|_| Refusal::Malformed)?;
                // As nginx: readers that have signed numbers would take a larger one for something else.
                let length: i64 = digits.parse().map_err(|_| Refusal::Malformed)?;
                said.length = Some(length.unsigned_abs());
            }
            Some(Known::Connection) => {
                for token in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                    said.close |= token.eq_ignore_ascii_case(b"close");
                    said.keep |= token.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            Some(Known::Expect) => {
                said.expects = value.eq_ignore_ascii_case(b"100-continue");
            }
            _ => {}
        }
        // Where one reader takes the first of two and another one the last, they see different requests.
        match known {
            Some(known) if known.is_singleton() && self.fields.has(&[known]) => Err(Refusal::Malformed),
            _ => Ok(()),
        }
    }

    /// Keeps a field, unless an upstream could take it for one of the gateway's own. Its name stands at `begin` and whose value stands `offset` bytes after that.
    fn keep(
        &mut self,
        known: Option<Known>,
        name: &[u8],
        value: &[u8],
        begin: usize,
        offset: usize,
    ) -> Result<(), Refusal> {
        if name.len() >= MAX_NAME {
            return Err(Refusal::Malformed);
        }
        if known == Some(Known::LookAlike) {
            return Ok(());
        }
        if self.fields.len() == MAX_FIELDS {
            return Err(Refusal::HeadTooLong);
        }
        self.fields.push(place(begin, 0, name), place(begin, offset, value), known);
        Ok(())
    }

    fn complete(&self) -> Scanned {
        if self.said.chunked && self.said.length.is_some() {
            return Scanned::Refused(Refusal::Malformed);
        }
        Scanned::Complete
    }

    /// Takes the complete head off the buffer it was read in, and begins anew.
    ///
    /// # Errors
    /// When the target is none.
    pub fn take(&mut self, buffer: &mut BytesMut) -> Result<Head, Refusal> {
        let Scan { at, said, mut fields } = std::mem::take(self);
        let raw = RawHead::new(buffer.split_to(at).freeze());
        let target = raw.share(said.target);
        let target = if said.odd { target::escaped(&target) } else { target };
        let method = Method::from_bytes(raw.part(said.method)).map_err(|_| Refusal::Malformed)?;
        fields.complete(raw);
        Ok(Head {
            method,
            uri: Uri::from_maybe_shared(target).map_err(|_| Refusal::Malformed)?,
            version: if said.old { Version::HTTP_10 } else { Version::HTTP_11 },
            headers: fields.into(),
            body: match said.length {
                _ if said.chunked => Decoder::chunked(),
                Some(length) => Decoder::length(length),
                None => Decoder::ended(),
            },
            keep: !said.close && (said.keep || !said.old),
            expects: said.expects && !said.old,
        })
    }
}

/// Where a part lies that begins `offset` bytes into a line that begins at `begin`. Heads are bounded, far below
/// 4 GiB.
fn place(begin: usize, offset: usize, part: &[u8]) -> Place {
    let at = begin + offset;
    (at as u32, (at + part.len()) as u32)
}

/// A value without the blanks around it, and how many stand before it.
fn trimmed(value: &[u8]) -> (usize, &[u8]) {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let start = value.iter().position(|b| !blank(b)).unwrap_or(value.len());
    let end = value.iter().rposition(|b| !blank(b)).map_or(start, |at| at + 1);
    (start, &value[start..end])
}

#[cfg(test)]
mod tests;
