//! Published JSON Schema of a whole file, for editors and generators: the entities' schemas combined with their
//! nested entities, and every plugin's settings selected by its name.

use serde_json::{Map, Value as Json, json};

use super::dialect::enterprise;
use model::{KINDS, KindInfo};
use plugin::{PluginDescriptor, Registry};

/// Returns the schema of a file in JSON Schema draft-07, which all editors support. It includes the keys that decK
/// adds.
pub fn file_schema(registry: &Registry) -> Json {
    let mut defs = Map::new();
    for kind in KINDS {
        defs.insert(kind.key.to_owned(), entity(registry, kind));
    }
    for entry in registry.descriptors() {
        defs.insert(settings_name(entry), published((entry.schema)().to_value()));
    }
    let mut properties = Map::new();
    properties.insert(
        "_format_version".to_owned(),
        json!({
            "description": "Version of the format. Before 3.0, paths that look like regular expressions are taken for them.",
            "type": "string",
            "enum": ["1.1", "2.1", "3.0"],
        }),
    );
    properties.insert(
        "_transform".to_owned(),
        json!({
            "description": "Whether passwords are hashed and digests computed while loading.",
            "type": "boolean",
            "default": true,
        }),
    );
    comments(&mut properties);
    for kind in KINDS {
        properties.insert(kind.key.to_owned(), list_of(kind.key));
    }
    deck(&mut properties);
    without_notes(json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Declarative gateway configuration",
        "description": "Services, routes, consumers and plugins of a gateway in one file.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "definitions": defs,
    }))
}

/// Returns the schema of a plugin's settings; `None` if there is no such plugin.
pub fn plugin_schema(registry: &Registry, name: &str) -> Option<Json> {
    let entry = registry.find(name)?;
    let mut schema = published((entry.schema)().to_value());
    schema["title"] = json!(format!("Settings of the plugin {name}"));
    Some(without_notes(schema))
}

fn settings_name(entry: &PluginDescriptor) -> String {
    format!("plugin-{}", entry.name)
}

/// Schema of a list of entities, which may be null.
fn list_of(kind: &str) -> Json {
    json!({ "type": ["array", "null"], "items": { "$ref": format!("#/definitions/{kind}") } })
}

fn comments(properties: &mut Map<String, Json>) {
    let comment = json!({ "description": "A remark; not looked at.", "type": ["string", "null"] });
    properties.insert("_comment".to_owned(), comment);
    let ignore = json!({ "description": "Anything; not looked at. A place for YAML anchors.", "type": ["array", "null"] });
    properties.insert("_ignore".to_owned(), ignore);
}

/// Combines an entity's schema with its nested entities and common fields.
fn entity(registry: &Registry, kind: &KindInfo) -> Json {
    let mut schema = published((kind.schema)().to_value());
    let shorthands = schema.get("x-shorthands").cloned();
    if let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) {
        add_shorthands(properties, shorthands.as_ref());
        comments(properties);
        for child in kind.children() {
            properties.insert(child.kind.to_owned(), list_of(child.kind));
        }
        if kind.key == "plugins" {
            plugin_rows(registry, properties);
        }
        if kind.key == "vaults" {
            properties["name"]["enum"] = json!(["env"]);
        }
        if kind.key == "consumers" {
            for field in ["groups", "consumer_groups"] {
                let groups = json!({ "description": "Groups by name (decK).", "type": ["array", "null"] });
                properties.insert(field.to_owned(), groups);
            }
            properties
                .extend(enterprise::OF_CONSUMERS.iter().map(|field| left_out(field, "its plugin exists")));
        }
    }
    let required = schema.get_mut("required").and_then(Json::as_array_mut);
    if let Some(required) = required {
        // A nested entity gets its parent from context, and a shorthand replaces other fields.
        let url = kind.key == "services";
        required.retain(|field| (!url || field != "host") && kind.foreign.iter().all(|f| field != f.field));
    }
    if kind.key == "plugins" {
        schema["allOf"] = plugins_by_name(registry);
    }
    if kind.key == "services" {
        schema["anyOf"] = json!([{ "required": ["host"] }, { "required": ["url"] }]);
    }
    schema["additionalProperties"] = json!(false);
    schema
}

