//! The YAML that files are made of, read some six times as fast as libyaml reads it.
//!
//! [`Scan`] gives the very events that libyaml gives, or gives up: it never decides that a text is broken,
//! and what is rare (tags, `?`, directives, tabs between tokens, keys over several lines …) is not its
//! business. Whoever asks then begins again with libyaml, which stays the one judge of what YAML is. The tests
//! hold the two against each other over generated and damaged texts.
//!
//! Places and rules are therefore libyaml's: columns count from the start of the line, a block ends where a
//! line is indented less, a key and its colon stand on one line and at most 1,024 bytes apart.

pub mod beside;
mod scalar;
#[cfg(test)]
mod tests;

use super::libyaml::{Event, Kind, Problem, Steps, Style};

/// Bytes between the start of a key and its colon.
const LONGEST_KEY: usize = 1024;

/// The text is none that is read here.
struct Unusual;

type Outcome<T> = Result<T, Unusual>;

/// A list or map that is open.
#[derive(Clone, Copy, Debug)]
enum Level {
    /// A map whose keys stand at that column.
    Map(usize),
    /// A list whose dashes stand at that column.
    Seq(usize),
    /// A list whose dashes stand at the column of the map's keys around it.
    Loose(usize),
    /// `[…]`
    FlowSeq,
    /// `{…}`
    FlowMap,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Next {
    Document,
    Root,
    /// The first dash of a list: the scanner stands at it.
    Dash,
    /// A key that has been read already, since only its colon tells that a map begins.
    Held,
    /// What a key stands for; the scanner stands after the colon.
    Value,
    /// What ends a node or comes after it.
    After,
    /// An item of a list in brackets, or its end.
    FlowItem,
    /// A key in braces, or their end.
    FlowKey,
    FlowValue,
    End,
}

/// What an event says beside [`Scan::start`], [`Scan::end`], [`Scan::anchor`] and [`Scan::scalar`].
#[derive(Clone, Copy, Debug)]
enum Said {
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

/// A scalar: where it stands, and its text, which is in the file or, if it reads otherwise than it is written, in
/// [`Scan::made`].
#[derive(Clone, Copy, Debug)]
struct Text {
    start: usize,
    end: usize,
    style: Style,
    /// Where the text is in the file; none if it was made.
    written: Option<(usize, usize)>,
    /// Whether it goes over several lines.
    lines: bool,
}

/// Events of one text.
pub(super) struct Scan<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// Where the line begins.
    line: usize,
    /// Whether nothing but blanks stands before `at` in its line.
    fresh: bool,
    levels: Vec<Level>,
    next: Next,
    /// Text of a scalar that reads otherwise than it is written.
    made: String,
    /// Of the event at hand: its place, its anchor or alias, its text.
    start: usize,
    end: usize,
    anchor: Option<Anchor<'t>>,
    scalar: Text,
}

impl Steps for Scan<'_> {
    fn step(&mut self) -> Result<Event<'_>, Problem> {
        match self.advance() {
            Ok(said) => Ok(self.event(said)),
            Err(Unusual) => Err(Problem { message: String::new(), at: self.at, context: None }),
        }
    }
}

/// A name, and where its `&` stands.
#[derive(Clone, Copy, Debug)]
struct Anchor<'t> {
    name: &'t str,
    at: usize,
}

