//! Source files, byte spans, and conversion of spans to lines and columns.

use std::sync::{Arc, OnceLock};

use super::finding::with_syntax_error_tree;
use super::{Finding, Findings};

/// Index of a file in a [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u16);

/// Half-open byte range in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// Returns the empty span at the start of a file.
    pub const fn start_of(file: FileId) -> Self {
        Span { file, start: 0, end: 0 }
    }

    /// Returns whether another span lies within this one.
    pub fn contains(self, inner: Span) -> bool {
        self.file == inner.file && self.start <= inner.start && inner.end <= self.end
    }
}

/// Line and column, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
}

/// Name and text of one file.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    text: Arc<String>,
    /// Byte offset of each line start; computed on first use.
    lines: OnceLock<Vec<u32>>,
    /// Number of characters before every [`Source::STEP_BYTES`]-th byte; computed on first use in a long line, so
    /// that a single-line file costs no more than one of many lines.
    chars: OnceLock<Vec<u32>>,
}

impl Source {
    /// Returns the display name, usually the path given by the user.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn lines(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let bytes = self.text.as_bytes();
            // A lone carriage return also ends a line in YAML.
            let ends = |i: &usize| bytes[*i] == b'\n' || bytes.get(i + 1) != Some(&b'\n');
            let mut lines = vec![0];
            lines.extend(memchr::memchr2_iter(b'\n', b'\r', bytes).filter(ends).map(|i| i as u32 + 1));
            lines
        })
    }

    /// Returns the whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Converts a byte offset to line and column. An offset past the end counts as the end.
    pub fn position(&self, offset: u32) -> Position {
        let offset = (offset as usize).min(self.text.len());
        let lines = self.lines();
        let line = lines.partition_point(|&start| start as usize <= offset).max(1);
        let start = lines[line - 1] as usize;
        let end = self.text.floor_char_boundary(offset);
        Position { line, column: self.chars_between(start, end) + 1 }
    }

    /// Distance between two entries of `chars`, in bytes.
    const STEP_BYTES: usize = 4096;

    /// Counts the characters between two byte offsets on character boundaries.
    fn chars_between(&self, start: usize, end: usize) -> usize {
        if end.saturating_sub(start) <= Self::STEP_BYTES {
            return self.text[start.min(end)..end].chars().count();
        }
        let bytes = self.text.as_bytes();
        let count = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
        let chars = self.chars.get_or_init(|| {
            let mut before = vec![0];
            let mut sum = 0;
            before.extend(bytes.chunks(Self::STEP_BYTES).map(|chunk| {
                sum += count(chunk) as u32;
                sum
            }));
            before
        });
        let before = |at: usize| {
            let step = at / Self::STEP_BYTES;
            chars[step] as usize + count(&bytes[step * Self::STEP_BYTES..at])
        };
        before(end) - before(start)
    }

    /// Returns a line (from 1) without its line end; empty if there is no such line.
    pub fn line(&self, line: usize) -> &str {
        let Some(&start) = line.checked_sub(1).and_then(|i| self.lines().get(i)) else { return "" };
        let end = self.lines().get(line).map_or(self.text.len(), |&next| next as usize);
        self.text[start as usize..end].trim_end_matches(['\n', '\r'])
    }

    /// Returns the byte offset of the start of a line (from 1), or the length of the text.
    pub fn line_start(&self, line: usize) -> usize {
        line.checked_sub(1).and_then(|i| self.lines().get(i)).map_or(self.text.len(), |&s| s as usize)
    }
}

/// All files of one run, indexed by [`FileId`].
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    files: Vec<Source>,
}

