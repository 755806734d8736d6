//! Taking a body out of its framing.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::line::{Line, stop};
use crate::may_trail;

/// Bytes of a chunk's size line that are read before it is given up.
const MAX_LINE: usize = 4096;
/// Bytes of a trailer section.
const MAX_TRAILERS: usize = 16 * 1024;
/// Bytes of a chunk below which it is copied behind the one before, and of what comes of it at most.
const SHORT_CHUNK: usize = 2 * 1024;
const MAX_JOINED: usize = 16 * 1024;
/// Fields in a trailer section.
const MAX_FIELDS: usize = 64;

/// What is malformed about a chunked body (RFC 9112 section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// A size that is no number or too large, or a line that does not end.
    #[error("malformed chunk size")]
    Size,
    /// Data that is longer than its size says.
    #[error("a chunk does not end where it should")]
    End,
    /// Trailers that are no header fields, or too many.
    #[error("malformed trailers")]
    Trailers,
}

/// Where in a body the reading has got to.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoder(Place);

#[derive(Debug, PartialEq, Eq)]
enum Place {
    Ended,
    /// So many bytes are left.
    Length(u64),
    UntilClose,
    /// A chunk's size line.
    Size,
    /// So many bytes of a chunk are left.
    Data(u64),
    /// The line end after a chunk.
    DataEnd,
    Trailers,
}

/// What the next bytes came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A piece of the body.
    Data(Bytes),
    /// The body has ended with these.
    Trailers(HeaderMap),
    /// More bytes are needed.
    More,
    /// The body has ended.
    Ended,
}

/// The last chunk as nearly everybody writes it.
const LAST: &[u8] = b"\r\n0\r\n\r\n";

impl Decoder {
    /// A body of nothing.
    pub fn ended() -> Self {
        Decoder(Place::Ended)
    }

    /// A body of so many bytes.
    pub fn length(length: u64) -> Self {
        Decoder(if length == 0 { Place::Ended } else { Place::Length(length) })
    }

    /// A body that the connection's end ends.
    pub fn until_close() -> Self {
        Decoder(Place::UntilClose)
    }

    /// A body of chunks.
    pub fn chunked() -> Self {
        Decoder(Place::Size)
    }

    /// Whether the body has ended.
    pub fn is_ended(&self) -> bool {
        self.0 == Place::Ended
    }

    /// Whether only the connection's end ends the body.
    pub fn needs_close(&self) -> bool {
        self.0 == Place::UntilClose
    }

    /// Bytes left, where that is known.
    pub fn left(&self) -> Option<u64> {
        match self.0 {
            Place::Ended => Some(0),
            Place::Length(left) => Some(left),
            _ => None,
        }
    }

    /// The connection has ended: whether the body has, too.
    pub fn close(&mut self) -> bool {
        if self.needs_close() {
            self.0 = Place::Ended;
        }
        self.is_ended()
    }

