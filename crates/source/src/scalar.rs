//! What an unquoted YAML scalar means: the typing of lyaml 6.2.8, which is what Kong reads files with.
//!
//! It is YAML 1.1 with quirks of its own: `yes` is a boolean but `y` is text, `010` is eight, `1:30` is
//! ninety, `0X1E` is a number (as a float with an exponent letter) and `0X1F` is not. All numbers are Lua
//! doubles, so a whole number beyond 2^53 is a [`Value::Float`]. Checked against the original over some
//! hundred thousand generated scalars; `tests/typing.txt` keeps the telling ones.

use std::borrow::Cow;

use super::Value;

/// A scalar that makes lyaml itself fail: an octal or binary number that ends in `_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// The largest whole number below which a double holds every whole number.
pub(super) const EXACT: f64 = 9_007_199_254_740_992.0;

/// Types an unquoted scalar; `None` means it is text.
pub(super) fn implicit(text: &str) -> Result<Option<Value>, Unreadable> {
    let bytes = text.as_bytes();
    // One look at the first byte spares ordinary words every further test.
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
        Some(x) => Some(whole(x)),
        None => match decimal(text) {
            Some(x) => Some(whole(x)),
            None => match float(text).or_else(|| special(text)) {
                Some(x) => Some(Value::Float(x)),
                None => match hexadecimal(text) {
                    Some(x) => Some(whole(x)),
                    None => match binary(text)? {
                        Some(x) => Some(whole(x)),
                        None => match sexagesimal(text) {
                            Some(x) => Some(whole(x)),
                            None => sexagesimal_float(text).map(Value::Float),
                        },
                    },
                },
            },
        },
    };
    Ok(number)
}

/// Types a scalar with a tag of the YAML schema. `None`: that tag does not change how a scalar is read.
/// `Some(Err)`: the text is not of the tag's type, and lyaml refuses the file.
pub(super) fn tagged(tag: &str, text: &str) -> Option<Result<Value, Unreadable>> {
    let or_bad = |value: Option<Value>| value.ok_or(Unreadable);
    Some(match tag.strip_prefix("tag:yaml.org,2002:")? {
        "null" => Ok(Value::Null),
        "str" => Ok(Value::Str(text.into())),
        "bool" => or_bad(match text {
            "y" | "Y" => Some(Value::Bool(true)),
            "n" | "N" => Some(Value::Bool(false)),
            _ => boolean(text).map(Value::Bool),
        }),
        "int" => integer(text).and_then(|x| or_bad(x.map(whole))),
        "float" => match float(text).or_else(|| special(text)) {
            Some(x) => Ok(Value::Float(x)),
            // Octal, decimal, hexadecimal and binary, but not the sexagesimal whole numbers.
            None if text.contains(':') => or_bad(sexagesimal_float(text).map(Value::Float)),
            None => integer(text).and_then(|x| or_bad(x.map(Value::Float))),
        },
        _ => return None,
    })
}

fn integer(text: &str) -> Result<Option<f64>, Unreadable> {
    if let Some(x) = octal(text)? {
        return Ok(Some(x));
    }
    if let Some(x) = decimal(text).or_else(|| hexadecimal(text)) {
        return Ok(Some(x));
    }
    Ok(binary(text)?.or_else(|| sexagesimal(text)))
}

/// A whole double as a node value.
pub(super) fn whole(x: f64) -> Value {
    if x.abs() <= EXACT { Value::Int(x as i64) } else { Value::Float(x) }
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

/// The sign as a factor, and the text after it.
fn signed(text: &str) -> (f64, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (-1.0, &text[1..]),
        Some(b'+') => (1.0, &text[1..]),
        _ => (1.0, text),
    }
}

fn only(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(allowed)
}

/// Digits of a power-of-two base, correctly rounded as long as they fit 128 bits.
fn radix(digits: &str, base: u32) -> f64 {
    let digits: String = digits.chars().filter(|&c| c != '_').collect();
    u128::from_str_radix(&digits, base).map_or_else(
        |_| digits.chars().fold(0.0, |x, c| x * f64::from(base) + f64::from(c.to_digit(base).unwrap_or(0))),
        |x| x as f64,
    )
}

/// `[+-]0_*[0-7][0-7_]*`
fn octal(text: &str) -> Result<Option<f64>, Unreadable> {
    let (sign, rest) = signed(text);
    let Some(rest) = rest.strip_prefix('0') else { return Ok(None) };
    let rest = rest.trim_start_matches('_');
    if rest.is_empty() || !only(rest, |b| matches!(b, b'0'..=b'7' | b'_')) {
        return Ok(None);
    }
    if rest.ends_with('_') { Err(Unreadable) } else { Ok(Some(sign * radix(rest, 8))) }
}

