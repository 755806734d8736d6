//! HTTP/1 messages byte by byte, for mocks and the client: they must see and send what no proper library would.

use std::io;

use serde::Serialize;
use serde_json::{Map, Value, ser::Formatter};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite};

/// A connection, clear or over TLS.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// A connection of either kind.
pub type AnyStream = Box<dyn Stream>;

/// Longest line of a head, in bytes.
const LINE: u64 = 1 << 20;

/// Header fields in order; bytes are taken as Latin-1, so that nothing is lost.
pub type Fields = Vec<(String, String)>;

/// The error of a message that ends too early.
pub fn cut(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, what.into())
}

/// The error of a message that is none.
pub fn malformed(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// Bytes as Latin-1 text.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}

/// A text as Latin-1 bytes; `?` for what that has not.
pub fn to_latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

/// A line without its end.
///
/// # Errors
/// When the connection ends before it does.
pub async fn line<R: AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<String> {
    let mut bytes = Vec::new();
    (&mut *reader).take(LINE).read_until(b'\n', &mut bytes).await?;
    if bytes.pop() != Some(b'\n') {
        return Err(cut("the connection was closed"));
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(latin1(&bytes))
}

/// Header fields or trailers, up to the empty line.
///
/// # Errors
/// When the connection ends before.
pub async fn fields<R: AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<Fields> {
    let mut found = Fields::new();
    loop {
        let line = line(reader).await?;
        if line.is_empty() {
            return Ok(found);
        }
        let (name, value) =
            line.split_once(':').ok_or_else(|| malformed(format!("no header field: {line:?}")))?;
        found.push((name.trim().to_owned(), value.trim().to_owned()));
    }
}

/// The values of a field, in order.
pub fn get<'a>(fields: &'a Fields, name: &str) -> Vec<&'a str> {
    fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
}

/// Whether the body comes in chunks.
pub fn is_chunked(fields: &Fields) -> bool {
    get(fields, "transfer-encoding").join(",").to_ascii_lowercase().contains("chunked")
}

/// A body in chunks, up to its last chunk and the line end of that; trailers are left.
///
/// # Errors
/// When the connection ends before, or a size is none.
pub async fn chunks<R: AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = line(reader).await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size =
            u64::from_str_radix(size, 16).map_err(|_| malformed(format!("no chunk size: {line:?}")))?;
        if size == 0 {
            return Ok(body);
        }
        if (&mut *reader).take(size).read_to_end(&mut body).await? as u64 != size {
            return Err(cut("the connection was closed within a chunk"));
        }
        self::line(reader).await?;
    }
}

/// A body of that length.
///
/// # Errors
/// When the connection ends before.
pub async fn exactly<R: AsyncBufRead + Unpin>(reader: &mut R, length: usize) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    (&mut *reader).take(length as u64).read_to_end(&mut body).await?;
    if body.len() < length {
        return Err(cut(format!("the body is cut short: {} of {length} bytes", body.len())));
    }
    Ok(body)
}

/// A body in chunks of 64 bytes, the last chunk included.
pub fn in_chunks(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + body.len() / 8 + 8);
    for part in body.chunks(64) {
        out.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

/// Fields by name in lower case: a text, or a list where there are several.
pub fn by_name(fields: &Fields) -> Map<String, Value> {
    let mut found: Map<String, Value> = Map::new();
    for (name, value) in fields {
        add(&mut found, name.to_ascii_lowercase(), value.clone());
    }
    found
}

/// Adds a value under a name that may have others.
pub fn add(found: &mut Map<String, Value>, name: String, value: String) {
    match found.get_mut(&name) {
        None => {
            found.insert(name, value.into());
        }
        Some(Value::Array(all)) => all.push(value.into()),
        Some(one) => *one = Value::Array(vec![one.take(), value.into()]),
    }
}

/// JSON in ASCII with a space after commas and colons, the form that recorded answers have: lengths of bodies
/// depend on it.
pub fn json_text(value: &Value) -> String {
    let mut out = Vec::new();
    // A value in memory can always be written.
    let _ = value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Spaced));
    String::from_utf8_lossy(&out).into_owned()
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { w.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, w: &mut W) -> io::Result<()> {
        w.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, w: &mut W, text: &str) -> io::Result<()> {
        let mut units = [0; 2];
        for c in text.chars() {
            if c.is_ascii() && c != '\u{7f}' {
                w.write_all(&[c as u8])?;
            } else if c == '\u{7f}' {
                w.write_all(b"\x7f")?;
            } else {
                for unit in c.encode_utf16(&mut units) {
                    write!(w, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_written_in_ascii_with_spaces() {
        assert_eq!(
            json_text(&json!({ "a": [1, "ü\u{1f600}\n"], "b": {} })),
            r#"{"a": [1, "\u00fc\ud83d\ude00\n"], "b": {}}"#
        );
    }

    #[tokio::test]
    async fn a_body_in_chunks_reads_back() {
        let body = vec![b'x'; 150];
        let wire = in_chunks(&body);
        let mut reader = wire.as_slice();
        assert_eq!(chunks(&mut reader).await.expect("chunks"), body);
        assert!(fields(&mut reader).await.expect("no trailers").is_empty());
    }
}
