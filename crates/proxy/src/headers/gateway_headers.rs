//! Headers that the gateway sets, and their sinks: a map, or a head being encoded.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use http_codec::{HeaderLine, KnownHeader};
use plugin::RequestId;
use runtime::ProductToken;

/// A header that the gateway sets.
#[derive(Clone, Copy, Debug)]
pub struct GatewayHeader {
    name: fn() -> HeaderName,
    /// CRLF of the previous line, and the name.
    line_start: &'static [u8],
}

/// HTTP/1 uses Kong's spelling, for recipients that compare names case-sensitively.
macro_rules! gateway_header {
    ($name:literal) => {
        GatewayHeader {
            name: || {
                const LOWER: [u8; $name.len()] = lower($name);
                const { HeaderName::from_static(ascii(&LOWER)) }
            },
            line_start: concat!("\r\n", $name, ": ").as_bytes(),
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

const fn ascii(name: &'static [u8]) -> &'static str {
    match std::str::from_utf8(name) {
        Ok(name) => name,
        Err(_) => panic!("a name is ASCII"),
    }
}

pub(super) const X_FORWARDED_FOR: GatewayHeader = gateway_header!("X-Forwarded-For");
pub(super) const X_REAL_IP: GatewayHeader = gateway_header!("X-Real-IP");
pub(super) const X_FORWARDED_PROTO: GatewayHeader = gateway_header!("X-Forwarded-Proto");
pub(super) const X_FORWARDED_HOST: GatewayHeader = gateway_header!("X-Forwarded-Host");
pub(super) const X_FORWARDED_PORT: GatewayHeader = gateway_header!("X-Forwarded-Port");
pub(super) const X_FORWARDED_PATH: GatewayHeader = gateway_header!("X-Forwarded-Path");
pub(super) const X_FORWARDED_PREFIX: GatewayHeader = gateway_header!("X-Forwarded-Prefix");
pub(super) const X_KONG_REQUEST_ID: GatewayHeader = gateway_header!("X-Kong-Request-Id");
pub(super) const HOST: GatewayHeader = gateway_header!("Host");
pub(super) const CONTENT_LENGTH: GatewayHeader = gateway_header!("Content-Length");
pub(super) const TRANSFER_ENCODING: GatewayHeader = gateway_header!("Transfer-Encoding");
pub(super) const VIA: GatewayHeader = gateway_header!("Via");
pub(super) const TE: GatewayHeader = gateway_header!("TE");
pub(super) const CONNECTION: GatewayHeader = gateway_header!("Connection");
pub(super) const UPGRADE: GatewayHeader = gateway_header!("Upgrade");

pub(super) const X_KONG_UPSTREAM_LATENCY: GatewayHeader = gateway_header!("X-Kong-Upstream-Latency");
pub(super) const X_KONG_PROXY_LATENCY: GatewayHeader = gateway_header!("X-Kong-Proxy-Latency");
pub(super) const X_KONG_RESPONSE_LATENCY: GatewayHeader = gateway_header!("X-Kong-Response-Latency");
pub(super) const X_KONG_UPSTREAM_STATUS: GatewayHeader = gateway_header!("X-Kong-Upstream-Status");
pub(super) const SERVER: GatewayHeader = gateway_header!("Server");

/// The product in `Server`, and in `Via` after the version of the received protocol (RFC 9110 section 7.6.3).
#[derive(Debug)]
pub(super) struct ProductValues {
    pub server: &'static str,
    via_http_1_0: &'static str,
    via_http_1_1: &'static str,
    via_http_2: &'static str,
}

macro_rules! product_values {
    ($($product:tt)+) => {
        ProductValues {
            server: concat!($($product)+),
            via_http_1_0: concat!("1.0 ", $($product)+),
            via_http_1_1: concat!("1.1 ", $($product)+),
            via_http_2: concat!("2 ", $($product)+),
        }
    };
}

impl ProductValues {
    /// Returns the values of a product.
    pub fn of(product: ProductToken) -> &'static Self {
        const GATEWAYCTL: ProductValues = product_values!("gatewayctl/", env!("CARGO_PKG_VERSION"));
        // The release that the gateway is compatible with.
        const KONG: ProductValues = product_values!("kong/3.9.3");
        match product {
            ProductToken::Gatewayctl => &GATEWAYCTL,
            ProductToken::Kong => &KONG,
        }
    }

    /// Returns the value of `Via` for a message received in that version.
    pub fn via(&self, received: Version) -> &'static str {
        match received {
            Version::HTTP_2 => self.via_http_2,
            Version::HTTP_10 => self.via_http_1_0,
            _ => self.via_http_1_1,
        }
    }
}

/// Receives the fields of a head in order.
pub trait HeaderSink {
    /// Appends a field of the message.
    fn append_line(&mut self, line: &HeaderLine<'_>);
    /// Appends the fields of a received head for which `is_forwarded` holds.
    fn append_fields(
        &mut self,
        fields: &http_codec::RawFields,
        is_forwarded: impl FnMut(Option<KnownHeader>) -> bool,
    );
    /// Appends a header that the gateway sets.
    fn append_value(&mut self, header: GatewayHeader, value: &HeaderValue);
    /// Appends one with a static value.
    fn append_static(&mut self, header: GatewayHeader, value: &'static str);
    /// Appends one with a text value; values with control characters are dropped.
    fn append_text(&mut self, header: GatewayHeader, text: &[u8]);
}

impl HeaderSink for HeaderMap {
    fn append_line(&mut self, line: &HeaderLine<'_>) {
        self.append(line.name, line.value.clone());
    }

    fn append_fields(
        &mut self,
        fields: &http_codec::RawFields,
        mut is_forwarded: impl FnMut(Option<KnownHeader>) -> bool,
    ) {
        for (name, value) in &fields.to_map() {
            if is_forwarded(KnownHeader::from_name(name.as_str().as_bytes())) {
                self.append(name, value.clone());
            }
        }
    }

    fn append_value(&mut self, header: GatewayHeader, value: &HeaderValue) {
        self.append((header.name)(), value.clone());
    }

    fn append_static(&mut self, header: GatewayHeader, value: &'static str) {
        self.append((header.name)(), HeaderValue::from_static(value));
    }

    fn append_text(&mut self, header: GatewayHeader, text: &[u8]) {
        if let Ok(value) = HeaderValue::from_bytes(text) {
            self.append((header.name)(), value);
        }
    }
}

/// Encodes for HTTP/1, each line after the CRLF of the previous one. Inlined, so that lines of static length
/// are copied in words.
impl HeaderSink for Vec<u8> {
    fn append_line(&mut self, line: &HeaderLine<'_>) {
        self.reserve(line.name.as_str().len() + line.value.len() + 4);
        self.extend_from_slice(b"\r\n");
        line.write_name(self);
        self.extend_from_slice(b": ");
        self.extend_from_slice(line.value.as_bytes());
    }

    #[inline]
    fn append_fields(
        &mut self,
        fields: &http_codec::RawFields,
        is_forwarded: impl FnMut(Option<KnownHeader>) -> bool,
    ) {
        fields.write(self, is_forwarded);
    }

    #[inline]
    fn append_value(&mut self, header: GatewayHeader, value: &HeaderValue) {
        self.extend_from_slice(header.line_start);
        self.extend_from_slice(value.as_bytes());
    }

    #[inline]
    fn append_static(&mut self, header: GatewayHeader, value: &'static str) {
        self.extend_from_slice(header.line_start);
        self.extend_from_slice(value.as_bytes());
    }

    #[inline]
    fn append_text(&mut self, header: GatewayHeader, text: &[u8]) {
        // A line break inside would inject a header.
        if !text.iter().any(|&byte| byte < b' ') {
            self.extend_from_slice(header.line_start);
            self.extend_from_slice(text);
        }
    }
}

/// Encodes a request's id as a header value.
pub fn request_id_value(id: RequestId) -> HeaderValue {
    let mut text = [0; 32];
    for (part, bytes) in text.as_chunks_mut::<8>().0.iter_mut().zip(id.0.to_be_bytes().as_chunks::<4>().0) {
        *part = hex(u32::from_be_bytes(*bytes));
    }
    // `from_owner` makes clones cheap: the bytes are shared.
    HeaderValue::from_maybe_shared(Bytes::from_owner(text)).expect("hex digits are a header value")
}

/// Formats a number in hex, all digits in parallel. Not inlined: the copies would cost more than the calls.
#[inline(never)]
fn hex(number: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut digits = u64::from(number);
    digits = (digits | digits << 16) & 0x0000_ffff_0000_ffff;
    digits = (digits | digits << 8) & 0x00ff_00ff_00ff_00ff;
    digits = (digits | digits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // Adding 6 to a digit from 10 on carries into the high half of its byte.
    let letters = (digits + 6 * ONES) >> 4 & ONES;
    (digits + u64::from(b'0') * ONES + letters * u64::from(b'a' - b'0' - 10)).to_be_bytes()
}

/// Encodes a number as a header value; small ones without allocation.
pub(super) fn number_value(value: u64) -> HeaderValue {
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
    fn a_head_and_a_map_receive_the_same_fields() {
        fn fill(to: &mut impl HeaderSink) {
            to.append_value(HOST, &HeaderValue::from_static("a"));
            let sent = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("*/*"))]);
            http_codec::Headers::from(sent).lines().iter().for_each(|line| to.append_line(line));
            to.append_static(VIA, "1.1 x");
            to.append_text(X_FORWARDED_PATH, b"/a");
            to.append_text(X_FORWARDED_PREFIX, b"/\r\nx: y");
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
    fn a_request_id_is_encoded_in_hex() {
        assert_eq!(
            request_id_value(RequestId(0x0123_4567_89ab_cdef_u128 << 64 | 0xfe)),
            "0123456789abcdef00000000000000fe"
        );
    }
}
