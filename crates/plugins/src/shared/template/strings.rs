//! Functions available in templates: Lua's string functions, some of its math functions, and `type`, `tostring`,
//! `tonumber`. A call returns one value: the first one where Lua's function returns several.

use std::borrow::Cow;

use super::{
    Env, MAX_TEXT_BYTES,
    eval::Value,
    number::format_general,
    pattern::{self, Match},
};

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Function {
    Type,
    ToString,
    ToNumber,
    Byte,
    Char,
    Find,
    Format,
    Gsub,
    Len,
    Lower,
    Match,
    Rep,
    Reverse,
    Sub,
    Upper,
    Abs,
    Ceil,
    Floor,
    Max,
    Min,
}

impl Function {
    /// Looks up a global function.
    pub fn global(name: &str) -> Option<Self> {
        Some(match name {
            "type" => Self::Type,
            "tostring" => Self::ToString,
            "tonumber" => Self::ToNumber,
            _ => return None,
        })
    }

    /// Looks up a function of the table `string`.
    pub fn in_string_table(name: &str) -> Option<Self> {
        Some(match name {
            "byte" => Self::Byte,
            "char" => Self::Char,
            "find" => Self::Find,
            "format" => Self::Format,
            "gsub" => Self::Gsub,
            "len" => Self::Len,
            "lower" => Self::Lower,
            "match" => Self::Match,
            "rep" => Self::Rep,
            "reverse" => Self::Reverse,
            "sub" => Self::Sub,
            "upper" => Self::Upper,
            _ => return None,
        })
    }

    /// Looks up a function of the table `math`.
    pub fn in_math_table(name: &str) -> Option<Self> {
        Some(match name {
            "abs" => Self::Abs,
            "ceil" => Self::Ceil,
            "floor" => Self::Floor,
            "max" => Self::Max,
            "min" => Self::Min,
            _ => return None,
        })
    }

    fn name(self) -> String {
        format!("{self:?}").to_ascii_lowercase()
    }

    /// Calls the function.
    pub fn call<'a>(self, list: Vec<Value<'a>>, env: &Env<'_>) -> Result<Value<'a>, String> {
        let args = Arguments { of: self, list: &list };
        Ok(match self {
            Self::Type => Value::Text(Cow::Borrowed(args.value(1)?.type_name().as_bytes())),
            Self::ToString => match args.value(1)? {
                Value::Text(text) => Value::Text(text.clone()),
                other => {
                    let mut out = Vec::new();
                    other.print(&mut out);
                    bounded_text(out)?
                }
            },
            Self::ToNumber => match list.get(1) {
                None | Some(Value::Nil) => args.value(1)?.as_number().map_or(Value::Nil, Value::Number),
                Some(_) => parse_in_base(&args.text(1)?, args.number(2)?),
            },
            Self::Len => Value::Number(args.text(1)?.len() as f64),
            Self::Lower => bounded_text(args.text(1)?.to_ascii_lowercase())?,
            Self::Upper => bounded_text(args.text(1)?.to_ascii_uppercase())?,
            Self::Reverse => bounded_text(args.text(1)?.iter().rev().copied().collect())?,
            Self::Sub => {
                let text = args.text(1)?;
                bounded_text(slice(&text, args.integer_or(2, 1)?, args.integer_or(3, -1)?).to_vec())?
            }
            Self::Rep => {
                let (text, times) = (args.text(1)?, args.number(2)?.max(0.0) as usize);
                if text.len().saturating_mul(times) > MAX_TEXT_BYTES {
                    return Err("the text is too long".to_owned());
                }
                bounded_text(text.repeat(times))?
            }
            Self::Byte => {
                let (text, at) = (args.text(1)?, args.integer_or(2, 1)?);
                slice(&text, at, at).first().map_or(Value::Nil, |byte| Value::Number(f64::from(*byte)))
            }
            Self::Char => {
                let mut out = Vec::with_capacity(list.len());
                for at in 1..=list.len() {
                    let code = args.number(at)?;
                    if !(0.0..256.0).contains(&code) {
                        return Err(args.bad_argument(at, "invalid value"));
                    }
                    out.push(code as u8);
                }
                bounded_text(out)?
            }
            Self::Find => {
                let (text, wanted) = (args.text(1)?, args.text(2)?);
                let start = offset(&text, args.integer_or(3, 1)?);
                if start > text.len() {
                    return Ok(Value::Nil);
                }
                let at = if list.get(3).is_some_and(Value::is_true) {
                    memchr::memmem::find(&text[start..], &wanted).map(|found| found + start)
                } else {
                    pattern::find(&text, &wanted, start, env)?.map(|found| found.start)
                };
                at.map_or(Value::Nil, |at| Value::Number((at + 1) as f64))
            }
            Self::Match => {
                let (text, wanted) = (args.text(1)?, args.text(2)?);
                let start = offset(&text, args.integer_or(3, 1)?);
                if start > text.len() {
                    return Ok(Value::Nil);
                }
                match pattern::find(&text, &wanted, start, env)? {
                    Some(found) => capture_value(&found, &text, 1),
                    None => Value::Nil,
                }
            }
            Self::Gsub => bounded_text(substitute(&args, env)?)?,
            Self::Format => bounded_text(format(&args)?)?,
            Self::Abs => Value::Number(args.number(1)?.abs()),
            Self::Ceil => Value::Number(args.number(1)?.ceil()),
            Self::Floor => Value::Number(args.number(1)?.floor()),
            Self::Max | Self::Min => {
                let mut best = args.number(1)?;
                for at in 2..=list.len() {
                    let other = args.number(at)?;
                    best = if self == Self::Max { best.max(other) } else { best.min(other) };
                }
                Value::Number(best)
            }
        })
    }
}

