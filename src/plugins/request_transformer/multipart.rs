//! Multipart bodies (RFC 7578): read, changed by rules, written again. Parts that no rule is about keep
//! their bytes.

use super::rules::FieldRules;
use crate::plugins::shared::template::{Env, RenderError};

/// A part: its headers and what follows the blank line.
struct Part<'b> {
    name: Vec<u8>,
    headers: Vec<u8>,
    value: std::borrow::Cow<'b, [u8]>,
}

impl Part<'_> {
    fn plain(name: &[u8], value: Vec<u8>) -> Self {
        let headers = [b"Content-Disposition: form-data; name=\"", name, b"\""].concat();
        Part { name: name.to_vec(), headers, value: value.into() }
    }
}

/// The body after the rules; none if nothing changes. Nothing can be appended to a part.
pub fn transform(
    body: &[u8],
    content_type: &[u8],
    rules: &FieldRules,
    env: &Env<'_>,
) -> Result<Option<Vec<u8>>, RenderError> {
    let Some(boundary) = boundary(content_type) else { return Ok(None) };
    let mut parts = parts(body, boundary);
    let mut changed = false;
    for (old, new) in &rules.rename {
        let new = new.render(env)?;
        let Some(at) = position(&parts, old.as_bytes()).filter(|_| *new != *old.as_bytes()) else { continue };
        let value = std::mem::take(&mut parts[at].value);
        let renamed = Part { value, ..Part::plain(&new, Vec::new()) };
        match position(&parts, &new) {
            Some(there) => parts[there] = renamed,
            None => parts.push(renamed),
        }
        parts.retain(|part| part.name != old.as_bytes());
        changed = true;
    }
    for name in &rules.remove {
        let before = parts.len();
        parts.retain(|part| part.name != name.as_bytes());
        changed |= parts.len() < before;
    }
    for (name, value) in &rules.replace {
        let value = value.render(env)?;
        if position(&parts, name.as_bytes()).is_some() {
            parts.retain(|part| part.name != name.as_bytes());
            parts.push(Part::plain(name.as_bytes(), value.into_owned()));
            changed = true;
        }
    }
    for (name, value) in &rules.add {
        let value = value.render(env)?;
        if position(&parts, name.as_bytes()).is_none() {
            parts.push(Part::plain(name.as_bytes(), value.into_owned()));
            changed = true;
        }
    }
    Ok(changed.then(|| write(&parts, boundary)))
}

fn position(parts: &[Part<'_>], name: &[u8]) -> Option<usize> {
    parts.iter().position(|part| part.name == name)
}

/// The boundary that a content type names.
fn boundary(content_type: &[u8]) -> Option<&[u8]> {
    let mut parameters = content_type.split(|byte| *byte == b';').skip(1).map(<[u8]>::trim_ascii);
    let value = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_at_checked(9)?;
        name.eq_ignore_ascii_case(b"boundary=").then_some(value)
    })?;
    let quoted = |quote: &[u8]| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let value = quoted(b"\"").or_else(|| quoted(b"'")).unwrap_or(value);
    (!value.is_empty()).then_some(value)
}

/// The parts between lines that begin with `--` and the boundary.
fn parts<'b>(body: &'b [u8], boundary: &[u8]) -> Vec<Part<'b>> {
    let delimiter = [b"--", boundary].concat();
    let mut begins = None;
    let mut parts = Vec::new();
    for at in memchr::memmem::find_iter(body, &delimiter) {
        if at > 0 && !matches!(body[at - 1], b'\n' | b'\r') {
            continue;
        }
        if let Some(begin) = begins {
            let content = &body[begin..at];
            let content = content.strip_suffix(b"\n").unwrap_or(content);
            parts.push(part(content.strip_suffix(b"\r").unwrap_or(content)));
        }
        let after = &body[at + delimiter.len()..];
        if after.starts_with(b"--") {
            return parts;
        }
        let line = memchr::memchr(b'\n', after).map_or(after.len(), |end| end + 1);
        begins = Some(at + delimiter.len() + line);
    }
    // A body that was cut off: what is there counts.
    if let Some(rest) = begins.and_then(|begin| body.get(begin..)).filter(|rest| !rest.is_empty()) {
        parts.push(part(rest));
    }
    parts
}

fn part(content: &[u8]) -> Part<'_> {
    let blank = memchr::memmem::find(content, b"\r\n\r\n").map(|at| (at, at + 4));
    let (end, value) = blank
        .or_else(|| memchr::memmem::find(content, b"\n\n").map(|at| (at, at + 2)))
        .unwrap_or((content.len(), content.len()));
    Part { name: name(&content[..end]), headers: content[..end].to_vec(), value: (&content[value..]).into() }
}

/// The name that a part's `Content-Disposition` gives it; empty if none does.
fn name(headers: &[u8]) -> Vec<u8> {
    let mut lines = headers.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let wanted = b"content-disposition";
    let line =
        lines.find(|line| line.get(..wanted.len()).is_some_and(|start| start.eq_ignore_ascii_case(wanted)));
    let parameters = line.unwrap_or_default().split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    for parameter in parameters {
        if let Some((name, value)) = parameter.split_at_checked(5)
            && name.eq_ignore_ascii_case(b"name=")
        {
            let unquoted = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
            return unquoted.unwrap_or(value).to_vec();
        }
    }
    Vec::new()
}

fn write(parts: &[Part<'_>], boundary: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if parts.is_empty() {
        return out;
    }
    for part in parts {
        let pieces: [&[u8]; 7] = [b"--", boundary, b"\r\n", &part.headers, b"\r\n\r\n", &part.value, b"\r\n"];
        pieces.iter().for_each(|piece| out.extend_from_slice(piece));
    }
    for piece in [&b"--"[..], boundary, b"--\r\n"] {
        out.extend_from_slice(piece);
    }
    out
}
