//! Rules for paths and URLs.

use std::borrow::Cow;

use super::check_regex;

/// A path of RFC 3986 characters that starts with a slash.
pub fn path(value: &str) -> Result<(), String> {
    if !value.starts_with('/') {
        return Err("should start with: /".to_owned());
    }
    if value.contains("//") {
        return Err("must not have empty segments".to_owned());
    }
    let fine = |b: u8| b.is_ascii_alphanumeric() || b".-_~/%:@!$&'()*+,;=".contains(&b);
    if !value.bytes().all(fine) {
        return Err(format!(
            "invalid path: '{value}' (characters outside of the reserved list of RFC 3986 found)"
        ));
    }
    escapes(value)
}

/// A route's path: a plain one in its normal form, or a regular expression after a `~`.
pub fn route_path(value: &str) -> Result<(), String> {
    if value.contains("//") {
        return Err("must not have empty segments".to_owned());
    }
    let regex = value.strip_prefix('~');
    if !regex.unwrap_or(value).starts_with('/') {
        return Err("should start with: / (fixed path) or ~/ (regex path)".to_owned());
    }
    escapes(value)?;
    if let Some(regex) = regex {
        return check_regex(regex)
            .map_err(|reason| format!("invalid regex: '{regex}' (PCRE returned: {reason})"));
    }
    match normalize(value) {
        Cow::Owned(normal) if normal != value => {
            Err(format!("non-normalized path, consider use '{normal}' instead"))
        }
        _ => Ok(()),
    }
}

/// Every `%` is followed by two hex digits.
fn escapes(value: &str) -> Result<(), String> {
    for (at, _) in value.match_indices('%') {
        let triplet: String = value[at..].chars().take(3).collect();
        if !(triplet.len() == 3 && triplet.bytes().skip(1).all(|b| b.is_ascii_hexdigit())) {
            return Err(format!("invalid url-encoded value: '{triplet}'"));
        }
    }
    Ok(())
}

/// The normal form of a path (RFC 3986, 6.2.2): escapes of unreserved characters decoded, those of others in
/// upper case, dot segments resolved, duplicate slashes merged.
pub fn normalize(path: &str) -> Cow<'_, str> {
    let plain = !path.contains('%') && !path.contains("//") && !path.contains("/.");
    if plain {
        return Cow::Borrowed(path);
    }
    let decoded = decode_unreserved(path);
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut ends_open = false;
    for segment in decoded.split(|&b| b == b'/') {
        ends_open = false;
        match segment {
            b"" | b"." => ends_open = true,
            b".." => {
                segments.pop();
                ends_open = true;
            }
            _ => segments.push(segment),
        }
    }
    let mut out = Vec::with_capacity(decoded.len());
    for segment in &segments {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    if ends_open || out.is_empty() {
        out.push(b'/');
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

fn decode_unreserved(path: &str) -> Vec<u8> {
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = bytes.get(i + 1..i + 3).and_then(|h| std::str::from_utf8(h).ok());
        match hex.filter(|_| bytes[i] == b'%').and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                out.push(byte);
                i += 3;
            }
            Some(_) => {
                out.extend(bytes[i..i + 3].iter().map(u8::to_ascii_uppercase));
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    out
}

/// A URL with scheme and host.
pub fn url(value: &str) -> Result<(), String> {
    let Some((scheme, rest)) = value.split_once(':') else {
        return Err("missing host in url".to_owned());
    };
    let Some(rest) = rest.strip_prefix("//") else {
        return Err("missing host in url".to_owned());
    };
    if scheme.is_empty() {
        return Err("missing scheme in url".to_owned());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = authority.rsplit('@').next().unwrap_or("");
    if host.is_empty() || host.starts_with(':') {
        return Err("missing host in url".to_owned());
    }
    Ok(())
}

/// Where an OAuth 2.0 client may be sent back to: a URL without fragment.
pub fn redirect_uri(value: &str) -> Result<(), String> {
    if url(value).is_err() {
        return Err(format!("cannot parse '{value}'"));
    }
    if value.contains('#') {
        return Err(format!("fragment not allowed in '{value}'"));
    }
    Ok(())
}
