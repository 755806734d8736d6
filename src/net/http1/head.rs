//! The head of an answer, and where its body ends.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use hyper::ext::ReasonPhrase;
use smallvec::SmallVec;

use super::body::Decoder;

/// Bytes of a head and its informational forerunners that are read before it is given up.
pub(super) const MAX_HEAD: usize = 256 * 1024;
/// Fields accepted in a head.
const MAX_FIELDS: usize = 1000;
/// Fields for which there is room at once; a head with more is read again with more room.
const USUAL_FIELDS: usize = 64;

/// Why what an upstream sends is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// Not HTTP/1.
    #[error("malformed answer: {0}")]
    Malformed(#[from] httparse::Error),
    /// Longer than anybody's should be.
    #[error("the answer's head is longer than {MAX_HEAD} bytes")]
    TooLong,
    /// A Content-Length that is no number, or two that differ.
    #[error("malformed Content-Length in the answer")]
    Length,
    /// A Transfer-Encoding where the version has none.
    #[error("Transfer-Encoding in an answer of HTTP/1.0")]
    Coding,
    /// A switch of protocols that nobody asked for.
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
    pub headers: HeaderMap,
}

/// A head and what it says about the connection.
pub(super) struct Parsed {
    pub head: Head,
    pub body: Decoder,
    /// Whether the connection may be used again.
    pub keep: bool,
}

/// What was asked, as far as it decides how the answer is read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// HEAD: the answer has no body.
    pub head_only: bool,
    /// Whether another protocol was asked for.
    pub upgrade: bool,
}

/// Takes a complete head off the buffer; none if there is no complete one yet. Informational ones (RFC 9110
/// section 15.2) are passed over: Kong's server takes one for the answer itself, and goes astray.
pub(super) fn take(buffer: &mut BytesMut, asked: Asked) -> Result<Option<Parsed>, HeadError> {
    loop {
        let Some(outline) = outline::<USUAL_FIELDS>(buffer).or_else(|error| match error {
            httparse::Error::TooManyHeaders => outline::<MAX_FIELDS>(buffer),
            error => Err(error),
        })?
        else {
            return if buffer.len() > MAX_HEAD { Err(HeadError::TooLong) } else { Ok(None) };
        };
        if outline.length > MAX_HEAD {
            return Err(HeadError::TooLong);
        }
        let head = buffer.split_to(outline.length).freeze();
        match outline.status {
            101 if !asked.upgrade => return Err(HeadError::Switch),
            100 | 102..=199 => {}
            _ => return outline.read(&head, asked).map(Some),
        }
    }
}

/// Where in the buffer the parts of a head lie.
struct Outline {
    length: usize,
    status: u16,
    old: bool,
    reason: Option<(u32, u32)>,
    fields: SmallVec<[Field; 24]>,
}

/// Begin and end of a name and of its value.
struct Field {
    name: (u32, u32),
    value: (u32, u32),
}

fn outline<const N: usize>(buffer: &[u8]) -> Result<Option<Outline>, httparse::Error> {
    let mut fields = [const { MaybeUninit::uninit() }; N];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        buffer,
        &mut fields,
    )?;
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    // A head is shorter than 4 GiB, as nothing longer is ever held. What is empty need not lie in it.
    let place = |part: &[u8]| {
        if part.is_empty() {
            return (0, 0);
        }
        let begin = part.as_ptr() as usize - buffer.as_ptr() as usize;
        (begin as u32, (begin + part.len()) as u32)
    };
    let status = response.code.unwrap_or_default();
    let usual = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    Ok(Some(Outline {
        length,
        status,
        old: response.version == Some(0),
        reason: response.reason.filter(|reason| Some(*reason) != usual).map(|r| place(r.as_bytes())),
        fields: response
            .headers
            .iter()
            .map(|field| Field { name: place(field.name.as_bytes()), value: place(field.value) })
            .collect(),
    }))
}

impl Outline {
    /// RFC 9112 section 6.3.
    fn read(self, bytes: &Bytes, asked: Asked) -> Result<Parsed, HeadError> {
        let slice = |(begin, end): (u32, u32)| begin as usize..end as usize;
        let mut headers = HeaderMap::with_capacity(self.fields.len() + ROOM);
        let (mut coded, mut chunked, mut length, mut close, mut keep) = (false, false, None, false, false);
        for field in &self.fields {
            let name =
                HeaderName::from_bytes(&bytes[slice(field.name)]).map_err(|_| httparse::Error::HeaderName)?;
            let value = HeaderValue::from_maybe_shared(bytes.slice(slice(field.value)))
                .map_err(|_| httparse::Error::HeaderValue)?;
            if name == header::CONTENT_LENGTH {
                for text in value.as_bytes().split(|&byte| byte == b',') {
                    let number = number(text.trim_ascii()).ok_or(HeadError::Length)?;
                    if length.replace(number).is_some_and(|before| before != number) {
                        return Err(HeadError::Length);
                    }
                }
            } else if name == header::TRANSFER_ENCODING {
                coded = true;
                let last = value.as_bytes().rsplit(|&byte| byte == b',').next().unwrap_or_default();
                chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
                continue;
            } else if name == header::CONNECTION {
                let mut others = false;
                for token in value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                    match token {
                        _ if token.eq_ignore_ascii_case(b"keep-alive") => keep = true,
                        _ if token.eq_ignore_ascii_case(b"close") => close = true,
                        _ => others = true,
                    }
                }
                if !others {
                    continue;
                }
            }
            headers.append(name, value);
        }
        let status = StatusCode::from_u16(self.status).map_err(|_| httparse::Error::Status)?;
        let bodiless = asked.head_only || matches!(self.status, 101 | 204 | 304);
        let mut reusable = if self.old { keep && !close } else { !close };
        if coded {
            if self.old {
                return Err(HeadError::Coding);
            }
            // Two framings: the coding counts, and nobody shall see the other (RFC 9112 section 6.3).
            if headers.remove(header::CONTENT_LENGTH).is_some() {
                reusable = false;
            }
        }
        let body = match length {
            _ if bodiless => Decoder::ended(),
            _ if chunked => Decoder::chunked(),
            Some(length) if !coded => Decoder::length(length),
            _ => Decoder::until_close(),
        };
        let reason = self.reason.and_then(|place| ReasonPhrase::try_from(bytes.slice(slice(place))).ok());
        let keep = reusable && self.status != 101 && !body.needs_close();
        Ok(Parsed { head: Head { status, reason, headers }, body, keep })
    }
}

