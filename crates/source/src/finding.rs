//! What there is to say about a file: plain data, rendered elsewhere.

use super::Span;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Worth knowing; never changes an exit code.
    Note,
    /// Accepted, but likely not what was meant.
    Warning,
    /// The file is refused.
    Error,
}

/// A place in the text and what to say about it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// Short text beside the underline; may be empty.
    pub text: String,
}

/// One step into the error tree that Kong's admin API answers with. It has the shape of the document, except
/// that what concerns a whole entity stands beside its fields, in a list of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seg {
    /// Into a map.
    Key(String),
    /// Into a list, counted from 1.
    Index(usize),
    /// The list of complaints about the entity as a whole (`@entity`).
    Entity,
}

/// A change to a text that mends what a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Writes something else at that place.
    Replace {
        /// The place; an empty one inserts.
        span: Span,
        /// What is written.
        text: String,
    },
    /// Takes out an item of a list or an entry of a map (key and value), and what parts it from its neighbours.
    Remove {
        /// The item or entry.
        span: Span,
    },
}

/// One thing found in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable code, such as `config/unknown-field`.
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// The reason, in plain words, without trailing full stop. Never holds a secret.
    pub message: String,
    /// Where: the first label is the place the finding is about, the others support it.
    pub labels: Vec<Label>,
    /// What to write instead, where that is known.
    pub help: Option<String>,
    /// Path of the value counted as the format does: `services[1].routes[2].paths[1]`, from 1.
    pub path: Option<String>,
    /// Places and texts in the error tree of the admin API, for a finding that Kong would report too. Mostly
    /// one; a failed condition between fields has a second one on the entity.
    pub tree: Vec<(Vec<Seg>, String)>,
    /// The same for what Kong reports beside it and what follows from it: a route whose `pathes` is misspelt also
    /// lacks `paths`. Only the admin API's tree holds these.
    pub implied: Vec<(Vec<Seg>, String)>,
    /// Changes that mend it without changing what the file means to people; all of them or none.
    pub fix: Vec<Edit>,
}

impl Finding {
    /// A finding of that level without a place yet.
    pub fn new(level: Level, code: &'static str, message: impl Into<String>) -> Self {
        Finding {
            code,
            level,
            message: message.into(),
            labels: Vec::new(),
            help: None,
            path: None,
            tree: Vec::new(),
            implied: Vec::new(),
            fix: Vec::new(),
        }
    }

    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Error, code, message)
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Warning, code, message)
    }

    /// Points at a place; the first call gives the finding its position.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Says what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Names the value by its path.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Says where the admin API's error tree holds this finding, and the text it holds there. May be called
    /// more than once.
    #[must_use]
    pub fn tree(mut self, path: Vec<Seg>, text: impl Into<String>) -> Self {
        self.tree.push((path, text.into()));
        self
    }

    /// All places and texts that the admin API's error tree holds for this finding.
    pub fn answers(&self) -> impl Iterator<Item = &(Vec<Seg>, String)> {
        self.tree.iter().chain(&self.implied)
    }

    /// Takes over another finding that follows from this one.
    pub fn absorb(&mut self, other: Finding) {
        self.implied.extend(other.tree);
        self.implied.extend(other.implied);
    }

    /// Says how the text can be mended safely.
    #[must_use]
    pub fn fix(mut self, edits: Vec<Edit>) -> Self {
        self.fix = edits;
        self
    }

    /// The place the finding is about.
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|l| l.span)
    }
}

/// Completes the error of a text that cannot be read with the place such an error has in the admin API's tree,
/// and the words Kong's loader puts before its reader's reason.
pub(super) fn unparsable(finding: Finding, reason: &str) -> Finding {
    let text = format!("failed parsing declarative configuration: {reason}");
    finding.tree(vec![Seg::Key("error".to_owned())], text)
}

/// The findings of one run, in the order of the file once [`Findings::sort`] ran.
///
/// A file may be wrong in as many places as it has bytes, so of each level only the first
/// [`Findings::MAX_PER_LEVEL`] are retained, with texts of bounded length; the rest is counted.
#[derive(Clone, Debug, Default)]
pub struct Findings(pub Vec<Finding>, Omitted);

/// How many findings of each level were counted but not retained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Omitted([usize; 3]);

/// A state of [`Findings`] to return to.
#[derive(Clone, Copy, Debug)]
pub struct FindingsMark(usize, Omitted);

impl From<Vec<Finding>> for Findings {
    fn from(list: Vec<Finding>) -> Self {
        Findings(list, Omitted::default())
    }
}

impl Omitted {
    /// How many of a level.
    pub fn count(self, level: Level) -> usize {
        self.0[level as usize]
    }

    /// How many in all.
    pub fn total(self) -> usize {
        self.0.iter().sum()
    }
}

impl Findings {
    /// How many findings of one level are retained: more than anyone mends before the next run, and few enough
    /// that a log or an annotated diff holds them.
    pub const MAX_PER_LEVEL: usize = 200;

    /// Adds one, or counts it where there are enough of its level.
    pub fn push(&mut self, mut finding: Finding) {
        if self.is_full(finding.level) {
            return self.count_omitted(finding.level);
        }
        finding.shorten();
        self.0.push(finding);
    }

    /// Whether further findings of a level are only counted. Callers ask before they build a costly one.
    pub fn is_full(&self, level: Level) -> bool {
        self.1.count(level) > 0
            || self.0.len() >= Self::MAX_PER_LEVEL
                && self.0.iter().filter(|f| f.level == level).count() >= Self::MAX_PER_LEVEL
    }

    /// Counts a finding that is not retained.
    pub fn count_omitted(&mut self, level: Level) {
        self.1.0[level as usize] += 1;
    }