impl SourceMap {
    /// Adds a file and returns its id.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let (lines, chars) = (OnceLock::new(), OnceLock::new());
        self.files.push(Source { name: name.into(), text: Arc::new(text.into()), lines, chars });
        FileId((self.files.len() - 1) as u16)
    }

    /// Adds a file from raw bytes: UTF-8, or UTF-16 with a byte order mark.
    ///
    /// `None` if an error was added to `findings`. The file is in the map even then, with U+FFFD for undecodable
    /// bytes, so that the location can be displayed.
    pub fn add_bytes(
        &mut self,
        name: impl Into<String>,
        bytes: Vec<u8>,
        findings: &mut Findings,
    ) -> Option<FileId> {
        let name = name.into();
        if u32::try_from(bytes.len()).is_err() || self.files.len() > usize::from(u16::MAX) {
            let message = format!("{name}: more than 4 GiB, or more than 65,536 files");
            findings.push(Finding::error("source/too-large", message));
            return None;
        }
        let decoded = match bytes.get(..2) {
            Some(b"\xff\xfe") => utf16(&bytes[2..], u16::from_le_bytes),
            Some(b"\xfe\xff") => utf16(&bytes[2..], u16::from_be_bytes),
            _ => String::from_utf8(bytes).map_err(|e| {
                let at = e.utf8_error().valid_up_to();
                let byte = e.as_bytes()[at];
                let message =
                    format!("the file is not UTF-8: the byte 0x{byte:02X} stands for no character here");
                (String::from_utf8_lossy(e.as_bytes()).into_owned(), at, message)
            }),
        };
        match decoded {
            Ok(text) => Some(self.add(name, text)),
            Err((lossy, at, message)) => {
                let file = self.add(name, lossy);
                let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
                let span = Span { file, start: at as u32, end: end as u32 };
                let finding = Finding::error("source/encoding", message).at(span, "");
                let reason = finding.message.clone();
                findings.push(with_syntax_error_tree(finding.help("save the file as UTF-8"), &reason));
                None
            }
        }
    }

    /// Returns a file.
    pub fn get(&self, file: FileId) -> &Source {
        &self.files[file.0 as usize]
    }

    /// Iterates over all files with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Source)> {
        self.files.iter().enumerate().map(|(i, f)| (FileId(i as u16), f))
    }

    /// Returns the position of a span's start.
    pub fn position(&self, span: Span) -> Position {
        self.get(span.file).position(span.start)
    }

    /// Formats a span's start as `file:line:column`.
    pub fn display_position(&self, span: Span) -> String {
        let Position { line, column } = self.position(span);
        format!("{}:{line}:{column}", self.get(span.file).name())
    }

    /// Returns the text of a span.
    pub fn snippet(&self, span: Span) -> &str {
        self.get(span.file).text().get(span.start as usize..span.end as usize).unwrap_or("")
    }
}

/// Decodes UTF-16 without its byte order mark; on error returns the text with U+FFFD, the offset of the first one,
/// and the reason.
fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, (String, usize, String)> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let mut text = String::with_capacity(bytes.len() / 2);
    let mut wrong = None;
    for decoded in char::decode_utf16(units) {
        text.push(decoded.unwrap_or_else(|_| {
            wrong = wrong.or(Some(text.len()));
            char::REPLACEMENT_CHARACTER
        }));
    }
    if bytes.len() % 2 == 1 {
        wrong = wrong.or(Some(text.len()));
        text.push(char::REPLACEMENT_CHARACTER);
    }
    match wrong {
        None => Ok(text),
        Some(at) => Err((text, at, "the file is not UTF-16: half a character stands here".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(bytes: &[u8]) -> Result<String, (String, &'static str)> {
        let mut sources = SourceMap::default();
        let mut findings = Findings::default();
        match sources.add_bytes("f", bytes.to_vec(), &mut findings) {
            Some(file) => Ok(sources.get(file).text().to_owned()),
            None => Err((sources.display_position(findings.0[0].span().unwrap()), findings.0[0].code)),
        }
    }

    #[test]
    fn columns_of_a_long_line_are_counted_in_characters() {
        let mut sources = SourceMap::default();
        let text = format!("first\n{}", "aé€".repeat(5000));
        let file = sources.add("f", text.as_str());
        let column = |offset: usize| sources.get(file).position(offset as u32).column;
        for (offset, _) in text.char_indices().skip(6).step_by(997) {
            assert_eq!(column(offset), text[6..offset].chars().count() + 1, "{offset}");
        }
        assert_eq!(column(text.len()), 15_001);
        assert_eq!(column(text.len() - 1), 15_000, "inside of a character");
    }

    #[test]
    fn bytes_are_utf8_or_marked_utf16() {
        assert_eq!(load("é: 1".as_bytes()), Ok("é: 1".to_owned()));
        assert_eq!(load(b"\xff\xfea\0:\0\x3d\xd8\x00\xde"), Ok("a:😀".to_owned()));
        assert_eq!(load(b"\xfe\xff\0a\0:"), Ok("a:".to_owned()));
    }

    #[test]
    fn invalid_encodings_are_errors_with_their_position() {
        assert_eq!(load(b"a: 1\nb: \xff\n"), Err(("f:2:4".to_owned(), "source/encoding")));
        assert_eq!(load(b"\xff\xfea\0\x3d\xd8"), Err(("f:1:2".to_owned(), "source/encoding")));
        assert_eq!(load(b"\xff\xfea\0b"), Err(("f:1:2".to_owned(), "source/encoding")));
    }

    #[test]
    fn a_column_counts_characters() {
        let mut sources = SourceMap::default();
        let file = sources.add("f", "a\r\nüb: x\n");
        let at = |start| sources.position(Span { file, start, end: start });
        assert_eq!(at(3), Position { line: 2, column: 1 });
        assert_eq!(at(5), Position { line: 2, column: 2 });
        // Inside a character, and past the end.
        assert_eq!(at(4), Position { line: 2, column: 1 });
        assert_eq!(at(99), Position { line: 3, column: 1 });
        assert_eq!(sources.get(file).line(1), "a");
        assert_eq!(sources.get(file).line(9), "");
    }
}
