//! Merging of several files into one document as decK does: lists are concatenated, maps are merged recursively,
//! and scalars must agree.

use model::KindInfo;
use source::{Document, Entry, Finding, Findings, NodeId, Value};

/// Finding code: two files set the same scalar to different values.
pub const CONFLICT: &str = "config/merge-conflict";

/// Merges several roots into one. A single file's root is returned unchanged; `None` if there are no roots.
///
/// Empty files are skipped. A root that is not a map is an error here if there are several files; alone, it is
/// left to schema validation.
pub fn merge(doc: &mut Document, roots: &[NodeId], findings: &mut Findings) -> Option<NodeId> {
    if let &[only] = roots {
        return Some(only);
    }
    let mut merged: Option<NodeId> = None;
    for &root in roots {
        match doc.value(root) {
            Value::Null => {}
            Value::Map(_) => {
                merged = Some(match merged {
                    None => root,
                    Some(sum) => {
                        let (place, entries) = (doc.span(sum), doc.entries(sum).to_vec());
                        let entries = join(doc, entries, root, "", findings);
                        doc.add(Value::Map(entries.into()), place)
                    }
                });
            }
            _ => {
                let place = doc.span(root);
                findings.push(Finding::error(CONFLICT, "the file does not hold a map").at(place, ""));
            }
        }
    }
    merged.or(roots.first().copied())
}

fn join(
    doc: &mut Document,
    mut sum: Vec<Entry>,
    other: NodeId,
    path: &str,
    findings: &mut Findings,
) -> Vec<Entry> {
    for entry in doc.entries(other).to_vec() {
        let name = doc.key_text(entry.key);
        let Some(known) = sum.iter_mut().find(|e| doc.key_text(e.key) == name) else {
            sum.push(entry);
            continue;
        };
        let (a, b) = (known.value, entry.value);
        let place = doc.span(a);
        let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let merged_value = match (doc.value(a), doc.value(b)) {
            (_, Value::Null) => continue,
            (Value::Null, _) => b,
            (Value::Seq(first), Value::Seq(second)) => {
                let items = first.iter().chain(second).copied().collect();
                doc.add(Value::Seq(items), place)
            }
            (Value::Map(first), Value::Map(_)) => {
                let first = first.to_vec();
                let entries = join(doc, first, b, &here, findings);
                doc.add(Value::Map(entries.into()), place)
            }
            (first, second) if first == second => continue,
            _ => {
                let values = (doc.value(a), doc.value(b));
                // If a section is a list in one file and a map in another, the map is reported as the error.
                let section = path.is_empty() && KindInfo::of(&name).is_some();
                if section && let (Value::Map(_), Value::Seq(_)) | (Value::Seq(_), Value::Map(_)) = values {
                    let (map, list) = match values.0 {
                        Value::Map(_) => (a, b),
                        _ => (b, a),
                    };
                    let finding = Finding::error(CONFLICT, format!("the files do not agree on `{here}`"))
                        .at(doc.span(map), "a map here")
                        .at(doc.span(list), "a list there")
                        .help(format!("{here} are a list: begin each item with `- `"))
                        .path(here);
                    findings.push(finding);
                    continue;
                }
                let (first, second) = (doc.span(a), doc.span(b));
                let finding = Finding::error(CONFLICT, format!("the files do not agree on `{here}`"))
                    .at(second, "this one says otherwise")
                    .at(first, "given here first")
                    .help("give it in one file only, or the same in all")
                    .path(here);
                findings.push(finding);
                continue;
            }
        };
        known.value = merged_value;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use source::{Format, Limits, SourceMap, Span, parse};

    fn merged(texts: &[&str]) -> (serde_json::Value, Vec<String>) {
        let mut sources = SourceMap::default();
        let mut findings = Findings::default();
        let files: Vec<_> = texts.iter().enumerate().map(|(i, t)| sources.add(i.to_string(), *t)).collect();
        let mut doc = Document::new(Span::start_of(files[0]));
        let mut read =
            |f| parse(&sources, f, Format::Yaml, &mut doc, &Limits::default(), &mut findings).expect("reads");
        let roots: Vec<NodeId> = files.into_iter().map(&mut read).collect();
        let root = merge(&mut doc, &roots, &mut findings).expect("a root");
        let places =
            findings.iter().flat_map(|f| f.labels.iter().map(|l| sources.display_position(l.span))).collect();
        (doc.to_json(root), places)
    }

    #[test]
    fn lists_are_appended_and_maps_joined() {
        let (json, places) = merged(&[
            "_format_version: '3.0'\nservices: [a]\n_info: {select_tags: [x], defaults: {route: {a: 1}}}\n",
            "_format_version: '3.0'\nservices: [b]\nroutes: [r]\n",
            "_info: {select_tags: [y], defaults: {service: {b: 2}}}\n",
            "",
        ]);
        assert!(places.is_empty(), "{places:?}");
        let expected = serde_json::json!({
            "_format_version": "3.0", "services": ["a", "b"], "routes": ["r"],
            "_info": {"select_tags": ["x", "y"], "defaults": {"route": {"a": 1}, "service": {"b": 2}}},
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn conflicting_scalars_are_reported_at_both_locations() {
        let (json, places) = merged(&["_workspace: a\n", "x: 1\n_workspace: b\n", "_workspace: null\n"]);
        assert_eq!(json["_workspace"], "a");
        assert_eq!(places, ["1:2:13", "0:1:13"]);
        assert_eq!(merged(&["services: [a]\n", "services: {}\n"]).1.len(), 2);
    }

    #[test]
    fn a_map_in_place_of_a_list_is_reported_at_the_map() {
        assert_eq!(merged(&["services: [a]\n", "services: {b: {}}\n"]).1, ["1:1:11", "0:1:11"]);
        assert_eq!(merged(&["services: {b: {}}\n", "services: [a]\n"]).1, ["0:1:11", "1:1:11"]);
    }

    #[test]
    fn a_single_file_is_unchanged_and_a_non_map_among_several_is_an_error() {
        assert_eq!(merged(&["[1]"]).0, serde_json::json!([1]));
        let (json, places) = merged(&["[1]", "a: 1\n"]);
        assert_eq!((json, places.len()), (serde_json::json!({"a": 1}), 1));
    }
}
