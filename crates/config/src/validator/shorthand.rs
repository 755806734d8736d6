//! Shorthand fields: `url` of a service, `redis_host` for `redis.host`.

use serde_json::{Map, Value as Json};

use super::{
    CompiledSchema, PathStep, RecordSchema, Validator,
    compile_error::{CompileError, Defect, strings, value_of},
    entity_checks::has_field,
};
use source::{Entry, Finding, NodeId, Span, Value};

/// Field that expands to others.
#[derive(Debug)]
pub struct Shorthand {
    /// Its name.
    pub name: Box<str>,
    /// Schema of its value.
    pub schema: CompiledSchema,
    /// Target paths.
    pub to: Vec<Vec<Box<str>>>,
    /// Whether it is deprecated. An explicit new field takes precedence then.
    pub deprecated: bool,
    /// Expansion, if it is more than a move.
    pub rule: Option<Expansion>,
}

/// Expansions that do more than move a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Expansion {
    ServiceUrl,
    UpstreamAlgorithm,
    UpstreamHashOn,
}

impl Expansion {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "service_url" => Expansion::ServiceUrl,
            "upstream_algorithm" => Expansion::UpstreamAlgorithm,
            "upstream_hash_on" => Expansion::UpstreamHashOn,
            _ => return None,
        })
    }
}

type Object = Map<String, Json>;

/// Separates the schema of a shorthand's value from the keys of the shorthand itself.
pub(super) fn split(entry: &Json) -> Result<(Object, Object), CompileError> {
    let entry = entry.as_object().ok_or(Defect::NotASchema)?;
    let own = |(key, _): &(String, Json)| matches!(&**key, "name" | "to" | "deprecated" | "rule");
    let (own, schema) = entry.clone().into_iter().partition(own);
    Ok((schema, own))
}

/// Compiles a shorthand of a record from its own keys.
pub(super) fn compile(
    own: &Object,
    schema: CompiledSchema,
    record: &RecordSchema,
) -> Result<Shorthand, CompileError> {
    let text = |key: &str| {
        own.get(key).map(|value| value.as_str().ok_or_else(|| value_of(key, "a string"))).transpose()
    };
    let to = match own.get("to") {
        None => Vec::new(),
        Some(Json::String(path)) => vec![Box::from(path.as_str())],
        Some(paths) => strings(paths).ok_or_else(|| value_of("to", "a list of fields"))?,
    };
    if let Some(unknown) = to.iter().find(|path| !has_field(record, path)) {
        return Err(Defect::UnknownField(unknown.to_string()).into());
    }
    let rule = match text("rule")? {
        None => None,
        Some(name) => Some(Expansion::of(name).ok_or_else(|| Defect::UnknownExpansion(name.to_owned()))?),
    };
    if to.is_empty() && rule.is_none() {
        return Err(value_of("to", "a list of fields"));
    }
    let deprecated = match own.get("deprecated") {
        None => false,
        Some(value) => value.as_bool().ok_or_else(|| value_of("deprecated", "true or false"))?,
    };
    Ok(Shorthand {
        name: text("name")?.ok_or_else(|| value_of("name", "the name of the shorthand"))?.into(),
        schema,
        to: to.iter().map(|path| path.split('.').map(Into::into).collect()).collect(),
        deprecated,
        rule,
    })
}

