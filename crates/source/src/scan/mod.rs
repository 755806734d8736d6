//! Fast scanner for the common subset of YAML, about six times as fast as libyaml.
//!
//! `Scanner` emits exactly the events of libyaml, or stops with `Unsupported`: it never decides that a text is
//! invalid, and does not handle rare syntax (tags, `?`, directives, tabs between tokens, multi-line keys …). The
//! caller then restarts with libyaml, which is the only authority on validity. The tests compare both over
//! generated and mutated texts.
//!
//! Positions and rules are those of libyaml: columns count from the start of the line, a block ends at a line with
//! less indentation, and a simple key and its colon are on one line, at most 1,024 bytes apart.
//!
//! # States
//! ```text
//! Document ──► Root ──► (node)
//!
//! (node)  scalar ──► After
//!         `- `   ──► Dash ──► (node)
//!         `key:` ──► PendingKey ──► Value ──► (node)
//!         `[`    ──► FlowItem ──► After
//!         `{`    ──► FlowKey ──► FlowValue ──► After
//!
//! After   next item of a block ──► (node)
//!         next key of a block  ──► Value
//!         `,` ──► FlowItem | FlowKey
//!         end of a collection  ──► After
//!         end of the text      ──► End
//! ```

pub mod differential;
mod flow;
mod scalar;
#[cfg(test)]
mod tests;

use super::libyaml::{Event, EventKind, EventSource, ScalarStyle, YamlError};

/// Maximum distance between the start of a simple key and its colon, in bytes (YAML 1.1).
const MAX_SIMPLE_KEY_BYTES: usize = 1024;

/// The text uses syntax outside the supported subset.
struct Unsupported;

type Outcome<T> = Result<T, Unsupported>;

/// Open collection.
#[derive(Clone, Copy, Debug)]
enum Collection {
    /// Block mapping with its key column.
    Map(usize),
    /// Block sequence with the column of its dashes.
    Seq(usize),
    /// Indentless sequence: its dashes are in the column of the enclosing mapping's keys.
    IndentlessSeq(usize),
    /// `[…]`.
    FlowSeq,
    /// `{…}`.
    FlowMap,
}

/// State: the token that is expected next.
#[derive(Clone, Copy, Debug)]
enum State {
    Document,
    Root,
    /// First dash of a block sequence, at the cursor.
    Dash,
    /// Key already scanned, because only the colon after it reveals the start of a mapping.
    PendingKey,
    /// Value of a key; the cursor is past the colon.
    Value,
    /// End of the current node, or its next sibling.
    After,
    /// Item of a flow sequence, or its end.
    FlowItem,
    /// Key of a flow mapping, or its end.
    FlowKey,
    FlowValue,
    End,
}

/// Event type; its data is in [`Scanner::start`], [`Scanner::end`], [`Scanner::anchor`] and [`Scanner::scalar`].
#[derive(Clone, Copy, Debug)]
enum EventTag {
    DocumentStart,
    DocumentEnd,
    Alias,
    Scalar,
    SequenceStart { flow: bool },
    SequenceEnd,
    MappingStart { flow: bool },
    MappingEnd,
    StreamEnd,
}

/// Scalar with its span. Its content is a slice of the source, or in [`Scanner::decoded`] if folding or escapes
/// changed it.
#[derive(Clone, Copy, Debug)]
struct ScalarToken {
    start: usize,
    end: usize,
    style: ScalarStyle,
    /// Range of the content in the source; `None` if it was decoded.
    source: Option<(usize, usize)>,
    /// Whether it spans several lines.
    is_multiline: bool,
}

/// Event source over one text.
pub(super) struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// Offset of the start of the current line.
    line: usize,
    /// Whether only blanks precede the cursor on its line.
    at_line_start: bool,
    open: Vec<Collection>,
    state: State,
    /// Content of the current scalar if it differs from the source.
    decoded: String,
    /// Current event: span, anchor or alias, scalar.
    start: usize,
    end: usize,
    anchor: Option<Anchor<'t>>,
    scalar: ScalarToken,
}

