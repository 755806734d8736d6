//! Taking a body out of its framing.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

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
                    [b'\n', ..] => self.past(buffer, 1, Place::Ended),
                    [b'\r', b'\n', ..] => self.past(buffer, 2, Place::Ended),
                    _ => {
                        let Some((length, trailers)) = trailers(buffer)? else { return Ok(Step::More) };
                        self.past(buffer, length, Place::Ended);
                        return Ok(Step::Trailers(trailers));
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
                [b'\n', ..] => self.past(buffer, 1, Place::Size),
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

/// The number at the beginning of a size line; extensions are passed over.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, rest) = line.split_at(digits);
    let ends = matches!(rest.first(), Some(b'\r' | b'\n' | b';' | b' ' | b'\t'));
    if !ends || digits.is_empty() || digits.len() > 15 {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn trailers(buffer: &[u8]) -> Result<Option<(usize, HeaderMap)>, FramingError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let parsed = httparse::parse_headers(buffer, &mut fields).map_err(|_| FramingError::Trailers)?;
    let httparse::Status::Complete((length, fields)) = parsed else {
        return if buffer.len() > MAX_TRAILERS { Err(FramingError::Trailers) } else { Ok(None) };
    };
    if length > MAX_TRAILERS {
        return Err(FramingError::Trailers);
    }
    let mut trailers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| FramingError::Trailers)?;
        let value = HeaderValue::from_bytes(field.value).map_err(|_| FramingError::Trailers)?;
        trailers.append(name, value);
    }
    Ok(Some((length, trailers)))
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
        let body = b"4\r\nwiki\r\n5;x=\"y\"\r\npedia\r\nE\n in\r\n\r\nchunks.\n0\r\n\r\n";
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
            (b"1\r\nab\r\n", FramingError::End),
            (b"0\r\nno field\r\n\r\n", FramingError::Trailers),
        ] {
            assert_eq!(whole(Decoder::chunked(), body, 64), Err(error), "{:?}", body.escape_ascii());
        }
        let endless = [b'1'; MAX_LINE + 1];
        assert_eq!(whole(Decoder::chunked(), &endless, 64), Err(FramingError::Size));
    }
}
