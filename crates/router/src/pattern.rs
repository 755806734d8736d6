//! Regular expressions: validated when the router is built, compiled on first use, and shared by routes with the same
//! source.

use std::{
    hash::{Hash, Hasher},
    sync::{Arc, OnceLock},
};

use ahash::AHashMap;
use regex_automata::{Anchored, Input, meta, util::syntax};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::expr::{Expr, Op};

/// Maximum compiled size of one expression, as in Kong's engine.
const MAX_COMPILED_BYTES: usize = 10 << 20;
/// Expressions with an estimate below this are not compiled to determine their size.
const MAX_UNCHECKED_BYTES: usize = 256 << 10;

/// Syntax of an expression, which depends on the flavor and the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Syntax {
    /// Kong's newer engine: Rust's syntax, Unicode, not anchored.
    Rust,
    /// A header of flavor `traditional`: bytes, not anchored, look-around and back-references allowed.
    Perl,
    /// A path of flavor `traditional`: as `Perl`, anchored at the start.
    PerlPath,
}

/// One expression.
pub(super) struct Pattern {
    source: Box<str>,
    syntax: Syntax,
    /// The literal prefix of every match, if the expression is anchored.
    prefix: Option<Box<[u8]>>,
    /// The longest literal that every match contains.
    substring: Option<Box<[u8]>>,
    groups: usize,
    engine: OnceLock<Engine>,
}

enum Engine {
    Linear(Box<meta::Regex>),
    Backtracking(Box<fancy_regex::Regex>),
}

/// The expressions of one router, deduplicated.
#[derive(Debug, Default)]
pub(super) struct Patterns(AHashMap<(Syntax, Box<str>), Arc<Pattern>>);

impl Patterns {
    /// Returns the pattern of a source, or the error message.
    pub fn get(&mut self, syntax: Syntax, source: &str) -> Result<Arc<Pattern>, String> {
        let key = (syntax, Box::from(source));
        if let Some(found) = self.0.get(&key) {
            return Ok(found.clone());
        }
        let pattern = Arc::new(Pattern::new(syntax, source)?);
        self.0.insert(key, pattern.clone());
        Ok(pattern)
    }

    /// Adds the patterns of an expression, which keeps those already compiled.
    pub fn add(&mut self, expr: &Expr) {
        expr.each(&mut |test| {
            if let Op::Regex(pattern) = &test.op {
                let key = (pattern.syntax, pattern.source.clone());
                self.0.entry(key).or_insert_with(|| Arc::clone(pattern));
            }
        });
    }
}

impl Pattern {
    fn new(syntax: Syntax, source: &str) -> Result<Pattern, String> {
        let mut pattern = Pattern {
            source: source.into(),
            syntax,
            prefix: None,
            substring: None,
            groups: 0,
            engine: OnceLock::new(),
        };
        match pattern.options().parse(source) {
            Ok(hir) => {
                if size(&hir) > MAX_UNCHECKED_BYTES {
                    pattern.linear(source).map_err(|e| too_big(&e))?;
                }
                pattern.groups = hir.properties().explicit_captures_len();
                pattern.prefix = literal_prefix(&hir, syntax == Syntax::PerlPath).map(Into::into);
                pattern.substring = longest_literal(&hir).map(Into::into);
            }
            Err(e) if syntax == Syntax::Rust => return Err(e.to_string()),
            Err(_) => {
                let engine = pattern.backtracking(source).map_err(|e| e.to_string())?;
                pattern.groups = engine.captures_len() - 1;
                let _ = pattern.engine.set(Engine::Backtracking(Box::new(
                    pattern.backtracking(&pattern.full()).map_err(|e| e.to_string())?,
                )));
            }
        }
        if syntax == Syntax::Perl {
            // Kong records captures of paths only.
            pattern.groups = 0;
        }
        Ok(pattern)
    }

    /// Number of groups whose captures are recorded.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// The literal prefix of every match.
    pub fn prefix(&self) -> Option<&[u8]> {
        self.prefix.as_deref()
    }

    /// A literal that every match contains.
    pub fn substring(&self) -> Option<&[u8]> {
        self.substring.as_deref()
    }

    /// Whether the text matches.
    pub fn is_match(&self, text: &[u8]) -> bool {
        match self.engine() {
            Some(Engine::Linear(regex)) => regex.is_match(self.input(text)),
            Some(Engine::Backtracking(regex)) => {
                std::str::from_utf8(text).is_ok_and(|text| regex.is_match(text).unwrap_or(false))
            }
            None => false,
        }
    }

    /// Returns the length of the match in a matching text.
    pub fn matched(&self, text: &[u8]) -> usize {
        match self.engine() {
            Some(Engine::Linear(regex)) if self.syntax == Syntax::Rust => {
                regex.find(self.input(text)).map_or(0, |m| m.len())
            }
            _ => self.captures(text, |_, _| {}),
        }
    }

