//! Case files → cases: documents split, shapes checked, places kept.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::case::Case;
use config::nearest;
use source::{Document, Finding, Findings, Format, Limits, NodePathStep, SourceMap, Span, from_node, parse};

/// A case as it was read.
#[derive(Clone, Debug)]
pub struct LoadedCase {
    /// The file, as it is shown.
    pub file: String,
    /// The case's name.
    pub name: String,
    /// The line it begins at, from 1.
    pub line: usize,
    /// The line of each step.
    pub steps: Vec<usize>,
    /// What it says, names not yet filled in.
    pub raw: Value,
    /// The same, typed, for what needs no names.
    pub case: Case,
    /// The folder that paths in it are relative to.
    pub folder: PathBuf,
}

/// A file of cases.
#[derive(Debug, Default)]
pub struct Suite {
    /// Its cases, and those of the files read before.
    pub cases: Vec<LoadedCase>,
    /// The files' texts.
    pub sources: SourceMap,
    /// What is wrong with them.
    pub findings: Findings,
}

/// The case files that a path means: itself, or all that a folder holds whose name ends in `.yaml` or `.yml`, in
/// the order of their names, folders within included.
///
/// # Errors
/// When it cannot be read.
pub fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.metadata()?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if !hidden && path.is_dir() {
            found.extend(files(&path)?);
        } else if !hidden && path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

impl Suite {
    /// Reads a file whose name is shown as `shown`, and adds its cases.
    ///
    /// # Errors
    /// When it cannot be read; what is wrong inside is a finding.
    pub fn add_file(&mut self, path: &Path, shown: &str) -> std::io::Result<()> {
        let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        self.add(&text, shown, &folder);
        Ok(())
    }

    /// Adds the cases of a text.
    pub fn add(&mut self, text: &str, shown: &str, folder: &Path) {
        let stem = Path::new(shown).file_stem().map(|s| s.to_string_lossy().into_owned());
        let stem = stem.unwrap_or_else(|| shown.to_owned());
        let mut number = 0;
        for part in documents(text) {
            let file = self.sources.add(shown, part);
            let here = Span { file, start: 0, end: 0 };
            let mut document = Document::new(here);
            let (limits, findings) = (Limits::default(), &mut self.findings);
            let Some(root) = parse(&self.sources, file, Format::Yaml, &mut document, &limits, findings)
            else {
                continue;
            };
            let raw = document.to_json(root);
            // A configuration may lie beside its tests.
            if raw.is_null() || raw.get("_format_version").is_some() {
                continue;
            }
            number += 1;
            let case = match from_node::<Case>(&document, root)
                .map_err(|e| (e.node, e.message))
                .and_then(checked(&document, root))
            {
                Ok(case) => case,
                Err((node, message)) => {
                    self.findings.push(invalid_case(&message).at(document.span(node), ""));
                    continue;
                }
            };
            let line = |node| self.sources.position(document.span(node)).line;
            let steps = document.get(root, "steps").map(|s| document.items(s)).unwrap_or_default();
            self.cases.push(LoadedCase {
                file: shown.to_owned(),
                name: case.name.clone().unwrap_or_else(|| format!("{stem} #{number}")),
                line: line(root),
                steps: steps.iter().map(|step| line(*step)).collect(),
                raw,
                case,
                folder: folder.to_owned(),
            });
        }
    }
}

/// What the types cannot say about a case.
fn checked(
    document: &Document,
    root: source::NodeId,
) -> impl Fn(Case) -> Result<Case, (source::NodeId, String)> + '_ {
    move |case| {
        let at = |path: &[NodePathStep<'_>]| document.resolve_path(root, path).unwrap_or(root);
        match (&case.config, &case.config_file) {
            (None, None) => return Err((root, "a case has a `config` or a `config_file`".to_owned())),
            (Some(_), Some(_)) => {
                let message = "`config` and `config_file` are one too many".to_owned();
                return Err((at(&[NodePathStep::Key("config_file")]), message));
            }
            _ => {}
        }
        if case.refused.is_some() && !case.steps.is_empty() {
            let message = "a configuration that is refused runs no steps".to_owned();
            return Err((at(&[NodePathStep::Key("steps")]), message));
        }
        for (i, step) in case.steps.iter().enumerate() {
            step.kind()
                .map_err(|message| (at(&[NodePathStep::Key("steps"), NodePathStep::Index(i)]), message))?;
        }
        Ok(case)
    }
}

/// The documents of a YAML stream, each with empty lines in front so that its lines keep their numbers.
fn documents(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut current, mut began) = (String::new(), 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if line.trim_end() == "---" || line.starts_with("--- ") {
            found.push(format!("{}{current}", "\n".repeat(began)));
            current = line.strip_prefix("---").unwrap_or(line).to_owned();
            began = number;
        } else {
            current.push_str(line);
        }
    }
    found.push(format!("{}{current}", "\n".repeat(began)));
    found
}

/// A finding in place of serde's message, whose list of all fields is long: the nearest of them is enough.
fn invalid_case(message: &str) -> Finding {
    let Some((unknown, known)) = message.split_once(", expected one of ") else {
        return Finding::error("test/case", message);
    };
    let word = unknown.split('`').nth(1).unwrap_or_default();
    let finding = Finding::error("test/case", unknown);
    match nearest(word, known.split('`').skip(1).step_by(2)) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding.help(format!("known are {known}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Suite {
        let mut suite = Suite::default();
        suite.add(text, "some.yaml", Path::new(""));
        suite
    }

    #[test]
    fn a_file_may_hold_several_cases_and_lines_are_the_files() {
        let suite = read("name: a\nconfig: {}\n---\n\nconfig: ''\nsteps:\n- {wait: 1}\n- wait: 2\n");
        assert!(suite.findings.0.is_empty(), "{:?}", suite.findings);
        let seen: Vec<_> =
            suite.cases.iter().map(|c| (c.name.as_str(), c.line, c.steps.as_slice())).collect();
        assert_eq!(seen, [("a", 1, &[][..]), ("some #2", 5, &[7, 8])]);
    }

    #[test]
    fn errors_have_a_line_and_a_reason() {
        for (text, line, reason) in [
            ("config: {}\nstep: []\n", 2, "unknown field"),
            ("steps: []\n", 1, "`config`"),
            ("config: {}\nsteps:\n- {wait: 1, send: {}}\n", 3, "one thing"),
            ("config: {}\nsteps:\n- {about: x}\n", 3, "says what it does"),
            ("config: {}\nsteps:\n- send: {paht: /}\n", 3, "unknown field"),
            ("config: {}\nsteps:\n- send: [\n", 3, ""),
        ] {
            let suite = read(text);
            let finding = suite.findings.iter().next().unwrap_or_else(|| panic!("nothing found in {text:?}"));
            assert!(finding.message.contains(reason), "{text:?}: {}", finding.message);
            let place = finding.span().map(|s| suite.sources.position(s).line);
            assert_eq!(place, Some(line), "{text:?}: {}", finding.message);
        }
    }
}
