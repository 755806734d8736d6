//! Number parsing as in Lua; formatting is shared with the other plugins.

pub use crate::shared::number::{format as number_text, format_general};

/// Parses a number like Lua's `tonumber`: surrounding white space, a sign, decimal or hexadecimal. Infinity and NaN
/// are not accepted.
pub fn number(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?.trim_ascii();
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let value = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        if hex.starts_with('+') {
            return None;
        }
        u64::from_str_radix(hex, 16).ok()? as f64
    } else {
        let is_numeral = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
        if !digits.bytes().all(is_numeral) || digits.starts_with(['+', '-', 'e', 'E']) {
            return None;
        }
        digits.parse::<f64>().ok()?
    };
    Some(if negative { -value } else { value })
}
