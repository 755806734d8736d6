//! From an edit to a stretch of text: what goes with an item or entry when it is taken out.

use super::Change;
use source::Edit;

/// Returns the change of an edit. `None` if it is ambiguous.
pub fn change(edit: &Edit, text: &str) -> Option<Change> {
    match edit {
        Edit::Replace { span, text: new } => Some((span.start as usize..span.end as usize, new.clone())),
        Edit::Remove { span } => {
            let start = span.start as usize;
            // Block collections end where the next thing begins.
            let end = start + text.get(start..span.end as usize)?.trim_end().len();
            remove(text, start, end)
        }
    }
}

fn remove(text: &str, start: usize, end: usize) -> Option<Change> {
    let before = text[..start].trim_end();
    let after = text[end..].trim_start();
    let listed = before.ends_with(['[', '{', ',']) && after.starts_with([',', ']', '}']);
    if listed { Some(from_flow(text, start, end)) } else { from_block(text, start, end) }
}

/// Out of `[a, b]` or `{a: b}`, with the comma before it, or after it if it is the first.
fn from_flow(text: &str, start: usize, end: usize) -> Change {
    if let Some(kept) = text[..start].trim_end().strip_suffix(',') {
        return (kept.len()..end, String::new());
    }
    match text[end..].trim_start().strip_prefix(',') {
        Some(rest) => (start..text.len() - rest.trim_start_matches([' ', '\t']).len(), String::new()),
        None => (start..end, String::new()),
    }
}

/// Out of lines: whole ones.
fn from_block(text: &str, start: usize, end: usize) -> Option<Change> {
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
    let rest = text[end..line_end].trim();
    if !rest.is_empty() && !rest.starts_with('#') {
        return None;
    }
    let lead = &text[line_start..start];
    let item = lead.trim_start().strip_prefix('-').is_some_and(|rest| rest.trim().is_empty());
    let entry = is_entry(&text[start..end]);
    if lead.trim().is_empty() || item && !entry {
        return Some((line_start..line_end, String::new()));
    }
    if !item {
        return None;
    }
    // The first entry of a map in a list: the next one moves up behind the dash, if there is one.
    let next = &text[line_end..];
    let indent = next.len() - next.trim_start_matches(' ').len();
    let same_map = indent == start - line_start
        && !next[indent..].starts_with(['#', '\n', '-'])
        && !next[indent..].is_empty();
    same_map.then(|| (start..line_end + indent, String::new()))
}

/// Whether a stretch of text is a key with its value, by its look.
fn is_entry(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    !line.starts_with(['\'', '"', '[', '{']) && (line.contains(": ") || line.ends_with(':'))
}
