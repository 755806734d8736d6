//! Editing of JSON objects without full parsing. Members that no rule names keep their bytes, except for insignificant
//! white space.
//!
//! The parser accepts what lua-cjson accepts in Kong's configuration, because a body that Kong can parse must not
//! bypass a rule here: up to 1000 levels, any bytes in strings, and numbers as accepted by `strtod` (`0x10`, `012`,
//! `NaN`, `+1`). The last of several members with one name wins. Only member names are decoded, and nothing recurses.

use std::{borrow::Cow, collections::BTreeSet};

use smallvec::SmallVec;

/// Maximum nesting of arrays and objects: the limit of lua-cjson.
const MAX_DEPTH: usize = 1000;

/// Error for a text that even lua-cjson rejects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not JSON")]
pub struct Malformed;

/// A parsed JSON text.
#[derive(Debug)]
pub enum Document<'t> {
    /// An object.
    Object(Object<'t>),
    /// An array or a scalar, which has no members.
    Other,
}

/// An object whose named members can be edited.
#[derive(Debug, Default)]
pub struct Object<'t> {
    /// The other members in JSON without white space, each followed by a comma.
    others: Vec<u8>,
    /// The named members: decoded name, and value in JSON.
    fields: Vec<(Cow<'t, [u8]>, Cow<'t, [u8]>)>,
}

/// Parses a text. `names` are the members that can be looked up and edited.
///
/// # Errors
/// If it is not JSON.
pub fn parse<'t>(text: &'t [u8], names: &[&[u8]]) -> Result<Document<'t>, Malformed> {
    // lua-cjson stops at a NUL, but another parser may read on. This also rejects UTF-16 and UTF-32.
    if memchr::memchr(0, text).is_some() {
        return Err(Malformed);
    }
    let mut cursor = Cursor { text: text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text), at: 0 };
    cursor.skip_whitespace();
    let document = if cursor.eat(b'{') {
        Document::Object(cursor.object(names)?)
    } else {
        cursor.value(0)?;
        Document::Other
    };
    cursor.skip_whitespace();
    if cursor.at == cursor.text.len() { Ok(document) } else { Err(Malformed) }
}

impl<'t> Object<'t> {
    /// Returns the value of a named member, in JSON.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields.iter().find(|(n, _)| **n == *name).map(|(_, value)| &**value)
    }

    /// Returns whether a named member is present.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.get(name).is_some()
    }

    /// Removes a named member and returns its value.
    pub fn remove(&mut self, name: &[u8]) -> Option<Cow<'t, [u8]>> {
        let at = self.fields.iter().position(|(n, _)| **n == *name)?;
        Some(self.fields.remove(at).1)
    }

    /// Sets the value of a named member, in JSON. Adds the member if it is absent.
    pub fn set(&mut self, name: impl Into<Cow<'t, [u8]>>, value: impl Into<Cow<'t, [u8]>>) {
        let (name, value) = (name.into(), value.into());
        match self.fields.iter_mut().find(|(n, _)| *n == name) {
            Some((_, current)) => *current = value,
            None => self.fields.push((name, value)),
        }
    }

    /// Appends a value, in JSON, to a named member. A string becomes an array, an array grows, and any other value is
    /// replaced by an array of one element. An object receives a numbered member, as Lua tables do.
    pub fn append(&mut self, name: &[u8], value: &[u8]) {
        let list = |pieces: &[&[u8]]| [&b"["[..], &pieces.join(&b','), b"]"].concat();
        let grown = match self.get(name) {
            Some(text @ [b'"', ..]) => list(&[text, value]),
            Some([b'[', items @ .., b']']) if !items.trim_ascii().is_empty() => list(&[items, value]),
            Some([b'{', members @ .., b'}']) if !members.trim_ascii().is_empty() => {
                let numbered = [quote(lowest_free_index(members).as_bytes()), value.to_vec()].join(&b':');
                [&b"{"[..], members, b",", &numbered, b"}"].concat()
            }
            _ => list(&[value]),
        };
        self.set(name.to_vec(), grown);
    }

    /// Serialises the edited object.
    pub fn write(self) -> Vec<u8> {
        let mut out = self.others;
        out.insert(0, b'{');
        for (name, value) in &self.fields {
            out.extend_from_slice(&quote(name));
            out.push(b':');
            push_compact(&mut out, value);
            out.push(b',');
        }
        if out.len() > 1 {
            out.pop();
        }
        out.push(b'}');
        out
    }
}

