//! Foreign syntax in a file: merge conflict markers, Markdown fences, comments of other languages, and characters
//! that look like spaces.

use std::ops::Range;

use super::SyntaxError;
use crate::confusable::{is_invisible, is_space_like};
use crate::{Finding, confusable_name};

/// Range, message and help.
type Foreign = (Range<usize>, &'static str, &'static str);

/// Finds syntax that is never intended in YAML or JSON.
pub(crate) fn foreign(text: &str) -> Option<Foreign> {
    let line = |mark: &str| {
        let is_line_start = |at: &usize| *at == 0 || text.as_bytes()[at - 1] == b'\n';
        text.match_indices(mark).map(|(at, _)| at).find(is_line_start)
    };
    if let (Some(at), Some(_)) = (line("<<<<<<< "), line(">>>>>>> ")) {
        return Some((
            at..at + 7,
            "a merge conflict that is not resolved",
            "keep one of the two versions, and remove the lines with `<<<<<<<`, `=======` and `>>>>>>>`",
        ));
    }
    line("```").map(|at| {
        (
            at..at + 3,
            "a fence of Markdown is no part of the text",
            "remove the lines that begin with three backquotes",
        )
    })
}

/// Returns the help for a missing space after `-`, `:` or `=`. Never repeats a value.
pub fn missing_space_help(line: &str) -> Option<String> {
    let (dash, rest) = match line.strip_prefix('-') {
        Some(rest) => (!rest.starts_with([' ', '-']), rest.trim_start()),
        None => (false, line),
    };
    let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (name, after) = rest.split_at(length);
    if name.is_empty() || !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    let after = after.trim_start();
    match after.chars().next() {
        Some(':') if dash => Some(format!("a space is missing after the `-`: write `- {name}: …`")),
        Some(':') if !after[1..].starts_with([' ', '/']) && after.len() > 1 => {
            Some(format!("a space is missing after the `:`: write `{name}: …`"))
        }
        Some('=') => Some(format!("name and value are separated by a `:` and a space: write `{name}: …`")),
        _ => None,
    }
}

impl SyntaxError<'_> {
    pub(super) fn foreign_syntax(&self) -> Option<Finding> {
        let finding = |range: Range<usize>, message: &str, help: &str| {
            let span = self.input.span(range.start, range.end);
            Finding::error("source/yaml-syntax", message).at(span, "").help(help)
        };
        if let Some((range, message, help)) = foreign(self.body) {
            return Some(finding(range, message, help));
        }
        self.invisible_character().or_else(|| self.comment()).or_else(|| self.directive())
    }

    /// Detects a character that looks like a space or is invisible at the error position, outside quotes and
    /// comments.
    fn invisible_character(&self) -> Option<Finding> {
        let at = self.problem.at;
        let context = self.problem.context.as_ref().map(|(_, at)| *at);
        let above = self.line_above(at).map(|(start, _)| start);
        for place in [Some(at), context, above].into_iter().flatten() {
            let start = self.line_start(place);
            let line = self.line(place);
            let Some((column, c)) = line.char_indices().find(|(_, c)| is_invisible(*c)) else { continue };
            let before = &line[..column];
            let quoted = ['"', '\''].iter().any(|quote| before.matches(*quote).count() % 2 == 1);
            if quoted || before.contains(" #") || before.trim_start().starts_with('#') {
                continue;
            }
            let name = confusable_name(&line[column..]).unwrap_or("an invisible character");
            let span = self.input.span(start + column, start + column + c.len_utf8());
            let finding = Finding::error("source/yaml-syntax", format!("{name} stands here")).at(span, "");
            return Some(finding.help(if is_space_like(c) {
                "write an ordinary space"
            } else {
                "remove it"
            }));
        }
        None
    }

    /// Detects a comment of another language.
    fn comment(&self) -> Option<Finding> {
        let at = self.context_at("simple key").unwrap_or(self.problem.at);
        let line = self.line(at);
        let start = self.line_start(at) + line.len() - line.trim_start().len();
        let mark = ["//", "/*"].into_iter().find(|mark| self.from(start).starts_with(mark))?;
        let finding = self.error(format!("`{mark}` begins no comment here"), start);
        Some(finding.help(format!("write `#` in place of `{mark}`")))
    }

    /// Detects `%YAML 1.2` without the document marker after it.
    fn directive(&self) -> Option<Finding> {
        if !self.message_contains("document start") || !self.body.starts_with('%') {
            return None;
        }
        let finding = self
            .error("the lines that begin with `%` end with a line `---`, which is missing", self.problem.at);
        Some(finding.help("write `---` on a line of its own above this one, or remove the lines with `%`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_space_is_reported_without_the_value() {
        for (line, said) in [
            ("name:orders", Some("after the `:`: write `name: …`")),
            ("-name: a", Some("after the `-`: write `- name: …`")),
            ("- name:orders", Some("after the `:`: write `name: …`")),
            ("name = a", Some("write `name: …`")),
            ("password=s3cret", Some("write `password: …`")),
            ("http://a.internal", None),
            ("name: a", None),
            ("name:", None),
            ("some text", None),
            ("---", None),
            ("10:20", None),
        ] {
            let help = missing_space_help(line);
            assert_eq!(help.is_some(), said.is_some(), "{line}: {help:?}");
            let fits = help.iter().all(|help| help.ends_with(said.unwrap_or("")) && !help.contains("s3cret"));
            assert!(fits, "{line}: {help:?}");
        }
    }
}