impl Validator<'_> {
    /// Expands the shorthands of a record; returns the same node if there are none.
    pub(super) fn expand(&mut self, record: &'static RecordSchema, node: NodeId) -> NodeId {
        let mut node = node;
        for shorthand in &record.shorthands {
            let Some(entry) = self.doc.entry(node, &shorthand.name) else { continue };
            self.path.push(PathStep::Field(&shorthand.name));
            let errors_before = self.errors;
            self.value(&shorthand.schema, entry.value);
            let fine = self.errors == errors_before;
            // Exports contain every field, with null for the old ones: null counts as absent.
            let given = *self.doc.value(entry.value) != Value::Null;
            if fine && given && shorthand.deprecated {
                self.warn_deprecated(shorthand, entry);
            }
            node = match shorthand.rule {
                _ if !fine => self.without(node, &shorthand.name),
                Some(Expansion::ServiceUrl) => self.service_url(node, entry),
                Some(Expansion::UpstreamAlgorithm) => node,
                Some(Expansion::UpstreamHashOn) => self.upstream_hash_on(node, entry),
                None => self.moved(node, shorthand, entry),
            };
            self.path.pop();
            if !fine && shorthand.rule == Some(Expansion::ServiceUrl) {
                self.record_cause("host");
            }
        }
        node
    }

    fn warn_deprecated(&mut self, shorthand: &Shorthand, entry: Entry) {
        let to: Vec<_> = shorthand.to.iter().map(|path| path.join(".")).collect();
        let message = format!("`{}` is deprecated", shorthand.name);
        let mut finding = Finding::warning("config/deprecated-field", message)
            .at(self.doc.span(entry.key), "")
            .path(self.path_text());
        if !to.is_empty() {
            finding = finding.help(format!("use `{}`", to.join("`, `")));
        }
        self.report(finding);
    }

    /// Moves a value to its target fields.
    fn moved(&mut self, node: NodeId, shorthand: &'static Shorthand, entry: Entry) -> NodeId {
        let mut node = self.without(node, &shorthand.name);
        for path in &shorthand.to {
            let existing = path.iter().try_fold(node, |n, part| self.doc.get(n, part));
            let existing = existing.filter(|n| *self.doc.value(*n) != Value::Null);
            match existing {
                Some(new) if shorthand.deprecated => {
                    let (old, new) = (self.doc.to_json(entry.value), self.doc.to_json(new));
                    if old != new && !old.is_null() {
                        self.mismatch(shorthand, path, entry, &old, &new);
                    }
                }
                _ => node = self.put(node, path, entry.value),
            }
        }
        node
    }

    fn mismatch(&mut self, shorthand: &Shorthand, path: &[Box<str>], entry: Entry, old: &Json, new: &Json) {
        let plain = |v: &Json| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        let (name, to) = (&shorthand.name, path.join("."));
        let values = if shorthand.schema.secret || name.contains("password") {
            format!("{name} vs {to}")
        } else {
            format!("{name} = {} vs {to} = {}", plain(old), plain(new))
        };
        let text = format!("both deprecated and new field are used but their values mismatch: {values}");
        let message = format!("`{name}` and `{to}` say different things; `{name}` is the old name of `{to}`");
        let span = self.doc.span(entry.key);
        let segments = self.segments();
        self.push(span, segments, "config/conflict", message, text, Some(format!("remove `{name}`")));
    }

    /// Copies a map without a key.
    pub(super) fn without(&mut self, node: NodeId, key: &str) -> NodeId {
        let entries: Vec<Entry> =
            self.doc.entries(node).iter().copied().filter(|e| self.doc.str(e.key) != Some(key)).collect();
        let span = self.doc.span(node);
        self.doc.add(Value::Map(entries.into()), span)
    }

    /// Copies a map with a value at a path; maps along the path are copied too.
    fn put(&mut self, node: NodeId, path: &[Box<str>], value: NodeId) -> NodeId {
        let Some((first, rest)) = path.split_first() else { return value };
        let span = self.doc.span(value);
        let inner = match self.doc.get(node, first) {
            Some(inner) if !rest.is_empty() && matches!(self.doc.value(inner), Value::Map(_)) => Some(inner),
            _ => None,
        };
        let value = match inner {
            _ if rest.is_empty() => value,
            Some(inner) => self.put(inner, rest, value),
            None => {
                let empty = self.doc.add(Value::Map(Box::default()), span);
                self.put(empty, rest, value)
            }
        };
        self.with_field(node, first, value, span)
    }

    fn with_field(&mut self, node: NodeId, key: &str, value: NodeId, span: Span) -> NodeId {
        let mut entries = self.doc.entries(node).to_vec();
        match entries.iter().position(|e| self.doc.str(e.key) == Some(key)) {
            Some(i) => entries[i].value = value,
            None => {
                let key = self.doc.add(Value::Str(key.into()), span);
                entries.push(Entry { key, value });
            }
        }
        let span = self.doc.span(node);
        self.doc.add(Value::Map(entries.into()), span)
    }

    /// The hashed input determines the algorithm.
    fn upstream_hash_on(&mut self, node: NodeId, hash_on: Entry) -> NodeId {
        let span = self.doc.span(hash_on.value);
        let (algorithm, none) = match self.doc.value(hash_on.value) {
            Value::Null => (None, true),
            Value::Str(s) if &**s == "none" => (Some("round-robin"), false),
            Value::Str(_) => (Some("consistent-hashing"), false),
            _ => return node,
        };
        let mut node = node;
        if none {
            let value = self.doc.add(Value::Str("none".into()), span);
            node = self.with_field(node, "hash_on", value, span);
        }
        if let Some(algorithm) = algorithm {
            let value = self.doc.add(Value::Str(algorithm.into()), span);
            node = self.with_field(node, "algorithm", value, span);
        }
        node
    }
}
