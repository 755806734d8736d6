//! Decoder for the framing of HTTP/1.1 message bodies (RFC 9112 sections 6 and 7).
//!
//! ```text
//!   length(n) --> Length(remaining) --------------------------------------+
//!                                                                         v
//!   chunked() --> Size --(size > 0)--> Data(remaining) --> DataEnd      Ended
//!                 |  ^                       |                |           ^
//!                 |  +-----------------------(----------------+           |
//!                 |                          +--(last chunk follows)------+
//!                 +-----(size = 0)-----> Trailers ------------------------+
//!                                                                         |
//!   until_close() --> UntilClose --(close())------------------------------+
//! ```

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::line::{FieldLine, find_control};
use crate::is_allowed_in_trailers;

/// Limit for a chunk's size line, extensions included.
const MAX_SIZE_LINE_BYTES: usize = 4096;
/// Limit for a trailer section.
const MAX_TRAILER_BYTES: usize = 16 * 1024;
/// Limit for the number of fields in a trailer section.
const MAX_TRAILER_FIELDS: usize = 64;
/// Chunks of at least this length are returned without a copy.
const MIN_ZERO_COPY_BYTES: usize = 2 * 1024;
/// Shorter chunks are joined until the result has this length.
const MAX_JOINED_BYTES: usize = 16 * 1024;

/// Error in the framing of a chunked body (RFC 9112 section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// The size is not a number or too large, or its line is too long.
    #[error("malformed chunk size")]
    Size,
    /// The data is not followed by CRLF.
    #[error("a chunk does not end where it should")]
    End,
    /// The trailers are not header fields, or there are too many.
    #[error("malformed trailers")]
    Trailers,
}

/// Incremental decoder of one message body.
#[derive(Debug, PartialEq, Eq)]
pub struct BodyDecoder(State);

#[derive(Debug, PartialEq, Eq)]
enum State {
    Ended,
    /// Remaining bytes of a body with a Content-Length.
    Length(u64),
    /// A body that is delimited by the end of the connection.
    UntilClose,
    /// Expects a chunk's size line.
    Size,
    /// Remaining bytes of a chunk's data.
    Data(u64),
    /// Expects the CRLF behind a chunk's data.
    DataEnd,
    Trailers,
}

/// Result of one decoding step.
#[derive(Debug, PartialEq, Eq)]
pub enum DecodeStep {
    /// Data of the body.
    Data(Bytes),
    /// The body has ended with this trailer section.
    Trailers(HeaderMap),
    /// More bytes are needed.
    NeedMore,
    /// The body has ended.
    Ended,
}

/// End of the data, last chunk and empty trailer section, as nearly all peers send them.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

impl BodyDecoder {
    /// Creates a decoder for an empty body.
    pub fn ended() -> Self {
        BodyDecoder(State::Ended)
    }

    /// Creates a decoder for a body with a Content-Length.
    pub fn length(length: u64) -> Self {
        BodyDecoder(if length == 0 { State::Ended } else { State::Length(length) })
    }

    /// Creates a decoder for a body that is delimited by the end of the connection.
    pub fn until_close() -> Self {
        BodyDecoder(State::UntilClose)
    }

    /// Creates a decoder for a chunked body.
    pub fn chunked() -> Self {
        BodyDecoder(State::Size)
    }

    /// Returns whether the body has ended.
    pub fn is_ended(&self) -> bool {
        self.0 == State::Ended
    }

    /// Returns whether the body is delimited by the end of the connection.
    pub fn needs_close(&self) -> bool {
        self.0 == State::UntilClose
    }

    /// Returns the remaining bytes of the body, if known.
    pub fn remaining(&self) -> Option<u64> {
        match self.0 {
            State::Ended => Some(0),
            State::Length(remaining) => Some(remaining),
            _ => None,
        }
    }

    /// Records the end of the connection, and returns whether the body is complete.
    pub fn close(&mut self) -> bool {
        if self.needs_close() {
            self.0 = State::Ended;
        }
        self.is_ended()
    }

