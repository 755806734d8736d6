//! What an editor makes of the published schema: it accepts every valid file here, and underlines what is
//! misspelt.

use std::path::Path;

use gatewayctl::{
    config::{codes::CODES, json_schema},
    lint::lints,
    source::{Document, Findings, Format, Limits, SourceMap, Span, parse},
};
use serde_json::{Value, json};

/// A file's text as the values that an editor checks.
fn read(name: &str, text: &str) -> Value {
    let mut sources = SourceMap::default();
    let file = sources.add(name, text);
    let mut document = Document::new(Span::start_of(file));
    let mut findings = Findings::default();
    let root = parse(&sources, file, Format::Yaml, &mut document, &Limits::default(), &mut findings);
    document.to_json(root.unwrap_or_else(|| panic!("{name} is no YAML")))
}

/// What an editor would underline: JSON pointer and reason.
fn complaints(file: &Value) -> Vec<String> {
    let schema = json_schema::file_schema(gatewayctl::registry());
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    validator.iter_errors(file).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

#[test]
fn the_schema_is_draft_07_as_editors_want_it() {
    let mut schemas = vec![json_schema::file_schema(gatewayctl::registry())];
    schemas.extend(
        gatewayctl::registry()
            .descriptors()
            .filter_map(|e| json_schema::plugin_schema(gatewayctl::registry(), &e.name)),
    );
    for schema in schemas {
        assert!(jsonschema::draft7::meta::is_valid(&schema), "{}", schema["title"]);
    }
    assert_eq!(
        json_schema::file_schema(gatewayctl::registry())["$schema"],
        "http://json-schema.org/draft-07/schema#"
    );
}

#[test]
fn an_editor_accepts_every_valid_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = vec![(
        "examples/kong.yml".to_owned(),
        std::fs::read_to_string(root.join("examples/kong.yml")).unwrap(),
    )];
    for entry in std::fs::read_dir(root.join("examples/plugins")).unwrap() {
        let path = entry.unwrap().path();
        texts.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
    }
    // A route's expression is a field of the other router flavor, which a schema cannot know of.
    let good = CODES.iter().map(|c| (c.code, c.good)).chain(lints().iter().map(|l| (l.code, l.good)));
    texts.extend(
        good.filter(|(_, good)| !good.is_empty()).map(|(code, good)| (code.to_owned(), good.to_owned())),
    );
    let wrong: Vec<String> = texts
        .iter()
        .map(|(name, text)| (name, complaints(&read(name, text))))
        .filter(|(_, complaints)| !complaints.is_empty())
        .map(|(name, complaints)| format!("{name}: {complaints:?}"))
        .collect();
    assert!(wrong.is_empty(), "valid files that an editor underlines:\n{}", wrong.join("\n"));
}

#[test]
fn an_editor_underlines_what_is_misspelt() {
    let service =
        |field: &str, value: Value| json!({ "services": [{ "name": "a", "host": "h", field: value }] });
    let plugin = |name: &str, config: Value| json!({ "plugins": [{ "name": name, "config": config }] });
    for file in [
        json!({ "servces": [] }),
        service("prot", json!(80)),
        service("port", json!("eighty")),
        service("protocol", json!("htp")),
        service("routes", json!([{ "name": "r", "path": ["/x"] }])),
        service("plugins", json!([{ "name": "key-auth", "config": { "key_nams": ["k"] } }])),
        plugin("rate-limitng", json!({})),
        plugin("rate-limiting", json!({ "minute": 1, "policy": "locl" })),
        plugin("rate-limiting", json!({ "minut": 1 })),
        plugin("cors", json!({ "max_age": "soon" })),
        json!({ "consumers": [{ "username": "u", "keyauth_credentials": [{ "kee": "k" }] }] }),
    ] {
        assert!(!complaints(&file).is_empty(), "{file} is not underlined");
    }
}

#[test]
fn every_setting_of_every_plugin_is_described() {
    fn walk(schema: &Value, path: &str, missing: &mut Vec<String>) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if field["description"].as_str().is_none_or(str::is_empty) {
                missing.push(path.clone());
            }
            for inner in std::iter::once(field).chain(field["anyOf"].as_array().into_iter().flatten()) {
                walk(inner, &path, missing);
            }
        }
    }
    let mut missing = Vec::new();
    for entry in gatewayctl::registry().descriptors() {
        walk(
            &json_schema::plugin_schema(gatewayctl::registry(), &entry.name).unwrap(),
            &entry.name,
            &mut missing,
        );
    }
    assert!(missing.is_empty(), "settings without a doc comment:\n{}", missing.join("\n"));
}
