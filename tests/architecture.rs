//! The layers, held by reading every `use crate::` in the tree: a folder imports only folders above it
//! in the table, plugins never import each other, and every folder has its place in the table.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Rows of the table in docs/architecture.md, from the bottom of the house to the top.
const ROWS: &[&[&str]] = &[
    &["source"],
    &["model"],
    &["net", "telemetry", "router"],
    &["store", "upstream"],
    &["plugin"],
    &["plugins"],
    &["config"],
    &["edit", "lint", "diff", "runtime"],
    &["proxy"],
    &["server", "impact"],
    &["trial"],
    &["cli"],
];

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).expect("a folder of sources").flatten().collect();
    entries.sort_by_key(|e| e.path());
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Every `crate::name` that code (not comments) mentions, `use crate::{a, b::c}` included.
fn imports(text: &str) -> Vec<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            found.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            continue;
        };
        // Top-level names of the group: those at depth one.
        let (mut depth, mut name) = (1, String::new());
        let mut wanted = true;
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => {
                    found.push(std::mem::take(&mut name));
                    wanted = true;
                }
                ':' if depth == 1 => wanted = false,
                c if depth == 1 && wanted && (c.is_alphanumeric() || c == '_') => name.push(c),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        found.push(name);
    }
    found.retain(|n| !n.is_empty());
    found
}

#[test]
fn folders_import_only_what_lies_below_them() {
    let row: BTreeMap<&str, usize> =
        ROWS.iter().enumerate().flat_map(|(i, names)| names.iter().map(move |n| (*n, i))).collect();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for entry in fs::read_dir(&src).expect("src").flatten().filter(|e| e.path().is_dir()) {
        let folder = entry.file_name().to_string_lossy().into_owned();
        let Some(&own) = row.get(folder.as_str()) else {
            wrong.push(format!("src/{folder} has no row in the table of layers"));
            continue;
        };
        let mut files = Vec::new();
        rust_files(&entry.path(), &mut files);
        for file in files {
            let text = fs::read_to_string(&file).expect("a source file");
            for import in imports(&text) {
                let Some(&other) = row.get(import.as_str()) else { continue };
                if import != folder && other >= own {
                    let file = file.strip_prefix(&src).expect("inside src").display();
                    wrong.push(format!("src/{file}: {folder} (row {own}) imports {import} (row {other})"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "the layers are broken:\n{}", wrong.join("\n"));
}

#[test]
fn plugins_do_not_import_each_other() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plugins");
    let mut wrong = Vec::new();
    let mut files = Vec::new();
    rust_files(&plugins, &mut files);
    for file in files {
        let inside = file.strip_prefix(&plugins).expect("inside src/plugins");
        let own = inside.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
        let own = own.trim_end_matches(".rs");
        let text = fs::read_to_string(&file).expect("a source file");
        for rest in text.split("crate::plugins::").skip(1).chain(text.split("super::super::").skip(1)) {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !name.is_empty() && name != "shared" && name != own && plugins.join(&name).exists()
                || plugins.join(format!("{name}.rs")).exists() && name != own && name != "mod"
            {
                wrong.push(format!("src/plugins/{}: imports the plugin {name}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_are_found_in_all_their_forms() {
    let text = "use crate::{a::B, c::{D, e::F}, g};\nuse crate::h::I; // crate::not\nlet x = crate::j::k();";
    let mut found = imports(text);
    found.sort();
    assert_eq!(found, ["a", "c", "g", "h", "j"]);
}
