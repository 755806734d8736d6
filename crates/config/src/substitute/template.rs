//! Lexer, parser and evaluator of a single template, from `${{` to `}}`.

use std::ops::Range;

use super::{Env, OPEN};
use crate::nearest;

/// Evaluation error of a template.
#[derive(Debug)]
pub(super) struct TemplateError {
    /// Range relative to the template's start.
    pub at: Range<usize>,
    pub message: String,
    pub help: Option<String>,
    /// Whether a variable is at fault rather than the template.
    pub variable: bool,
    /// Placeholder to parse instead.
    pub placeholder_value: String,
}

/// Control keywords of Go templates; not supported.
const CONTROL: &[&str] = &["if", "else", "end", "range", "with", "define", "block"];

const FUNCTIONS: &[&str] = &["env", "toBool", "toInt", "toFloat", "indent"];
const CLOSE: &str = "}}";
const PREFIX: &str = "DECK_";

/// Evaluates the template at the start of a text; returns its length and its output.
pub(super) fn run(text: &str, env: Env<'_>) -> (usize, Result<String, TemplateError>) {
    let mut tokens = Vec::new();
    let outcome = scan(text, &mut tokens);
    let end = match outcome {
        Ok(end) => end,
        Err((end, at, message)) => {
            return (
                end,
                Err(template_error(
                    at,
                    message,
                    Some("write for instance `${{ env \"DECK_X\" }}`".to_owned()),
                )),
            );
        }
    };
    let mut parser = Parser { tokens: &tokens, next: 0, end: end - CLOSE.len(), env, text };
    if tokens.is_empty() {
        // A comment has no output; an empty template is an error, as in decK.
        let empty = !text[..end].contains("/*");
        let message = "the template is empty";
        return (end, if empty { Err(template_error(0..end, message, None)) } else { Ok(String::new()) });
    }
    let value = parser.pipeline().and_then(|value| match parser.peek() {
        None => Ok(value.text()),
        Some(token) => Err(template_error(
            token.at.clone(),
            format!("`{}` is not expected here", &text[token.at.clone()]),
            None,
        )),
    });
    let value = value.map_err(|mut failed| {
        failed.placeholder_value = placeholder(text, &tokens);
        failed
    });
    (end, value)
}

fn template_error(at: Range<usize>, message: impl Into<String>, help: Option<String>) -> TemplateError {
    TemplateError { at, message: message.into(), help, variable: false, placeholder_value: String::new() }
}

/// Returns a placeholder of the type that the template would have yielded.
fn placeholder(text: &str, tokens: &[Token]) -> String {
    let calls = |name: &str| tokens.iter().any(|t| t.kind == Kind::Word && &text[t.at.clone()] == name);
    if calls("toInt") || calls("toFloat") {
        return "42".to_owned();
    }
    if calls("toBool") {
        return "false".to_owned();
    }
    "unset".to_owned()
}

#[derive(Debug, PartialEq)]
enum Kind {
    Word,
    Text(String),
    Int(i64),
    Float(f64),
    Pipe,
    Open,
    Close,
}

#[derive(Debug)]
struct Token {
    kind: Kind,
    at: Range<usize>,
}

