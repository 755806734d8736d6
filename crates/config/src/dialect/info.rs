//! `_info` (tags and defaults for all entities) and `_plugin_configs` (shared plugin settings).

use ahash::AHashSet;

use super::{Dialect, INFO, PLUGIN_CONFIG, unknown, walk::Entity, wrong_type};
use crate::{
    nearest,
    node_edit::{deep_merge, is_null, remove_key, set_key},
};
use source::{Document, Entry, Finding, Findings, Level, NodeId, Span, Value};

const KEYS: &[&str] = &[
    "select_tags",
    "default_lookup_tags",
    "defaults",
    "consumer_group_policy_overrides",
    "skip_hash_for_basic_auth",
    "include_plugin_definitions",
];

/// Keys of `defaults`, and the kind of each.
const DEFAULTS: &[(&str, &str)] =
    &[("service", "services"), ("route", "routes"), ("upstream", "upstreams"), ("target", "targets")];

/// Changes that `_info` applies to entities.
#[derive(Default)]
pub(super) struct Info {
    tags: Vec<NodeId>,
    tags_place: Option<Span>,
    /// Kind, and a map of fields.
    defaults: Vec<(&'static str, NodeId)>,
}

/// Removes `_info` from the document and parses it.
pub(super) fn read(doc: &mut Document, root: NodeId, dialect: &mut Dialect, findings: &mut Findings) -> Info {
    let mut info = Info::default();
    let Some(entry) = remove_key(doc, root, "_info") else { return info };
    let map = entry.value;
    match doc.value(map) {
        Value::Map(_) => {}
        Value::Null => return info,
        _ => {
            findings.push(wrong_type(doc, INFO, "_info", "a map", map));
            return info;
        }
    }
    for Entry { key, value } in doc.entries(map).to_vec() {
        let name = doc.key_text(key);
        let place = doc.span(key);
        match name.as_str() {
            _ if is_null(doc, value) => {}
            "select_tags" => info.read_tags(doc, value, dialect, findings),
            "defaults" => info.read_defaults(doc, value, findings),
            "default_lookup_tags" => {
                let message = "nothing is looked up elsewhere: what this file refers to must stand in it";
                findings.push(
                    Finding::new(Level::Note, INFO, message).at(place, "").path("_info.default_lookup_tags"),
                );
            }
            "skip_hash_for_basic_auth" if *doc.value(value) == Value::Bool(true) => {
                let message = "the passwords of basic-auth credentials are hashed here all the same";
                let finding = Finding::warning(INFO, message)
                    .at(place, "")
                    .path("_info.skip_hash_for_basic_auth")
                    .help("write `_transform: false` at the top if they are hashes already");
                findings.push(finding);
            }
            known if KEYS.contains(&known) => {}
            word => {
                let message = format!("`{word}` is not a key of `_info`");
                findings.push(
                    unknown(INFO, message, word, KEYS.iter().copied())
                        .at(place, "unknown")
                        .path(format!("_info.{word}")),
                );
            }
        }
    }
    info
}

impl Info {
    fn read_tags(&mut self, doc: &Document, list: NodeId, dialect: &mut Dialect, findings: &mut Findings) {
        let mut seen = AHashSet::new();
        let wrong = doc.items(list).iter().copied().find(|&tag| doc.str(tag).is_none());
        if let (Value::Seq(_), None) = (doc.value(list), wrong) {
            self.tags = doc.items(list).iter().copied().filter(|&tag| seen.insert(doc.str(tag))).collect();
            self.tags_place = Some(doc.span(list));
            dialect.select_tags =
                self.tags.iter().filter_map(|&tag| doc.str(tag)).map(str::to_owned).collect();
        } else {
            findings.push(wrong_type(
                doc,
                INFO,
                "_info.select_tags",
                "a list of texts",
                wrong.unwrap_or(list),
            ));
        }
    }

