//! Upgrade of older format versions to 3.0.
//!
//! Versions 1.1 and 2.1 used a heuristic to decide whether a route path is a regular expression; since 3.0 a
//! leading `~` marks one. This is the only difference. As in Kong, only the routes of the document and of its
//! `services` are upgraded.

use std::borrow::Cow;

use ahash::AHashSet;

use super::node_edit::set_key;
use router;
use source::{Document, Finding, Findings, NodeId, Value};

/// Finding code: a file has `_format_version` 1.1 or 2.1; its route paths were upgraded.
pub const OLD_FORMAT: &str = "config/old-format";

/// Version of every versioned file after [`apply`].
pub const CURRENT: &str = "3.0";

/// Upgrades older files in place, with one warning per file. To be called on the roots of all files before
/// merging: a file without a version has that of the first file that has one. Values other than the strings `1.1`
/// and `2.1` are left to schema validation.
pub fn apply(doc: &mut Document, roots: &[NodeId], findings: &mut Findings) {
    let version = |doc: &Document, root| doc.get(root, "_format_version").filter(|&v| doc.str(v).is_some());
    let Some(first) = roots.iter().find_map(|&root| version(doc, root)) else { return };
    let mut done = AHashSet::new();
    for &root in roots {
        let own = version(doc, root);
        let given = own.unwrap_or(first);
        let Some(old @ ("1.1" | "2.1")) = doc.str(given) else { continue };
        let (old, place) = (old.to_owned(), doc.span(given));
        let mut changed = 0;
        let mut routes = lists(doc, root, "routes");
        for service in lists(doc, root, "services") {
            routes.extend(lists(doc, service, "routes"));
        }
        for route in routes {
            if let Some(paths) = doc.get(route, "paths").filter(|&paths| done.insert(paths)) {
                changed += rewrite(doc, paths);
            }
        }
        if own.is_some() {
            let current = doc.intern(CURRENT);
            let current = doc.add(Value::Str(current), place);
            set_key(doc, root, "_format_version", place, current);
            let what = match changed {
                0 => "no path changes its meaning".to_owned(),
                1 => "one path is read differently".to_owned(),
                n => format!("{n} paths are read differently"),
            };
            findings.push(
                Finding::warning(OLD_FORMAT, format!("format {old} is outdated: {what} in 3.0"))
                    .at(place, "outdated version")
                    .help("write \"3.0\", and `~` in front of paths that are regular expressions")
                    .path("_format_version"),
            );
        }
    }
}

/// Returns the maps in a list (or, as in Lua, in a map) under a key.
fn lists(doc: &Document, map: NodeId, key: &str) -> Vec<NodeId> {
    let Some(list) = doc.get(map, key) else { return Vec::new() };
    match doc.value(list) {
        Value::Seq(items) => items.to_vec(),
        Value::Map(entries) => entries.iter().map(|e| e.value).collect(),
        _ => Vec::new(),
    }
}

/// Upgrades a list of paths and returns the number of changes. Texts may be shared, so changed ones are new nodes.
fn rewrite(doc: &mut Document, paths: NodeId) -> usize {
    let mut items = doc.items(paths).to_vec();
    let mut changed = 0;
    for item in &mut items {
        let Some(path) = doc.str(*item) else { continue };
        let new = modern(path);
        if new != path {
            let (new, place) = (new.into_owned(), doc.span(*item));
            let text = doc.intern(&new);
            *item = doc.add(Value::Str(text), place);
            changed += 1;
        }
    }
    if changed > 0 {
        doc.set(paths, Value::Seq(items.into()));
    }
    changed
}

/// Upgrades a path of format 1.1 or 2.1.
fn modern(path: &str) -> Cow<'_, str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_~/%".contains(&b);
    if path.bytes().all(plain) {
        return match router::normalize(path) {
            Cow::Borrowed(same) => std::str::from_utf8(same).map_or(Cow::Borrowed(path), Cow::Borrowed),
            // Escapes that are not UTF-8 cannot be decoded into a string; they remain.
            Cow::Owned(bytes) => String::from_utf8(bytes).map_or(Cow::Borrowed(path), Cow::Owned),
        };
    }
    Cow::Owned(format!("~{}", decoded_regex(path)))
}

