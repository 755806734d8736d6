//! What decK's files say beyond the gateway's own format, put into the gateway's words.
//!
//! Everything is rewritten in place in the node tree, so that places stay those of the file. What only
//! Kong Enterprise has is taken out with a finding, never silently; what it said about consumer groups
//! is kept in [`Dialect`], for the day they are served. With `kong_strict` nothing here runs, and the
//! shape then refuses these keys as the gateway does.

use super::{
    nearest,
    tree::{self, put, take},
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

/// The file gives no `_format_version`; it is read as 3.0.
pub const NO_VERSION: &str = "config/no-format-version";
/// A key that only Kong Enterprise or Konnect understands; it is left out.
pub const ENTERPRISE: &str = "deck/enterprise";
/// Consumer groups are Enterprise's; plugins scoped to them are left out.
pub const CONSUMER_GROUP: &str = "deck/consumer-group";
/// A consumer group that the file does not declare is named.
pub const UNKNOWN_GROUP: &str = "deck/unknown-consumer-group";
/// `_workspace` or `_konnect` says where decK would write; it changes nothing here.
pub const DESTINATION: &str = "deck/destination";
/// A key of `_info` that is unknown, has the wrong type, or cannot be followed here.
pub const INFO: &str = "deck/info";
/// `_config` names an entry that `_plugin_configs` does not have, or one of the two has the wrong type.
pub const PLUGIN_CONFIG: &str = "deck/plugin-config";
/// `partials` names one that the file does not have.
pub const PARTIAL: &str = "deck/partial";

/// What decK's keys said that the rewritten document no longer does.
#[derive(Clone, Debug, Default)]
pub struct Dialect {
    /// `_info.select_tags`; every entity has them now.
    pub select_tags: Vec<String>,
    /// `_workspace`.
    pub workspace: Option<String>,
    /// `_konnect.control_plane_name`, or the older `runtime_group_name`.
    pub control_plane: Option<String>,
    /// `consumer_groups`, with their members from either side and their plugins.
    pub consumer_groups: Vec<ConsumerGroup>,
}

/// Puts a document's decK parts into the gateway's words. The root is changed in place.
///
/// It may be called on any document; one that is no map is left alone.
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

/// A file for decK need not say its version. One that holds nothing either is hardly meant for a gateway, and is
/// refused as Kong refuses it.
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
    put(doc, root, "_format_version", place, node);
    // That the version is given under another name is said of that name.
    if renamed {
        return;
    }
    let start = source::Span { end: place.start, ..place };
    let finding = Finding::warning(NO_VERSION, "`_format_version` is missing; the file is read as 3.0")
        .at(start, "")
        .help("write `_format_version: \"3.0\"` at the top; Kong itself refuses a file without it");
    findings.push(finding);
}

/// Whether a key at the top is another name of `_format_version`, or a misspelt one.
pub(crate) fn is_version(key: &str) -> bool {
    let plain = key.to_ascii_lowercase().replace('-', "_");
    matches!(plain.as_str(), "version" | "format") || nearest(key, ["_format_version"]).is_some()
}

/// Whether the file says nothing of its version, so that it was filled in.
pub(crate) fn lacks_version(doc: &Document, root: NodeId) -> bool {
    let entry = doc.entry(root, "_format_version");
    entry.is_none_or(|entry| doc.span(entry.key) == doc.span(root))
}

/// Which workspace or control plane decK would write to.
fn destination(doc: &mut Document, root: NodeId, dialect: &mut Dialect, findings: &mut Findings) {
    if let Some(entry) = take(doc, root, "_workspace") {
        match doc.value(entry.value) {
            Value::Null => {}
            Value::Str(name) => {
                dialect.workspace = Some(name.to_string());
                if &**name != "default" {
                    let message = format!(
                        "the workspace `{name}` is not told apart: its entities are served as any others"
                    );
                    findings
                        .push(Finding::new(Level::Note, DESTINATION, message).at(doc.span(entry.key), ""));
                }
            }
            _ => findings.push(wrong_type(doc, DESTINATION, "_workspace", "a text", entry.value)),
        }
    }
    if let Some(entry) = take(doc, root, "_konnect") {
        let name =
            ["control_plane_name", "runtime_group_name"].iter().find_map(|key| doc.get(entry.value, key));
        dialect.control_plane = name.and_then(|n| doc.str(n)).map(str::to_owned);
        if !matches!(doc.value(entry.value), Value::Map(_) | Value::Null) {
            findings.push(wrong_type(doc, DESTINATION, "_konnect", "a map", entry.value));
        } else if !tree::is_null(doc, entry.value) {
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

/// Refuses fields that a map of decK's does not have.
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

/// The items of a list, or an error if there is something else; null is an empty one.
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

/// An item that is no map where one with a name is wanted.
fn not_named(doc: &Document, code: &'static str, path: &str, field: &str, node: NodeId) -> Finding {
    let found = crate::shape::explain::describe(doc.value(node));
    let finding = Finding::error(code, format!("items of `{path}` must be maps, found {found}"))
        .at(doc.span(node), "")
        .path(path);
    match doc.str(node) {
        Some(name) => finding.help(format!("write `- {field}: {name}`")),
        None => finding,
    }
}

/// A finding about an unknown word, with the nearest known one as its help.
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