/// Arguments of a call. Positions count from 1, as in Lua's error messages.
struct Arguments<'c, 'a> {
    of: Function,
    list: &'c [Value<'a>],
}

impl<'c, 'a> Arguments<'c, 'a> {
    fn value(&self, at: usize) -> Result<&'c Value<'a>, String> {
        self.list.get(at - 1).ok_or_else(|| self.bad_argument(at, "value expected"))
    }

    fn text(&self, at: usize) -> Result<Cow<'c, [u8]>, String> {
        let value = self.list.get(at - 1).unwrap_or(&Value::Nil);
        value.as_text().ok_or_else(|| self.type_mismatch(at, "string"))
    }

    fn number(&self, at: usize) -> Result<f64, String> {
        let value = self.list.get(at - 1).unwrap_or(&Value::Nil);
        value.as_number().ok_or_else(|| self.type_mismatch(at, "number"))
    }

    fn integer_or(&self, at: usize, default: i64) -> Result<i64, String> {
        match self.list.get(at - 1) {
            None | Some(Value::Nil) => Ok(default),
            Some(_) => Ok(self.number(at)? as i64),
        }
    }

    fn type_mismatch(&self, at: usize, expected: &str) -> String {
        let got = self.list.get(at - 1).map_or("no value", Value::type_name);
        self.bad_argument(at, &format!("{expected} expected, got {got}"))
    }

    fn bad_argument(&self, at: usize, why: &str) -> String {
        format!("bad argument #{at} to '{}' ({why})", self.of.name())
    }
}

/// Creates a string value, unless the text exceeds [`MAX_TEXT_BYTES`].
fn bounded_text<'a>(text: Vec<u8>) -> Result<Value<'a>, String> {
    if text.len() > MAX_TEXT_BYTES {
        Err("the text is too long".to_owned())
    } else {
        Ok(Value::Text(Cow::Owned(text)))
    }
}

/// Converts a Lua position, counted from 1 or, if negative, from the end, to an offset.
fn offset(text: &[u8], at: i64) -> usize {
    if at > 0 {
        at as usize - 1
    } else {
        text.len().saturating_sub(at.unsigned_abs() as usize) * usize::from(at < 0)
    }
}

/// Returns the bytes between two Lua positions, both inclusive.
fn slice(text: &[u8], from: i64, to: i64) -> &[u8] {
    let length = text.len() as i64;
    let from = if from < 0 { (length.saturating_add(from) + 1).max(1) } else { from.max(1) };
    let to = if to < 0 { length.saturating_add(to) + 1 } else { to.min(length) };
    if from > to { &[] } else { &text[from as usize - 1..to as usize] }
}

fn parse_in_base<'a>(text: &[u8], base: f64) -> Value<'a> {
    let digits = std::str::from_utf8(text).unwrap_or("").trim_ascii();
    if !(2.0..=36.0).contains(&base) {
        return Value::Nil;
    }
    u64::from_str_radix(digits, base as u32).map_or(Value::Nil, |value| Value::Number(value as f64))
}

/// Returns a capture of a match, counted from 1; the whole match if the pattern has no captures.
fn capture_value<'a>(found: &Match, text: &[u8], at: usize) -> Value<'a> {
    match found.capture(text, at) {
        Some(pattern::CaptureValue::Text(bytes)) => Value::Text(Cow::Owned(bytes.to_vec())),
        Some(pattern::CaptureValue::Position(position)) => Value::Number(position as f64),
        None => Value::Nil,
    }
}

