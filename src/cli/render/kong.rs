//! What Kong says of the same thing, for those who know its words or search for them.

use super::Report;
use crate::{
    config::secret::redact,
    source::{Finding, Level, Seg, replace_secret},
};

/// Place and text as Kong would tell them, a line each. Where the text quotes a secret, it is blanked out.
pub fn says(finding: &Finding, report: Report<'_>) -> Vec<String> {
    if finding.level != Level::Error {
        return Vec::new();
    }
    let secret = finding.span().filter(|span| {
        let inside =
            |s: &crate::source::Span| s.file == span.file && s.start <= span.start && span.end <= s.end;
        report.secrets.iter().any(inside)
    });
    let secret = secret.map(|span| {
        report.sources.get(span.file).text()[span.start as usize..span.end as usize].trim_matches(['"', '\''])
    });
    let lines = finding.tree.iter().map(|(path, text)| {
        let line = match place(path) {
            Some(place) => format!("{place}: {text}"),
            None => text.clone(),
        };
        let line = match secret.filter(|s| !s.is_empty()) {
            Some(secret) => replace_secret(&line, secret, "****"),
            None => line,
        };
        redact(&line).into_owned()
    });
    lines.collect()
}

/// `services[1].port`; none for what concerns the document as a whole.
fn place(path: &[Seg]) -> Option<String> {
    if matches!(path, [Seg::Key(key)] if key == "error") {
        return None;
    }
    let mut text = String::new();
    for seg in path {
        match seg {
            Seg::Key(key) if text.is_empty() => text.push_str(key),
            Seg::Key(key) => {
                text.push('.');
                text.push_str(key);
            }
            Seg::Index(i) => text.push_str(&format!("[{i}]")),
            Seg::Entity => {}
        }
    }
    (!text.is_empty()).then_some(text)
}