/// Room for the headers that a gateway adds, so that the map need not grow for them.
const ROOM: usize = 4;

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
mod tests {
    use super::*;

    fn read(text: &str, asked: Asked) -> Result<Option<(Parsed, BytesMut)>, HeadError> {
        let mut buffer = BytesMut::from(text);
        Ok(take(&mut buffer, asked)?.map(|parsed| (parsed, buffer)))
    }

    fn complete(text: &str) -> Parsed {
        read(text, Asked::default()).expect("a head").expect("complete").0
    }

    #[test]
    fn a_head_is_taken_off_and_the_body_stays() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: b\r\n\r\nabc";
        let (parsed, rest) = read(text, Asked::default()).expect("a head").expect("complete");
        assert_eq!(&rest[..], b"abc");
        assert_eq!(parsed.head.status, 200);
        assert_eq!(parsed.head.headers["x-a"], "b");
        assert!(parsed.keep && parsed.head.reason.is_none());
        assert_eq!(parsed.body, Decoder::length(3));
    }

    #[test]
    fn no_prefix_of_a_head_is_one() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Nowhere\r\nA: b\r\n\r\n";
        for end in 0..text.len() {
            assert!(read(&text[..end], Asked::default()).expect("no error").is_none(), "{end}");
        }
        let parsed = complete(text);
        assert_eq!(parsed.head.status, 404);
        assert_eq!(parsed.head.reason.expect("unusual words").as_bytes(), b"Nowhere");
    }

    #[test]
    fn what_ends_a_body_follows_the_rules() {
        for (fields, body, keep) in [
            ("", Decoder::until_close(), false),
            ("Content-Length: 0", Decoder::ended(), true),
            ("Content-Length: 5, 5", Decoder::length(5), true),
            ("Transfer-Encoding: chunked", Decoder::chunked(), true),
            ("Transfer-Encoding: gzip, chunked", Decoder::chunked(), true),
            ("Transfer-Encoding: gzip", Decoder::until_close(), false),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5", Decoder::chunked(), false),
            ("Content-Length: 5\r\nConnection: x, Close", Decoder::length(5), false),
        ] {
            let fields = if fields.is_empty() { String::new() } else { format!("{fields}\r\n") };
            let parsed = complete(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n"));
            assert_eq!((&parsed.body, parsed.keep), (&body, keep), "{fields}");
            let length = parsed.head.headers.contains_key("content-length");
            assert_eq!(length, fields.contains("Length") && !fields.contains("chunked"), "{fields}");
        }
        assert_eq!(complete("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n").body, Decoder::ended());
        let asked = Asked { head_only: true, upgrade: false };
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        let (parsed, _) = read(text, asked).expect("a head").expect("complete");
        assert_eq!((parsed.body, parsed.keep), (Decoder::ended(), true));
        assert_eq!(parsed.head.headers["content-length"], "5");
    }

    #[test]
    fn nothing_and_odd_bytes_may_stand_for_a_reason_and_for_a_value() {
        for line in ["HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 200 \u{e9}t\u{e9}"] {
            let parsed = complete(&format!("{line}\r\nA:\r\nB: \r\n\r\n"));
            assert_eq!(parsed.head.reason.expect("not the usual words").as_bytes(), b"", "{line}");
            assert!(["a", "b"].iter().all(|name| parsed.head.headers[*name].is_empty()), "{line}");
        }
    }

    #[test]
    fn old_answers_are_kept_open_only_when_they_say_so() {
        assert!(!complete("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n").keep);
        assert!(complete("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive\r\n\r\n").keep);
        let coded = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(matches!(read(coded, Asked::default()), Err(HeadError::Coding)));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for text in [
            "garbage\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA B: c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        ] {
            assert!(read(text, Asked::default()).is_err(), "{text}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(MAX_HEAD));
        assert!(matches!(read(&endless, Asked::default()), Err(HeadError::TooLong)));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(MAX_FIELDS));
        assert_eq!(complete(&many).head.headers.len(), MAX_FIELDS);
        let more = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(MAX_FIELDS + 1));
        assert!(read(&more, Asked::default()).is_err());
    }
}
