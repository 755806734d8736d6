//! JSON parser that builds nodes with spans.
//!
//! Accepts RFC 8259 plus the extensions of lua-cjson, which Kong uses: raw control characters in strings, and
//! numbers such as `+1`, `01`, `0x1F`, `-.5`, `inf` and `nan`.

use super::duplicate_keys::{KeyIndex, duplicate_key, find_key};
use super::finding::with_syntax_error_tree;
use super::scalar::{hex_float, number_value};
use super::yaml_diagnostics;
use super::{Document, Entry, FileId, Finding, Findings, Limits, NodeId, SourceMap, Span, Value};

/// Parses a JSON file into `doc` and returns its root; `None` if an error was added to `findings`.
pub fn parse_json(
    sources: &SourceMap,
    file: FileId,
    doc: &mut Document,
    limits: &Limits,
    findings: &mut Findings,
) -> Option<NodeId> {
    let text = sources.get(file).text();
    doc.reserve_for(text.len());
    let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut parser = JsonParser {
        file,
        text,
        at,
        doc,
        depth: limits.depth(),
        findings,
        open_brackets: Vec::new(),
        buffer: String::new(),
    };
    match parser.document() {
        Ok(root) => {
            doc.add_json(file);
            Some(root)
        }
        Err(finding) => {
            let reason = finding.message.clone();
            let finding = match yaml_diagnostics::foreign(text) {
                Some((range, message, help)) => {
                    let span = Span { file, start: range.start as u32, end: range.end as u32 };
                    Finding::error("source/json-syntax", message).at(span, "").help(help)
                }
                None => *finding,
            };
            findings.push(with_syntax_error_tree(finding, &reason));
            None
        }
    }
}

struct JsonParser<'a> {
    file: FileId,
    text: &'a str,
    /// Offset of the next byte.
    at: usize,
    doc: &'a mut Document,
    depth: usize,
    findings: &'a mut Findings,
    /// Offsets of the open brackets.
    open_brackets: Vec<usize>,
    /// Decode buffer for strings with escapes.
    buffer: String,
}

type ParseResult<T> = Result<T, Box<Finding>>;