impl EventSource for Scanner<'_> {
    fn next_event(&mut self) -> Result<Event<'_>, YamlError> {
        match self.advance() {
            Ok(tag) => Ok(self.event(tag)),
            Err(Unsupported) => Err(YamlError { message: String::new(), at: self.at, context: None }),
        }
    }
}

/// Anchor or alias name with the offset of its `&` or `*`.
#[derive(Clone, Copy, Debug)]
struct Anchor<'t> {
    name: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    /// Creates a scanner at the start of a text; `None` if the text contains characters outside the subset.
    pub(super) fn new(text: &'t str) -> Option<Self> {
        let control = |b: u8| (b < b' ' && b != b'\n' && b != b'\t') | (b == 0x7f);
        // Without an early exit, so that the loop is vectorised.
        let ascii = text.bytes().fold(false, |odd, b| odd | control(b));
        let breaks = |c: char| {
            matches!(c, '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
        };
        if ascii || (!text.is_ascii() && text.contains(breaks)) {
            return None;
        }
        Some(Scanner {
            text,
            bytes: text.as_bytes(),
            at: 0,
            line: 0,
            at_line_start: true,
            open: Vec::new(),
            state: State::Document,
            decoded: String::new(),
            start: 0,
            end: 0,
            anchor: None,
            scalar: ScalarToken {
                start: 0,
                end: 0,
                style: ScalarStyle::Plain,
                source: None,
                is_multiline: false,
            },
        })
    }

    fn event(&self, tag: EventTag) -> Event<'_> {
        let anchor = self.anchor.map(|anchor| anchor.name);
        let kind = match tag {
            EventTag::DocumentStart => EventKind::DocumentStart,
            EventTag::DocumentEnd => EventKind::DocumentEnd,
            EventTag::Alias => EventKind::Alias { anchor: anchor.unwrap_or_default() },
            EventTag::Scalar => EventKind::Scalar {
                anchor,
                tag: None,
                value: match self.scalar.source {
                    Some((start, end)) => &self.text[start..end],
                    None => &self.decoded,
                },
                style: self.scalar.style,
            },
            EventTag::SequenceStart { flow } => EventKind::SequenceStart { anchor, flow },
            EventTag::SequenceEnd => EventKind::SequenceEnd,
            EventTag::MappingStart { flow } => EventKind::MappingStart { anchor, flow },
            EventTag::MappingEnd => EventKind::MappingEnd,
            EventTag::StreamEnd => EventKind::StreamEnd,
        };
        Event { kind, start: self.start, end: self.end }
    }

    /// Sets the span of the event to emit.
    fn emit(&mut self, tag: EventTag, start: usize, end: usize) -> EventTag {
        (self.start, self.end) = (self.anchor.map_or(start, |anchor| anchor.at), end);
        tag
    }

    fn emit_scalar(&mut self, text: ScalarToken) -> EventTag {
        self.scalar = text;
        self.emit(EventTag::Scalar, text.start, text.end)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Returns whether a blank, a line end or the end of the text is at that offset.
    fn is_blank(&self, at: usize) -> bool {
        matches!(self.byte(at), None | Some(b' ' | b'\t' | b'\n'))
    }

    fn column(&self) -> usize {
        self.at - self.line
    }

    /// Returns whether a block sequence dash is at that offset.
    fn is_dash(&self, at: usize) -> bool {
        self.byte(at) == Some(b'-') && self.is_blank(at + 1)
    }

    /// Returns whether a document marker (`---` or `...`) is at that offset, which is the start of a line.
    fn is_marker(&self, at: usize) -> bool {
        matches!(self.bytes.get(at..at + 3), Some(b"---" | b"...")) && self.is_blank(at + 3)
    }

    /// Skips to the next token and returns its first byte, if any.
    fn skip(&mut self) -> Outcome<Option<u8>> {
        let byte = self.skip_blanks()?;
        if self.at == self.line && self.is_marker(self.at) {
            return Err(Unsupported);
        }
        Ok(byte)
    }

    fn skip_blanks(&mut self) -> Outcome<Option<u8>> {
        loop {
            match self.byte(self.at) {
                Some(b' ') => self.at += 1,
                Some(b'\n') => {
                    self.at += 1;
                    self.line = self.at;
                    self.at_line_start = true;
                }
                Some(b'#') => {
                    let rest = &self.bytes[self.at..];
                    self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                }
                Some(b'\t') => return Err(Unsupported),
                byte => return Ok(byte),
            }
        }
    }

    /// Returns the column that lines inside the innermost block must exceed.
    fn indent(&self) -> Option<usize> {
        match self.open.last() {
            Some(
                &(Collection::Map(column) | Collection::Seq(column) | Collection::IndentlessSeq(column)),
            ) => Some(column),
            _ => None,
        }
    }

    fn in_flow(&self) -> bool {
        matches!(self.open.last(), Some(Collection::FlowSeq | Collection::FlowMap))
    }

    fn advance(&mut self) -> Outcome<EventTag> {
        self.anchor = None;
        match self.state {
            State::Value => self.node(true, false),
            State::After => self.after(),
            State::PendingKey => {
                self.state = State::Value;
                Ok(self.emit(EventTag::Scalar, self.scalar.start, self.scalar.end))
            }
            State::Dash => self.item(),
            State::FlowItem => match self.skip()? {
                Some(b']') => Ok(self.end_flow(EventTag::SequenceEnd)),
                _ => self.flow_node(),
            },
            State::FlowKey => match self.skip()? {
                Some(b'}') => Ok(self.end_flow(EventTag::MappingEnd)),
                _ => self.flow_key(),
            },
            State::FlowValue => self.flow_node(),
            State::Document => self.document(),
            State::Root => self.node(false, true),
            State::End => Ok(self.emit(EventTag::StreamEnd, self.at, self.at)),
        }
    }

    fn document(&mut self) -> Outcome<EventTag> {
        if self.skip_blanks()?.is_none() {
            self.state = State::End;
            return self.advance();
        }
        if self.at == self.line && self.is_marker(self.at) {
            // Only `---` alone on its line is supported.
            self.at += 3;
            self.at_line_start = false;
            if self.byte(self.at - 1) != Some(b'-') || self.skip()?.is_none() || !self.at_line_start {
                return Err(Unsupported);
            }
        }
        self.state = State::Root;
        Ok(self.emit(EventTag::DocumentStart, self.at, self.at))
    }

    /// Continues after a complete node.
    fn after(&mut self) -> Outcome<EventTag> {
        let byte = self.skip()?;
        let Some(&level) = self.open.last() else {
            self.state = State::End;
            return match byte {
                None => Ok(self.emit(EventTag::DocumentEnd, self.at, self.at)),
                Some(_) => Err(Unsupported),
            };
        };
        let (Collection::Map(indent) | Collection::Seq(indent) | Collection::IndentlessSeq(indent)) = level
        else {
            let map = matches!(level, Collection::FlowMap);
            return match (byte, map) {
                (Some(b','), false) => self.flow_next(State::FlowItem),
                (Some(b','), true) => self.flow_next(State::FlowKey),
                (Some(b']'), false) => Ok(self.end_flow(EventTag::SequenceEnd)),
                (Some(b'}'), true) => Ok(self.end_flow(EventTag::MappingEnd)),
                _ => Err(Unsupported),
            };
        };
        let column = self.column();
        if byte.is_none() || (self.at_line_start && column < indent) {
            return Ok(self.end_block(level));
        }
        if !self.at_line_start || column > indent {
            return Err(Unsupported);
        }
        match level {
            Collection::Map(_) => {
                let key = self.read_scalar()?;
                self.at = self.colon(&key).ok_or(Unsupported)?;
                self.at_line_start = false;
                self.state = State::Value;
                Ok(self.emit_scalar(key))
            }
            _ if self.is_dash(self.at) => self.item(),
            Collection::IndentlessSeq(_) => Ok(self.end_block(level)),
            _ => Err(Unsupported),
        }
    }

    fn end_block(&mut self, level: Collection) -> EventTag {
        self.open.pop();
        let map = matches!(level, Collection::Map(_));
        self.emit(if map { EventTag::MappingEnd } else { EventTag::SequenceEnd }, self.at, self.at)
    }

    /// Returns the offset after the colon if the scalar is a block mapping key.
    fn colon(&self, key: &ScalarToken) -> Option<usize> {
        let at = self.skip_spaces_from(self.at);
        let colon = self.byte(at) == Some(b':') && self.is_blank(at + 1);
        (colon && !key.is_multiline && at - key.start <= MAX_SIMPLE_KEY_BYTES).then_some(at + 1)
    }

    /// Consumes a dash and scans the item after it.
    fn item(&mut self) -> Outcome<EventTag> {
        self.at += 1;
        self.at_line_start = false;
        self.node(false, true)
    }

    /// Scans a node of a block, or an empty one. The value of a key may be an indentless sequence; a collection
    /// may start on the same line only if no key precedes it (`open`).
    fn node(&mut self, value: bool, mut open: bool) -> Outcome<EventTag> {
        let parent = self.indent();
        let empty = self.at;
        let mut byte = self.skip()?;
        if byte == Some(b'&') && !self.at_line_start {
            self.anchor = Some(self.read_name()?);
            open = false;
            byte = self.skip()?;
        }
        let column = self.column();
        // Lines that are not indented further belong to the enclosing block, except for dashes below a key.
        let outside = byte.is_none()
            || self.at_line_start
                && parent.is_some_and(|parent| {
                    column < parent || column == parent && !(value && self.is_dash(self.at))
                });
        if outside {
            self.state = State::After;
            let style = ScalarStyle::Plain;
            let text = ScalarToken {
                start: empty,
                end: empty,
                style,
                source: Some((empty, empty)),
                is_multiline: false,
            };
            return if self.anchor.is_none() { Ok(self.emit_scalar(text)) } else { Err(Unsupported) };
        }
        open |= self.at_line_start;
        match byte {
            Some(b'-') if self.is_dash(self.at) => {
                if !open {
                    return Err(Unsupported);
                }
                let indentless = parent == Some(column) && self.at_line_start;
                self.open.push(if indentless {
                    Collection::IndentlessSeq(column)
                } else {
                    Collection::Seq(column)
                });
                self.state = State::Dash;
                Ok(self.emit(EventTag::SequenceStart { flow: false }, self.at, self.at))
            }
            Some(b'[' | b'{') => Ok(self.flow_start()),
            Some(b'*') if self.anchor.is_none() => self.alias(),
            Some(b'|' | b'>') => {
                let text = self.block_scalar(parent)?;
                self.state = State::After;
                Ok(self.emit_scalar(text))
            }
            _ => {
                let text = self.read_scalar()?;
                self.at_line_start = false;
                match self.colon(&text) {
                    None => {
                        self.state = State::After;
                        Ok(self.emit_scalar(text))
                    }
                    Some(colon) if open => {
                        self.open.push(Collection::Map(column));
                        self.at = colon;
                        self.scalar = text;
                        self.state = State::PendingKey;
                        Ok(self.emit(EventTag::MappingStart { flow: false }, text.start, text.start))
                    }
                    Some(_) => Err(Unsupported),
                }
            }
        }
    }

    /// Consumes an anchor or alias with its `&` or `*`.
    fn read_name(&mut self) -> Outcome<Anchor<'t>> {
        let at = self.at;
        let fits = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let end = at + 1 + self.bytes[at + 1..].iter().take_while(|b| fits(b)).count();
        self.at = end;
        let flow = self.in_flow() && matches!(self.byte(end), Some(b',' | b']' | b'}'));
        if end == at + 1 || !(self.is_blank(end) || flow) {
            return Err(Unsupported);
        }
        Ok(Anchor { name: &self.text[at + 1..end], at })
    }

    fn alias(&mut self) -> Outcome<EventTag> {
        let anchor = self.read_name()?;
        self.anchor = Some(anchor);
        self.state = State::After;
        self.at_line_start = false;
        Ok(self.emit(EventTag::Alias, anchor.at, self.at))
    }
}