    /// Consumes the next part of the body from the buffer. Short chunks are joined if they are in the buffer: each frame
    /// has a fixed cost for the consumer.
    ///
    /// # Errors
    /// Returns an error if the framing is malformed.
    pub fn step(&mut self, buffer: &mut BytesMut) -> Result<DecodeStep, FramingError> {
        let mut joined = BytesMut::new();
        loop {
            // Return the data first: the next call decodes the end.
            let at_end = matches!(self.0, State::Trailers | State::Ended);
            if joined.len() >= MAX_JOINED_BYTES || at_end && !joined.is_empty() {
                return Ok(DecodeStep::Data(joined.freeze()));
            }
            match self.0 {
                State::Ended => return Ok(DecodeStep::Ended),
                _ if buffer.is_empty() => break,
                State::UntilClose => return Ok(DecodeStep::Data(buffer.split().freeze())),
                State::Length(remaining) => {
                    let (data, remaining) = split_data(buffer, remaining);
                    self.0 = if remaining == 0 { State::Ended } else { State::Length(remaining) };
                    return Ok(DecodeStep::Data(data));
                }
                State::Size | State::DataEnd => match self.next_chunk(buffer) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(_) if !joined.is_empty() => break,
                    Err(error) => return Err(error),
                },
                State::Data(remaining) => {
                    let (data, remaining) = split_data(buffer, remaining);
                    self.0 = if remaining == 0 { State::DataEnd } else { State::Data(remaining) };
                    // Decode the end with the last data: the connection can be reused before the consumer has sent it.
                    if remaining == 0 && buffer.starts_with(LAST_CHUNK) {
                        buffer.advance(LAST_CHUNK.len());
                        self.0 = State::Ended;
                    }
                    let has_more = self.0 == State::DataEnd && buffer.len() > 2;
                    if joined.is_empty() && (!has_more || data.len() >= MIN_ZERO_COPY_BYTES) {
                        return Ok(DecodeStep::Data(data));
                    }
                    joined.extend_from_slice(&data);
                }
                State::Trailers => match &buffer[..] {
                    [b'\r', b'\n', ..] => self.advance(buffer, 2, State::Ended),
                    _ => {
                        let Some((length, trailers)) = parse_trailers(buffer)? else {
                            return Ok(DecodeStep::NeedMore);
                        };
                        self.advance(buffer, length, State::Ended);
                        if !trailers.is_empty() {
                            return Ok(DecodeStep::Trailers(trailers));
                        }
                    }
                },
            }
        }
        Ok(if joined.is_empty() { DecodeStep::NeedMore } else { DecodeStep::Data(joined.freeze()) })
    }

    /// Consumes the CRLF behind a chunk or the size line before one. Returns whether it was complete.
    fn next_chunk(&mut self, buffer: &mut BytesMut) -> Result<bool, FramingError> {
        if self.0 == State::DataEnd {
            match &buffer[..] {
                [b'\r', b'\n', ..] => self.advance(buffer, 2, State::Size),
                [b'\r'] => return Ok(false),
                _ => return Err(FramingError::End),
            }
            return Ok(true);
        }
        let end = match find_line_end(buffer, MAX_SIZE_LINE_BYTES) {
            LineEnd::At(end) => end,
            LineEnd::Partial => return Ok(false),
            LineEnd::TooLong => return Err(FramingError::Size),
        };
        let size = parse_size(&buffer[..end]).ok_or(FramingError::Size)?;
        self.advance(buffer, end, if size == 0 { State::Trailers } else { State::Data(size) });
        Ok(true)
    }

    fn advance(&mut self, buffer: &mut BytesMut, length: usize, state: State) {
        buffer.advance(length);
        self.0 = state;
    }
}

/// Splits up to `remaining` bytes off the buffer, and returns them with the number of bytes that remain after them.
fn split_data(buffer: &mut BytesMut, remaining: u64) -> (Bytes, u64) {
    let length = usize::try_from(remaining).unwrap_or(usize::MAX).min(buffer.len());
    (buffer.split_to(length).freeze(), remaining - length as u64)
}

enum LineEnd {
    /// Index behind the line feed.
    At(usize),
    /// More bytes are needed.
    Partial,
    TooLong,
}

/// Finds the end of the first line.
fn find_line_end(buffer: &[u8], max_len: usize) -> LineEnd {
    match memchr::memchr(b'\n', buffer) {
        Some(at) if at < max_len => LineEnd::At(at + 1),
        None if buffer.len() < max_len => LineEnd::Partial,
        _ => LineEnd::TooLong,
    }
}

