//! Findings as workflow commands of GitHub Actions: annotations beside the changed lines of a pull request.

use super::Report;
use crate::source::Level;

pub fn render(report: Report<'_>) -> String {
    let mut out = String::new();
    for finding in report.findings.iter() {
        let command = match finding.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "notice",
        };
        let mut properties = Vec::new();
        if let Some(span) = finding.span() {
            let source = report.sources.get(span.file);
            let (start, end) = (source.position(span.start), source.position(span.end));
            properties.push(format!("file={}", property(source.name())));
            properties.push(format!("line={}", start.line));
            properties.push(format!("endLine={}", end.line));
            properties.push(format!("col={}", start.column));
            // GitHub refuses columns that go backwards, as those of a place over several lines may.
            if start.line == end.line && end.column > start.column {
                properties.push(format!("endColumn={}", end.column));
            }
        }
        properties.push(format!("title={}", property(finding.code)));
        let help = finding.help.as_ref().map_or_else(String::new, |help| format!("\n{help}"));
        let message = data(&format!("{}{help}", finding.message));
        out += &format!("::{command} {}::{message}\n", properties.join(","));
    }
    out
}

/// A message; what would end it is escaped.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property's value.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
