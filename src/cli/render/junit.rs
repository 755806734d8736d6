//! JUnit reports, in the elements and attributes that Jenkins's schema has: of findings here, and of unit tests of
//! configurations for the command `test`.
//!
//! Findings: a suite a file, a case a finding. A finding that does not fail the run passes, with its text as output. A
//! file without findings has one case that passes, which shows that it was checked.

use std::{fmt::Write as _, time::Duration};

use super::Report;
use crate::source::{FileId, Finding};

/// The cases of one file.
pub struct Suite {
    pub name: String,
    pub cases: Vec<Case>,
}

/// One case.
pub struct Case {
    pub class: String,
    pub name: String,
    /// Where it is written.
    pub place: Option<(String, usize)>,
    pub time: Duration,
    pub outcome: Outcome,
}

/// How a case ended.
pub enum Outcome {
    /// Well, with some output or none.
    Passed(String),
    #[cfg_attr(not(feature = "serve"), expect(dead_code, reason = "only the command `test` skips cases"))]
    Skipped(String),
    Failed {
        kind: String,
        message: String,
        text: String,
    },
}

/// Renders findings.
pub fn render(report: Report<'_>) -> String {
    let of = |file: Option<FileId>| report.findings.iter().filter(move |f| f.span().map(|s| s.file) == file);
    let mut suites: Vec<Suite> = report
        .sources
        .iter()
        .map(|(file, source)| suite(report, source.name().to_owned(), of(Some(file)).collect()))
        .collect();
    if of(None).next().is_some() {
        suites.push(suite(report, "configuration".to_owned(), of(None).collect()));
    }
    document("gatewayctl", &suites, Duration::ZERO)
}

fn suite(report: Report<'_>, name: String, findings: Vec<&Finding>) -> Suite {
    let mut cases: Vec<Case> = findings.into_iter().map(|finding| case(report, finding)).collect();
    if cases.is_empty() {
        cases.push(Case {
            class: name.clone(),
            name: "no findings".to_owned(),
            place: None,
            time: Duration::ZERO,
            outcome: Outcome::Passed(String::new()),
        });
    }
    Suite { name, cases }
}

fn case(report: Report<'_>, finding: &Finding) -> Case {
    let place = finding
        .span()
        .map(|span| (report.sources.get(span.file).name().to_owned(), report.sources.position(span).line));
    let located = finding
        .span()
        .map_or_else(String::new, |span| format!("{}\n", report.sources.display_position(span)));
    let help = finding.help.as_ref().map_or_else(String::new, |help| format!("\n{help}"));
    let text = format!("{located}{}{help}", finding.message);
    let outcome = if finding.level >= report.fails_from {
        Outcome::Failed { kind: finding.level.as_str().to_owned(), message: finding.message.clone(), text }
    } else {
        Outcome::Passed(format!("{}: {text}", finding.level.as_str()))
    };
    let (class, name) = (finding.code.to_owned(), finding.message.clone());
    Case { class, name, place, time: Duration::ZERO, outcome }
}

/// A report of some suites, which took that long together.
pub fn document(name: &str, suites: &[Suite], took: Duration) -> String {
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let all = || suites.iter().flat_map(|suite| &suite.cases);
    let (tests, failures) = (all().count(), all().filter(|case| case.is_failed()).count());
    let _ = writeln!(
        out,
        "<testsuites name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" time=\"{:.3}\">",
        escape(name),
        took.as_secs_f64()
    );
    suites.iter().for_each(|suite| suite.write(&mut out));
    out + "</testsuites>\n"
}

impl Suite {
    fn write(&self, out: &mut String) {
        let count = |which: fn(&Case) -> bool| self.cases.iter().filter(|case| which(case)).count();
        let time: Duration = self.cases.iter().map(|case| case.time).sum();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{:.3}\">",
            escape(&self.name),
            self.cases.len(),
            count(Case::is_failed),
            count(|case| matches!(case.outcome, Outcome::Skipped(_))),
            time.as_secs_f64()
        );
        self.cases.iter().for_each(|case| case.write(out));
        out.push_str("  </testsuite>\n");
    }
}

impl Case {
    fn is_failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { .. })
    }

    fn write(&self, out: &mut String) {
        let _ = write!(
            out,
            "    <testcase classname=\"{}\" name=\"{}\"",
            escape(&self.class),
            escape(&self.name)
        );
        if let Some((file, line)) = &self.place {
            let _ = write!(out, " file=\"{}\" line=\"{line}\"", escape(file));
        }
        let _ = write!(out, " time=\"{:.3}\"", self.time.as_secs_f64());
        *out += &match &self.outcome {
            Outcome::Passed(text) if text.is_empty() => "/>\n".to_owned(),
            Outcome::Passed(text) => format!("><system-out>{}</system-out></testcase>\n", escape(text)),
            Outcome::Skipped(why) => format!("><skipped message=\"{}\"/></testcase>\n", escape(why)),
            Outcome::Failed { kind, message, text } => format!(
                "><failure type=\"{}\" message=\"{}\">{}</failure></testcase>\n",
                escape(kind),
                escape(message),
                escape(text)
            ),
        };
    }
}

/// A text within XML. Characters that XML cannot hold are replaced.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' | '\r' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
