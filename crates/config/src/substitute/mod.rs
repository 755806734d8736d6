//! Substitution of `${{ env "DECK_X" }}` templates before parsing.
//!
//! decK processes files with Go's template engine; this is the subset that files use: pipelines of `env`,
//! `toBool`, `toInt`, `toFloat` and `indent`, with literals, parentheses, comments and trim markers. Comment lines
//! (`#`) are not substituted. Kong itself has no such feature.
//!
//! Spans remain those of the original file: a substituted template counts as one location. Substituted values are
//! kept only to mask them in messages ([`Rendered::mask`]).

use std::ops::Range;

use source::{
    Document, FileId, Finding, Findings, Format, Level, Limits, NodeId, SourceMap, Span, parse,
    replace_secret,
};

mod template;

use template::TemplateError;

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
pub struct Rendered {
    text: String,
    file: FileId,
    segments: Vec<Segment>,
}

struct Segment {
    /// Range of the template in the file.
    written: Range<usize>,
    /// Range of the value in the substituted text.
    rendered: Range<usize>,
    /// Whether evaluation failed and a placeholder was substituted.
    failed: bool,
    /// Value to mask.
    value: String,
    /// Text shown instead.
    shown: String,
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Segment({:?}, {})", self.written, self.shown)
    }
}

/// Parses a file after substitution, if it contains templates. The caller passes the returned value to
/// [`mask`](Rendered::mask) once all findings are complete.
pub fn parse_rendered(
    sources: &SourceMap,
    file: FileId,
    format: Format,
    env: Env<'_>,
    doc: &mut Document,
    limits: &Limits,
    findings: &mut Findings,
) -> (Option<NodeId>, Option<Rendered>) {
    let Some(rendered) = Rendered::new(sources.get(file).text(), file, env, findings) else {
        return (parse(sources, file, format, doc, limits, findings), None);
    };
    // The substituted text is not added to the source map, because everything in it can be printed.
    let mut scratch = SourceMap::default();
    let copy = scratch.add(sources.get(file).name(), rendered.text.as_str());
    let first = doc.next_id();
    let mut found = Findings::default();
    let root = parse(&scratch, copy, format, doc, limits, &mut found);
    doc.relocate(first, |span| rendered.place(span));
    for finding in &mut found.0 {
        finding.labels.iter_mut().for_each(|label| label.span = rendered.place(label.span));
    }
    rendered.mask(&mut found);
    findings.append(&mut found);
    (root, Some(rendered))
}

impl Rendered {
    /// Substitutes the templates of a text; `None` if there are none. A failed template is reported and replaced
    /// by a placeholder, so that the rest can be parsed.
    pub fn new(text: &str, file: FileId, env: Env<'_>, findings: &mut Findings) -> Option<Rendered> {
        memchr::memmem::find(text.as_bytes(), OPEN.as_bytes())?;
        let mut rendered = Rendered { text: String::with_capacity(text.len()), file, segments: Vec::new() };
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
            rendered.text.push_str(&text[copied..written.start]);
            let from = rendered.text.len();
            let (value, failed) = match outcome {
                Ok(value) => (value, false),
                Err(template_error) => {
                    findings.push(explain(&template_error, file, start));
                    (template_error.placeholder_value, true)
                }
            };
            rendered.text.push_str(&value);
            let shown = text[start..end].to_owned();
            let piece = Segment { rendered: from..rendered.text.len(), failed, value, shown, written };
            (copied, at) = (piece.written.end, piece.written.end);
            rendered.segments.push(piece);
        }
        rendered.text.push_str(&text[copied..]);
        if rendered.segments.is_empty() { None } else { Some(rendered) }
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
        let before = |p: &Segment| if end { p.rendered.start < offset } else { p.rendered.start <= offset };
        match self.segments.partition_point(before).checked_sub(1).map(|i| &self.segments[i]) {
            None => offset,
            Some(piece) if end && offset <= piece.rendered.end => piece.written.end,
            Some(piece) if !end && offset < piece.rendered.end => piece.written.start,
            Some(piece) => piece.written.end + (offset - piece.rendered.end),
        }
    }

    /// Masks values in the messages of findings at their location, and drops findings that are consequences of a
    /// missing value.
    pub fn mask(&self, findings: &mut Findings) {
        findings.0.retain_mut(|finding| {
            let ours = finding.code == TEMPLATE || finding.code == ENV;
            let spans: Vec<Span> =
                finding.labels.iter().map(|l| l.span).filter(|s| s.file == self.file).collect();
            for (i, span) in spans.iter().enumerate() {
                for piece in self.segments_in(*span) {
                    if piece.failed && !ours && i == 0 {
                        return false;
                    }
                    if i == 0 && !ours && finding.level == Level::Error {
                        piece.name_variable(finding);
                    }
                    piece.mask_in(finding);
                }
            }
            true
        });
    }

    fn segments_in(&self, span: Span) -> impl Iterator<Item = &Segment> {
        let (start, end) = (span.start as usize, span.end as usize);
        let first = self.segments.partition_point(move |p| p.written.end <= start);
        self.segments[first..].iter().take_while(move |p| p.written.start < end.max(start + 1))
    }

    /// Returns whether a span contains template output.
    pub fn covers(&self, span: Span) -> bool {
        span.file == self.file && self.segments_in(span).next().is_some()
    }
}

impl Segment {
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

    fn mask_in(&self, finding: &mut Finding) {
        if self.value.is_empty() || self.failed {
            return;
        }
        let texts = [&mut finding.message]
            .into_iter()
            .chain(finding.help.as_mut())
            .chain(finding.labels.iter_mut().map(|l| &mut l.text))
            .chain(finding.kong_errors.iter_mut().chain(&mut finding.implied_errors).map(|(_, text)| text));
        for text in texts {
            *text = replace_secret(text, &self.value, &self.shown);
        }
    }
}

const OPEN: &str = "${{";

fn explain(template_error: &TemplateError, file: FileId, start: usize) -> Finding {
    let span = Span {
        file,
        start: (start + template_error.at.start) as u32,
        end: (start + template_error.at.end.max(template_error.at.start)) as u32,
    };
    let code = if template_error.variable { ENV } else { TEMPLATE };
    let mut finding = Finding::error(code, template_error.message.as_str()).at(span, "");
    finding.help = template_error.help.clone();
    finding
}

#[cfg(test)]
mod tests;
