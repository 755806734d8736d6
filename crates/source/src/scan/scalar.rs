//! Scalars: plain ones, those in quotes, and those after `|` and `>`.

use super::{Outcome, Scan, Style, Text, Unusual};

/// What a byte may do inside a plain scalar.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Text,
    /// Ends it, as what follows decides.
    Blank,
    Colon,
    /// Ends it in brackets and braces.
    Flow,
}

const ROLES: [Role; 256] = {
    let mut roles = [Role::Text; 256];
    roles[b' ' as usize] = Role::Blank;
    roles[b'\t' as usize] = Role::Blank;
    roles[b'\n' as usize] = Role::Blank;
    roles[b':' as usize] = Role::Colon;
    roles[b',' as usize] = Role::Flow;
    roles[b'[' as usize] = Role::Flow;
    roles[b']' as usize] = Role::Flow;
    roles[b'{' as usize] = Role::Flow;
    roles[b'}' as usize] = Role::Flow;
    roles
};

impl Scan<'_> {
    /// A scalar that is plain or in quotes.
    pub(super) fn read_scalar(&mut self) -> Outcome<Text> {
        let flow = self.in_flow();
        let blank = self.is_blank(self.at + 1);
        match self.byte(self.at).ok_or(Unusual)? {
            quote @ (b'"' | b'\'') => self.quoted(quote),
            b'-' if !blank => self.plain(flow),
            b'?' | b':' if !flow && !blank => self.plain(flow),
            b'-' | b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|'
            | b'>' | b'%' | b'@' | b'`' => Err(Unusual),
            _ => self.plain(flow),
        }
    }

    fn plain(&mut self, flow: bool) -> Outcome<Text> {
        let start = self.at;
        let mut end = self.words(start, flow)?;
        let mut made = false;
        while let Some((next, line, breaks)) = self.continued(end, flow)? {
            if !made {
                self.made.clear();
                self.made.push_str(&self.text[start..end]);
                made = true;
            }
            self.fold(breaks);
            self.line = line;
            end = self.words(next, flow)?;
            self.made.push_str(&self.text[next..end]);
        }
        self.at = end;
        Ok(Text { start, end, style: Style::Plain, written: (!made).then_some((start, end)), lines: made })
    }

    /// Where the part of a plain scalar ends that stands in one line.
    fn words(&self, start: usize, flow: bool) -> Outcome<usize> {
        let mut at = start;
        loop {
            let rest = &self.bytes[at..];
            at += rest.iter().position(|&b| ROLES[usize::from(b)] != Role::Text).unwrap_or(rest.len());
            match self.byte(at) {
                None | Some(b'\n') => return Ok(at),
                Some(b':') if self.is_blank(at + 1) => return Ok(at),
                Some(b':') if flow && matches!(self.byte(at + 1), Some(b'?')) => return Err(Unusual),
                Some(b':') if flow && self.role(at + 1) == Role::Flow => return Err(Unusual),
                Some(b':') => at += 1,
                Some(b' ') => {
                    let next = self.past_spaces(at);
                    if self.is_blank(next) || self.byte(next) == Some(b'#') || self.ends_plain(next, flow) {
                        return Ok(at);
                    }
                    at = next;
                }
                Some(b'\t') => return Err(Unusual),
                Some(_) if flow => return Ok(at),
                Some(_) => at += 1,
            }
        }
    }

    fn role(&self, at: usize) -> Role {
        self.byte(at).map_or(Role::Blank, |b| ROLES[usize::from(b)])
    }

    pub(super) fn past_spaces(&self, mut at: usize) -> usize {
        while self.byte(at) == Some(b' ') {
            at += 1;
        }
        at
    }

    /// Whether what is there, after a blank, ends a plain scalar.
    fn ends_plain(&self, at: usize, flow: bool) -> bool {
        self.byte(at) == Some(b':') && self.is_blank(at + 1) || flow && self.role(at) == Role::Flow
    }

    /// Where a plain scalar goes on in a later line, where that line begins, and how many line ends lie
    /// between.
    fn continued(&self, end: usize, flow: bool) -> Outcome<Option<(usize, usize, usize)>> {
        let mut at = self.past_spaces(end);
        let (mut line, mut breaks) = (at, 0);
        while self.byte(at) == Some(b'\n') {
            breaks += 1;
            line = at + 1;
            at = self.past_spaces(line);
        }
        let inside = flow || self.indent().is_none_or(|indent| at - line > indent);
        let ends = |at| matches!(self.byte(at), None | Some(b'#')) || self.ends_plain(at, flow);
        if breaks == 0 || !inside {
            return Ok(None);
        }
        match self.byte(at) {
            Some(b'\t') => Err(Unusual),
            _ if at == line && self.is_marker(at) => Err(Unusual),
            _ => Ok((!ends(at)).then_some((at, line, breaks))),
        }
    }

    /// One line end is a space; of several, the first goes.
    fn fold(&mut self, breaks: usize) {
        match breaks {
            1 => self.made.push(' '),
            more => self.made.extend(std::iter::repeat_n('\n', more - 1)),
        }
    }

    fn quoted(&mut self, quote: u8) -> Outcome<Text> {
        let start = self.at;
        let style = Style::Quoted;
        let rest = &self.bytes[start + 1..];
        let first = memchr::memchr3(quote, b'\\', b'\n', rest).ok_or(Unusual)? + start + 1;
        let doubled = quote == b'\'' && self.byte(first + 1) == Some(quote);
        if self.bytes[first] == quote && !doubled {
            self.at = first + 1;
            let written = Some((start + 1, first));
            return Ok(Text { start, end: self.at, style, written, lines: false });
        }
        self.made.clear();
        let mut at = start + 1;
        let mut lines = false;
        loop {
            let from = at;
            let ends =
                |&b: &u8| b == quote || matches!(b, b' ' | b'\t' | b'\n') || b == b'\\' && quote == b'"';
            at += self.bytes[at..].iter().position(ends).ok_or(Unusual)?;
            self.made.push_str(&self.text[from..at]);
            match self.bytes[at] {
                b'\'' if quote == b'\'' && self.byte(at + 1) == Some(b'\'') => {
                    self.made.push('\'');
                    at += 2;
                }
                b if b == quote => break,
                b'\\' => at = self.escape(at + 1)?,
                _ => {
                    let blanks = at;
                    at = self.past_blanks(at);
                    if self.byte(at) != Some(b'\n') {
                        self.made.push_str(&self.text[blanks..at]);
                        continue;
                    }
                    let mut breaks = 0;
                    while self.byte(at) == Some(b'\n') {
                        breaks += 1;
                        self.line = at + 1;
                        at = self.past_blanks(at + 1);
                    }
                    lines = true;
                    self.fold(breaks);
                    if at == self.line && self.is_marker(at) {
                        return Err(Unusual);
                    }
                }
            }
        }
        self.at = at + 1;
        Ok(Text { start, end: self.at, style, written: None, lines })
    }

    fn past_blanks(&self, mut at: usize) -> usize {
        while matches!(self.byte(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        at
    }

    /// Adds what is escaped there, after the backslash; where it ends.
    fn escape(&mut self, at: usize) -> Outcome<usize> {
        let digits = match self.byte(at).ok_or(Unusual)? {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            letter => {
                self.made.push(match letter {
                    b'0' => '\0',
                    b'a' => '\x07',
                    b'b' => '\x08',
                    b't' | b'\t' => '\t',
                    b'n' => '\n',
                    b'v' => '\x0b',
                    b'f' => '\x0c',
                    b'r' => '\r',
                    b'e' => '\x1b',
                    b' ' | b'"' | b'/' | b'\\' => char::from(letter),
                    b'N' => '\u{85}',
                    b'_' => '\u{a0}',
                    b'L' => '\u{2028}',
                    b'P' => '\u{2029}',
                    // A line's end, too: it takes the blanks of the next line with it.
                    _ => return Err(Unusual),
                });
                return Ok(at + 1);
            }
        };
        let end = at + 1 + digits;
        let code = self.text.get(at + 1..end).filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = code.and_then(|code| u32::from_str_radix(code, 16).ok());
        self.made.push(code.and_then(char::from_u32).ok_or(Unusual)?);
        Ok(end)
    }

    /// A scalar after `|` or `>`, inside a block at that column.
    pub(super) fn block_scalar(&mut self, parent: Option<usize>) -> Outcome<Text> {
        let start = self.at;
        let literal = self.bytes[start] == b'|';
        let (mut chomp, mut more) = (None, None);
        self.at += 1;
        while let Some(b @ (b'+' | b'-' | b'1'..=b'9')) = self.byte(self.at) {
            let known = if b.is_ascii_digit() { &mut more } else { &mut chomp };
            if known.replace(b).is_some() {
                return Err(Unusual);
            }
            self.at += 1;
        }
        self.at = self.past_spaces(self.at);
        let rest = &self.bytes[self.at..];
        let end = memchr::memchr(b'\n', rest).ok_or(Unusual)?;
        if end > 0 && rest[0] != b'#' {
            return Err(Unusual);
        }
        self.at += end + 1;
        self.line = self.at;
        self.fresh = true;
        self.made.clear();
        let given = more.map(|digit| parent.unwrap_or(0) + usize::from(digit - b'0'));
        let (mut end, mut breaks, mut deepest) = (self.at, 0, 0);
        self.block_breaks(given, &mut end, &mut breaks, &mut deepest)?;
        let indent = given.unwrap_or_else(|| deepest.max(parent.map_or(1, |parent| parent + 1)));
        // The line end before the line at hand, and whether that line, and the one before it, begin with a blank.
        let (mut ended, mut blank) = (false, false);
        while self.column() == indent && self.at < self.bytes.len() {
            let blank_before =
                std::mem::replace(&mut blank, matches!(self.byte(self.at), Some(b' ' | b'\t')));
            if ended && !literal && !blank_before && !blank {
                if breaks == 0 {
                    self.made.push(' ');
                }
            } else if ended {
                self.made.push('\n');
            }
            self.made.extend(std::iter::repeat_n('\n', std::mem::take(&mut breaks)));
            let rest = &self.bytes[self.at..];
            let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            self.made.push_str(&self.text[self.at..self.at + length]);
            self.at += length;
            ended = self.at < self.bytes.len();
            if ended {
                self.at += 1;
                self.line = self.at;
            }
            self.block_breaks(Some(indent), &mut end, &mut breaks, &mut deepest)?;
        }
        if ended && chomp != Some(b'-') {
            self.made.push('\n');
        }
        if chomp == Some(b'+') {
            self.made.extend(std::iter::repeat_n('\n', breaks));
        }
        Ok(Text { start, end, style: Style::Block, written: None, lines: true })
    }

    /// Past blank lines and the indentation: where the text ended, how many line ends there were, and how far
    /// blanks went.
    fn block_breaks(
        &mut self,
        indent: Option<usize>,
        end: &mut usize,
        breaks: &mut usize,
        deepest: &mut usize,
    ) -> Outcome<()> {
        *end = self.at;
        loop {
            let inside = |column| indent.is_none_or(|indent| column < indent);
            while inside(self.column()) && self.byte(self.at) == Some(b' ') {
                self.at += 1;
            }
            *deepest = self.column().max(*deepest);
            match self.byte(self.at) {
                Some(b'\t') if inside(self.column()) => return Err(Unusual),
                Some(b'\n') => {
                    *breaks += 1;
                    self.at += 1;
                    self.line = self.at;
                    *end = self.at;
                }
                _ => return Ok(()),
            }
        }
    }
}