/// Parses a size line, and ignores chunk extensions.
///
/// Only CRLF ends the line (RFC 9112 section 7.1): recipients that disagree about a bare CR or LF would see different
/// chunks (request smuggling).
fn parse_size(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\r\n")?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, extensions) = line.split_at(digits);
    let is_valid = matches!(extensions.trim_ascii_start(), [] | [b';', ..])
        && find_control(extensions) == extensions.len();
    // 15 digits cannot overflow.
    if !is_valid || digits.is_empty() || digits.len() > 15 {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Parses a trailer section, and returns its length and fields; `None` if it is not complete. Fields that are not
/// allowed in trailers are dropped ([`is_allowed_in_trailers`]).
fn parse_trailers(buffer: &[u8]) -> Result<Option<(usize, HeaderMap)>, FramingError> {
    let (mut at, mut count) = (0, 0);
    let mut trailers = HeaderMap::new();
    loop {
        let (field, end) = match FieldLine::parse(&buffer[at..]) {
            FieldLine::Field { name, value, end } => (Some((name, value)), end),
            FieldLine::End { end } => (None, end),
            FieldLine::Partial if buffer.len() <= MAX_TRAILER_BYTES => return Ok(None),
            FieldLine::Partial | FieldLine::Malformed(_) => return Err(FramingError::Trailers),
        };
        let line = &buffer[at..at + end];
        at += end;
        count += 1;
        if at > MAX_TRAILER_BYTES || count > MAX_TRAILER_FIELDS + 1 || !line.ends_with(b"\r\n") {
            return Err(FramingError::Trailers);
        }
        let Some((name, (from, to))) = field else { return Ok(Some((at, trailers))) };
        let name = HeaderName::from_bytes(&line[..name]).map_err(|_| FramingError::Trailers)?;
        let value = HeaderValue::from_bytes(&line[from..to]).map_err(|_| FramingError::Trailers)?;
        if is_allowed_in_trailers(&name) {
            trailers.append(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes a body that is received in pieces of that size.
    fn decode_all(
        mut decoder: BodyDecoder,
        body: &[u8],
        piece: usize,
    ) -> Result<(Vec<u8>, HeaderMap), FramingError> {
        let (mut data, mut last) = (Vec::new(), HeaderMap::new());
        let mut buffer = BytesMut::new();
        let mut pieces = body.chunks(piece);
        loop {
            match decoder.step(&mut buffer)? {
                DecodeStep::Data(bytes) => data.extend_from_slice(&bytes),
                DecodeStep::Trailers(trailers) => last = trailers,
                DecodeStep::Ended => return Ok((data, last)),
                DecodeStep::NeedMore => match pieces.next() {
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
    fn chunks_decode_the_same_at_any_split() {
        let body = b"4 \r\nwiki\r\n5;x=\"y\"\r\npedia\r\nE \t; z\r\n in\r\n\r\nchunks.\r\n0\r\n\r\n";
        for piece in 1..=body.len() {
            let (data, trailers) = decode_all(BodyDecoder::chunked(), body, piece).expect("a body");
            assert_eq!(data, b"wikipedia in\r\n\r\nchunks.", "{piece}");
            assert!(trailers.is_empty());
        }
    }

    #[test]
    fn trailers_are_decoded() {
        let body = b"1\r\na\r\n0\r\nx-sum: 5\r\nx-b: c\r\n\r\n";
        for piece in 1..=body.len() {
            let (data, trailers) = decode_all(BodyDecoder::chunked(), body, piece).expect("a body");
            assert_eq!(data, b"a");
            assert_eq!((&trailers["x-sum"], trailers.len()), (&HeaderValue::from_static("5"), 2));
        }
    }

    #[test]
    fn forbidden_trailers_are_dropped() {
        let fields = "Content-Length: 5\r\nHost: b\r\nX_Real_IP: c\r\nAuthorization: d\r\n";
        for (more, count) in [("", 0), ("X-Sum: 5\r\n", 1)] {
            let body = format!("1\r\na\r\n0\r\n{fields}{more}\r\n");
            for piece in [1, body.len()] {
                let (_, trailers) =
                    decode_all(BodyDecoder::chunked(), body.as_bytes(), piece).expect("a body");
                assert_eq!(trailers.len(), count, "{trailers:?}");
            }
        }
        let many = |count| format!("0\r\n{}\r\n", "A: b\r\n".repeat(count));
        assert!(decode_all(BodyDecoder::chunked(), many(MAX_TRAILER_FIELDS).as_bytes(), 4096).is_ok());
        assert!(decode_all(BodyDecoder::chunked(), many(MAX_TRAILER_FIELDS + 1).as_bytes(), 4096).is_err());
    }

    #[test]
    fn a_body_with_a_content_length_leaves_the_next_message_in_the_buffer() {
        let mut buffer = BytesMut::from(&b"abcdef"[..]);
        let mut decoder = BodyDecoder::length(4);
        assert_eq!(decoder.step(&mut buffer), Ok(DecodeStep::Data(Bytes::from_static(b"abcd"))));
        assert!(decoder.is_ended());
        assert_eq!(&buffer[..], b"ef");
        assert!(!BodyDecoder::length(1).close());
    }

    #[test]
    fn malformed_chunks_are_rejected() {
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
            assert_eq!(decode_all(BodyDecoder::chunked(), body, 64), Err(error), "{:?}", body.escape_ascii());
        }
        let endless = [b'1'; MAX_SIZE_LINE_BYTES + 1];
        assert_eq!(decode_all(BodyDecoder::chunked(), &endless, 64), Err(FramingError::Size));
    }
}
