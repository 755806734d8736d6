//! Why a text is not YAML, in words that help.
//!
//! libyaml decides whether and where a text is broken, but its words are a parser's ("did not find expected
//! key"). What people really get wrong is a short list, and each has its own message and help here; for the rest
//! there is a table of what each of libyaml's messages means.

mod habits;

use super::libyaml::Problem;
use super::yaml::Place;
use super::{Finding, Span};
pub(super) use habits::foreign;
pub use habits::joined;

/// The error for a text libyaml refuses. The last thing it told before is at `last`.
pub(super) fn explain(place: Place<'_>, problem: &Problem, last: Option<Span>) -> Finding {
    let broken = Broken { place, body: &place.text[place.base..], problem, last };
    broken
        .habit()
        .or_else(|| broken.tab())
        .or_else(|| broken.dash())
        .or_else(|| broken.unclosed())
        .or_else(|| broken.character())
        .or_else(|| broken.colon())
        .or_else(|| broken.after_quotes())
        .or_else(|| broken.indentation())
        .or_else(|| broken.escape())
        .or_else(|| broken.first_line())
        .unwrap_or_else(|| broken.other())
}

struct Broken<'a> {
    place: Place<'a>,
    body: &'a str,
    problem: &'a Problem,
    last: Option<Span>,
}

impl<'a> Broken<'a> {
    fn says(&self, words: &str) -> bool {
        self.problem.message.contains(words)
    }

    fn doing(&self, words: &str) -> Option<usize> {
        self.problem.context.as_ref().filter(|(context, _)| context.contains(words)).map(|(_, at)| *at)
    }

    fn error(&self, message: impl Into<String>, at: usize) -> Finding {
        Finding::error("source/yaml-syntax", message).at(self.span(at), "")
    }

    /// The character at an offset; nothing at a line's or the text's end.
    fn span(&self, at: usize) -> Span {
        let width =
            self.from(at).chars().next().filter(|&c| c != '\n' && c != '\r').map_or(0, char::len_utf8);
        self.place.span(at, at + width)
    }

