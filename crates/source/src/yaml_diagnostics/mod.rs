//! Diagnostics for invalid YAML.
//!
//! libyaml decides whether and where a text is invalid, but its messages are a parser's ("did not find expected
//! key"). The common mistakes are few, and each has its own message and help here; the remaining libyaml messages
//! are translated by a table.

mod foreign;

use super::libyaml::YamlError;
use super::yaml::Input;
use super::{Finding, Span};
pub(super) use foreign::foreign;
pub use foreign::missing_space_help;

/// Explains a libyaml error. `last` is the span of the last event before it.
pub(super) fn explain(input: Input<'_>, problem: &YamlError, last: Option<Span>) -> Finding {
    let error = SyntaxError { input, body: &input.text[input.base..], problem, last };
    error
        .foreign_syntax()
        .or_else(|| error.tab())
        .or_else(|| error.dash())
        .or_else(|| error.unclosed())
        .or_else(|| error.character())
        .or_else(|| error.colon())
        .or_else(|| error.after_quotes())
        .or_else(|| error.indentation())
        .or_else(|| error.escape())
        .or_else(|| error.first_line())
        .unwrap_or_else(|| error.other())
}

struct SyntaxError<'a> {
    input: Input<'a>,
    body: &'a str,
    problem: &'a YamlError,
    last: Option<Span>,
}

impl<'a> SyntaxError<'a> {
    fn message_contains(&self, words: &str) -> bool {
        self.problem.message.contains(words)
    }

    fn context_at(&self, words: &str) -> Option<usize> {
        self.problem.context.as_ref().filter(|(context, _)| context.contains(words)).map(|(_, at)| *at)
    }

    fn error(&self, message: impl Into<String>, at: usize) -> Finding {
        Finding::error("source/yaml-syntax", message).at(self.span(at), "")
    }

    /// Returns the span of the character at an offset; empty at a line end and at the end of the text.
    fn span(&self, at: usize) -> Span {
        let width =
            self.from(at).chars().next().filter(|&c| c != '\n' && c != '\r').map_or(0, char::len_utf8);
        self.input.span(at, at + width)
    }

