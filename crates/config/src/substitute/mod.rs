//! `${{ env "DECK_X" }}` templates, filled in before the text is read.
//!
//! decK runs the text through a template engine; this is the part of its language that files use:
//! pipelines of `env`, `toBool`, `toInt`, `toFloat` and `indent`, with literals, parentheses, comments
//! and trim markers. Lines that begin with `#` are left alone. The gateway itself knows nothing of it.
//!
//! Places stay those of the file as written: a template that was filled in counts as one place. What
//! it was filled with is kept only to keep it out of messages ([`Filled::hide`]).

use std::ops::Range;

use source::{
    Document, FileId, Finding, Findings, Format, Level, Limits, NodeId, SourceMap, Span, parse,
    replace_secret,
};

mod template;

use template::Failure;

/// A template cannot be read or computed.
pub const TEMPLATE: &str = "deck/template";
/// A template names a variable that is not set, or one without the prefix `DECK_`.
pub const ENV: &str = "deck/env";

/// What templates are filled with.
#[derive(Clone, Copy)]
pub enum Env<'a> {
    /// The environment's values.
    Values(&'a dyn Fn(&str) -> Option<String>),
    /// Placeholders: a variable's own name, 42, `false`.
    Mock,
}

/// A text whose templates were filled in.
#[derive(Debug)]
pub struct Filled {
    text: String,
    file: FileId,
    pieces: Vec<Piece>,
}

struct Piece {
    /// Where the template stands in the file.
    written: Range<usize>,
    /// Where its value stands in the filled text.
    filled: Range<usize>,
    /// Whether there was no value and a stand-in was taken.
    failed: bool,
    /// What must not be shown.
    value: String,
    /// What is shown instead.
    shown: String,
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Piece({:?}, {})", self.written, self.shown)
    }
}

/// Reads a file whose templates are filled in first, if it has any. What comes of them is returned, to
/// be asked to [`hide`](Filled::hide) their values in findings once all are made.
pub fn parse_filled(
    sources: &SourceMap,
    file: FileId,
    format: Format,
    env: Env<'_>,
    doc: &mut Document,
    limits: &Limits,
    findings: &mut Findings,
) -> (Option<NodeId>, Option<Filled>) {
    let Some(filled) = Filled::new(sources.get(file).text(), file, env, findings) else {
        return (parse(sources, file, format, doc, limits, findings), None);
    };
    // The filled text never enters the map of sources, from which everything can be shown.
    let mut scratch = SourceMap::default();
    let copy = scratch.add(sources.get(file).name(), filled.text.as_str());
    let first = doc.next_id();
    let mut found = Findings::default();
    let root = parse(&scratch, copy, format, doc, limits, &mut found);
    doc.relocate(first, |span| filled.place(span));
    for finding in &mut found.0 {
        finding.labels.iter_mut().for_each(|label| label.span = filled.place(label.span));
    }
    filled.hide(&mut found);
    findings.append(&mut found);
    (root, Some(filled))
}

impl Filled {
    /// Fills in the templates of a text; `None` if it has none. What cannot be filled in makes an error
    /// and is filled with a stand-in, so that the rest can be read.
    pub fn new(text: &str, file: FileId, env: Env<'_>, findings: &mut Findings) -> Option<Filled> {
        memchr::memmem::find(text.as_bytes(), OPEN.as_bytes())?;
        let mut filled = Filled { text: String::with_capacity(text.len()), file, pieces: Vec::new() };
        let mut copied = 0;
        let mut at = 0;
        while let Some(start) = text[at..].find(OPEN).map(|i| at + i) {
            let line = text[..start].rfind('\n').map_or(0, |i| i + 1);
            if text[line..].trim_start_matches([' ', '\t', '\r', '\u{feff}']).starts_with('#') {
                at = start + OPEN.len();
                continue;
            }
            let (end, outcome) = template::run(&text[start..], env);
            let end = start + end;
            // `${{- ` and ` -}}` take the blanks around the template away.
            let mut written = start..end;
            let inside = text[start..end].strip_prefix(OPEN).unwrap_or_default();
            if inside.starts_with("- ") || inside.starts_with("-\n") {
                written.start = copied + text[copied..start].trim_end().len();
            }
            if inside.ends_with(" -}}") {
                written.end = end + (text[end..].len() - text[end..].trim_start().len());
            }
            filled.text.push_str(&text[copied..written.start]);
            let from = filled.text.len();
            let (value, failed) = match outcome {
                Ok(value) => (value, false),
                Err(failure) => {
                    findings.push(explain(&failure, file, start));
                    (failure.instead, true)
                }
            };
            filled.text.push_str(&value);
            let shown = text[start..end].to_owned();
            let piece = Piece { filled: from..filled.text.len(), failed, value, shown, written };
            (copied, at) = (piece.written.end, piece.written.end);
            filled.pieces.push(piece);
        }
        filled.text.push_str(&text[copied..]);
        if filled.pieces.is_empty() { None } else { Some(filled) }
    }