    /// The text from an offset on.
    fn from(&self, at: usize) -> &'a str {
        self.body.get(at..).unwrap_or("")
    }

    /// Offset at which the line of an offset starts.
    fn line_start(&self, at: usize) -> usize {
        let before = self.body.as_bytes().get(..at).unwrap_or(self.body.as_bytes());
        memchr::memrchr(b'\n', before).map_or(0, |i| i + 1)
    }

    /// The line of an offset, without its end.
    fn line(&self, at: usize) -> &'a str {
        self.from(self.line_start(at)).lines().next().unwrap_or("")
    }

    /// The last line above that has more than a comment on it, and where it starts.
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

    /// A tab where spaces are wanted.
    fn tab(&self) -> Option<Finding> {
        let start = self.line_start(self.problem.at);
        let line = self.line(self.problem.at);
        let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
        let tab = line[..blank].find('\t')? + start;
        if self.doing("quoted scalar").is_some() || self.doing("flow").is_some() {
            return None;
        }
        Some(
            self.error("a tab is used for indentation", tab)
                .help("indent with spaces only; YAML forbids tabs here"),
        )
    }

    /// A list item with a dash between brackets.
    fn dash(&self) -> Option<Finding> {
        let at = self.problem.at;
        let dash = self.from(at).strip_prefix('-').is_some_and(|rest| rest.starts_with([' ', '\n', '\r']));
        let between = self.says("node content") || self.says("',' or");
        (dash && between && self.doing("flow").is_some()).then(|| {
            self.error("`- ` cannot start a list item between `[ ]` or `{ }`", at)
                .help("separate the items with commas, as in `[a, b]`, or put each on a line of its own without brackets")
        })
    }

    /// A quote or bracket that nobody closes.
    fn unclosed(&self) -> Option<Finding> {
        if self.says("unexpected end of stream") || self.says("unexpected document indicator") {
            let at = self.doing("quoted scalar")?;
            let quote = self.from(at).chars().next()?;
            let message = format!("this `{quote}` is never closed");
            return Some(self.error(message, at).help(format!("add the missing `{quote}`")));
        }
        let (open, close) = match &self.problem.message {
            m if m.contains("',' or ']'") => ('[', ']'),
            m if m.contains("',' or '}'") => ('{', '}'),
            _ => return self.unclosed_before_value(),
        };
        let at = self.doing("flow")?;
        // Still on the line of the bracket, with more of it to come: rather a comma that is missing.
        let here = self.problem.at;
        let same_line = self.line_start(at) == self.line_start(here);
        if same_line && !self.from(here).lines().next().unwrap_or("").trim().is_empty() {
            let message = format!("expected `,` or `{close}` here");
            let finding = self.error(message, here).at(self.span(at), format!("inside this `{open}`"));
            return Some(finding.help("put text with special characters in quotes"));
        }
        Some(self.never_closed(open, close, at))
    }

    /// `[1,` at the end of the text.
    fn unclosed_before_value(&self) -> Option<Finding> {
        let text = self.body.trim_end();
        if !self.says("did not find expected node content") || self.problem.at < text.len() {
            return None;
        }
        let mut at = None;
        let mut open = Vec::new();
        // Quotes and comments may fool this count; then the plain message has to do.
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

    /// A character with a meaning of its own at the start of a value, or one that no text may hold.
    fn character(&self) -> Option<Finding> {
        let at = self.problem.at;
        let c = self.from(at).chars().next();
        if self.says("control characters") {
            let message = format!("the control character U+{:04X} is not allowed", c.map_or(0, u32::from));
            return Some(self.error(message, at).help("write it as an escape inside double quotes"));
        }
        if self.says("cannot start any token") && c == Some('\t') {
            let finding = self.error("a tab stands where a space is due", at);
            return Some(finding.help("write a space in its place; YAML forbids tabs here"));
        }
        if self.says("cannot start any token") {
            let message = format!("a value cannot start with `{}`", c?.escape_default());
            return Some(self.error(message, at).help("put the value in quotes"));
        }
        if self.says("alphabetic or numeric character") {
            let at = self.doing("scanning an")?;
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
        if self.says("did not find expected key") && matches!(c, Some(']' | '}')) {
            let message = format!("this `{}` closes nothing", c.unwrap_or_default());
            return Some(
                self.error(message, at).help("remove it, or put the value in quotes if it is part of it"),
            );
        }
        if self.says("expected node content") && matches!(c, Some(']' | '}' | ',')) {
            let message = format!("`{}` stands where a value is expected", c.unwrap_or_default());
            return Some(self.error(message, at).help("put the value in quotes if this is part of it"));
        }
        None
    }

    /// A colon that makes a second key of what was meant as text, or a value of what was meant as a key.
    fn colon(&self) -> Option<Finding> {
        let at = self.problem.at;
        if self.says("block sequence entries are not allowed") {
            let finding = self.error("a list cannot start on the line of its key", at);
            return Some(finding.help("start the list on the next line"));
        }
        if self.says("could not find expected ':'") {
            let at = self.doing("simple key").unwrap_or(at);
            let finding = self.error("this line is neither `key: value` nor a list item", at);
            let help = habits::joined(self.from(at).lines().next().unwrap_or(""));
            return Some(finding.help(
                help.unwrap_or_else(|| {
                    "add a `:` with a space after it, or check the indentation".to_owned()
                }),
            ));
        }
        if !self.says("mapping values are not allowed") {
            return None;
        }
        let start = self.line_start(at);
        let line = self.line(at);
        if line.get(..at - start).is_some_and(|before| before.contains(": ")) {
            let finding = self.error("a second `: ` on this line", at);
            return Some(finding.help("put the value in quotes if the colon is part of it"));
        }
        let (above, text) = self.line_above(at)?;
        let key = self.place.span(start + indent(line), at);
        if indent(line) > indent(text) && text.contains(": ") {
            let finding = Finding::error("source/yaml-syntax", "this key is indented too deep").at(key, "");
            return Some(
                finding
                    .at(
                        self.place.span(above + indent(text), above + text.trim_end().len()),
                        "has a value already",
                    )
                    .help("line it up with the keys it belongs to"),
            );
        }
        let whole = self.place.span(above + indent(text), above + text.trim_end().len());
        let finding =
            Finding::error("source/yaml-syntax", "this line is neither `key: value` nor a list item");
        let help = habits::joined(text.trim());
        let finding = finding.at(whole, "").at(key, "a key follows");
        Some(finding.help(help.unwrap_or_else(|| "add a `:` with a space after it".to_owned())))
    }

    /// Text after a closing quote.
    fn after_quotes(&self) -> Option<Finding> {
        let at = self.problem.at;
        let quote = self.line(at).get(..at - self.line_start(at))?.trim_end().chars().next_back()?;
        if !self.says("did not find expected key") || !matches!(quote, '\'' | '"') {
            return None;
        }
        let finding = self.error("text follows the closing quote", at);
        let rest = self.from(at).lines().next().unwrap_or("").trim();
        if let ";" | "," = rest {
            return Some(finding.help(format!("remove the `{rest}`: the end of the line ends the value")));
        }
        // A text over several lines mostly was to end on its first.
        let began = self.last.map(|last| last.start as usize - self.place.base).filter(|began| {
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

    /// A line that belongs to no level above it.
    fn indentation(&self) -> Option<Finding> {
        let at = self.problem.at;
        let key = self.says("did not find expected key");
        if !key && !self.says("did not find expected '-' indicator") {
            return None;
        }
        let open = self.doing("block")?;
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

    /// An escape that double quotes do not have.
    fn escape(&self) -> Option<Finding> {
        if !self.says("unknown escape character") {
            return None;
        }
        let finding = self.error("there is no such escape", self.problem.at);
        Some(finding.help("use single quotes, where a backslash is just a backslash, or write `\\\\`"))
    }

    /// A first line that is indented deeper than the others: the map it begins ends with the next one.
    fn first_line(&self) -> Option<Finding> {
        if !self.says("document start") {
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
            .at(self.place.span(start, start + blank), "indented")
            .at(self.span(at), "the file goes on here");
        Some(finding.help("remove the space in front of it"))
    }

    fn other(&self) -> Finding {
        let meaning = MEANINGS
            .iter()
            .find(|(words, doing, ..)| self.says(words) && (doing.is_empty() || self.doing(doing).is_some()));
        match meaning {
            Some((_, _, message, help)) => self.error(*message, self.problem.at).help(*help),
            // All of libyaml's messages are in the table; should it learn a new one, it is told as it is.
            None => self.error(self.problem.message.clone(), self.problem.at),
        }
    }
}

/// Words of libyaml's message, words of what it was doing, what that means, and what helps.
const MEANINGS: &[(&str, &str, &str, &str)] = &[
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