    /// How many were counted but not retained.
    pub fn omitted(&self) -> Omitted {
        self.1
    }

    /// Moves all of another list to the end of this one.
    pub fn append(&mut self, other: &mut Findings) {
        let Findings(list, omitted) = std::mem::take(other);
        list.into_iter().for_each(|finding| self.push(finding));
        self.1.0.iter_mut().zip(omitted.0).for_each(|(ours, theirs)| *ours += theirs);
    }

    /// Adds one that stands for others, which were taken out: it is retained however many there are.
    pub fn put(&mut self, mut finding: Finding) {
        finding.shorten();
        self.0.push(finding);
    }

    /// Takes out all of one level, and forgets those that were only counted.
    pub fn take_level(&mut self, level: Level) -> Vec<Finding> {
        self.1.0[level as usize] = 0;
        self.take(|finding| finding.level == level)
    }

    /// Takes out the retained findings that are so.
    pub fn take(&mut self, so: impl Fn(&Finding) -> bool) -> Vec<Finding> {
        let (taken, remaining) = std::mem::take(&mut self.0).into_iter().partition(|finding| so(finding));
        self.0 = remaining;
        taken
    }

    /// The state now, for [`Findings::rewind`].
    pub fn mark(&self) -> FindingsMark {
        FindingsMark(self.0.len(), self.1)
    }

    /// Forgets what was added since.
    pub fn rewind(&mut self, mark: FindingsMark) {
        self.0.truncate(mark.0);
        self.1 = mark.1;
    }

    /// Drops the findings of the levels below that one.
    pub fn retain_from(&mut self, least: Level) {
        self.0.retain(|finding| finding.level >= least);
        self.1.0[..least as usize].fill(0);
    }

    /// Whether the file has to be refused.
    pub fn has_errors(&self) -> bool {
        self.reaches(Level::Error)
    }

    /// Whether there is one of that level or a worse one, retained or not.
    pub fn reaches(&self, least: Level) -> bool {
        self.0.iter().any(|f| f.level >= least) || self.1.0[least as usize..].iter().any(|n| *n > 0)
    }

    /// Whether there is none, retained or not.
    pub fn is_empty(&self) -> bool {
        !self.reaches(Level::Note)
    }

    /// How many there are of a level, retained or not.
    pub fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|f| f.level == level).count() + self.1.count(level)
    }

    /// Orders by file, place, then code; findings without a place come first.
    pub fn sort(&mut self) {
        self.0.sort_by(|a, b| (a.span(), a.code).cmp(&(b.span(), b.code)));
    }

    /// The retained ones, one after another.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }
}

/// Ends a text that was cut.
const ELLIPSIS: char = '…';

/// Cuts a text to that many bytes, at a character.
fn cut(text: &mut String, max_bytes: usize) {
    if text.len() > max_bytes {
        text.truncate(text.floor_char_boundary(max_bytes));
        text.push(ELLIPSIS);
        text.shrink_to_fit();
    }
}

impl Finding {
    /// Longest text of a finding, in bytes. A message quotes names and values of the file, which may be long.
    const MAX_TEXT_BYTES: usize = 1024;

    fn shorten(&mut self) {
        let texts = [&mut self.message].into_iter().chain(&mut self.help).chain(&mut self.path);
        let labels = self.labels.iter_mut().map(|label| &mut label.text);
        let tree = self.tree.iter_mut().chain(&mut self.implied).flat_map(|(path, text)| {
            let keys = path.iter_mut().filter_map(|seg| match seg {
                Seg::Key(key) => Some(key),
                Seg::Index(_) | Seg::Entity => None,
            });
            keys.chain([text])
        });
        texts.chain(labels).chain(tree).for_each(|text| cut(text, Self::MAX_TEXT_BYTES));
    }
}

/// Replaces a secret in the text of a finding, also where the text was cut in the middle of it.
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
    fn findings_of_each_level_are_retained_up_to_a_bound_and_counted_beyond() {
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
        findings.retain_from(Level::Error);
        assert_eq!((findings.0.len(), findings.omitted().total()), (1, 0));
    }

    #[test]
    fn what_is_only_counted_still_refuses_the_file() {
        let mut findings = Findings::default();
        (0..300).for_each(|i| findings.push(Finding::error("e", format!("{i}"))));
        findings.push(Finding::warning("w", "x"));
        findings.take(|finding| finding.level == Level::Error);
        assert!(findings.has_errors() && findings.reaches(Level::Warning) && !findings.is_empty());
        findings.put(Finding::error("e", "in place of the first"));
        assert_eq!((findings.0.len(), findings.count(Level::Error)), (2, 101));
        assert_eq!(findings.take_level(Level::Error).len(), 1);
        assert!(!findings.has_errors() && findings.reaches(Level::Warning));
        findings.put(Finding::error("e", "in place of all"));
        assert_eq!((findings.count(Level::Error), findings.omitted().total()), (1, 0));
    }

    #[test]
    fn texts_are_cut_and_secrets_are_replaced_in_cut_texts_too() {
        let long = "s3cret-".repeat(1000);
        let mut findings = Findings::default();
        findings.push(
            Finding::error("e", format!("found {long}"))
                .path(&*long)
                .help(&*long)
                .tree(vec![Seg::Key(long.clone())], &*long),
        );
        let finding = &findings.0[0];
        assert!(format!("{finding:?}").len() < 7 * Finding::MAX_TEXT_BYTES);
        assert_eq!(replace_secret(&finding.message, &long, "****"), "found ****");
        assert_eq!(replace_secret("found s3cret-one", "s3cret-one", "****"), "found ****");
        assert_eq!(replace_secret("found other…", "s3cret", "****"), "found other…");
    }
}
