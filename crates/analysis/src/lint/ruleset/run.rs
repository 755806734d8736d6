//! From rules and a document to findings.

use serde_json::Value as Json;

use super::{Field, Path, Rule, Ruleset};
use crate::lint::{Levels, allow};
use source::{Document, Finding, Findings, Level, NodeId, NodePathStep, SourceMap, Span, Value};

/// What rules are checked on.
#[derive(Clone, Copy)]
struct LintContext<'a> {
    document: &'a Document,
    root: NodeId,
    secrets: &'a [Span],
}

/// Checks the rules on a file as it is written. Findings that a comment in the file allows are left out.
pub fn check(
    ruleset: &Ruleset,
    levels: &Levels,
    sources: &SourceMap,
    document: &Document,
    root: NodeId,
    secrets: &[Span],
    findings: &mut Findings,
) {
    let context = LintContext { document, root, secrets };
    let json = document.to_json(root);
    let file = sources.get(document.span(root).file).name();
    for rule in &ruleset.rules {
        for given in &rule.given {
            for path in given.find(&json) {
                let value = at(&json, &path);
                for then in &rule.then {
                    let targets: Vec<(Path, Option<Json>)> = match &then.field {
                        _ if given.keys => vec![(path.clone(), path.last().cloned().map(Json::String))],
                        Field::Whole => vec![(path.clone(), value.cloned())],
                        Field::Keys => value
                            .and_then(Json::as_object)
                            .into_iter()
                            .flat_map(|map| map.keys())
                            .map(|key| {
                                (join(&path, std::slice::from_ref(key)), Some(Json::String(key.clone())))
                            })
                            .collect(),
                        Field::Below(names) => {
                            vec![(join(&path, names), value.and_then(|v| at(v, names)).cloned())]
                        }
                        Field::Found(found) => value.map_or_else(Vec::new, |value| {
                            let below = found.find(value).into_iter();
                            below.map(|names| (join(&path, &names), at(value, &names).cloned())).collect()
                        }),
                    };
                    for (path, value) in targets {
                        let key = given.keys || matches!(then.field, Field::Keys);
                        let shown = context.shown(&path, value.as_ref());
                        for (below, error) in then.function.check(value.as_ref(), &shown) {
                            let path = join(&path, &below);
                            let level = levels.of(rule.code, ruleset.level(rule, file, &path));
                            let Some(level) = level else { continue };
                            let finding = context.finding(rule, level, &path, key, &error, &shown);
                            if !allow::allowed(&finding, sources) {
                                findings.push(finding);
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Ruleset {
    /// The level of a rule at a place; the last override that fits counts.
    fn level(&self, rule: &Rule, file: &str, path: &[String]) -> Option<Level> {
        let pointer: String =
            path.iter().map(|s| format!("/{}", s.replace('~', "~0").replace('/', "~1"))).collect();
        let fits = |(pattern, below): &(regex::Regex, String)| {
            pattern.is_match(file)
                && (pointer.strip_prefix(below.as_str()))
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let overrides = self.overrides.iter().rev().filter(|o| o.files.iter().any(fits));
        let level = overrides.flat_map(|o| &o.levels).find(|(name, _)| *name == rule.name);
        level.map_or(rule.level, |(_, level)| *level)
    }
}

impl LintContext<'_> {
    fn finding(
        &self,
        rule: &Rule,
        level: Level,
        path: &[String],
        key: bool,
        error: &str,
        shown: &str,
    ) -> Finding {
        let dotted = dotted(path);
        let message = match rule.message.as_ref().or(rule.description.as_ref()) {
            None => error.to_owned(),
            Some(template) => template
                .replace("{{error}}", error)
                .replace("{{description}}", rule.description.as_deref().unwrap_or_default())
                .replace("{{path}}", &dotted)
                .replace("{{property}}", path.last().map_or("", String::as_str))
                .replace("{{value}}", shown),
        };
        let mut finding = Finding::new(level, rule.code, message).at(self.place(path, key), "").path(dotted);
        if rule.message.as_ref().is_none_or(|m| !m.contains("{{error}}")) && rule.description.is_some() {
            finding = finding.help(error);
        }
        finding
    }

    /// The place of a value, or of the key that leads to it; of the nearest map that has a name if it is missing.
    fn place(&self, path: &[String], key: bool) -> Span {
        let mut node = self.root;
        let mut place = self.document.span(node);
        for (i, name) in path.iter().enumerate() {
            let entry =
                self.document.entries(node).iter().find(|e| self.document.key_text(e.key) == *name).copied();
            let next = match entry {
                Some(entry) if key && i + 1 == path.len() => return self.document.span(entry.key),
                Some(entry) => entry.value,
                None => match name
                    .parse()
                    .ok()
                    .and_then(|n| self.document.resolve_path(node, &[NodePathStep::Index(n)]))
                {
                    Some(item) => item,
                    None => break,
                },
            };
            node = next;
            place = self.document.span(node);
        }
        // A whole map is pointed at by its first key.
        match self.document.value(node) {
            Value::Map(entries) => entries.first().map_or(place, |e| self.document.span(e.key)),
            _ => place,
        }
    }

    /// A value as a message may show it.
    fn shown(&self, path: &[String], value: Option<&Json>) -> String {
        let place = self.place(path, false);
        let secret = |s: &Span| {
            s.file == place.file && s.start < place.end.max(place.start + 1) && place.start < s.end
        };
        match value {
            None => "nothing".to_owned(),
            Some(Json::Object(_) | Json::Array(_)) => "the value".to_owned(),
            Some(_) if self.secrets.iter().any(secret) => "the value".to_owned(),
            Some(value) => value.to_string(),
        }
    }
}

fn at<'j>(json: &'j Json, path: &[String]) -> Option<&'j Json> {
    path.iter().try_fold(json, |value, name| match value {
        Json::Object(map) => map.get(name),
        Json::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

fn join(path: &[String], below: &[String]) -> Path {
    path.iter().chain(below).cloned().collect()
}

/// `services[1].routes[2].name`, counted from 1 as all findings do.
fn dotted(path: &[String]) -> String {
    path.iter().fold(String::new(), |out, name| match name.parse::<usize>() {
        Ok(index) => format!("{out}[{}]", index + 1),
        Err(_) if out.is_empty() => name.clone(),
        Err(_) => format!("{out}.{name}"),
    })
}
