//! Multipart forms (RFC 7578), read so that no other reader can find more parts or other names in them.
//!
//! Readers disagree about what is malformed: delimiters with text behind them, folded headers, two names of one part.
//! A rule that takes a part out must not depend on which reader the upstream has, so such forms are refused.

use std::ops::Range;

use memchr::memmem;

/// Parts of one form: more are refused, because each takes room while the form is read.
const MAX_PARTS: usize = 10_000;

/// A form that is malformed, or that readers disagree about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a multipart form")]
pub struct Malformed;

/// A part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'b> {
    /// Its name; `None` without one.
    pub name: Option<&'b [u8]>,
    /// Its headers, without the empty line after them.
    pub headers: &'b [u8],
    /// What follows the empty line.
    pub value: &'b [u8],
    /// Where it stands in the body, from its delimiter to the next one.
    pub span: Range<usize>,
}

/// The boundary that a content type names.
///
/// # Errors
/// When it names none, or more than one.
pub fn boundary(content_type: &[u8]) -> Result<&[u8], Malformed> {
    let found = parameter(content_type, b"boundary")?.unwrap_or_default();
    let fits = !found.is_empty() && found.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    if fits && !found.ends_with(b" ") { Ok(found) } else { Err(Malformed) }
}

/// The parts of a body. One that was cut off counts as far as it goes.
///
/// # Errors
/// When the body is malformed.
pub fn parts<'b>(body: &'b [u8], boundary: &[u8]) -> Result<Vec<Part<'b>>, Malformed> {
    let delimiter = [b"--", boundary].concat();
    let mut parts = Vec::new();
    // Where the part being read has its delimiter and its content.
    let mut open: Option<(usize, usize)> = None;
    let mut closed = false;
    for at in memmem::find_iter(body, &delimiter) {
        let starts_line = at == 0 || body[at - 1] == b'\n';
        if closed || !starts_line || parts.len() == MAX_PARTS {
            return Err(Malformed);
        }
        if let Some((start, content)) = open.take() {
            parts.push(part(body, start, content, at)?);
        }
        let after = &body[at + delimiter.len()..];
        let line = memchr::memchr(b'\n', after).map_or(after.len(), |end| end + 1);
        match after[..line].trim_ascii_end() {
            b"" => open = Some((at, at + delimiter.len() + line)),
            b"--" => closed = true,
            _ => return Err(Malformed),
        }
    }
    if let Some((start, content)) = open {
        parts.push(part(body, start, content, body.len())?);
    } else if !closed {
        return Err(Malformed);
    }
    Ok(parts)
}

fn part(body: &[u8], start: usize, content: usize, end: usize) -> Result<Part<'_>, Malformed> {
    let text = &body[content..end];
    let text = text.strip_suffix(b"\n").map_or(text, |text| text.strip_suffix(b"\r").unwrap_or(text));
    let mut name = None;
    let (mut at, mut headers) = (0, &text[..0]);
    let mut has_disposition = false;
    loop {
        let length = memchr::memchr(b'\n', &text[at..]).ok_or(Malformed)?;
        let line = &text[at..at + length];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line_end = at + line.len();
        at += length + 1;
        if line.is_empty() {
            break;
        }
        headers = &text[..line_end];
        let colon = memchr::memchr(b':', line).ok_or(Malformed)?;
        let (field, value) = (&line[..colon], &line[colon + 1..]);
        // Blanks before the colon or at the start (a folded line), a CR or a NUL: readers disagree.
        if field.is_empty()
            || !field.iter().all(u8::is_ascii_graphic)
            || memchr::memchr2(0, b'\r', line).is_some()
        {
            return Err(Malformed);
        }
        if field.eq_ignore_ascii_case(b"content-disposition") {
            if std::mem::replace(&mut has_disposition, true) {
                return Err(Malformed);
            }
            name = parameter(value, b"name")?;
        }
    }
    Ok(Part { name, headers, value: &text[at..], span: start..end })
}

/// A parameter of a header's value (RFC 9110 section 5.6.6), without quotes.
fn parameter<'v>(value: &'v [u8], wanted: &[u8]) -> Result<Option<&'v [u8]>, Malformed> {
    let mut found = None;
    let mut rest = memchr::memchr(b';', value).map_or(&b""[..], |at| &value[at..]);
    while let Some(after) = rest.strip_prefix(b";").map(<[u8]>::trim_ascii_start) {
        if after.is_empty() || after.starts_with(b";") {
            rest = after;
            continue;
        }
        let equals = memchr::memchr2(b'=', b';', after).filter(|at| after[*at] == b'=').ok_or(Malformed)?;
        let (name, text) = (&after[..equals], &after[equals + 1..]);
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return Err(Malformed);
        }
        let text = match text.strip_prefix(b"\"") {
            Some(quoted) => {
                let end = end_of_quotes(quoted).ok_or(Malformed)?;
                rest = quoted[end + 1..].trim_ascii_start();
                &quoted[..end]
            }
            None => {
                let end = memchr::memchr(b';', text).unwrap_or(text.len());
                rest = &text[end..];
                let token = text[..end].trim_ascii_end();
                if token.is_empty()
                    || !token.iter().all(u8::is_ascii_graphic)
                    || memchr::memchr2(b'"', b'\'', token).is_some()
                {
                    return Err(Malformed);
                }
                token
            }
        };
        if !rest.is_empty() && !rest.starts_with(b";") {
            return Err(Malformed);
        }
        let Some((head, tail)) = name.split_at_checked(wanted.len()) else { continue };
        if head.eq_ignore_ascii_case(wanted) && (tail.is_empty() || tail.starts_with(b"*")) {
            // `name*` (RFC 8187) is not allowed here, and not every reader knows it; nor do all unescape.
            if !tail.is_empty() || found.is_some() || memchr::memchr(b'\\', text).is_some() {
                return Err(Malformed);
            }
            found = Some(text);
        }
    }
    Ok(found)
}

