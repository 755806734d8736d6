//! The target of a request line: the accepted forms, and the bytes allowed in one.

use bytes::Bytes;

/// What an accepted target consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// URI characters only.
    Uri,
    /// Bytes that Kong accepts and [`http::Uri`] does not, too.
    NeedsEscaping,
}

/// Classifies a target; `None` if it is rejected: neither a path nor absolute, or with a space or a control
/// character.
pub fn classify(target: &[u8]) -> Option<TargetForm> {
    if target.first() != Some(&b'/') && !is_absolute(target) {
        return None;
    }
    let classes = target.iter().fold(0, |classes, &byte| classes | TARGET_BYTE_CLASS[usize::from(byte)]);
    match classes {
        0 => Some(TargetForm::Uri),
        NEEDS_ESCAPING => Some(TargetForm::NeedsEscaping),
        _ => None,
    }
}

/// Whether a target has a scheme and an authority. Only paths and absolute targets are served.
fn is_absolute(target: &[u8]) -> bool {
    let scheme = target.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let scheme = scheme.count();
    target.first().is_some_and(u8::is_ascii_alphabetic) && target[scheme..].starts_with(b"://")
}

/// A byte of a target that Kong accepts and `http::Uri` rejects.
const NEEDS_ESCAPING: u8 = 1;
/// A byte that no target may contain.
const FORBIDDEN: u8 = 2;

/// Class of each byte in a target.
const TARGET_BYTE_CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            0..=b' ' | 0x7f => FORBIDDEN,
            b'<' | b'>' | b'"' | b'`' | 0x80.. => NEEDS_ESCAPING,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// Percent-encodes the bytes that `http::Uri` rejects.
pub fn escape(target: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(target.len() + 16);
    for &byte in target {
        if TARGET_BYTE_CLASS[usize::from(byte)] == NEEDS_ESCAPING {
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
            assert_eq!(classify(target.as_bytes()), Some(TargetForm::Uri), "{target}");
        }
        for (target, text) in
            [("/<\">`", "/%3C%22%3E%60"), ("/\u{e9}", "/%C3%A9"), ("http://a/\u{e9}", "http://a/%C3%A9")]
        {
            assert_eq!(classify(target.as_bytes()), Some(TargetForm::NeedsEscaping), "{target}");
            assert_eq!(escape(target.as_bytes()), text);
        }
        for target in
            ["", "*", "a", "?a", "a:80", "http:/a", "1http://a", "://a", "/a b", "/a\tb", "/\0", "/<\u{7f}"]
        {
            assert_eq!(classify(target.as_bytes()), None, "{target:?}");
        }
    }
}
