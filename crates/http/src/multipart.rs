//! Multipart forms (RFC 7578), parsed so that no other parser can find more parts or other names in them.
//!
//! Parsers treat malformed forms differently: text after a delimiter, folded headers, two names of one part. A rule
//! that removes a part must not depend on the upstream's parser, so such forms are rejected.

use std::ops::Range;

use memchr::memmem;

/// Maximum number of parts of a form. Each takes memory while the form is parsed.
const MAX_PARTS: usize = 10_000;

/// Error for a form that is malformed, or that parsers read differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a multipart form")]
pub struct Malformed;

/// A part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'b> {
    /// Name of the part, if it has one.
    pub name: Option<&'b [u8]>,
    /// Header section, without the empty line after it.
    pub headers: &'b [u8],
    /// Content after the empty line.
    pub value: &'b [u8],
    /// Range of the part in the body, from its delimiter to the next one.
    pub span: Range<usize>,
}

/// Strictness about syntax that parsers treat differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Accepts a preamble, parts without a name, and lines that end with LF alone. For rules that hide nothing.
    Lenient,
    /// Requires that each part is `form-data` with exactly one name, and that lines end with CRLF.
    Strict,
}

/// Returns the boundary of a content type.
///
/// # Errors
/// If there is no boundary, or more than one.
pub fn boundary(content_type: &[u8]) -> Result<&[u8], Malformed> {
    let found = parameter(content_type, b"boundary")?.ok_or(Malformed)?.text;
    let is_valid = !found.is_empty() && found.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    if is_valid && !found.ends_with(b" ") { Ok(found) } else { Err(Malformed) }
}

/// Returns the boundary of a content type if it conforms to RFC 2046 section 5.1.1, and is quoted unless it is a
/// token.
///
/// # Errors
/// If there is no such boundary.
pub fn strict_boundary(content_type: &[u8]) -> Result<&[u8], Malformed> {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
    let found = parameter(content_type, b"boundary")?.ok_or(Malformed)?;
    let is_valid = found.text.len() <= 70 && found.text.iter().all(is_allowed) && found.is_well_formed();
    if is_valid { boundary(content_type) } else { Err(Malformed) }
}

/// Splits a body into its parts. A truncated last part is included.
///
/// # Errors
/// If the body is malformed.
pub fn parts<'b>(body: &'b [u8], boundary: &[u8], mode: Mode) -> Result<Vec<Part<'b>>, Malformed> {
    let is_strict = mode == Mode::Strict;
    let delimiter = [b"--", boundary].concat();
    let mut parts = Vec::new();
    // Positions of the current part's delimiter and content.
    let mut current: Option<(usize, usize)> = None;
    let mut is_closed = false;
    for at in memmem::find_iter(body, &delimiter) {
        let starts_line = at == 0 || body[..at].ends_with(if is_strict { b"\r\n" } else { b"\n" });
        if is_closed || !starts_line || parts.len() == MAX_PARTS {
            return Err(Malformed);
        }
        match current.take() {
            Some((start, content)) => parts.push(parse_part(body, start, content, at, mode)?),
            // A line break before the first delimiter is common, and no parser treats it as a part.
            None if is_strict && at > b"\r\n".len() => return Err(Malformed),
            None => {}
        }
        let after = &body[at + delimiter.len()..];
        let line = memchr::memchr(b'\n', after).map_or(after.len(), |end| end + 1);
        if is_strict && !matches!(&after[..line], b"\r\n" | b"--\r\n" | b"--") {
            return Err(Malformed);
        }
        match after[..line].trim_ascii_end() {
            b"" => current = Some((at, at + delimiter.len() + line)),
            b"--" => is_closed = true,
            _ => return Err(Malformed),
        }
    }
    if let Some((start, content)) = current {
        parts.push(parse_part(body, start, content, body.len(), mode)?);
    } else if !is_closed {
        return Err(Malformed);
    }
    Ok(parts)
}

