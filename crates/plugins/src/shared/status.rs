//! Configurable status codes of rejections.

use http::StatusCode;
use serde_json::Number;

/// Converts a configured status code, which must be an integer from 400 to 599. Kong's schema accepts any number, so
/// that an invalid one only fails when it is used.
///
/// # Errors
/// The message to log.
pub fn error_status(code: &Number) -> Result<StatusCode, String> {
    code.as_f64()
        .filter(|code| code.fract() == 0.0 && (400.0..600.0).contains(code))
        .and_then(|code| StatusCode::from_u16(code as u16).ok())
        .ok_or_else(|| format!("{code} is no error status: those go from 400 to 599"))
}
