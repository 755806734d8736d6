//! The target of a request line: the forms that are served, and the bytes that may stand in one.

use bytes::Bytes;

/// What a target that is served is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// What a URI is.
    Usual,
    /// Bytes that Kong passes and [`http::Uri`] does not, too.
    Odd,
}

/// Looks at a target; `None` if it is not served: one that is neither a path nor absolute, or holds a blank or a control
/// character.
pub fn check(target: &[u8]) -> Option<Form> {
    if target.first() != Some(&b'/') && !is_absolute(target) {
        return None;
    }
    let found = target.iter().fold(0, |found, &byte| found | IN_TARGET[usize::from(byte)]);
    match found {
        0 => Some(Form::Usual),
        ESCAPED => Some(Form::Odd),
        _ => None,
    }
}

/// Whether a target names a scheme and an authority. Other forms than that and a path are not served.
fn is_absolute(target: &[u8]) -> bool {
    let scheme = target.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let scheme = scheme.count();
    target.first().is_some_and(u8::is_ascii_alphabetic) && target[scheme..].starts_with(b"://")
}

/// A byte of a target that Kong passes and `http::Uri` refuses.
const ESCAPED: u8 = 1;
/// One that no target may hold.
const NEVER: u8 = 2;

/// What is to be said of each byte of a target.
const IN_TARGET: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            0..=b' ' | 0x7f => NEVER,
            b'<' | b'>' | b'"' | b'`' | 0x80.. => ESCAPED,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// A target with those bytes escaped.
pub fn escaped(target: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(target.len() + 16);
    for &byte in target {
        if IN_TARGET[usize::from(byte)] == ESCAPED {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(byte);
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_absolute_targets_are_served() {
        for target in ["/", "/a?b", "//a", "http://a", "https://a/b?c", "h2+x.y-z://a", "/|^{}\\"] {
            assert_eq!(check(target.as_bytes()), Some(Form::Usual), "{target}");
        }
        for (target, text) in
            [("/<\">`", "/%3C%22%3E%60"), ("/\u{e9}", "/%C3%A9"), ("http://a/\u{e9}", "http://a/%C3%A9")]
        {
            assert_eq!(check(target.as_bytes()), Some(Form::Odd), "{target}");
            assert_eq!(escaped(target.as_bytes()), text);
        }
        for target in
            ["", "*", "a", "?a", "a:80", "http:/a", "1http://a", "://a", "/a b", "/a\tb", "/\0", "/<\u{7f}"]
        {
            assert_eq!(check(target.as_bytes()), None, "{target:?}");
        }
    }
}
