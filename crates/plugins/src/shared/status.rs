//! Statuses of refusals that the settings choose.

use http::StatusCode;
use serde_json::Number;

/// The status of a refusal: a whole number from 400 to 599. The format allows any number; one that is no
/// error status fails only when it is needed.
///
/// # Errors
/// What to tell the log.
pub fn error_status(code: &Number) -> Result<StatusCode, String> {
    code.as_f64()
        .filter(|code| code.fract() == 0.0 && (400.0..600.0).contains(code))
        .and_then(|code| StatusCode::from_u16(code as u16).ok())
        .ok_or_else(|| format!("{code} is no error status: those go from 400 to 599"))
}
