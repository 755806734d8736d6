//! Raw header fields of an HTTP/1 head, which a proxy can forward without building a map.

use std::ops::Range;

use http::{HeaderMap, HeaderName};

use super::raw::{HeadBytes, Span};

/// Length from which [`http::HeaderName`] rejects a name.
pub const MAX_NAME_BYTES: usize = 64 * 1024;
/// Spare capacity of a new map for headers that plugins add, so that it need not grow.
const SPARE_CAPACITY: usize = 8;

macro_rules! known {
    ($($name:ident $text:literal,)+) => {
        /// Header field that the gateway processes specially.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "the variants have the names of their fields")]
        pub enum KnownHeader {
            $($name,)+
            /// `X-Accel-*`, which control nginx.
            Accel,
            /// Any other `X-Kong-*`, which the gateway itself sets.
            Kong,
            /// A name that equals one of the others once `_` is replaced by `-`. CGI, WSGI and Rack map both to one
            /// variable, so such an upstream could mistake it for the other.
            LookAlike,
        }

        /// Fields with a single name, in lower case.
        const NAMED: &[(KnownHeader, &str)] = &[$((KnownHeader::$name, $text),)+];
    };
}

known! {
    Te "te",
    Via "via",
    Host "host",
    Date "date",
    Proxy "proxy",
    Pad "x-pad",
    Server "server",
    Expect "expect",
    Trailer "trailer",
    Upgrade "upgrade",
    RealIp "x-real-ip",
    Connection "connection",
    KeepAlive "keep-alive",
    ContentLength "content-length",
    ForwardedFor "x-forwarded-for",
    ForwardedHost "x-forwarded-host",
    ForwardedPort "x-forwarded-port",
    ForwardedPath "x-forwarded-path",
    ProxyConnection "proxy-connection",
    ForwardedProto "x-forwarded-proto",
    TransferEncoding "transfer-encoding",
    KongRequestId "x-kong-request-id",
    ForwardedPrefix "x-forwarded-prefix",
    IfMatch "if-match",
    IfRange "if-range",
    IfNoneMatch "if-none-match",
    ContentRange "content-range",
    Authorization "authorization",
    IfModifiedSince "if-modified-since",
    IfUnmodifiedSince "if-unmodified-since",
    ConsumerId "x-consumer-id",
    ConsumerGroups "x-consumer-groups",
    ConsumerCustomId "x-consumer-custom-id",
    ConsumerUsername "x-consumer-username",
    AnonymousConsumer "x-anonymous-consumer",
    AuthenticatedGroups "x-authenticated-groups",
    CredentialIdentifier "x-credential-identifier",
}

impl KnownHeader {
    /// Returns the name in lower case; `None` for a variant with several names.
    pub fn name(self) -> Option<&'static str> {
        NAMED.get(self as usize).map(|(_, name)| *name)
    }

    /// Looks up a name, which must be a token, without regard to case.
    pub fn from_name(name: &[u8]) -> Option<KnownHeader> {
        let row = usize::from(SLOTS[hash_slot(name)?]);
        let (known, text) = NAMED[row];
        if name.len() == text.len() {
            if fold_words(name) == NAME_WORDS[row] {
                return Some(known);
            }
            if matches_with_underscores(name, text.as_bytes()) {
                return Some(KnownHeader::LookAlike);
            }
        }
        match name {
            [b'x' | b'X', b'-' | b'_', b'a' | b'A', ..] => {
                match_prefix(name, KnownHeader::Accel, b"x-accel-")
            }
            [b'x' | b'X', b'-' | b'_', b'k' | b'K', ..] => match_prefix(name, KnownHeader::Kong, b"x-kong-"),
            _ => None,
        }
    }

    /// Returns whether nginx rejects a request that repeats the field ([`SINGLETON_HEADERS`]).
    pub fn is_singleton(self) -> bool {
        const MASK: u64 = {
            let (mut mask, mut at) = (0, 0);
            while at < SINGLETON_HEADERS.len() {
                mask |= 1 << SINGLETON_HEADERS[at] as u8;
                at += 1;
            }
            mask
        };
        MASK & 1 << self as u8 != 0
    }
}

/// Fields that nginx does not allow a request to repeat. `Host` is another, checked where the host is parsed.
pub const SINGLETON_HEADERS: [KnownHeader; 10] = [
    KnownHeader::IfMatch,
    KnownHeader::IfNoneMatch,
    KnownHeader::IfModifiedSince,
    KnownHeader::IfUnmodifiedSince,
    KnownHeader::IfRange,
    KnownHeader::ContentLength,
    KnownHeader::ContentRange,
    KnownHeader::TransferEncoding,
    KnownHeader::Expect,
    KnownHeader::Authorization,
];

