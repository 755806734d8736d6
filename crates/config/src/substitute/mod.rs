//! Substitution of `${{ env "DECK_X" }}` templates before parsing.
//!
//! decK processes files with Go's template engine; this is the subset that files use: pipelines of `env`,
//! `toBool`, `toInt`, `toFloat` and `indent`, with literals, parentheses, comments and trim markers. Comment lines
//! (`#`) are not substituted. Kong itself has no such feature.
//!
//! Spans remain those of the original file: a substituted template counts as one location. Substituted values are
//! kept only to mask them in messages ([`Filled::hide`]).

use std::ops::Range;

use source::{
    Document, FileId, Finding, Findings, Format, Level, Limits, NodeId, SourceMap, Span, parse,
    replace_secret,
};

mod template;

use template::Failure;

/// Finding code: a template is invalid or cannot be evaluated.
pub const TEMPLATE: &str = "deck/template";
/// Finding code: a template references an unset variable, or one without the prefix `DECK_`.
pub const ENV: &str = "deck/env";

/// Source of variable values.
#[derive(Clone, Copy)]
pub enum Env<'a> {
    /// Environment lookup.
    Values(&'a dyn Fn(&str) -> Option<String>),
    /// Placeholders: a variable's own name, 42, `false`.
    Mock,
}

/// Text with substituted templates.
#[derive(Debug)]
pub struct Filled {
    text: String,
    file: FileId,
    pieces: Vec<Piece>,
}

struct Piece {
    /// Range of the template in the file.
    written: Range<usize>,
    /// Range of the value in the substituted text.
    filled: Range<usize>,
    /// Whether evaluation failed and a placeholder was substituted.
    failed: bool,
    /// Value to mask.
    value: String,
    /// Text shown instead.
    shown: String,
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Piece({:?}, {})", self.written, self.shown)
    }
}

/// Parses a file after substitution, if it contains templates. The caller passes the returned value to
/// [`hide`](Filled::hide) once all findings are complete.
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
    // The substituted text is not added to the source map, because everything in it can be printed.
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
    /// Substitutes the templates of a text; `None` if there are none. A failed template is reported and replaced
    /// by a placeholder, so that the rest can be parsed.
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
            // `${{- ` and ` -}}` trim the surrounding white space.
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

    /// Returns the substituted text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Maps a span of the substituted text to the file; a location inside a value maps to the whole template.
    fn place(&self, span: Span) -> Span {
        let start = self.written(span.start as usize, false);
        let end = self.written(span.end as usize, true);
        Span { file: self.file, start: start as u32, end: end.max(start) as u32 }
    }

    fn written(&self, offset: usize, end: bool) -> usize {
        // The last template whose value starts before the offset (or at it, for a start).
        let before = |p: &Piece| if end { p.filled.start < offset } else { p.filled.start <= offset };
        match self.pieces.partition_point(before).checked_sub(1).map(|i| &self.pieces[i]) {
            None => offset,
            Some(piece) if end && offset <= piece.filled.end => piece.written.end,
            Some(piece) if !end && offset < piece.filled.end => piece.written.start,
            Some(piece) => piece.written.end + (offset - piece.filled.end),
        }
    }

    /// Masks values in the messages of findings at their location, and drops findings that are consequences of a
    /// missing value.
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

    /// Returns whether a span contains template output.
    pub fn covers(&self, span: Span) -> bool {
        span.file == self.file && self.touched(span).next().is_some()
    }
}

impl Piece {
    /// Adds the name of the variable that an invalid value comes from.
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