    /// Takes the next piece off the buffer. Short chunks that are there come joined: each piece costs its consumer
    /// the same, however short it is.
    ///
    /// # Errors
    /// When the framing is malformed.
    pub fn step(&mut self, buffer: &mut BytesMut) -> Result<Step, FramingError> {
        let mut joined = BytesMut::new();
        loop {
            // What comes after the data is found again by the next call.
            let last = matches!(self.0, Place::Trailers | Place::Ended);
            if joined.len() >= MAX_JOINED || last && !joined.is_empty() {
                return Ok(Step::Data(joined.freeze()));
            }
            match self.0 {
                Place::Ended => return Ok(Step::Ended),
                _ if buffer.is_empty() => break,
                Place::UntilClose => return Ok(Step::Data(buffer.split().freeze())),
                Place::Length(left) => {
                    let (data, left) = data(buffer, left);
                    self.0 = if left == 0 { Place::Ended } else { Place::Length(left) };
                    return Ok(Step::Data(data));
                }
                Place::Size | Place::DataEnd => match self.next_chunk(buffer) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(_) if !joined.is_empty() => break,
                    Err(error) => return Err(error),
                },
                Place::Data(left) => {
                    let (data, left) = data(buffer, left);
                    self.0 = if left == 0 { Place::DataEnd } else { Place::Data(left) };
                    // So that the connection is free before the last bytes have left.
                    if left == 0 && buffer.starts_with(LAST) {
                        buffer.advance(LAST.len());
                        self.0 = Place::Ended;
                    }
                    let more = self.0 == Place::DataEnd && buffer.len() > 2;
                    if joined.is_empty() && (!more || data.len() >= SHORT_CHUNK) {
                        return Ok(Step::Data(data));
                    }
                    joined.extend_from_slice(&data);
                }
                Place::Trailers => match &buffer[..] {
                    [b'\r', b'\n', ..] => self.past(buffer, 2, Place::Ended),
                    _ => {
                        let Some((length, trailers)) = trailers(buffer)? else { return Ok(Step::More) };
                        self.past(buffer, length, Place::Ended);
                        if !trailers.is_empty() {
                            return Ok(Step::Trailers(trailers));
                        }
                    }
                },
            }
        }
        Ok(if joined.is_empty() { Step::More } else { Step::Data(joined.freeze()) })
    }

    /// Goes past a line that stands between the data of two chunks; whether all of it is there.
    fn next_chunk(&mut self, buffer: &mut BytesMut) -> Result<bool, FramingError> {
        if self.0 == Place::DataEnd {
            match &buffer[..] {
                [b'\r', b'\n', ..] => self.past(buffer, 2, Place::Size),
                [b'\r'] => return Ok(false),
                _ => return Err(FramingError::End),
            }
            return Ok(true);
        }
        let Some(end) = line(buffer, MAX_LINE).ok_or(FramingError::Size)? else { return Ok(false) };
        let size = size(&buffer[..end]).ok_or(FramingError::Size)?;
        self.past(buffer, end, if size == 0 { Place::Trailers } else { Place::Data(size) });
        Ok(true)
    }

    fn past(&mut self, buffer: &mut BytesMut, length: usize, place: Place) {
        buffer.advance(length);
        self.0 = place;
    }
}

/// Up to `left` bytes of the buffer, and how many are left then.
fn data(buffer: &mut BytesMut, left: u64) -> (Bytes, u64) {
    let here = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
    (buffer.split_to(here).freeze(), left - here as u64)
}

/// Where the first line ends, its line feed included; none inside if it does not yet, none if it is too long.
fn line(buffer: &[u8], most: usize) -> Option<Option<usize>> {
    match memchr::memchr(b'\n', buffer) {
        Some(at) if at < most => Some(Some(at + 1)),
        None if buffer.len() < most => Some(None),
        _ => None,
    }
}

