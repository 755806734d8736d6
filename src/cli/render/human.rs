//! Findings for people, drawn by miette: the only place that knows it.

use std::fmt;

use ahash::AHashMap;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity, SourceCode};

use super::{
    Report,
    excerpt::{Excerpt, LONGEST, visible},
    kong,
};
use crate::source::{FileId, Finding, Level, SourceMap};

pub fn render(report: Report<'_>, color: bool) -> String {
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_wrap_lines(false).with_context_lines(1);
    let dim = |text: &str| if color { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() };
    let mut excerpts: AHashMap<FileId, Excerpt<'_>> = AHashMap::new();
    for finding in report.findings.iter() {
        if let Some(span) = finding.span() {
            excerpts
                .entry(span.file)
                .or_insert_with(|| Excerpt::new(report.sources, span.file, report.secrets));
        }
    }
    let mut out = String::new();
    for finding in report.findings.iter() {
        let excerpt = finding.span().and_then(|span| excerpts.get(&span.file));
        let shown = Shown { finding, excerpt, sources: report.sources };
        if handler.render_report(&mut out, &shown).is_err() {
            out.push_str(&finding.message);
        }
        for line in kong::messages(finding, report) {
            out.push_str(&dim(&format!("  kong: {}", visible(&line))));
            out.push('\n');
        }
        out.push('\n');
    }
    out.push_str(&dim(&more(report)));
    out
}

/// How to ask for more about the codes of a report.
fn more(report: Report<'_>) -> String {
    let mut codes: Vec<&str> = report.findings.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    match codes[..] {
        [] => String::new(),
        [code] => format!("`gatewayctl explain {code}` explains this\n\n"),
        [code, ..] => format!("`gatewayctl explain CODE` explains each code, such as {code}\n\n"),
    }
}

/// A finding as miette wants it.
struct Shown<'a> {
    finding: &'a Finding,
    excerpt: Option<&'a Excerpt<'a>>,
    sources: &'a SourceMap,
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.finding.fmt(f)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.finding.message))
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.finding.code))
    }

    fn severity(&self) -> Option<Severity> {
        Some(match self.finding.level {
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
            Level::Note => Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        // miette draws one file; places in others are named.
        let home = self.finding.span().map(|s| s.file);
        let elsewhere = self.finding.labels.iter().filter(|l| Some(l.span.file) != home);
        let mut lines: Vec<String> = self.finding.help.clone().into_iter().collect();
        lines.extend(elsewhere.map(|l| format!("{} at {}", l.text, self.sources.display_position(l.span))));
        if lines.is_empty() { None } else { Some(Box::new(visible(&lines.join("\n")))) }
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.map(|e| e as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let home = self.finding.span()?.file;
        Some(Box::new(self.finding.labels.iter().enumerate().filter(move |(_, l)| l.span.file == home).map(
            |(i, label)| {
                let text = (!label.text.is_empty()).then(|| visible(&label.text));
                let range =
                    (label.span.start as usize, ((label.span.end - label.span.start) as usize).min(LONGEST));
                if i == 0 {
                    LabeledSpan::new_primary_with_span(text, range)
                } else {
                    LabeledSpan::new_with_span(text, range)
                }
            },
        )))
    }
}