impl<'t> Scan<'t> {
    /// At the start of a text; none if it holds characters that need a closer look.
    pub(super) fn new(text: &'t str) -> Option<Self> {
        let control = |b: u8| (b < b' ' && b != b'\n' && b != b'\t') | (b == 0x7f);
        // Without a way out of the loop, so that it takes many bytes at once.
        let ascii = text.bytes().fold(false, |odd, b| odd | control(b));
        let breaks = |c: char| {
            matches!(c, '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
        };
        if ascii || (!text.is_ascii() && text.contains(breaks)) {
            return None;
        }
        Some(Scan {
            text,
            bytes: text.as_bytes(),
            at: 0,
            line: 0,
            fresh: true,
            levels: Vec::new(),
            next: Next::Document,
            made: String::new(),
            start: 0,
            end: 0,
            anchor: None,
            scalar: Text { start: 0, end: 0, style: Style::Plain, written: None, lines: false },
        })
    }

    fn event(&self, said: Said) -> Event<'_> {
        let anchor = self.anchor.map(|anchor| anchor.name);
        let kind = match said {
            Said::DocumentStart => Kind::DocumentStart,
            Said::DocumentEnd => Kind::DocumentEnd,
            Said::Alias => Kind::Alias { anchor: anchor.unwrap_or_default() },
            Said::Scalar => Kind::Scalar {
                anchor,
                tag: None,
                value: match self.scalar.written {
                    Some((start, end)) => &self.text[start..end],
                    None => &self.made,
                },
                style: self.scalar.style,
            },
            Said::SequenceStart { flow } => Kind::SequenceStart { anchor, flow },
            Said::SequenceEnd => Kind::SequenceEnd,
            Said::MappingStart { flow } => Kind::MappingStart { anchor, flow },
            Said::MappingEnd => Kind::MappingEnd,
            Said::StreamEnd => Kind::StreamEnd,
        };
        Event { kind, start: self.start, end: self.end }
    }

    /// An event at that place.
    fn say(&mut self, said: Said, start: usize, end: usize) -> Said {
        (self.start, self.end) = (self.anchor.map_or(start, |anchor| anchor.at), end);
        said
    }