    /// Calls `found` with every group that participates, by number and by name; number 0 is the whole match. Returns the
    /// length of the match.
    pub fn captures(&self, text: &[u8], mut found: impl FnMut(&str, &[u8])) -> usize {
        let mut spans: Vec<Option<(usize, usize)>> = Vec::new();
        let mut names: Vec<Option<String>> = Vec::new();
        match self.engine() {
            Some(Engine::Linear(regex)) => {
                let mut captures = regex.create_captures();
                regex.captures(self.input(text), &mut captures);
                spans.extend(captures.iter().map(|span| span.map(|s| (s.start, s.end))));
                names.extend(
                    captures
                        .group_info()
                        .pattern_names(regex_automata::PatternID::ZERO)
                        .map(|n| n.map(Into::into)),
                );
            }
            Some(Engine::Backtracking(regex)) => {
                if let Ok(Some(captures)) =
                    std::str::from_utf8(text).map_or(Ok(None), |text| regex.captures(text))
                {
                    spans.extend(captures.iter().map(|m| m.map(|m| (m.start(), m.end()))));
                    names.extend(regex.capture_names().map(|n| n.map(Into::into)));
                }
            }
            None => {}
        }
        let Some(Some(whole)) = spans.first().copied() else { return 0 };
        let matched = match self.syntax {
            Syntax::PerlPath => spans.pop().flatten().map_or(0, |(start, _)| start),
            _ => whole.1 - whole.0,
        };
        if self.syntax != Syntax::Perl {
            for (number, span) in spans.iter().enumerate() {
                let Some((start, end)) = *span else { continue };
                found(&number.to_string(), &text[start..end]);
                if let Some(Some(name)) = names.get(number) {
                    found(name, &text[start..end]);
                }
            }
        }
        matched
    }

    fn engine(&self) -> Option<&Engine> {
        if let Some(engine) = self.engine.get() {
            return Some(engine);
        }
        let engine = Engine::Linear(Box::new(self.linear(&self.full()).ok()?));
        Some(self.engine.get_or_init(|| engine))
    }

    /// Returns the source to compile: that of a path has an additional group for the remainder of the path.
    fn full(&self) -> String {
        match self.syntax {
            Syntax::PerlPath => format!("{}(?<uri_postfix>.*)", self.source),
            _ => self.source.to_string(),
        }
    }

    fn input<'t>(&self, text: &'t [u8]) -> Input<'t> {
        let anchored = if self.syntax == Syntax::PerlPath { Anchored::Yes } else { Anchored::No };
        Input::new(text).anchored(anchored)
    }

    fn options(&self) -> regex_syntax::Parser {
        let unicode = self.syntax == Syntax::Rust;
        regex_syntax::ParserBuilder::new().unicode(unicode).utf8(unicode).build()
    }

    fn linear(&self, source: &str) -> Result<meta::Regex, meta::BuildError> {
        let unicode = self.syntax == Syntax::Rust;
        meta::Builder::new()
            .syntax(syntax::Config::new().unicode(unicode).utf8(unicode))
            .configure(
                meta::Config::new()
                    .utf8_empty(unicode)
                    .nfa_size_limit(Some(MAX_COMPILED_BYTES))
                    // The DFA engines cost ten times the build time and memory, which short paths do not repay.
                    .dfa(false)
                    .hybrid(false)
                    .onepass(false),
            )
            .build(source)
    }

    fn backtracking(&self, source: &str) -> Result<fancy_regex::Regex, fancy_regex::Error> {
        let anchor = if self.syntax == Syntax::PerlPath { r"\A" } else { "" };
        // Kong has the same limit on backtracking.
        fancy_regex::RegexBuilder::new(&format!("{anchor}{source}")).backtrack_limit(10_000).build()
    }
}

fn too_big(error: &meta::BuildError) -> String {
    match error.size_limit() {
        Some(limit) => format!("Compiled regex exceeds size limit of {limit} bytes."),
        None => error.to_string(),
    }
}

/// Estimates an upper bound of the compiled size in bytes.
fn size(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 64,
        HirKind::Literal(literal) => 64 * literal.0.len(),
        HirKind::Class(Class::Bytes(_)) => 128,
        HirKind::Class(Class::Unicode(class)) => 128 + 128 * class.ranges().len(),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1) as usize;
            size(&repetition.sub).saturating_mul(times).saturating_add(64)
        }
        HirKind::Capture(capture) => size(&capture.sub).saturating_add(128),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(size).fold(64, usize::saturating_add)
        }
    }
}

/// Returns the literal prefix of an anchored expression; `None` if it is not anchored.
fn literal_prefix(hir: &Hir, mut anchored: bool) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut parts: Vec<&Hir> = vec![hir];
    while let Some(part) = parts.pop() {
        match part.kind() {
            HirKind::Concat(more) => parts.extend(more.iter().rev()),
            HirKind::Capture(capture) => parts.push(&capture.sub),
            HirKind::Look(Look::Start) => anchored = true,
            HirKind::Literal(literal) if anchored => out.extend_from_slice(&literal.0),
            _ => break,
        }
    }
    anchored.then_some(out)
}

/// Returns the longest literal that every match contains.
fn longest_literal(hir: &Hir) -> Option<Vec<u8>> {
    let mut best = Vec::new();
    let mut run = Vec::new();
    let mut parts: Vec<&Hir> = vec![hir];
    while let Some(part) = parts.pop() {
        match part.kind() {
            HirKind::Concat(more) => parts.extend(more.iter().rev()),
            HirKind::Capture(capture) => parts.push(&capture.sub),
            HirKind::Literal(literal) => run.extend_from_slice(&literal.0),
            HirKind::Look(_) | HirKind::Empty => {}
            _ => run.clear(),
        }
        if run.len() > best.len() {
            best.clone_from(&run);
        }
    }
    (!best.is_empty()).then_some(best)
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", self.syntax, self.source)
    }
}
impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.syntax == other.syntax && self.source == other.source
    }
}
impl Eq for Pattern {}
impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.syntax, &self.source).hash(state);
    }
}
