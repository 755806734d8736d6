//! Lexical search for secret values in a text that cannot be parsed.
//!
//! An invalid text is usually well-formed elsewhere. In case of doubt a value is assumed to be longer: masking too
//! much is safer than too little.

use std::{borrow::Cow, ops::Range, sync::LazyLock};

use ahash::AHashMap;
use regex::Regex;

use super::SecretFields;

/// Key with or without quotes, and its colon; after `? key` the colon is on another line.
static KEY: LazyLock<Regex> = LazyLock::new(|| {
    const NAME: &str = r#"(?:"((?:[^"\\\n]|\\.)*)"|["']?([A-Za-z_][\w-]*)["']?)[ \t]*"#;
    Regex::new(&format!(r"\?[ \t]+{NAME}(?:#[^\n]*)?\r?\n[ \t]*:|{NAME}:"))
        .expect("the pattern is a constant")
});

/// Decodes a double-quoted name.
fn unescaped(written: &str) -> Cow<'_, str> {
    if !written.contains('\\') {
        return Cow::Borrowed(written);
    }
    let mut out = String::with_capacity(written.len());
    let mut rest = written;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = escaped.chars();
        let digits = match chars.next() {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            Some(c) => {
                out.push(c);
                0
            }
            None => 0,
        };
        rest = chars.as_str();
        if digits > 0 {
            let code = rest.get(..digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
            if let Some(c) = code.and_then(char::from_u32) {
                out.push(c);
                rest = &rest[digits..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Returns the ranges of values with secret names, in order.
pub fn named_values(text: &str, fields: &SecretFields) -> Vec<Range<usize>> {
    let scanner = Scanner::new(text);
    let mut known: AHashMap<Cow<'_, str>, bool> = AHashMap::new();
    let mut found: Vec<Range<usize>> = Vec::new();
    for key in KEY.captures_iter(text) {
        let Some(all) = key.get(0) else { continue };
        let quoted = key.get(1).or_else(|| key.get(3)).map(|name| unescaped(name.as_str()));
        let bare = || key.get(2).or_else(|| key.get(4)).map(|name| Cow::Borrowed(name.as_str()));
        let Some(name) = quoted.or_else(bare) else { continue };
        let before = text[..all.start()].chars().next_back();
        if before
            .is_some_and(|c| !c.is_whitespace() && !matches!(c, '{' | '[' | ',' | '-' | '?' | '\u{feff}'))
        {
            continue;
        }
        if found.last().is_some_and(|last| all.start() < last.end) {
            continue;
        }
        if *known.entry(name).or_insert_with_key(|name| fields.is_secret_name(name)) {
            let value = value_end(&scanner, all.start(), all.end());
            found.extend(value.filter(|range| !range.is_empty()));
        }
    }
    found
}

/// Text with properties of the whole.
pub(super) struct Scanner<'t> {
    text: &'t str,
    /// JSON: indentation has no meaning.
    json: bool,
}

impl<'t> Scanner<'t> {
    pub fn new(text: &'t str) -> Self {
        Scanner { text, json: text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']) }
    }

    /// Maximum distance to search backwards for a line start. A longer line is not a block, and must not be
    /// costly.
    const MAX_BACK_BYTES: usize = 4096;

    /// Returns the column of a block key, in characters; `None` inside a flow collection, where an open bracket
    /// precedes it.
    fn column(&self, key: usize) -> Option<usize> {
        let from = key.saturating_sub(Self::MAX_BACK_BYTES);
        let before = &self.text.as_bytes()[from..key];
        let start = match memchr::memrchr(b'\n', before) {
            Some(at) => from + at + 1,
            None if from == 0 => 0,
            None => return None,
        };
        let depth = self.text.as_bytes()[start..key].iter().fold(0_i32, |depth, byte| match byte {
            b'[' | b'{' => depth + 1,
            b']' | b'}' => (depth - 1).max(0),
            _ => depth,
        });
        (!self.json && depth == 0).then(|| self.text[start..key].chars().count())
    }

    fn line_end(&self, at: usize) -> usize {
        memchr::memchr(b'\n', &self.text.as_bytes()[at..]).map_or(self.text.len(), |i| at + i)
    }

    /// Returns the end of the lines after `at` that belong to a value whose key is at that column: blank lines and
    /// lines with deeper indentation.
    fn block_end(&self, at: usize, column: usize) -> usize {
        let mut end = self.line_end(at);
        let mut next = end;
        while next < self.text.len() {
            let start = next + 1;
            next = self.line_end(start);
            let line = &self.text[start..next];
            let indent = line.len() - line.trim_start_matches(' ').len();
            let content = line[indent..].trim_end();
            // List items may have the same indentation as their key.
            let item = indent == column && (content == "-" || content.starts_with("- "));
            if content.is_empty() {
                continue;
            }
            if indent <= column && !item {
                break;
            }
            end = next;
        }
        end
    }
}

/// Returns the range of the value after a key. `key` is the start of the key, `colon` the end of its colon. `None`
/// if there is no value, or it is an alias.
pub(super) fn value_end(scanner: &Scanner<'_>, key: usize, colon: usize) -> Option<Range<usize>> {
    let text = scanner.text;
    let column = scanner.column(key);
    let mut start = colon;
    loop {
        let rest = &text[start..];
        start += rest.len() - rest.trim_start_matches([' ', '\t']).len();
        // Anchors and tags precede a value.
        let property = text[start..].starts_with(['&', '!']);
        let end = || text[start..].find(char::is_whitespace).map(|at| start + at);
        match property.then(end).flatten() {
            Some(end) => start = end,
            None => break,
        }
    }
    let Some(column) = column else { return value_in_flow(scanner, start) };
    let end = match text[start..].chars().next()? {
        '*' => return None,
        quote @ ('"' | '\'') => quoted_end(text, start, quote, scanner.block_end(start, column)),
        '|' | '>' => scanner.block_end(start, column),
        '[' | '{' => collection_end(text, start, scanner.block_end(start, column)),
        '\n' | '\r' | '#' => {
            let end = scanner.block_end(start, column);
            start = scanner.line_end(start);
            end
        }
        _ => {
            let (line_end, end) = (scanner.line_end(start), scanner.block_end(start, column));
            let comment = text[start..line_end].find(" #").map_or(line_end, |at| start + at);
            if end == line_end { comment } else { end }
        }
    };
    Some(start..start + text[start..end.max(start)].trim_end().len())
}

/// Returns the range of a value inside a flow collection, which may start on a new line.
fn value_in_flow(scanner: &Scanner<'_>, at: usize) -> Option<Range<usize>> {
    let text = scanner.text;
    let start = at + text[at..].find(|c: char| !c.is_whitespace())?;
    let end = match text[start..].chars().next()? {
        '*' => return None,
        quote @ ('"' | '\'') => quoted_end(text, start, quote, text.len()),
        '[' | '{' => collection_end(text, start, text.len()),
        _ => text[start..].find([',', '}', ']', '\n', '\r']).map_or(text.len(), |at| start + at),
    };
    Some(start..start + text[start..end].trim_end().len())
}

/// Returns the end of a quoted text, or the limit if it is not closed before.
fn quoted_end(text: &str, start: usize, quote: char, limit: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    while at < limit {
        match bytes[at] {
            b'\\' if quote == '"' => at += 2,
            byte if byte == quote as u8 => {
                if quote == '\'' && bytes.get(at + 1) == Some(&b'\'') {
                    at += 2;
                } else {
                    return at + 1;
                }
            }
            _ => at += 1,
        }
    }
    limit
}

/// Returns the end of a flow collection, or the limit if it is not closed before.
fn collection_end(text: &str, start: usize, limit: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, start);
    while at < limit {
        match bytes[at] {
            quote @ (b'"' | b'\'') => {
                at = quoted_end(text, at, char::from(quote), limit);
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    limit
}