/// The number at the beginning of a size line, which ends as RFC 9112 has it: where one recipient takes a bare CR or LF for
/// the end of a line and another does not, they find different chunks. Extensions are passed over.
fn size(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\r\n")?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, rest) = line.split_at(digits);
    let extends = matches!(rest.trim_ascii_start(), [] | [b';', ..]) && stop(rest) == rest.len();
    if !extends || digits.is_empty() || digits.len() > 15 {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Takes a trailer section apart, and tells how long it is; `None` if it is not complete. Fields that may not stand in
/// one are left out.
fn trailers(buffer: &[u8]) -> Result<Option<(usize, HeaderMap)>, FramingError> {
    let (mut at, mut count) = (0, 0);
    let mut trailers = HeaderMap::new();
    loop {
        let (field, end) = match Line::read(&buffer[at..]) {
            Line::Field { name, value, end } => (Some((name, value)), end),
            Line::Last { end } => (None, end),
            Line::Partial if buffer.len() <= MAX_TRAILERS => return Ok(None),
            Line::Partial | Line::Odd(_) => return Err(FramingError::Trailers),
        };
        let line = &buffer[at..at + end];
        at += end;
        count += 1;
        if at > MAX_TRAILERS || count > MAX_FIELDS + 1 || !line.ends_with(b"\r\n") {
            return Err(FramingError::Trailers);
        }
        let Some((name, (from, to))) = field else { return Ok(Some((at, trailers))) };
        let name = HeaderName::from_bytes(&line[..name]).map_err(|_| FramingError::Trailers)?;
        let value = HeaderValue::from_bytes(&line[from..to]).map_err(|_| FramingError::Trailers)?;
        if may_trail(&name) {
            trailers.append(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a body comes to when it arrives in pieces of that size.
    fn whole(mut decoder: Decoder, body: &[u8], piece: usize) -> Result<(Vec<u8>, HeaderMap), FramingError> {
        let (mut data, mut last) = (Vec::new(), HeaderMap::new());
        let mut buffer = BytesMut::new();
        let mut pieces = body.chunks(piece);
        loop {
            match decoder.step(&mut buffer)? {
                Step::Data(bytes) => data.extend_from_slice(&bytes),
                Step::Trailers(trailers) => last = trailers,
                Step::Ended => return Ok((data, last)),
                Step::More => match pieces.next() {
                    Some(bytes) => buffer.extend_from_slice(bytes),
                    None => {
                        assert!(decoder.close(), "the body has not ended");
                        return Ok((data, last));
                    }
                },
            }
        }
    }

    #[test]
    fn chunks_come_to_the_same_however_they_are_cut() {
        let body = b"4 \r\nwiki\r\n5;x=\"y\"\r\npedia\r\nE \t; z\r\n in\r\n\r\nchunks.\r\n0\r\n\r\n";
        for piece in 1..=body.len() {
            let (data, trailers) = whole(Decoder::chunked(), body, piece).expect("a body");
            assert_eq!(data, b"wikipedia in\r\n\r\nchunks.", "{piece}");
            assert!(trailers.is_empty());
        }
    }

    #[test]
    fn trailers_are_read() {
        let body = b"1\r\na\r\n0\r\nx-sum: 5\r\nx-b: c\r\n\r\n";
        for piece in 1..=body.len() {
            let (data, trailers) = whole(Decoder::chunked(), body, piece).expect("a body");
            assert_eq!(data, b"a");
            assert_eq!((&trailers["x-sum"], trailers.len()), (&HeaderValue::from_static("5"), 2));
        }
    }

    #[test]
    fn trailers_that_would_change_a_message_are_left_out() {
        let fields = "Content-Length: 5\r\nHost: b\r\nX_Real_IP: c\r\nAuthorization: d\r\n";
        for (more, count) in [("", 0), ("X-Sum: 5\r\n", 1)] {
            let body = format!("1\r\na\r\n0\r\n{fields}{more}\r\n");
            for piece in [1, body.len()] {
                let (_, trailers) = whole(Decoder::chunked(), body.as_bytes(), piece).expect("a body");
                assert_eq!(trailers.len(), count, "{trailers:?}");
            }
        }
        let many = |count| format!("0\r\n{}\r\n", "A: b\r\n".repeat(count));
        assert!(whole(Decoder::chunked(), many(MAX_FIELDS).as_bytes(), 4096).is_ok());
        assert!(whole(Decoder::chunked(), many(MAX_FIELDS + 1).as_bytes(), 4096).is_err());
    }

    #[test]
    fn a_body_of_known_length_leaves_what_follows() {
        let mut buffer = BytesMut::from(&b"abcdef"[..]);
        let mut decoder = Decoder::length(4);
        assert_eq!(decoder.step(&mut buffer), Ok(Step::Data(Bytes::from_static(b"abcd"))));
        assert!(decoder.is_ended());
        assert_eq!(&buffer[..], b"ef");
        assert!(!Decoder::length(1).close());
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for (body, error) in [
            (&b"g\r\n"[..], FramingError::Size),
            (b"\r\n", FramingError::Size),
            (b"-1\r\n", FramingError::Size),
            (b"0x1\r\n", FramingError::Size),
            (b"1000000000000000\r\n", FramingError::Size),
            (b"1\n", FramingError::Size),
            (b"1\rX\r\n", FramingError::Size),
            (b"1;a\n", FramingError::Size),
            (b"1;a\rb\r\n", FramingError::Size),
            (b"1;a\0\r\n", FramingError::Size),
            (b"1 a\r\n", FramingError::Size),
            (b" 1\r\n", FramingError::Size),
            (b"1\r\na\n0\r\n\r\n", FramingError::End),
            (b"1\r\na\rb0\r\n\r\n", FramingError::End),
            (b"0\r\n\n", FramingError::Trailers),
            (b"0\r\nA: b\n\r\n", FramingError::Trailers),
            (b"0\r\nA: b\rc\r\n\r\n", FramingError::Trailers),
            (b"0\r\nA : b\r\n\r\n", FramingError::Trailers),
            (b"0\r\nA(: b\r\n\r\n", FramingError::Trailers),
            (b"0\r\nA: b\r\n c\r\n\r\n", FramingError::Trailers),
            (b"1\r\nab\r\n", FramingError::End),
            (b"0\r\nno field\r\n\r\n", FramingError::Trailers),
        ] {
            assert_eq!(whole(Decoder::chunked(), body, 64), Err(error), "{:?}", body.escape_ascii());
        }
        let endless = [b'1'; MAX_LINE + 1];
        assert_eq!(whole(Decoder::chunked(), &endless, 64), Err(FramingError::Size));
    }
}
