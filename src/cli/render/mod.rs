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

use clap::ValueEnum;

use crate::source::{Findings, Level, SourceMap, Span};

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
    /// The lowest level that fails the run.
    pub fails_from: Level,
}

/// Renders findings in that form.
pub fn render(report: Report<'_>, format: Format, color: bool) -> String {
    match format {
        Format::Human => human::render(report, color),
        Format::Json => json::render(report),
        Format::Sarif => sarif::render(report),
        Format::Github => github::render(report),
        Format::Gitlab => gitlab::render(report),
        Format::Junit => junit::render(report),
    }
}
