//! Resolution of ids, names and references between entities.

use ahash::{AHashMap, RandomState};
use hashbrown::HashTable;
use uuid::Uuid;

use super::{nearest, validator::EntityRef};
use model::{Foreign, IdRule, KINDS, KindInfo, Role, derived_id, namespace};
use source::{Document, ErrorPathSegment, Finding, Findings, Level, NodeId, Value};

/// Entities with ids and resolved references.
pub struct Resolved {
    /// Id of each entity.
    pub ids: Vec<Uuid>,
    links: Links,
}

/// References of all entities in one vector: field and target id.
#[derive(Default)]
struct Links {
    all: Vec<(&'static str, Uuid)>,
    /// End index of each entity's references.
    ends: Vec<u32>,
}

impl Links {
    fn of(&self, i: usize) -> &[(&'static str, Uuid)] {
        let end = |i: usize| self.ends[i] as usize;
        &self.all[i.checked_sub(1).map_or(0, end)..end(i)]
    }
}

impl Resolved {
    /// Returns the references of an entity: field and target id.
    pub fn links(&self, i: usize) -> &[(&'static str, Uuid)] {
        self.links.of(i)
    }
}

/// Assigns ids, resolves references, and reports duplicates and dangling references.
pub fn resolve(doc: &Document, found: &[EntityRef], findings: &mut Findings) -> Resolved {
    let mut resolver = Resolver {
        doc,
        found,
        names: Vec::with_capacity(found.len()),
        ids: Vec::with_capacity(found.len()),
        links: Links::default(),
        by_name: HashTable::with_capacity(found.len()),
        by_id: HashTable::with_capacity(found.len()),
        hasher: RandomState::default(),
        taken: vec![false; found.len()],
        comparisons: MAX_COMPARISONS,
    };
    for i in 0..found.len() {
        let name = resolver.kind(i).name.and_then(|field| resolver.text(i, field)).filter(|n| !n.is_empty());
        resolver.names.push(name);
        let id = resolver.id(i);
        resolver.ids.push(id);
    }
    for i in 0..found.len() {
        resolver.register(i, findings);
    }
    for i in 0..found.len() {
        resolver.link(i, findings);
        resolver.links.ends.push(resolver.links.all.len() as u32);
    }
    resolver.other_unique_fields(findings);
    Resolved { ids: resolver.ids, links: resolver.links }
}

struct Resolver<'d> {
    doc: &'d Document,
    found: &'d [EntityRef],
    /// Display name of each entity.
    names: Vec<Option<&'d str>>,
    ids: Vec<Uuid>,
    links: Links,
    /// Hash index over kind and name, or kind and id, to entity numbers.
    by_name: HashTable<u32>,
    by_id: HashTable<u32>,
    hasher: RandomState,
    /// Whether the name or id of an entity was already in use.
    taken: Vec<bool>,
    /// Remaining budget of name comparisons for suggestions.
    comparisons: usize,
}

/// About a few hundredths of a second: bounds the cost of files with many names and many errors.
const MAX_COMPARISONS: usize = 500_000;

/// Returns the path of an entity: `services[1].routes[2]`.
pub fn path_of(found: &[EntityRef], i: usize) -> Vec<ErrorPathSegment> {
    let EntityRef { kind, parent, index, .. } = &found[i];
    let mut path = match parent {
        Some((parent, _)) => path_of(found, *parent),
        None => Vec::new(),
    };
    path.push(ErrorPathSegment::Key(KINDS[*kind].key.to_owned()));
    path.push(ErrorPathSegment::Index(*index));
    path
}

/// Formats a path for display.
pub fn path_text(path: &[ErrorPathSegment]) -> String {
    let mut out = String::new();
    for seg in path {
        match seg {
            ErrorPathSegment::Index(i) => out.push_str(&format!("[{i}]")),
            ErrorPathSegment::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
            ErrorPathSegment::Entity => {}
        }
    }
    out
}

impl<'d> Resolver<'d> {
    fn kind(&self, i: usize) -> &'static KindInfo {
        &KINDS[self.found[i].kind]
    }

    fn field(&self, i: usize, field: &str) -> Option<NodeId> {
        self.doc.get(self.found[i].data, field).filter(|n| *self.doc.value(*n) != Value::Null)
    }

    fn text(&self, i: usize, field: &str) -> Option<&'d str> {
        self.field(i, field).and_then(|n| self.doc.str(n))
    }