fn end_of_quotes(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', &text[at..])?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
        if at > text.len() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Option<Vec<(Option<&str>, &str)>> {
        let text = |bytes| std::str::from_utf8(bytes).expect("text");
        let parts = parts(body.as_bytes(), b"b").ok()?;
        Some(parts.into_iter().map(|part| (part.name.map(text), text(part.value))).collect())
    }

    #[test]
    fn a_form_comes_apart_at_its_delimiters() {
        let body = "preamble\r\n--b\r\ncontent-disposition: form-data; filename=\"x;\\\"y\"; Name=\"one\"\r\nX: y\r\n\r\n\
                    1\r\n- -b\r\n--b \r\n\r\nno head\r\n--b\r\nContent-Disposition: form-data; name=two\r\n\
                    \r\n\r\n--b--\r\nepilogue\r\n";
        assert_eq!(read(body).unwrap(), [(Some("one"), "1\r\n- -b"), (None, "no head"), (Some("two"), "")]);
        for body in [
            "--b\nContent-Disposition: form-data; name=\"one\"\n\n1\n--b--",
            "--b\nContent-Disposition: form-data; name=\"one\"\n\n1\n",
            "--b\nContent-Disposition: form-data; name=\"one\"\n\n1",
        ] {
            assert_eq!(read(body).unwrap(), [(Some("one"), "1")]);
        }
        assert_eq!(read("--b--\r\n"), Some(vec![]));
    }

    #[test]
    fn forms_that_readers_disagree_about_are_refused() {
        let part = |disposition: &str| format!("--b\r\n{disposition}\r\n\r\n1\r\n--b--\r\n");
        for head in [
            "Content-Disposition: form-data;\r\n name=a",
            "Content-Disposition : form-data; name=a",
            "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=z",
            "Content-Disposition: form-data; name=a; name=z",
            "Content-Disposition: form-data; name=a; name*=UTF-8''z",
            "Content-Disposition: form-data; name='a'",
            "Content-Disposition: form-data; name=\"a\\b\"",
            "Content-Disposition: form-data; name=\"a\"b",
            "Content-Disposition: form-data; name=\"a",
            "Content-Disposition: form-data; name =a",
            "Content-Disposition: form-data; filename=\"c:\\\"; name=\"a\"",
            "X: y\rContent-Disposition: form-data; name=a",
            "Content-Disposition form-data",
        ] {
            assert_eq!(read(&part(head)), None, "{head:?}");
        }
        for body in [
            "",
            "--b",
            "--b\r\n",
            "--b\r\n--b",
            "--b\r\nx--b--\r\n",
            "--b\n\u{e9}--b--",
            "x --b\r\n",
            "text",
            "--b\r\n\r\n1\r\n--bc\r\n\r\n2\r\n--b--",
            "--b\r\n\r\n1\r\n--b--x\r\n--b\r\n\r\n2\r\n--b--",
            "--b--\r\n--b\r\n\r\n2\r\n--b--",
            "--b\r\n\r\n1 --b\r\n\r\n2\r\n--b--",
        ] {
            assert_eq!(read(body), None, "{body:?}");
        }
        assert!(parts("--b\r\n\r\n\r\n".repeat(MAX_PARTS + 2).as_bytes(), b"b").is_err());
    }

    #[test]
    fn a_content_type_names_one_boundary() {
        for (text, expected) in [
            (&b"multipart/form-data; boundary=xx"[..], &b"xx"[..]),
            (b"multipart/form-data;charset=utf-8;;Boundary=\"x y\" ;", b"x y"),
        ] {
            assert_eq!(boundary(text), Ok(expected));
        }
        for text in [
            &b"multipart/form-data"[..],
            b"multipart/form-data; boundary=",
            b"multipart/form-data; boundary=\"\"",
            b"multipart/form-data; boundary=a; boundary=b",
            b"multipart/form-data; boundary*=a; boundary=b",
            b"multipart/form-data; boundary=\"a ",
            b"multipart/form-data; boundary='a'",
        ] {
            assert_eq!(boundary(text), Err(Malformed), "{text:?}");
        }
    }
}
