//! The published schema as editors and validators read it: `ajv` and `yaml-language-server` load it and agree with
//! `validate` on each file: the examples of this repository, and the real files of `tests/corpus.rs`.

#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "a test runs tools and reports")]

use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use gatewayctl::{
    config::{Input, Options, load},
    router::Flavor,
    source::{Document, Findings, Format, Level, Limits, SourceMap, Span, parse},
};
use serde_json::{Value as Json, json};

#[path = "common/corpus_folder.rs"]
mod corpus_folder;
use corpus_folder::corpus_folder;

/// What `validate` refuses files for that no schema can say: other entities, the text of values, templates.
const BEYOND: [&str; 6] = [
    "config/bad-reference",
    "config/conflict",
    "config/invalid-entity",
    "config/invalid-value",
    "deck/template",
    "deck/unknown-consumer-group",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of the tools; none, said past the capture of tests, where they cannot be had.
fn tools() -> Option<PathBuf> {
    let output = Command::new(root().join("scripts/schema-tools.sh")).output().expect("bash runs");
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Some(String::from_utf8_lossy(&output.stdout).trim().into()),
        Some(3) => {
            let mut stderr = std::io::stderr();
            writeln!(stderr, "SKIPPED: ajv and yaml-language-server cannot be had: {}", said.trim())
                .expect("the terminal takes it");
            None
        }
        _ => panic!("scripts/schema-tools.sh: {said}"),
    }
}