    fn say_scalar(&mut self, text: Text) -> Said {
        self.scalar = text;
        self.say(Said::Scalar, text.start, text.end)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Whether a blank, a line's end or the end of the text is there.
    fn is_blank(&self, at: usize) -> bool {
        matches!(self.byte(at), None | Some(b' ' | b'\t' | b'\n'))
    }

    fn column(&self) -> usize {
        self.at - self.line
    }

    /// Whether a dash that begins an item is there.
    fn is_dash(&self, at: usize) -> bool {
        self.byte(at) == Some(b'-') && self.is_blank(at + 1)
    }

    /// Whether `---` or `...` stands there, at the start of a line.
    fn is_marker(&self, at: usize) -> bool {
        matches!(self.bytes.get(at..at + 3), Some(b"---" | b"...")) && self.is_blank(at + 3)
    }

    /// Goes to the next token; what is there, if anything.
    fn skip(&mut self) -> Outcome<Option<u8>> {
        let byte = self.skip_blanks()?;
        if self.at == self.line && self.is_marker(self.at) {
            return Err(Unusual);
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
                    self.fresh = true;
                }
                Some(b'#') => {
                    let rest = &self.bytes[self.at..];
                    self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                }
                Some(b'\t') => return Err(Unusual),
                byte => return Ok(byte),
            }
        }
    }

    /// The column that lines of a block within the innermost one must pass.
    fn indent(&self) -> Option<usize> {
        match self.levels.last() {
            Some(&(Level::Map(column) | Level::Seq(column) | Level::Loose(column))) => Some(column),
            _ => None,
        }
    }

    fn in_flow(&self) -> bool {
        matches!(self.levels.last(), Some(Level::FlowSeq | Level::FlowMap))
    }

    fn advance(&mut self) -> Outcome<Said> {
        self.anchor = None;
        match self.next {
            Next::Value => self.node(true, false),
            Next::After => self.after(),
            Next::Held => {
                self.next = Next::Value;
                Ok(self.say(Said::Scalar, self.scalar.start, self.scalar.end))
            }
            Next::Dash => self.item(),
            Next::FlowItem => match self.skip()? {
                Some(b']') => Ok(self.end_flow(Said::SequenceEnd)),
                _ => self.flow_node(),
            },
            Next::FlowKey => match self.skip()? {
                Some(b'}') => Ok(self.end_flow(Said::MappingEnd)),
                _ => self.flow_key(),
            },
            Next::FlowValue => self.flow_node(),
            Next::Document => self.document(),
            Next::Root => self.node(false, true),
            Next::End => Ok(self.say(Said::StreamEnd, self.at, self.at)),
        }
    }

    fn document(&mut self) -> Outcome<Said> {
        if self.skip_blanks()?.is_none() {
            self.next = Next::End;
            return self.advance();
        }
        if self.at == self.line && self.is_marker(self.at) {
            // Only `---`, and alone on its line.
            self.at += 3;
            self.fresh = false;
            if self.byte(self.at - 1) != Some(b'-') || self.skip()?.is_none() || !self.fresh {
                return Err(Unusual);
            }
        }
        self.next = Next::Root;
        Ok(self.say(Said::DocumentStart, self.at, self.at))
    }

    /// What comes after a whole node.
    fn after(&mut self) -> Outcome<Said> {
        let byte = self.skip()?;
        let Some(&level) = self.levels.last() else {
            self.next = Next::End;
            return match byte {
                None => Ok(self.say(Said::DocumentEnd, self.at, self.at)),
                Some(_) => Err(Unusual),
            };
        };
        let (Level::Map(indent) | Level::Seq(indent) | Level::Loose(indent)) = level else {
            let map = matches!(level, Level::FlowMap);
            return match (byte, map) {
                (Some(b','), false) => self.flow_next(Next::FlowItem),
                (Some(b','), true) => self.flow_next(Next::FlowKey),
                (Some(b']'), false) => Ok(self.end_flow(Said::SequenceEnd)),
                (Some(b'}'), true) => Ok(self.end_flow(Said::MappingEnd)),
                _ => Err(Unusual),
            };
        };
        let column = self.column();
        if byte.is_none() || (self.fresh && column < indent) {
            return Ok(self.end_block(level));
        }
        if !self.fresh || column > indent {
            return Err(Unusual);
        }
        match level {
            Level::Map(_) => {
                let key = self.read_scalar()?;
                self.at = self.colon(&key).ok_or(Unusual)?;
                self.fresh = false;
                self.next = Next::Value;
                Ok(self.say_scalar(key))
            }
            _ if self.is_dash(self.at) => self.item(),
            Level::Loose(_) => Ok(self.end_block(level)),
            _ => Err(Unusual),
        }
    }

    fn end_block(&mut self, level: Level) -> Said {
        self.levels.pop();
        let map = matches!(level, Level::Map(_));
        self.say(if map { Said::MappingEnd } else { Said::SequenceEnd }, self.at, self.at)
    }

    /// Where the colon ends that makes a scalar a key of a block.
    fn colon(&self, key: &Text) -> Option<usize> {
        let at = self.past_spaces(self.at);
        let colon = self.byte(at) == Some(b':') && self.is_blank(at + 1);
        (colon && !key.lines && at - key.start <= LONGEST_KEY).then_some(at + 1)
    }

    /// Past the dash, what stands behind it.
    fn item(&mut self) -> Outcome<Said> {
        self.at += 1;
        self.fresh = false;
        self.node(false, true)
    }

    /// A node in a block, or an empty one where it would be. The value of a key may be a list that is not
    /// indented; a map or a list may begin in the line only where no key goes before it (`open`).
    fn node(&mut self, value: bool, mut open: bool) -> Outcome<Said> {
        let parent = self.indent();
        let empty = self.at;
        let mut byte = self.skip()?;
        if byte == Some(b'&') && !self.fresh {
            self.anchor = Some(self.read_name()?);
            open = false;
            byte = self.skip()?;
        }
        let column = self.column();
        // Lines that are not indented more belong to what is around, but for dashes under a key.
        let outside = byte.is_none()
            || self.fresh
                && parent.is_some_and(|parent| {
                    column < parent || column == parent && !(value && self.is_dash(self.at))
                });
        if outside {
            self.next = Next::After;
            let style = Style::Plain;
            let text = Text { start: empty, end: empty, style, written: Some((empty, empty)), lines: false };
            return if self.anchor.is_none() { Ok(self.say_scalar(text)) } else { Err(Unusual) };
        }
        open |= self.fresh;
        match byte {
            Some(b'-') if self.is_dash(self.at) => {
                if !open {
                    return Err(Unusual);
                }
                let loose = parent == Some(column) && self.fresh;
                self.levels.push(if loose { Level::Loose(column) } else { Level::Seq(column) });
                self.next = Next::Dash;
                Ok(self.say(Said::SequenceStart { flow: false }, self.at, self.at))
            }
            Some(b'[' | b'{') => Ok(self.flow_start()),
            Some(b'*') if self.anchor.is_none() => self.alias(),
            Some(b'|' | b'>') => {
                let text = self.block_scalar(parent)?;
                self.next = Next::After;
                Ok(self.say_scalar(text))
            }
            _ => {
                let text = self.read_scalar()?;
                self.fresh = false;
                match self.colon(&text) {
                    None => {
                        self.next = Next::After;
                        Ok(self.say_scalar(text))
                    }
                    Some(colon) if open => {
                        self.levels.push(Level::Map(column));
                        self.at = colon;
                        self.scalar = text;
                        self.next = Next::Held;
                        Ok(self.say(Said::MappingStart { flow: false }, text.start, text.start))
                    }
                    Some(_) => Err(Unusual),
                }
            }
        }
    }

    /// The name after the `&` or `*` that is there; the scanner goes past it.
    fn read_name(&mut self) -> Outcome<Anchor<'t>> {
        let at = self.at;
        let fits = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let end = at + 1 + self.bytes[at + 1..].iter().take_while(|b| fits(b)).count();
        self.at = end;
        let flow = self.in_flow() && matches!(self.byte(end), Some(b',' | b']' | b'}'));
        if end == at + 1 || !(self.is_blank(end) || flow) {
            return Err(Unusual);
        }
        Ok(Anchor { name: &self.text[at + 1..end], at })
    }

    fn alias(&mut self) -> Outcome<Said> {
        let anchor = self.read_name()?;
        self.anchor = Some(anchor);
        self.next = Next::After;
        self.fresh = false;
        Ok(self.say(Said::Alias, anchor.at, self.at))
    }

    fn flow_start(&mut self) -> Said {
        let map = self.byte(self.at) == Some(b'{');
        self.at += 1;
        self.fresh = false;
        let (level, next, said) = match map {
            true => (Level::FlowMap, Next::FlowKey, Said::MappingStart { flow: true }),
            false => (Level::FlowSeq, Next::FlowItem, Said::SequenceStart { flow: true }),
        };
        self.levels.push(level);
        self.next = next;
        self.say(said, self.at - 1, self.at)
    }

    /// Past a comma.
    fn flow_next(&mut self, next: Next) -> Outcome<Said> {
        self.at += 1;
        self.fresh = false;
        self.next = next;
        self.advance()
    }

    fn end_flow(&mut self, said: Said) -> Said {
        self.levels.pop();
        self.at += 1;
        self.fresh = false;
        self.next = Next::After;
        self.say(said, self.at - 1, self.at)
    }

    fn flow_node(&mut self) -> Outcome<Said> {
        match self.skip()? {
            Some(b'[' | b'{') => Ok(self.flow_start()),
            Some(b'*') => self.alias(),
            _ => {
                let text = self.read_scalar()?;
                self.fresh = false;
                self.next = Next::After;
                Ok(self.say_scalar(text))
            }
        }
    }

    fn flow_key(&mut self) -> Outcome<Said> {
        let key = self.read_scalar()?;
        self.at = self.past_spaces(self.at);
        if self.byte(self.at) != Some(b':') || key.lines || self.at - key.start > LONGEST_KEY {
            return Err(Unusual);
        }
        self.at += 1;
        self.fresh = false;
        self.next = Next::FlowValue;
        Ok(self.say_scalar(key))
    }
}