/// Parses the part between two delimiters.
fn parse_part(
    body: &[u8],
    start: usize,
    content: usize,
    end: usize,
    mode: Mode,
) -> Result<Part<'_>, Malformed> {
    let is_strict = mode == Mode::Strict;
    let text = &body[content..end];
    let text = text.strip_suffix(b"\n").map_or(text, |text| text.strip_suffix(b"\r").unwrap_or(text));
    let mut name = None;
    let (mut at, mut headers) = (0, &text[..0]);
    let mut has_disposition = false;
    loop {
        let length = memchr::memchr(b'\n', &text[at..]).ok_or(Malformed)?;
        let line = &text[at..at + length];
        let line = match line.strip_suffix(b"\r") {
            Some(line) => line,
            None if is_strict => return Err(Malformed),
            None => line,
        };
        let line_end = at + line.len();
        at += length + 1;
        if line.is_empty() {
            break;
        }
        headers = &text[..line_end];
        let colon = memchr::memchr(b':', line).ok_or(Malformed)?;
        let (field, value) = (&line[..colon], &line[colon + 1..]);
        // Parsers disagree about white space before the colon or at the start (a folded line), CR and NUL.
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
            if is_strict && !is_form_data(value) {
                return Err(Malformed);
            }
            name = parameter(value, b"name")?.map(|parameter| parameter.text);
        }
    }
    if is_strict && name.is_none() {
        return Err(Malformed);
    }
    Ok(Part { name, headers, value: &text[at..], span: start..end })
}

/// Returns whether a content disposition is `form-data` with one name that every parser finds, however it searches
/// for `name=`.
fn is_form_data(disposition: &[u8]) -> bool {
    let kind = disposition.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let lowercase = disposition.to_ascii_lowercase();
    let starts_word = |at: &usize| at.checked_sub(1).is_some_and(|before| !is_word(lowercase[before]));
    kind.eq_ignore_ascii_case(b"form-data")
        && memmem::find_iter(&lowercase, b"name=").filter(starts_word).count() == 1
        && parameter(disposition, b"name").is_ok_and(|name| name.is_some_and(|name| name.is_well_formed()))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A parameter of a header field value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'v> {
    /// Value without quotes.
    pub text: &'v [u8],
    is_quoted: bool,
}

impl Parameter<'_> {
    /// Returns whether the value equals this text, ignoring case.
    pub fn text_is(&self, text: &str) -> bool {
        self.text.eq_ignore_ascii_case(text.as_bytes())
    }

    /// Returns whether the value is quoted or a token (RFC 9110 section 5.6.2). Parsers end other values at different
    /// characters.
    fn is_well_formed(&self) -> bool {
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        self.is_quoted || self.text.iter().all(is_token)
    }
}

/// Looks up a parameter of a header field value (RFC 9110 section 5.6.6).
///
/// # Errors
/// If the parameters are malformed, or more than one has this name.
pub fn parameter<'v>(value: &'v [u8], wanted: &[u8]) -> Result<Option<Parameter<'v>>, Malformed> {
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
        let quoted = text.strip_prefix(b"\"");
        let is_quoted = quoted.is_some();
        let text = match quoted {
            Some(quoted) => {
                let end = closing_quote(quoted).ok_or(Malformed)?;
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
            // RFC 7578 forbids `name*` (RFC 8187), and not every parser supports it or unescapes backslashes.
            if !tail.is_empty() || found.is_some() || memchr::memchr(b'\\', text).is_some() {
                return Err(Malformed);
            }
            found = Some(Parameter { text, is_quoted });
        }
    }
    Ok(found)
}

