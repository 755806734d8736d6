//! Parser of rulesets. Errors have the position in the file.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Field, Function, Override, Query, Rule, Ruleset, Then, jsonpath};
use source::{Document, Findings, Format, Level, Limits, NodeId, SourceMap, Span, Value, parse};

/// A ruleset that cannot be used: `file:line:column: reason`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RulesetError(String);

/// Deepest chain of rulesets that extend each other.
const DEEPEST: usize = 16;

/// Reads a ruleset and those it extends; `open` gives the text of a file by its path, which for an extended one
/// is relative to the folder of the file that names it.
///
/// # Errors
/// When an extended file cannot be read, or one says something that cannot be done.
pub fn read(
    name: &str,
    text: &str,
    open: &dyn Fn(&str) -> Result<String, String>,
) -> Result<Ruleset, RulesetError> {
    let mut ruleset = Ruleset::default();
    add(&mut ruleset, name, text, open, 0)?;
    Ok(ruleset)
}

/// The path of a file that another one names.
pub fn beside(name: &str, path: &str) -> String {
    match name.rsplit_once('/') {
        Some((folder, _)) if !path.starts_with('/') => format!("{folder}/{path}"),
        _ => path.to_owned(),
    }
}

fn add(
    ruleset: &mut Ruleset,
    name: &str,
    text: &str,
    open: &dyn Fn(&str) -> Result<String, String>,
    depth: usize,
) -> Result<(), RulesetError> {
    let mut sources = SourceMap::default();
    let file = sources.add(name, text);
    let mut document = Document::new(Span::start_of(file));
    let mut findings = Findings::default();
    let format = Format::of_name(name).unwrap_or(Format::Yaml);
    let Some(root) = parse(&sources, file, format, &mut document, &Limits::default(), &mut findings) else {
        let finding = findings.iter().next();
        let place = finding.and_then(|f| f.span()).unwrap_or(Span::start_of(file));
        let why = finding.map_or("not YAML", |f| &f.message);
        return Err(RulesetError(format!("{}: {why}", sources.display_position(place))));
    };
    let mut reader = Reader { sources: &sources, document: &document, name, aliases: BTreeMap::new() };
    reader.whole(root, ruleset, open, depth)
}

struct Reader<'a> {
    sources: &'a SourceMap,
    document: &'a Document,
    name: &'a str,
    aliases: BTreeMap<String, Vec<String>>,
}

type Done<T> = Result<T, RulesetError>;