impl JsonParser<'_> {
    fn document(&mut self) -> ParseResult<NodeId> {
        let root = self.value()?;
        match self.peek() {
            None => Ok(root),
            Some(next) => {
                let finding = self.error_at_cursor("something follows the end of the document");
                Err(Box::new(match next {
                    b'{' | b'[' => finding.help("a file holds one document: make one of them"),
                    _ => finding.help("remove it"),
                }))
            }
        }
    }

    fn value(&mut self) -> ParseResult<NodeId> {
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => {
                let start = self.at;
                let value = self.string()?;
                Ok(self.node(value, start))
            }
            _ => self.literal(),
        }
    }

    fn object(&mut self) -> ParseResult<NodeId> {
        let start = self.enter()?;
        let mut entries: Vec<Entry> = Vec::new();
        let mut index: Option<Box<KeyIndex>> = None;
        while self.peek() != Some(b'}') {
            if self.peek() != Some(b'"') {
                return Err(self.missing_key(!entries.is_empty()));
            }
            let at = self.at;
            let key = self.string()?;
            let key = self.node(key, at);
            if self.peek() != Some(b':') {
                return Err(Box::new(
                    self.error_at_cursor("a `:` is missing between this key and its value"),
                ));
            }
            self.at += 1;
            let entry = Entry { key, value: self.value()? };
            match find_key(self.doc, &entries, &mut index, key) {
                None => entries.push(entry),
                Some(earlier) => {
                    let old = std::mem::replace(&mut entries[earlier], entry);
                    self.doc.add_replaced(old);
                    self.findings.push(duplicate_key(self.doc, old.key, key));
                }
            }
            self.comma(b'}')?;
        }
        self.leave();
        Ok(self.node(Value::Map(entries.into()), start))
    }

    fn array(&mut self) -> ParseResult<NodeId> {
        let start = self.enter()?;
        let mut items = Vec::new();
        while self.peek() != Some(b']') {
            items.push(self.value()?);
            self.comma(b']')?;
        }
        self.leave();
        Ok(self.node(Value::Seq(items.into()), start))
    }

    /// Consumes an opening bracket and returns its offset.
    fn enter(&mut self) -> ParseResult<usize> {
        if self.open_brackets.len() >= self.depth {
            let message = format!("nested more than {} levels deep", self.depth);
            let span = self.span(self.at, self.at + 1);
            return Err(Box::new(Finding::error("source/too-deep", message).at(span, "one level too many")));
        }
        self.open_brackets.push(self.at);
        self.at += 1;
        Ok(self.at - 1)
    }

    /// Consumes a closing bracket.
    fn leave(&mut self) {
        self.open_brackets.pop();
        self.at += 1;
    }

    /// Consumes the comma after an item, unless the list or map ends here.
    fn comma(&mut self, close: u8) -> ParseResult<()> {
        match self.peek() {
            Some(b',') => {
                let comma = self.at;
                self.at += 1;
                if self.peek() != Some(close) {
                    return Ok(());
                }
                let finding = self.error("a comma stands before the closing bracket", comma, comma + 1);
                Err(Box::new(finding.help("remove the comma")))
            }
            Some(byte) if byte == close => Ok(()),
            _ => Err(Box::new(self.missing_comma(close))),
        }
    }

    fn missing_comma(&mut self, close: u8) -> Finding {
        let message = format!("expected `,` or `{}`", close as char);
        match self.peek() {
            Some(b'/' | b'#') => self.error_at_cursor(message).help(NO_COMMENTS),
            Some(b'"' | b'{' | b'[') => {
                self.error_at_cursor(message).help("put a `,` after the value before it")
            }
            _ => self.error_at_cursor(message),
        }
    }

    fn missing_key(&mut self, after_others: bool) -> Box<Finding> {
        Box::new(match self.peek() {
            Some(b'\'') => {
                self.error_at_cursor("a key needs double quotes").help("write `\"` instead of `'`")
            }
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') => self.error_at_cursor("a key needs double quotes"),
            Some(b'/' | b'#') => {
                self.error_at_cursor("a comment stands where a key is expected").help(NO_COMMENTS)
            }
            _ if after_others => self.error_at_cursor("expected a key after the comma"),
            _ => self.error_at_cursor("expected a key or `}`"),
        })
    }

    /// Parses `true`, `false`, `null`, or a number.
    fn literal(&mut self) -> ParseResult<NodeId> {
        let start = self.at;
        for (literal, value) in
            [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)]
        {
            if self.rest().starts_with(literal) {
                self.at += literal.len();
                return Ok(self.node(value, start));
            }
        }
        if let Some((value, length)) = number(self.rest()) {
            self.at += length;
            return Ok(self.node(value, start));
        }
        let mut finding = self.error_at_cursor("expected a value");
        match self.rest().bytes().next() {
            Some(b'\'') => finding = finding.help("strings need double quotes"),
            Some(b'/' | b'#') => finding = finding.help(NO_COMMENTS),
            Some(b'T' | b'F') => finding = finding.help("write `true` or `false`"),
            Some(b'N') => finding = finding.help("write `null`"),
            _ => {}
        }
        Err(Box::new(finding))
    }

    /// Parses a string; the cursor is at its opening quote.
    fn string(&mut self) -> ParseResult<Value> {
        let start = self.at;
        self.at += 1;
        self.buffer.clear();
        loop {
            let from = self.at;
            let Some(length) = memchr::memchr2(b'"', b'\\', &self.text.as_bytes()[from..]) else {
                let finding = self.error("this string is never closed", start, start + 1);
                return Err(Box::new(finding.help("add the missing `\"`")));
            };
            self.at += length + 1;
            let plain = &self.text[from..from + length];
            if self.text.as_bytes()[from + length] == b'"' {
                if self.buffer.is_empty() {
                    return Ok(Value::Str(self.doc.intern(plain)));
                }
                self.buffer.push_str(plain);
                return Ok(Value::Str(self.doc.intern(&self.buffer)));
            }
            self.buffer.push_str(plain);
            let c = self.escape(from + length)?;
            self.buffer.push(c);
        }
    }

    /// Decodes an escape sequence; the cursor is past the backslash.
    fn escape(&mut self, start: usize) -> ParseResult<char> {
        let byte = self.text.as_bytes().get(self.at).copied();
        self.at += 1;
        let c = match byte {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(c @ (b'"' | b'\\' | b'/')) => c as char,
            Some(b'u') => {
                let code = match self.four_digits() {
                    Some(high @ 0xd800..=0xdbff) if self.rest().starts_with("\\u") => {
                        self.at += 2;
                        let low = self.four_digits().filter(|low| (0xdc00..=0xdfff).contains(low));
                        low.map(|low| 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
                    }
                    code => code,
                };
                match code.and_then(char::from_u32) {
                    Some(c) => c,
                    None => {
                        return Err(Box::new(self.error(
                            "`\\u` stands for no character here",
                            start,
                            start + 2,
                        )));
                    }
                }
            }
            _ => {
                let finding = self.error("there is no such escape", start, start + 2);
                return Err(Box::new(finding.help("write `\\\\` for a backslash")));
            }
        };
        Ok(c)
    }

    fn four_digits(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        let code = digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(digits)?;
        self.at += 4;
        u32::from_str_radix(code, 16).ok()
    }

    /// Skips white space and returns the next byte.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn node(&mut self, value: Value, start: usize) -> NodeId {
        let span = self.span(start, self.at);
        self.doc.add(value, span)
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let clip = |at: usize| at.min(self.text.len()) as u32;
        Span { file: self.file, start: clip(start), end: clip(end) }
    }

    fn error(&self, message: impl Into<String>, start: usize, end: usize) -> Finding {
        let mut end = end.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        Finding::error("source/json-syntax", message).at(self.span(start, end), "")
    }

    /// Builds an error at the cursor, or at the innermost open bracket if the text has ended.
    fn error_at_cursor(&self, message: impl Into<String>) -> Finding {
        match (self.rest().chars().next(), self.open_brackets.last()) {
            (None, Some(&open)) => {
                let (open_text, close) =
                    (&self.text[open..=open], if self.text[open..].starts_with('[') { ']' } else { '}' });
                self.error(format!("this `{open_text}` is never closed"), open, open + 1)
                    .at(self.span(self.at, self.at), "the text ends here")
                    .help(format!("add the missing `{close}`"))
            }
            (None, None) => self.error("the text ends where a value is expected", self.at, self.at),
            (Some(c), _) => self.error(message, self.at, self.at + c.len_utf8()),
        }
    }
}