/// `[+-]_*[0-9][0-9_]*`
fn decimal(text: &str) -> Option<f64> {
    let (sign, rest) = signed(text);
    let rest = rest.trim_start_matches('_');
    if rest.is_empty() || !only(rest, |b| b.is_ascii_digit() || b == b'_') {
        return None;
    }
    let x: f64 = without_underscores(rest).parse().ok()?;
    x.is_finite().then_some(sign * x)
}

/// `[+-]0x_*[0-9a-fA-F][0-9a-fA-F_]*`, with a small `x` only.
fn hexadecimal(text: &str) -> Option<f64> {
    let (sign, rest) = signed(text);
    let rest = rest.strip_prefix("0x")?.trim_start_matches('_');
    let fits = !rest.is_empty() && only(rest, |b| b.is_ascii_hexdigit() || b == b'_');
    fits.then(|| sign * radix(rest, 16)).filter(|x| x.is_finite())
}

/// `[+-]0b_*[01][01_]+`: two characters at least, so `0b1` is text.
fn binary(text: &str) -> Result<Option<f64>, Unreadable> {
    let (sign, rest) = signed(text);
    let Some(rest) = rest.strip_prefix("0b") else { return Ok(None) };
    let rest = rest.trim_start_matches('_');
    if rest.len() < 2 || !only(rest, |b| matches!(b, b'0' | b'1' | b'_')) {
        return Ok(None);
    }
    if rest.ends_with('_') { Err(Unreadable) } else { Ok(Some(sign * radix(rest, 2))) }
}

/// `[+-][0-9]+:[0-5]?[0-9][:0-9]*`, each group worth sixty of the next.
fn sexagesimal(text: &str) -> Option<f64> {
    let (sign, rest) = signed(text);
    let (first, others) = rest.split_once(':')?;
    let fits = !first.is_empty()
        && only(first, |b| b.is_ascii_digit())
        && others.starts_with(|c: char| c.is_ascii_digit())
        && only(others, |b| b.is_ascii_digit() || b == b':');
    let groups = rest.split(':').filter(|group| !group.is_empty());
    fits.then(|| sign * groups.fold(0.0, |x, group| x * 60.0 + group.parse::<f64>().unwrap_or(0.0)))
}

/// A sexagesimal number with decimals: `190:20:30.15`.
fn sexagesimal_float(text: &str) -> Option<f64> {
    let (sign, rest) = signed(text);
    let dot = rest.find('.')?;
    let (groups, decimals) = rest.split_at(dot);
    if decimals.len() < 2 || !only(&decimals[1..], |b| b.is_ascii_digit()) || groups.starts_with(['+', '-']) {
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

/// What LuaJIT's `tonumber` takes once underscores are gone, if it has a dot or the letter of an exponent.
fn float(text: &str) -> Option<f64> {
    if !text.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) {
        return None;
    }
    let text = without_underscores(text);
    let (sign, rest) = signed(&text);
    if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        return Some(sign * hex_float(hex)?);
    }
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let (int, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |s: &str| only(s, |b| b.is_ascii_digit());
    if int.len() + fraction.len() == 0 || !digits(int) || !digits(fraction) {
        return None;
    }
    if let Some(exponent) = exponent {
        exponent_value(exponent)?;
    }
    rest.parse::<f64>().ok().map(|x| sign * x)
}

/// A decimal exponent with its sign, if LuaJIT would take it.
fn exponent_value(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !only(digits, |b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|x: &i32| x.abs() < LARGEST_EXPONENT)
}

/// LuaJIT refuses exponents from here on.
const LARGEST_EXPONENT: i32 = 1 << 20;

/// `1.8p3` after `0x`.
pub(super) fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = match text.find(['p', 'P']) {
        Some(at) => (&text[..at], exponent_value(&text[at + 1..])?),
        None => (text, 0),
    };
    let (int, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{int}{fraction}");
    if digits.is_empty() || !only(&digits, |b| b.is_ascii_hexdigit()) {
        return None;
    }
    // 32 digits are more than a double holds; those after them only move the point.
    let digits = digits.trim_start_matches('0');
    let kept = &digits[..digits.len().min(32)];
    let moved = (digits.len() - kept.len()) as i64 - fraction.len() as i64;
    let scale = i32::try_from(i64::from(exponent) + 4 * moved).ok()?;
    let mantissa = if kept.is_empty() { 0.0 } else { radix(kept, 16) };
    // In two steps, so that a tiny power does not vanish before a large mantissa lifts it.
    Some(mantissa * 2f64.powi(scale / 2) * 2f64.powi(scale - scale / 2))
}