/// Adds the plugin fields that depend on the plugin, or that only decK supports.
fn plugin_rows(registry: &Registry, properties: &mut Map<String, Json>) {
    let names: Vec<Json> = registry
        .descriptors()
        .map(|entry| {
            let about = (entry.schema)().to_value();
            let about = about.get("description").and_then(Json::as_str).unwrap_or_default();
            let line = about.lines().next().unwrap_or_default();
            json!({ "const": entry.name, "description": line })
        })
        .collect();
    properties.insert(
        "name".to_owned(),
        json!({ "description": "Which plugin.", "type": "string", "anyOf": names }),
    );
    let config = json!({ "description": "Its settings, which depend on the plugin.", "type": "object" });
    properties.insert("config".to_owned(), config);
    let shared =
        json!({ "description": "Name of settings in _plugin_configs (decK).", "type": ["string", "null"] });
    properties.insert("_config".to_owned(), shared);
    let partials = json!({
        "description": "Settings shared in `partials` at top level (decK).",
        "type": ["array", "null"],
    });
    properties.insert("partials".to_owned(), partials);
    properties.extend(enterprise::OF_PLUGINS.iter().map(|(field, _)| left_out(field, "it exists")));
    let group = json!({
        "description": "A consumer group (decK). The plugin is left out: only Kong Enterprise applies plugins to groups.",
    });
    properties.insert("consumer_group".to_owned(), group);
}

/// Selects the schema of `config` by `name`.
fn plugins_by_name(registry: &Registry) -> Json {
    registry
        .descriptors()
        .map(|entry| {
            json!({
                "if": { "properties": { "name": { "const": entry.name } }, "required": ["name"] },
                "then": {
                    "properties": {
                        "config": { "$ref": format!("#/definitions/{}", settings_name(entry)) },
                        "protocols": { "type": "array", "items": { "enum": entry.protocols } },
                    },
                },
            })
        })
        .collect()
}

/// Schema of a field that is accepted and ignored.
fn left_out(field: &str, what: &str) -> (String, Json) {
    (
        field.to_owned(),
        json!({ "description": format!("Left out: {what} only in Kong Enterprise and Konnect.") }),
    )
}

/// Adds decK's top-level keys.
fn deck(properties: &mut Map<String, Json>) {
    let groups = json!({
        "description": "Groups of consumers (decK). The gateway itself has none.",
        "type": ["array", "null"],
        "items": { "type": "object" },
    });
    let info = json!({
        "description": "How decK treats the file: tags to select by, defaults of fields.",
        "type": "object",
        "properties": {
            "select_tags": { "description": "Tags that every entity gets.", "type": "array", "items": { "type": "string" } },
            "defaults": { "description": "Default values by kind: service, route, upstream, target.", "type": "object" },
            "default_lookup_tags": { "type": "object" },
            "consumer_group_policy_overrides": { "type": "boolean" },
            "skip_hash_for_basic_auth": { "type": "boolean" },
            "include_plugin_definitions": { "type": "boolean" },
        },
        "additionalProperties": false,
    });
    let configs = json!({
        "description": "Settings by name that plugins take up with _config (decK).",
        "type": "object",
        "additionalProperties": { "type": "object" },
    });
    let workspace =
        json!({ "description": "Name of the workspace (decK); there is only default.", "type": "string" });
    let konnect = json!({ "description": "Control plane of Konnect (decK).", "type": "object" });
    let partials = json!({
        "description": "Settings that plugins take up with their `partials` (decK).",
        "type": ["array", "null"],
        "items": { "type": "object" },
    });
    properties.extend([
        ("consumer_groups".to_owned(), groups),
        ("_info".to_owned(), info),
        ("_plugin_configs".to_owned(), configs),
        ("_workspace".to_owned(), workspace),
        ("_konnect".to_owned(), konnect),
        ("partials".to_owned(), partials),
    ]);
    properties
        .extend(enterprise::TOP_LEVEL.iter().map(|(field, what)| left_out(field, &format!("{what} exist"))));
}

