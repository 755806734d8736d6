//! Lexer of Lua expressions.

use super::TemplateError;

/// A token and its source text.
#[derive(Clone, Debug)]
pub struct Token<'a> {
    /// Kind of the token.
    pub kind: TokenKind,
    /// Source text.
    pub text: &'a str,
}

/// Kind of a token.
#[derive(Clone, Debug, PartialEq)]
pub enum TokenKind {
    /// An identifier.
    Name,
    /// A keyword, an operator or punctuation, distinguished by its text.
    Symbol,
    /// A number literal.
    Number(f64),
    /// A string literal.
    Text(Box<[u8]>),
    /// The end of the expression.
    End,
}

/// Maximum number of tokens of an expression. Bounds its length and the depth of its syntax tree.
const MAX_TOKENS: usize = 500;

const KEYWORDS: &[&str] = &[
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local",
    "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
];

/// Operators and punctuation, longest first, so that `..` is not lexed as two dots.
const SYMBOLS: &[&str] = &[
    "...", "..", "==", "~=", "<=", ">=", "+", "-", "*", "/", "%", "^", "#", "<", ">", "=", "(", ")", "{",
    "}", "[", "]", ";", ":", ",", ".",
];

fn syntax(message: impl Into<String>) -> TemplateError {
    TemplateError::Syntax(message.into())
}

/// Splits an expression into tokens, including the end token.
pub fn tokens(text: &str) -> Result<Vec<Token<'_>>, TemplateError> {
    let mut out = Vec::new();
    let mut rest = text.trim_ascii_start();
    while let Some(first) = rest.bytes().next() {
        if out.len() == MAX_TOKENS {
            return Err(TemplateError::Unsupported("so long an expression".to_owned()));
        }
        let (kind, length) = if first.is_ascii_alphabetic() || first == b'_' || first >= 0x80 {
            let length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_' || *b >= 0x80);
            let length = length.count();
            (if KEYWORDS.contains(&&rest[..length]) { TokenKind::Symbol } else { TokenKind::Name }, length)
        } else if first.is_ascii_digit()
            || (first == b'.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            numeral(rest)?
        } else if first == b'"' || first == b'\'' {
            quoted(rest, first)?
        } else if let Some(found) = bracketed(rest)? {
            found
        } else if rest.starts_with("--") {
            // In Kong, the comment extends to the end of the line and includes the closing parenthesis.
            return Err(syntax("')' expected near '<eof>'"));
        } else if let Some(sign) = SYMBOLS.iter().find(|sign| rest.starts_with(**sign)) {
            (TokenKind::Symbol, sign.len())
        } else {
            let sign = rest.chars().next().unwrap_or_default();
            return Err(syntax(format!("unexpected symbol near '{sign}'")));
        };
        out.push(Token { kind, text: &rest[..length] });
        rest = rest[length..].trim_ascii_start();
    }
    out.push(Token { kind: TokenKind::End, text: ")" });
    Ok(out)
}

fn numeral(rest: &str) -> Result<(TokenKind, usize), TemplateError> {
    let mut length = 0;
    let mut before = 0_u8;
    for byte in rest.bytes() {
        let sign_of_exponent =
            matches!(byte, b'+' | b'-') && matches!(before, b'e' | b'E') && !rest.starts_with("0x");
        // As in Lua, dots belong to the number: `1..2` is malformed, `1 .. 2` is a concatenation.
        if !(byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_' || sign_of_exponent) {
            break;
        }
        length += 1;
        before = byte;
    }
    match super::number(&rest.as_bytes()[..length]) {
        Some(value) => Ok((TokenKind::Number(value), length)),
        None => Err(syntax(format!("malformed number near '{}'", &rest[..length]))),
    }
}

/// Lexes a quoted string; returns its value and the length of its source.
fn quoted(rest: &str, quote: u8) -> Result<(TokenKind, usize), TemplateError> {
    let bytes = rest.as_bytes();
    let unfinished = || syntax(format!("unfinished string near '{rest}'"));
    let mut value = Vec::new();
    let mut at = 1;
    loop {
        let byte = *bytes.get(at).ok_or_else(unfinished)?;
        at += 1;
        match byte {
            b'\n' | b'\r' => return Err(unfinished()),
            b'\\' => {
                let escaped = *bytes.get(at).ok_or_else(unfinished)?;
                at += 1;
                match escaped {
                    b'a' => value.push(7),
                    b'b' => value.push(8),
                    b'f' => value.push(12),
                    b'n' | b'\n' => value.push(b'\n'),
                    b'r' => value.push(b'\r'),
                    b't' => value.push(b'\t'),
                    b'v' => value.push(11),
                    b'x' => {
                        let code = rest.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
                        value.push(code.ok_or_else(|| syntax("invalid escape sequence"))?);
                        at += 2;
                    }
                    b'z' => at += bytes[at..].iter().take_while(|b| b.is_ascii_whitespace()).count(),
                    b'0'..=b'9' => {
                        let length =
                            bytes[at - 1..].iter().take(3).take_while(|b| b.is_ascii_digit()).count();
                        let code = rest[at - 1..at - 1 + length].parse::<u8>();
                        value.push(code.map_err(|_| syntax("invalid escape sequence"))?);
                        at += length - 1;
                    }
                    b'\\' | b'"' | b'\'' => value.push(escaped),
                    _ => return Err(syntax("invalid escape sequence")),
                }
            }
            _ if byte == quote => return Ok((TokenKind::Text(value.into()), at)),
            _ => value.push(byte),
        }
    }
}

/// Lexes a string in long brackets, `[[…]]` or `[==[…]==]`, if the text starts with one.
fn bracketed(rest: &str) -> Result<Option<(TokenKind, usize)>, TemplateError> {
    let Some(after) = rest.strip_prefix('[') else { return Ok(None) };
    let level = after.bytes().take_while(|b| *b == b'=').count();
    let Some(body) = after[level..].strip_prefix('[') else { return Ok(None) };
    let close = format!("]{}]", "=".repeat(level));
    let Some(end) = body.find(&close) else {
        return Err(syntax("unfinished long string near '<eof>'"));
    };
    let value = body[..end].strip_prefix('\n').unwrap_or(&body[..end]);
    Ok(Some((TokenKind::Text(value.as_bytes().into()), level + 2 + end + close.len())))
}
