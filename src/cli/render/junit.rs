//! Findings as a JUnit report: a suite a file, a case a finding; notes pass. A file without findings has one
//! case that passes, so that a clean run is seen to have run.

use super::Report;
use crate::source::{FileId, Finding, Level};

pub fn render(report: Report<'_>) -> String {
    let failures = report.findings.iter().filter(|f| f.level > Level::Note).count();
    let mut suites = String::new();
    let mut tests = 0;
    for (file, source) in report.sources.iter() {
        let found = report.findings.iter().filter(|f| f.span().is_some_and(|s| s.file == file));
        suites += &suite(report, source.name(), Some(file), found.collect(), &mut tests);
    }
    let lost: Vec<&Finding> = report.findings.iter().filter(|f| f.span().is_none()).collect();
    if !lost.is_empty() {
        suites += &suite(report, "configuration", None, lost, &mut tests);
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"gatewayctl\" tests=\"{tests}\" failures=\"{failures}\">\n{suites}</testsuites>\n"
    )
}

fn suite(
    report: Report<'_>,
    name: &str,
    file: Option<FileId>,
    findings: Vec<&Finding>,
    tests: &mut usize,
) -> String {
    let name = escape(name);
    let failures = findings.iter().filter(|f| f.level > Level::Note).count();
    let count = findings.len().max(1);
    *tests += count;
    let mut out = format!("  <testsuite name=\"{name}\" tests=\"{count}\" failures=\"{failures}\">\n");
    if findings.is_empty() {
        out += &format!("    <testcase classname=\"{name}\" name=\"no findings\"/>\n");
    }
    for finding in findings {
        let place = finding.span().map_or_else(String::new, |span| report.sources.locate(span));
        let line = finding
            .span()
            .filter(|_| file.is_some())
            .map_or_else(String::new, |span| format!(" line=\"{}\"", report.sources.position(span).line));
        let message = escape(&finding.message);
        let code = escape(finding.code);
        out += &format!("    <testcase classname=\"{code}\" name=\"{message}\" file=\"{name}\"{line}>\n");
        let help = finding.help.as_ref().map_or_else(String::new, |help| format!("\n{help}"));
        let text = escape(&format!("{place}\n{}{help}", finding.message));
        if finding.level > Level::Note {
            let level = finding.level.word();
            out += &format!("      <failure type=\"{level}\" message=\"{message}\">{text}</failure>\n");
        } else {
            out += &format!("      <system-out>{text}</system-out>\n");
        }
        out += "    </testcase>\n";
    }
    out + "  </testsuite>\n"
}

/// Text that may stand in an element or an attribute. Control characters have no place in XML.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
