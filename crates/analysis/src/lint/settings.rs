//! A settings file (`.gatewayctl.yml`):
//!
//! ```yaml
//! files: [kong.yml]
//! router_flavor: expressions
//! lint:
//!   builtin: true
//!   rules: {plain-http-upstream: off, weak-secret: error}
//!   rulesets: [team-rules.yml]
//! ```

use super::{
    Levels,
    ruleset::{self, Ruleset},
};
use config::nearest;
use router::Flavor;
use source::{Document, FileId, Findings, Format, Limits, NodeId, SourceMap, Span, Value, parse};

/// Which lints and rulesets run, on what.
#[derive(Debug)]
pub struct Settings {
    /// Levels of lints, and of the rules in the rulesets.
    pub levels: Levels,
    /// Rulesets to check too.
    pub rulesets: Vec<Ruleset>,
    /// Whether built-in lints run.
    pub builtin: bool,
    /// Files that are looked at where none is named.
    pub files: Vec<String>,
    /// The router that they are for, where none is asked for.
    pub router_flavor: Option<Flavor>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            levels: Levels::default(),
            rulesets: Vec::new(),
            builtin: true,
            files: Vec::new(),
            router_flavor: None,
        }
    }
}

/// A settings file that cannot be used: `file:line:column: reason`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

impl Settings {
    /// Takes a ruleset in; its rules can be set from then on.
    pub fn add(&mut self, ruleset: Ruleset) {
        self.levels.know(ruleset.codes());
        self.rulesets.push(ruleset);
    }

    /// Takes in what a settings file says. `open` gives the text of a ruleset by its path, which in the file is
    /// relative to the folder it is in.
    ///
    /// # Errors
    /// When it is no YAML, says something unknown, or names a ruleset that cannot be used.
    pub fn read(
        &mut self,
        name: &str,
        text: &str,
        open: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<(), SettingsError> {
        let mut sources = SourceMap::default();
        let file = sources.add(name, text);
        let mut document = Document::new(Span::start_of(file));
        let mut findings = Findings::default();
        let root = parse(&sources, file, Format::Yaml, &mut document, &Limits::default(), &mut findings);
        let Some(root) = root else {
            let finding = findings.iter().next();
            let place = finding.and_then(|f| f.span()).unwrap_or(Span::start_of(file));
            let why = finding.map_or("not YAML", |f| &f.message);
            return Err(SettingsError(format!("{}: {why}", sources.display_position(place))));
        };
        Reader { sources: &sources, document: &document, name, file, open }.whole(root, self)
    }
}

struct Reader<'a> {
    sources: &'a SourceMap,
    document: &'a Document,
    name: &'a str,
    file: FileId,
    open: &'a dyn Fn(&str) -> Result<String, String>,
}