impl Reader<'_> {
    fn wrong<T>(&self, node: NodeId, why: impl AsRef<str>) -> Done<T> {
        Err(RulesetError(format!(
            "{}: {}",
            self.sources.display_position(self.document.span(node)),
            why.as_ref()
        )))
    }

    fn whole(
        &mut self,
        root: NodeId,
        ruleset: &mut Ruleset,
        open: &dyn Fn(&str) -> Result<String, String>,
        depth: usize,
    ) -> Done<()> {
        if !matches!(self.document.value(root), Value::Map(_)) {
            return self.wrong(root, "a ruleset is a map with `rules`");
        }
        if let Some(extends) = self.document.get(root, "extends") {
            self.extends(extends, ruleset, open, depth)?;
        }
        if let Some(aliases) = self.document.get(root, "aliases") {
            for entry in self.document.entries(aliases) {
                let paths = self.texts(entry.value)?;
                self.aliases.insert(self.document.key_text(entry.key), paths);
            }
        }
        for entry in self.document.entries(root) {
            match self.document.str(entry.key) {
                Some("rules") => {
                    for rule in self.document.entries(entry.value) {
                        self.rule(&self.document.key_text(rule.key), rule.value, ruleset)?;
                    }
                }
                Some("overrides") => {
                    for &item in self.document.items(entry.value) {
                        let over = self.over(item)?;
                        ruleset.overrides.push(over);
                    }
                }
                Some("functions" | "functionsDir") => {
                    return self.wrong(entry.key, "functions written as scripts are not run");
                }
                Some(
                    "extends" | "aliases" | "documentationUrl" | "formats" | "parserOptions" | "description",
                ) => {}
                _ => {
                    let known =
                        ["rules", "extends", "overrides", "aliases", "functions", "formats", "description"];
                    return self.unknown(entry.key, "a ruleset", &known);
                }
            }
        }
        Ok(())
    }

    fn unknown<T>(&self, key: NodeId, whose: &str, known: &[&str]) -> Done<T> {
        let name = self.document.key_text(key);
        let near = config::nearest(&name, known.iter().copied());
        let meant = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        self.wrong(key, format!("{whose} has no {name:?}{meant}"))
    }

    fn extends(
        &self,
        node: NodeId,
        ruleset: &mut Ruleset,
        open: &dyn Fn(&str) -> Result<String, String>,
        depth: usize,
    ) -> Done<()> {
        let items = match self.document.value(node) {
            Value::Seq(items) => items.to_vec(),
            _ => vec![node],
        };
        for item in items {
            let (target, mode) = match self.document.value(item) {
                Value::Seq(pair) => {
                    (pair.first().copied().unwrap_or(item), pair.get(1).map(|m| self.document.key_text(*m)))
                }
                _ => (item, None),
            };
            let Some(target_name) = self.document.str(target) else {
                return self.wrong(target, "this is no file name");
            };
            // YAML reads `off` as a boolean.
            let off = matches!(mode.as_deref(), Some("off" | "false"));
            if target_name.starts_with("spectral:") || target_name.starts_with("vacuum:") {
                if off {
                    continue;
                }
                return self
                    .wrong(target, format!("{target_name} is about API descriptions, not gateway files"));
            }
            if target_name.contains("://") || depth >= DEEPEST {
                return self.wrong(target, "only files extend a ruleset, and not for ever");
            }
            let path = beside(self.name, target_name);
            let text = match open(&path) {
                Ok(text) => text,
                Err(why) => return self.wrong(target, format!("{path}: {why}")),
            };
            let mut extended = Ruleset::default();
            add(&mut extended, &path, &text, open, depth + 1)?;
            for mut rule in extended.rules {
                match mode.as_deref() {
                    Some("all") => rule.level = Some(rule.usual),
                    _ if off => rule.level = None,
                    _ => {}
                }
                put(ruleset, rule);
            }
            ruleset.overrides.extend(extended.overrides);
        }
        Ok(())
    }

    /// A rule, or a new level for one that was extended.
    fn rule(&self, name: &str, node: NodeId, ruleset: &mut Ruleset) -> Done<()> {
        if !matches!(self.document.value(node), Value::Map(_)) {
            let level = self.level(node)?;
            let Some(rule) = ruleset.rules.iter_mut().find(|r| r.name == name) else {
                return self.wrong(node, format!("no extended ruleset has a rule {name:?}"));
            };
            rule.level = level.map(|given| given.unwrap_or(rule.usual));
            return Ok(());
        }
        let text = |key| self.document.get(node, key).and_then(|n| self.document.str(n)).map(str::to_owned);
        let usual = match self.document.get(node, "severity") {
            None => Some(Level::Warning),
            Some(severity) => self.level(severity)?.map(|given| given.unwrap_or(Level::Warning)),
        };
        let (mut given, mut then) = (Vec::new(), Vec::new());
        for entry in self.document.entries(node) {
            match self.document.str(entry.key) {
                Some("given") => given = self.given(entry.value)?,
                Some("then") => match self.document.value(entry.value) {
                    Value::Seq(items) => {
                        for &item in items {
                            then.push(self.then(item)?);
                        }
                    }
                    _ => then.push(self.then(entry.value)?),
                },
                Some(
                    "description" | "message" | "severity" | "recommended" | "documentationUrl" | "formats"
                    | "resolved" | "type" | "tags" | "enabled" | "howToFix" | "id" | "category" | "name",
                ) => {}
                _ => {
                    let known = ["given", "then", "description", "message", "severity", "recommended"];
                    return self.unknown(entry.key, "a rule", &known);
                }
            }
        }
        if given.is_empty() || then.is_empty() {
            return self.wrong(node, format!("rule {name:?} needs `given` and `then`"));
        }
        let is_false =
            |key| self.document.get(node, key).is_some_and(|n| *self.document.value(n) == Value::Bool(false));
        let on = !is_false("recommended") && !is_false("enabled");
        let rule = Rule {
            name: name.to_owned(),
            code: code(name),
            level: usual.filter(|_| on),
            usual: usual.unwrap_or(Level::Warning),
            message: text("message"),
            description: text("description"),
            given,
            then,
        };
        put(ruleset, rule);
        Ok(())
    }

    /// `Some(None)` is "as usual" (`on`), `None` is off.
    fn level(&self, node: NodeId) -> Done<Option<Option<Level>>> {
        Ok(match self.document.value(node) {
            Value::Bool(true) => Some(None),
            Value::Bool(false) | Value::Int(-1) => None,
            Value::Int(0) => Some(Some(Level::Error)),
            Value::Int(1) => Some(Some(Level::Warning)),
            Value::Int(2 | 3) => Some(Some(Level::Note)),
            Value::Str(text) => match &**text {
                "error" => Some(Some(Level::Error)),
                "warn" => Some(Some(Level::Warning)),
                "info" | "hint" => Some(Some(Level::Note)),
                "off" => None,
                "on" => Some(None),
                other => {
                    return self
                        .wrong(node, format!("{other:?} is no severity: error, warn, info, hint, off"));
                }
            },
            _ => return self.wrong(node, "a severity is error, warn, info, hint or off"),
        })
    }

    fn texts(&self, node: NodeId) -> Done<Vec<String>> {
        match self.document.value(node) {
            Value::Str(text) => Ok(vec![text.to_string()]),
            Value::Seq(items) => {
                let mut texts = Vec::new();
                for &item in items {
                    texts.extend(self.texts(item)?);
                }
                Ok(texts)
            }
            // Aliases by format: what each of them names.
            Value::Map(_) => match self.document.get(node, "targets") {
                Some(targets) => {
                    let given =
                        self.document.items(targets).iter().filter_map(|t| self.document.get(*t, "given"));
                    let mut texts = Vec::new();
                    for node in given.collect::<Vec<_>>() {
                        texts.extend(self.texts(node)?);
                    }
                    Ok(texts)
                }
                None => self.wrong(node, "this is a JSONPath or a list of them"),
            },
            _ => self.wrong(node, "this is a JSONPath or a list of them"),
        }
    }

    fn given(&self, node: NodeId) -> Done<Vec<Query>> {
        let mut all = Vec::new();
        for text in self.texts(node)? {
            for path in self.resolved(node, &text, 0)? {
                all.push(self.query(node, &path)?);
            }
        }
        Ok(all)
    }

    fn query(&self, node: NodeId, text: &str) -> Done<Query> {
        let text = text.trim();
        match jsonpath::parse(text) {
            Ok(query) => Ok(query),
            Err(why) => self.wrong(node, format!("{text:?} is no JSONPath: {why}")),
        }
    }

    /// An expression with its alias (`#Name.more`) put in.
    fn resolved(&self, node: NodeId, text: &str, depth: usize) -> Done<Vec<String>> {
        let Some(rest) = text.strip_prefix('#') else { return Ok(vec![text.to_owned()]) };
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
        let (name, more) = rest.split_at(end);
        let Some(paths) = self.aliases.get(name).filter(|_| depth < DEEPEST) else {
            return self.wrong(node, format!("there is no alias {name:?}"));
        };
        let mut all = Vec::new();
        for path in paths {
            all.extend(self.resolved(node, path, depth + 1)?.into_iter().map(|path| path + more));
        }
        Ok(all)
    }

    fn then(&self, node: NodeId) -> Done<Then> {
        for entry in self.document.entries(node) {
            if !matches!(self.document.str(entry.key), Some("field" | "function" | "functionOptions")) {
                return self.unknown(entry.key, "`then`", &["field", "function", "functionOptions"]);
            }
        }
        let field = match self.document.get(node, "field").map(|n| (n, self.document.key_text(n))) {
            None => Field::Whole,
            Some((_, text)) if text == "@key" => Field::Keys,
            Some((node, text)) if text.starts_with('$') => Field::Found(self.query(node, &text)?),
            Some((_, text)) => Field::Below(names(&text)),
        };
        let Some(name) = self.document.get(node, "function") else {
            return self.wrong(node, "`then` needs a function");
        };
        let options =
            self.document.get(node, "functionOptions").map_or(Json::Null, |n| self.document.to_json(n));
        match Function::new(&self.document.key_text(name), &options) {
            Ok(function) => Ok(Then { field, function }),
            Err(why) => self.wrong(name, why),
        }
    }

    fn over(&self, node: NodeId) -> Done<Override> {
        let mut over = Override { files: Vec::new(), levels: Vec::new() };
        for &file in self.document.get(node, "files").map_or(&[][..], |n| self.document.items(n)) {
            let text = self.document.key_text(file);
            let (pattern, pointer) = text.split_once('#').unwrap_or((&text, ""));
            match glob(pattern) {
                Some(pattern) => over.files.push((pattern, pointer.to_owned())),
                None => return self.wrong(file, "this is no pattern of file names"),
            }
        }
        let Some(rules) = self.document.get(node, "rules") else {
            return self.wrong(node, "an override needs `files` and `rules`");
        };
        for entry in self.document.entries(rules) {
            if matches!(self.document.value(entry.value), Value::Map(_)) {
                return self
                    .wrong(entry.value, "an override changes severities; write new rules under `rules`");
            }
            let level = self.level(entry.value)?.map(|given| given.unwrap_or(Level::Warning));
            over.levels.push((self.document.key_text(entry.key), level));
        }
        Ok(over)
    }
}

fn put(ruleset: &mut Ruleset, rule: Rule) {
    ruleset.rules.retain(|r| r.name != rule.name);
    ruleset.rules.push(rule);
}

/// `a.b[0]` as names.
fn names(text: &str) -> Vec<String> {
    text.replace(['[', ']'], ".")
        .split('.')
        .filter(|n| !n.is_empty())
        .map(|n| n.trim_matches(['\'', '"']).to_owned())
        .collect()
}

/// A pattern of file names: `*` within a folder, `**` across them. It fits the end of a path.
fn glob(pattern: &str) -> Option<regex::Regex> {
    let body = regex::escape(pattern.trim_start_matches("./"))
        .replace(r"\*\*/", "(?:.*/)?")
        .replace(r"\*\*", ".*")
        .replace(r"\*", "[^/]*")
        .replace(r"\?", "[^/]");
    regex::Regex::new(&format!("(?:^|/){body}$")).ok()
}

/// A finding's code lives as long as the program; a rule's name becomes one when its ruleset is read.
fn code(name: &str) -> &'static str {
    format!("ruleset/{name}").leak()
}