/// [`fold_words`] of each name in [`NAMED`].
const NAME_WORDS: [[u64; 3]; NAMED.len()] = {
    let mut all = [[0; 3]; NAMED.len()];
    let mut row = 0;
    while row < all.len() {
        all[row] = fold_words(NAMED[row].1.as_bytes());
        row += 1;
    }
    all
};

/// Loads a token of 2 to 24 bytes as three words, in lower case.
///
/// Setting bit 0x20 folds letters. Among token characters it changes few others, and no known name contains those.
const fn fold_words(token: &[u8]) -> [u64; 3] {
    const CASE_BITS: u64 = 0x2020_2020_2020_2020;
    const fn load_u64(token: &[u8], at: usize) -> u64 {
        match token.split_at(at).1.first_chunk() {
            Some(bytes) => u64::from_le_bytes(*bytes) | CASE_BITS,
            None => 0,
        }
    }
    let length = token.len();
    match length {
        // The words overlap and cover all bytes.
        8..=24 => [load_u64(token, 0), load_u64(token, length / 2 - 4), load_u64(token, length - 8)],
        _ => {
            let mut word = 0;
            let mut at = 0;
            while at < length && at < 8 {
                word = word << 8 | token[at] as u64 | 0x20;
                at += 1;
            }
            [word, 0, 0]
        }
    }
}

/// Perfect hash table: the row in [`NAMED`] for each [`hash_slot`].
const SLOTS: [u8; 128] = {
    let mut slots = [0; 128];
    let mut is_used = [false; 128];
    let mut row = 0;
    while row < NAMED.len() {
        let Some(slot) = hash_slot(NAMED[row].1.as_bytes()) else {
            panic!("a name has at least two letters")
        };
        assert!(!is_used[slot], "two names share a slot: choose other factors");
        (slots[slot], is_used[slot]) = (row as u8, true);
        row += 1;
    }
    slots
};

/// Hashes a name without regard to case; `None` if it is too short to be known. The factors were found by search, and
/// the compiler checks above that they give no collisions.
const fn hash_slot(name: &[u8]) -> Option<usize> {
    let (Some(first), Some([before, last])) = (name.first(), name.last_chunk()) else { return None };
    let (first, before, last) = (*first as usize | 0x20, *before as usize | 0x20, *last as usize | 0x20);
    Some((76 * name.len() + 98 * first + 121 * before + 50 * last) % 128)
}

/// Returns `known` if a name starts with the prefix, and [`KnownHeader::LookAlike`] if it does with underscores.
fn match_prefix(name: &[u8], known: KnownHeader, prefix: &[u8]) -> Option<KnownHeader> {
    let start = name.get(..prefix.len())?;
    match start.eq_ignore_ascii_case(prefix) {
        true => Some(known),
        false => matches_with_underscores(start, prefix).then_some(KnownHeader::LookAlike),
    }
}

/// Returns whether a name equals `text`, which is in lower case, if each `_` is read as `-`.
fn matches_with_underscores(name: &[u8], text: &[u8]) -> bool {
    let fold = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() == text.len() && name.iter().map(fold).eq(text.iter().copied())
}

/// Spans of one field in the head.
#[derive(Clone, Copy, Debug)]
struct Field {
    name: Span,
    value: Span,
    known: Option<KnownHeader>,
}

/// Fields of a head as received. Names are tokens, and values have no control characters except tabs:
/// [`Line`](super::FieldLine) guarantees both.
#[derive(Clone, Debug, Default)]
pub struct RawFields {
    raw: HeadBytes,
    list: Vec<Field>,
    /// Bit set of the [`KnownHeader`] fields that are present and not removed.
    present: u64,
}

impl RawFields {
    /// Adds a field of a head that is still being parsed.
    pub fn push(&mut self, name: Span, value: Span, known: Option<KnownHeader>) {
        // Requests of browsers have about 16 fields: one allocation instead of three.
        if self.list.capacity() == 0 {
            self.list.reserve(16);
        }
        if let Some(known) = known {
            self.present |= 1 << known as u8;
        }
        self.list.push(Field { name, value, known });
    }

    /// Sets the bytes that the spans refer to, once the head is complete.
    pub fn complete(&mut self, raw: HeadBytes) {
        self.raw = raw;
    }

    /// Returns the number of fields received, removed ones included.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns whether all fields have been removed, or none was received.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Iterates over the fields that have not been removed.
    fn iter(&self) -> impl Iterator<Item = &Field> {
        self.list.iter().filter(|field| field.known.is_none_or(|known| self.contains_any(&[known])))
    }