/// Appends JSON without the white space between its tokens, as Kong's serialiser does.
fn push_compact(out: &mut Vec<u8>, json: &[u8]) {
    let (mut is_string, mut is_escaped) = (false, false);
    for &byte in json {
        if is_string || !is_whitespace(byte) {
            out.push(byte);
        }
        is_string ^= byte == b'"' && !is_escaped;
        is_escaped = is_string && byte == b'\\' && !is_escaped;
    }
}

fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Serialises a JSON string. Bytes that are not UTF-8 are retained.
pub fn quote(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    out.push(b'"');
    for &byte in text {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            0..0x20 | 0x7f => {
                out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                continue;
            }
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.push(b'"');
    out
}

/// Decodes a JSON string, given with its quotes; `None` if the token is not a string.
pub fn unquote(token: &[u8]) -> Option<Cow<'_, [u8]>> {
    let inner = token.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let Some(first) = memchr::memchr(b'\\', inner) else { return Some(Cow::Borrowed(inner)) };
    let mut out = inner[..first].to_vec();
    let mut rest = &inner[first..];
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let [escape, after @ ..] = rest else { return None };
        rest = after;
        out.push(match escape {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (mut code, mut after) = hex_code_unit(rest)?;
                if (0xd800..0xdc00).contains(&code)
                    && let Some((low, behind)) = after.strip_prefix(b"\\u").and_then(hex_code_unit)
                    && (0xdc00..0xe000).contains(&low)
                {
                    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                    after = behind;
                }
                rest = after;
                let text = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(text.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            other => *other,
        });
    }
    Some(Cow::Owned(out))
}

/// Parses the four hex digits of a `\\u` escape; returns the code unit and the remaining text.
fn hex_code_unit(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let mut code = 0;
    for digit in digits {
        code = code << 4 | char::from(*digit).to_digit(16)?;
    }
    Some((code, rest))
}

/// Returns the lowest number, from 1, that is not the name of one of these members.
fn lowest_free_index(members: &[u8]) -> String {
    let mut used = BTreeSet::new();
    let mut cursor = Cursor { text: members, at: 0 };
    // The members have been parsed before, so that no error can occur; one would end the loop.
    while let Ok(name) = cursor.name() {
        let number = std::str::from_utf8(&name).ok().and_then(|name| name.parse::<usize>().ok());
        used.extend(number);
        if cursor.value(0).is_err() || !cursor.eat_after_whitespace(b',') {
            break;
        }
    }
    (1_usize..).find(|number| !used.contains(number)).unwrap_or_default().to_string()
}

