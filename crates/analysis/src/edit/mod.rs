//! Changes to files by span: what is not touched stays as it was written, comments and order included.
//! What to change is said by findings ([`Edit`]); why is not known here.

mod place;
mod show;

pub use place::change;
pub use show::diff;

use std::{collections::BTreeMap, ops::Range};

use source::{Edit, FileId, Findings, SourceMap};

/// A stretch of a text and what comes in its place.
pub type Change = (Range<usize>, String);

/// A file with its fixes made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// Which.
    pub file: FileId,
    /// Its new text.
    pub text: String,
    /// What was changed, in the order of the file.
    pub changes: Vec<Change>,
    /// Fixes made.
    pub count: usize,
}

/// Makes the fixes of all findings. One that touches what another one changed is left for the next run.
pub fn fix(findings: &Findings, sources: &SourceMap) -> Vec<Fixed> {
    let mut files: BTreeMap<FileId, (Vec<Change>, usize)> = BTreeMap::new();
    for finding in findings.iter().filter(|f| !f.fix.is_empty()) {
        let Some(changes) = changes(&finding.fix, sources) else { continue };
        let free = changes.iter().all(|(file, (range, _))| {
            files.get(file).is_none_or(|(made, _)| made.iter().all(|(other, _)| apart(range, other)))
        });
        // A fix lies in one file: that of its finding.
        let (Some((file, _)), true) = (changes.first().cloned(), free) else { continue };
        let (made, count) = files.entry(file).or_default();
        made.extend(changes.into_iter().map(|(_, change)| change));
        *count += 1;
    }
    files
        .into_iter()
        .map(|(file, (mut changes, count))| {
            changes.sort_by_key(|(range, _)| (range.start, range.end));
            let text = apply(sources.get(file).text(), &changes);
            Fixed { file, text, changes, count }
        })
        .collect()
}

/// Returns the changes of several edits, in order. `None` if one is ambiguous or two overlap.
pub fn changes(edits: &[Edit], sources: &SourceMap) -> Option<Vec<(FileId, Change)>> {
    let change = |edit: &Edit| {
        let (Edit::Replace { span, .. } | Edit::Remove { span }) = edit;
        Some((span.file, change(edit, sources.get(span.file).text())?))
    };
    let mut all: Vec<_> = edits.iter().map(change).collect::<Option<_>>()?;
    all.sort_by_key(|(file, (range, _))| (*file, range.start, range.end));
    let overlap = |pair: &[(FileId, Change)]| pair[0].0 == pair[1].0 && pair[0].1.0.end > pair[1].1.0.start;
    (!all.windows(2).any(overlap)).then_some(all)
}

/// A text with changes made that are in order and apart.
pub fn apply(text: &str, changes: &[Change]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (range, new) in changes {
        out.push_str(&text[at..range.start]);
        out.push_str(new);
        at = range.end;
    }
    out.push_str(&text[at..]);
    out
}

fn apart(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.end < b.start || b.end < a.start || a.is_empty() && b.is_empty() && a.start != b.start
}

#[cfg(test)]
mod tests {
    use super::*;
    use source::{Finding, Span};

    /// Removes each of the needles from a text.
    fn without(text: &str, needles: &[&str]) -> String {
        let mut sources = SourceMap::default();
        let file = sources.add("f.yml", text);
        let mut findings = Findings::default();
        for needle in needles {
            let start = text.rfind(needle).expect("there") as u32;
            let span = Span { file, start, end: start + needle.len() as u32 };
            findings.push(Finding::warning("x/y", "m").at(span, "").fix(vec![Edit::Remove { span }]));
        }
        fix(&findings, &sources).pop().map_or_else(|| text.to_owned(), |fixed| fixed.text)
    }

    #[test]
    fn an_item_goes_with_its_line_or_its_comma_and_comments_stay() {
        assert_eq!(without("tags: [x, y, x] # why\n", &["x"]), "tags: [x, y] # why\n");
        assert_eq!(without("tags: [y, x]\n", &["y"]), "tags: [x]\n");
        assert_eq!(
            without("tags:\n- x # one\n- y\n# two\n- 'x'\nname: a\n", &["'x'"]),
            "tags:\n- x # one\n- y\n# two\nname: a\n"
        );
        assert_eq!(without("tags: [\n  x,\n  y,\n  'x',\n]\n", &["'x'"]), "tags: [\n  x,\n  y,\n]\n");
        assert_eq!(without("a:\n  b: 1\n  c: 2\n", &["b: 1"]), "a:\n  c: 2\n");
    }

    #[test]
    fn the_first_key_of_an_item_leaves_the_dash_to_the_next() {
        assert_eq!(without("- a: 1\n  b: 2\n", &["a: 1"]), "- b: 2\n");
        assert_eq!(without("- a: 1\n", &["a: 1"]), "- a: 1\n", "nothing would be left");
    }

    #[test]
    fn fixes_that_touch_are_not_both_made() {
        assert_eq!(without("t: [x, y, z]\n", &["y", "z"]), "t: [x, z]\n");
    }
}