    /// Returns whether any of these is present.
    pub fn contains_any(&self, any: &[KnownHeader]) -> bool {
        any.iter().any(|&known| self.present & 1 << known as u8 != 0)
    }

    /// Returns the values of a field, in order.
    pub fn values(&self, known: KnownHeader) -> impl Iterator<Item = &[u8]> {
        let present = self.contains_any(&[known]);
        let list = if present { &self.list[..] } else { &[] };
        list.iter().filter(move |field| field.known == Some(known)).map(|field| self.raw.slice(field.value))
    }

    /// Returns the first value of a field, by its name in lower case.
    pub fn first_value(&self, name: &str) -> Option<&[u8]> {
        let is_same = |field: &&Field| {
            let (start, end) = field.name;
            (end - start) as usize == name.len()
                && self.raw.slice(field.name).eq_ignore_ascii_case(name.as_bytes())
        };
        self.iter().find(is_same).map(|field| self.raw.slice(field.value))
    }

    /// Removes a field. It must not be added again: [`RawFields::push`] would restore all of its lines.
    pub fn remove(&mut self, known: KnownHeader) {
        self.present &= !(1 << known as u8);
    }

    /// Finds the first field of that name in a range. Returns its index and the name as received.
    pub fn find_name(&self, name: &HeaderName, range: Range<usize>) -> Option<(usize, &[u8])> {
        let start = range.start;
        let list = self.list.get(range)?;
        let mut names = list.iter().map(|field| self.raw.slice(field.name)).enumerate();
        let is_same =
            |(_, received): &(usize, &[u8])| received.eq_ignore_ascii_case(name.as_str().as_bytes());
        names.find(is_same).map(|(at, received)| (start + at, received))
    }

    /// Returns the spans of names and values.
    #[cfg(test)]
    pub fn spans(&self) -> impl Iterator<Item = (Span, Span)> {
        self.list.iter().map(|field| (field.name, field.value))
    }

    /// Writes the fields that pass the filter, each preceded by CRLF. Adjacent lines are copied as one; lines that are
    /// not written as `name: value` CRLF are normalized.
    #[inline]
    pub fn write(&self, to: &mut Vec<u8>, mut is_forwarded: impl FnMut(Option<KnownHeader>) -> bool) {
        let bytes = self.raw.bytes();
        // The run of lines that has not been copied yet.
        let (mut start, mut end) = (0, 0);
        for field in self.iter().filter(|field| is_forwarded(field.known)) {
            let (name, value) = (field.name.0 as usize, field.value.1 as usize);
            let is_normal = bytes.get(name.wrapping_sub(2)..name) == Some(b"\r\n")
                && bytes[field.name.1 as usize..field.value.0 as usize] == *b": ";
            if is_normal && name == end + 2 {
                end = value;
                continue;
            }
            to.extend_from_slice(&bytes[start..end]);
            (start, end) = (name.saturating_sub(2), value);
            if !is_normal {
                to.extend_from_slice(b"\r\n");
                to.extend_from_slice(self.raw.slice(field.name));
                to.extend_from_slice(b": ");
                to.extend_from_slice(self.raw.slice(field.value));
                start = end;
            }
        }
        to.extend_from_slice(&bytes[start..end]);
    }

