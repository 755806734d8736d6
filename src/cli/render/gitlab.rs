//! Findings as GitLab's code quality report: a list of issues, each with a fingerprint by which GitLab
//! distinguishes old ones from new ones. A line that moves keeps its fingerprint.

use ahash::AHashMap;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Report;
use crate::source::Level;

pub fn render(report: Report<'_>) -> String {
    let mut seen: AHashMap<String, usize> = AHashMap::new();
    let issues: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            let (path, line) = finding.span().map_or_else(
                || (report.sources.iter().next().map_or("-", |(_, file)| file.name()).to_owned(), 1),
                |span| (report.sources.get(span.file).name().to_owned(), report.sources.position(span).line),
            );
            let what = format!("{}\n{path}\n{}", finding.code, finding.message);
            let nth = seen.entry(what.clone()).and_modify(|n| *n += 1).or_insert(0);
            let fingerprint = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{what}\n{nth}").as_bytes());
            let severity = match finding.level {
                Level::Error => "critical",
                Level::Warning => "minor",
                Level::Note => "info",
            };
            json!({
                "description": finding.message,
                "check_name": finding.code,
                "fingerprint": fingerprint.simple().to_string(),
                "severity": severity,
                "location": { "path": path.trim_start_matches("./"), "lines": { "begin": line } },
            })
        })
        .collect();
    format!("{:#}\n", Value::from(issues))
}
