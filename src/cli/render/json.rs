//! Findings as one JSON document: `{"version": 1, "summary": {…}, "findings": […]}`. Lines and columns
//! count from 1, columns in characters, ends are exclusive.

use serde_json::{Value, json};

use super::Report;
use crate::source::{Level, Span};

pub fn render(report: Report<'_>) -> String {
    let place = |span: Span| {
        let file = report.sources.get(span.file);
        let (start, end) = (file.position(span.start), file.position(span.end));
        json!({
            "file": file.name(), "line": start.line, "column": start.column,
            "end_line": end.line, "end_column": end.column,
        })
    };
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            let mut shown = json!({
                "code": finding.code,
                "level": level(finding.level),
                "message": finding.message,
                "help": finding.help,
                "path": finding.path,
            });
            if let Some(span) = finding.span() {
                shown["place"] = place(span);
            }
            let related: Vec<Value> = finding
                .labels
                .iter()
                .skip(1)
                .map(|label| {
                    let mut at = place(label.span);
                    at["message"] = Value::from(label.text.clone());
                    at
                })
                .collect();
            if !related.is_empty() {
                shown["related"] = Value::from(related);
            }
            shown
        })
        .collect();
    let count = |level| report.findings.count(level);
    let document = json!({
        "version": 1,
        "summary": {
            "errors": count(Level::Error), "warnings": count(Level::Warning), "notes": count(Level::Note),
        },
        "findings": findings,
    });
    format!("{document:#}\n")
}

/// A level as programs spell it.
pub fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    }
}
