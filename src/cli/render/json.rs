//! Findings as one JSON document: `{"version": 1, "summary": {…}, "findings": […]}`.

use serde_json::{Value, json};

use super::{Report, kong};
use crate::source::{Finding, Level};

pub fn render(report: Report<'_>) -> String {
    let findings: Vec<Value> = report.findings.iter().map(|f| finding(f, report)).collect();
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

fn finding(finding: &Finding, report: Report<'_>) -> Value {
    let mut json = finding.to_json(report.sources);
    let messages = kong::messages(finding, report);
    if !messages.is_empty() {
        json["kong"] = messages.into();
    }
    json
}
