//! Query strings and `application/x-www-form-urlencoded` forms, byte for byte as Kong's server (nginx) reads them.
//!
//! Arguments are separated by `&` alone. `+` is a space, `%XX` a byte; a `%` without two hex digits stands for itself.
//! An argument without a name is ignored. Arguments keep their order, and each keeps its encoded bytes, so that
//! removing one leaves the others as the client sent them.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

/// Bytes that are percent-encoded: all but letters, digits and `-._~`.
const ENCODED_BYTES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One argument of a query string or form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument<'a> {
    name: &'a [u8],
    value: Option<&'a [u8]>,
}

impl<'a> Argument<'a> {
    /// Parses the text between two `&`; `None` if it has no name.
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (name, value) = match memchr::memchr(b'=', text) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        (!name.is_empty()).then_some(Argument { name, value })
    }

    /// Returns the decoded name.
    pub fn name(&self) -> Cow<'a, [u8]> {
        decode(self.name)
    }

    /// Returns whether this is the decoded name.
    pub fn is(&self, name: &[u8]) -> bool {
        *self.name() == *name
    }

    /// Returns the decoded value; `None` if there is no `=`.
    pub fn value(&self) -> Option<Cow<'a, [u8]>> {
        self.value.map(decode)
    }

    /// Returns the name as text, with U+FFFD for what is not UTF-8.
    pub fn name_text(&self) -> Cow<'a, str> {
        to_text(self.name())
    }

    /// Returns the value as text, with U+FFFD for what is not UTF-8; `None` if there is no `=`.
    pub fn value_text(&self) -> Option<Cow<'a, str>> {
        self.value().map(to_text)
    }
}

/// Iterates over the arguments of a query string or form.
pub fn arguments(text: &[u8]) -> impl Iterator<Item = Argument<'_>> {
    text.split(|byte| *byte == b'&').filter_map(Argument::parse)
}

/// Returns the text without the arguments whose decoded name is `removed`; `None` if it has none of them. All other
/// bytes are kept, also those that are no argument.
pub fn remove(text: &[u8], removed: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let is_kept = |piece: &&[u8]| Argument::parse(piece).is_none_or(|argument| !removed(&argument.name()));
    let pieces = || text.split(|byte| *byte == b'&');
    if pieces().all(|piece| is_kept(&piece)) {
        return None;
    }
    let mut rest = Vec::with_capacity(text.len());
    for (number, piece) in pieces().filter(is_kept).enumerate() {
        if number > 0 {
            rest.push(b'&');
        }
        rest.extend_from_slice(piece);
    }
    Some(rest)
}

/// Decodes a name or a value.
pub fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return Cow::Borrowed(text);
    }
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(percent_decode(&spaced).collect())
}

/// Appends an argument, with `&` before it unless it is the first.
pub fn append(out: &mut String, name: &[u8], value: Option<&[u8]>) {
    if !out.is_empty() {
        out.push('&');
    }
    out.extend(percent_encode(name, ENCODED_BYTES));
    if let Some(value) = value {
        out.push('=');
        out.extend(percent_encode(value, ENCODED_BYTES));
    }
}

fn to_text(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, Option<String>)> {
        let owned = |argument: Argument<'_>| {
            (argument.name_text().into_owned(), argument.value_text().map(Cow::into_owned))
        };
        arguments(text.as_bytes()).map(owned).collect()
    }

    #[test]
    fn arguments_are_read_as_by_nginx() {
        for (text, expected) in [
            ("", &[][..]),
            ("a=1&b=2", &[("a", Some("1")), ("b", Some("2"))]),
            ("a=1&a=2&a", &[("a", Some("1")), ("a", Some("2")), ("a", None)]),
            ("&&a=&&b&", &[("a", Some("")), ("b", None)]),
            ("=1&=&b=2", &[("b", Some("2"))]),
            ("a=1=2", &[("a", Some("1=2"))]),
            ("a+b=c+d%20e", &[("a b", Some("c d e"))]),
            ("%61%3d%26=%2B", &[("a=&", Some("+"))]),
            (
                "a=%&b=%4&c=%zz&d=100%",
                &[("a", Some("%")), ("b", Some("%4")), ("c", Some("%zz")), ("d", Some("100%"))],
            ),
            ("a=1;b=2", &[("a", Some("1;b=2"))]),
            ("a=%ff", &[("a", Some("\u{fffd}"))]),
        ] {
            let expected: Vec<_> =
                expected.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect();
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn removal_keeps_all_other_bytes() {
        for (text, expected) in
            [("a=1", Some("")), ("%61=1&b=%32&&=x&a&c", Some("b=%32&&=x&c")), ("b=1&A=2", None), ("", None)]
        {
            let rest = remove(text.as_bytes(), |name| name == b"a");
            assert_eq!(rest.as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn what_is_appended_is_read_again() {
        let mut out = String::new();
        append(&mut out, b"a b", Some(b"\xff&=+"));
        append(&mut out, b"c", None);
        assert_eq!(out, "a%20b=%FF%26%3D%2B&c");
        let read: Vec<_> = arguments(out.as_bytes()).map(|a| (a.name(), a.value())).collect();
        assert_eq!(read, [(b"a b"[..].into(), Some(b"\xff&=+"[..].into())), (b"c"[..].into(), None)]);
    }
}
