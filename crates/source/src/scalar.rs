//! Tag resolution of plain YAML scalars as in lyaml 6.2.8, the parser of Kong.
//!
//! YAML 1.1 with quirks: `yes` is a boolean but `y` is a string, `010` is eight, `1:30` is ninety, `0X1E` is a
//! number (a float with an exponent letter) and `0X1F` is not. All numbers are Lua doubles, so an integer beyond
//! 2^53 is a [`Value::Float`]. Checked against lyaml over several hundred thousand generated scalars;
//! `tests/typing.txt` contains the significant ones.

use std::borrow::Cow;

use super::Value;

/// A scalar on which lyaml itself fails: an octal or binary number that ends in `_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InvalidScalar;

/// 2^53: all integers up to here are exact as doubles.
pub(super) const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_992.0;

/// Resolves the type of a plain scalar; `None` means it is a string.
pub(super) fn resolve_plain(text: &str) -> Result<Option<Value>, InvalidScalar> {
    let bytes = text.as_bytes();
    // Fast path: most words are recognised as strings by their first byte.
    match bytes.first() {
        None => return Ok(Some(Value::Null)),
        Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'_') => {}
        Some(b'~' | b'n' | b'N' | b'y' | b'Y' | b't' | b'T' | b'f' | b'F' | b'o' | b'O') => {
            if bytes.len() > 5 {
                return Ok(None);
            }
            let null = is_null(text).then_some(Value::Null);
            return Ok(null.or_else(|| boolean(text).map(Value::Bool)));
        }
        Some(_) => return Ok(None),
    }
    let number = match octal(text)? {
        Some(x) => Some(number_value(x)),
        None => match decimal(text) {
            Some(x) => Some(number_value(x)),
            None => match float(text).or_else(|| special(text)) {
                Some(x) => Some(Value::Float(x)),
                None => match hexadecimal(text) {
                    Some(x) => Some(number_value(x)),
                    None => match binary(text)? {
                        Some(x) => Some(number_value(x)),
                        None => match sexagesimal(text) {
                            Some(x) => Some(number_value(x)),
                            None => sexagesimal_float(text).map(Value::Float),
                        },
                    },
                },
            },
        },
    };
    Ok(number)
}

/// Resolves a scalar with a tag of the YAML schema. `None` if the tag does not affect the type; `Some(Err)` if the
/// text does not match the tag, in which case lyaml rejects the file.
pub(super) fn resolve_tagged(tag: &str, text: &str) -> Option<Result<Value, InvalidScalar>> {
    let or_bad = |value: Option<Value>| value.ok_or(InvalidScalar);
    Some(match tag.strip_prefix("tag:yaml.org,2002:")? {
        "null" => Ok(Value::Null),
        "str" => Ok(Value::Str(text.into())),
        "bool" => or_bad(match text {
            "y" | "Y" => Some(Value::Bool(true)),
            "n" | "N" => Some(Value::Bool(false)),
            _ => boolean(text).map(Value::Bool),
        }),
        "int" => integer(text).and_then(|x| or_bad(x.map(number_value))),
        "float" => match float(text).or_else(|| special(text)) {
            Some(x) => Ok(Value::Float(x)),
            // Octal, decimal, hexadecimal and binary, but not sexagesimal integers.
            None if text.contains(':') => or_bad(sexagesimal_float(text).map(Value::Float)),
            None => integer(text).and_then(|x| or_bad(x.map(Value::Float))),
        },
        _ => return None,
    })
}

fn integer(text: &str) -> Result<Option<f64>, InvalidScalar> {
    if let Some(x) = octal(text)? {
        return Ok(Some(x));
    }
    if let Some(x) = decimal(text).or_else(|| hexadecimal(text)) {
        return Ok(Some(x));
    }
    Ok(binary(text)?.or_else(|| sexagesimal(text)))
}

/// Converts an integral double to a value.
pub(super) fn number_value(x: f64) -> Value {
    if x.abs() <= MAX_SAFE_INTEGER { Value::Int(x as i64) } else { Value::Float(x) }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// Splits off the sign, returned as a factor.
fn split_sign(text: &str) -> (f64, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (-1.0, &text[1..]),
        Some(b'+') => (1.0, &text[1..]),
        _ => (1.0, text),
    }
}

fn all_bytes(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(allowed)
}

/// Parses digits of a power-of-two base; correctly rounded up to 128 bits.
fn radix(digits: &str, base: u32) -> f64 {
    let digits: String = digits.chars().filter(|&c| c != '_').collect();
    u128::from_str_radix(&digits, base).map_or_else(
        |_| digits.chars().fold(0.0, |x, c| x * f64::from(base) + f64::from(c.to_digit(base).unwrap_or(0))),
        |x| x as f64,
    )
}

/// `[+-]0_*[0-7][0-7_]*`
fn octal(text: &str) -> Result<Option<f64>, InvalidScalar> {
    let (sign, rest) = split_sign(text);
    let Some(rest) = rest.strip_prefix('0') else { return Ok(None) };
    let rest = rest.trim_start_matches('_');
    if rest.is_empty() || !all_bytes(rest, |b| matches!(b, b'0'..=b'7' | b'_')) {
        return Ok(None);
    }
    if rest.ends_with('_') { Err(InvalidScalar) } else { Ok(Some(sign * radix(rest, 8))) }
}

