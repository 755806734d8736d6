//! Findings as one JSON document: `{"version": 1, "summary": {…}, "findings": […]}`.

use serde_json::{Value, json};

use super::Report;
use crate::source::Level;

pub fn render(report: Report<'_>) -> String {
    let findings: Vec<Value> = report.findings.iter().map(|f| f.to_json(report.sources)).collect();
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
