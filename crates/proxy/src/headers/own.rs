//! The gateway's own headers, and what takes them: a map, or a head that is being written.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use http_codec::{HeaderLine, Known};
use plugin::RequestId;

/// A header of the gateway's own.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    name: fn() -> HeaderName,
    /// The end of the line before it, and how its own begins.
    begin: &'static [u8],
}

/// In HTTP/1 it is spelled as Kong spells it, for whoever cannot read another case.
macro_rules! own {
    ($name:literal) => {
        Own {
            name: || {
                const LOWER: [u8; $name.len()] = lower($name);
                const { HeaderName::from_static(text(&LOWER)) }
            },
            begin: concat!("\r\n", $name, ": ").as_bytes(),
        }
    };
}

const fn lower<const N: usize>(name: &str) -> [u8; N] {
    let mut lower = [0; N];
    let mut at = 0;
    while at < N {
        lower[at] = name.as_bytes()[at].to_ascii_lowercase();
        at += 1;
    }
    lower
}

const fn text(name: &'static [u8]) -> &'static str {
    match std::str::from_utf8(name) {
        Ok(name) => name,
        Err(_) => panic!("a name is ASCII"),
    }
}

pub(super) const FOR: Own = own!("X-Forwarded-For");
pub(super) const REAL_IP: Own = own!("X-Real-IP");
pub(super) const PROTO: Own = own!("X-Forwarded-Proto");
pub(super) const FORWARDED_HOST: Own = own!("X-Forwarded-Host");
pub(super) const PORT: Own = own!("X-Forwarded-Port");
pub(super) const PATH: Own = own!("X-Forwarded-Path");
pub(super) const PREFIX: Own = own!("X-Forwarded-Prefix");
pub(super) const ID: Own = own!("X-Kong-Request-Id");
pub(super) const HOST: Own = own!("Host");
pub(super) const LENGTH: Own = own!("Content-Length");
pub(super) const CODING: Own = own!("Transfer-Encoding");
pub(super) const VIA: Own = own!("Via");
pub(super) const TE: Own = own!("TE");
pub(super) const CONNECTION: Own = own!("Connection");
pub(super) const UPGRADE: Own = own!("Upgrade");

pub(super) const UPSTREAM_LATENCY: Own = own!("X-Kong-Upstream-Latency");
pub(super) const PROXY_LATENCY: Own = own!("X-Kong-Proxy-Latency");
pub(super) const RESPONSE_LATENCY: Own = own!("X-Kong-Response-Latency");
pub(super) const UPSTREAM_STATUS: Own = own!("X-Kong-Upstream-Status");
pub(super) const SERVER: Own = own!("Server");

/// The gateway's name in `Server` and `Via`: that of the Kong it stands in for.
pub(super) const NAME: &str = "kong/3.9.3";
pub(super) const HOPS: [&str; 3] = ["1.1 kong/3.9.3", "2 kong/3.9.3", "1.0 kong/3.9.3"];

/// Takes the fields of a head, one after the other.
pub trait Fields {
    /// Takes one of the message's.
    fn add(&mut self, line: &HeaderLine<'_>);
    /// Takes those that travel of a head as it arrived.
    fn copy(&mut self, fields: &http_codec::Fields, travels: impl FnMut(Option<Known>) -> bool);
    /// Takes one of the gateway's own.
    fn own(&mut self, own: Own, value: &HeaderValue);
    /// Takes one of the gateway's own whose value is known beforehand.
    fn fixed(&mut self, own: Own, value: &'static str);
    /// Takes one of the gateway's own whose value is text without control characters.
    fn text(&mut self, own: Own, text: &[u8]);
}

impl Fields for HeaderMap {
    fn add(&mut self, line: &HeaderLine<'_>) {
        self.append(line.name, line.value.clone());
    }

    fn copy(&mut self, fields: &http_codec::Fields, mut travels: impl FnMut(Option<Known>) -> bool) {
        for (name, value) in &fields.to_map() {
            if travels(Known::of(name.as_str().as_bytes())) {
                self.append(name, value.clone());
            }
        }
    }

    fn own(&mut self, own: Own, value: &HeaderValue) {
        self.append((own.name)(), value.clone());
    }

    fn fixed(&mut self, own: Own, value: &'static str) {
        self.append((own.name)(), HeaderValue::from_static(value));
    }

    fn text(&mut self, own: Own, text: &[u8]) {
        if let Ok(value) = HeaderValue::from_bytes(text) {
            self.append((own.name)(), value);
        }
    }
}

/// As they stand in a head of HTTP/1, each after the end of the line before it. What the compiler knows of a line it
/// copies in words, so these are to be part of the code that calls them.
impl Fields for Vec<u8> {
    fn add(&mut self, line: &HeaderLine<'_>) {
        self.reserve(line.name.as_str().len() + line.value.len() + 4);
        self.extend_from_slice(b"\r\n");
        line.write_name(self);
        self.extend_from_slice(b": ");
        self.extend_from_slice(line.value.as_bytes());
    }

    #[inline]
    fn copy(&mut self, fields: &http_codec::Fields, travels: impl FnMut(Option<Known>) -> bool) {
        fields.write(self, travels);
    }

    #[inline]
    fn own(&mut self, own: Own, value: &HeaderValue) {
        self.extend_from_slice(own.begin);
        self.extend_from_slice(value.as_bytes());
    }

    #[inline]
    fn fixed(&mut self, own: Own, value: &'static str) {
        self.extend_from_slice(own.begin);
        self.extend_from_slice(value.as_bytes());
    }

    #[inline]
    fn text(&mut self, own: Own, text: &[u8]) {
        // A line end inside would begin a header of its own.
        if !text.iter().any(|&byte| byte < b' ') {
            self.extend_from_slice(own.begin);
            self.extend_from_slice(text);
        }
    }
}

/// A request's id as a header value.
pub fn id_value(id: RequestId) -> HeaderValue {
    let mut text = [0; 32];
    for (part, bytes) in text.as_chunks_mut::<8>().0.iter_mut().zip(id.0.to_be_bytes().as_chunks::<4>().0) {
        *part = hex(u32::from_be_bytes(*bytes));
    }
    // An owner is not copied when the value is.
    HeaderValue::from_maybe_shared(Bytes::from_owner(text)).expect("hex digits are a header value")
}

/// A number in hex, all its digits at once. Apart: several copies of it in one place do not pay for a jump saved.
#[inline(never)]
fn hex(number: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut digits = u64::from(number);
    digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff;
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff;
    digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // From 10 on, adding 6 carries into the next half of a byte.
    let letters = (digits + 6 * ONES) >> 4 & ONES;
    (digits + u64::from(b'0') * ONES + letters * u64::from(b'a' - b'0' - 10)).to_be_bytes()
}

/// A number as a header value; small ones need no memory.
pub(super) fn number(value: u64) -> HeaderValue {
    const SMALL: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    match usize::try_from(value).ok().and_then(|at| SMALL.get(at)) {
        Some(text) => HeaderValue::from_static(text),
        None => HeaderValue::from(value),
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    #[test]
    fn a_head_and_a_map_take_the_same_fields() {
        fn fill(to: &mut impl Fields) {
            to.own(HOST, &HeaderValue::from_static("a"));
            let sent = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("*/*"))]);
            http_codec::Headers::from(sent).lines().iter().for_each(|line| to.add(line));
            to.fixed(VIA, HOPS[0]);
            to.text(PATH, b"/a");
            to.text(PREFIX, b"/\r\nx: y");
        }
        let (mut head, mut map) = (Vec::new(), HeaderMap::new());
        fill(&mut head);
        fill(&mut map);
        let lines = map.iter().map(|(name, value)| format!("\r\n{name}: {}", value.to_str().expect("text")));
        let head = String::from_utf8(head).expect("text");
        assert_eq!(head.to_lowercase(), lines.collect::<String>());
        assert!(head.starts_with("\r\nHost: a") && head.contains("\r\nX-Forwarded-Path: /a"), "{head}");
        assert_eq!(map.len(), 4);
    }

    #[test]
    fn an_id_is_told_in_hex() {
        assert_eq!(
            id_value(RequestId(0x0123_4567_89ab_cdef_u128 << 64 | 0xfe)),
            "0123456789abcdef00000000000000fe"
        );
    }
}
