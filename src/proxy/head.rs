//! Reading HTTP/1 heads and chunk frames as strictly as Kong's server does. Knows bytes only.

use super::fault::Fault;
use crate::runtime::HeadLimits;

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Malformed, or two ways to frame its body.
    Malformed,
    /// The request line is too long.
    LineTooLong,
    /// A header or all of them are too long.
    HeadTooLong,
    /// A transfer coding other than chunked.
    Coding,
    /// A version that is not 1.x.
    Version,
}

impl Refusal {
    const ALL: [Self; 5] =
        [Self::Malformed, Self::LineTooLong, Self::HeadTooLong, Self::Coding, Self::Version];

    /// A number for it.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The refusal of that number.
    pub fn from_code(code: u8) -> Self {
        Self::ALL.get(usize::from(code)).copied().unwrap_or(Self::Malformed)
    }
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

/// Where a request's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes.
    Length(u64),
    /// With its last chunk.
    Chunked,
}

/// How far a head has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scanned {
    /// More bytes are needed.
    Partial,
    /// It is complete; where it is to be mended, before hyper may see it (see [`mended`]).
    Complete {
        /// Bytes of the head, its empty line included.
        length: usize,
        /// Where the body ends.
        framing: Framing,
        /// Whether it must be rewritten.
        mend: bool,
    },
    /// It is not acceptable.
    Refused(Refusal),
}

/// Reads a head line by line; goes on where it stopped when more bytes are there.
#[derive(Debug, Default)]
pub struct Scan {
    at: usize,
    started: bool,
    old: bool,
    mend: bool,
    length: Option<u64>,
    chunked: bool,
}

impl Scan {
    /// Reads on. `bytes` begins where it began the last time.
    pub fn advance(&mut self, bytes: &[u8], limits: HeadLimits) -> Scanned {
        loop {
            let rest = &bytes[self.at..];
            let Some(end) = memchr::memchr(b'\n', rest) else {
                return match self.too_long(rest.len(), bytes.len(), limits) {
                    Some(refusal) => Scanned::Refused(refusal),
                    None => Scanned::Partial,
                };
            };
            if let Some(refusal) = self.too_long(end, self.at + end, limits) {
                return Scanned::Refused(refusal);
            }
            self.at += end + 1;
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            let checked = match (self.started, line) {
                (false, b"") => continue,
                (false, _) => self.request_line(line),
                (true, b"") => return self.complete(),
                (true, _) => self.field(line),
            };
            if let Err(refusal) = checked {
                return Scanned::Refused(refusal);
            }
        }
    }

    fn too_long(&self, line: usize, head: usize, limits: HeadLimits) -> Option<Refusal> {
        match self.started {
            false if line > limits.line => Some(Refusal::LineTooLong),
            true if line > limits.line || head > limits.total => Some(Refusal::HeadTooLong),
            _ => None,
        }
    }

    fn request_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        self.started = true;
        let mut parts = line.splitn(3, |&b| b == b' ');
        let (Some(method), Some(target), Some(version)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Refusal::Malformed);
        };
        let fits = |b: &u8| b.is_ascii_uppercase() || matches!(b, b'_' | b'-');
        if method.is_empty() || !method.iter().all(fits) || target.is_empty() {
            return Err(Refusal::Malformed);
        }
        if target[0] != b'/' && !is_absolute(target) {
            return Err(Refusal::Malformed);
        }
        let mut odd = false;
        for &byte in target {
            if byte <= b' ' || byte == 0x7f {
                return Err(Refusal::Malformed);
            }
            odd |= needs_escape(byte);
        }
        self.mend |= odd;
        match version {
            b"HTTP/1.1" => Ok(()),
            b"HTTP/1.0" => {
                self.old = true;
                Ok(())
            }
            [b'H', b'T', b'T', b'P', b'/', major @ b'2'..=b'9', b'.', b'0'..=b'9'] if *major > b'1' => {
                Err(Refusal::Version)
            }
            _ => Err(Refusal::Malformed),
        }
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Refusal> {
        // A colon is no token either: the first byte that is none has to be it.
        let (name, value) = match line.iter().position(|&b| !TOKEN[usize::from(b)]) {
            Some(colon) if line[colon] == b':' => (&line[..colon], trimmed(&line[colon + 1..])),
            Some(_) => return Err(Refusal::Malformed),
            None => {
                self.mend = true;
                (line, &b""[..])
            }
        };
        if name.is_empty() {
            return Err(Refusal::Malformed);
        }
        match name.len() {
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Refusal::Coding);
                }
                if self.chunked || self.old {
                    return Err(Refusal::Malformed);
                }
                self.chunked = true;
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() || value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
                    return Err(Refusal::Malformed);
                }
                let digits = std::str::from_utf8(value).map_err(|_| Refusal::Malformed)?;
                self.length = Some(digits.parse().map_err(|_| Refusal::Malformed)?);
            }
            _ => {}
        }
        // No early exit, so that it runs over several bytes at once.
        let control = value.iter().fold(false, |bad, &b| bad | (b < b' ' && b != b'\t') | (b == 0x7f));
        if control { Err(Refusal::Malformed) } else { Ok(()) }
    }

    fn complete(&self) -> Scanned {
        let framing = match (self.chunked, self.length) {
            (true, Some(_)) => return Scanned::Refused(Refusal::Malformed),
            (true, None) => Framing::Chunked,
            (false, length) => Framing::Length(length.unwrap_or(0)),
        };
        Scanned::Complete { length: self.at, framing, mend: self.mend }
    }
}

