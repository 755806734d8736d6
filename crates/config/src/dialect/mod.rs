//! Rewriting of decK's file format extensions into the gateway's own format.
//!
//! The node tree is rewritten in place, so spans remain those of the file. Features that only Kong Enterprise has
//! are removed with a finding, never silently; consumer groups are retained in [`Dialect`] for later use. With
//! `kong_strict` this module is not used, and schema validation then rejects the keys as Kong does.

use super::{
    nearest,
    node_edit::{self, remove_key, set_key},
    version::CURRENT,
};
use source::{Document, Entry, Finding, Findings, Level, NodeId, Value};

pub(crate) mod enterprise;
mod info;
mod partials;
mod references;
#[cfg(test)]
mod tests;
mod walk;

pub use enterprise::ConsumerGroup;

/// Finding code: the file has no `_format_version`; it is treated as 3.0.
pub const NO_VERSION: &str = "config/no-format-version";
/// Finding code: a key that only Kong Enterprise or Konnect supports is ignored.
pub const ENTERPRISE: &str = "deck/enterprise";
/// Finding code: consumer groups are an Enterprise feature; plugins scoped to them are ignored.
pub const CONSUMER_GROUP: &str = "deck/consumer-group";
/// Finding code: a consumer group that the file does not declare is referenced.
pub const UNKNOWN_GROUP: &str = "deck/unknown-consumer-group";
/// Finding code: `_workspace` or `_konnect` sets decK's destination; it has no effect here.
pub const DESTINATION: &str = "deck/destination";
/// Finding code: a key of `_info` is unknown, has the wrong type, or is not supported.
pub const INFO: &str = "deck/info";
/// Finding code: `_config` references no entry of `_plugin_configs`, or one of the two has the wrong type.
pub const PLUGIN_CONFIG: &str = "deck/plugin-config";
/// Finding code: `partials` references an undeclared partial.
pub const PARTIAL: &str = "deck/partial";

/// Information from decK's keys that the rewritten document no longer contains.
#[derive(Clone, Debug, Default)]
pub struct Dialect {
    /// `_info.select_tags`; they were added to every entity.
    pub select_tags: Vec<String>,
    /// `_workspace`.
    pub workspace: Option<String>,
    /// `_konnect.control_plane_name`, or the older `runtime_group_name`.
    pub control_plane: Option<String>,
    /// `consumer_groups`, with members from both sides and their plugins.
    pub consumer_groups: Vec<ConsumerGroup>,
}

/// Rewrites the decK extensions of a document in place. Documents that are not maps are unchanged.
pub fn apply(doc: &mut Document, findings: &mut Findings) -> Dialect {
    let root = doc.root();
    let mut dialect = Dialect::default();
    if !matches!(doc.value(root), Value::Map(_)) {
        return dialect;
    }
    version(doc, root, findings);
    destination(doc, root, &mut dialect, findings);
    enterprise::top_level(doc, root, findings);
    let partials = partials::read(doc, root, findings);
    let info = info::read(doc, root, &mut dialect, findings);
    let configs = info::plugin_configs(doc, root, findings);
    dialect.consumer_groups = enterprise::consumer_groups(doc, root, findings);

    let entities = walk::entities(doc, root);
    let mut left_out = Vec::new();
    for i in 0..entities.len() {
        let entity = &entities[i];
        let path = || walk::path(&entities, i);
        match entity.kind.key {
            "consumers" => {
                enterprise::groups_of(doc, entity.node, &mut dialect.consumer_groups, &path, findings);
            }
            "plugins" => {
                info::plugin_config(doc, entity.node, configs, &path, findings);
                partials.apply(doc, entity.node, &path, findings);
                if enterprise::plugin(doc, entity.node, &mut dialect.consumer_groups, &path, findings) {
                    left_out.push(i);
                }
            }
            _ => {}
        }
        info.defaults(doc, entity);
        references::by_name(doc, entity);
        info.tag(doc, entity);
    }
    walk::leave_out(doc, &entities, &left_out);
    dialect
}

/// Adds the version, which is optional for decK. A file without any other content is probably not a gateway
/// configuration and is rejected, as by Kong.
fn version(doc: &mut Document, root: NodeId, findings: &mut Findings) {
    let holds = |entry: &Entry| match doc.value(entry.value) {
        Value::Seq(items) => !items.is_empty(),
        Value::Map(entries) => !entries.is_empty(),
        _ => false,
    };
    if doc.get(root, "_format_version").is_some() || !doc.entries(root).iter().any(holds) {
        return;
    }
    let renamed = doc.entries(root).iter().any(|entry| is_version(&doc.key_text(entry.key)));
    let place = doc.span(root);
    let text = doc.intern(CURRENT);
    let node = doc.add(Value::Str(text), place);
    set_key(doc, root, "_format_version", place, node);
    // The misspelt key gets a finding of its own.
    if renamed {
        return;
    }
    let start = source::Span { end: place.start, ..place };
    let finding = Finding::warning(NO_VERSION, "`_format_version` is missing; the file is read as 3.0")
        .at(start, "")
        .help("write `_format_version: \"3.0\"` at the top; Kong itself refuses a file without it");
    findings.push(finding);
}