/// Position in a text that is being parsed.
struct Cursor<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Cursor<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == Some(byte);
        self.at += usize::from(eaten);
        eaten
    }

    fn eat_after_whitespace(&mut self, byte: u8) -> bool {
        self.skip_whitespace();
        self.eat(byte)
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.eat_after_whitespace(byte) { Ok(()) } else { Err(Malformed) }
    }

    fn skip_whitespace(&mut self) {
        while self.peek().is_some_and(is_whitespace) {
            self.at += 1;
        }
    }

    /// Parses the members of an object whose opening brace has been consumed.
    fn object(&mut self, names: &[&[u8]]) -> Result<Object<'t>, Malformed> {
        let mut object = Object::default();
        if self.eat_after_whitespace(b'}') {
            return Ok(object);
        }
        loop {
            self.skip_whitespace();
            let begin = self.at;
            let name = self.name()?;
            self.skip_whitespace();
            let value = self.value(1)?;
            if names.contains(&&*name) {
                object.set(name, value);
            } else {
                push_compact(&mut object.others, &self.text[begin..self.at]);
                object.others.push(b',');
            }
            if self.eat_after_whitespace(b'}') {
                return Ok(object);
            }
            self.expect(b',')?;
        }
    }

    /// Parses the name of a member and the colon after it; returns the decoded name.
    fn name(&mut self) -> Result<Cow<'t, [u8]>, Malformed> {
        self.skip_whitespace();
        let token = self.string()?;
        self.expect(b':')?;
        unquote(token).ok_or(Malformed)
    }

    /// Skips a value nested in `depth` arrays and objects, and returns its bytes.
    fn value(&mut self, depth: usize) -> Result<&'t [u8], Malformed> {
        let mut closers = SmallVec::<[u8; 32]>::new();
        self.skip_whitespace();
        let begin = self.at;
        loop {
            self.skip_whitespace();
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    // In ASCII, the code of each closing bracket is that of the opening one plus two.
                    closers.push(bracket + 2);
                    if depth + closers.len() > MAX_DEPTH {
                        return Err(Malformed);
                    }
                    self.at += 1;
                    if self.eat_after_whitespace(bracket + 2) {
                        closers.pop();
                    } else {
                        if bracket == b'{' {
                            self.name()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => drop(self.string()?),
                _ => self.scalar()?,
            }
            // After a value, the enclosing arrays and objects may end too.
            loop {
                let Some(&closer) = closers.last() else { return Ok(&self.text[begin..self.at]) };
                if self.eat_after_whitespace(closer) {
                    closers.pop();
                    continue;
                }
                self.expect(b',')?;
                if closer == b'}' {
                    self.name()?;
                }
                break;
            }
        }
    }

    /// Skips a string and returns it with its quotes.
    fn string(&mut self) -> Result<&'t [u8], Malformed> {
        let begin = self.at;
        if !self.eat(b'"') {
            return Err(Malformed);
        }
        loop {
            let rest = &self.text[self.at..];
            let stop = memchr::memchr2(b'"', b'\\', rest).ok_or(Malformed)?;
            self.at += stop + 1;
            if rest[stop] == b'"' {
                return Ok(&self.text[begin..self.at]);
            }
            match rest[stop + 1..] {
                [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.at += 1,
                [b'u', ref digits @ ..] if hex_code_unit(digits).is_some() => self.at += 5,
                _ => return Err(Malformed),
            }
        }
    }

    /// Skips a number or a literal. Of a number only the start and the character set are checked, which determine
    /// where it ends.
    fn scalar(&mut self) -> Result<(), Malformed> {
        let rest = &self.text[self.at..];
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let token = &rest[..rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len())];
        let unsigned = token.strip_prefix(b"-").or_else(|| token.strip_prefix(b"+")).unwrap_or(token);
        let is_number = match unsigned {
            [b'0'..=b'9', ..] => true,
            [b'.', b'0'..=b'9', ..] => unsigned.len() < token.len(),
            word => [&b"nan"[..], b"inf", b"infinity"].iter().any(|known| word.eq_ignore_ascii_case(known)),
        };
        if !is_number && !matches!(token, b"true" | b"false" | b"null") {
            return Err(Malformed);
        }
        self.at += token.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object<'t>(text: &'t str, names: &[&str]) -> Object<'t> {
        let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        match parse(text.as_bytes(), &names) {
            Ok(Document::Object(object)) => object,
            other => panic!("{text}: {other:?}"),
        }
    }

    /// Returns the text without the member `password`.
    #[track_caller]
    fn without(text: &[u8]) -> String {
        let Ok(Document::Object(mut object)) = parse(text, &[b"password"]) else { panic!("{text:?}") };
        assert!(object.remove(b"password").is_some(), "{text:?}");
        String::from_utf8_lossy(&object.write()).into_owned()
    }

    #[test]
    fn input_that_lua_cjson_accepts_is_parsed_and_other_members_keep_their_bytes() {
        for (text, expected) in [
            (&br#"{"password":"x","a":0x10}"#[..], r#"{"a":0x10}"#),
            (br#"{"password":"x","a":012, "b" : -.5}"#, r#"{"a":012,"b":-.5}"#),
            (
                br#"{"a":NaN,"b":-Infinity,"c":+1,"d":1e400,"password":0x1p-3}"#,
                r#"{"a":NaN,"b":-Infinity,"c":+1,"d":1e400}"#,
            ),
            (br#"{"n":12345678901234567890123,"password":1}"#, r#"{"n":12345678901234567890123}"#),
            (br#"{"password":1,"password":2}"#, "{}"),
            (br#"{"pass\u0077ord":[{"password":1}],"a":{"password":1}}"#, r#"{"a":{"password":1}}"#),
            (b"\xef\xbb\xbf { \"password\" : \"}\\\"\" , \"a\\n\" : [ 1 , { } ] } \r\n", r#"{"a\n":[1,{}]}"#),
            (br#"{"a" : " \\\" \\\\" , "password":1, "b": "\\\\ "}"#, r#"{"a":" \\\" \\\\","b":"\\\\ "}"#),
            (b"{\"a\":\"x\ty\",\"password\":\"\n\"}", "{\"a\":\"x\ty\"}"),
        ] {
            assert_eq!(without(text), expected);
        }
        assert_eq!(without(b"{\"password\":1,\"name\":\"M\xfcller\"}"), "{\"name\":\"M\u{fffd}ller\"}");
    }

    #[test]
    fn nesting_is_limited_as_in_lua_cjson_without_recursion() {
        let nested =
            |levels: usize| format!("{{\"password\":1,\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        for levels in [127, 128, 999] {
            without(nested(levels).as_bytes());
        }
        for text in [nested(1000), nested(1 << 20), "[".repeat(1 << 20)] {
            assert!(parse(text.as_bytes(), &[]).is_err());
        }
    }

    #[test]
    fn input_that_lua_cjson_rejects_is_rejected() {
        for text in [
            "",
            "{",
            "}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{a:1}",
            "{'a':1}",
            "[1,]",
            "[1 2]",
            "[1}",
            "{\"a\":1]",
            "{} {}",
            "{}x",
            "not json",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":\"",
            "{\"a\\",
            "\"\\u00",
            "// c\n{}",
            "{\"a\":.5}",
            "{\"a\":TRUE}",
            "{\"a\":tru}",
            "{\"a\":undefined}",
            "{\"a\":-}",
            "\u{feff}\u{feff}{}",
            "{}\0",
            "{\0\"\0a\0\"\0:\0 1\0}\0",
        ] {
            assert_eq!(parse(text.as_bytes(), &[]).err(), Some(Malformed), "{text:?}");
        }
        for text in ["[1, \"a\", {}]", " 5 ", "null", "\"\\ud83d\\ude00\\ud83d\""] {
            assert!(matches!(parse(text.as_bytes(), &[]), Ok(Document::Other)), "{text:?}");
        }
    }

    #[test]
    fn members_are_set_renamed_and_decoded() {
        let mut text = object(r#"{"a":1,"b":"x\u00e9\"","c":3,"a":2}"#, &["a", "b", "new"]);
        assert_eq!(text.get(b"a"), Some(&b"2"[..]));
        assert_eq!(unquote(text.get(b"b").unwrap()).unwrap(), "x\u{e9}\"".as_bytes());
        let value = text.remove(b"a").unwrap();
        text.set(&b"new"[..], value);
        text.set(&b"b"[..], quote(b"\"\n\x01"));
        assert_eq!(text.write(), br#"{"c":3,"b":"\"\n\u0001","new":2}"#);
        assert_eq!(object("{ }", &[]).write(), b"{}");
    }

    #[test]
    fn appending_depends_on_the_current_value() {
        let names = ["s", "l", "n", "z", "e", "o", "m", "new"];
        let mut fields = object(
            r#"{"s": "a", "l": ["a"], "n": 1, "z": null, "e": {}, "o": {"k": 1, "1": [2]}, "m": [ ]}"#,
            &names,
        );
        for name in names {
            fields.append(name.as_bytes(), b"\"x\"");
        }
        let written: serde_json::Value = serde_json::from_slice(&fields.write()).expect("JSON");
        assert_eq!(
            written,
            serde_json::json!({"s": ["a", "x"], "l": ["a", "x"], "n": ["x"], "z": ["x"], "e": ["x"],
                "o": {"k": 1, "1": [2], "2": "x"}, "m": ["x"], "new": ["x"]})
        );
    }
}
