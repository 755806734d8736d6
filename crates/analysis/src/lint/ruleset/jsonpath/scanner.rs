//! Tokens of an expression: names, strings, numbers and regular expressions at the position of a scanner. It knows
//! nothing of the grammar, which `parse` has.

use fancy_regex::Regex;
use serde_json::Value as Json;

use super::super::function;

/// Largest magnitude of the integers that JSON represents exactly (RFC 7493, section 2.2).
const MAX_INTEGER: i64 = (1 << 53) - 1;

/// A result, or the reason why the text at the position is not valid.
pub type Parsed<T> = Result<T, String>;

/// An expression, and the position up to which it has been read.
pub struct Scanner<'t> {
    pub text: &'t str,
    /// Position in bytes. After an error, the position that the message refers to.
    pub at: usize,
}

impl<'t> Scanner<'t> {
    /// Returns the text from the current position.
    pub fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Returns the next character.
    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Steps over a token if it is next.
    pub fn take(&mut self, wanted: &str) -> bool {
        let is = self.rest().starts_with(wanted);
        self.at += if is { wanted.len() } else { 0 };
        is
    }

    /// Steps over a token, which must be next.
    pub fn expect(&mut self, wanted: &str) -> Parsed<()> {
        if self.take(wanted) { Ok(()) } else { Err(format!("expected {wanted:?}")) }
    }

    /// Steps over blanks.
    pub fn blank(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    /// Steps over a token and the blanks before it. Stays in place if the token does not follow.
    pub fn take_after_blank(&mut self, wanted: &str) -> bool {
        let before = self.at;
        self.blank();
        let is = self.take(wanted);
        if !is {
            self.at = before;
        }
        is
    }

    /// Reads a name without quotes. Dashes are an extension of rulesets to the standard.
    pub fn name(&mut self) -> Parsed<String> {
        let is_first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
        let is_next = |c: char| is_first(c) || c.is_ascii_digit() || c == '-';
        if !self.peek().is_some_and(is_first) {
            return Err("expected a name".to_owned());
        }
        let end = self.rest().find(|c| !is_next(c)).unwrap_or(self.rest().len());
        let name = self.rest()[..end].to_owned();
        self.at += end;
        Ok(name)
    }

    /// Reads a string in quotes, with the escapes of JSON. The other kind of quote needs no escape.
    pub fn string(&mut self) -> Parsed<String> {
        let Some(quote) = self.peek() else { return Err("expected a text".to_owned()) };
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(c) = self.peek() else { return Err(format!("expected {quote}")) };
            self.at += c.len_utf8();
            match c {
                c if c == quote => return Ok(text),
                c if c < ' ' => return Err("a control character has to be escaped".to_owned()),
                '\\' => text.push(self.escape(quote)?),
                c => text.push(c),
            }
        }
    }

    /// Reads an escape after its backslash.
    fn escape(&mut self, quote: char) -> Parsed<char> {
        let Some(c) = self.peek() else { return Err("expected an escape".to_owned()) };
        self.at += c.len_utf8();
        Ok(match c {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '/' | '\\' => c,
            'u' => {
                let unit = self.hex()?;
                let code = match unit {
                    0xD800..=0xDBFF => {
                        self.expect("\\u")?;
                        let low = self.hex()?;
                        if !(0xDC00..=0xDFFF).contains(&low) {
                            return Err("expected the second half of a character".to_owned());
                        }
                        0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
                    }
                    unit => unit,
                };
                char::from_u32(code).ok_or("half a character")?
            }
            c if c == quote => c,
            c => return Err(format!("there is no escape \\{c}")),
        })
    }

    /// Reads the four digits of `\u`.
    fn hex(&mut self) -> Parsed<u32> {
        let digits = self.rest().get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let digits = digits.ok_or("expected four hexadecimal digits")?;
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|error| error.to_string())
    }

    /// Reads an integer. `None` if none is next.
    pub fn optional_integer(&mut self) -> Parsed<Option<i64>> {
        let digits = self.rest().strip_prefix('-').unwrap_or(self.rest());
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        let length = self.rest().len() - digits.len() + count;
        if length == 0 {
            return Ok(None);
        }
        let text = &self.rest()[..length];
        let zero = digits.starts_with('0') && (count > 1 || text.starts_with('-'));
        let number = text.parse::<i64>().ok().filter(|n| n.abs() <= MAX_INTEGER && !zero);
        let number = number.ok_or_else(|| format!("{text:?} is no index"))?;
        self.at += length;
        Ok(Some(number))
    }

    /// Reads a number with the syntax of JSON, which includes `-0`.
    pub fn number(&mut self) -> Parsed<Json> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut end = usize::from(bytes[0] == b'-');
        let whole = digits(end);
        if whole == 0 || whole > 1 && bytes[end] == b'0' {
            return Err("expected a number".to_owned());
        }
        end += whole;
        if bytes.get(end) == Some(&b'.') {
            let fraction = digits(end + 1);
            if fraction == 0 {
                return Err("expected digits after the point".to_owned());
            }
            end += 1 + fraction;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            if exponent == 0 {
                return Err("expected an exponent".to_owned());
            }
            end += 1 + sign + exponent;
        }
        self.at += end;
        serde_json::from_str(&rest[..end]).map_err(|error| error.to_string())
    }

    /// Reads a regular expression: `/…/i`, or a string in quotes.
    pub fn regex(&mut self) -> Parsed<Regex> {
        let start = self.at;
        let text = match self.peek() {
            Some('\'' | '"') => self.string()?,
            Some('/') => {
                self.at += 1;
                let (mut escaped, mut in_class) = (false, false);
                let end = self.rest().char_indices().find(|(_, c)| {
                    let is_end = *c == '/' && !escaped && !in_class;
                    match c {
                        _ if escaped => escaped = false,
                        '\\' => escaped = true,
                        '[' => in_class = true,
                        ']' => in_class = false,
                        _ => {}
                    }
                    is_end
                });
                let (end, _) = end.ok_or("expected the end of a regular expression, \"/\"")?;
                self.at += end + 1;
                let flags = self.rest().bytes().take_while(u8::is_ascii_alphabetic).count();
                self.at += flags;
                self.text[start..self.at].to_owned()
            }
            _ => return Err("expected a regular expression, /…/".to_owned()),
        };
        function::regex(&text)
    }
}