/// Decodes the escapes of unreserved characters in a regular expression. Characters that are special in a regular
/// expression are escaped with a backslash; remaining percent escapes are in upper case.
fn decoded_regex(regex: &str) -> String {
    let mut bytes = Vec::with_capacity(regex.len());
    let mut rest = regex.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escape = match rest {
            [b'%', a, b, ..] => hex(*a).zip(hex(*b)).map(|(a, b)| a << 4 | b),
            _ => None,
        };
        match escape {
            None => {
                bytes.push(first);
                rest = tail;
                continue;
            }
            // Reserved, or part of a multi-byte character: remains an escape.
            Some(byte) if b"!#$%&'()*+,/:;=?@[]".contains(&byte) || !byte.is_ascii() => {
                bytes.extend(rest[..3].to_ascii_uppercase());
            }
            Some(byte) => {
                if b".^-{}\\|".contains(&byte) {
                    bytes.push(b'\\');
                }
                bytes.push(byte);
            }
        }
        rest = &rest[3..];
    }
    // Only complete ASCII escapes were replaced by ASCII.
    String::from_utf8(bytes).unwrap_or_else(|_| regex.to_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|d| d as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use source::{Format, Level, Limits, SourceMap, Span, parse};

    /// Returns the upgraded files as JSON, and the findings.
    fn migrate(texts: &[&str]) -> (Vec<serde_json::Value>, Findings) {
        let mut sources = SourceMap::default();
        let mut findings = Findings::default();
        let files: Vec<_> = texts.iter().map(|text| sources.add("f.yml", *text)).collect();
        let mut doc = Document::new(Span::start_of(files[0]));
        let roots: Vec<NodeId> = files
            .iter()
            .map(|&f| {
                parse(&sources, f, Format::Yaml, &mut doc, &Limits::default(), &mut findings).expect("reads")
            })
            .collect();
        apply(&mut doc, &roots, &mut findings);
        (roots.iter().map(|&root| doc.to_json(root)).collect(), findings)
    }

    #[test]
    fn paths_are_upgraded_as_by_kong() {
        for (old, new) in [
            ("/a/(b)", "~/a/(b)"),
            ("/c%2Dd", "/c-d"),
            ("/x*", "~/x*"),
            ("/%41%2f%7e", "/A%2F~"),
            ("/\\d+%2e%2F", "~/\\d+\\.%2F"),
            ("/a/b/../c", "/a/c"),
            ("/a//b", "/a/b"),
            ("/a/b", "/a/b"),
            ("~/foo", "~/foo"),
            ("~/foo$", "~~/foo$"),
            ("/%2E%2e/%5B", "/%5B"),
            ("/a%20b", "/a b"),
            ("/a-b_c.d~e", "/a-b_c.d~e"),
            ("/é%41", "~/éA"),
            ("/%c3%a9", "/é"),
            ("/(x)%c3%28%zz%", "~/(x)%C3%28%zz%"),
        ] {
            assert_eq!(modern(old), new, "{old}");
        }
    }

    #[test]
    fn only_routes_of_the_document_and_of_services_are_upgraded() {
        let (json, findings) = migrate(&["_format_version: '1.1'\n\
             services: [{name: s, routes: [{paths: ['/a+']}]}]\n\
             routes: [{paths: ['/b+', /c, 3]}]\n\
             certificates: [{services: [{routes: [{paths: ['/d+']}]}]}]\n"]);
        assert_eq!(json[0]["_format_version"], "3.0");
        assert_eq!(json[0]["services"][0]["routes"][0]["paths"][0], "~/a+");
        assert_eq!(json[0]["routes"][0]["paths"], serde_json::json!(["~/b+", "/c", 3]));
        assert_eq!(json[0]["certificates"][0]["services"][0]["routes"][0]["paths"][0], "/d+");
        assert_eq!(findings.0.len(), 1);
        assert_eq!((findings.0[0].code, findings.0[0].level), (OLD_FORMAT, Level::Warning));
        assert!(findings.0[0].message.contains("2 paths"), "{}", findings.0[0].message);
    }

    #[test]
    fn aliased_paths_are_upgraded_once() {
        let (json, _) = migrate(&["_format_version: '2.1'\n\
             routes:\n- &r {name: &p '/x+', paths: &l [*p]}\n- {paths: *l}\n- *r\n"]);
        let paths = |i: usize| json[0]["routes"][i]["paths"][0].clone();
        assert_eq!((paths(0), paths(1), paths(2)), ("~/x+".into(), "~/x+".into(), "~/x+".into()));
        assert_eq!(json[0]["routes"][0]["name"], "/x+");
    }

    #[test]
    fn other_versions_are_left_to_schema_validation() {
        for version in ["'3.0'", "1.1", "'1.0'", "null", "[x]"] {
            let text = format!("_format_version: {version}\nroutes: [{{paths: ['/a+']}}]\n");
            let (json, findings) = migrate(&[&text]);
            assert_eq!(json[0]["routes"][0]["paths"][0], "/a+", "{version}");
            assert!(findings.0.is_empty());
        }
    }

    #[test]
    fn a_file_without_a_version_inherits_the_first_version() {
        let route = "routes: [{paths: ['/a+']}]\n";
        let (json, findings) = migrate(&[
            route,
            &format!("_format_version: '1.1'\n{route}"),
            &format!("_format_version: '3.0'\n{route}"),
        ]);
        let path = |i: usize| json[i]["routes"][0]["paths"][0].clone();
        assert_eq!((path(0), path(1), path(2)), ("~/a+".into(), "~/a+".into(), "/a+".into()));
        assert_eq!(findings.0.len(), 1);
    }
}