    /// Returns the value of the entity's name field.
    fn name(&self, i: usize) -> Option<&'d str> {
        self.names[i]
    }

    /// Returns the entity's id: given, derived from its key, or generated.
    fn id(&self, i: usize) -> Uuid {
        if let Some(id) = self.text(i, "id").and_then(|t| Uuid::try_parse(t).ok()) {
            return id;
        }
        let kind = self.kind(i);
        let derived = match kind.id {
            IdRule::Name if self.is_nested_sni(i) => None,
            IdRule::Name => match self.name(i) {
                Some(name) => return derived_id(kind.key, name),
                None => None,
            },
            IdRule::CacheKey { fields, needed } => self.cache_key(i, fields, needed),
            IdRule::Natural(fields) => Some(
                fields
                    .iter()
                    .map(|f| self.field(i, f).map_or(String::new(), |n| self.doc.key_text(n)))
                    .collect::<Vec<_>>()
                    .join(":"),
            ),
            IdRule::Random => None,
        };
        match derived {
            Some(key) => derived_id(kind.key, &key),
            None => self.made_up(i),
        }
    }

    /// Kong generates a random id for an SNI nested in a certificate.
    fn is_nested_sni(&self, i: usize) -> bool {
        self.kind(i).key == "snis" && self.found[i].parent.is_some()
    }

    fn cache_key(&self, i: usize, fields: &[&str], needed: &[&str]) -> Option<String> {
        let kind = self.kind(i);
        let mut key = format!("{}:*", kind.key);
        for field in fields {
            let parent = self.found[i].parent.filter(|(_, f)| f == field);
            let part = match (parent, self.field(i, field)) {
                (Some((parent, _)), _) => self.ids[parent].to_string(),
                (None, Some(value)) => match self.doc.value(value) {
                    Value::Str(s) => s.to_string(),
                    // A reference written as an object contributes nothing, not even a separator.
                    Value::Map(_) => continue,
                    _ => return None,
                },
                (None, None) if needed.contains(field) => return None,
                (None, None) => String::new(),
            };
            key.push(':');
            key.push_str(&part);
        }
        Some(key)
    }

    /// Generates an id for an entity without a key. It is stable across loads of this process while the entity
    /// keeps its content or position, and unpredictable otherwise, because the content may be a secret.
    fn made_up(&self, i: usize) -> Uuid {
        static SALT: std::sync::LazyLock<Uuid> = std::sync::LazyLock::new(Uuid::new_v4);
        let kind = self.kind(i);
        let identifying = ["key", "client_id", "cert", "access_token", "code", "custom_id", "name"];
        let parent = self.found[i].parent.map(|(p, _)| self.ids[p]).unwrap_or_default();
        let content = identifying.iter().find_map(|f| self.text(i, f));
        let key = match content {
            Some(text) => format!("{parent}:{text}"),
            None => format!("{parent}:#{}", self.found[i].index),
        };
        let space = Uuid::new_v5(&SALT, namespace(kind.key).as_bytes());
        let mut id = Uuid::new_v5(&space, key.as_bytes());
        // Equal certificates are different entities.
        if !matches!(kind.name, Some("key" | "client_id" | "access_token")) && content.is_some() {
            let index = self.found[i].index;
            id = Uuid::new_v5(&id, &index.to_be_bytes());
        }
        id
    }

    /// Adds an entity to the name and id indexes, unless another one has the same.
    fn register(&mut self, i: usize, findings: &mut Findings) {
        let kind = self.found[i].kind;
        if let Some(name) = self.name(i) {
            if let Some(other) = self.named(kind, name) {
                self.taken[i] = true;
                let field = self.kind(i).name.unwrap_or_default();
                // Kong reports a nested entity under its own kind, at its index in the parent's list.
                let own = vec![
                    ErrorPathSegment::Key(KINDS[kind].key.to_owned()),
                    ErrorPathSegment::Index(self.found[i].index),
                ];
                self.duplicate(i, other, field, name, own, findings);
                return;
            }
            let Resolver { by_name, found, names, hasher, .. } = &mut *self;
            let hash = |i: usize| hasher.hash_one((found[i].kind, names[i]));
            by_name.insert_unique(hash(i), i as u32, |&i| hash(i as usize));
        }
        let id = self.ids[i];
        if let Some(other) = self.with_id(kind, id) {
            self.taken[i] = true;
            let path = path_of(self.found, i);
            self.duplicate(i, other, "primary key", &id.to_string(), path, findings);
            return;
        }
        let Resolver { by_id, found, ids, hasher, .. } = self;
        let hash = |i: usize| hasher.hash_one((found[i].kind, ids[i]));
        by_id.insert_unique(hash(i), i as u32, |&i| hash(i as usize));
    }

    /// Looks up an entity by kind and name.
    fn named(&self, kind: usize, name: &str) -> Option<usize> {
        let same = |&i: &u32| self.found[i as usize].kind == kind && self.names[i as usize] == Some(name);
        self.by_name.find(self.hasher.hash_one((kind, Some(name))), same).map(|&i| i as usize)
    }

    /// Looks up an entity by kind and id.
    fn with_id(&self, kind: usize, id: Uuid) -> Option<usize> {
        let same = |&i: &u32| self.found[i as usize].kind == kind && self.ids[i as usize] == id;
        self.by_id.find(self.hasher.hash_one((kind, id)), same).map(|&i| i as usize)
    }

    fn duplicate(
        &self,
        i: usize,
        other: usize,
        field: &str,
        value: &str,
        tree: Vec<ErrorPathSegment>,
        findings: &mut Findings,
    ) {
        if findings.is_full(Level::Error) {
            return findings.count_omitted(Level::Error);
        }
        let kind = self.kind(i).key;
        let text =
            format!("uniqueness violation: '{kind}' entity with {field} set to '{value}' already declared");
        let secret = matches!(field, "key" | "access_token" | "refresh_token" | "code");
        let one = singular(kind);
        let message = match field {
            "primary key" if self.field(i, "id").is_some() => format!("another {one} has the id {value}"),
            "primary key" => format!("this {one} is declared twice for the same scope"),
            _ if secret => format!("another {one} has the same `{field}`"),
            _ => format!("another {one} has the {field} `{value}`"),
        };
        let place = |i: usize| {
            let node = if field == "primary key" { self.field(i, "id") } else { self.field(i, field) };
            let first = self.doc.entries(self.found[i].node).first().map(|e| e.key);
            self.doc.span(node.or_else(|| self.field(i, "name")).or(first).unwrap_or(self.found[i].node))
        };
        let (own, written) = (self.doc.span(self.found[i].node), place(i));
        let again = match self.found[i].node == self.found[other].node {
            true => self.doc.alias_of(self.found[i].node),
            false if own.contains(written) => None,
            false => self.doc.alias_within(own, written),
        };
        let finding = Finding::error("config/duplicate", message)
            .at(again.unwrap_or(written), "declared again here")
            .at(place(other), "first declared here")
            .path(path_text(&path_of(self.found, i)))
            .kong_error(tree, text);
        findings.push(finding);
    }

    /// Resolves the references of an entity.
    fn link(&mut self, i: usize, findings: &mut Findings) {
        let kind = self.kind(i);
        let mut complaints = 0;
        for &Foreign { field, kind: target } in kind.foreign {
            if let Some((parent, _)) = self.found[i].parent.filter(|(_, f)| *f == field) {
                self.links.all.push((field, self.ids[parent]));
                self.same_parent(i, field, parent, findings);
                continue;
            }
            let Some(value) = self.field(i, field) else { continue };
            let Some(target_kind) = KindInfo::number(target) else { continue };
            let (named, written) = match self.doc.value(value) {
                Value::Str(name) => (self.named(target_kind, name), Some(&**name)),
                Value::Map(_) => {
                    let id = self.doc.get(value, "id").and_then(|n| self.doc.str(n));
                    // An invalid id has already been reported.
                    (None, id.filter(|id| Uuid::try_parse(id).is_ok()))
                }
                _ => continue,
            };
            // An empty value has already been reported.
            let Some(written) = written.filter(|written| !written.is_empty()) else { continue };
            let by_id = || self.with_id(target_kind, Uuid::try_parse(written).ok()?);
            match named.or_else(by_id) {
                Some(other) => self.links.all.push((field, self.ids[other])),
                None => {
                    complaints += 1;
                    self.dangling(i, field, target_kind, written, value, complaints, findings);
                }
            }
        }
    }

    /// A nested entity may repeat the reference to its parent, but must not reference another entity.
    fn same_parent(&self, i: usize, field: &str, parent: usize, findings: &mut Findings) {
        let Some(value) = self.field(i, field) else { return };
        let id = self.ids[parent].to_string();
        let written = match self.doc.value(value) {
            Value::Map(_) => self.doc.get(value, "id").and_then(|n| self.doc.str(n)),
            _ => self.doc.str(value),
        };
        if written.is_none_or(|w| w == id || self.name(parent) == Some(w)) {
            return;
        }
        let mut tree = path_of(self.found, i);
        let path = path_text(&tree);
        tree.push(ErrorPathSegment::Key(field.to_owned()));
        let message = format!("`{field}` names another {field} than the one this stands in");
        // Kong assigns a nested route to its parent service regardless of its `service` field.
        let finding = match self.kind(i).key {
            "routes" => Finding::warning("config/ignored-parent", message),
            _ => Finding::error("config/conflict", message).kong_error(tree, "value must be null"),
        };
        let finding = finding
            .at(self.doc.span(value), "")
            .path(format!("{path}.{field}"))
            .help(format!("remove `{field}`: the place it stands in counts"));
        findings.push(finding);
    }

    /// Returns the nearest existing name of that kind.
    fn similar(&mut self, target: usize, written: &str) -> Option<&'d str> {
        let secret = matches!(KINDS[target].role, Role::Credential(_) | Role::RuntimeData(_));
        if secret || self.comparisons < self.by_name.len() {
            return None;
        }
        self.comparisons -= self.by_name.len();
        let named = self.by_name.iter().map(|&i| i as usize).filter(|&i| self.found[i].kind == target);
        nearest(written, named.filter_map(|i| self.names[i]))
    }

    #[allow(clippy::too_many_arguments)]
    fn dangling(
        &mut self,
        i: usize,
        field: &str,
        target: usize,
        written: &str,
        value: NodeId,
        number: usize,
        findings: &mut Findings,
    ) {
        // The search for a similar name is linear.
        if findings.is_full(Level::Error) {
            return findings.count_omitted(Level::Error);
        }
        let target_key = KINDS[target].key;
        let text = format!("invalid reference '{field}: {written}' (no such entry in '{target_key}')");
        let help = match KINDS[target].name {
            None if Uuid::try_parse(written).is_err() => {
                Some(format!("{target_key} have no name: give one an `id`, and write that id here"))
            }
            _ => self.similar(target, written).map(|near| format!("did you mean `{near}`?")),
        };
        let path = path_text(&path_of(self.found, i));
        let tree = vec![
            ErrorPathSegment::Key(self.kind(i).key.to_owned()),
            ErrorPathSegment::Key(self.name(i).map_or_else(|| self.ids[i].to_string(), str::to_owned)),
            ErrorPathSegment::Index(number),
        ];
        let span = self.doc.span(match self.doc.value(value) {
            Value::Map(_) => self.doc.get(value, "id").unwrap_or(value),
            _ => value,
        });
        let mut finding = Finding::error(
            "config/bad-reference",
            format!("there is no {} `{written}`", singular(target_key)),
        )
        .at(span, "")
        .path(format!("{path}.{field}"))
        .kong_error(tree, text);
        finding.help = help;
        findings.push(finding);
    }

    /// Checks unique fields other than the name.
    fn other_unique_fields(&self, findings: &mut Findings) {
        let mut seen: AHashMap<(usize, &str, String), usize> = AHashMap::new();
        for i in 0..self.found.len() {
            for field in self.kind(i).unique {
                let linked = self.links.of(i).iter().find(|(f, _)| f == field).map(|(_, id)| id.to_string());
                let Some(value) = linked.or_else(|| self.text(i, field).map(str::to_owned)) else { continue };
                let key = (self.found[i].kind, *field, value);
                if let Some(&other) = seen.get(&key) {
                    let name = self.name(i).map_or_else(|| self.ids[i].to_string(), str::to_owned);
                    let tree =
                        vec![ErrorPathSegment::Key(self.kind(i).key.to_owned()), ErrorPathSegment::Key(name)];
                    self.duplicate(i, other, field, &key.2, tree, findings);
                } else {
                    seen.insert(key, i);
                }
            }
        }
    }
}

/// Returns the singular of a kind: `services` → `service`.
pub fn singular(kind: &str) -> &str {
    kind.strip_suffix('s').unwrap_or(kind)
}
