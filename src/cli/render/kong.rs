//! Kong's own messages for findings, which users may know or search for.

use super::Report;
use crate::{
    config::secret::{is_identified_by_secret, quotable_secrets},
    source::{ErrorPathSegment, Finding, Level, replace_secret},
};

/// Renders path and message as Kong reports them, one line each. Secrets that the text quotes are masked.
pub fn messages(finding: &Finding, report: Report<'_>) -> Vec<String> {
    if finding.level != Level::Error {
        return Vec::new();
    }
    let secret =
        finding.span().map_or_else(Vec::new, |span| quotable_secrets(span, report.sources, report.secrets));
    let lines = finding.kong_errors.iter().map(|(path, text)| {
        let text = secret.iter().fold(text.clone(), |text, secret| replace_secret(&text, secret, STARS));
        let line = match place(path, &secret) {
            Some(place) => format!("{place}: {text}"),
            None => text,
        };
        report.masks.redact(&line).into_owned()
    });
    lines.collect()
}

const STARS: &str = "****";

/// Renders a path: `services[1].port`. `None` for errors of the document as a whole. A name that is a secret is masked,
/// also if it identifies a row: `keyauth_credentials.****[1]`.
fn place(path: &[ErrorPathSegment], secret: &[String]) -> Option<String> {
    if matches!(path, [ErrorPathSegment::Key(key)] if key == "error") {
        return None;
    }
    let mut text = String::new();
    for (i, seg) in path.iter().enumerate() {
        let kind = i.checked_sub(1).and_then(|before| path.get(before));
        let called = matches!(kind, Some(ErrorPathSegment::Key(kind)) if is_identified_by_secret(kind));
        match seg {
            ErrorPathSegment::Key(key) if called || secret.contains(key) => {
                text.push_str(if text.is_empty() { "" } else { "." });
                text.push_str(STARS);
            }
            ErrorPathSegment::Key(key) if text.is_empty() => text.push_str(key),
            ErrorPathSegment::Key(key) => {
                text.push('.');
                text.push_str(key);
            }
            ErrorPathSegment::Index(i) => text.push_str(&format!("[{i}]")),
            ErrorPathSegment::Entity => {}
        }
    }
    (!text.is_empty()).then_some(text)
}
