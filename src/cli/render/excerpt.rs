//! Windows of source text with every secret blanked out.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use crate::source::{FileId, Source, SourceMap, Span};

/// One file's text as it may be shown: same length, same lines, secrets replaced by asterisks.
pub struct Excerpt<'a> {
    source: &'a Source,
    text: String,
}

impl<'a> Excerpt<'a> {
    pub fn new(sources: &'a SourceMap, file: FileId, secrets: &[Span]) -> Self {
        let source = sources.get(file);
        Excerpt { source, text: visible(&masked(source.text(), file, secrets)) }
    }
}

/// A file's text with secrets replaced by asterisks, byte for byte.
pub fn masked(text: &str, file: FileId, secrets: &[Span]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for secret in secrets.iter().filter(|secret| secret.file == file) {
        for byte in bytes.get_mut(secret.start as usize..secret.end as usize).into_iter().flatten() {
            if !matches!(byte, b'\n' | b'\r' | b' ') {
                *byte = b'*';
            }
        }
    }
    // Whole characters are replaced, so what remains is still UTF-8.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Replaces what a terminal would interpret, such as escapes and changes of direction, by text of the same length.
pub fn visible(text: &str) -> String {
    let stand_in = |c: char| match c {
        '\n' | '\r' | '\t' => c,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() && c.len_utf8() == 1 => '?',
        c if c.is_control() => '\u{bf}',
        c => c,
    };
    let mut rest = text.chars().peekable();
    let mut out = String::with_capacity(text.len());
    while let Some(c) = rest.next() {
        // A carriage return alone ends a line, and would have the terminal write over it.
        let alone = c == '\r' && rest.peek() != Some(&'\n');
        out.push(if alone { '\n' } else { stand_in(c) });
    }
    out
}

impl SourceCode for Excerpt<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let end = span.offset() + span.len();
        // miette asks for what is between two places on one line too, and shows them apart where it cannot have it.
        if end > self.text.len() || span.len() > LONGEST {
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
        let (from, to) = (self.source.line_start(first), self.source.line_start(last + 1));
        let long = self.text[from..to].lines().any(|line| line.len() > LONGEST_LINE);
        if long || to - from > LONGEST {
            return Ok(self.around(span.offset(), end));
        }
        Ok(self.window(from, to, first, 0, last + 1 - first))
    }
}

/// Most bytes that are shown: what is longer is a file without line ends, such as JSON in one line.
pub const LONGEST: usize = 2000;
/// Most bytes of a line that are shown whole.
const LONGEST_LINE: usize = 400;
/// What is shown of such a line on each side of the place, in bytes.
const SIDE: usize = 60;

impl Excerpt<'_> {
    /// A place and a little of its line on both sides.
    fn around<'a>(&'a self, start: usize, end: usize) -> Box<dyn SpanContents<'a> + 'a> {
        let line = self.source.position(start as u32).line;
        let line_start = self.source.line_start(line);
        let from = self.text.floor_char_boundary(start.saturating_sub(SIDE)).max(line_start);
        let to = self.text.ceil_char_boundary((end + SIDE).min(self.text.len()));
        let to = self.text[end..to].find('\n').map_or(to, |at| end + at);
        let column = self.source.position(from as u32).column - 1;
        self.window(from, to, line, column, 1 + self.text[from..to].matches('\n').count())
    }

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