fn substitute(args: &Arguments<'_, '_>, env: &Env<'_>) -> Result<Vec<u8>, String> {
    let (text, wanted, with) = (args.text(1)?, args.text(2)?, args.text(3)?);
    let times = args.integer_or(4, i64::MAX)?;
    let anchored = wanted.first() == Some(&b'^');
    let (mut out, mut at, mut done) = (Vec::new(), 0, 0);
    while done < times {
        match pattern::match_at(&text, &wanted, at, env)? {
            Some(found) => {
                done += 1;
                push_replacement(&mut out, &with, &found, &text)?;
                if found.end > at {
                    at = found.end;
                } else if at < text.len() {
                    out.push(text[at]);
                    at += 1;
                } else {
                    break;
                }
            }
            None if at < text.len() => {
                out.push(text[at]);
                at += 1;
            }
            None => break,
        }
        if out.len() > MAX_TEXT_BYTES {
            return Err("the text is too long".to_owned());
        }
        if anchored {
            break;
        }
    }
    out.extend_from_slice(text.get(at..).unwrap_or(&[]));
    Ok(out)
}

/// Appends the replacement of a match: `%0` is the match, `%1` to `%9` are its captures, `%%` is a percent sign.
fn push_replacement(out: &mut Vec<u8>, with: &[u8], found: &Match, text: &[u8]) -> Result<(), String> {
    let mut bytes = with.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        match bytes.next() {
            Some(b'0') => out.extend_from_slice(&text[found.start..found.end]),
            Some(digit @ b'1'..=b'9') => match capture_value(found, text, usize::from(digit - b'0')) {
                Value::Nil => return Err("invalid capture index".to_owned()),
                value => value.print(out),
            },
            Some(other) => out.push(*other),
            None => return Err("invalid use of '%' in replacement string".to_owned()),
        }
    }
    Ok(())
}

/// Implements `string.format`: `%d %i %u %s %q %c %x %X %o %f %e %g` with flags, width and precision.
fn format(args: &Arguments<'_, '_>) -> Result<Vec<u8>, String> {
    let template = args.text(1)?;
    let (mut out, mut next, mut at) = (Vec::new(), 1, 0);
    while at < template.len() {
        let byte = template[at];
        at += 1;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        if template.get(at) == Some(&b'%') {
            out.push(b'%');
            at += 1;
            continue;
        }
        let flags = template[at..].iter().take_while(|b| b"-+ #0".contains(b)).count();
        let flag = |wanted: u8| template[at..at + flags].contains(&wanted);
        let (left_align, zero_pad, plus) = (flag(b'-'), flag(b'0'), flag(b'+'));
        at += flags;
        let (width, used) = two_digits(&template[at..]);
        at += used;
        let mut precision = None;
        if template.get(at) == Some(&b'.') {
            let (digits, used) = two_digits(&template[at + 1..]);
            precision = Some(digits);
            at += 1 + used;
        }
        let kind = *template.get(at).ok_or("invalid option '%' to 'format'")?;
        at += 1;
        next += 1;
        let signed = |text: String, value: f64| if plus && value >= 0.0 { format!("+{text}") } else { text };
        let text = match kind {
            b'd' | b'i' | b'u' => {
                let value = args.number(next)?.trunc();
                signed(format!("{}", value as i64), value).into_bytes()
            }
            b'x' => format!("{:x}", args.number(next)? as i64).into_bytes(),
            b'X' => format!("{:X}", args.number(next)? as i64).into_bytes(),
            b'o' => format!("{:o}", args.number(next)? as i64).into_bytes(),
            b'c' => vec![args.number(next)? as u8],
            b'f' => {
                let value = args.number(next)?;
                signed(format!("{value:.*}", precision.unwrap_or(6)), value).into_bytes()
            }
            b'g' => {
                let value = args.number(next)?;
                signed(format_general(value, precision.unwrap_or(6)), value).into_bytes()
            }
            b's' => {
                let mut text = Vec::new();
                args.value(next)?.print(&mut text);
                text.truncate(precision.unwrap_or(usize::MAX));
                text
            }
            other => return Err(format!("invalid option '%{}' to 'format'", char::from(other))),
        };
        let fill = width.saturating_sub(text.len());
        let numeric = !matches!(kind, b's' | b'c');
        if left_align {
            out.extend_from_slice(&text);
            out.resize(out.len() + fill, b' ');
        } else if zero_pad && numeric {
            let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
            out.extend_from_slice(&text[..sign]);
            out.resize(out.len() + fill, b'0');
            out.extend_from_slice(&text[sign..]);
        } else {
            out.resize(out.len() + fill, b' ');
            out.extend_from_slice(&text);
        }
        if out.len() > MAX_TEXT_BYTES {
            return Err("the text is too long".to_owned());
        }
    }
    Ok(out)
}

/// Parses a number of up to two digits; returns the number and its length.
fn two_digits(text: &[u8]) -> (usize, usize) {
    let digits = text.iter().take(2).take_while(|b| b.is_ascii_digit());
    digits.fold((0, 0), |(value, used), digit| (value * 10 + usize::from(digit - b'0'), used + 1))
}