/// `[+-]_*[0-9][0-9_]*`
fn decimal(text: &str) -> Option<f64> {
    let (sign, rest) = split_sign(text);
    let rest = rest.trim_start_matches('_');
    if rest.is_empty() || !all_bytes(rest, |b| b.is_ascii_digit() || b == b'_') {
        return None;
    }
    let x: f64 = without_underscores(rest).parse().ok()?;
    x.is_finite().then_some(sign * x)
}

/// `[+-]0x_*[0-9a-fA-F][0-9a-fA-F_]*`; the `x` must be lower case.
fn hexadecimal(text: &str) -> Option<f64> {
    let (sign, rest) = split_sign(text);
    let rest = rest.strip_prefix("0x")?.trim_start_matches('_');
    let fits = !rest.is_empty() && all_bytes(rest, |b| b.is_ascii_hexdigit() || b == b'_');
    fits.then(|| sign * radix(rest, 16)).filter(|x| x.is_finite())
}

/// `[+-]0b_*[01][01_]+`: at least two characters, so `0b1` is a string.
fn binary(text: &str) -> Result<Option<f64>, InvalidScalar> {
    let (sign, rest) = split_sign(text);
    let Some(rest) = rest.strip_prefix("0b") else { return Ok(None) };
    let rest = rest.trim_start_matches('_');
    if rest.len() < 2 || !all_bytes(rest, |b| matches!(b, b'0' | b'1' | b'_')) {
        return Ok(None);
    }
    if rest.ends_with('_') { Err(InvalidScalar) } else { Ok(Some(sign * radix(rest, 2))) }
}

/// `[+-][0-9]+:[0-5]?[0-9][:0-9]*` in base 60.
fn sexagesimal(text: &str) -> Option<f64> {
    let (sign, rest) = split_sign(text);
    let (first, others) = rest.split_once(':')?;
    let fits = !first.is_empty()
        && all_bytes(first, |b| b.is_ascii_digit())
        && others.starts_with(|c: char| c.is_ascii_digit())
        && all_bytes(others, |b| b.is_ascii_digit() || b == b':');
    let groups = rest.split(':').filter(|group| !group.is_empty());
    fits.then(|| sign * groups.fold(0.0, |x, group| x * 60.0 + group.parse::<f64>().unwrap_or(0.0)))
}

/// Sexagesimal number with a fraction: `190:20:30.15`.
fn sexagesimal_float(text: &str) -> Option<f64> {
    let (sign, rest) = split_sign(text);
    let dot = rest.find('.')?;
    let (groups, decimals) = rest.split_at(dot);
    if decimals.len() < 2
        || !all_bytes(&decimals[1..], |b| b.is_ascii_digit())
        || groups.starts_with(['+', '-'])
    {
        return None;
    }
    Some(sign * (sexagesimal(groups)? + decimals.parse::<f64>().ok()?))
}

fn special(text: &str) -> Option<f64> {
    match text {
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        _ => None,
    }
}

fn without_underscores(text: &str) -> Cow<'_, str> {
    if text.contains('_') { text.replace('_', "").into() } else { text.into() }
}

/// Parses what LuaJIT's `tonumber` accepts after removal of underscores, if it contains a dot or an exponent
/// letter.
fn float(text: &str) -> Option<f64> {
    if !text.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) {
        return None;
    }
    let text = without_underscores(text);
    let (sign, rest) = split_sign(&text);
    if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        return Some(sign * hex_float(hex)?);
    }
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let (int, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |s: &str| all_bytes(s, |b| b.is_ascii_digit());
    if int.len() + fraction.len() == 0 || !digits(int) || !digits(fraction) {
        return None;
    }
    if let Some(exponent) = exponent {
        exponent_value(exponent)?;
    }
    rest.parse::<f64>().ok().map(|x| sign * x)
}

/// Parses a signed decimal exponent within LuaJIT's range.
fn exponent_value(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !all_bytes(digits, |b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|x: &i32| x.abs() < MAX_EXPONENT)
}

/// LuaJIT rejects exponents from this value on.
const MAX_EXPONENT: i32 = 1 << 20;

/// Parses a hexadecimal float such as `1.8p3`, without its `0x`.
pub(super) fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = match text.find(['p', 'P']) {
        Some(at) => (&text[..at], exponent_value(&text[at + 1..])?),
        None => (text, 0),
    };
    let (int, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{int}{fraction}");
    if digits.is_empty() || !all_bytes(&digits, |b| b.is_ascii_hexdigit()) {
        return None;
    }
    // 32 hex digits exceed the precision of a double; further digits only shift the exponent.
    let digits = digits.trim_start_matches('0');
    let kept = &digits[..digits.len().min(32)];
    let moved = (digits.len() - kept.len()) as i64 - fraction.len() as i64;
    let scale = i32::try_from(i64::from(exponent) + 4 * moved).ok()?;
    let mantissa = if kept.is_empty() { 0.0 } else { radix(kept, 16) };
    // Scaled in two steps, so that a small power does not underflow before it is multiplied with a large mantissa.
    Some(mantissa * 2f64.powi(scale / 2) * 2f64.powi(scale - scale / 2))
}