    fn read_defaults(&mut self, doc: &mut Document, map: NodeId, findings: &mut Findings) {
        if !matches!(doc.value(map), Value::Map(_)) {
            findings.push(wrong_type(doc, INFO, "_info.defaults", "a map", map));
            return;
        }
        for Entry { key, value } in doc.entries(map).to_vec() {
            let word = doc.key_text(key);
            let path = format!("_info.defaults.{word}");
            let Some((_, kind)) = DEFAULTS.iter().find(|(name, _)| *name == word) else {
                let message = format!("there are no defaults for `{word}`");
                let names = DEFAULTS.iter().map(|(name, _)| *name);
                let near = nearest(&word, names.clone());
                let help = near.map_or_else(
                    || format!("defaults can be given for {}", names.collect::<Vec<_>>().join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                findings.push(Finding::error(INFO, message).at(doc.span(key), "").path(path).help(help));
                continue;
            };
            match doc.value(value) {
                Value::Null => continue,
                Value::Map(_) => {}
                _ => {
                    findings.push(wrong_type(doc, INFO, &path, "a map", value));
                    continue;
                }
            }
            let mut fields = doc.entries(value).to_vec();
            fields.retain(|field| {
                let name = doc.key_text(field.key);
                let own = name == "id" || name == "name" || (*kind == "targets" && name == "target");
                if own && !is_null(doc, field.value) {
                    let message = format!("`{name}` cannot be a default: every {word} has its own");
                    let finding = Finding::error(INFO, message).at(doc.span(field.key), "");
                    findings.push(finding.path(format!("{path}.{name}")));
                }
                !own
            });
            let place = doc.span(value);
            let fields = doc.add(Value::Map(fields.into()), place);
            self.defaults.push((kind, fields));
        }
    }

    /// Applies the defaults of its kind to an entity's absent and null fields.
    pub(super) fn defaults(&self, doc: &mut Document, entity: &Entity) {
        for (_, fields) in self.defaults.iter().filter(|(kind, _)| *kind == entity.kind.key) {
            let filled = deep_merge(doc, entity.node, *fields, true);
            let value = doc.value(filled).clone();
            doc.set(entity.node, value);
        }
    }

    /// Adds the tags of `select_tags` to an entity.
    pub(super) fn tag(&self, doc: &mut Document, entity: &Entity) {
        let Some(place) = self.tags_place.filter(|_| entity.kind.tags.is_some()) else { return };
        let (mut tags, place) = match doc.get(entity.node, "tags").map(|node| (node, doc.value(node))) {
            None | Some((_, Value::Null)) => (Vec::new(), place),
            Some((node, Value::Seq(items))) => (items.to_vec(), doc.span(node)),
            Some(_) => return,
        };
        let missing: Vec<NodeId> = {
            let own: AHashSet<&str> = tags.iter().filter_map(|&tag| doc.str(tag)).collect();
            self.tags.iter().copied().filter(|&tag| doc.str(tag).is_some_and(|t| !own.contains(t))).collect()
        };
        if !missing.is_empty() {
            tags.extend(missing);
            let tags = doc.add(Value::Seq(tags.into()), place);
            set_key(doc, entity.node, "tags", place, tags);
        }
    }
}

/// Removes `_plugin_configs` from the document: settings by name.
pub(super) fn plugin_configs(doc: &mut Document, root: NodeId, findings: &mut Findings) -> Option<Entry> {
    let entry = remove_key(doc, root, "_plugin_configs")?;
    match doc.value(entry.value) {
        Value::Map(_) => {}
        Value::Null => return None,
        _ => findings.push(wrong_type(doc, PLUGIN_CONFIG, "_plugin_configs", "a map", entry.value)),
    }
    for shared in doc.entries(entry.value) {
        if !matches!(doc.value(shared.value), Value::Map(_) | Value::Null) {
            let path = format!("_plugin_configs.{}", doc.key_text(shared.key));
            findings.push(wrong_type(doc, PLUGIN_CONFIG, &path, "a map", shared.value));
        }
    }
    Some(entry)
}

/// Merges the settings selected by `_config: NAME` into a plugin. The plugin's own values win; maps are merged
/// recursively.
pub(super) fn plugin_config(
    doc: &mut Document,
    plugin: NodeId,
    configs: Option<Entry>,
    path: &dyn Fn() -> String,
    findings: &mut Findings,
) {
    let Some(entry) = remove_key(doc, plugin, "_config") else { return };
    let place = doc.span(entry.value);
    let Some(name) = doc.str(entry.value).map(str::to_owned) else {
        if !is_null(doc, entry.value) {
            findings.push(wrong_type(
                doc,
                PLUGIN_CONFIG,
                &format!("{}._config", path()),
                "a text",
                entry.value,
            ));
        }
        return;
    };
    let Some(shared) = configs.and_then(|c| doc.get(c.value, &name)) else {
        let message = format!("`_plugin_configs` has no entry `{name}`");
        let names: Vec<String> =
            configs.iter().flat_map(|c| doc.entries(c.value)).map(|e| doc.key_text(e.key)).collect();
        let finding = unknown(PLUGIN_CONFIG, message, &name, names.iter().map(String::as_str));
        findings.push(finding.at(place, "").path(format!("{}._config", path())));
        return;
    };
    let config = match doc.get(plugin, "config") {
        Some(own) if !is_null(doc, own) => deep_merge(doc, own, shared, false),
        _ => shared,
    };
    set_key(doc, plugin, "config", place, config);
}