/// Returns the position of the closing quote, skipping escaped characters.
fn closing_quote(text: &[u8]) -> Option<usize> {
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

/// Serialises parts: of each its header section, without the empty line after it, and its content. No parts are an
/// empty body.
pub fn write<'p>(parts: impl IntoIterator<Item = (&'p [u8], &'p [u8])>, boundary: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (headers, value) in parts {
        for piece in [&b"--"[..], boundary, b"\r\n"] {
            out.extend_from_slice(piece);
        }
        if !headers.is_empty() {
            out.extend_from_slice(headers);
            out.extend_from_slice(b"\r\n");
        }
        for piece in [&b"\r\n"[..], value, b"\r\n"] {
            out.extend_from_slice(piece);
        }
    }
    if !out.is_empty() {
        for piece in [&b"--"[..], boundary, b"--\r\n"] {
            out.extend_from_slice(piece);
        }
    }
    out
}

/// Builds the header section of a form field. `"` and line breaks, which would end the name, are percent-encoded
/// (RFC 7578 section 2).
pub fn form_field(name: &[u8]) -> Vec<u8> {
    let mut out = b"Content-Disposition: form-data; name=\"".to_vec();
    for &byte in name {
        match byte {
            b'"' | b'\r' | b'\n' => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Option<Vec<(Option<&str>, &str)>> {
        named(parts(body.as_bytes(), b"b", Mode::Lenient))
    }

    fn read_strictly(body: &str) -> Option<Vec<(Option<&str>, &str)>> {
        named(parts(body.as_bytes(), b"b", Mode::Strict))
    }

    fn named(parts: Result<Vec<Part<'_>>, Malformed>) -> Option<Vec<(Option<&str>, &str)>> {
        let text = |bytes| std::str::from_utf8(bytes).expect("text");
        let parts = parts.ok()?;
        Some(parts.into_iter().map(|part| (part.name.map(text), text(part.value))).collect())
    }

    #[test]
    fn forms_are_split_at_delimiters() {
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
    fn forms_that_parsers_read_differently_are_rejected() {
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
        assert!(parts("--b\r\n\r\n\r\n".repeat(MAX_PARTS + 2).as_bytes(), b"b", Mode::Lenient).is_err());
    }

    #[test]
    fn strict_mode_requires_form_data_with_a_name() {
        let part = |disposition: &str| format!("--b\r\n{disposition}\r\n\r\n1\r\n--b--\r\n");
        let named = part("Content-Disposition: form-data; name=\"a\"");
        for body in [
            named.clone(),
            part("content-disposition:form-data; filename=\"x.png\"; name=a\r\nContent-Type: image/png"),
            part("Content-Disposition: Form-Data;name=\"a\"; filename=\"n\""),
            format!("\r\n{named}epilogue"),
            named.trim_end_matches("\r\n--b--\r\n").to_owned(),
        ] {
            assert_eq!(read_strictly(&body).as_deref(), Some(&[(Some("a"), "1")][..]), "{body:?}");
        }
        assert_eq!(read_strictly("--b--\r\n"), Some(vec![]));
        for head in [
            "",
            "\r\nContent-Disposition: form-data; name=\"a\"",
            "\nContent-Disposition: form-data; name=\"a\"",
            "X: y",
            "Content-Disposition: form-data",
            "Content-Disposition: name=\"a\"",
            "Content-Disposition: attachment; name=\"a\"",
            "Content-Disposition: form-data name=\"a\"",
            "Content-Disposition: form-data; name=a,b",
            "Content-Disposition: form-data; name=a[]",
            "Content-Disposition: form-data; x=\" name=a\"; name=\"z\"",
            "Content-Disposition: form-data; name=\"z\"; filename=\"x; Name=a\"",
            "Content-Disposition: form-data; name=\"a\"\nX: y",
        ] {
            assert_eq!(read_strictly(&part(head)), None, "{head:?}");
        }
        for body in [
            format!("preamble\r\n{named}"),
            format!("--b,c\r\n{named}"),
            format!("\n{named}"),
            named.replace("\r\n", "\n"),
            named.replace("1\r\n", "1\n"),
            named.replace("--b\r\n", "--b \r\n"),
            named.replace("--b--\r\n", "--b-- \r\n"),
        ] {
            assert_eq!(read_strictly(&body), None, "{body:?}");
        }
    }

    #[test]
    fn a_content_type_has_one_boundary() {
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
