//! Rules for names, labels, headers, regular expressions.

use super::check_regex;

/// Checks a unique name: of the ASCII characters only letters, digits and `.-_~`.
pub fn name(value: &str) -> Result<(), String> {
    let fine = |b: u8| !b.is_ascii() || b.is_ascii_alphanumeric() || b"._-~".contains(&b);
    if value.bytes().all(fine) {
        return Ok(());
    }
    Err(format!(
        "invalid value '{value}': the only accepted ascii characters are alphanumerics or ., -, _, and ~"
    ))
}

/// Checks a tag: printable, without comma and slash.
pub fn tag(value: &str) -> Result<(), String> {
    let fine = |b: u8| !b.is_ascii() || matches!(b, b' '..=b'~') && b != b',' && b != b'/';
    if value.bytes().all(fine) {
        return Ok(());
    }
    Err(format!(
        "invalid tag '{value}': expected printable ascii (except `,` and `/`) or valid utf-8 sequences"
    ))
}

/// Checks a header name: letters, digits, `-` and `_`.
pub fn header_name(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err("no header name provided".to_owned());
    }
    if value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Ok(());
    }
    Err(format!("bad header name '{value}', allowed characters are A-Z, a-z, 0-9, '_', and '-'"))
}

/// Checks a header name of a route: any but `Host`, which has a field of its own.
pub fn route_header_name(value: &str) -> Result<(), String> {
    if value.eq_ignore_ascii_case("host") {
        return Err(
            "cannot contain 'host' header, which must be specified in the 'hosts' attribute".to_owned()
        );
    }
    header_name(value)
}

/// Checks a cookie name: an RFC 2616 token.
pub fn cookie_name(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err("no token provided".to_owned());
    }
    let fine = |b: u8| b.is_ascii_graphic() && !b"()<>@,;:\\\"/?={}[]".contains(&b);
    if value.bytes().all(fine) {
        return Ok(());
    }
    Err("contains one or more invalid characters. ASCII control characters (0-31;127), space, tab and the \
         characters ()<>@,;:\\\"/?={}[] are not allowed."
        .to_owned())
}

/// Checks a version: digits, then anything.
pub fn version(value: &str) -> Result<(), String> {
    if value.contains("..") {
        return Err("must not have empty version segments".to_owned());
    }
    if value.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(());
    }
    Err("invalid version number: must be in format of X.Y.Z".to_owned())
}

/// Checks a regular expression in PCRE syntax.
pub fn regex(value: &str) -> Result<(), String> {
    check_regex(value).map_err(|_| format!("not a valid regex: {value}"))
}

/// Checks an origin of the plugin `cors`: `*` or a regular expression.
pub fn cors_origin(value: &str) -> Result<(), String> {
    if value == "*" {
        return Ok(());
    }
    check_regex(value).map_err(|_| format!("'{value}' is not a valid regex"))
}
