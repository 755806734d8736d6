//! A line of a head, as far as both sides read it alike. RFC 9112 section 5.

/// What stands at the beginning of some bytes. All numbers count from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// A field, without control characters but tabs in its value.
    Field {
        /// The end of its name, which begins the line.
        name: usize,
        /// Begin and end of its value, without the blanks around it.
        value: (usize, usize),
        /// The end of the line.
        end: usize,
    },
    /// The empty line that ends a head.
    Last {
        /// The end of the line.
        end: usize,
    },
    /// More bytes are needed.
    Partial,
    /// None of these, for this reason.
    Odd(&'static str),
}

impl Line {
    /// Reads a line. Apart from those who ask, whose registers it would take.
    #[inline(never)]
    pub fn read(bytes: &[u8]) -> Line {
        Line::field(bytes).unwrap_or_else(|| Line::other(bytes))
    }

    /// The field that stands at the beginning.
    #[inline]
    fn field(bytes: &[u8]) -> Option<Line> {
        let name = bytes.iter().position(|&byte| !is_token(byte))?;
        if bytes[name] != b':' || name == 0 {
            return None;
        }
        let after = &bytes[name + 1..];
        let blank = after.iter().position(|byte| !is_blank(byte))?;
        let text = &after[blank..];
        let stop = stop(text);
        let length = line_end(&text[stop..]).ok()??;
        let value = text[..stop].iter().rposition(|byte| !is_blank(byte)).map_or(0, |last| last + 1);
        let begin = name + 1 + blank;
        Some(Line::Field { name, value: (begin, begin + value), end: begin + stop + length })
    }

    /// What stands there, where it is no field.
    #[inline(never)]
    fn other(bytes: &[u8]) -> Line {
        let Some(name) = bytes.iter().position(|&byte| !is_token(byte)) else { return Line::Partial };
        let (end, why) = match name {
            0 if bytes[0] == b'\r' => (line_end(bytes), "invalid new line"),
            0 => (line_end(bytes), "invalid header name"),
            _ if bytes[name] != b':' => return Line::Odd("invalid header name"),
            _ => {
                let after = &bytes[name + 1..];
                let blanks = after.iter().take_while(|byte| is_blank(byte)).count();
                let text = &after[blanks..];
                (line_end(&text[stop(text)..]), "invalid header value")
            }
        };
        match end {
            Ok(Some(end)) => Line::Last { end },
            Ok(None) => Line::Partial,
            Err(()) => Line::Odd(why),
        }
    }
}

/// The length of the line's end that stands at the beginning; none if that is not there yet.
#[inline]
pub fn line_end(bytes: &[u8]) -> Result<Option<usize>, ()> {
    match bytes {
        [b'\n', ..] => Ok(Some(1)),
        [b'\r', b'\n', ..] => Ok(Some(2)),
        [] | [b'\r'] => Ok(None),
        _ => Err(()),
    }
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Bytes that no value may hold.
fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

/// Where the first byte stands that no value may hold, or the end.
#[inline]
pub fn stop(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = bytes[at..].first_chunk() {
        match suspects(u64::from_le_bytes(*word)) {
            0 => at += 8,
            found => {
                at += found.trailing_zeros() as usize / 8;
                if is_control(bytes[at]) {
                    return at;
                }
                at += 1;
            }
        }
    }
    bytes[at..].iter().position(|&byte| is_control(byte)).map_or(bytes.len(), |more| at + more)
}

/// Marks control characters among eight bytes with their highest bit. Tabs are marked too, and after the first one
/// that is marked others may be; none before it.
#[inline]
fn suspects(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = 0x80 * EACH;
    // What is too small borrows; bytes of 0x80 and above do not count as small.
    let small = word.wrapping_sub(0x20 * EACH) & !word;
    let from_delete = word ^ (0x7f * EACH);
    let delete = from_delete.wrapping_sub(EACH) & !from_delete;
    (small | delete) & HIGHEST
}

/// Whether a byte may stand in a name (RFC 9110 section 5.6.2).
#[inline]
pub fn is_token(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
        match Line::read(line) {
            Line::Field { name, value, end } => Some((&line[..name], &line[value.0..value.1], &line[end..])),
            _ => None,
        }
    }

    #[test]
    fn a_field_is_a_name_a_colon_and_a_value() {
        for (line, name, value) in [
            ("A: b\r\n", "A", "b"),
            ("A:b\n", "A", "b"),
            ("A:\r\n", "A", ""),
            ("A:\t \t\r\n", "A", ""),
            ("A-b_c: d \t e:f \r\n", "A-b_c", "d \t e:f"),
            (
                "x: a\ttab and \u{e9} in a value of some length\n",
                "x",
                "a\ttab and \u{e9} in a value of some length",
            ),
        ] {
            let read = parts(line.as_bytes()).expect("a field");
            assert_eq!(read, (name.as_bytes(), value.as_bytes(), &b""[..]), "{line:?}");
            for end in 0..line.len() {
                assert_eq!(Line::read(&line.as_bytes()[..end]), Line::Partial, "{line:?} up to {end}");
            }
        }
    }

    #[test]
    fn what_is_no_field_is_told() {
        assert_eq!(Line::read(b"\nrest"), Line::Last { end: 1 });
        assert_eq!(Line::read(b"\r\nrest"), Line::Last { end: 2 });
        for line in [
            "\rA: b\n",
            ": b\n",
            "A\n",
            "A\r\n",
            "A : b\n",
            " A: b\n",
            "A: b\rc\n",
            "A: b\0\n",
            "A: \x7f\n",
            "\u{e9}:\n",
        ] {
            assert!(matches!(Line::read(line.as_bytes()), Line::Odd(_)), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn the_first_control_character_is_found(bytes in proptest::collection::vec(any::<u8>(), 0..40), from in 0..256_usize) {
            // Few of them, so that some stand far from the beginning.
            let bytes: Vec<u8> = bytes.iter().map(|b| if usize::from(*b) < from { b | 0x20 } else { *b }).collect();
            let first = bytes.iter().position(|&byte| is_control(byte)).unwrap_or(bytes.len());
            prop_assert_eq!(stop(&bytes), first);
        }

        #[test]
        fn fields_are_those_that_another_parser_finds(line in "[A-Za-z:! \t\r\n\u{0}\u{7f}\u{e9}-]{0,12}(\r\n|\n|)(\r\n|\n|X)") {
            let mut fields = [httparse::EMPTY_HEADER; 1];
            let mut whole = line.clone().into_bytes();
            let read = Line::read(&whole);
            if let Line::Field { end, .. } = read {
                whole.truncate(end);
                whole.extend_from_slice(b"\r\n");
            }
            match (httparse::parse_headers(&whole, &mut fields), read) {
                (Ok(httparse::Status::Complete((_, [field]))), Line::Field { .. }) => {
                    let (name, value, _) = parts(&whole).expect("a field");
                    prop_assert_eq!((name, value), (field.name.as_bytes(), field.value));
                }
                (Ok(httparse::Status::Complete((length, []))), Line::Last { end }) => prop_assert_eq!(length, end),
                (Ok(httparse::Status::Partial), Line::Partial) | (Err(_), Line::Odd(_)) => {}
                (theirs, ours) => prop_assert!(false, "{:?} but {:?}", theirs, ours),
            }
        }
    }
}