    /// Returns the text from an offset on.
    fn from(&self, at: usize) -> &'a str {
        self.body.get(at..).unwrap_or("")
    }

    /// Returns the offset of the start of a line.
    fn line_start(&self, at: usize) -> usize {
        let before = self.body.as_bytes().get(..at).unwrap_or(self.body.as_bytes());
        memchr::memrchr(b'\n', before).map_or(0, |i| i + 1)
    }

    /// Returns the line that contains an offset, without its line end.
    fn line(&self, at: usize) -> &'a str {
        self.from(self.line_start(at)).lines().next().unwrap_or("")
    }

    /// Returns the last preceding line with more than a comment, and its offset.
    fn line_above(&self, at: usize) -> Option<(usize, &'a str)> {
        let mut start = self.line_start(at);
        while start > 0 {
            start = self.line_start(start - 1);
            let line = self.line(start);
            let content = line.trim();
            if !content.is_empty() && !content.starts_with('#') {
                return Some((start, line));
            }
        }
        None
    }

    /// Detects a tab in the indentation.
    fn tab(&self) -> Option<Finding> {
        let start = self.line_start(self.problem.at);
        let line = self.line(self.problem.at);
        let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
        let tab = line[..blank].find('\t')? + start;
        if self.context_at("quoted scalar").is_some() || self.context_at("flow").is_some() {
            return None;
        }
        Some(
            self.error("a tab is used for indentation", tab)
                .help("indent with spaces only; YAML forbids tabs here"),
        )
    }

    /// Detects a dash item inside a flow collection.
    fn dash(&self) -> Option<Finding> {
        let at = self.problem.at;
        let dash = self.from(at).strip_prefix('-').is_some_and(|rest| rest.starts_with([' ', '\n', '\r']));
        let between = self.message_contains("node content") || self.message_contains("',' or");
        (dash && between && self.context_at("flow").is_some()).then(|| {
            self.error("`- ` cannot start a list item between `[ ]` or `{ }`", at)
                .help("separate the items with commas, as in `[a, b]`, or put each on a line of its own without brackets")
        })
    }

    /// Detects a quote or bracket without its closing counterpart.
    fn unclosed(&self) -> Option<Finding> {
        if self.message_contains("unexpected end of stream")
            || self.message_contains("unexpected document indicator")
        {
            let at = self.context_at("quoted scalar")?;
            let quote = self.from(at).chars().next()?;
            let message = format!("this `{quote}` is never closed");
            return Some(self.error(message, at).help(format!("add the missing `{quote}`")));
        }
        let (open, close) = match &self.problem.message {
            m if m.contains("',' or ']'") => ('[', ']'),
            m if m.contains("',' or '}'") => ('{', '}'),
            _ => return self.unclosed_before_value(),
        };
        let at = self.context_at("flow")?;
        // The error is on the line of the bracket, with content after it: more likely a missing comma.
        let here = self.problem.at;
        let same_line = self.line_start(at) == self.line_start(here);
        if same_line && !self.from(here).lines().next().unwrap_or("").trim().is_empty() {
            let message = format!("expected `,` or `{close}` here");
            let finding = self.error(message, here).at(self.span(at), format!("inside this `{open}`"));
            return Some(finding.help("put text with special characters in quotes"));
        }
        Some(self.never_closed(open, close, at))
    }

    /// Detects a flow collection that ends with the text, such as `[1,`.
    fn unclosed_before_value(&self) -> Option<Finding> {
        let text = self.body.trim_end();
        if !self.message_contains("did not find expected node content") || self.problem.at < text.len() {
            return None;
        }
        let mut at = None;
        let mut open = Vec::new();
        // Quotes and comments may distort this count; the generic message is used then.
        for (i, c) in text.char_indices() {
            match c {
                '[' | '{' => open.push((i, c)),
                ']' | '}' => drop(open.pop()),
                '\'' | '"' | '#' => return None,
                _ => {}
            }
            at = open.last().copied();
        }
        let (at, open) = at?;
        Some(self.never_closed(open, if open == '[' { ']' } else { '}' }, at))
    }

    fn never_closed(&self, open: char, close: char, at: usize) -> Finding {
        self.error(format!("this `{open}` is never closed"), at)
            .at(self.span(self.problem.at), "reading stopped here")
            .help(format!("add the missing `{close}`"))
    }

    /// Detects an indicator character at the start of a value, or a character that is not allowed at all.
    fn character(&self) -> Option<Finding> {
        let at = self.problem.at;
        let c = self.from(at).chars().next();
        if self.message_contains("control characters") {
            let message = format!("the control character U+{:04X} is not allowed", c.map_or(0, u32::from));
            return Some(self.error(message, at).help("write it as an escape inside double quotes"));
        }
        if self.message_contains("cannot start any token") && c == Some('\t') {
            let finding = self.error("a tab stands where a space is due", at);
            return Some(finding.help("write a space in its place; YAML forbids tabs here"));
        }
        if self.message_contains("cannot start any token") {
            let message = format!("a value cannot start with `{}`", c?.escape_default());
            return Some(self.error(message, at).help("put the value in quotes"));
        }
        if self.message_contains("alphabetic or numeric character") {
            let at = self.context_at("scanning an")?;
            let (sign, kind) = match self.from(at).chars().next()? {
                '*' => ('*', "an alias"),
                _ => ('&', "an anchor"),
            };
            let message = format!("`{sign}` starts {kind}, but no name follows");
            return Some(
                self.error(message, at)
                    .help(format!("put the value in quotes if the `{sign}` is part of it")),
            );
        }
        if self.message_contains("did not find expected key") && matches!(c, Some(']' | '}')) {
            let message = format!("this `{}` closes nothing", c.unwrap_or_default());
            return Some(
                self.error(message, at).help("remove it, or put the value in quotes if it is part of it"),
            );
        }
        if self.message_contains("expected node content") && matches!(c, Some(']' | '}' | ',')) {
            let message = format!("`{}` stands where a value is expected", c.unwrap_or_default());
            return Some(self.error(message, at).help("put the value in quotes if this is part of it"));
        }
        None
    }

    /// Detects a second `: ` on a line, which makes a key of text or a value of a key.
    fn colon(&self) -> Option<Finding> {
        let at = self.problem.at;
        if self.message_contains("block sequence entries are not allowed") {
            let finding = self.error("a list cannot start on the line of its key", at);
            return Some(finding.help("start the list on the next line"));
        }
        if self.message_contains("could not find expected ':'") {
            let at = self.context_at("simple key").unwrap_or(at);
            let finding = self.error("this line is neither `key: value` nor a list item", at);
            let help = foreign::missing_space_help(self.from(at).lines().next().unwrap_or(""));
            return Some(finding.help(
                help.unwrap_or_else(|| {
                    "add a `:` with a space after it, or check the indentation".to_owned()
                }),
            ));
        }
        if !self.message_contains("mapping values are not allowed") {
            return None;
        }
        let start = self.line_start(at);
        let line = self.line(at);
        if line.get(..at - start).is_some_and(|before| before.contains(": ")) {
            let finding = self.error("a second `: ` on this line", at);
            return Some(finding.help("put the value in quotes if the colon is part of it"));
        }
        let (above, text) = self.line_above(at)?;
        let key = self.input.span(start + indent(line), at);
        if indent(line) > indent(text) && text.contains(": ") {
            let finding = Finding::error("source/yaml-syntax", "this key is indented too deep").at(key, "");
            return Some(
                finding
                    .at(
                        self.input.span(above + indent(text), above + text.trim_end().len()),
                        "has a value already",
                    )
                    .help("line it up with the keys it belongs to"),
            );
        }
        let whole = self.input.span(above + indent(text), above + text.trim_end().len());
        let finding =
            Finding::error("source/yaml-syntax", "this line is neither `key: value` nor a list item");
        let help = foreign::missing_space_help(text.trim());
        let finding = finding.at(whole, "").at(key, "a key follows");
        Some(finding.help(help.unwrap_or_else(|| "add a `:` with a space after it".to_owned())))
    }

    /// Detects text after a closing quote.
    fn after_quotes(&self) -> Option<Finding> {
        let at = self.problem.at;
        let quote = self.line(at).get(..at - self.line_start(at))?.trim_end().chars().next_back()?;
        if !self.message_contains("did not find expected key") || !matches!(quote, '\'' | '"') {
            return None;
        }
        let finding = self.error("text follows the closing quote", at);
        let rest = self.from(at).lines().next().unwrap_or("").trim();
        if let ";" | "," = rest {
            return Some(finding.help(format!("remove the `{rest}`: the end of the line ends the value")));
        }
        // A multi-line quoted text was probably meant to end on its first line.
        let began = self.last.map(|last| last.start as usize - self.input.base).filter(|began| {
            self.from(*began).starts_with(quote) && self.line_start(*began) != self.line_start(at)
        });
        if let Some(began) = began {
            let text = format!("the text began here: is its closing `{quote}` missing?");
            return Some(finding.at(self.span(began), text).help(format!("add the missing `{quote}` there")));
        }
        Some(finding.help(match quote {
            '\'' => "write `''` for a quote inside single quotes",
            _ => "write `\\\"` for a quote inside double quotes",
        }))
    }

    /// Detects a line whose indentation matches no enclosing block.
    fn indentation(&self) -> Option<Finding> {
        let at = self.problem.at;
        let key = self.message_contains("did not find expected key");
        if !key && !self.message_contains("did not find expected '-' indicator") {
            return None;
        }
        let open = self.context_at("block")?;
        let (message, help) = match (key, self.from(at).starts_with("- ")) {
            _ if !self.body.get(self.line_start(at)..at)?.trim().is_empty() => return None,
            (true, true) => (
                "a list item stands where a key is expected",
                "indent it under the key whose list it belongs to",
            ),
            (true, false) => ("this line fits no level above it", "line it up with the keys it belongs to"),
            (false, _) => (
                "a list item is expected here",
                "start the line with `- `, or line it up with the keys above the list",
            ),
        };
        let what = if key { "the keys of this map" } else { "the items of this list" };
        Some(self.error(message, at).at(self.span(open), what).help(help))
    }

    /// Detects an invalid escape in double quotes.
    fn escape(&self) -> Option<Finding> {
        if !self.message_contains("unknown escape character") {
            return None;
        }
        let finding = self.error("there is no such escape", self.problem.at);
        Some(finding.help("use single quotes, where a backslash is just a backslash, or write `\\\\`"))
    }

    /// Detects a first line with deeper indentation than the others: its mapping ends at the next line.
    fn first_line(&self) -> Option<Finding> {
        if !self.message_contains("document start") {
            return None;
        }
        let content =
            |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with(['#', '%', '-']);
        let first = self.body.lines().find(content)?;
        let blank = first.len() - first.trim_start_matches(' ').len();
        let at = self.problem.at;
        if blank == 0 || indent(self.line(at)) >= blank || self.line(at).starts_with("---") {
            return None;
        }
        let start = first.as_ptr() as usize - self.body.as_ptr() as usize;
        let finding = Finding::error("source/yaml-syntax", "this line is indented, and those below are not")
            .at(self.input.span(start, start + blank), "indented")
            .at(self.span(at), "the file goes on here");
        Some(finding.help("remove the space in front of it"))
    }

    fn other(&self) -> Finding {
        let meaning = MESSAGES.iter().find(|(words, doing, ..)| {
            self.message_contains(words) && (doing.is_empty() || self.context_at(doing).is_some())
        });
        match meaning {
            Some((_, _, message, help)) => self.error(*message, self.problem.at).help(*help),
            // The table covers all of libyaml's messages; a new one is reported as is.
            None => self.error(self.problem.message.clone(), self.problem.at),
        }
    }
}

