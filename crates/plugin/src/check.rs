//! Diagnostics that plugins report about their configuration.

use source::Level;

/// Location of a diagnostic in a plugin row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// JSON pointer into `config`, such as `/redis/host`; empty for `config` as a whole.
    At(String),
    /// The plugin row as a whole.
    Entity,
}

/// Suffix of the diagnostic codes for Kong features that this gateway does not support.
pub const NOT_YET: &str = "-not-yet";

/// Diagnostics collected while a plugin's configuration is checked.
#[derive(Debug, Default)]
pub struct Checks {
    /// Level, code, location and message of each diagnostic. The code of an error is `plugin/invalid` by default.
    pub found: Vec<(Level, &'static str, Place, String)>,
}

impl Checks {
    /// Reports an invalid field. `message` is the text of Kong's schema violation.
    pub fn error(&mut self, pointer: &str, message: impl Into<String>) {
        self.found.push((Level::Error, "plugin/invalid", Place::At(pointer.to_owned()), message.into()));
    }

    /// Reports an error of the plugin row as a whole.
    pub fn entity(&mut self, message: impl Into<String>) {
        self.found.push((Level::Error, "plugin/invalid", Place::Entity, message.into()));
    }

    /// Reports a setting that Kong supports and this gateway does not, with a code that ends in [`NOT_YET`]. The error
    /// becomes a warning with `--allow-unsupported`.
    pub fn unsupported(&mut self, code: &'static str, pointer: &str, message: impl Into<String>) {
        debug_assert!(code.ends_with(NOT_YET), "{code}");
        self.found.push((Level::Error, code, Place::At(pointer.to_owned()), message.into()));
    }

    /// Reports a warning.
    pub fn warning(&mut self, code: &'static str, pointer: &str, message: impl Into<String>) {
        self.found.push((Level::Warning, code, Place::At(pointer.to_owned()), message.into()));
    }
}
