//! Diagnostics that plugins report about their configuration.

use source::Level;

/// Location of a diagnostic in a plugin row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigPath {
    /// JSON pointer into `config`, such as `/redis/host`; empty for `config` as a whole.
    Field(String),
    /// The plugin row as a whole.
    Plugin,
}

/// Suffix of the diagnostic codes for Kong features that this gateway does not support.
pub const UNSUPPORTED_SUFFIX: &str = "-not-yet";

/// Diagnostics collected while a plugin's configuration is checked.
#[derive(Debug, Default)]
pub struct Diagnostics {
    /// Level, code, location and message of each diagnostic. The code of an error is `plugin/invalid` by default.
    pub entries: Vec<(Level, &'static str, ConfigPath, String)>,
}

impl Diagnostics {
    /// Reports an invalid field. `message` is the text of Kong's schema violation.
    pub fn error(&mut self, pointer: &str, message: impl Into<String>) {
        self.entries.push((
            Level::Error,
            "plugin/invalid",
            ConfigPath::Field(pointer.to_owned()),
            message.into(),
        ));
    }

    /// Reports an error of the plugin row as a whole.
    pub fn entity(&mut self, message: impl Into<String>) {
        self.entries.push((Level::Error, "plugin/invalid", ConfigPath::Plugin, message.into()));
    }

    /// Reports a setting that Kong supports and this gateway does not, with a code that ends in [`UNSUPPORTED_SUFFIX`]. The error
    /// becomes a warning with `--allow-unsupported`.
    pub fn unsupported(&mut self, code: &'static str, pointer: &str, message: impl Into<String>) {
        debug_assert!(code.ends_with(UNSUPPORTED_SUFFIX), "{code}");
        self.entries.push((Level::Error, code, ConfigPath::Field(pointer.to_owned()), message.into()));
    }

    /// Reports a warning.
    pub fn warning(&mut self, code: &'static str, pointer: &str, message: impl Into<String>) {
        self.entries.push((Level::Warning, code, ConfigPath::Field(pointer.to_owned()), message.into()));
    }
}
