//! The part of a settings file (`.gatewayctl.yml`) that is about lints:
//!
//! ```yaml
//! lint:
//!   builtin: true
//!   rules: {plain-http-upstream: off, weak-secret: error}
//!   rulesets: [team-rules.yml]
//! ```

use super::Levels;
use crate::source::{Document, FileId, Findings, Format, Limits, NodeId, SourceMap, Span, Value, parse};

/// What the file says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Levels of lints.
    pub levels: Levels,
    /// Rulesets to check too, as written: relative to the file.
    pub rulesets: Vec<String>,
    /// Whether built-in lints run.
    pub builtin: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { levels: Levels::default(), rulesets: Vec::new(), builtin: true }
    }
}

/// A settings file that cannot be used: `file:line:column: reason`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

impl Settings {
    /// Reads a settings file.
    ///
    /// # Errors
    /// When it is no YAML, or says something unknown.
    pub fn read(name: &str, text: &str) -> Result<Settings, SettingsError> {
        let mut sources = SourceMap::default();
        let file = sources.add(name, text);
        let mut document = Document::new(Span::start_of(file));
        let mut findings = Findings::default();
        let root = parse(&sources, file, Format::Yaml, &mut document, &Limits::default(), &mut findings);
        let Some(root) = root else {
            let finding = findings.iter().next();
            let place = finding.and_then(|f| f.span()).unwrap_or(Span::start_of(file));
            let why = finding.map_or("not YAML", |f| &f.message);
            return Err(SettingsError(format!("{}: {why}", sources.locate(place))));
        };
        Reader { sources: &sources, document: &document, file }.whole(root)
    }
}

struct Reader<'a> {
    sources: &'a SourceMap,
    document: &'a Document,
    file: FileId,
}

impl Reader<'_> {
    fn whole(&self, root: NodeId) -> Result<Settings, SettingsError> {
        let mut settings = Settings::default();
        for entry in self.document.entries(root) {
            match self.document.str(entry.key) {
                Some("lint") => self.lint(entry.value, &mut settings)?,
                _ => return Err(self.wrong(entry.key, "the only section there is is `lint`")),
            }
        }
        Ok(settings)
    }

    fn lint(&self, node: NodeId, settings: &mut Settings) -> Result<(), SettingsError> {
        for entry in self.document.entries(node) {
            match (self.document.str(entry.key), self.document.value(entry.value)) {
                (Some("builtin"), Value::Bool(on)) => settings.builtin = *on,
                (Some("rules"), Value::Map(rules)) => {
                    for rule in rules {
                        // `off` is a boolean in YAML 1.1.
                        let level = match self.document.value(rule.value) {
                            Value::Bool(false) => "off",
                            Value::Str(text) => text,
                            _ => return Err(self.wrong(rule.value, "a level is off, info, warn or error")),
                        };
                        let set = settings.levels.set(&self.document.key_text(rule.key), level);
                        set.map_err(|e| self.wrong(rule.key, &e.to_string()))?;
                    }
                }
                (Some("rulesets"), Value::Seq(items)) => {
                    for &item in items {
                        let name = self.document.str(item);
                        settings
                            .rulesets
                            .push(name.ok_or_else(|| self.wrong(item, "this is no file name"))?.to_owned());
                    }
                }
                _ => {
                    return Err(self.wrong(
                        entry.key,
                        "under `lint` go builtin (true or false), rules (a map) and rulesets (a list)",
                    ));
                }
            }
        }
        Ok(())
    }

    fn wrong(&self, node: NodeId, why: &str) -> SettingsError {
        let span = Span { file: self.file, ..self.document.span(node) };
        SettingsError(format!("{}: {why}", self.sources.locate(span)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_rulesets_are_read_and_faults_have_a_place() {
        let text = "lint:\n  builtin: false\n  rules: {weak-secret: off, duplicate-route: error}\n  rulesets: [a.yml]\n";
        let settings = Settings::read("s.yml", text).expect("reads");
        assert!(!settings.builtin);
        assert_eq!(settings.rulesets, ["a.yml"]);
        assert_eq!(settings.levels.of("lint/weak-secret", None), None);
        let error =
            Settings::read("s.yml", "lint:\n  rules:\n    weak-secrt: off\n").expect_err("no such lint");
        assert!(error.to_string().starts_with("s.yml:3:5: there is no lint"), "{error}");
    }
}
