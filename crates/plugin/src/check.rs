//! What a plugin has to say about its settings.

use source::Level;

/// Where in a plugin's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A field, as JSON pointer from the settings: `/redis/host`; empty for the settings as a whole.
    At(String),
    /// The plugin row as a whole.
    Entity,
}

/// What codes about settings end with that are not served yet.
pub const NOT_YET: &str = "-not-yet";

/// Collects findings while settings are checked.
#[derive(Debug, Default)]
pub struct Checks {
    /// Level, code, place and message; the code of an error is `plugin/invalid` unless one is given.
    pub found: Vec<(Level, &'static str, Place, String)>,
}

impl Checks {
    /// Refuses the settings because of a field; `message` is the text that Kong answers with.
    pub fn error(&mut self, pointer: &str, message: impl Into<String>) {
        self.found.push((Level::Error, "plugin/invalid", Place::At(pointer.to_owned()), message.into()));
    }

    /// Refuses the row as a whole.
    pub fn entity(&mut self, message: impl Into<String>) {
        self.found.push((Level::Error, "plugin/invalid", Place::Entity, message.into()));
    }

    /// Refuses a setting that Kong serves and this gateway does not, under a code that ends in [`NOT_YET`]; a node may
    /// allow it (`--allow-unsupported`), and is warned then.
    pub fn not_yet(&mut self, code: &'static str, pointer: &str, message: impl Into<String>) {
        debug_assert!(code.ends_with(NOT_YET), "{code}");
        self.found.push((Level::Error, code, Place::At(pointer.to_owned()), message.into()));
    }

    /// Accepts, with a warning under a code of its own.
    pub fn warning(&mut self, code: &'static str, pointer: &str, message: impl Into<String>) {
        self.found.push((Level::Warning, code, Place::At(pointer.to_owned()), message.into()));
    }
}