/// Converts an internal schema to its published form: shorthands become properties, generated values have no
/// default, and strings get a minimum length.
fn published(mut schema: Json) -> Json {
    tidy(&mut schema);
    schema
}

fn tidy(schema: &mut Json) {
    match schema {
        Json::Object(map) => {
            map.shift_remove("$schema");
            let made_up = map.get("x-auto") == Some(&Json::Bool(true)) || map.contains_key("x-foreign");
            if made_up {
                map.shift_remove("default");
            }
            if map.get("type").is_some_and(|t| names(t, "string"))
                && !["minLength", "enum", "format", "pattern", "x-must-be"]
                    .iter()
                    .any(|k| map.contains_key(*k))
            {
                map.insert("minLength".to_owned(), json!(1));
            }
            // Draft-07 forbids an empty `enum`, and editors reject the whole schema then: express it as a schema
            // that no value matches.
            if map.get("enum").and_then(Json::as_array).is_some_and(Vec::is_empty) {
                map.shift_remove("enum");
                map.insert("not".to_owned(), json!({}));
            }
            if map.get("minLength") == Some(&json!(0)) {
                map.shift_remove("minLength");
            }
            // The format `uuid` is newer than draft-07, and strict validators reject unknown formats.
            if map.get("format") == Some(&json!("uuid")) {
                map.shift_remove("format");
                map.insert("pattern".to_owned(), json!(UUID));
            }
            by_name(map);
            may_be_template(map);
            if matches!(map.get("format").and_then(Json::as_str), Some(f) if f.starts_with("uint") || f.starts_with("int") || f == "double" || f == "float")
            {
                map.shift_remove("format");
            }
            let shorthands = map.get("x-shorthands").cloned();
            if let Some(Json::Object(properties)) = map.get_mut("properties") {
                for (_, field) in properties.iter_mut() {
                    tidy(field);
                }
                add_shorthands(properties, shorthands.as_ref());
                map.entry("additionalProperties").or_insert_with(|| json!(false));
            }
            for key in ["items", "additionalProperties"] {
                if let Some(inner) = map.get_mut(key) {
                    tidy(inner);
                }
            }
            for key in ["anyOf", "oneOf", "allOf"] {
                if let Some(Json::Array(options)) = map.get_mut(key) {
                    options.iter_mut().for_each(tidy);
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// Pattern of a UUID.
const UUID: &str = "^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$";

/// Allows a reference by id, by name, or (decK) by a map with either.
fn by_name(schema: &mut Map<String, Json>) {
    let Some(kind) = schema.get("x-foreign").and_then(Json::as_str).and_then(KindInfo::of) else { return };
    for option in schema.get_mut("anyOf").and_then(Json::as_array_mut).into_iter().flatten() {
        if option.get("required") != Some(&json!(["id"])) {
            continue;
        }
        option["additionalProperties"] = json!(true);
        if let Some(name) = kind.name {
            option["properties"][name] = json!({ "type": "string" });
            option["anyOf"] = json!([{ "required": ["id"] }, { "required": [name] }]);
            option.as_object_mut().map(|option| option.shift_remove("required"));
        }
    }
}

/// Allows a template string for a number or boolean; templates are substituted before validation.
fn may_be_template(schema: &mut Map<String, Json>) {
    let Some(types) = schema.get_mut("type") else { return };
    let takes_text = ["string", "array", "object"].iter().any(|name| names(types, name));
    if takes_text || names(types, "null") && types.is_string() || schema.contains_key("enum") {
        return;
    }
    let Some(types) = schema.get_mut("type") else { return };
    match types {
        Json::Array(many) => many.push(json!("string")),
        one => *one = json!([one.take(), "string"]),
    }
    schema.insert("pattern".to_owned(), json!(r"\$\{\{"));
}

/// Removes the internal `x-…` keywords, since strict validators reject unknown keywords.
fn without_notes(mut schema: Json) -> Json {
    fn clean(schema: &mut Json) {
        match schema {
            Json::Object(map) => {
                map.retain(|key, _| !key.starts_with("x-"));
                map.values_mut().for_each(clean);
            }
            Json::Array(items) => items.iter_mut().for_each(clean),
            _ => {}
        }
    }
    clean(&mut schema);
    schema
}

fn names(types: &Json, name: &str) -> bool {
    match types {
        Json::String(one) => one == name,
        Json::Array(many) => many.iter().any(|t| t == name),
        _ => false,
    }
}

fn add_shorthands(properties: &mut Map<String, Json>, shorthands: Option<&Json>) {
    for shorthand in shorthands.and_then(Json::as_array).into_iter().flatten() {
        let Some(name) = shorthand.get("name").and_then(Json::as_str) else { continue };
        if properties.contains_key(name) {
            continue;
        }
        let mut schema = shorthand.clone();
        if let Some(map) = schema.as_object_mut() {
            map.shift_remove("name");
            let to = map.shift_remove("to");
            map.shift_remove("rule");
            let to = match to {
                Some(Json::Array(paths)) => {
                    paths.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", ")
                }
                Some(Json::String(path)) => path,
                _ => String::new(),
            };
            let about = match name {
                "url" => "Protocol, host, port and path in one; it wins over them.".to_owned(),
                _ => format!("Old name of {to}."),
            };
            map.insert("description".to_owned(), json!(about));
            if let Some(one) = map.get_mut("type").filter(|types| types.is_string()) {
                *one = json!([one.take(), "null"]);
            }
        }
        tidy(&mut schema);
        properties.insert(name.to_owned(), schema);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(file: &Json) -> Vec<String> {
        let schema = file_schema(crate::catalog().registry());
        let validator = jsonschema::validator_for(&schema).expect("a schema by the rules of draft-07");
        validator.iter_errors(file).map(|e| format!("{}: {e}", e.instance_path())).collect()
    }

    #[test]
    fn a_valid_file_matches_the_published_schema() {
        let file = json!({
            "_format_version": "3.0",
            "services": [{
                "name": "a", "url": "http://example.com", "retries": null,
                "routes": [{ "name": "r", "paths": ["/x"], "protocols": ["http"] }],
            }],
            "consumers": [{ "username": "c", "keyauth_credentials": [{ "key": "k" }] }],
        });
        assert_eq!(complaints(&file), Vec::<String>::new());
    }

    #[test]
    fn no_schema_has_an_empty_enum() {
        fn empty_enums(schema: &Json) -> usize {
            let own = usize::from(schema["enum"].as_array().is_some_and(Vec::is_empty));
            let below: Vec<&Json> = match schema {
                Json::Object(map) => map.values().collect(),
                Json::Array(items) => items.iter().collect(),
                _ => Vec::new(),
            };
            own + below.into_iter().map(empty_enums).sum::<usize>()
        }
        assert_eq!(empty_enums(&json!({ "not": [{ "enum": [] }] })), 1);
        let registry = crate::catalog().registry();
        assert_eq!(empty_enums(&file_schema(registry)), 0);
        for entry in registry.descriptors() {
            assert_eq!(
                plugin_schema(registry, &entry.name).as_ref().map_or(0, empty_enums),
                0,
                "{}",
                entry.name
            );
        }
    }

    #[test]
    fn an_invalid_file_violates_the_published_schema() {
        for file in [
            json!({ "services": [{ "name": "a" }] }),
            json!({ "services": [{ "name": "a", "host": "h", "port": 70000 }] }),
            json!({ "services": [{ "name": "a", "host": "h", "bogus": 1 }] }),
            json!({ "plugins": [{ "name": "nope" }] }),
            json!({ "servces": [] }),
        ] {
            assert!(!complaints(&file).is_empty(), "{file} should not fit");
        }
    }
}
