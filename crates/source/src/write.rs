//! YAML and JSON writers that keep the order of JSON values.
//!
//! The output parses back to the same value by our own tag resolution (`scalar.rs`), which is Kong's. Strings that
//! other YAML parsers resolve to another type (`y`, `0o17`, a date) are quoted as well. Two exceptions: a map with
//! the key `<<` cannot be represented, because Kong merges even a quoted one; and integers beyond 2^53 parse back
//! as doubles, as all numbers do in Kong.

use serde_json::Value as Json;

use super::scalar;

/// Formats a value as pretty-printed JSON with a final line end.
pub fn to_json(value: &Json) -> String {
    // Serialising a `Value` to memory cannot fail: its keys are strings.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// Formats a value as a YAML document: two spaces per level, lists at the indentation of their key.
pub fn to_yaml(value: &Json) -> String {
    let mut writer = Writer { out: String::new(), stack: Vec::new(), after_dash: false };
    writer.document(value);
    writer.out
}

/// Remaining content of a list or map that is being written, and its indentation.
enum Frame<'v> {
    List(std::slice::Iter<'v, Json>, usize),
    Map(serde_json::map::Iter<'v>, usize),
}

struct Writer<'v> {
    out: String,
    /// Explicit stack instead of recursion, so that depth costs no thread stack.
    stack: Vec<Frame<'v>>,
    /// Whether the dash of an item was just written, so that its content continues on the same line.
    after_dash: bool,
}

impl<'v> Writer<'v> {
    fn document(&mut self, value: &'v Json) {
        match value {
            Json::Array(items) if !items.is_empty() => self.stack.push(Frame::List(items.iter(), 0)),
            Json::Object(map) if !map.is_empty() => self.stack.push(Frame::Map(map.iter(), 0)),
            value => self.scalar(value, 2),
        }
        while let Some(level) = self.stack.last_mut() {
            match level {
                Frame::List(items, indent) => {
                    let indent = *indent;
                    match items.next() {
                        Some(item) => self.item(item, indent),
                        None => drop(self.stack.pop()),
                    }
                }
                Frame::Map(entries, indent) => {
                    let indent = *indent;
                    match entries.next() {
                        Some((key, value)) => self.entry(key, value, indent),
                        None => drop(self.stack.pop()),
                    }
                }
            }
        }
    }

    fn item(&mut self, item: &'v Json, indent: usize) {
        self.start(indent);
        self.out.push('-');
        self.after_dash = true;
        match item {
            Json::Array(items) if !items.is_empty() => self.stack.push(Frame::List(items.iter(), indent + 2)),
            Json::Object(map) if !map.is_empty() => self.stack.push(Frame::Map(map.iter(), indent + 2)),
            item => {
                self.start(indent);
                self.scalar(item, indent + 2);
            }
        }
    }

    fn entry(&mut self, key: &str, value: &'v Json, indent: usize) {
        self.start(indent);
        let from = self.out.len();
        text(&mut self.out, key);
        // YAML parsers accept a simple key only if its colon follows within 1,024 characters.
        if self.out.len() - from > 1000 {
            self.out.insert_str(from, "? ");
            self.start(indent);
        }
        self.out.push(':');
        match value {
            Json::Array(items) if !items.is_empty() => self.stack.push(Frame::List(items.iter(), indent)),
            Json::Object(map) if !map.is_empty() => self.stack.push(Frame::Map(map.iter(), indent + 2)),
            value => {
                self.out.push(' ');
                self.scalar(value, indent + 2);
            }
        }
    }

    /// Starts an entry or item: on a new line, or directly after the dash of its parent item.
    fn start(&mut self, indent: usize) {
        if std::mem::take(&mut self.after_dash) {
            self.out.push(' ');
            return;
        }
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    /// Writes a scalar or an empty collection, and a line end.
    fn scalar(&mut self, value: &Json, indent: usize) {
        match value {
            Json::Null => self.out.push_str("null"),
            Json::Bool(b) => self.out.push_str(if *b { "true" } else { "false" }),
            Json::Number(n) => self.out.push_str(&n.to_string()),
            Json::String(s) if fits_block(s) => return block(&mut self.out, s, indent),
            Json::String(s) => text(&mut self.out, s),
            Json::Array(_) => self.out.push_str("[]"),
            Json::Object(_) => self.out.push_str("{}"),
        }
        self.out.push('\n');
    }
}

/// Returns whether a string has several lines and can be represented verbatim as a block scalar.
fn fits_block(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && text.chars().all(|c| c == '\n' || c == '\t' || is_verbatim(c))
}

/// Writes a multi-line string as a literal block scalar.
fn block(out: &mut String, text: &str, indent: usize) {
    out.push_str(match text.len() - text.trim_end_matches('\n').len() {
        0 => "|-\n",
        1 => "|\n",
        _ => "|+\n",
    });
    for line in text.split_inclusive('\n') {
        if line != "\n" {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        out.push_str(line);
    }
    if !text.ends_with('\n') {
        out.push('\n');
    }
}

/// Writes a string on one line: plain if possible, else quoted.
fn text(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
    } else if text.chars().all(is_verbatim) && text.contains(['\\', '"']) {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    } else {
        out.push('"');
        text.chars().for_each(|c| escaped(out, c));
        out.push('"');
    }
}

/// Writes a character inside double quotes.
fn escaped(out: &mut String, c: char) {
    use std::fmt::Write as _;
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\r' => out.push_str("\\r"),
        c if is_verbatim(c) => out.push(c),
        // Writing to a `String` cannot fail.
        c => drop(match u32::from(c) {
            code @ 0..=0xff => write!(out, "\\x{code:02X}"),
            code @ 0x100..=0xffff => write!(out, "\\u{code:04X}"),
            code => write!(out, "\\U{code:08X}"),
        }),
    }
}

/// Returns whether YAML accepts a character verbatim within a line.
fn is_verbatim(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        // Excludes two YAML 1.1 line separators and the byte order mark.
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Returns whether a string can be written without quotes.
fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let indicator = "-?:,[]{}#&*!|>'\"%@`=<".contains(first);
    !indicator
        && first != ' '
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.starts_with("...")
        && text.chars().all(is_verbatim)
        && scalar::resolve_plain(text) == Ok(None)
        && !resolves_elsewhere(text)
}

/// Returns whether YAML 1.2 or a strict 1.1 parser resolves a plain string to another type: `y`, `0o17`, a date.
fn resolves_elsewhere(text: &str) -> bool {
    let bytes = text.as_bytes();
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
    );
    let octal = text.starts_with("0o") || text.starts_with("0X") || text.starts_with("0b");
    let date = bytes.len() >= 8 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-';
    word || octal || date
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{Document, Findings, Limits, SourceMap, Span, parse_json, parse_yaml};

    fn read(text: &str, json: bool) -> Json {
        let mut sources = SourceMap::default();
        let file = sources.add("written", text);
        let mut doc = Document::new(Span::start_of(file));
        let mut findings = Findings::default();
        let parse = if json { parse_json } else { parse_yaml };
        match parse(&sources, file, &mut doc, &Limits::default(), &mut findings) {
            Some(root) if findings.0.is_empty() => doc.to_json(root),
            _ => panic!("{findings:?} for\n{text}"),
        }
    }

    #[test]
    fn yaml_is_written_in_block_style() {
        let value = json!({
            "_format_version": "3.0",
            "services": [
                {"name": "a", "retries": 5, "tags": [], "routes": [{"paths": ["/x", "~/y\\d+$"], "headers": {}}]},
                {"name": "on", "url": null, "path": "*"},
            ],
            "certificates": [{"cert": "-----BEGIN\nabc\n-----END\n", "key": "one\ntwo"}],
            "nested": [[1, [2.5, true]], "it's", "a \"b\"", "2024-01-01", "10.0.0.1", "a: b", "\u{7}"],
        });
        let text = r#"_format_version: "3.0"
services:
- name: a
  retries: 5
  tags: []
  routes:
  - paths:
    - /x
    - ~/y\d+$
    headers: {}
- name: "on"
  url: null
  path: "*"
certificates:
- cert: |
    -----BEGIN
    abc
    -----END
  key: |-
    one
    two
nested:
- - 1
  - - 2.5
    - true
- it's
- a "b"
- "2024-01-01"
- 10.0.0.1
- "a: b"
- "\x07"
"#;
        assert_eq!(to_yaml(&value), text);
        assert_eq!(read(text, false), value);
    }

    #[test]
    fn significant_texts_round_trip() {
        for text in [
            "",
            " ",
            "a ",
            "-",
            "- a",
            "---",
            "...",
            "... a",
            "a:",
            "#",
            "a #b",
            "~",
            "=",
            "<<x",
            "1:30",
            "0x1F",
            "1_0",
            ".5",
            "+1",
            "é",
            "\u{85}",
            "\u{2028}a\nb",
            "a\r\nb",
            "\na",
            "a\n",
            "a\n\n",
            "a\n\n\nb\n\n",
            "\n",
            " a\nb",
            "a\n b",
            "a \nb ",
            "\ta\nb",
            "a\n\tb",
            "a\n#b",
            "{{x}}",
            "\u{feff}a",
            "%a",
            "?",
            "? a",
            ":a",
            "a\tb",
            "\\",
            "'",
            "''",
            "!a",
            "0o17",
            "y",
            "\0",
            "😀",
        ] {
            for value in [
                json!(text),
                json!({"k": text}),
                json!([text, [text], {"k": text}]),
                json!({text: text, "z": 1}),
            ] {
                assert_eq!(read(&to_yaml(&value), false), value, "{}", to_yaml(&value));
                assert_eq!(read(&to_json(&value), true), value);
            }
        }
    }

    #[test]
    fn a_key_too_long_for_a_simple_key_round_trips() {
        let value = json!([{"k -".repeat(700): {"x".repeat(1100): [1, {"y": 2}]}, "after": "x"}]);
        assert_eq!(read(&to_yaml(&value), false), value);
    }

    #[test]
    fn a_deep_value_is_written_without_recursion() {
        let mut value = json!(1);
        for _ in 0..10_000 {
            value = Json::Array(vec![value]);
        }
        assert!(to_yaml(&value).starts_with("- - - "));
        // Leaked, because dropping a deep `serde_json::Value` recurses.
        std::mem::forget(value);
    }

    fn any_value() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            (-(1i64 << 53)..(1i64 << 53)).prop_map(Json::from),
            any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Json::from),
            any::<String>().prop_map(Json::from),
            "[-+0-9a-fx_:. \n#'\"{}\\[\\],&*!|>%@~]{0,12}".prop_map(Json::from),
        ];
        let key =
            prop_oneof![any::<String>(), "[-+0-9a-z_:. \n#?]{0,8}"].prop_filter("merge key", |k| k != "<<");
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
                proptest::collection::vec((key.clone(), inner), 0..6)
                    .prop_map(|entries| Json::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_round_trips(value in any_value()) {
            prop_assert_eq!(read(&to_yaml(&value), false), value.clone());
            prop_assert_eq!(read(&to_json(&value), true), value);
        }
    }
}
