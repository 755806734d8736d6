//! Diagnostics ("findings") about source files, as plain data. Rendering happens elsewhere.

use super::Span;

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Informational; never changes an exit code.
    Note,
    /// Accepted, but probably not intended.
    Warning,
    /// The file is rejected.
    Error,
}

/// Labelled source span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Span to underline.
    pub span: Span,
    /// Short text next to the underline; may be empty.
    pub text: String,
}

/// One segment of a path into the error tree of Kong's admin API. The tree mirrors the document, except that
/// errors about a whole entity are kept in a separate list (`@entity`) next to its fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorPathSegment {
    /// Map key.
    Key(String),
    /// List index, counted from 1.
    Index(usize),
    /// List of errors about the entity as a whole (`@entity`).
    Entity,
}

/// Text edit that fixes the cause of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Replaces the text of a span.
    Replace {
        /// Span to replace; an empty span inserts.
        span: Span,
        /// Replacement text.
        text: String,
    },
    /// Removes a list item or a map entry (key and value) together with its separator.
    Remove {
        /// Span of the item or entry.
        span: Span,
    },
}

/// One diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable code, such as `config/unknown-field`.
    pub code: &'static str,
    /// Severity.
    pub level: Level,
    /// Message without a trailing full stop. Never contains a secret.
    pub message: String,
    /// Labelled spans. The first is the primary location, the others support it.
    pub labels: Vec<Label>,
    /// Suggested correction, if known.
    pub help: Option<String>,
    /// Path of the value with 1-based indexes: `services[1].routes[2].paths[1]`.
    pub path: Option<String>,
    /// Paths and messages in the admin API's error tree, for a finding that Kong reports as well. Usually one; a
    /// failed conditional check also has one on the entity.
    pub kong_errors: Vec<(Vec<ErrorPathSegment>, String)>,
    /// Further error-tree entries that Kong reports as a consequence: a route whose `paths` is misspelt also lacks
    /// `paths`. They appear only in the admin API's response.
    pub implied_errors: Vec<(Vec<ErrorPathSegment>, String)>,
    /// Edits that fix the cause without changing the intended meaning. Applied all together or not at all.
    pub fix: Vec<Edit>,
}

impl Finding {
    /// Creates a finding without a location.
    pub fn new(level: Level, code: &'static str, message: impl Into<String>) -> Self {
        Finding {
            code,
            level,
            message: message.into(),
            labels: Vec::new(),
            help: None,
            path: None,
            kong_errors: Vec::new(),
            implied_errors: Vec::new(),
            fix: Vec::new(),
        }
    }

    /// Creates an error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Error, code, message)
    }

    /// Creates a warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Warning, code, message)
    }

    /// Adds a labelled span. The first call sets the primary location.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Sets the suggested correction.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the path of the value.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Adds a path and message of the admin API's error tree. May be called more than once.
    #[must_use]
    pub fn kong_error(mut self, path: Vec<ErrorPathSegment>, text: impl Into<String>) -> Self {
        self.kong_errors.push((path, text.into()));
        self
    }

    /// Iterates over all error-tree entries, direct and implied.
    pub fn kong_errors(&self) -> impl Iterator<Item = &(Vec<ErrorPathSegment>, String)> {
        self.kong_errors.iter().chain(&self.implied_errors)
    }

    /// Merges the error-tree entries of a finding that is a consequence of this one.
    pub fn merge_consequence(&mut self, other: Finding) {
        self.implied_errors.extend(other.kong_errors);
        self.implied_errors.extend(other.implied_errors);
    }

    /// Sets the edits that fix the cause.
    #[must_use]
    pub fn fix(mut self, edits: Vec<Edit>) -> Self {
        self.fix = edits;
        self
    }

    /// Returns the primary span.
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|l| l.span)
    }
}

/// Adds the error-tree entry of a syntax error, with the prefix that Kong's loader puts before the parser's
/// message.
pub(super) fn with_syntax_error_tree(finding: Finding, reason: &str) -> Finding {
    let text = format!("failed parsing declarative configuration: {reason}");
    finding.kong_error(vec![ErrorPathSegment::Key("error".to_owned())], text)
}

/// Findings of one run, in file order after [`Findings::sort`].
///
/// At most [`Findings::MAX_PER_LEVEL`] findings of each level are retained, with messages of bounded length,
/// because a malformed file can contain an error per byte. Further findings are only counted.
#[derive(Clone, Debug, Default)]
pub struct Findings(pub Vec<Finding>, Omitted);

