//! Rules of the layers that Cargo does not enforce: which crates may depend on the plugins, and that plugins do not use
//! each other. That a crate uses only crates below it follows from the manifests, which cannot be circular.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("crates")
}

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

/// The manifest of each crate, by the name of its folder.
fn manifests() -> BTreeMap<String, String> {
    let entries = fs::read_dir(crates()).expect("the folder of crates").flatten();
    entries
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read_to_string(entry.path().join("Cargo.toml")).expect("a manifest"))
        })
        .collect()
}

/// Names in the table `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> BTreeSet<&str> {
    let table = manifest.split("\n[dependencies]\n").nth(1).unwrap_or_default();
    let table = table.split("\n[").next().unwrap_or_default();
    table.lines().filter_map(|line| line.split(['.', ' ']).next()).filter(|name| !name.is_empty()).collect()
}

#[test]
fn only_the_program_depends_on_the_plugins() {
    for (name, manifest) in manifests() {
        assert!(
            !dependencies(&manifest).contains("plugins"),
            "crates/{name} depends on the plugins: it should be handed a plugin::Registry"
        );
    }
}

#[test]
fn the_codecs_know_no_sockets_and_no_runtime() {
    let manifests = manifests();
    let names = dependencies(&manifests["http"]);
    for forbidden in ["tokio", "mio", "socket2", "rustls", "net"] {
        assert!(!names.contains(forbidden), "crates/http depends on {forbidden}");
    }
}

#[test]
fn every_crate_has_the_lints_of_the_workspace() {
    for (name, manifest) in manifests() {
        assert!(manifest.contains("[lints]\nworkspace = true"), "crates/{name} has no lints");
    }
}

#[test]
fn plugins_do_not_import_each_other() {
    let plugins = crates().join("plugins/src");
    let mut wrong = Vec::new();
    let mut files = Vec::new();
    rust_files(&plugins, &mut files);
    for file in files {
        let inside = file.strip_prefix(&plugins).expect("inside the crate");
        let own = inside.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
        let own = own.trim_end_matches(".rs");
        if own == "lib" {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file");
        for rest in text.split("crate::").skip(1).chain(text.split("super::super::").skip(1)) {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let is_plugin = plugins.join(&name).is_dir() && name != "shared"
                || plugins.join(format!("{name}.rs")).is_file();
            if !name.is_empty() && name != own && is_plugin {
                wrong.push(format!("crates/plugins/src/{}: imports the plugin {name}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Code outside the table of entities and the plugins that knows one kind of credential, and why.
const KNOWS_CREDENTIALS: &[(&str, &str)] = &[
    ("crates/model/src/entities.rs", "the table"),
    ("crates/config/src/credential_hash.rs", "some secrets are stored as hashes"),
    ("crates/config/src/load.rs", "some secrets are stored as hashes"),
    ("crates/analysis/src/diff/equal.rs", "some secrets are stored as hashes"),
    ("crates/analysis/src/lint/jwt_private_key.rs", "a lint about this kind"),
    ("crates/analysis/src/lint/reused_secret.rs", "secrets that may be salted hashes are left out"),
    ("crates/analysis/src/lint/weak_secret.rs", "the least length depends on the algorithm"),
];

#[test]
fn credentials_are_named_in_the_table_of_entities_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&crates(), &mut files);
    rust_files(&root.join("src"), &mut files);
    let credentials = gatewayctl::model::KINDS
        .iter()
        .filter(|kind| matches!(kind.role, gatewayctl::model::Role::Credential(_)));
    let marks: Vec<String> =
        credentials.flat_map(|kind| [format!("\"{}\"", kind.key), format!(".{}", kind.key)]).collect();
    let mut found = BTreeSet::new();
    for file in files {
        let name = file.strip_prefix(root).expect("inside the project").to_string_lossy().into_owned();
        if name.starts_with("crates/plugins/") || name.contains("tests") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file");
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        if marks.iter().any(|mark| code.contains(mark)) || name.ends_with("model/src/entities.rs") {
            found.insert(name);
        }
    }
    let known: BTreeSet<String> = KNOWS_CREDENTIALS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, known, "derive it from `model::KINDS`, or list the file with a reason");
}