    /// The text to read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A span of the filled text as one of the file: whole templates for what lies in their values.
    fn place(&self, span: Span) -> Span {
        let start = self.written(span.start as usize, false);
        let end = self.written(span.end as usize, true);
        Span { file: self.file, start: start as u32, end: end.max(start) as u32 }
    }

    fn written(&self, offset: usize, end: bool) -> usize {
        // The last template whose value begins before the offset (or at it, for a start).
        let before = |p: &Piece| if end { p.filled.start < offset } else { p.filled.start <= offset };
        match self.pieces.partition_point(before).checked_sub(1).map(|i| &self.pieces[i]) {
            None => offset,
            Some(piece) if end && offset <= piece.filled.end => piece.written.end,
            Some(piece) if !end && offset < piece.filled.end => piece.written.start,
            Some(piece) => piece.written.end + (offset - piece.filled.end),
        }
    }

    /// Takes values out of the messages of findings about places they stand at, and drops findings that
    /// follow from a value that was not there.
    pub fn hide(&self, findings: &mut Findings) {
        findings.0.retain_mut(|finding| {
            let ours = finding.code == TEMPLATE || finding.code == ENV;
            let spans: Vec<Span> =
                finding.labels.iter().map(|l| l.span).filter(|s| s.file == self.file).collect();
            for (i, span) in spans.iter().enumerate() {
                for piece in self.touched(*span) {
                    if piece.failed && !ours && i == 0 {
                        return false;
                    }
                    if i == 0 && !ours && finding.level == Level::Error {
                        piece.name_variable(finding);
                    }
                    piece.hide_in(finding);
                }
            }
            true
        });
    }

    fn touched(&self, span: Span) -> impl Iterator<Item = &Piece> {
        let (start, end) = (span.start as usize, span.end as usize);
        let first = self.pieces.partition_point(move |p| p.written.end <= start);
        self.pieces[first..].iter().take_while(move |p| p.written.start < end.max(start + 1))
    }

    /// Whether a node's text comes from a template, wholly or in part.
    pub fn covers(&self, span: Span) -> bool {
        span.file == self.file && self.touched(span).next().is_some()
    }
}

impl Piece {
    /// Says which variable a wrong value comes from.
    fn name_variable(&self, finding: &mut Finding) {
        let after = self.shown.split("env").nth(1).unwrap_or_default();
        let Some(name) = after.split(['"', '`', '\'']).nth(1).filter(|name| !name.is_empty()) else { return };
        let origin = format!("the value comes from the environment variable `{name}`");
        finding.help = match finding.help.take() {
            Some(help) if help.contains(&origin) => Some(help),
            Some(help) => Some(format!("{origin}; {help}")),
            None => Some(origin),
        };
    }

    fn hide_in(&self, finding: &mut Finding) {
        if self.value.is_empty() || self.failed {
            return;
        }
        let texts = [&mut finding.message]
            .into_iter()
            .chain(finding.help.as_mut())
            .chain(finding.labels.iter_mut().map(|l| &mut l.text))
            .chain(finding.tree.iter_mut().chain(&mut finding.implied).map(|(_, text)| text));
        for text in texts {
            *text = replace_secret(text, &self.value, &self.shown);
        }
    }
}

const OPEN: &str = "${{";

fn explain(failure: &Failure, file: FileId, start: usize) -> Finding {
    let span = Span {
        file,
        start: (start + failure.at.start) as u32,
        end: (start + failure.at.end.max(failure.at.start)) as u32,
    };
    let code = if failure.variable { ENV } else { TEMPLATE };
    let mut finding = Finding::error(code, failure.message.as_str()).at(span, "");
    finding.help = failure.help.clone();
    finding
}

#[cfg(test)]
mod tests;
