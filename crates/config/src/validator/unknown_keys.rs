//! Unknown keys of a record: the field that was probably meant, the record where it belongs, and the errors that
//! are consequences.

use super::{
    CompiledSchema, PathStep, RecordSchema, SchemaKind, Validator, field_aliases, help, shorthand::Expansion,
    validate::Checkpoint,
};
use crate::{dialect, nearest};
use model::{KINDS, Role};
use source::{Entry, ErrorPathSegment, Finding, NodeId, Value};

/// Field that an unknown key most likely stands for.
pub(super) struct IntendedField {
    /// Index of the finding about the unknown key.
    finding: usize,
    /// Path of the field in the error tree.
    path: Vec<ErrorPathSegment>,
}

/// Interpretation of an unknown key.
enum KeyMeaning {
    /// Alias or misspelling of a field of this record.
    Field(&'static str, String),
    /// Field of a nested record: its dotted path.
    Inside(String, &'static CompiledSchema),
    /// The same, written with dots, and the suggestion.
    Dotted(String, &'static CompiledSchema, String),
    /// Field of another record, named in the help.
    Elsewhere(String),
    /// Field of the router flavor `expressions`.
    Expression,
    /// No interpretation.
    Nothing,
}

/// Fields of so many kinds that the name does not identify one.
const COMMON: &[&str] = &["id", "name", "tags", "created_at", "updated_at", "_comment", "_ignore"];

/// The most common kinds, listed first when all kinds are listed.
const USUAL_KINDS: &[&str] = &["services", "routes", "consumers", "plugins", "upstreams", "certificates"];

/// Maximum number of fields listed if there is no near match.
const MAX_LISTED: usize = 12;

impl Validator<'_> {
    /// Reports an unknown key of a record.
    pub(super) fn report_unknown_key(
        &mut self,
        record: &'static RecordSchema,
        node: Option<NodeId>,
        entry: Entry,
    ) {
        if self.count_if_full() {
            // It may be a misspelt secret, which must not appear next to the reported key.
            self.secrets.push(self.doc.span(entry.value));
            return;
        }
        let key = self.doc.key_text(entry.key);
        let guess = self.guess(record, node, &key, entry.value);
        self.mark_unknown_secrets(record, &guess, entry);
        let mut segments = self.segments();
        let intended = match &guess {
            KeyMeaning::Field(name, _) => Some(*name),
            KeyMeaning::Inside(path, _) | KeyMeaning::Dotted(path, ..) => Some(path.as_str()),
            KeyMeaning::Expression => Some("paths"),
            KeyMeaning::Elsewhere(_) | KeyMeaning::Nothing => None,
        };
        if let Some(intended) = intended {
            let mut path = segments.clone();
            path.extend(intended.split('.').map(|part| ErrorPathSegment::Key(part.to_owned())));
            let finding = self.findings.0.len();
            // `url` expands to `host`.
            let shorthand = record.shorthands.iter().find(|s| *s.name == *intended);
            if shorthand.is_some_and(|s| s.rule == Some(Expansion::ServiceUrl)) {
                let mut host = segments.clone();
                host.push(ErrorPathSegment::Key("host".to_owned()));
                self.intended.push(IntendedField { finding, path: host });
            }
            self.intended.push(IntendedField { finding, path });
        }
        let help = match &guess {
            KeyMeaning::Field(_, help) | KeyMeaning::Elsewhere(help) | KeyMeaning::Dotted(_, _, help) => {
                Some(help.clone())
            }
            KeyMeaning::Inside(path, _) => {
                let (above, _) = path.rsplit_once('.').unwrap_or_default();
                Some(format!("`{key}` belongs under `{above}:`"))
            }
            KeyMeaning::Expression => Some(format!(
                "only the router flavor `expressions` knows `{key}`: set `router_flavor` \
                 (KONG_ROUTER_FLAVOR, `--router-flavor`)"
            )),
            KeyMeaning::Nothing => listed(record),
        };
        segments.push(ErrorPathSegment::Key(key.clone()));
        let owner = match self.path.iter().rev().find(|s| !matches!(s, PathStep::Item(_))) {
            Some(PathStep::Field(name)) => format!(" in `{name}`"),
            _ => String::new(),
        };
        let mut path = self.path_text();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&key);
        let mut finding = Finding::error("config/unknown-field", format!("unknown field `{key}`{owner}"))
            .at(self.doc.span(entry.key), "")
            .path(path)
            .kong_error(segments, "unknown field");
        finding.help = help;
        self.report(finding);
        self.validate_misspelt(record, node, &guess, entry);
    }

    /// Records the secrets in the value of an unknown key.
    fn mark_unknown_secrets(&mut self, record: &RecordSchema, guess: &KeyMeaning, entry: Entry) {
        let (near, secret) = match guess {
            KeyMeaning::Field(name, _) => (Some(*name), false),
            KeyMeaning::Inside(_, schema) | KeyMeaning::Dotted(_, schema, _) => (None, schema.secret),
            KeyMeaning::Elsewhere(_) | KeyMeaning::Expression | KeyMeaning::Nothing => (None, false),
        };
        if secret || record.may_conceal_secret(near) {
            self.secrets.push(self.doc.span(entry.value));
        } else {
            self.hidden.entry(self.doc, entry.key, entry.value);
        }
    }

    /// Validates a list or map under a misspelt name; the admin API's response does not include these errors.
    fn validate_misspelt(
        &mut self,
        record: &'static RecordSchema,
        node: Option<NodeId>,
        guess: &KeyMeaning,
        entry: Entry,
    ) {
        let schema = match guess {
            KeyMeaning::Field(name, _) if node.is_none_or(|node| self.doc.get(node, name).is_none()) => {
                record.field(name)
            }
            KeyMeaning::Inside(_, schema) | KeyMeaning::Dotted(_, schema, _) => Some(*schema),
            _ => None,
        };
        let nested = matches!(self.doc.value(entry.value), Value::Seq(_) | Value::Map(_));
        let fits = |schema: &&CompiledSchema| nested && fits(schema, self.doc.value(entry.value));
        let Some(schema) = schema.filter(fits) else { return };
        let first = self.findings.0.len();
        self.path.push(PathStep::Free(entry.key));
        self.stray_depth += 1;
        self.value(schema, entry.value);
        self.stray_depth -= 1;
        self.path.pop();
        for finding in &mut self.findings.0[first..] {
            finding.kong_errors.clear();
            finding.implied_errors.clear();
        }
    }

    fn guess(
        &self,
        record: &'static RecordSchema,
        node: Option<NodeId>,
        key: &str,
        value: NodeId,
    ) -> KeyMeaning {
        if let Some(odd) = help::confusable_name(key) {
            let plain: String = key.chars().filter(|c| !help::is_confusable(*c)).collect();
            if let Some(name) = record.names().find(|name| *name == plain) {
                return KeyMeaning::Field(name, format!("the name contains {odd}: type `{name}` again"));
            }
        }
        if let Some(guess) = self.guess_dotted(record, key, value) {
            return guess;
        }
        if record.field("_format_version").is_some() {
            if dialect::is_version(key) {
                return KeyMeaning::Field(
                    "_format_version",
                    "it is called `_format_version` here".to_owned(),
                );
            }
            if let Some(near) = nearest(key, field_aliases::DECK_KEYS.iter().copied()) {
                return KeyMeaning::Elsewhere(format!("did you mean `{near}`?"));
            }
        }
        let free = |name: &str| node.is_none_or(|node| self.doc.get(node, name).is_none());
        let other = |name: &str| record.names().find(|own| *own == name);
        let resolve_alias = field_aliases::resolve_alias(record, key, &free);
        let fits = |schema: &CompiledSchema| fits(schema, self.doc.value(value));
        let known = record.names().filter(|name| !field_aliases::is_runtime_data(name));
        let near = nearest(key, known);
        if let Some(near) = near.filter(|near| resolve_alias.is_none() && record.field(near).is_none_or(fits))
        {
            return KeyMeaning::Field(near, format!("did you mean `{near}`?"));
        }
        if let Some(name) = resolve_alias.and_then(other) {
            return match free(name) {
                true => KeyMeaning::Field(name, format!("it is called `{name}` here")),
                false => {
                    KeyMeaning::Elsewhere(format!("it is called `{name}` here, and that is given already"))
                }
            };
        }
        if key == "rule" && record.field("paths").is_some() {
            let help = "a route has `hosts`, `paths`, `methods` and `headers` in place of a rule: `paths: [/orders]`";
            return KeyMeaning::Field("paths", help.to_owned());
        }
        if matches!(key, "expression" | "priority") && record.field("regex_priority").is_some() {
            return KeyMeaning::Expression;
        }
        if let Some((path, schema)) = inside(record, key).filter(|(_, schema)| fits(schema)) {
            return KeyMeaning::Inside(path, schema);
        }
        if let Some(help) = inside_several(record, key) {
            return KeyMeaning::Elsewhere(help);
        }
        match (self.elsewhere(record, key, value, near.is_some()), near) {
            (Some(help), _) => KeyMeaning::Elsewhere(help),
            (None, Some(near)) => KeyMeaning::Field(near, format!("did you mean `{near}`?")),
            (None, None) => KeyMeaning::Nothing,
        }
    }

    /// Interprets a key such as `config.minute` as a field of a nested record.
    fn guess_dotted(&self, record: &'static RecordSchema, key: &str, value: NodeId) -> Option<KeyMeaning> {
        let (first, rest) = key.split_once('.')?;
        let mut inner = record.field(first)?;
        for part in rest.split('.') {
            let SchemaKind::Record(record) = &inner.kind else { return None };
            inner = record.field(part)?;
        }
        let written = match self.doc.value(value) {
            Value::Int(n) => n.to_string(),
            Value::Bool(b) => b.to_string(),
            _ => "…".to_owned(),
        };
        let opened = rest.replace('.', ": {");
        let closed = "}".repeat(rest.matches('.').count());
        let help = format!("write `{first}: {{{opened}: {written}{closed}}}`");
        Some(KeyMeaning::Dotted(key.to_owned(), inner, help))
    }

    /// Finds the enclosing record, or related entity kind, that has a field of that name. A file section is not
    /// suggested if a field of this record is near.
    fn elsewhere(
        &self,
        record: &'static RecordSchema,
        key: &str,
        value: NodeId,
        near: bool,
    ) -> Option<String> {
        let above = self.records.iter().rev().skip(1);
        let mut inner = self.records.last().map_or(0, |(_, depth)| *depth);
        for (i, (outer, depth)) in above.enumerate() {
            // Fields common to all entities belong to the innermost enclosing record, if any.
            let known = outer.field(key).is_some_and(|schema| fits(schema, self.doc.value(value)));
            let section = outer.field("_format_version").is_some();
            if known && !(section && near) && (i == 0 || !COMMON.contains(&key)) {
                let step = self.path[*depth..inner].iter().find_map(|step| match step {
                    PathStep::Field(name) => Some((*name).to_owned()),
                    PathStep::Free(key) => Some(self.doc.key_text(*key)),
                    PathStep::Item(_) => None,
                })?;
                return Some(format!("`{key}` belongs beside `{step}:`, not inside it"));
            }
            inner = *depth;
        }
        if COMMON.contains(&key) {
            return None;
        }
        let has = |kind: usize| {
            if matches!(KINDS[kind].role, Role::RuntimeData(_)) {
                return false;
            }
            let field = self.resolver.kind(kind).and_then(|kind| kind.field(key));
            field.is_some_and(|schema| fits(schema, self.doc.value(value)))
        };
        let children: Vec<usize> = record
            .fields
            .iter()
            .filter_map(|(_, schema)| match schema.kind {
                SchemaKind::Children(kind, _) if has(kind) => Some(kind),
                _ => None,
            })
            .collect();
        if let [kind] = children[..] {
            return Some(format!("`{key}` belongs to {}", KINDS[kind].key));
        }
        let parents = record.fields.iter().find_map(|(_, schema)| match &schema.kind {
            SchemaKind::Foreign(kind) => {
                KINDS.iter().position(|k| k.key == &**kind).filter(|&kind| has(kind))
            }
            _ => None,
        });
        parents.map(|kind| format!("`{key}` belongs to {}", KINDS[kind].key))
    }

    /// Returns whether an error about the absence of one of these fields is a consequence of an unknown field. If
    /// so, the error is attached to that finding, at the current path.
    pub(super) fn is_consequence(
        &mut self,
        text: String,
        fields: impl IntoIterator<Item = Vec<ErrorPathSegment>>,
    ) -> bool {
        if self.intended.is_empty() {
            return false;
        }
        let place = self.segments();
        self.is_consequence_at(place, text, fields)
    }

    /// The same for another path of the error tree.
    pub(super) fn is_consequence_at(
        &mut self,
        place: Vec<ErrorPathSegment>,
        text: String,
        fields: impl IntoIterator<Item = Vec<ErrorPathSegment>>,
    ) -> bool {
        let cause = fields
            .into_iter()
            .find_map(|field| self.intended.iter().rev().find(|intended| field.starts_with(&intended.path)))
            .map(|intended| intended.finding);
        let Some(finding) = cause.and_then(|cause| self.findings.0.get_mut(cause)) else { return false };
        finding.implied_errors.push((place, text));
        self.errors += 1;
        true
    }

    /// Adjusts indexes after the removal of a finding.
    pub(super) fn on_finding_removed(&mut self, removed: usize) {
        self.intended.retain(|intended| intended.finding != removed);
        self.intended
            .iter_mut()
            .filter(|intended| intended.finding > removed)
            .for_each(|intended| intended.finding -= 1);
    }

    /// Records that the last finding is the reason for the absence of a field.
    pub(super) fn record_cause(&mut self, field: &str) {
        let mut path = self.segments();
        path.push(ErrorPathSegment::Key(field.to_owned()));
        if let Some(finding) = self.findings.0.len().checked_sub(1) {
            self.intended.push(IntendedField { finding, path });
        }
    }

    /// Returns whether a key is unknown only because the field that determines the schema is absent: `config` of a
    /// plugin without a name.
    pub(super) fn is_undecided_key(&self, record: &RecordSchema, node: Option<NodeId>, key: NodeId) -> bool {
        // Maps may be large: cheap tests first.
        if self.doc.str(key) != Some("config") || record.field("instance_name").is_none() {
            return false;
        }
        let named = node.and_then(|node| self.doc.get(node, "name")).and_then(|name| self.doc.str(name));
        named.is_none_or(str::is_empty)
    }

    /// Reports such a key together with the absent field.
    pub(super) fn report_undecided_key(
        &mut self,
        record: &'static RecordSchema,
        entry: Entry,
        checkpoint: Checkpoint,
    ) {
        let mut name = self.segments();
        name.push(ErrorPathSegment::Key("name".to_owned()));
        let mut place = self.segments();
        place.push(ErrorPathSegment::Key(self.doc.key_text(entry.key)));
        self.hidden.entry(self.doc, entry.key, entry.value);
        if self.is_consequence_at(place.clone(), "unknown field".to_owned(), [name.clone()]) {
            return;
        }
        let cause = self.findings.0[checkpoint.retained()..]
            .iter_mut()
            .find(|finding| finding.kong_errors.iter().any(|(path, _)| *path == name));
        match cause {
            Some(finding) => finding.implied_errors.push((place, "unknown field".to_owned())),
            None => self.report_unknown_key(record, None, entry),
        }
    }
}

/// Returns the dotted path of the only field of that name in nested records.
fn inside(record: &'static RecordSchema, key: &str) -> Option<(String, &'static CompiledSchema)> {
    /// Collects the fields of that name up to a depth.
    fn search(
        record: &'static RecordSchema,
        key: &str,
        above: &str,
        depth: usize,
        found: &mut Vec<(String, &'static CompiledSchema)>,
    ) {
        for (name, schema) in &record.fields {
            let SchemaKind::Record(inner) = &schema.kind else { continue };
            if let Some(field) = inner.field(key) {
                found.push((format!("{above}{name}.{key}"), field));
            }
            if depth > 1 {
                search(inner, key, &format!("{above}{name}."), depth - 1, found);
            }
        }
    }
    const MAX_DEPTH: usize = 3;
    let mut found = Vec::new();
    search(record, key, "", MAX_DEPTH, &mut found);
    // Of several, the least nested one is meant, if it is unique at its depth.
    let depth = |path: &str| path.matches('.').count();
    let least = found.iter().map(|(path, _)| depth(path)).min()?;
    found.retain(|(path, _)| depth(path) == least);
    if found.len() == 1 { found.pop() } else { None }
}

/// Suggests both paths if two nested records have a field of that name, such as `healthy` and `unhealthy`.
fn inside_several(record: &'static RecordSchema, key: &str) -> Option<String> {
    if COMMON.contains(&key) {
        return None;
    }
    let inner = record.fields.iter().filter_map(|(name, schema)| match &schema.kind {
        SchemaKind::Record(inner) if inner.field(key).is_some() => Some(&**name),
        _ => None,
    });
    match inner.collect::<Vec<_>>()[..] {
        [one, other] => Some(format!("`{key}` belongs under `{one}:` or `{other}:`")),
        _ => None,
    }
}

/// Returns whether a value could match a schema; a scalar may represent a list of one.
fn fits(schema: &CompiledSchema, value: &Value) -> bool {
    match (&schema.kind, value) {
        (_, Value::Null) | (SchemaKind::Any, _) => true,
        (SchemaKind::Text(_) | SchemaKind::Number(_) | SchemaKind::Bool, _) => {
            !matches!(value, Value::Seq(_) | Value::Map(_))
        }
        (SchemaKind::List(_), _) => !matches!(value, Value::Map(_)),
        (SchemaKind::Map(_) | SchemaKind::Record(_), _) => matches!(value, Value::Map(_)),
        (SchemaKind::Foreign(_), _) => matches!(value, Value::Str(_) | Value::Map(_)),
        (SchemaKind::Children(..), _) => matches!(value, Value::Seq(_) | Value::Map(_)),
    }
}

/// Lists the fields of a record.
fn listed(record: &RecordSchema) -> Option<String> {
    let names = || {
        let own = record.fields.iter().map(|(name, _)| &**name);
        let other = record.shorthands.iter().filter(|s| !s.deprecated).map(|s| &*s.name);
        own.chain(other)
            .filter(|name| !COMMON.contains(name) || *name == "name")
            .filter(|name| !field_aliases::is_runtime_data(name))
    };
    let all: Vec<&str> = match record.field("_format_version") {
        Some(_) => {
            USUAL_KINDS.iter().copied().chain(names().filter(|name| !USUAL_KINDS.contains(name))).collect()
        }
        None => names().collect(),
    };
    if all.is_empty() {
        return None;
    }
    let max = if record.field("_format_version").is_some() { USUAL_KINDS.len() } else { MAX_LISTED };
    let shown = all.iter().take(max).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Some(match all.len().saturating_sub(max) {
        0 => format!("the fields here are {shown}"),
        more => format!("the fields here are {shown} and {more} more"),
    })
}