impl Reader<'_> {
    fn whole(&self, root: NodeId, settings: &mut Settings) -> Result<(), SettingsError> {
        for entry in self.document.entries(root) {
            match self.document.str(entry.key) {
                Some("lint") => self.lint(entry.value, settings)?,
                Some("files") => self.files(entry.value, settings)?,
                Some("router_flavor") => settings.router_flavor = Some(self.flavor(entry.value)?),
                other => {
                    let near = other.and_then(|name| nearest(name, ["files", "lint", "router_flavor"]));
                    let meant = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                    let why = format!("there is no such section, but files, lint and router_flavor{meant}");
                    return Err(self.wrong(entry.key, &why));
                }
            }
        }
        Ok(())
    }

    fn files(&self, node: NodeId, settings: &mut Settings) -> Result<(), SettingsError> {
        let Value::Seq(items) = self.document.value(node) else {
            return Err(self.wrong(node, "`files` is a list of files and folders"));
        };
        for &item in items {
            let path = self.document.str(item).ok_or_else(|| self.wrong(item, "this is no file name"))?;
            settings.files.push(ruleset::beside(self.name, path));
        }
        Ok(())
    }

    fn flavor(&self, node: NodeId) -> Result<Flavor, SettingsError> {
        const FLAVORS: [(&str, Flavor); 3] = [
            ("traditional_compatible", Flavor::TraditionalCompatible),
            ("traditional", Flavor::Traditional),
            ("expressions", Flavor::Expressions),
        ];
        let text = self.document.str(node).unwrap_or_default();
        if let Some((_, flavor)) = FLAVORS.iter().find(|(name, _)| *name == text) {
            return Ok(*flavor);
        }
        let near = nearest(text, FLAVORS.map(|(name, _)| name));
        let meant = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        Err(self
            .wrong(node, &format!("a flavor is traditional_compatible, traditional or expressions{meant}")))
    }

    fn lint(&self, node: NodeId, settings: &mut Settings) -> Result<(), SettingsError> {
        // First, wherever it stands: `rules` may name what is in them.
        if let Some(rulesets) = self.document.get(node, "rulesets") {
            self.rulesets(rulesets, settings)?;
        }
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
                (Some("rulesets"), Value::Seq(_)) => {}
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

    fn rulesets(&self, node: NodeId, settings: &mut Settings) -> Result<(), SettingsError> {
        for &item in self.document.items(node) {
            let path = self.document.str(item).ok_or_else(|| self.wrong(item, "this is no file name"))?;
            let path = ruleset::beside(self.name, path);
            let text = (self.open)(&path).map_err(|why| self.wrong(item, &format!("{path}: {why}")))?;
            // What is wrong in the ruleset is said with its place there.
            let read = ruleset::read(&path, &text, self.open).map_err(|e| SettingsError(e.to_string()))?;
            settings.add(read);
        }
        Ok(())
    }

    fn wrong(&self, node: NodeId, why: &str) -> SettingsError {
        let span = Span { file: self.file, ..self.document.span(node) };
        SettingsError(format!("{}: {why}", self.sources.display_position(span)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "rules: {names: {given: $.services, then: {function: truthy}}}";

    fn read(text: &str) -> Result<Settings, SettingsError> {
        let mut settings = Settings::default();
        let open = |path: &str| match path {
            "conf/a.yml" => Ok(RULES.to_owned()),
            _ => Err("no such file".to_owned()),
        };
        settings.read("conf/s.yml", text, &open).map(|()| settings)
    }

    #[test]
    fn levels_and_rulesets_are_read() {
        let text = "lint:\n  builtin: false\n  rules: {weak-secret: off, duplicate-route: error, names: error}\n  rulesets: [a.yml]\n";
        let settings = read(text).expect("reads");
        assert!(!settings.builtin);
        assert_eq!(settings.rulesets.len(), 1);
        assert_eq!(settings.levels.of("lint/weak-secret", None), None);
        assert_eq!(settings.levels.of("ruleset/names", None), Some(source::Level::Error));
    }

    #[test]
    fn files_lie_beside_the_settings_and_a_router_may_be_named() {
        let settings = read("files: [kong.yml, parts]\nrouter_flavor: expressions\n").expect("reads");
        assert_eq!(settings.files, ["conf/kong.yml", "conf/parts"]);
        assert_eq!(settings.router_flavor, Some(Flavor::Expressions));
    }

    #[test]
    fn faults_have_a_place() {
        for (text, fault) in [
            (
                "lint:\n  rules:\n    weak-secrt: off\n",
                "conf/s.yml:3:5: there is no lint or rule \"weak-secrt\"",
            ),
            ("lint:\n  rulesets: [b.yml]\n", "conf/s.yml:2:14: conf/b.yml: no such file"),
            ("lint: [\n", "conf/s.yml:"),
            (
                "lnt: {}\n",
                "conf/s.yml:1:1: there is no such section, but files, lint and router_flavor; did you mean lint?",
            ),
            ("files: kong.yml\n", "conf/s.yml:1:8: `files` is a list"),
            ("router_flavor: expresions\n", "conf/s.yml:1:16: a flavor is"),
        ] {
            let error = read(text).expect_err("a fault").to_string();
            assert!(error.starts_with(fault), "{error}");
        }
    }
}
