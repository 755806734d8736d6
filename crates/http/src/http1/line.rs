//! Parser for one field line of a head or of a trailer section (RFC 9112 section 5), shared by requests and responses.

/// Result of parsing the first line of a buffer. Offsets are relative to the start of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldLine {
    /// A field line. The value has no control characters except tabs.
    Field {
        /// End of the name, which starts the line.
        name: usize,
        /// Start and end of the value, without the whitespace around it.
        value: (usize, usize),
        /// End of the line.
        end: usize,
    },
    /// The empty line that ends the section.
    End {
        /// End of the line.
        end: usize,
    },
    /// More bytes are needed.
    Partial,
    /// The line is malformed, with the reason.
    Malformed(&'static str),
}

impl FieldLine {
    /// Parses the first line. Not inlined: it would spill the registers of its callers' loops.
    #[inline(never)]
    pub fn parse(bytes: &[u8]) -> FieldLine {
        FieldLine::parse_field(bytes).unwrap_or_else(|| FieldLine::parse_other(bytes))
    }

    /// Parses a complete field line (the hot path).
    #[inline]
    fn parse_field(bytes: &[u8]) -> Option<FieldLine> {
        let name = bytes.iter().position(|&byte| !is_token(byte))?;
        if bytes[name] != b':' || name == 0 {
            return None;
        }
        let after_colon = &bytes[name + 1..];
        let blanks = after_colon.iter().position(|byte| !is_blank(byte))?;
        let text = &after_colon[blanks..];
        let control = find_control(text);
        let line_end_len = line_end(&text[control..]).ok()??;
        let value_len = text[..control].iter().rposition(|byte| !is_blank(byte)).map_or(0, |last| last + 1);
        let start = name + 1 + blanks;
        Some(FieldLine::Field {
            name,
            value: (start, start + value_len),
            end: start + control + line_end_len,
        })
    }

    /// Classifies a line that is not a complete field line.
    #[inline(never)]
    fn parse_other(bytes: &[u8]) -> FieldLine {
        let Some(name) = bytes.iter().position(|&byte| !is_token(byte)) else { return FieldLine::Partial };
        let (end, reason) = match name {
            0 if bytes[0] == b'\r' => (line_end(bytes), "invalid new line"),
            0 => (line_end(bytes), "invalid header name"),
            _ if bytes[name] != b':' => return FieldLine::Malformed("invalid header name"),
            _ => {
                let after_colon = &bytes[name + 1..];
                let blanks = after_colon.iter().take_while(|byte| is_blank(byte)).count();
                let text = &after_colon[blanks..];
                (line_end(&text[find_control(text)..]), "invalid header value")
            }
        };
        match end {
            Ok(Some(end)) => FieldLine::End { end },
            Ok(None) => FieldLine::Partial,
            Err(()) => FieldLine::Malformed(reason),
        }
    }
}

/// Returns the length of the line terminator at the start of the bytes; `None` if more bytes are needed.
#[inline]
pub fn line_end(bytes: &[u8]) -> Result<Option<usize>, ()> {
    match bytes {
        [b'\n', ..] => Ok(Some(1)),
        [b'\r', b'\n', ..] => Ok(Some(2)),
        [] | [b'\r'] => Ok(None),
        _ => Err(()),
    }
}

/// Returns whether a byte is optional whitespace (OWS, RFC 9110 section 5.6.3).
fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Returns whether a byte is not allowed in a field value (RFC 9110 section 5.5).
fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

/// Returns the index of the first byte that is not allowed in a field value, or the length if there is none.
#[inline]
pub fn find_control(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = bytes[at..].first_chunk() {
        match control_char_mask(u64::from_le_bytes(*word)) {
            0 => at += 8,
            mask => {
                at += mask.trailing_zeros() as usize / 8;
                if is_control(bytes[at]) {
                    return at;
                }
                at += 1;
            }
        }
    }
    bytes[at..].iter().position(|&byte| is_control(byte)).map_or(bytes.len(), |more| at + more)
}

/// Sets the high bit of each byte of a word that is a control character or a tab.
///
/// A borrow can also mark bytes after the first marked one, but never before it, so only the first mark is exact.
#[inline]
fn control_char_mask(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH_BITS: u64 = 0x80 * ONES;
    // Bytes below 0x20 borrow; `!word` excludes bytes of 0x80 and above.
    let below_space = word.wrapping_sub(0x20 * ONES) & !word;
    let from_delete = word ^ (0x7f * ONES);
    let delete = from_delete.wrapping_sub(ONES) & !from_delete;
    (below_space | delete) & HIGH_BITS
}

/// Returns whether a byte is a token character, as names consist of (RFC 9110 section 5.6.2).
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
    let symbols = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < symbols.len() {
        table[symbols[at] as usize] = true;
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
        match FieldLine::parse(line) {
            FieldLine::Field { name, value, end } => {
                Some((&line[..name], &line[value.0..value.1], &line[end..]))
            }
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
                assert_eq!(
                    FieldLine::parse(&line.as_bytes()[..end]),
                    FieldLine::Partial,
                    "{line:?} up to {end}"
                );
            }
        }
    }

    #[test]
    fn the_empty_line_and_malformed_lines_are_not_fields() {
        assert_eq!(FieldLine::parse(b"\nrest"), FieldLine::End { end: 1 });
        assert_eq!(FieldLine::parse(b"\r\nrest"), FieldLine::End { end: 2 });
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
            assert!(matches!(FieldLine::parse(line.as_bytes()), FieldLine::Malformed(_)), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn the_first_control_character_is_found(bytes in proptest::collection::vec(any::<u8>(), 0..40), from in 0..256_usize) {
            // Few control characters, so that some are far from the start.
            let bytes: Vec<u8> = bytes.iter().map(|b| if usize::from(*b) < from { b | 0x20 } else { *b }).collect();
            let first = bytes.iter().position(|&byte| is_control(byte)).unwrap_or(bytes.len());
            prop_assert_eq!(find_control(&bytes), first);
        }

        #[test]
        fn fields_are_those_that_httparse_finds(line in "[A-Za-z:! \t\r\n\u{0}\u{7f}\u{e9}-]{0,12}(\r\n|\n|)(\r\n|\n|X)") {
            let mut fields = [httparse::EMPTY_HEADER; 1];
            let mut whole = line.clone().into_bytes();
            let read = FieldLine::parse(&whole);
            if let FieldLine::Field { end, .. } = read {
                whole.truncate(end);
                whole.extend_from_slice(b"\r\n");
            }
            match (httparse::parse_headers(&whole, &mut fields), read) {
                (Ok(httparse::Status::Complete((_, [field]))), FieldLine::Field { .. }) => {
                    let (name, value, _) = parts(&whole).expect("a field");
                    prop_assert_eq!((name, value), (field.name.as_bytes(), field.value));
                }
                (Ok(httparse::Status::Complete((length, []))), FieldLine::End { end }) => prop_assert_eq!(length, end),
                (Ok(httparse::Status::Partial), FieldLine::Partial) | (Err(_), FieldLine::Malformed(_)) => {}
                (theirs, ours) => prop_assert!(false, "{:?} but {:?}", theirs, ours),
            }
        }
    }
}