/// Returns a file as the tools receive it, with the codes of its errors from `validate`. `None` if it is no YAML or
/// JSON.
fn judged(path: &Path, flavor: Flavor) -> Option<Json> {
    let env = |name: &str| {
        Some(match name {
            "DECK_MOCKBIN_ENABLED" => "true".to_owned(),
            "DECK_WRITE_TIMEOUT" => "777".to_owned(),
            _ => "value".to_owned(),
        })
    };
    let name = path.to_str().expect("a name in UTF-8");
    let text = std::fs::read_to_string(path).ok()?;
    let input = Input::Text { name: name.to_owned(), text: text.clone().into_bytes() };
    let loaded = load(
        &input,
        &Options { flavor, env: &env, ..Options::new(gatewayctl::catalog().expect("a catalog")) },
    )
    .ok()?;
    let refused: BTreeSet<_> =
        loaded.findings.iter().filter(|f| f.level == Level::Error).map(|f| f.code).collect();
    // As it is written: neither templates nor older versions of the format are translated for editors.
    let mut sources = SourceMap::default();
    let file = sources.add(name, text.clone());
    let mut document = Document::new(Span::start_of(file));
    let (format, limits) = (Format::of_name(name)?, Limits::default());
    let written = parse(&sources, file, format, &mut document, &limits, &mut Findings::default())?;
    Some(json!({ "name": name, "text": text, "data": document.to_json(written), "refused": refused }))
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn editors_agree_with_validate() {
    let Some(tools) = tools() else { return };
    let mut files: Vec<Json> = files_below(&root().join("examples"))
        .iter()
        .filter(|path| !path.to_string_lossy().ends_with(".test.yaml"))
        .map(|path| judged(path, Flavor::default()).expect("an example in YAML"))
        .collect();
    let corpus = corpus_folder();
    if let Some(corpus) = &corpus {
        let manifest = std::fs::read_to_string(corpus.join("manifest.tsv")).expect("a manifest");
        for line in manifest.lines().skip(1) {
            let name = line.split('\t').next().unwrap_or_default();
            let flavor =
                if line.contains("expressions router") { Flavor::Expressions } else { Flavor::default() };
            files.extend(judged(&corpus.join(name), flavor));
        }
    }
    let schema = root().join("schemas/kong.schema.json");
    let mut node = Command::new("node")
        .args([root().join("tests/schema/check.mjs"), tools])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs");
    let request = json!({ "schema": schema, "files": files });
    let mut stdin = node.stdin.take().expect("a pipe");
    stdin.write_all(request.to_string().as_bytes()).expect("node reads");
    drop(stdin);
    let output = node.wait_with_output().expect("node ends");
    assert!(output.status.success(), "tests/schema/check.mjs failed");
    let found: Json = serde_json::from_slice(&output.stdout).expect("JSON");

    let hover = found["hover"].as_str().expect("a text");
    assert!(hover.contains("Further tries"), "the editor shows the field's description: {hover:?}");
    let listed = include_str!("schema/disagreements.txt");
    let listed: Vec<&str> =
        listed.lines().filter(|l| !l.starts_with('#')).filter_map(|l| Some(l.split_once(": ")?.0)).collect();
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for (tool, complaints) in [("ajv", &found["ajv"]), ("editor", &found["editor"])] {
        for (file, complaints) in files.iter().zip(complaints.as_array().expect("one for each file")) {
            let name = file["name"].as_str().expect("a name");
            let complaints = complaints.as_array().expect("a list");
            let refused = file["refused"].as_array().expect("a list");
            let beyond = |code: &Json| code.as_str().is_some_and(|code| BEYOND.contains(&code));
            let disagreement = match (refused.is_empty(), complaints.is_empty()) {
                (true, false) => format!("valid, but refused: {complaints:?}"),
                (false, true) if !refused.iter().any(beyond) => format!("accepted, but {refused:?}"),
                _ => continue,
            };
            match listed.iter().find(|listed| name.ends_with(*listed)) {
                Some(listed) => _ = used.insert(*listed),
                None => wrong.push(format!("{name}: {tool}: {disagreement}")),
            }
        }
    }
    assert!(wrong.is_empty(), "the published schema and validate disagree:\n{}", wrong.join("\n"));
    if corpus.is_some() {
        let stale: Vec<_> = listed.iter().filter(|name| !used.contains(*name)).collect();
        assert!(stale.is_empty(), "no disagreement, take out of tests/schema/disagreements.txt: {stale:?}");
    }
}

#[test]
fn no_published_schema_has_an_empty_enum() {
    fn has_one(schema: &Json) -> bool {
        schema["enum"].as_array().is_some_and(Vec::is_empty)
            || match schema {
                Json::Object(map) => map.values().any(has_one),
                Json::Array(items) => items.iter().any(has_one),
                _ => false,
            }
    }
    let schemas = files_below(&root().join("schemas"));
    assert!(!schemas.is_empty());
    for path in schemas {
        let schema: Json =
            serde_json::from_str(&std::fs::read_to_string(&path).expect("a file")).expect("JSON");
        assert!(!has_one(&schema), "{}", path.display());
        jsonschema::draft7::meta::validate(&schema).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
}

#[test]
fn the_schema_takes_null_where_validate_does() {
    let schema = gatewayctl::config::json_schema::file_schema(gatewayctl::registry());
    let validator = jsonschema::validator_for(&schema).expect("a schema by the rules of draft-07");
    let is_valid = |file: &Json| {
        let input = Input::Text { name: "kong.json".to_owned(), text: file.to_string().into_bytes() };
        let loaded =
            load(&input, &Options::new(gatewayctl::catalog().expect("a catalog"))).expect("the text is read");
        !loaded.findings.iter().any(|f| f.level == Level::Error)
    };
    let fields = |name: &str| schema["definitions"][name]["properties"].as_object().expect("fields").clone();
    let mut refused = Vec::new();
    let mut compare = |what: &str, field: &str, file: Json| {
        if is_valid(&file) && !validator.is_valid(&file) {
            refused.push(format!("{what}.{field}"));
        }
    };
    for (kind, row) in [
        ("services", json!({ "name": "a", "host": "h" })),
        ("routes", json!({ "name": "r", "paths": ["/x"] })),
        ("consumers", json!({ "username": "u" })),
        ("plugins", json!({ "name": "cors" })),
        ("upstreams", json!({ "name": "a.test" })),
    ] {
        for (field, _) in fields(kind) {
            let mut row = row.clone();
            row[&field] = Json::Null;
            compare(kind, &field, json!({ "_format_version": "3.0", kind: [row] }));
        }
    }
    for entry in gatewayctl::registry().descriptors() {
        let example = root().join(format!("examples/plugins/{}.yml", entry.name));
        let example = judged(&example, Flavor::default()).expect("an example in YAML");
        let config = first_config(&example["data"], &entry.name).cloned().unwrap_or(json!({}));
        for (field, _) in fields(&format!("plugin-{}", entry.name)) {
            let mut config = config.clone();
            config[&field] = Json::Null;
            let row = json!({ "name": entry.name, "config": config });
            compare(&entry.name, &field, json!({ "_format_version": "3.0", "plugins": [row] }));
        }
    }
    assert!(refused.is_empty(), "null is valid there, but the schema refuses it: {refused:?}");
}

/// The settings of the first row of a plugin, wherever it is nested.
fn first_config<'a>(file: &'a Json, plugin: &str) -> Option<&'a Json> {
    match file {
        Json::Object(map)
            if map.get("name").is_some_and(|name| name == plugin) && map.contains_key("config") =>
        {
            map.get("config")
        }
        Json::Object(map) => map.values().find_map(|below| first_config(below, plugin)),
        Json::Array(items) => items.iter().find_map(|below| first_config(below, plugin)),
        _ => None,
    }
}
