//! The fields of a head as they stand on the wire, for whoever sends them on without looking at each.

use std::ops::Range;

use http::{HeaderMap, HeaderName};

use super::raw::{Place, RawHead};

/// Bytes of a name from which on it is none ([`http::HeaderName`]'s own limit).
pub const MAX_NAME: usize = 64 * 1024;
/// Room for the headers that plugins add, so that a map need not grow for them.
const ROOM: usize = 8;

macro_rules! known {
    ($($name:ident $text:literal,)+) => {
        /// A field that a gateway treats apart from others.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "named as they are")]
        pub enum Known {
            $($name,)+
            /// `X-Accel-*`, which tell nginx what to do.
            Accel,
            /// Any other `X-Kong-*`, which the gateway itself sets.
            Kong,
            /// A name that differs from one of these by `_` in place of `-` alone. CGI and its successors fold both
            /// into one variable, so an upstream may take it for the other.
            LookAlike,
        }

        /// Those that have one name, and it in lower case.
        const NAMED: &[(Known, &str)] = &[$((Known::$name, $text),)+];
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

impl Known {
    /// Its name, in lower case; none for those that have several.
    pub fn name(self) -> Option<&'static str> {
        NAMED.get(self as usize).map(|(_, name)| *name)
    }

    /// The one of that name, a token in whatever case.
    pub fn of(name: &[u8]) -> Option<Known> {
        let row = usize::from(SLOTS[slot(name)?]);
        let (known, text) = NAMED[row];
        if name.len() == text.len() {
            if words(name) == WORDS[row] {
                return Some(known);
            }
            if folds_to(name, text.as_bytes()) {
                return Some(Known::LookAlike);
            }
        }
        match name {
            [b'x' | b'X', b'-' | b'_', b'a' | b'A', ..] => prefixed(name, Known::Accel, b"x-accel-"),
            [b'x' | b'X', b'-' | b'_', b'k' | b'K', ..] => prefixed(name, Known::Kong, b"x-kong-"),
            _ => None,
        }
    }

    /// Whether a request may have it once at most, as nginx reads it.
    pub fn is_singleton(self) -> bool {
        const ALL: u64 = {
            let (mut all, mut at) = (0, 0);
            while at < SINGLETONS.len() {
                all |= 1 << SINGLETONS[at] as u8;
                at += 1;
            }
            all
        };
        ALL & 1 << self as u8 != 0
    }
}

/// The fields that nginx refuses when a request repeats them. `Host` is one more, which is checked where it is read.
pub const SINGLETONS: [Known; 10] = [
    Known::IfMatch,
    Known::IfNoneMatch,
    Known::IfModifiedSince,
    Known::IfUnmodifiedSince,
    Known::IfRange,
    Known::ContentLength,
    Known::ContentRange,
    Known::TransferEncoding,
    Known::Expect,
    Known::Authorization,
];

/// The letters of each in [`NAMED`].
const WORDS: [[u64; 3]; NAMED.len()] = {
    let mut all = [[0; 3]; NAMED.len()];
    let mut row = 0;
    while row < all.len() {
        all[row] = words(NAMED[row].1.as_bytes());
        row += 1;
    }
    all
};

/// The bytes of a token of 2 to 24 bytes, in lower case. What is no letter stays what it is among the bytes that
/// tokens are made of, but for a few that no known name has.
const fn words(token: &[u8]) -> [u64; 3] {
    const LOWER: u64 = 0x2020_2020_2020_2020;
    const fn word(token: &[u8], at: usize) -> u64 {
        match token.split_at(at).1.first_chunk() {
            Some(bytes) => u64::from_le_bytes(*bytes) | LOWER,
            None => 0,
        }
    }
    let length = token.len();
    match length {
        // They overlap, and leave nothing out.
        8..=24 => [word(token, 0), word(token, length / 2 - 4), word(token, length - 8)],
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

/// For each [`slot`], the row of the only one in [`NAMED`] that it may be.
const SLOTS: [u8; 128] = {
    let mut slots = [0; 128];
    let mut taken = [false; 128];
    let mut row = 0;
    while row < NAMED.len() {
        let Some(slot) = slot(NAMED[row].1.as_bytes()) else { panic!("a name has two letters") };
        assert!(!taken[slot], "two names share a slot: other factors are needed");
        (slots[slot], taken[slot]) = (row as u8, true);
        row += 1;
    }
    slots
};

/// What tells the known names apart, in whatever case; none for a name that is too short to be one. The factors
/// were found by trial.
const fn slot(name: &[u8]) -> Option<usize> {
    let (Some(first), Some([before, last])) = (name.first(), name.last_chunk()) else { return None };
    let (first, before, last) = (*first as usize | 0x20, *before as usize | 0x20, *last as usize | 0x20);
    Some((76 * name.len() + 98 * first + 121 * before + 50 * last) % 128)
}

/// `known` if a name begins with its prefix, or a look-alike of it.
fn prefixed(name: &[u8], known: Known, prefix: &[u8]) -> Option<Known> {
    let begin = name.get(..prefix.len())?;
    match begin.eq_ignore_ascii_case(prefix) {
        true => Some(known),
        false => folds_to(begin, prefix).then_some(Known::LookAlike),
    }
}

/// Whether a name becomes that one, which is in lower case, when its `_` become `-`.
fn folds_to(name: &[u8], text: &[u8]) -> bool {
    let folded = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() == text.len() && name.iter().map(folded).eq(text.iter().copied())
}

/// Where a field lies, and which one it is.
#[derive(Clone, Copy, Debug)]
struct Field {
    name: Place,
    value: Place,
    known: Option<Known>,
}

/// Fields whose names are tokens and whose values hold no control characters but tabs, as
/// [`Line`](super::Line) tells.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    raw: RawHead,
    list: Vec<Field>,
    /// A bit for each [`Known`] that is among them.
    present: u64,
}

impl Fields {
    /// Adds a field to those of a head that is still being read; which one it is.
    pub fn push(&mut self, name: Place, value: Place, known: Option<Known>) {
        if self.list.capacity() == 0 {
            self.list.reserve(16);
        }
        if let Some(known) = known {
            self.present |= 1 << known as u8;
        }
        self.list.push(Field { name, value, known });
    }

    /// The head that they lie in is complete.
    pub fn complete(&mut self, raw: RawHead) {
        self.raw = raw;
    }

    /// How many were added.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Those that nobody has taken out.
    fn iter(&self) -> impl Iterator<Item = &Field> {
        self.list.iter().filter(|field| field.known.is_none_or(|known| self.has(&[known])))
    }

    /// Whether one of these is among them.
    pub fn has(&self, any: &[Known]) -> bool {
        any.iter().any(|&known| self.present & 1 << known as u8 != 0)
    }

    /// The values of a field, in order.
    pub fn values(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        let present = self.has(&[known]);
        let list = if present { &self.list[..] } else { &[] };
        list.iter().filter(move |field| field.known == Some(known)).map(|field| self.raw.part(field.value))
    }

    /// Takes a field out. None is added later.
    pub fn remove(&mut self, known: Known) {
        self.present &= !(1 << known as u8);
    }

    /// The first of these that has that name, and how it is spelled there.
    pub fn spelled(&self, name: &HeaderName, among: Range<usize>) -> Option<(usize, &[u8])> {
        let begin = among.start;
        let list = self.list.get(among)?;
        let mut spelled = list.iter().map(|field| self.raw.part(field.name)).enumerate();
        let same = |(_, spelled): &(usize, &[u8])| spelled.eq_ignore_ascii_case(name.as_str().as_bytes());
        spelled.find(same).map(|(at, spelled)| (begin + at, spelled))
    }

    /// Where their names and values lie.
    #[cfg(test)]
    pub fn places(&self) -> impl Iterator<Item = (Place, Place)> {
        self.list.iter().map(|field| (field.name, field.value))
    }

    /// Writes those that travel, each after the end of the line before it. Lines that stand behind each other are
    /// copied together.
    #[inline]
    pub fn write(&self, to: &mut Vec<u8>, mut travels: impl FnMut(Option<Known>) -> bool) {
        let bytes = self.raw.bytes();
        let (mut begin, mut end) = (0, 0);
        for field in self.iter().filter(|field| travels(field.known)) {
            let (name, value) = (field.name.0 as usize, field.value.1 as usize);
            let usual = bytes.get(name.wrapping_sub(2)..name) == Some(b"\r\n")
                && bytes[field.name.1 as usize..field.value.0 as usize] == *b": ";
            if usual && name == end + 2 {
                end = value;
                continue;
            }
            to.extend_from_slice(&bytes[begin..end]);
            (begin, end) = (name.saturating_sub(2), value);
            if !usual {
                to.extend_from_slice(b"\r\n");
                to.extend_from_slice(self.raw.part(field.name));
                to.extend_from_slice(b": ");
                to.extend_from_slice(self.raw.part(field.value));
                begin = end;
            }
        }
        to.extend_from_slice(&bytes[begin..end]);
    }

    /// All of them, to be looked up by name.
    pub fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.list.len() + ROOM);
        self.append_to(&mut map);
        map
    }

    /// Appends all of them to a map.
    pub fn append_to(&self, map: &mut HeaderMap) {
        for field in self.iter() {
            // Tokens shorter than 64 KiB are names, and bytes without control characters are values.
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
    use crate::Line;

    fn fields(head: &str) -> Fields {
        let mut fields = Fields::default();
        let mut at = head.find('\n').expect("a first line") + 1;
        while let Line::Field { name, value, end } = Line::read(&head.as_bytes()[at..]) {
            let place = |(from, to)| ((at + from) as u32, (at + to) as u32);
            let known = Known::of(&head.as_bytes()[at..at + name]);
            fields.push(place((0, name)), place(value), known);
            at += end;
        }
        fields.complete(RawHead::new(Bytes::copy_from_slice(head.as_bytes())));
        fields
    }

    fn written(fields: &Fields, without: &[Known]) -> String {
        let mut to = Vec::new();
        fields.write(&mut to, |known| known.is_none_or(|known| !without.contains(&known)));
        String::from_utf8(to).expect("text")
    }

    #[test]
    fn names_are_known_in_any_case() {
        for &(known, text) in NAMED {
            assert_eq!(known.name(), Some(text));
            for name in [text.to_owned(), text.to_uppercase()] {
                assert_eq!(Known::of(name.as_bytes()), Some(known));
                assert_eq!(Known::of(&name.as_bytes()[1..]), None, "{known:?}");
            }
        }
        assert_eq!((Known::Accel.name(), Known::Kong.name()), (None, None));
        // With any other byte of a token in any place.
        for &(_, text) in NAMED {
            for (at, byte) in (0..text.len()).flat_map(|at| (b'!'..=b'~').map(move |byte| (at, byte))) {
                let mut name = text.as_bytes().to_vec();
                name[at] = byte;
                if crate::is_token(byte) {
                    let same = |known: &&(Known, &str)| known.1.as_bytes().eq_ignore_ascii_case(&name);
                    let known = Known::of(&name).filter(|known| known.name().is_some());
                    assert_eq!(
                        known,
                        NAMED.iter().find(same).map(|known| known.0),
                        "{}",
                        name.escape_ascii()
                    );
                }
            }
        }
        assert_eq!(NAMED.len() + 3, Known::LookAlike as usize + 1, "each has a bit of its own");
        assert!((Known::LookAlike as u32) < u64::BITS);
        assert_eq!(Known::of(b"X-Accel-Redirect"), Some(Known::Accel));
        assert_eq!(Known::of(b"x-kong-other"), Some(Known::Kong));
        for name in ["", "x", "x-", "x-accel", "accept", "x-kong", "user-agent"] {
            assert_eq!(Known::of(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn names_with_underscores_are_not_taken_for_those_with_dashes() {
        for &(known, text) in NAMED.iter().filter(|(_, text)| text.contains('-')) {
            let (one, all) = (text.replacen('-', "_", 1), text.to_uppercase().replace('-', "_"));
            for name in [one, all] {
                assert_eq!(Known::of(name.as_bytes()), Some(Known::LookAlike), "{name}, {known:?}");
            }
        }
        for name in ["X_Kong_Other", "x-kong_other", "x_kong-other", "X_Accel_Redirect"] {
            assert_eq!(Known::of(name.as_bytes()), Some(Known::LookAlike), "{name}");
        }
        for name in ["x_consumer", "x_kong", "api_key", "_x-real-ip", "x_forwarded_forx", "x_ak_ong_"] {
            assert_eq!(Known::of(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn lines_are_copied_as_they_stand_and_odd_ones_are_mended() {
        let fields =
            fields("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\nVia: x\nE:f \r\nG: \t h\r\nI: j\n\r\n");
        assert_eq!(written(&fields, &[]), "\r\nHost: a\r\nA: b\r\nC: d\r\nVia: x\r\nE: f\r\nG: h\r\nI: j");
        assert_eq!(written(&fields, &[Known::Host, Known::Via]), "\r\nA: b\r\nC: d\r\nE: f\r\nG: h\r\nI: j");
        assert!(fields.has(&[Known::Te, Known::Via]) && !fields.has(&[Known::Te]));
        assert_eq!(fields.values(Known::Host).collect::<Vec<_>>(), [b"a"]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_a_map_holds(
            lines in "((A|Via|TE|x-b):( |\t|)[a-z]{0,3}( |)(\r\n|\r\n|\n)){0,6}",
            drop in any::<bool>(),
        ) {
            let mut fields = fields(&format!("GET / HTTP/1.1\r\n{lines}\r\n"));
            let text = written(&fields, if drop { &[Known::Via] } else { &[] });
            if drop {
                fields.remove(Known::Via);
            }
            let map = fields.to_map();
            prop_assert_eq!(text.matches("\r\n").count(), map.len());
            for name in map.keys() {
                let lines = text.split("\r\n").filter_map(|line| line.split_once(": "));
                let told: Vec<_> = lines.filter(|(own, _)| own.eq_ignore_ascii_case(name.as_str())).map(|(_, v)| v).collect();
                let kept: Vec<_> = map.get_all(name).iter().map(|value| value.to_str().expect("text")).collect();
                prop_assert_eq!(told, kept);
            }
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
        }
    }
}
