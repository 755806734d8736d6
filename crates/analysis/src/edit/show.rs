//! Changes as a unified diff, for people and for `patch`.

use super::{Change, apply};

/// Lines shown around a change.
const CONTEXT: usize = 3;

/// The unified diff of changes to a text that are in order and apart; empty if there are none.
pub fn diff(name: &str, text: &str, changes: &[Change]) -> String {
    if changes.is_empty() {
        return String::new();
    }
    let mut out = format!("--- {name}\n+++ {name}\n");
    let starts: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(at, _)| at + 1))
        .filter(|at| *at < text.len())
        .collect();
    let line_of = |at: usize| starts.partition_point(|start| *start <= at).saturating_sub(1);
    let line_at = |line: usize| starts.get(line).copied().unwrap_or(text.len());
    // Lines that change, with the changes in them; those that are near each other together.
    let mut hunks: Vec<(Vec<Block<'_>>, usize)> = Vec::new();
    for change in changes {
        let (first, last) = (line_of(change.0.start), line_of(change.0.end.max(change.0.start + 1) - 1) + 1);
        match hunks.last_mut() {
            Some((blocks, end)) if first < *end + 2 * CONTEXT => {
                match blocks.last_mut() {
                    Some(block) if first < block.last => {
                        block.last = block.last.max(last);
                        block.changes.push(change);
                    }
                    _ => blocks.push(Block { first, last, changes: vec![change] }),
                }
                *end = last.max(*end);
            }
            _ => hunks.push((vec![Block { first, last, changes: vec![change] }], last)),
        }
    }
    let mut shift = 0_isize;
    for (blocks, end) in hunks {
        let first = blocks.first().map_or(0, |b| b.first).saturating_sub(CONTEXT);
        let last = (end + CONTEXT).min(starts.len());
        let (mut body, mut old, mut new) = (String::new(), 0, 0);
        let mut at = first;
        for block in blocks {
            put(&mut body, ' ', &text[line_at(at)..line_at(block.first)], &mut [&mut old, &mut new]);
            let (start, stop) = (line_at(block.first), line_at(block.last));
            put(&mut body, '-', &text[start..stop], &mut [&mut old]);
            let moved: Vec<Change> =
                block.changes.iter().map(|(r, t)| (r.start - start..r.end - start, t.clone())).collect();
            put(&mut body, '+', &apply(&text[start..stop], &moved), &mut [&mut new]);
            at = block.last;
        }
        put(&mut body, ' ', &text[line_at(at)..line_at(last)], &mut [&mut old, &mut new]);
        let begin = (first as isize + 1 + shift).max(0);
        out += &format!("@@ -{},{old} +{begin},{new} @@\n{body}", first + 1);
        shift += new as isize - old as isize;
    }
    out
}

struct Block<'a> {
    first: usize,
    last: usize,
    changes: Vec<&'a Change>,
}

fn put(out: &mut String, sign: char, text: &str, counts: &mut [&mut usize]) {
    for line in text.lines() {
        out.push(sign);
        out.push_str(line);
        out.push('\n');
        counts.iter_mut().for_each(|count| **count += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_become_hunks_with_context() {
        let text = "1\n2\n3\n4\n5\n6\n7\n";
        let shown = diff("f", text, &[(6..7, "four".to_owned())]);
        assert_eq!(shown, "--- f\n+++ f\n@@ -1,7 +1,7 @@\n 1\n 2\n 3\n-4\n+four\n 5\n 6\n 7\n");
        let shown = diff("f", text, &[(0..2, String::new())]);
        assert_eq!(shown, "--- f\n+++ f\n@@ -1,4 +1,3 @@\n-1\n 2\n 3\n 4\n");
    }
}