/// Substring of libyaml's message, substring of its context, our message, and help.
const MESSAGES: &[(&str, &str, &str, &str)] = &[
    (
        "comment or line break",
        "block scalar",
        "after `|` or `>` the line has to end",
        "start the text on the next line, indented; put the value in quotes if the sign is part of it",
    ),
    (
        "indentation indicator",
        "",
        "a text cannot be indented by 0",
        "leave the number after `|` or `>` out, or write 1 to 9",
    ),
    (
        "hexadecimal number",
        "",
        "hexadecimal digits are missing after the backslash",
        "write `\\xNN`, `\\uNNNN` or `\\UNNNNNNNN`, or use single quotes, where a backslash is just a backslash",
    ),
    (
        "Unicode character escape",
        "",
        "there is no character with that number",
        "write a code point up to 10FFFF",
    ),
    (
        "mapping keys are not allowed",
        "",
        "`? ` starts a key, and none can stand here",
        "put the value in quotes if the `?` is part of it",
    ),
    (
        "unexpected document indicator",
        "",
        "`---` or `...` at the start of a line ends the document, in the middle of a value",
        "indent the line if it is part of a text",
    ),
    (
        "found a tab character",
        "",
        "a tab is used for indentation",
        "indent with spaces only; YAML forbids tabs here",
    ),
    (
        "unexpected ':'",
        "",
        "a `:` stands where no key is",
        "put the value in quotes if the colon is part of it",
    ),
    (
        "document start",
        "",
        "the file goes on after its end",
        "indent what belongs to the value above; a second document starts with `---`",
    ),
    ("undefined tag handle", "", "this tag is not known", "put the value in quotes if the `!` is part of it"),
    ("", "tag", "this is no tag", "put the value in quotes if the `!` is part of it"),
    ("", "directive", "this is no directive", "put the value in quotes if the `%` is part of it"),
    ("directive", "", "this directive is given twice", "remove one"),
    (
        "incompatible YAML document",
        "",
        "this version of YAML is not known",
        "remove the line; YAML 1.1 is read",
    ),
    ("node content", "", "a value is expected here", "put the value in quotes if it begins with a sign"),
    (
        "expected key",
        "",
        "a key is expected here",
        "write `key: value`, lined up with the keys it belongs to",
    ),
    (
        "'-' indicator",
        "",
        "a list item is expected here",
        "start the line with `- `, or line it up with the keys above the list",
    ),
    ("end of stream", "", "the file ends in the middle of a value", "see where it was cut off"),
];

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '-']).len()
}