const NO_COMMENTS: &str = "JSON has no comments: remove it; YAML has them, after a `#`";

/// Parses the longest number prefix that C's `strtod` accepts and returns its value and length.
fn number(text: &str) -> Option<(Value, usize)> {
    let bytes = text.as_bytes();
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let count =
        |from: usize, digit: fn(&u8) -> bool| bytes.iter().skip(from).take_while(|b| digit(b)).count();
    let minus = bytes.first() == Some(&b'-');
    let signed = |x: f64| if minus { -x } else { x };
    for (literal, x) in [("infinity", f64::INFINITY), ("inf", f64::INFINITY), ("nan", f64::NAN)] {
        if bytes.get(sign..sign + literal.len()).is_some_and(|b| b.eq_ignore_ascii_case(literal.as_bytes())) {
            return Some((Value::Float(signed(x)), sign + literal.len()));
        }
    }
    let exponent = |at: usize, letters: [u8; 2]| {
        if !bytes.get(at).is_some_and(|b| letters.contains(b)) {
            return 0;
        }
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        match count(at + 1 + sign, u8::is_ascii_digit) {
            0 => 0,
            digits => 1 + sign + digits,
        }
    };
    if matches!(bytes.get(sign..sign + 2), Some(b"0x" | b"0X")) {
        let start = sign + 2;
        let mut end = start + count(start, u8::is_ascii_hexdigit);
        if bytes.get(end) == Some(&b'.') {
            end += 1 + count(end + 1, u8::is_ascii_hexdigit);
        }
        end += exponent(end, *b"pP");
        if let Some(x) = hex_float(&text[start..end]) {
            return Some((
                if x.fract() == 0.0 { number_value(signed(x)) } else { Value::Float(signed(x)) },
                end,
            ));
        }
    }
    let int = count(sign, u8::is_ascii_digit);
    let mut end = sign + int;
    let mut fraction = 0;
    let mut exact = true;
    if bytes.get(end) == Some(&b'.') {
        fraction = count(end + 1, u8::is_ascii_digit);
        // A number may start with a dot only after a sign.
        if int + fraction == 0 || (int == 0 && sign == 0) {
            return None;
        }
        end += 1 + fraction;
        exact = false;
    }
    if int + fraction == 0 {
        return None;
    }
    let power = exponent(end, *b"eE");
    exact &= power == 0;
    end += power;
    let x: f64 = text[..end].parse().ok()?;
    Some((if exact { number_value(x) } else { Value::Float(x) }, end))
}
