//! Scanning of scalars: plain, quoted, and block (`|`, `>`).

use super::{Outcome, ScalarStyle, ScalarToken, Scanner, Unsupported};

/// Classes of bytes inside a plain scalar.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    ScalarToken,
    /// May end it, depending on the next byte.
    Blank,
    Colon,
    /// Ends it inside a flow collection.
    Flow,
}

const ROLES: [Role; 256] = {
    let mut roles = [Role::ScalarToken; 256];
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

impl Scanner<'_> {
    /// Scans a plain or quoted scalar.
    pub(super) fn read_scalar(&mut self) -> Outcome<ScalarToken> {
        let flow = self.in_flow();
        let blank = self.is_blank(self.at + 1);
        match self.byte(self.at).ok_or(Unsupported)? {
            quote @ (b'"' | b'\'') => self.quoted(quote),
            b'-' if !blank => self.plain(flow),
            b'?' | b':' if !flow && !blank => self.plain(flow),
            b'-' | b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|'
            | b'>' | b'%' | b'@' | b'`' => Err(Unsupported),
            _ => self.plain(flow),
        }
    }

    fn plain(&mut self, flow: bool) -> Outcome<ScalarToken> {
        let start = self.at;
        let mut end = self.plain_line_end(start, flow)?;
        let mut decoded = false;
        while let Some((next, line, breaks)) = self.continuation(end, flow)? {
            if !decoded {
                self.decoded.clear();
                self.decoded.push_str(&self.text[start..end]);
                decoded = true;
            }
            self.fold(breaks);
            self.line = line;
            end = self.plain_line_end(next, flow)?;
            self.decoded.push_str(&self.text[next..end]);
        }
        self.at = end;
        Ok(ScalarToken {
            start,
            end,
            style: ScalarStyle::Plain,
            source: (!decoded).then_some((start, end)),
            is_multiline: decoded,
        })
    }

    /// Returns the end of the part of a plain scalar that is on the current line.
    fn plain_line_end(&self, start: usize, flow: bool) -> Outcome<usize> {
        let mut at = start;
        loop {
            let rest = &self.bytes[at..];
            at += rest.iter().position(|&b| ROLES[usize::from(b)] != Role::ScalarToken).unwrap_or(rest.len());
            match self.byte(at) {
                None | Some(b'\n') => return Ok(at),
                Some(b':') if self.is_blank(at + 1) => return Ok(at),
                Some(b':') if flow && matches!(self.byte(at + 1), Some(b'?')) => return Err(Unsupported),
                Some(b':') if flow && self.role(at + 1) == Role::Flow => return Err(Unsupported),
                Some(b':') => at += 1,
                Some(b' ') => {
                    let next = self.skip_spaces_from(at);
                    if self.is_blank(next) || self.byte(next) == Some(b'#') || self.ends_plain(next, flow) {
                        return Ok(at);
                    }
                    at = next;
                }
                Some(b'\t') => return Err(Unsupported),
                Some(_) if flow => return Ok(at),
                Some(_) => at += 1,
            }
        }
    }

    fn role(&self, at: usize) -> Role {
        self.byte(at).map_or(Role::Blank, |b| ROLES[usize::from(b)])
    }

    pub(super) fn skip_spaces_from(&self, mut at: usize) -> usize {
        while self.byte(at) == Some(b' ') {
            at += 1;
        }
        at
    }

    /// Returns whether the byte at that offset, after a blank, ends a plain scalar.
    fn ends_plain(&self, at: usize, flow: bool) -> bool {
        self.byte(at) == Some(b':') && self.is_blank(at + 1) || flow && self.role(at) == Role::Flow
    }

    /// Returns where a plain scalar continues on a later line, the start of that line, and the number of line
    /// breaks in between.
    fn continuation(&self, end: usize, flow: bool) -> Outcome<Option<(usize, usize, usize)>> {
        let mut at = self.skip_spaces_from(end);
        let (mut line, mut breaks) = (at, 0);
        while self.byte(at) == Some(b'\n') {
            breaks += 1;
            line = at + 1;
            at = self.skip_spaces_from(line);
        }
        let inside = flow || self.indent().is_none_or(|indent| at - line > indent);
        let ends = |at| matches!(self.byte(at), None | Some(b'#')) || self.ends_plain(at, flow);
        if breaks == 0 || !inside {
            return Ok(None);
        }
        match self.byte(at) {
            Some(b'\t') => Err(Unsupported),
            _ if at == line && self.is_marker(at) => Err(Unsupported),
            _ => Ok((!ends(at)).then_some((at, line, breaks))),
        }
    }

    /// Folds line breaks: one becomes a space; of several, the first is dropped.
    fn fold(&mut self, breaks: usize) {
        match breaks {
            1 => self.decoded.push(' '),
            more => self.decoded.extend(std::iter::repeat_n('\n', more - 1)),
        }
    }

    fn quoted(&mut self, quote: u8) -> Outcome<ScalarToken> {
        let start = self.at;
        let style = ScalarStyle::Quoted;
        let rest = &self.bytes[start + 1..];
        let first = memchr::memchr3(quote, b'\\', b'\n', rest).ok_or(Unsupported)? + start + 1;
        let doubled = quote == b'\'' && self.byte(first + 1) == Some(quote);
        if self.bytes[first] == quote && !doubled {
            self.at = first + 1;
            let source = Some((start + 1, first));
            return Ok(ScalarToken { start, end: self.at, style, source, is_multiline: false });
        }
        self.decoded.clear();
        let mut at = start + 1;
        let mut is_multiline = false;
        loop {
            let from = at;
            let ends =
                |&b: &u8| b == quote || matches!(b, b' ' | b'\t' | b'\n') || b == b'\\' && quote == b'"';
            at += self.bytes[at..].iter().position(ends).ok_or(Unsupported)?;
            self.decoded.push_str(&self.text[from..at]);
            match self.bytes[at] {
                b'\'' if quote == b'\'' && self.byte(at + 1) == Some(b'\'') => {
                    self.decoded.push('\'');
                    at += 2;
                }
                b if b == quote => break,
                b'\\' => at = self.escape(at + 1)?,
                _ => {
                    let blanks = at;
                    at = self.skip_blanks_from(at);
                    if self.byte(at) != Some(b'\n') {
                        self.decoded.push_str(&self.text[blanks..at]);
                        continue;
                    }
                    let mut breaks = 0;
                    while self.byte(at) == Some(b'\n') {
                        breaks += 1;
                        self.line = at + 1;
                        at = self.skip_blanks_from(at + 1);
                    }
                    is_multiline = true;
                    self.fold(breaks);
                    if at == self.line && self.is_marker(at) {
                        return Err(Unsupported);
                    }
                }
            }
        }
        self.at = at + 1;
        Ok(ScalarToken { start, end: self.at, style, source: None, is_multiline })
    }

    fn skip_blanks_from(&self, mut at: usize) -> usize {
        while matches!(self.byte(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        at
    }

    /// Decodes an escape after its backslash and returns its end.
    fn escape(&mut self, at: usize) -> Outcome<usize> {
        let digits = match self.byte(at).ok_or(Unsupported)? {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            letter => {
                self.decoded.push(match letter {
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
                    // Includes an escaped line break, which also consumes the indentation of the next line.
                    _ => return Err(Unsupported),
                });
                return Ok(at + 1);
            }
        };
        let end = at + 1 + digits;
        let code = self.text.get(at + 1..end).filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = code.and_then(|code| u32::from_str_radix(code, 16).ok());
        self.decoded.push(code.and_then(char::from_u32).ok_or(Unsupported)?);
        Ok(end)
    }

    /// Scans a block scalar whose parent block is at that column.
    pub(super) fn block_scalar(&mut self, parent: Option<usize>) -> Outcome<ScalarToken> {
        let start = self.at;
        let literal = self.bytes[start] == b'|';
        let (mut chomp, mut more) = (None, None);
        self.at += 1;
        while let Some(b @ (b'+' | b'-' | b'1'..=b'9')) = self.byte(self.at) {
            let known = if b.is_ascii_digit() { &mut more } else { &mut chomp };
            if known.replace(b).is_some() {
                return Err(Unsupported);
            }
            self.at += 1;
        }
        self.at = self.skip_spaces_from(self.at);
        let rest = &self.bytes[self.at..];
        let end = memchr::memchr(b'\n', rest).ok_or(Unsupported)?;
        if end > 0 && rest[0] != b'#' {
            return Err(Unsupported);
        }
        self.at += end + 1;
        self.line = self.at;
        self.at_line_start = true;
        self.decoded.clear();
        let given = more.map(|digit| parent.unwrap_or(0) + usize::from(digit - b'0'));
        let (mut end, mut breaks, mut deepest) = (self.at, 0, 0);
        self.block_breaks(given, &mut end, &mut breaks, &mut deepest)?;
        let indent = given.unwrap_or_else(|| deepest.max(parent.map_or(1, |parent| parent + 1)));
        // The previous line break, and whether the current and the previous line start with a blank.
        let (mut ended, mut blank) = (false, false);
        while self.column() == indent && self.at < self.bytes.len() {
            let blank_before =
                std::mem::replace(&mut blank, matches!(self.byte(self.at), Some(b' ' | b'\t')));
            if ended && !literal && !blank_before && !blank {
                if breaks == 0 {
                    self.decoded.push(' ');
                }
            } else if ended {
                self.decoded.push('\n');
            }
            self.decoded.extend(std::iter::repeat_n('\n', std::mem::take(&mut breaks)));
            let rest = &self.bytes[self.at..];
            let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            self.decoded.push_str(&self.text[self.at..self.at + length]);
            self.at += length;
            ended = self.at < self.bytes.len();
            if ended {
                self.at += 1;
                self.line = self.at;
            }
            self.block_breaks(Some(indent), &mut end, &mut breaks, &mut deepest)?;
        }
        if ended && chomp != Some(b'-') {
            self.decoded.push('\n');
        }
        if chomp == Some(b'+') {
            self.decoded.extend(std::iter::repeat_n('\n', breaks));
        }
        Ok(ScalarToken { start, end, style: ScalarStyle::Block, source: None, is_multiline: true })
    }

    /// Skips blank lines and indentation. Returns the end of the content, the number of line breaks, and the
    /// widest indentation.
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
                Some(b'\t') if inside(self.column()) => return Err(Unsupported),
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
