//! Lua patterns: character classes, `* + - ?`, captures, `%b()`, `%f[set]`, back-references.
//!
//! Matching backtracks, so that both its steps and its recursion depth are limited.

use super::Env;

/// A match of a pattern.
#[derive(Debug)]
pub struct Match {
    /// Start of the match.
    pub start: usize,
    /// End of the match.
    pub end: usize,
    captures: Vec<Capture>,
}

/// Value of a capture.
#[derive(Debug)]
pub enum CaptureValue<'t> {
    /// Text matched by `(…)`.
    Text(&'t [u8]),
    /// Position of `()`, counted from 1.
    Position(usize),
}

impl Match {
    /// Returns a capture, counted from 1. If the pattern has no captures, the first one is the whole match.
    pub fn capture<'t>(&self, text: &'t [u8], at: usize) -> Option<CaptureValue<'t>> {
        if self.captures.is_empty() && at == 1 {
            return Some(CaptureValue::Text(&text[self.start..self.end]));
        }
        let capture = self.captures.get(at - 1)?;
        Some(match capture.length {
            CaptureLength::Known(length) => CaptureValue::Text(&text[capture.start..capture.start + length]),
            CaptureLength::Open | CaptureLength::Position => CaptureValue::Position(capture.start + 1),
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Capture {
    start: usize,
    length: CaptureLength,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CaptureLength {
    Open,
    Known(usize),
    Position,
}

/// Maximum number of captures of a pattern: the limit of Lua.
const MAX_CAPTURES: usize = 32;

/// Maximum recursion depth of a match.
const MAX_DEPTH: usize = 200;

/// Finds the first match at or after `start`.
pub fn find(text: &[u8], pattern: &[u8], start: usize, env: &Env<'_>) -> Result<Option<Match>, String> {
    for at in start..=text.len() {
        let found = match_at(text, pattern, at, env)?;
        if found.is_some() || pattern.first() == Some(&b'^') {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Matches at a position; a leading `^` is ignored.
pub fn match_at(text: &[u8], pattern: &[u8], at: usize, env: &Env<'_>) -> Result<Option<Match>, String> {
    let pattern = pattern.strip_prefix(b"^").unwrap_or(pattern);
    let mut matcher = Matcher { text, pattern, env, captures: Vec::new(), depth: 0 };
    let end = matcher.match_from(at, 0)?;
    if end.is_some() && matcher.captures.iter().any(|capture| capture.length == CaptureLength::Open) {
        return Err("unfinished capture".to_owned());
    }
    Ok(end.map(|end| Match { start: at, end, captures: matcher.captures }))
}

struct Matcher<'t, 'e, 'r> {
    text: &'t [u8],
    pattern: &'t [u8],
    env: &'e Env<'r>,
    captures: Vec<Capture>,
    depth: usize,
}

type MatchResult = Result<Option<usize>, String>;

impl Matcher<'_, '_, '_> {
    /// Matches the pattern from `p` on against the text at `s`, one level deeper; returns the end of the match.
    fn match_from(&mut self, s: usize, p: usize) -> MatchResult {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("pattern too complex".to_owned());
        }
        let end = self.match_here(s, p);
        self.depth -= 1;
        end
    }

    fn match_here(&mut self, mut s: usize, mut p: usize) -> MatchResult {
        loop {
            self.env.charge(1)?;
            let Some(first) = self.pattern.get(p) else { return Ok(Some(s)) };
            match (first, self.pattern.get(p + 1)) {
                (b'(', Some(b')')) => return self.open_capture(s, p + 2, CaptureLength::Position),
                (b'(', _) => return self.open_capture(s, p + 1, CaptureLength::Open),
                (b')', _) => return self.close_capture(s, p + 1),
                (b'$', None) => return Ok((s == self.text.len()).then_some(s)),
                (b'%', Some(b'b')) => {
                    let Some(end) = self.match_balanced(s, p + 2)? else { return Ok(None) };
                    (s, p) = (end, p + 4);
                    continue;
                }
                (b'%', Some(b'f')) => {
                    p += 2;
                    if self.pattern.get(p) != Some(&b'[') {
                        return Err("missing '[' after '%f' in pattern".to_owned());
                    }
                    let end = self.item_end(p)?;
                    let before = if s == 0 { 0 } else { self.text[s - 1] };
                    let here = self.text.get(s).copied().unwrap_or(0);
                    if self.matches_item(before, p, end) || !self.matches_item(here, p, end) {
                        return Ok(None);
                    }
                    p = end;
                    continue;
                }
                (b'%', Some(digit @ b'0'..=b'9')) => {
                    let range = self.capture_range(*digit)?;
                    self.env.charge(range.len())?;
                    let repeats = self.text[s..].starts_with(&self.text[range.clone()]);
                    if !repeats {
                        return Ok(None);
                    }
                    (s, p) = (s + range.len(), p + 2);
                    continue;
                }
                _ => {}
            }
            let end = self.item_end(p)?;
            // Matching a set scans the pattern up to its end.
            self.env.charge(end - p)?;
            let matches = self.text.get(s).is_some_and(|byte| self.matches_item(*byte, p, end));
            match self.pattern.get(end) {
                Some(b'?') => {
                    if matches && let Some(found) = self.match_from(s + 1, end + 1)? {
                        return Ok(Some(found));
                    }
                    p = end + 1;
                }
                Some(b'+') => return if matches { self.match_greedy(s + 1, p, end) } else { Ok(None) },
                Some(b'*') => return self.match_greedy(s, p, end),
                Some(b'-') => return self.match_lazy(s, p, end),
                _ if matches => (s, p) = (s + 1, end),
                _ => return Ok(None),
            }
        }
    }

    /// Matches as many repetitions of an item as possible, then the remaining pattern.
    fn match_greedy(&mut self, s: usize, p: usize, end: usize) -> MatchResult {
        let mut count = 0;
        while self.text.get(s + count).is_some_and(|byte| self.matches_item(*byte, p, end)) {
            count += 1;
            self.env.charge(end - p)?;
        }
        loop {
            if let Some(found) = self.match_from(s + count, end + 1)? {
                return Ok(Some(found));
            }
            if count == 0 {
                return Ok(None);
            }
            count -= 1;
        }
    }

    /// Matches as few repetitions of an item as possible, then the remaining pattern.
    fn match_lazy(&mut self, mut s: usize, p: usize, end: usize) -> MatchResult {
        loop {
            if let Some(found) = self.match_from(s, end + 1)? {
                return Ok(Some(found));
            }
            match self.text.get(s) {
                Some(byte) if self.matches_item(*byte, p, end) => s += 1,
                _ => return Ok(None),
            }
        }
    }

    fn open_capture(&mut self, s: usize, p: usize, length: CaptureLength) -> MatchResult {
        if self.captures.len() == MAX_CAPTURES {
            return Err("too many captures".to_owned());
        }
        self.captures.push(Capture { start: s, length });
        let found = self.match_from(s, p)?;
        if found.is_none() {
            self.captures.pop();
        }
        Ok(found)
    }

    fn close_capture(&mut self, s: usize, p: usize) -> MatchResult {
        let open = self.captures.iter().rposition(|capture| capture.length == CaptureLength::Open);
        let at = open.ok_or("invalid pattern capture")?;
        self.captures[at].length = CaptureLength::Known(s - self.captures[at].start);
        let found = self.match_from(s, p)?;
        if found.is_none() {
            self.captures[at].length = CaptureLength::Open;
        }
        Ok(found)
    }

    /// Matches `%bxy`: from `x` to the balancing `y`.
    fn match_balanced(&self, s: usize, p: usize) -> MatchResult {
        let (Some(open), Some(close)) = (self.pattern.get(p), self.pattern.get(p + 1)) else {
            return Err("unbalanced pattern".to_owned());
        };
        if self.text.get(s) != Some(open) {
            return Ok(None);
        }
        let mut depth = 1_usize;
        for (at, byte) in self.text.iter().enumerate().skip(s + 1) {
            self.env.charge(1)?;
            if byte == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(at + 1));
                }
            } else if byte == open {
                depth += 1;
            }
        }
        Ok(None)
    }

    /// Returns the range of the capture that the back-reference `%1` to `%9` refers to.
    fn capture_range(&self, digit: u8) -> Result<std::ops::Range<usize>, String> {
        let capture = usize::from(digit).checked_sub(usize::from(b'1')).and_then(|at| self.captures.get(at));
        match capture {
            Some(Capture { start, length: CaptureLength::Known(length) }) => Ok(*start..start + length),
            _ => Err("invalid capture index".to_owned()),
        }
    }

    /// Returns the end of the pattern item at `p`: a character, `%x`, or a set in brackets.
    fn item_end(&self, p: usize) -> Result<usize, String> {
        match self.pattern[p] {
            b'%' if p + 1 == self.pattern.len() => Err("malformed pattern (ends with '%')".to_owned()),
            b'%' => Ok(p + 2),
            b'[' => {
                let mut at = p + 1 + usize::from(self.pattern.get(p + 1) == Some(&b'^'));
                // A bracket in first position is a member of the set.
                let first = at;
                loop {
                    match self.pattern.get(at) {
                        None => return Err("malformed pattern (missing ']')".to_owned()),
                        Some(b']') if at > first => return Ok(at + 1),
                        Some(b'%') => at += 2,
                        Some(_) => at += 1,
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    /// Returns whether a byte matches the pattern item between `p` and `end`.
    fn matches_item(&self, byte: u8, p: usize, end: usize) -> bool {
        match self.pattern[p] {
            b'.' => true,
            b'%' => matches_class(byte, self.pattern[p + 1]),
            b'[' => matches_set(byte, &self.pattern[p + 1..end - 1]),
            plain => plain == byte,
        }
    }
}

fn matches_set(byte: u8, set: &[u8]) -> bool {
    let (negated, mut set) = match set.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, set),
    };
    let mut found = false;
    while let Some((first, rest)) = set.split_first() {
        (found, set) = match (first, rest) {
            (b'%', [named, rest @ ..]) => (found || matches_class(byte, *named), rest),
            (from, [b'-', to, rest @ ..]) => (found || (*from..=*to).contains(&byte), rest),
            (plain, rest) => (found || *plain == byte, rest),
        };
    }
    found != negated
}

/// Returns whether a byte is in the class `%a`, `%d` and so on. An uppercase letter negates the class.
fn matches_class(byte: u8, name: u8) -> bool {
    let is_member = match name.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'g' => byte.is_ascii_graphic(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 11,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return name == byte,
    };
    is_member != name.is_ascii_uppercase()
}