    /// Builds a map of the fields.
    pub fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.list.len() + SPARE_CAPACITY);
        self.append_to(&mut map);
        map
    }

    /// Appends the fields to a map.
    pub fn append_to(&self, map: &mut HeaderMap) {
        for field in self.iter() {
            // Cannot fail: tokens below 64 KiB are valid names, and bytes without control characters valid values.
            if let (Ok(name), Ok(value)) = (self.raw.name(field.name), self.raw.value(field.value)) {
                map.append(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::FieldLine;

    fn fields(head: &str) -> RawFields {
        let mut fields = RawFields::default();
        let mut at = head.find('\n').expect("a first line") + 1;
        while let FieldLine::Field { name, value, end } = FieldLine::parse(&head.as_bytes()[at..]) {
            let place = |(from, to)| ((at + from) as u32, (at + to) as u32);
            let known = KnownHeader::from_name(&head.as_bytes()[at..at + name]);
            fields.push(place((0, name)), place(value), known);
            at += end;
        }
        fields.complete(HeadBytes::new(Bytes::copy_from_slice(head.as_bytes())));
        fields
    }

    fn written(fields: &RawFields, without: &[KnownHeader]) -> String {
        let mut to = Vec::new();
        fields.write(&mut to, |known| known.is_none_or(|known| !without.contains(&known)));
        String::from_utf8(to).expect("text")
    }

    #[test]
    fn known_names_match_in_any_case() {
        for &(known, text) in NAMED {
            assert_eq!(known.name(), Some(text));
            for name in [text.to_owned(), text.to_uppercase()] {
                assert_eq!(KnownHeader::from_name(name.as_bytes()), Some(known));
                assert_eq!(KnownHeader::from_name(&name.as_bytes()[1..]), None, "{known:?}");
            }
        }
        assert_eq!((KnownHeader::Accel.name(), KnownHeader::Kong.name()), (None, None));
        // A known name with one byte replaced by any other token character.
        for &(_, text) in NAMED {
            for (at, byte) in (0..text.len()).flat_map(|at| (b'!'..=b'~').map(move |byte| (at, byte))) {
                let mut name = text.as_bytes().to_vec();
                name[at] = byte;
                if crate::is_token(byte) {
                    let same = |known: &&(KnownHeader, &str)| known.1.as_bytes().eq_ignore_ascii_case(&name);
                    let known = KnownHeader::from_name(&name).filter(|known| known.name().is_some());
                    assert_eq!(
                        known,
                        NAMED.iter().find(same).map(|known| known.0),
                        "{}",
                        name.escape_ascii()
                    );
                }
            }
        }
        assert_eq!(NAMED.len() + 3, KnownHeader::LookAlike as usize + 1, "each has a bit of its own");
        assert!((KnownHeader::LookAlike as u32) < u64::BITS);
        assert_eq!(KnownHeader::from_name(b"X-Accel-Redirect"), Some(KnownHeader::Accel));
        assert_eq!(KnownHeader::from_name(b"x-kong-other"), Some(KnownHeader::Kong));
        for name in ["", "x", "x-", "x-accel", "accept", "x-kong", "user-agent"] {
            assert_eq!(KnownHeader::from_name(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn names_with_underscores_are_look_alikes() {
        for &(known, text) in NAMED.iter().filter(|(_, text)| text.contains('-')) {
            let (one, all) = (text.replacen('-', "_", 1), text.to_uppercase().replace('-', "_"));
            for name in [one, all] {
                assert_eq!(
                    KnownHeader::from_name(name.as_bytes()),
                    Some(KnownHeader::LookAlike),
                    "{name}, {known:?}"
                );
            }
        }
        for name in ["X_Kong_Other", "x-kong_other", "x_kong-other", "X_Accel_Redirect"] {
            assert_eq!(KnownHeader::from_name(name.as_bytes()), Some(KnownHeader::LookAlike), "{name}");
        }
        for name in ["x_consumer", "x_kong", "api_key", "_x-real-ip", "x_forwarded_forx", "x_ak_ong_"] {
            assert_eq!(KnownHeader::from_name(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn lines_are_copied_verbatim_and_non_standard_ones_are_normalized() {
        let fields =
            fields("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\nVia: x\nE:f \r\nG: \t h\r\nI: j\n\r\n");
        assert_eq!(written(&fields, &[]), "\r\nHost: a\r\nA: b\r\nC: d\r\nVia: x\r\nE: f\r\nG: h\r\nI: j");
        assert_eq!(
            written(&fields, &[KnownHeader::Host, KnownHeader::Via]),
            "\r\nA: b\r\nC: d\r\nE: f\r\nG: h\r\nI: j"
        );
        assert!(
            fields.contains_any(&[KnownHeader::Te, KnownHeader::Via])
                && !fields.contains_any(&[KnownHeader::Te])
        );
        assert_eq!(fields.values(KnownHeader::Host).collect::<Vec<_>>(), [b"a"]);
    }

    proptest! {
        #[test]
        fn written_lines_equal_the_map(
            lines in "((A|Via|TE|x-b):( |\t|)[a-z]{0,3}( |)(\r\n|\r\n|\n)){0,6}",
            drop in any::<bool>(),
        ) {
            let mut fields = fields(&format!("GET / HTTP/1.1\r\n{lines}\r\n"));
            let text = written(&fields, if drop { &[KnownHeader::Via] } else { &[] });
            if drop {
                fields.remove(KnownHeader::Via);
            }
            let map = fields.to_map();
            prop_assert_eq!(text.matches("\r\n").count(), map.len());
            for name in map.keys() {
                let lines = text.split("\r\n").filter_map(|line| line.split_once(": "));
                let values: Vec<_> =
                    lines.filter(|(line_name, _)| line_name.eq_ignore_ascii_case(name.as_str())).map(|(_, v)| v).collect();
                let expected: Vec<_> = map.get_all(name).iter().map(|value| value.to_str().expect("text")).collect();
                prop_assert_eq!(values, expected);
            }
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
        }
    }
}
