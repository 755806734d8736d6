//! Bodies of the admin API's `POST /config`: the error tree, its one-line form, its flattened form, and the
//! entities of an accepted configuration.

use serde_json::{Map, Value as Json, json};

use super::{Loaded, resolve::singular};
use model::{DisplayState, IdRule, KINDS, KindInfo};
use source::{ErrorPathSegment, Finding, Findings, Level, NodeId, Value};

/// Builds the error tree (`fields`). Lists keep their positions, with nulls for items without errors; errors about
/// a whole entity are listed under `@entity`.
pub fn fields(findings: &Findings) -> Json {
    let mut root = ErrorTree::default();
    for (path, text) in findings.iter().flat_map(Finding::kong_errors) {
        root.insert(path, text);
    }
    root.json().unwrap_or_else(|| json!({}))
}

/// Formats the error tree as one line of Lua, for `message`.
pub fn message(findings: &Findings) -> String {
    let mut out = String::from("declarative config is invalid: ");
    write_lua(&fields(findings), &mut out);
    out
}

fn write_lua(value: &Json, out: &mut String) {
    match value {
        Json::Object(map) => {
            out.push('{');
            for (i, (key, value)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                let word = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                if word {
                    out.push_str(key);
                } else {
                    out.push_str(&format!("[{}]", Json::String(key.clone())));
                }
                out.push('=');
                write_lua(value, out);
            }
            out.push('}');
        }
        Json::Array(items) => {
            out.push('{');
            let present = items.iter().enumerate().filter(|(_, v)| !v.is_null());
            let gaps = items.iter().any(Json::is_null);
            for (n, (i, value)) in present.enumerate() {
                if n > 0 {
                    out.push(',');
                }
                if gaps {
                    out.push_str(&format!("[{}]=", i + 1));
                }
                write_lua(value, out);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

#[derive(Default)]
struct ErrorTree {
    text: Option<String>,
    entity: Vec<String>,
    keys: std::collections::BTreeMap<String, ErrorTree>,
    items: std::collections::BTreeMap<usize, ErrorTree>,
}

impl ErrorTree {
    fn insert(&mut self, path: &[ErrorPathSegment], text: &str) {
        match path.split_first() {
            None => self.text = self.text.take().or_else(|| Some(text.to_owned())),
            Some((ErrorPathSegment::Entity, _)) => self.entity.push(text.to_owned()),
            Some((ErrorPathSegment::Key(key), rest)) => {
                self.keys.entry(key.clone()).or_default().insert(rest, text)
            }
            Some((ErrorPathSegment::Index(i), rest)) => self.items.entry(*i).or_default().insert(rest, text),
        }
    }

    fn json(&self) -> Option<Json> {
        if self.keys.is_empty() && self.items.is_empty() && self.entity.is_empty() {
            return self.text.clone().map(Json::String);
        }
        if let Some(text) = self.text.as_ref().filter(|_| self.entity.is_empty() && self.keys.is_empty()) {
            return Some(Json::String(text.clone()));
        }
        if !self.items.is_empty() && self.keys.is_empty() && self.entity.is_empty() {
            let last = self.items.keys().last().copied().unwrap_or_default();
            let items =
                (1..=last).map(|i| self.items.get(&i).and_then(ErrorTree::json).unwrap_or(Json::Null));
            return Some(Json::Array(items.collect()));
        }
        let mut map = Map::new();
        if !self.entity.is_empty() {
            map.insert("@entity".to_owned(), json!(self.entity));
        }
        for (key, tree) in &self.keys {
            if let Some(value) = tree.json() {
                map.insert(key.clone(), value);
            }
        }
        for (i, tree) in &self.items {
            if let Some(value) = tree.json() {
                map.insert(i.to_string(), value);
            }
        }
        Some(Json::Object(map))
    }
}

/// Builds the response body of `POST /config` for a rejected document (status 400).
pub fn rejected_body(loaded: &Loaded, flatten: bool) -> Json {
    let mut body = json!({
        "code": 14,
        "name": "invalid declarative configuration",
        "message": message(&loaded.findings),
    });
    let omitted = loaded.findings.omitted().count(Level::Error);
    if omitted > 0 {
        let message = format!("{} (and {omitted} more errors)", message(&loaded.findings));
        body["message"] = json!(message);
        body["omitted_errors"] = json!(omitted);
    }
    if flatten {
        let (fields, errors) = flattened(loaded);
        body["fields"] = fields;
        body["flattened_errors"] = errors;
    } else {
        body["fields"] = fields(&loaded.findings);
    }
    body
}

/// Returns the error tree without the errors of entities, and the list of entities with their errors.
pub fn flattened(loaded: &Loaded) -> (Json, Json) {
    let mut left = Findings::default();
    let mut by_entity: ahash::AHashMap<usize, Vec<(Vec<ErrorPathSegment>, String)>> = ahash::AHashMap::new();
    let mut references = Vec::new();
    let index = entity_index(loaded);
    for finding in loaded.findings.iter() {
        for (path, text) in finding.kong_errors() {
            let mut owner = None;
            let mut node = None;
            for (depth, pair) in path.chunks(2).enumerate() {
                let [ErrorPathSegment::Key(kind), ErrorPathSegment::Index(i)] = pair else { break };
                match index.get(&(node, kind.as_str(), *i)) {
                    Some(&found) => {
                        owner = Some((found, depth * 2 + 2));
                        node = Some(found);
                    }
                    None => break,
                }
            }
            match owner {
                Some((found, depth)) if is_reference(loaded, found, &path[depth..]) => {
                    references.push(reference_entry(loaded, found, &path[depth..], text));
                }
                Some((found, depth)) => {
                    by_entity.entry(found).or_default().push((path[depth..].to_vec(), text.clone()));
                }
                // Dangling references and duplicates of other unique fields belong to no entity; Kong drops them.
                None if finding.code == "config/bad-reference" => {}
                None if is_vanishing(path) => {}
                None => {
                    let mut stays = finding.clone();
                    (stays.kong_errors, stays.implied_errors) =
                        (vec![(path.clone(), text.clone())], Vec::new());
                    left.push(stays);
                }
            }
        }
    }
    let late = loaded.findings.iter().any(|f| f.code == "config/duplicate" && !f.kong_errors.is_empty());
    let mut owners: Vec<usize> = by_entity.keys().copied().collect();
    owners.sort_by_cached_key(|&i| flattened_sort_key(loaded, i));
    let entries: Vec<Json> = references
        .into_iter()
        .chain(owners.into_iter().map(|i| entry(loaded, i, by_entity.remove(&i).unwrap_or_default(), late)))
        .collect();
    (fields(&left), Json::Array(entries))
}

/// Returns whether an error is inside a reference that is written as an object.
fn is_reference(loaded: &Loaded, i: usize, path: &[ErrorPathSegment]) -> bool {
    let foreign = KINDS[loaded.found[i].kind].foreign;
    matches!(path, [ErrorPathSegment::Key(field), ErrorPathSegment::Key(_)] if foreign.iter().any(|f| f.field == field))
}

/// Builds the flattened entry of such an object, which Kong lists as if it were the referenced entity.
fn reference_entry(loaded: &Loaded, i: usize, path: &[ErrorPathSegment], text: &str) -> Json {
    let found = &loaded.found[i];
    let [ErrorPathSegment::Key(field), inner @ ..] = path else { return Json::Null };
    let doc = &loaded.document;
    let object = doc.get(found.node, field).map_or(Json::Null, |node| doc.to_json(node));
    let kind = KINDS[found.kind].foreign.iter().find(|f| f.field == field).map_or(field.as_str(), |f| f.kind);
    let mut out = json!({ "entity_type": singular(kind) });
    if let Some(name) = object.get("name").and_then(Json::as_str) {
        out["entity_name"] = json!(name);
    }
    out["entity"] = object;
    out["errors"] = json!([{ "type": "field", "field": dotted(inner), "message": text }]);
    out
}

fn is_vanishing(path: &[ErrorPathSegment]) -> bool {
    matches!(path, [ErrorPathSegment::Key(kind), ErrorPathSegment::Key(_), ..] if KindInfo::of(kind).is_some())
}

type EntityKey<'l> = (Option<usize>, &'l str, usize);

fn entity_index(loaded: &Loaded) -> ahash::AHashMap<EntityKey<'_>, usize> {
    loaded
        .found
        .iter()
        .enumerate()
        .filter(|(_, f)| !f.stray)
        .map(|(i, f)| ((f.parent.map(|(p, _)| p), KINDS[f.kind].key, f.index), i))
        .collect()
}

/// Sort key of an entity in the flattened list: top-level kinds and entries in descending order; nested entities
/// in ascending order, before their parent.
fn flattened_sort_key(loaded: &Loaded, i: usize) -> Vec<(std::cmp::Reverse<&'static str>, isize)> {
    use std::cmp::Reverse;
    let found = &loaded.found[i];
    let index = isize::try_from(found.index).unwrap_or(isize::MAX);
    match found.parent {
        None => vec![(Reverse(KINDS[found.kind].key), -index), END],
        Some((parent, _)) => {
            let mut flattened_sort_key = flattened_sort_key(loaded, parent);
            flattened_sort_key.pop();
            flattened_sort_key.extend([(Reverse(KINDS[found.kind].key), index), END]);
            flattened_sort_key
        }
    }
}

/// Sorts an entity after its nested entities.
const END: (std::cmp::Reverse<&str>, isize) = (std::cmp::Reverse(""), 0);

fn entry(loaded: &Loaded, i: usize, mut errors: Vec<(Vec<ErrorPathSegment>, String)>, late: bool) -> Json {
    let found = &loaded.found[i];
    let kind = &KINDS[found.kind];
    let mut entity = submitted_entity(loaded, i, late);
    errors.sort_by(|(a, _), (b, _)| descending(a, b));
    let errors: Vec<Json> = errors
        .iter()
        .map(|(path, text)| {
            let field = dotted(path);
            if path.last() == Some(&ErrorPathSegment::Entity) || field.is_empty() {
                json!({ "type": "entity", "message": text })
            } else {
                json!({ "type": "field", "field": field, "message": text })
            }
        })
        .collect();
    let mut out = Map::new();
    out.insert("entity_type".to_owned(), json!(singular(kind.key)));
    if let Some(name) = entity.get("name").and_then(Json::as_str).filter(|n| !n.is_empty()) {
        out.insert("entity_name".to_owned(), json!(name));
    }
    let valid_id = |id: &str| uuid::Uuid::try_parse(id).is_ok();
    if let Some(id) = entity.get("id").and_then(Json::as_str).filter(|id| valid_id(id)) {
        out.insert("entity_id".to_owned(), json!(id));
    }
    if let Some(Json::Array(tags)) = entity.get("tags")
        && !tags.is_empty()
        && tags.iter().all(Json::is_string)
    {
        out.insert("entity_tags".to_owned(), json!(tags));
    }
    out.insert("entity".to_owned(), entity.take());
    out.insert("errors".to_owned(), Json::Array(errors));
    Json::Object(out)
}

/// Returns the entity as submitted, without nested entities; once ids are resolved, with its own id and its
/// parent's.
fn submitted_entity(loaded: &Loaded, i: usize, late: bool) -> Json {
    let found = &loaded.found[i];
    let kind = &KINDS[found.kind];
    let doc = &loaded.document;
    let mut map = Map::new();
    for entry in doc.entries(found.node) {
        let key = doc.key_text(entry.key);
        if !kind.children().iter().any(|c| c.kind == key) && *doc.value(entry.value) != Value::Null {
            map.insert(key, submitted_value(doc, entry.value));
        }
    }
    let parent_id = found.parent.and_then(|(parent, field)| {
        let given = doc.get(loaded.found[parent].node, "id").and_then(|n| doc.str(n)).map(str::to_owned);
        let derived = || loaded.ids.get(parent).filter(|_| late).map(ToString::to_string);
        Some((field, given.or_else(derived)?))
    });
    if let Some((field, id)) = parent_id {
        map.insert(field.to_owned(), json!({ "id": id }));
    }
    if late
        && !matches!(kind.id, IdRule::Natural(_))
        && !map.contains_key("id")
        && let Some(id) = loaded.ids.get(i)
    {
        map.insert("id".to_owned(), json!(id.to_string()));
    }
    Json::Object(map)
}

/// Empty lists become maps, since Lua does not distinguish them.
fn submitted_value(doc: &source::Document, node: NodeId) -> Json {
    match doc.value(node) {
        Value::Seq(items) if items.is_empty() => json!({}),
        Value::Seq(items) => Json::Array(items.iter().map(|&n| submitted_value(doc, n)).collect()),
        Value::Map(entries) => Json::Object(
            entries.iter().map(|e| (doc.key_text(e.key), submitted_value(doc, e.value))).collect(),
        ),
        _ => doc.to_json(node),
    }
}

fn dotted(path: &[ErrorPathSegment]) -> String {
    let parts: Vec<String> = path
        .iter()
        .filter_map(|seg| match seg {
            ErrorPathSegment::Key(key) => Some(key.clone()),
            ErrorPathSegment::Index(i) => Some(i.to_string()),
            ErrorPathSegment::Entity => None,
        })
        .collect();
    parts.join(".")
}

/// Keys and positions in descending order; errors about the whole entity last.
fn descending(a: &[ErrorPathSegment], b: &[ErrorPathSegment]) -> std::cmp::Ordering {
    use std::cmp::Ordering;
    for (x, y) in a.iter().zip(b) {
        let order = match (x, y) {
            (ErrorPathSegment::Entity, ErrorPathSegment::Entity) => Ordering::Equal,
            (ErrorPathSegment::Entity, _) => Ordering::Greater,
            (_, ErrorPathSegment::Entity) => Ordering::Less,
            (ErrorPathSegment::Key(x), ErrorPathSegment::Key(y)) => y.cmp(x),
            (ErrorPathSegment::Index(x), ErrorPathSegment::Index(y)) => y.cmp(x),
            (ErrorPathSegment::Key(_), ErrorPathSegment::Index(_)) => Ordering::Less,
            (ErrorPathSegment::Index(_), ErrorPathSegment::Key(_)) => Ordering::Greater,
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

/// Builds the response body of `POST /config` for an accepted document: entities by kind and id, without
/// workspaces.
pub fn entities(loaded: &Loaded) -> Json {
    let state = loaded.displayed.as_ref().or(loaded.state.as_ref());
    state.map_or_else(|| json!({}), |state| by_kind(state.display()))
}

/// Returns all entities of a configuration by kind and id.
pub fn by_kind(state: DisplayState<'_>) -> Json {
    let mut out = Map::new();
    for table in state.rows().tables() {
        let kind = table.info();
        // There is only one name space.
        if table.is_empty() || kind.key == "workspaces" {
            continue;
        }
        let rows = table.iter().map(|row| {
            let json = row.to_json();
            (key_of(kind, &json), json)
        });
        out.insert(kind.key.to_owned(), Json::Object(rows.collect()));
    }
    Json::Object(out)
}

fn key_of(kind: &KindInfo, row: &Json) -> String {
    let plain = |v: &Json| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    match kind.id {
        IdRule::Natural(fields) => fields.iter().map(|f| plain(&row[*f])).collect::<Vec<_>>().join(":"),
        _ => plain(&row["id"]),
    }
}
