//! Comments that allow a finding: `# gatewayctl: allow lint-name, other-name`, on the line of the finding
//! or on comment lines right above it.

use source::{Finding, SourceMap};

/// Whether a comment allows that finding.
pub fn allowed(finding: &Finding, sources: &SourceMap) -> bool {
    let Some(span) = finding.span() else { return false };
    let source = sources.get(span.file);
    let line = source.position(span.start).line;
    if names(source.line(line)).any(|name| is(name, finding.code)) {
        return true;
    }
    let above = (1..line).rev().map(|n| source.line(n).trim_start()).take_while(|text| text.starts_with('#'));
    above.flat_map(names).any(|name| is(name, finding.code))
}

fn is(name: &str, code: &str) -> bool {
    name == code || code.strip_prefix("lint/") == Some(name) || code.strip_prefix("ruleset/") == Some(name)
}

/// The lints that a line's comment allows. Of a long line only the end is looked at, where a comment is: there may be
/// as many findings on it as it has bytes.
fn names(line: &str) -> impl Iterator<Item = &str> {
    const MAX_BYTES: usize = 4096;
    let line = &line[line.floor_char_boundary(line.len().saturating_sub(MAX_BYTES))..];
    let list = line
        .match_indices('#')
        .filter_map(|(at, _)| line[at + 1..].trim_start().strip_prefix("gatewayctl:"))
        .find_map(|rest| rest.trim_start().strip_prefix("allow "));
    list.unwrap_or_default()
        .split(|c: char| c == ',' || c.is_whitespace())
        // What follows `--` is the reason.
        .take_while(|word| *word != "--")
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use source::Span;

    #[test]
    fn a_comment_on_the_line_or_right_above_allows() {
        let mut sources = SourceMap::default();
        let text = "a: 1 # gatewayctl: allow weak-secret, other -- shown in docs\n# gatewayctl: allow lint/x\n# why\nb: 2\nc: 3\n";
        let file = sources.add("f.yml", text);
        let at = |code, needle: &str| {
            let start = text.find(needle).expect("there") as u32;
            allowed(&Finding::warning(code, "m").at(Span { file, start, end: start + 1 }, ""), &sources)
        };
        assert!(at("lint/weak-secret", "a:") && at("ruleset/other", "a:"));
        assert!(!at("lint/docs", "a:"));
        assert!(at("lint/x", "b:"));
        assert!(!at("lint/x", "c:"));
    }
}
