//! Paths: normalisation for comparison, escaping for the upstream, and joining of a service's path with a request's.
//! Paths are bytes, because a decoded escape need not be UTF-8. Query strings are not handled here.

use std::borrow::Cow;

use model::PathHandling;

/// Whether the escape of a character must not be decoded (reserved characters of RFC 3986 section 2.2, and `%`).
fn reserved(byte: u8) -> bool {
    b"!*'();:@&=+$,/?%#[]".contains(&byte)
}

/// Characters that need no escape in a path sent to the upstream.
const PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"!#$&'()*+,/:;=?@[]-_.~%";
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
};

fn plain(byte: u8) -> bool {
    PLAIN[usize::from(byte)]
}

fn hex(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

/// Decodes an escape at the start of `text`.
fn escape(text: &[u8]) -> Option<u8> {
    match text {
        [b'%', high, low, ..] => Some(hex(*high)? << 4 | hex(*low)?),
        _ => None,
    }
}

/// Whether a path as sent is valid: its escapes are complete, none is a zero byte, and its `..` segments do not climb
/// above the root. The proxy rejects other paths with 400 before routing.
pub fn is_valid_path(path: &str) -> bool {
    let bytes = path.as_bytes();
    if memchr::memchr3(b'%', b'.', 0, bytes).is_none() {
        return true;
    }
    if memchr::memchr(b'%', bytes).is_none() && memchr::memmem::find(bytes, b"/..").is_none() {
        return memchr::memchr(0, bytes).is_none();
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = match bytes[at] {
            b'%' => match escape(&bytes[at..]) {
                Some(byte) => {
                    at += 2;
                    byte
                }
                None => return false,
            },
            byte => byte,
        };
        if byte == 0 {
            return false;
        }
        decoded.push(byte);
        at += 1;
    }
    let mut depth = 0_usize;
    for segment in decoded.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." if depth == 0 => return false,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}

/// Normalises a path for comparison: escapes of unreserved characters are decoded, other escapes are converted to upper
/// case, dot segments are resolved and slashes merged. The result is UTF-8 unless a decoded escape is not. Borrows if
/// nothing changes.
pub fn normalize(path: &str) -> Cow<'_, [u8]> {
    let bytes = path.as_bytes();
    let escaped = memchr::memchr(b'%', bytes).is_some();
    if !escaped && in_order(bytes) {
        return Cow::Borrowed(bytes);
    }
    let decoded = if escaped { Cow::Owned(decode(bytes)) } else { Cow::Borrowed(bytes) };
    if in_order(&decoded) { decoded } else { Cow::Owned(resolve(&decoded)) }
}

/// Whether a path has neither empty nor dot segments.
fn in_order(path: &[u8]) -> bool {
    let mut before = None;
    for (at, &byte) in path.iter().enumerate() {
        match byte {
            b'/' if before == Some(b'/') => return false,
            b'.' if before == Some(b'/') || before.is_none() => {
                let rest = &path[at + 1..];
                let rest = rest.strip_prefix(b".").unwrap_or(rest);
                if matches!(rest.first(), None | Some(b'/')) {
                    return false;
                }
            }
            _ => {}
        }
        before = Some(byte);
    }
    true
}

fn decode(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut at = 0;
    while at < path.len() {
        match escape(&path[at..]) {
            Some(byte) if reserved(byte) => {
                out.extend_from_slice(&path[at..at + 3].to_ascii_uppercase());
                at += 3;
            }
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(path[at]);
                at += 1;
            }
        }
    }
    out
}

fn resolve(path: &[u8]) -> Vec<u8> {
    let rooted = path.first() == Some(&b'/');
    let mut out: Vec<u8> = Vec::with_capacity(path.len());
    // Whether the result ends in a slash: a trailing dot segment counts as one.
    let mut open = false;
    for segment in path.split(|&byte| byte == b'/').skip(usize::from(rooted)) {
        open = true;
        match segment {
            b"" | b"." => {}
            b".." => out.truncate(memchr::memrchr(b'/', &out).unwrap_or(0)),
            _ => {
                if rooted || !out.is_empty() {
                    out.push(b'/');
                }
                out.extend_from_slice(segment);
                open = false;
            }
        }
    }
    if rooted && open {
        out.push(b'/');
    }
    out
}

/// Escapes a path for the upstream: every byte that is not allowed in a path is percent-encoded. The result is ASCII.
pub fn escape_for_upstream(path: &[u8]) -> Cow<'_, str> {
    if path.iter().all(|&byte| plain(byte))
        && let Ok(text) = str::from_utf8(path)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(path.len() + 16);
    for &byte in path {
        if plain(byte) {
            out.push(byte as char);
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    out.into()
}

/// Joins a service's path (`/` if it has none) with a request's.
///
/// `request_path` is the normalised path, `matched` is [`RouteMatch::matched`](super::RouteMatch), `strip_path` is that of
/// the route. `handling` is that of the route in flavor `traditional`, and always `V0` in the others.
pub fn upstream_path<'a>(
    service_path: &'a str,
    request_path: &'a [u8],
    matched: usize,
    strip_path: bool,
    handling: PathHandling,
) -> Cow<'a, [u8]> {
    let base = service_path.as_bytes();
    let open = base.last() == Some(&b'/');
    let after = |from: usize| request_path.get(from..).unwrap_or_default();
    let join = |base: &[u8], rest: &'a [u8]| match base {
        b"" => Cow::Borrowed(rest),
        // The slash of the service's path and that of the request's path are merged.
        b"/" if request_path.len() > rest.len()
            && request_path[request_path.len() - rest.len() - 1] == b'/' =>
        {
            Cow::Borrowed(&request_path[request_path.len() - rest.len() - 1..])
        }
        _ => Cow::Owned([base, rest].concat()),
    };
    let shut = if open { &base[..base.len() - 1] } else { base };
    if !strip_path {
        return match handling {
            PathHandling::V0 if !open && request_path == b"/" => Cow::Borrowed(base),
            PathHandling::V0 if !open => join(base, request_path),
            _ => join(base, after(1)),
        };
    }
    let rest = without_dots(after(matched.max(1)));
    let slash = rest.first() == Some(&b'/');
    match handling {
        PathHandling::V1 if open && slash => join(shut, rest),
        PathHandling::V1 => join(base, rest),
        PathHandling::V0 if rest.is_empty() => {
            let request_open = request_path.last() == Some(&b'/');
            match open {
                true if base == b"/" || request_open => Cow::Borrowed(base),
                true => Cow::Borrowed(shut),
                false if request_open && request_path.len() > 1 => Cow::Owned([base, b"/"].concat()),
                false => Cow::Borrowed(base),
            }
        }
        PathHandling::V0 if slash => join(shut, rest),
        PathHandling::V0 if open => join(base, rest),
        PathHandling::V0 => Cow::Owned([base, b"/", rest].concat()),
    }
}

/// Drops leading dot segments from the remainder of a path.
fn without_dots(rest: &[u8]) -> &[u8] {
    match rest {
        b"." | b".." => b"",
        _ => rest.strip_prefix(b"./").or_else(|| rest.strip_prefix(b"../")).unwrap_or(rest),
    }
}

#[cfg(test)]
mod tests;
