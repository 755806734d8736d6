//! Which lints run, and how bad their findings are: as built in, then a settings file, then flags.

use std::collections::BTreeMap;

use super::LINTS;
use source::Level;

/// Levels that differ from the built-in ones. Later settings win.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    /// Rules of rulesets, which can be set too.
    rules: Vec<&'static str>,
    set: BTreeMap<String, Option<Level>>,
    only: Vec<String>,
    skip: Vec<String>,
}

/// A level that cannot be set.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LevelError {
    /// No lint has that code.
    #[error("there is no lint or rule {0:?}{1}")]
    Unknown(String, String),
    /// The level is none of those known.
    #[error("{0:?} is no level: off, info, warn or error{1}")]
    Level(String, String),
    /// A flag without `=`.
    #[error("{0:?} is not LINT=LEVEL")]
    Form(String),
}

impl Levels {
    /// Lets rules of a ruleset be set as well, by code: `ruleset/NAME`.
    pub(super) fn know(&mut self, rules: impl IntoIterator<Item = &'static str>) {
        self.rules.extend(rules);
    }

    /// Sets the level of a lint; `off` switches it off. The code may leave out `lint/` or `ruleset/`.
    ///
    /// # Errors
    /// When there is no such lint or level.
    pub fn set(&mut self, lint: &str, level: &str) -> Result<(), LevelError> {
        let level = match level {
            "off" => None,
            "hint" | "info" | "note" => Some(Level::Note),
            "warn" | "warning" => Some(Level::Warning),
            "error" => Some(Level::Error),
            other => {
                let near = config::nearest(other, ["off", "info", "warn", "error"]);
                let meant = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                return Err(LevelError::Level(other.to_owned(), meant));
            }
        };
        self.set.insert(self.code(lint)?.to_owned(), level);
        Ok(())
    }

    /// Sets a level by `LINT=LEVEL`.
    ///
    /// # Errors
    /// When that is not its form, or there is no such lint or level.
    pub fn assign(&mut self, rule: &str) -> Result<(), LevelError> {
        let (lint, level) = rule.split_once('=').ok_or_else(|| LevelError::Form(rule.to_owned()))?;
        self.set(lint.trim(), level.trim())
    }

    /// Runs no other lints than those named here.
    ///
    /// # Errors
    /// When there is no such lint.
    pub fn only(&mut self, lint: &str) -> Result<(), LevelError> {
        self.only.push(self.code(lint)?.to_owned());
        Ok(())
    }

    /// Does not run that lint.
    ///
    /// # Errors
    /// When there is no such lint.
    pub fn skip(&mut self, lint: &str) -> Result<(), LevelError> {
        self.skip.push(self.code(lint)?.to_owned());
        Ok(())
    }

    /// Returns the level of a lint's findings. `None` if the lint does not run.
    pub(super) fn of(&self, code: &str, built_in: Option<Level>) -> Option<Level> {
        let has = |list: &[String]| list.iter().any(|c| c == code);
        if has(&self.skip) || !self.only.is_empty() && !has(&self.only) {
            return None;
        }
        match self.set.get(code) {
            Some(level) => *level,
            // A lint that is off by default runs if it is selected by name.
            None if has(&self.only) => Some(built_in.unwrap_or(Level::Note)),
            None => built_in,
        }
    }

    /// The code that a short or whole name stands for; a lint comes before a rule of the same name.
    fn code(&self, name: &str) -> Result<&'static str, LevelError> {
        let known = || LINTS.iter().map(|l| l.code).chain(self.rules.iter().copied());
        let fits = |code: &&str| *code == name || short(code) == name;
        known().find(fits).ok_or_else(|| {
            let near = config::nearest(short(name), known().map(short));
            let meant = near.map_or_else(String::new, |n| format!("; did you mean {n}?"));
            LevelError::Unknown(name.to_owned(), meant)
        })
    }
}

/// A code without the group it belongs to.
fn short(code: &str) -> &str {
    code.strip_prefix("lint/").or_else(|| code.strip_prefix("ruleset/")).unwrap_or(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_settings_win_and_names_may_be_short() {
        let mut levels = Levels::default();
        levels.set("duplicate-route", "error").expect("a lint");
        levels.assign("lint/duplicate-route=off").expect("a lint");
        assert_eq!(levels.of("lint/duplicate-route", Some(Level::Warning)), None);
        assert_eq!(levels.of("lint/weak-secret", Some(Level::Warning)), Some(Level::Warning));
        levels.only("weak-secret").expect("a lint");
        assert_eq!(levels.of("lint/plain-http-upstream", Some(Level::Note)), None);
    }

    #[test]
    fn rules_of_rulesets_are_set_like_lints() {
        let mut levels = Levels::default();
        assert!(levels.set("names", "error").is_err());
        levels.know(["ruleset/names", "ruleset/weak-secret"]);
        levels.set("names", "error").expect("a rule");
        levels.skip("ruleset/weak-secret").expect("a rule");
        assert_eq!(levels.of("ruleset/names", Some(Level::Note)), Some(Level::Error));
        assert_eq!(levels.of("ruleset/weak-secret", Some(Level::Note)), None);
        assert_eq!(levels.of("lint/weak-secret", Some(Level::Note)), Some(Level::Note));
        let error = levels.only("nams").expect_err("no such rule");
        assert!(error.to_string().contains("did you mean names?"), "{error}");
    }

    #[test]
    fn misspelt_lint_causes_a_suggestion() {
        let error = Levels::default().set("duplicat-route", "off").expect_err("no such lint");
        assert!(error.to_string().contains("did you mean duplicate-route?"), "{error}");
        assert_eq!(Levels::default().assign("weak-secret"), Err(LevelError::Form("weak-secret".into())));
    }
}
