//! Findings for people and for programs. One file a format; all show the same findings.

mod excerpt;
mod github;
mod gitlab;
mod human;
mod json;
pub mod junit;
mod kong;
mod sarif;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use clap::ValueEnum;
pub use excerpt::masked;

use crate::{
    config::{codes::MORE_FINDINGS, secret::SecretFields},
    source::{FileId, Finding, Findings, Level, Omitted, SourceMap, Span},
};

/// The forms findings can be printed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: excerpts of the file with the place underlined.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, for code scanning services.
    Sarif,
    /// Annotations of GitHub Actions.
    Github,
    /// GitLab's code quality report.
    Gitlab,
    /// A JUnit report.
    Junit,
}

/// What is printed, and from where.
#[derive(Clone, Copy)]
pub struct Report<'a> {
    /// The findings, in order.
    pub findings: &'a Findings,
    /// The files they are about.
    pub sources: &'a SourceMap,
    /// Places of secrets, which no excerpt shows.
    pub secrets: &'a [Span],
    /// What is masked in texts beside these places.
    pub masks: &'a SecretFields,
    /// The lowest level that fails the run.
    pub fails_from: Level,
}

/// Renders findings in that form. Whatever is rendered is free of secrets, and bounded: a last finding says how many
/// more there are.
pub fn render(report: Report<'_>, format: Format, color: bool) -> String {
    let mut findings = report.findings.clone();
    report.masks.redact_findings(&mut findings);
    findings.0.extend(more(report.findings.omitted()));
    let mut secrets = report.secrets.to_vec();
    let files: BTreeSet<FileId> =
        findings.iter().flat_map(|f| &f.labels).map(|label| label.span.file).collect();
    for file in files {
        secrets.extend(report.masks.spans_of_embedded(file, report.sources.get(file).text()));
    }
    let report = Report { findings: &findings, secrets: &secrets, ..report };
    match format {
        Format::Human => human::render(report, color),
        Format::Json => json::render(report),
        Format::Sarif => sarif::render(report),
        Format::Github => github::render(report),
        Format::Gitlab => gitlab::render(report),
        Format::Junit => junit::render(report),
    }
}

/// The finding about those that are not listed.
fn more(omitted: Omitted) -> Option<Finding> {
    let counts = [(Level::Error, "error"), (Level::Warning, "warning"), (Level::Note, "note")]
        .into_iter()
        .map(|(level, word)| (omitted.count(level), word))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} more {word}{}", if n == 1 { "" } else { "s" }))
        .collect::<Vec<_>>();
    let message = format!("{} were found and are not listed", counts.join(", "));
    let note = Finding::new(Level::Note, MORE_FINDINGS, message);
    (!counts.is_empty()).then(|| note.help("mend those listed, and run it again"))
}
