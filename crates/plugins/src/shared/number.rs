//! Number formatting for headers and messages, without allocation in the common case.

use http::HeaderValue;

/// Numbers below this have preformatted header values.
const CACHED_NUMBERS: usize = 10_000;

/// The decimal digits of 0000 to 9999, concatenated.
static DIGITS: [u8; 4 * CACHED_NUMBERS] = {
    let mut digits = [0; 4 * CACHED_NUMBERS];
    let mut n = 0;
    while n < CACHED_NUMBERS {
        digits[4 * n] = b'0' + (n / 1000) as u8;
        digits[4 * n + 1] = b'0' + (n / 100 % 10) as u8;
        digits[4 * n + 2] = b'0' + (n / 10 % 10) as u8;
        digits[4 * n + 3] = b'0' + (n % 10) as u8;
        n += 1;
    }
    digits
};

/// Formats an integer as a header value.
pub fn header_value(number: u64) -> HeaderValue {
    if number >= CACHED_NUMBERS as u64 {
        return HeaderValue::from(number);
    }
    let n = number as usize;
    let width = 1 + usize::from(n >= 10) + usize::from(n >= 100) + usize::from(n >= 1000);
    match std::str::from_utf8(&DIGITS[4 * n + 4 - width..4 * n + 4]) {
        Ok(digits) => HeaderValue::from_static(digits),
        Err(_) => HeaderValue::from(number),
    }
}

/// Formats a number with up to 14 significant digits and without trailing zeros, like `%.14g` in C and `tostring` in
/// Lua.
pub fn format(number: f64) -> String {
    format_general(number, 14)
}

/// Formats a number like C's `%.{digits}g`.
pub fn format_general(number: f64, digits: usize) -> String {
    let places = digits.max(1) as i32 - 1;
    if number == 0.0 {
        return "0".to_owned();
    }
    if !number.is_finite() {
        return if number.is_nan() { "nan" } else { ["-inf", "inf"][usize::from(number > 0.0)] }.to_owned();
    }
    let scientific = format!("{number:.*e}", places as usize);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..=places).contains(&exponent) {
        trimmed(&format!("{number:.*}", (places - exponent) as usize))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trimmed(digits), exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_decimal() {
        for number in (0..10_100).chain([99_999, u64::MAX]) {
            assert_eq!(header_value(number).to_str().expect("digits"), number.to_string());
        }
    }

    #[test]
    fn text_has_up_to_14_digits() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (23.0, "23"),
            (-1.0, "-1"),
            (1.5, "1.5"),
            (0.1, "0.1"),
            (1.0 / 3.0, "0.33333333333333"),
            (86_400.0, "86400"),
            (99_999_999_999_999.0, "99999999999999"),
            (1e14, "1e+14"),
            (1.25e20, "1.25e+20"),
            (0.00001, "1e-05"),
            (0.0001, "0.0001"),
        ];
        for (number, expected) in cases {
            assert_eq!(format(number), expected);
        }
    }
}