/// Number of findings per level that were counted but not retained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Omitted([usize; 3]);

/// Checkpoint of [`Findings`] for [`Findings::rewind`].
#[derive(Clone, Copy, Debug)]
pub struct FindingsMark(usize, Omitted);

impl From<Vec<Finding>> for Findings {
    fn from(list: Vec<Finding>) -> Self {
        Findings(list, Omitted::default())
    }
}

impl Omitted {
    /// Returns the number of omitted findings of a level.
    pub fn count(self, level: Level) -> usize {
        self.0[level as usize]
    }

    /// Returns the number of omitted findings of all levels.
    pub fn total(self) -> usize {
        self.0.iter().sum()
    }
}

impl Findings {
    /// Maximum number of retained findings per level: more than a user fixes between two runs, and few enough for
    /// a log or an annotated diff.
    pub const MAX_PER_LEVEL: usize = 200;

    /// Adds a finding, or only counts it once its level is full.
    pub fn push(&mut self, mut finding: Finding) {
        if self.is_full(finding.level) {
            return self.count_omitted(finding.level);
        }
        finding.shorten();
        self.0.push(finding);
    }

    /// Returns whether further findings of a level are only counted. Callers check this before they build an
    /// expensive finding.
    pub fn is_full(&self, level: Level) -> bool {
        self.1.count(level) > 0
            || self.0.len() >= Self::MAX_PER_LEVEL
                && self.0.iter().filter(|f| f.level == level).count() >= Self::MAX_PER_LEVEL
    }

    /// Counts a finding that is not retained.
    pub fn count_omitted(&mut self, level: Level) {
        self.1.0[level as usize] += 1;
    }

    /// Returns the counts of findings that were not retained.
    pub fn omitted(&self) -> Omitted {
        self.1
    }

    /// Moves all findings of `other` to the end of this list.
    pub fn append(&mut self, other: &mut Findings) {
        let Findings(list, omitted) = std::mem::take(other);
        list.into_iter().for_each(|finding| self.push(finding));
        self.1.0.iter_mut().zip(omitted.0).for_each(|(ours, theirs)| *ours += theirs);
    }

    /// Adds a finding that replaces removed ones; it is retained even if its level is full.
    pub fn push_retained(&mut self, mut finding: Finding) {
        finding.shorten();
        self.0.push(finding);
    }

    /// Removes and returns all findings of a level, and resets its omitted count.
    pub fn take_level(&mut self, level: Level) -> Vec<Finding> {
        self.1.0[level as usize] = 0;
        self.remove_where(|finding| finding.level == level)
    }

    /// Removes and returns the retained findings that match a predicate.
    pub fn remove_where(&mut self, predicate: impl Fn(&Finding) -> bool) -> Vec<Finding> {
        let (taken, remaining) =
            std::mem::take(&mut self.0).into_iter().partition(|finding| predicate(finding));
        self.0 = remaining;
        taken
    }

    /// Returns a checkpoint for [`Findings::rewind`].
    pub fn mark(&self) -> FindingsMark {
        FindingsMark(self.0.len(), self.1)
    }

    /// Discards all findings added since the checkpoint.
    pub fn rewind(&mut self, mark: FindingsMark) {
        self.0.truncate(mark.0);
        self.1 = mark.1;
    }

    /// Discards the findings below a level.
    pub fn retain_at_least(&mut self, least: Level) {
        self.0.retain(|finding| finding.level >= least);
        self.1.0[..least as usize].fill(0);
    }

    /// Returns whether there is an error, that is, whether the file is rejected.
    pub fn has_errors(&self) -> bool {
        self.has_at_least(Level::Error)
    }

    /// Returns whether there is a finding of at least that level, retained or not.
    pub fn has_at_least(&self, least: Level) -> bool {
        self.0.iter().any(|f| f.level >= least) || self.1.0[least as usize..].iter().any(|n| *n > 0)
    }

    /// Returns whether there are no findings, retained or not.
    pub fn is_empty(&self) -> bool {
        !self.has_at_least(Level::Note)
    }

    /// Returns the number of findings of a level, retained or not.
    pub fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|f| f.level == level).count() + self.1.count(level)
    }

    /// Sorts by file, span, then code. Findings without a span come first.
    pub fn sort(&mut self) {
        self.0.sort_by(|a, b| (a.span(), a.code).cmp(&(b.span(), b.code)));
    }

    /// Iterates over the retained findings.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }
}

/// Marks a truncated text.
const ELLIPSIS: char = '…';

