//! Escaping of text from requests in log lines, as nginx does (`escape=` of `log_format`).

/// How values are escaped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Escape {
    /// `"`, `\`, and bytes outside of printable ASCII as `\xXX`; an absent value is `-`.
    #[default]
    Default,
    /// As in strings of JSON; an absent value is empty. Bytes that are not UTF-8 become U+FFFD.
    Json,
    /// Not at all; an absent value is empty. Control characters still become `\xXX`, so that a request cannot write a
    /// line of its own.
    None,
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

impl Escape {
    /// Appends a value.
    pub fn push(self, value: &[u8], line: &mut Vec<u8>) {
        match self {
            Escape::Default => {
                push_runs(value, line, |b| matches!(b, b'"' | b'\\' | 0..=0x1f | 0x7f..=0xff), push_hex)
            }
            Escape::None => push_runs(value, line, |b| matches!(b, 0..=0x1f | 0x7f), push_hex),
            Escape::Json => {
                for chunk in value.utf8_chunks() {
                    let special = |b| matches!(b, b'"' | b'\\' | 0..=0x1f);
                    push_runs(chunk.valid().as_bytes(), line, special, push_json);
                    if !chunk.invalid().is_empty() {
                        line.extend_from_slice("\u{fffd}".as_bytes());
                    }
                }
            }
        }
    }

    /// Appends what stands for an absent value.
    pub fn push_absent(self, line: &mut Vec<u8>) {
        if self == Escape::Default {
            line.push(b'-');
        }
    }
}

/// Appends bytes; special ones through `escape`, the runs between them as they are.
fn push_runs(
    mut rest: &[u8],
    line: &mut Vec<u8>,
    is_special: impl Fn(u8) -> bool,
    escape: impl Fn(u8, &mut Vec<u8>),
) {
    while let Some(at) = rest.iter().position(|&byte| is_special(byte)) {
        line.extend_from_slice(&rest[..at]);
        escape(rest[at], line);
        rest = &rest[at + 1..];
    }
    line.extend_from_slice(rest);
}

fn push_hex(byte: u8, line: &mut Vec<u8>) {
    line.extend_from_slice(&[b'\\', b'x', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

fn push_json(byte: u8, line: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            line.extend_from_slice(b"\\u00");
            line.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            return;
        }
    };
    line.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(escape: Escape, value: &[u8]) -> Vec<u8> {
        let mut line = Vec::new();
        escape.push(value, &mut line);
        line
    }

    #[test]
    fn text_is_escaped_as_nginx_does() {
        let value = b"a\"b\\c\r\n\t\x00\x1f\x7f\xc3\xa9~ ";
        let default: &[u8] = br"a\x22b\x5Cc\x0D\x0A\x09\x00\x1F\x7F\xC3\xA9~ ";
        assert_eq!(escaped(Escape::Default, value), default);
        let json = "a\\\"b\\\\c\\r\\n\\t\\u0000\\u001F\u{7f}é~ ";
        assert_eq!(String::from_utf8(escaped(Escape::Json, value)).unwrap(), json);
        let none: &[u8] = b"a\"b\\c\\x0D\\x0A\\x09\\x00\\x1F\\x7F\xc3\xa9~ ";
        assert_eq!(escaped(Escape::None, value), none);
    }

    proptest! {
        /// No value can end its line, or the quoted string that it stands in.
        #[test]
        fn no_value_leaves_its_place(value in proptest::collection::vec(any::<u8>(), 0..64)) {
            for escape in [Escape::Default, Escape::Json, Escape::None] {
                let line = escaped(escape, &value);
                prop_assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
            }
            let line = escaped(Escape::Default, &value);
            prop_assert!(line.iter().all(|b| (0x20..0x7f).contains(b)) && !line.contains(&b'"'));
            let json = [b"\"", &escaped(Escape::Json, &value)[..], b"\""].concat();
            let text: String = serde_json::from_slice(&json).expect("a JSON string");
            prop_assert_eq!(text, String::from_utf8_lossy(&value));
        }
    }
}