/// Whether a target names a scheme and an authority. Other forms than that and a path are not served.
fn is_absolute(target: &[u8]) -> bool {
    let scheme = target.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let scheme = scheme.count();
    target[0].is_ascii_alphabetic() && target[scheme..].starts_with(b"://")
}

fn trimmed(value: &[u8]) -> &[u8] {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let start = value.iter().position(|b| !blank(b)).unwrap_or(value.len());
    let end = value.iter().rposition(|b| !blank(b)).map_or(start, |at| at + 1);
    &value[start..end]
}

/// Bytes of a target that Kong passes and `http::Uri` refuses.
fn needs_escape(byte: u8) -> bool {
    byte >= 0x80 || matches!(byte, b'<' | b'>' | b'"' | b'`')
}

/// A complete head with its oddities mended: a header without a colon is one without a value, and a target's
/// unusual bytes are escaped.
pub fn mended(head: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len() + 16);
    let mut started = false;
    for line in head.split_inclusive(|&b| b == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.is_empty() {
            out.extend_from_slice(line);
        } else if !started {
            started = true;
            for &byte in text {
                if needs_escape(byte) {
                    out.extend_from_slice(format!("%{byte:02X}").as_bytes());
                } else {
                    out.push(byte);
                }
            }
            out.extend_from_slice(b"\r\n");
        } else {
            out.extend_from_slice(text);
            if !text.contains(&b':') {
                out.push(b':');
            }
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

/// RFC 9110 section 5.6.2.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    table
};

/// Follows the frames of a chunked body to its end. What is wrong with them is hyper's to say: after an error
/// it takes all that comes for the body.
#[derive(Debug, Default)]
pub struct Chunks {
    place: Place,
    size: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Size,
    /// Behind the size: extensions, until the line ends.
    Extension,
    Data,
    /// The line end after the data.
    DataEnd,
    /// A line of the trailer section; whether anything is on it.
    Trailer(bool),
    Lost,
}

impl Chunks {
    /// Reads on; so many bytes belong to the body, and whether it has ended with them.
    pub fn advance(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            match self.place {
                Place::Data => {
                    let here = usize::try_from(self.size).unwrap_or(usize::MAX).min(bytes.len() - at);
                    self.size -= here as u64;
                    at += here;
                    if self.size == 0 {
                        self.place = Place::DataEnd;
                    }
                    continue;
                }
                Place::Size => match (byte as char).to_digit(16) {
                    Some(digit) if self.size >> 60 == 0 => self.size = self.size << 4 | u64::from(digit),
                    Some(_) => self.place = Place::Lost,
                    None if byte == b'\n' => self.sized(),
                    None if matches!(byte, b'\r' | b';' | b' ' | b'\t') => self.place = Place::Extension,
                    None => self.place = Place::Lost,
                },
                Place::Extension if byte == b'\n' => self.sized(),
                Place::Extension => {}
                Place::DataEnd => match byte {
                    b'\r' => {}
                    b'\n' => self.place = Place::Size,
                    _ => self.place = Place::Lost,
                },
                Place::Trailer(false) if byte == b'\n' => return (at + 1, true),
                Place::Trailer(_) => {
                    self.place = Place::Trailer(
                        !matches!(byte, b'\n') && (byte != b'\r' || self.place == Place::Trailer(true)),
                    )
                }
                Place::Lost => return (bytes.len(), false),
            }
            at += 1;
        }
        (at, false)
    }

    fn sized(&mut self) {
        self.place = if self.size == 0 { Place::Trailer(false) } else { Place::Data };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(head: &str) -> Scanned {
        Scan::default().advance(head.as_bytes(), HeadLimits::default())
    }

    fn refused(head: &str) -> Option<Refusal> {
        match scan(head) {
            Scanned::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    #[test]
    fn a_plain_head_is_complete_with_its_framing() {
        let head = "\r\nPOST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n";
        let framing = Framing::Length(12);
        assert_eq!(scan(head), Scanned::Complete { length: head.len(), framing, mend: false });
        let head = "POST /a HTTP/1.1\nTransfer-Encoding: CHUNKED\n\nrest";
        let framing = Framing::Chunked;
        assert_eq!(scan(head), Scanned::Complete { length: head.len() - 4, framing, mend: false });
    }

    #[test]
    fn a_head_in_pieces_gives_the_same_as_in_one() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
        let mut scan = Scan::default();
        for end in 0..head.len() {
            assert_eq!(scan.advance(&head[..end], HeadLimits::default()), Scanned::Partial, "{end}");
        }
        assert!(matches!(scan.advance(head, HeadLimits::default()), Scanned::Complete { .. }));
    }

    #[test]
    fn two_framings_are_refused() {
        for fields in [
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 1",
            "Content-Length: 1\r\nContent-Length: 1",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Content-Length: +1",
            "Content-Length: 1, 1",
            "Content-Length:",
            "Content-Length : 1",
            "Content-Length: 99999999999999999999",
        ] {
            let head = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
            assert_eq!(refused(&head), Some(Refusal::Malformed), "{fields}");
        }
        for coding in ["gzip, chunked", "", "\u{b}chunked", "identity"] {
            let head = format!("POST / HTTP/1.1\r\nTransfer-Encoding: {coding}\r\n\r\n");
            assert_eq!(refused(&head), Some(Refusal::Coding), "{coding}");
        }
        let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(refused(old), Some(Refusal::Malformed));
    }

    #[test]
    fn request_lines_are_checked() {
        for line in [
            "NONSENSE",
            "get / HTTP/1.1",
            "GET / HTTP/1",
            "GET / http/1.1",
            "GET /a b HTTP/1.1",
            "GET\t/\tHTTP/1.1",
            "GET foo HTTP/1.1",
            "OPTIONS * HTTP/1.1",
        ] {
            assert_eq!(refused(&format!("{line}\r\n\r\n")), Some(Refusal::Malformed), "{line}");
        }
        assert_eq!(refused("GET / HTTP/3.7\r\n\r\n"), Some(Refusal::Version));
    }

    #[test]
    fn long_lines_are_refused_before_they_end() {
        assert_eq!(refused(&format!("GET /{}", "a".repeat(9000))), Some(Refusal::LineTooLong));
        assert_eq!(
            refused(&format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(9000))),
            Some(Refusal::HeadTooLong)
        );
        let many = format!("X: {}\r\n", "a".repeat(4000)).repeat(10);
        assert_eq!(refused(&format!("GET / HTTP/1.1\r\n{many}")), Some(Refusal::HeadTooLong));
    }

    #[test]
    fn folded_lines_and_control_characters_are_refused() {
        for field in ["X: a\r\n b", "X: a\0b", "X: a\rb", "X\u{7f}: a", ": a"] {
            assert_eq!(
                refused(&format!("GET / HTTP/1.1\r\n{field}\r\n\r\n")),
                Some(Refusal::Malformed),
                "{field:?}"
            );
        }
    }

    #[test]
    fn a_header_without_a_colon_and_odd_bytes_of_a_target_are_mended() {
        let head = "GET /é<?q=\"|^ HTTP/1.1\r\nnonsense\r\n\r\n";
        assert!(matches!(scan(head), Scanned::Complete { mend: true, .. }));
        let mended = mended(head.as_bytes());
        let mended = String::from_utf8_lossy(&mended);
        assert_eq!(mended, "GET /%C3%A9%3C?q=%22|^ HTTP/1.1\r\nnonsense:\r\n\r\n");
    }

    #[test]
    fn chunks_end_where_the_body_does() {
        let body = b"3;x=1\r\nabc\r\n0\r\nX-T: 1\r\n\r\nGET /";
        for split in 0..body.len() {
            let mut chunks = Chunks::default();
            let (first, done) = chunks.advance(&body[..split]);
            let total = if done { first } else { first + chunks.advance(&body[first..]).0 };
            assert_eq!(total, body.len() - 5, "{split}");
        }
    }
}