/// Truncates a text to `max_bytes` at a character boundary.
fn cut(text: &mut String, max_bytes: usize) {
    if text.len() > max_bytes {
        text.truncate(text.floor_char_boundary(max_bytes));
        text.push(ELLIPSIS);
        text.shrink_to_fit();
    }
}

impl Finding {
    /// Maximum length of each text in a finding, in bytes. Messages quote names and values of the file, which may
    /// be long.
    const MAX_TEXT_BYTES: usize = 1024;

    fn shorten(&mut self) {
        let texts = [&mut self.message].into_iter().chain(&mut self.help).chain(&mut self.path);
        let labels = self.labels.iter_mut().map(|label| &mut label.text);
        let tree = self.kong_errors.iter_mut().chain(&mut self.implied_errors).flat_map(|(path, text)| {
            let keys = path.iter_mut().filter_map(|seg| match seg {
                ErrorPathSegment::Key(key) => Some(key),
                ErrorPathSegment::Index(_) | ErrorPathSegment::Entity => None,
            });
            keys.chain([text])
        });
        texts.chain(labels).chain(tree).for_each(|text| cut(text, Self::MAX_TEXT_BYTES));
    }
}

/// Replaces a secret in a finding's text, including a prefix of the secret at the point where the text was
/// truncated.
pub fn replace_secret(text: &str, secret: &str, shown: &str) -> String {
    let replaced = text.replace(secret, shown);
    let Some(start) = replaced.strip_suffix(ELLIPSIS) else { return replaced };
    let longest = secret.len().min(start.len());
    let part =
        (1..=longest).rev().filter(|&n| secret.is_char_boundary(n)).find(|&n| start.ends_with(&secret[..n]));
    match part {
        Some(n) => format!("{}{shown}", &start[..start.len() - n]),
        None => replaced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_per_level_are_bounded_and_then_counted() {
        let mut findings = Findings::default();
        for i in 0..1000 {
            findings.push(Finding::warning("w", format!("{i}")));
        }
        findings.push(Finding::error("e", "x"));
        assert_eq!(findings.0.len(), Findings::MAX_PER_LEVEL + 1);
        assert!(findings.has_errors(), "errors are retained after many warnings");
        assert_eq!((findings.count(Level::Warning), findings.count(Level::Error)), (1000, 1));
        assert_eq!(findings.omitted().total(), 1000 - Findings::MAX_PER_LEVEL);
        let mark = findings.mark();
        let mut other = findings.clone();
        findings.append(&mut other);
        assert_eq!((findings.count(Level::Warning), findings.count(Level::Error)), (2000, 2));
        findings.rewind(mark);
        assert_eq!(findings.count(Level::Warning), 1000);
        findings.retain_at_least(Level::Error);
        assert_eq!((findings.0.len(), findings.omitted().total()), (1, 0));
    }

    #[test]
    fn omitted_errors_still_reject_the_file() {
        let mut findings = Findings::default();
        (0..300).for_each(|i| findings.push(Finding::error("e", format!("{i}"))));
        findings.push(Finding::warning("w", "x"));
        findings.remove_where(|finding| finding.level == Level::Error);
        assert!(findings.has_errors() && findings.has_at_least(Level::Warning) && !findings.is_empty());
        findings.push_retained(Finding::error("e", "in place of the first"));
        assert_eq!((findings.0.len(), findings.count(Level::Error)), (2, 101));
        assert_eq!(findings.take_level(Level::Error).len(), 1);
        assert!(!findings.has_errors() && findings.has_at_least(Level::Warning));
        findings.push_retained(Finding::error("e", "in place of all"));
        assert_eq!((findings.count(Level::Error), findings.omitted().total()), (1, 0));
    }

    #[test]
    fn texts_are_truncated_and_secrets_in_them_masked() {
        let long = "s3cret-".repeat(1000);
        let mut findings = Findings::default();
        findings.push(
            Finding::error("e", format!("found {long}"))
                .path(&*long)
                .help(&*long)
                .kong_error(vec![ErrorPathSegment::Key(long.clone())], &*long),
        );
        let finding = &findings.0[0];
        assert!(format!("{finding:?}").len() < 7 * Finding::MAX_TEXT_BYTES);
        assert_eq!(replace_secret(&finding.message, &long, "****"), "found ****");
        assert_eq!(replace_secret("found s3cret-one", "s3cret-one", "****"), "found ****");
        assert_eq!(replace_secret("found other…", "s3cret", "****"), "found other…");
    }
}