/// Returns whether a top-level key is an alias or a misspelling of `_format_version`.
pub(crate) fn is_version(key: &str) -> bool {
    let plain = key.to_ascii_lowercase().replace('-', "_");
    matches!(plain.as_str(), "version" | "format") || nearest(key, ["_format_version"]).is_some()
}

/// Returns whether the file has no version, so that it was added.
pub(crate) fn lacks_version(doc: &Document, root: NodeId) -> bool {
    let entry = doc.entry(root, "_format_version");
    entry.is_none_or(|entry| doc.span(entry.key) == doc.span(root))
}

/// Removes the workspace and control plane that decK would write to.
fn destination(doc: &mut Document, root: NodeId, dialect: &mut Dialect, findings: &mut Findings) {
    if let Some(entry) = remove_key(doc, root, "_workspace") {
        match doc.value(entry.value) {
            Value::Null => {}
            Value::Str(name) => {
                dialect.workspace = Some(name.to_string());
                if &**name != "default" {
                    let message = format!(
                        "the workspace `{name}` has no effect: its entities are served like all others"
                    );
                    findings
                        .push(Finding::new(Level::Note, DESTINATION, message).at(doc.span(entry.key), ""));
                }
            }
            _ => findings.push(wrong_type(doc, DESTINATION, "_workspace", "a text", entry.value)),
        }
    }
    if let Some(entry) = remove_key(doc, root, "_konnect") {
        let name =
            ["control_plane_name", "runtime_group_name"].iter().find_map(|key| doc.get(entry.value, key));
        dialect.control_plane = name.and_then(|n| doc.str(n)).map(str::to_owned);
        if !matches!(doc.value(entry.value), Value::Map(_) | Value::Null) {
            findings.push(wrong_type(doc, DESTINATION, "_konnect", "a map", entry.value));
        } else if !node_edit::is_null(doc, entry.value) {
            known_fields(
                doc,
                DESTINATION,
                "_konnect",
                entry.value,
                &["control_plane_name", "runtime_group_name"],
                findings,
            );
            let message = "nothing is sent to Konnect: `_konnect` changes nothing here";
            findings.push(Finding::new(Level::Note, DESTINATION, message).at(doc.span(entry.key), ""));
        }
    }
}

fn wrong_type(doc: &Document, code: &'static str, path: &str, form: &str, node: NodeId) -> Finding {
    Finding::error(code, format!("`{path}` takes {form}"))
        .at(doc.span(node), format!("not {form}"))
        .path(path)
}

/// Rejects unknown fields of a decK map.
fn known_fields(
    doc: &Document,
    code: &'static str,
    path: &str,
    map: NodeId,
    known: &[&str],
    findings: &mut Findings,
) {
    for entry in doc.entries(map) {
        let word = doc.key_text(entry.key);
        if !known.contains(&word.as_str()) {
            let finding =
                unknown(code, format!("unknown field `{word}` in `{path}`"), &word, known.iter().copied());
            findings.push(finding.at(doc.span(entry.key), "").path(format!("{path}.{word}")));
        }
    }
}

/// Returns the items of a list, or reports an error for another type; null is an empty list.
fn items_of(
    doc: &Document,
    code: &'static str,
    path: &str,
    node: NodeId,
    findings: &mut Findings,
) -> Vec<NodeId> {
    match doc.value(node) {
        Value::Null => Vec::new(),
        Value::Seq(items) => items.to_vec(),
        _ => {
            findings.push(wrong_type(doc, code, path, "a list", node).help("begin each item with `- `"));
            Vec::new()
        }
    }
}

/// Reports an item that is not a map with a name.
fn not_named(doc: &Document, code: &'static str, path: &str, field: &str, node: NodeId) -> Finding {
    let found = crate::validator::messages::describe(doc.value(node));
    let finding = Finding::error(code, format!("items of `{path}` must be maps, found {found}"))
        .at(doc.span(node), "")
        .path(path);
    match doc.str(node) {
        Some(name) => finding.help(format!("write `- {field}: {name}`")),
        None => finding,
    }
}

/// Builds a finding about an unknown word that suggests the nearest known one.
fn unknown<'a>(
    code: &'static str,
    message: String,
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Finding {
    let finding = Finding::error(code, message);
    match nearest(word, known) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding,
    }
}