/// Tokenises a template and returns its end, after `}}`. An error contains the offset to continue at, the range,
/// and the reason.
fn scan(text: &str, tokens: &mut Vec<Token>) -> Result<usize, (usize, Range<usize>, String)> {
    let bytes = text.as_bytes();
    let line_end = text.find('\n').unwrap_or(text.len());
    let resume = text.find(CLOSE).map_or(line_end, |i| i + CLOSE.len());
    let another = text[OPEN.len()..].find(OPEN).map_or(text.len(), |i| OPEN.len() + i);
    if !text[..another].contains(CLOSE) {
        return Err((line_end, 0..line_end, "the template is not closed by `}}`".to_owned()));
    }
    let mut at = OPEN.len();
    if text[at..].starts_with("- ") || text[at..].starts_with("-\n") {
        at += 1;
    }
    loop {
        let rest = &text[at..];
        let Some(&byte) = bytes.get(at) else {
            return Err((line_end, 0..line_end, "the template is not closed by `}}`".to_owned()));
        };
        if rest.starts_with(CLOSE) {
            return Ok(at + CLOSE.len());
        }
        let start = at;
        let kind = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                if text[at..].starts_with("-}}") {
                    at += 1;
                }
                continue;
            }
            b'/' if rest.starts_with("/*") => match rest.find("*/") {
                Some(i) => {
                    at += i + 2;
                    continue;
                }
                None => {
                    return Err((resume, start..line_end, "the comment is not closed by `*/`".to_owned()));
                }
            },
            b'|' => (Kind::Pipe, 1),
            b'(' => (Kind::Open, 1),
            b')' => (Kind::Close, 1),
            b'"' => match quoted(rest) {
                Some((value, length)) => (Kind::Text(value), length),
                None => return Err((resume, start..line_end, "the text is not closed by `\"`".to_owned())),
            },
            b'`' => match rest[1..].find('`') {
                Some(i) => (Kind::Text(rest[1..=i].to_owned()), i + 2),
                None => {
                    return Err((
                        resume,
                        start..line_end,
                        "the text is not closed by a backquote".to_owned(),
                    ));
                }
            },
            _ => {
                let word = |c: char| c.is_alphanumeric() || "_.+-$".contains(c);
                let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
                let word = &rest[..length];
                if length == 0 {
                    let length = rest.chars().next().map_or(1, char::len_utf8);
                    let message = format!("`{}` has no meaning in a template", &rest[..length]);
                    return Err((resume, start..start + length, message));
                }
                let number = word.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
                match (word.parse::<i64>(), word.parse::<f64>()) {
                    (Ok(int), _) if number => (Kind::Int(int), length),
                    (_, Ok(float)) if number => (Kind::Float(float), length),
                    _ => (Kind::Word, length),
                }
            }
        };
        let (kind, length) = kind;
        at += length;
        tokens.push(Token { kind, at: start..at });
    }
}

/// Scans a double-quoted string; returns its content and length.
fn quoted(rest: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Some((value, i + 1)),
            '\n' => return None,
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            }),
            c => value.push(c),
        }
    }
    None
}

/// Value in a pipeline, with the variable it comes from.
struct Computed {
    value: Value,
    variable: Option<String>,
}

enum Value {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
}

impl Computed {
    fn text(self) -> String {
        match self.value {
            Value::Text(text) => text,
            Value::Int(n) => n.to_string(),
            Value::Bool(b) => b.to_string(),
            Value::Float(f) if f.abs() >= 1e21 || (f != 0.0 && f.abs() < 1e-4) => format!("{f:e}"),
            Value::Float(f) => f.to_string(),
        }
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    next: usize,
    /// End of the template's content.
    end: usize,
    env: Env<'a>,
    text: &'a str,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.next)
    }

    fn pipeline(&mut self) -> Result<Computed, TemplateError> {
        let mut value = self.command(None)?;
        while self.peek().is_some_and(|t| t.kind == Kind::Pipe) {
            self.next += 1;
            value = self.command(Some(value))?;
        }
        Ok(value)
    }

    /// Parses a function call, whose last argument is the piped value, or a single operand.
    fn command(&mut self, piped: Option<Computed>) -> Result<Computed, TemplateError> {
        let end = self.end..self.end + CLOSE.len();
        let Some(first) = self.peek() else {
            return Err(template_error(end, "something is missing in the template", None));
        };
        if first.kind != Kind::Word {
            return match piped {
                None => self.operand(),
                Some(_) => {
                    Err(template_error(first.at.clone(), "a value can only be piped into a function", None))
                }
            };
        }
        self.next += 1;
        let name = &self.text[first.at.clone()];
        if !FUNCTIONS.contains(&name) {
            let help = match nearest(name, FUNCTIONS.iter().copied()) {
                _ if CONTROL.contains(&name) => {
                    "write both variants to files of their own: only values are filled in here".to_owned()
                }
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the functions are {}", FUNCTIONS.join(", ")),
            };
            return Err(template_error(
                first.at.clone(),
                format!("`{name}` is not a function of templates"),
                Some(help),
            ));
        }
        let mut arguments = Vec::new();
        while self.peek().is_some_and(|t| !matches!(t.kind, Kind::Pipe | Kind::Close)) {
            arguments.push(self.operand()?);
        }
        arguments.extend(piped);
        self.call(name, arguments, first.at.clone())
    }

