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

/// All findings of one run, in the order of the file once [`Findings::sort`] ran.
#[derive(Clone, Debug, Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds one.
    pub fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Whether the file has to be refused.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|f| f.level == Level::Error)
    }

    /// How many there are of a level.
    pub fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|f| f.level == level).count()
    }

    /// Orders by file, place, then code; findings without a place come first.
    pub fn sort(&mut self) {
        self.0.sort_by(|a, b| (a.span(), a.code).cmp(&(b.span(), b.code)));
    }

    /// One after another.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }
}
