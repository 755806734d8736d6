//! Trailing commas, as between JSON entries: in YAML they are part of the value.

use source::{Finding, Findings, Level, SourceMap};

/// Replaces all findings about values that are invalid only because of a trailing comma by a single one. The admin
/// API's response keeps the originals.
pub(super) fn merge(findings: &mut Findings, sources: &SourceMap) {
    let ends_in_comma = |finding: &Finding| {
        let Some(span) = finding.span().filter(|_| finding.level == Level::Error) else { return false };
        let text = sources.get(span.file).text();
        let (start, end) = (span.start as usize, span.end as usize);
        let value = text.get(start..end).unwrap_or("");
        let after = text.get(end..).unwrap_or("").chars().next();
        value.len() > 1
            && value.ends_with(',')
            && !value.contains('\n')
            && !value.starts_with(['"', '\'', '[', '{'])
            && after.is_none_or(|c| matches!(c, '\n' | '\r'))
    };
    let mut errors = findings.remove_where(ends_in_comma).into_iter();
    let Some(mut merged) = errors.next() else { return };
    merged.message = "the comma at the end of the line is part of the value here".to_owned();
    merged.help = Some("remove the comma: in YAML the end of the line ends the value".to_owned());
    for error in errors {
        merged.labels.extend(error.labels.into_iter().take(1).map(|mut label| {
            label.text = "and here".to_owned();
            label
        }));
        merged.kong_errors.extend(error.kong_errors);
        merged.implied_errors.extend(error.implied_errors);
    }
    findings.push_retained(merged);
}
