//! Partials: plugin settings shared by reference. Only Kong Enterprise stores them; here they are inlined into the
//! plugins.

use super::{PARTIAL, items_of, known_fields, not_named, unknown, wrong_type};
use crate::node_edit::{deep_merge, get, is_null, remove_key, set_key};
use source::{Document, Entry, Finding, Findings, NodeId, Value};

/// The declared partials.
#[derive(Default)]
pub(super) struct Partials {
    rows: Vec<Partial>,
}

struct Partial {
    name: Option<String>,
    id: Option<String>,
    config: Option<NodeId>,
}

/// Removes the partials from the document.
pub(super) fn read(doc: &mut Document, root: NodeId, findings: &mut Findings) -> Partials {
    let Some(entry) = remove_key(doc, root, "partials") else { return Partials::default() };
    let mut rows = Vec::new();
    for (i, node) in items_of(doc, PARTIAL, "partials", entry.value, findings).into_iter().enumerate() {
        let text = |key| get(doc, node, key).and_then(|n| doc.str(n)).map(str::to_owned);
        let row = Partial { name: text("name"), id: text("id"), config: get(doc, node, "config") };
        if !matches!(doc.value(node), Value::Map(_)) {
            findings.push(not_named(doc, PARTIAL, "partials", "name", node));
        } else if row.name.is_none() && row.id.is_none() {
            let finding = Finding::error(PARTIAL, "a partial needs a `name`, by which plugins use it");
            findings.push(finding.at(doc.span(node), "").path(format!("partials[{}]", i + 1)));
        }
        if let Some(config) = row.config.filter(|&config| !matches!(doc.value(config), Value::Map(_))) {
            findings.push(wrong_type(doc, PARTIAL, &format!("partials[{}].config", i + 1), "a map", config));
        }
        rows.push(row);
    }
    Partials { rows }
}

impl Partials {
    /// Merges the partials that a plugin references into its settings, at their `path` (`config.redis` by
    /// default).
    pub(super) fn apply(
        &self,
        doc: &mut Document,
        plugin: NodeId,
        path: &dyn Fn() -> String,
        findings: &mut Findings,
    ) {
        let Some(Entry { value, .. }) = remove_key(doc, plugin, "partials") else { return };
        if is_null(doc, value) {
            return;
        }
        let own = || format!("{}.partials", path());
        for item in items_of(doc, PARTIAL, &own(), value, findings) {
            let named = ["name", "id"].iter().find_map(|key| get(doc, item, key));
            let node = named.unwrap_or(item);
            let called = doc.str(node).map(str::to_owned);
            if named.is_none() || called.is_none() {
                findings.push(not_named(doc, PARTIAL, &own(), "name", item));
            } else {
                known_fields(doc, PARTIAL, &own(), item, &["name", "id", "path", "type"], findings);
            }
            // Inline even if written as a plain string, so that its fields are not reported as missing.
            let Some(called) = called else { continue };
            let is_called = |p: &&Partial| p.name.as_ref() == Some(&called) || p.id.as_ref() == Some(&called);
            let Some(partial) = self.rows.iter().find(is_called) else {
                let names = self.rows.iter().filter_map(|p| p.name.as_deref());
                let message = format!("there is no partial `{called}` in `partials`");
                let finding =
                    unknown(PARTIAL, message, &called, names).at(doc.span(node), "not in this file");
                findings.push(finding.path(own()));
                continue;
            };
            let Some(config) = partial.config.filter(|&c| matches!(doc.value(c), Value::Map(_))) else {
                continue;
            };
            let at = get(doc, item, "path").and_then(|n| doc.str(n)).unwrap_or("config.redis").to_owned();
            // Wrapped in the maps along its path, it can be merged with the plugin as a whole.
            let place = doc.span(item);
            let mut wrapped = config;
            for step in at.rsplit('.') {
                let map = doc.add(Value::Map(Box::default()), place);
                set_key(doc, map, step, place, wrapped);
                wrapped = map;
            }
            let merged = deep_merge(doc, plugin, wrapped, true);
            let merged = doc.value(merged).clone();
            doc.set(plugin, merged);
        }
    }
}
