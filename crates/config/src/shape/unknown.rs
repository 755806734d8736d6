//! Unknown keys of a record: the field that was probably meant, the record where it belongs, and the errors that
//! are consequences.

use super::{PathStep, Record, Shape, ShapeKind, Walker, help, names, shorthand::Expansion, walk::Before};
use crate::{dialect, nearest};
use model::KINDS;
use source::{Entry, Finding, NodeId, Seg, Value};

/// Field that an unknown key most likely stands for.
pub(super) struct Meant {
    /// Index of the finding about the unknown key.
    finding: usize,
    /// Path of the field in the error tree.
    path: Vec<Seg>,
}

/// Interpretation of an unknown key.
enum Guess {
    /// Alias or misspelling of a field of this record.
    Field(&'static str, String),
    /// Field of a nested record: its dotted path.
    Inside(String, &'static Shape),
    /// The same, written with dots, and the suggestion.
    Dotted(String, &'static Shape, String),
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

impl Walker<'_> {
    /// Reports an unknown key of a record.
    pub(super) fn complain_of_unknown(
        &mut self,
        record: &'static Record,
        node: Option<NodeId>,
        entry: Entry,
    ) {
        if self.counts_error() {
            // It may be a misspelt secret, which must not appear next to the reported key.
            self.secrets.push(self.doc.span(entry.value));
            return;
        }
        let key = self.doc.key_text(entry.key);
        let guess = self.guess(record, node, &key, entry.value);
        self.hide_unknown(record, &guess, entry);
        let mut segments = self.segments();
        let meant = match &guess {
            Guess::Field(name, _) => Some(*name),
            Guess::Inside(path, _) | Guess::Dotted(path, ..) => Some(path.as_str()),
            Guess::Expression => Some("paths"),
            Guess::Elsewhere(_) | Guess::Nothing => None,
        };
        if let Some(meant) = meant {
            let mut path = segments.clone();
            path.extend(meant.split('.').map(|part| Seg::Key(part.to_owned())));
            let finding = self.findings.0.len();
            // `url` expands to `host`.
            let shorthand = record.shorthands.iter().find(|s| *s.name == *meant);
            if shorthand.is_some_and(|s| s.rule == Some(Expansion::ServiceUrl)) {
                let mut host = segments.clone();
                host.push(Seg::Key("host".to_owned()));
                self.meant.push(Meant { finding, path: host });
            }
            self.meant.push(Meant { finding, path });
        }
        let help = match &guess {
            Guess::Field(_, help) | Guess::Elsewhere(help) | Guess::Dotted(_, _, help) => Some(help.clone()),
            Guess::Inside(path, _) => {
                let (above, _) = path.rsplit_once('.').unwrap_or_default();
                Some(format!("`{key}` belongs under `{above}:`"))
            }
            Guess::Expression => Some(format!(
                "only the router flavor `expressions` knows `{key}`: set `router_flavor` \
                 (KONG_ROUTER_FLAVOR, `--router-flavor`)"
            )),
            Guess::Nothing => listed(record),
        };
        segments.push(Seg::Key(key.clone()));
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
            .tree(segments, "unknown field");
        finding.help = help;
        self.report(finding);
        self.walk_stray(record, node, &guess, entry);
    }

    /// Records the secrets in the value of an unknown key.
    fn hide_unknown(&mut self, record: &Record, guess: &Guess, entry: Entry) {
        let (near, secret) = match guess {
            Guess::Field(name, _) => (Some(*name), false),
            Guess::Inside(_, shape) | Guess::Dotted(_, shape, _) => (None, shape.secret),
            Guess::Elsewhere(_) | Guess::Expression | Guess::Nothing => (None, false),
        };
        if secret || record.may_hide(near) {
            self.secrets.push(self.doc.span(entry.value));
        } else {
            self.hidden.entry(self.doc, entry.key, entry.value);
        }
    }

    /// Validates a list or map under a misspelt name; the admin API's response does not include these errors.
    fn walk_stray(&mut self, record: &'static Record, node: Option<NodeId>, guess: &Guess, entry: Entry) {
        let shape = match guess {
            Guess::Field(name, _) if node.is_none_or(|node| self.doc.get(node, name).is_none()) => {
                record.field(name)
            }
            Guess::Inside(_, shape) | Guess::Dotted(_, shape, _) => Some(*shape),
            _ => None,
        };
        let nested = matches!(self.doc.value(entry.value), Value::Seq(_) | Value::Map(_));
        let fits = |shape: &&Shape| nested && fits(shape, self.doc.value(entry.value));
        let Some(shape) = shape.filter(fits) else { return };
        let first = self.findings.0.len();
        self.path.push(PathStep::Free(entry.key));
        self.strays += 1;
        self.value(shape, entry.value);
        self.strays -= 1;
        self.path.pop();
        for finding in &mut self.findings.0[first..] {
            finding.tree.clear();
            finding.implied.clear();
        }
    }

    fn guess(&self, record: &'static Record, node: Option<NodeId>, key: &str, value: NodeId) -> Guess {
        if let Some(odd) = help::odd_character(key) {
            let plain: String = key.chars().filter(|c| !help::is_odd(*c)).collect();
            if let Some(name) = record.names().find(|name| *name == plain) {
                return Guess::Field(name, format!("the name contains {odd}: write `{name}` anew"));
            }
        }
        if let Some(guess) = self.guess_dotted(record, key, value) {
            return guess;
        }
        if record.field("_format_version").is_some() {
            if dialect::is_version(key) {
                return Guess::Field("_format_version", "it is called `_format_version` here".to_owned());
            }
            if let Some(near) = nearest(key, names::DECK.iter().copied()) {
                return Guess::Elsewhere(format!("did you mean `{near}`?"));
            }
        }
        let free = |name: &str| node.is_none_or(|node| self.doc.get(node, name).is_none());
        let other = |name: &str| record.names().find(|own| *own == name);
        let renamed = names::renamed(record, key, &free);
        let fits = |shape: &Shape| fits(shape, self.doc.value(value));
        let known = record.names().filter(|name| !names::RUNTIME.contains(name));
        let near = nearest(key, known);
        if let Some(near) = near.filter(|near| renamed.is_none() && record.field(near).is_none_or(fits)) {
            return Guess::Field(near, format!("did you mean `{near}`?"));
        }
        if let Some(name) = renamed.and_then(other) {
            return match free(name) {
                true => Guess::Field(name, format!("it is called `{name}` here")),
                false => Guess::Elsewhere(format!("it is called `{name}` here, and that is given already")),
            };
        }
        if key == "rule" && record.field("paths").is_some() {
            let help = "a route has `hosts`, `paths`, `methods` and `headers` in place of a rule: `paths: [/orders]`";
            return Guess::Field("paths", help.to_owned());
        }
        if matches!(key, "expression" | "priority") && record.field("regex_priority").is_some() {
            return Guess::Expression;
        }
        if let Some((path, shape)) = inside(record, key).filter(|(_, shape)| fits(shape)) {
            return Guess::Inside(path, shape);
        }
        if let Some(help) = inside_several(record, key) {
            return Guess::Elsewhere(help);
        }
        match (self.elsewhere(record, key, value, near.is_some()), near) {
            (Some(help), _) => Guess::Elsewhere(help),
            (None, Some(near)) => Guess::Field(near, format!("did you mean `{near}`?")),
            (None, None) => Guess::Nothing,
        }
    }

    /// Interprets a key such as `config.minute` as a field of a nested record.
    fn guess_dotted(&self, record: &'static Record, key: &str, value: NodeId) -> Option<Guess> {
        let (first, rest) = key.split_once('.')?;
        let mut inner = record.field(first)?;
        for part in rest.split('.') {
            let ShapeKind::Record(record) = &inner.kind else { return None };
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
        Some(Guess::Dotted(key.to_owned(), inner, help))
    }

    /// Finds the enclosing record, or related entity kind, that has a field of that name. A file section is not
    /// suggested if a field of this record is near.
    fn elsewhere(&self, record: &'static Record, key: &str, value: NodeId, near: bool) -> Option<String> {
        let above = self.records.iter().rev().skip(1);
        let mut inner = self.records.last().map_or(0, |(_, depth)| *depth);
        for (i, (outer, depth)) in above.enumerate() {
            // Fields common to all entities belong to the innermost enclosing record, if any.
            let known = outer.field(key).is_some_and(|shape| fits(shape, self.doc.value(value)));
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
            if names::RUNTIME.contains(&KINDS[kind].key) {
                return false;
            }
            let field = self.chooser.kind(kind).and_then(|kind| kind.field(key));
            field.is_some_and(|shape| fits(shape, self.doc.value(value)))
        };
        let children: Vec<usize> = record
            .fields
            .iter()
            .filter_map(|(_, shape)| match shape.kind {
                ShapeKind::Children(kind, _) if has(kind) => Some(kind),
                _ => None,
            })
            .collect();
        if let [kind] = children[..] {
            return Some(format!("`{key}` belongs to {}", KINDS[kind].key));
        }
        let parents = record.fields.iter().find_map(|(_, shape)| match &shape.kind {
            ShapeKind::Foreign(kind) => KINDS.iter().position(|k| k.key == &**kind).filter(|&kind| has(kind)),
            _ => None,
        });
        parents.map(|kind| format!("`{key}` belongs to {}", KINDS[kind].key))
    }

    /// Returns whether an error about the absence of one of these fields is a consequence of an unknown field. If
    /// so, the error is attached to that finding, at the current path.
    pub(super) fn follows(&mut self, text: String, fields: impl IntoIterator<Item = Vec<Seg>>) -> bool {
        if self.meant.is_empty() {
            return false;
        }
        let place = self.segments();
        self.follows_at(place, text, fields)
    }

    /// The same for another path of the error tree.
    pub(super) fn follows_at(
        &mut self,
        place: Vec<Seg>,
        text: String,
        fields: impl IntoIterator<Item = Vec<Seg>>,
    ) -> bool {
        let cause = fields
            .into_iter()
            .find_map(|field| self.meant.iter().rev().find(|meant| field.starts_with(&meant.path)))
            .map(|meant| meant.finding);
        let Some(finding) = cause.and_then(|cause| self.findings.0.get_mut(cause)) else { return false };
        finding.implied.push((place, text));
        self.errors += 1;
        true
    }

    /// Adjusts indexes after the removal of a finding.
    pub(super) fn meant_after(&mut self, removed: usize) {
        self.meant.retain(|meant| meant.finding != removed);
        self.meant.iter_mut().filter(|meant| meant.finding > removed).for_each(|meant| meant.finding -= 1);
    }

    /// Records that the last finding is the reason for the absence of a field.
    pub(super) fn last_is_why(&mut self, field: &str) {
        let mut path = self.segments();
        path.push(Seg::Key(field.to_owned()));
        if let Some(finding) = self.findings.0.len().checked_sub(1) {
            self.meant.push(Meant { finding, path });
        }
    }

    /// Returns whether a key is unknown only because the field that determines the schema is absent: `config` of a
    /// plugin without a name.
    pub(super) fn follows_from_missing(&self, record: &Record, node: Option<NodeId>, key: NodeId) -> bool {
        // Maps may be large: cheap tests first.
        if self.doc.str(key) != Some("config") || record.field("instance_name").is_none() {
            return false;
        }
        let named = node.and_then(|node| self.doc.get(node, "name")).and_then(|name| self.doc.str(name));
        named.is_none_or(str::is_empty)
    }

    /// Reports such a key together with the absent field.
    pub(super) fn complain_of_undecided(&mut self, record: &'static Record, entry: Entry, before: Before) {
        let mut name = self.segments();
        name.push(Seg::Key("name".to_owned()));
        let mut place = self.segments();
        place.push(Seg::Key(self.doc.key_text(entry.key)));
        self.hidden.entry(self.doc, entry.key, entry.value);
        if self.follows_at(place.clone(), "unknown field".to_owned(), [name.clone()]) {
            return;
        }
        let cause = self.findings.0[before.retained()..]
            .iter_mut()
            .find(|finding| finding.tree.iter().any(|(path, _)| *path == name));
        match cause {
            Some(finding) => finding.implied.push((place, "unknown field".to_owned())),
            None => self.complain_of_unknown(record, None, entry),
        }
    }
}

/// Returns the dotted path of the only field of that name in nested records.
fn inside(record: &'static Record, key: &str) -> Option<(String, &'static Shape)> {
    /// Collects the fields of that name up to a depth.
    fn search(
        record: &'static Record,
        key: &str,
        above: &str,
        depth: usize,
        found: &mut Vec<(String, &'static Shape)>,
    ) {
        for (name, shape) in &record.fields {
            let ShapeKind::Record(inner) = &shape.kind else { continue };
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
fn inside_several(record: &'static Record, key: &str) -> Option<String> {
    if COMMON.contains(&key) {
        return None;
    }
    let inner = record.fields.iter().filter_map(|(name, shape)| match &shape.kind {
        ShapeKind::Record(inner) if inner.field(key).is_some() => Some(&**name),
        _ => None,
    });
    match inner.collect::<Vec<_>>()[..] {
        [one, other] => Some(format!("`{key}` belongs under `{one}:` or `{other}:`")),
        _ => None,
    }
}

/// Returns whether a value could match a schema; a scalar may represent a list of one.
fn fits(shape: &Shape, value: &Value) -> bool {
    match (&shape.kind, value) {
        (_, Value::Null) | (ShapeKind::Any, _) => true,
        (ShapeKind::Text(_) | ShapeKind::Number(_) | ShapeKind::Bool, _) => {
            !matches!(value, Value::Seq(_) | Value::Map(_))
        }
        (ShapeKind::List(_), _) => !matches!(value, Value::Map(_)),
        (ShapeKind::Map(_) | ShapeKind::Record(_), _) => matches!(value, Value::Map(_)),
        (ShapeKind::Foreign(_), _) => matches!(value, Value::Str(_) | Value::Map(_)),
        (ShapeKind::Children(..), _) => matches!(value, Value::Seq(_) | Value::Map(_)),
    }
}

/// Lists the fields of a record.
fn listed(record: &Record) -> Option<String> {
    let names = || {
        let own = record.fields.iter().map(|(name, _)| &**name);
        let other = record.shorthands.iter().filter(|s| !s.deprecated).map(|s| &*s.name);
        own.chain(other)
            .filter(|name| !COMMON.contains(name) || *name == "name")
            .filter(|name| !names::RUNTIME.contains(name))
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
