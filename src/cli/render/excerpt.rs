//! Windows of source text with every secret blanked out.

use std::sync::LazyLock;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};
use regex::Regex;

use crate::source::{FileId, Source, SourceMap, Span};

/// A value under a key that sounds like a secret, also where the key is misspelt or out of place.
static SOUNDS_SECRET: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?im)["']?[\w-]*(?:passw|secret|token|private_?key|api_?key|credential)[\w-]*["']?[ \t]*:[ \t]*([^\s\[{#&|>][^\n\r]*)"#,
    )
    .expect("the pattern is a constant")
});

/// One file's text as it may be shown: same length, same lines, secrets replaced by asterisks.
pub struct Excerpt<'a> {
    source: &'a Source,
    text: String,
}

impl<'a> Excerpt<'a> {
    pub fn new(sources: &'a SourceMap, file: FileId, secrets: &[Span]) -> Self {
        let source = sources.get(file);
        let mut bytes = source.text().as_bytes().to_vec();
        let guessed =
            SOUNDS_SECRET.captures_iter(source.text()).filter_map(|c| c.get(1).map(|m| (m.start(), m.end())));
        let known = secrets.iter().filter(|s| s.file == file).map(|s| (s.start as usize, s.end as usize));
        for (start, end) in known.chain(guessed).collect::<Vec<_>>() {
            for byte in bytes.get_mut(start..end).into_iter().flatten() {
                if !matches!(byte, b'\n' | b'\r' | b' ') {
                    *byte = b'*';
                }
            }
        }
        // Whole characters were replaced, so what is left is still UTF-8.
        let text = String::from_utf8(bytes).unwrap_or_default();
        Excerpt { source, text }
    }
}

impl SourceCode for Excerpt<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let end = span.offset() + span.len();
        if end > self.text.len() {
            return Err(MietteError::OutOfBounds);
        }
        let begin = self.source.position(span.offset() as u32);
        if (before, after) == (0, 0) {
            // What the head of a finding names: where exactly it begins.
            return Ok(self.window(span.offset(), end, begin.line, begin.column - 1, 1));
        }
        let first = begin.line.saturating_sub(before).max(1);
        let last =
            self.source.position(end.saturating_sub(usize::from(!span.is_empty())) as u32).line + after;
        Ok(self.window(
            self.source.line_start(first),
            self.source.line_start(last + 1),
            first,
            0,
            last + 1 - first,
        ))
    }
}

impl Excerpt<'_> {
    /// The text between two bytes; line from 1, column from 0.
    fn window<'a>(
        &'a self,
        start: usize,
        end: usize,
        line: usize,
        column: usize,
        lines: usize,
    ) -> Box<dyn SpanContents<'a> + 'a> {
        Box::new(MietteSpanContents::new_named(
            self.source.name().to_owned(),
            &self.text.as_bytes()[start..end],
            SourceSpan::new(start.into(), end - start),
            line - 1,
            column,
            lines,
        ))
    }
}