    fn operand(&mut self) -> Result<Computed, TemplateError> {
        let Some(token) = self.peek() else {
            let at = self.end..self.end + CLOSE.len();
            return Err(template_error(at, "something is missing in the template", None));
        };
        self.next += 1;
        let value = match &token.kind {
            Kind::Text(text) => Value::Text(text.clone()),
            Kind::Int(n) => Value::Int(*n),
            Kind::Float(n) => Value::Float(*n),
            Kind::Open => {
                let value = self.pipeline()?;
                return match self.peek() {
                    Some(t) if t.kind == Kind::Close => {
                        self.next += 1;
                        Ok(value)
                    }
                    _ => Err(template_error(token.at.clone(), "the parenthesis is not closed", None)),
                };
            }
            Kind::Word | Kind::Pipe | Kind::Close => {
                let message = format!("`{}` is not a value", &self.text[token.at.clone()]);
                let help = "put text in quotes, and functions with arguments in parentheses".to_owned();
                return Err(template_error(token.at.clone(), message, Some(help)));
            }
        };
        Ok(Computed { value, variable: None })
    }

    fn call(
        &self,
        name: &str,
        mut arguments: Vec<Computed>,
        at: Range<usize>,
    ) -> Result<Computed, TemplateError> {
        let wanted = if name == "indent" { 2 } else { 1 };
        if arguments.len() != wanted {
            let plural = if wanted == 1 { "value" } else { "values" };
            let message = format!("`{name}` takes {wanted} {plural}, not {}", arguments.len());
            return Err(template_error(at, message, None));
        }
        let last = arguments.pop().map(|a| (a.variable, a.value));
        let Some((variable, Value::Text(text))) = last else {
            return Err(template_error(at, format!("`{name}` takes a text"), None));
        };
        let mock = matches!(self.env, Env::Mock);
        let value = match name {
            "env" => return self.variable(text, at),
            "indent" => match arguments.pop().map(|a| a.value) {
                Some(Value::Int(spaces @ 0..=1024)) => {
                    Value::Text(text.replace('\n', &format!("\n{}", " ".repeat(spaces as usize))))
                }
                _ => return Err(template_error(at, "`indent` takes a number of blanks, then a text", None)),
            },
            "toBool" if mock => Value::Bool(false),
            "toInt" if mock => Value::Int(42),
            "toFloat" if mock => Value::Float(42.0),
            "toBool" => match text.as_str() {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Value::Bool(true),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Value::Bool(false),
                _ => return Err(unreadable(at, variable, "`true` or `false`")),
            },
            "toInt" => match text.parse() {
                Ok(n) => Value::Int(n),
                Err(_) => return Err(unreadable(at, variable, "a whole number")),
            },
            _ => match text.parse::<f64>() {
                Ok(n) => Value::Float(n),
                Err(_) => return Err(unreadable(at, variable, "a number")),
            },
        };
        Ok(Computed { value, variable })
    }

    fn variable(&self, name: String, at: Range<usize>) -> Result<Computed, TemplateError> {
        let about = |message: String, help: String| TemplateError {
            variable: true,
            ..template_error(at.clone(), message, Some(help))
        };
        if !name.starts_with(PREFIX) {
            let message =
                format!("the variable `{name}` may not be read: its name must begin with `{PREFIX}`");
            return Err(about(message, format!("name it `{PREFIX}{name}`")));
        }
        let value = match self.env {
            Env::Mock => Some(name.clone()),
            Env::Values(get) => get(&name),
        };
        match value {
            Some(value) => Ok(Computed { value: Value::Text(value), variable: Some(name) }),
            None => Err(about(
                format!("the variable `{name}` is not set"),
                format!("set `{name}` in the environment"),
            )),
        }
    }
}

/// Builds an error about an invalid value, without repeating it.
fn unreadable(at: Range<usize>, variable: Option<String>, form: &str) -> TemplateError {
    let whose = variable.as_ref().map_or("the text".to_owned(), |v| format!("the value of `{v}`"));
    TemplateError {
        variable: variable.is_some(),
        ..template_error(at, format!("{whose} is not {form}"), None)
    }
}
