//! `/schemas`: the schemas of entities and plugins in Kong's schema language, and validation. decK fills in defaults from
//! here.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::reply::{ErrorCode, Reply};
use crate::ReadOptions;
use config::{self, Input, kong_errors};
use model::{KindInfo, VaultConfig, inline_schema};
use plugin::{PluginDescriptor, Registry};
use source::to_json;

/// `/schemas/:name`.
pub fn of_entity(name: &str) -> Reply {
    match KindInfo::of(name) {
        Some(kind) => {
            let mut schema = entity((kind.schema)().as_value(), kind);
            if name == "plugins" || name == "vaults" {
                let config = json!({ "config": { "type": "record", "abstract": true } });
                if let Some(fields) = schema["fields"].as_array_mut() {
                    fields.retain(|field| field.get("config").is_none());
                    fields.push(config);
                }
            }
            Reply::ok(&schema)
        }
        None => unknown("entity", name),
    }
}

/// `/schemas/plugins/:name`.
pub fn of_plugin(registry: &Registry, name: &str) -> Reply {
    let Some(entry) = registry.find(name) else { return unknown("plugin", name) };
    let protocols: Vec<Value> =
        entry.protocols.iter().map(|p| serde_json::to_value(p).unwrap_or_default()).collect();
    let mut fields = vec![json!({ "protocols": {
        "type": "set", "required": true, "default": protocols,
        "elements": { "type": "string", "one_of": protocols },
    } })];
    for (field, kind, may) in [
        ("consumer", "consumers", entry.scopes.consumer),
        ("service", "services", entry.scopes.service),
        ("route", "routes", entry.scopes.route),
    ] {
        let mut kong = json!({ "type": "foreign", "reference": kind });
        if !may {
            kong["eq"] = Value::Null;
        }
        fields.push(json!({ field: kong }));
    }
    fields.push(json!({ "config": settings(entry) }));
    Reply::ok(&json!({ "entity_checks": [], "fields": fields }))
}

/// `/plugins/schema/:name`: only the settings.
pub fn of_settings(registry: &Registry, name: &str) -> Reply {
    match registry.find(name) {
        Some(entry) => Reply::ok(&json!({ "entity_checks": [], "fields": settings(entry)["fields"] })),
        None => unknown("plugin", name),
    }
}

/// `/schemas/vaults/:name`.
pub fn of_vault(name: &str) -> Reply {
    if name != "env" {
        return unknown("vault", name);
    }
    let config = field(inline_schema::<VaultConfig>().as_value());
    Reply::ok(&json!({ "entity_checks": [], "fields": [{ "config": config }] }))
}

/// Creates the response to an unknown name.
pub fn unknown(what: &str, name: &str) -> Reply {
    Reply::message(StatusCode::NOT_FOUND, format!("No {what} named '{name}'"))
}

fn settings(entry: &PluginDescriptor) -> Value {
    let mut kong = field((entry.schema)().as_value());
    kong["required"] = Value::Bool(true);
    kong
}

fn entity(schema: &Value, kind: &KindInfo) -> Value {
    let mut fields = fields(schema);
    for foreign in kind.foreign {
        if let Some(kong) = fields.iter_mut().find_map(|field| field.get_mut(foreign.field)) {
            *kong = json!({ "type": "foreign", "reference": foreign.kind });
        }
    }
    for kong in fields.iter_mut().filter_map(|f| kind.name.and_then(|name| f.get_mut(name))) {
        kong["unique"] = Value::Bool(true);
    }
    json!({ "entity_checks": [], "fields": fields })
}

/// Converts the properties of an object to a list of one-field maps, in their order.
fn fields(schema: &Value) -> Vec<Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(name, schema)| json!({ name: field(schema) })).collect()
}

/// Converts a field from JSON Schema to Kong's schema language.
fn field(schema: &Value) -> Value {
    let mut given = schema.as_object().cloned().unwrap_or_default();
    let mut nullable = false;
    if let Some(Value::Array(options)) = given.remove("anyOf") {
        for option in options {
            match option {
                Value::Object(option) if option.get("type").is_some_and(|t| t == "null") => nullable = true,
                Value::Object(option) => {
                    for (key, value) in option {
                        given.entry(key).or_insert(value);
                    }
                }
                _ => {}
            }
        }
    }
    let kind = match given.get("type") {
        Some(Value::Array(types)) => {
            nullable |= types.iter().any(|t| t == "null");
            types.iter().filter_map(Value::as_str).find(|t| *t != "null").unwrap_or_default()
        }
        Some(Value::String(kind)) => kind,
        _ => "string",
    };
    let flag = |key: &str| given.get(key) == Some(&Value::Bool(true));
    let mut kong = Map::new();
    let (kind, is_map) = match kind {
        "array" if flag("x-set") || flag("uniqueItems") => ("set", false),
        "object" if given.contains_key("properties") => ("record", false),
        "object" => ("map", true),
        other => (other, false),
    };
    kong.insert("type".to_owned(), kind.into());
    if !nullable && !flag("x-auto") {
        kong.insert("required".to_owned(), true.into());
    }
    for (here, there) in [
        ("default", "default"),
        ("minLength", "len_min"),
        ("maxLength", "len_max"),
        ("minItems", "len_min"),
        ("maxItems", "len_max"),
        ("exclusiveMinimum", "gt"),
        ("description", "description"),
    ] {
        // A generated field has no default.
        let made = here == "default" && flag("x-auto");
        if let Some(value) = given.get(here).filter(|value| !value.is_null() && !made) {
            kong.insert(there.to_owned(), value.clone());
        }
    }
    for (here, there) in [
        ("x-auto", "auto"),
        ("x-referenceable", "referenceable"),
        ("x-encrypted", "encrypted"),
        ("x-timestamp", "timestamp"),
    ] {
        if flag(here) {
            kong.insert(there.to_owned(), true.into());
        }
    }
    if given.get("format").is_some_and(|f| f == "uuid") {
        kong.insert("uuid".to_owned(), true.into());
    }
    if let Some(Value::Array(values)) = given.get("enum") {
        kong.insert("one_of".to_owned(), values.iter().filter(|v| !v.is_null()).cloned().collect());
    } else if let Some(Value::Array(options)) = given.get("oneOf") {
        kong.insert("one_of".to_owned(), options.iter().filter_map(|o| o.get("const")).cloned().collect());
    }
    if let (Some(min), Some(max)) = (given.get("minimum"), given.get("maximum")) {
        kong.insert("between".to_owned(), json!([min, max]));
    }
    if let Some(items) = given.get("items") {
        kong.insert("elements".to_owned(), field(items));
    }
    if kind == "record" {
        kong.insert("fields".to_owned(), fields(&Value::Object(given)).into());
    } else if is_map {
        kong.insert("keys".to_owned(), given.get("x-key").map_or(json!({ "type": "string" }), field));
        let values = given.get("additionalProperties").filter(|v| v.is_object());
        kong.insert("values".to_owned(), values.map_or(json!({ "type": "string" }), field));
    }
    Value::Object(kong)
}

/// `/schemas/:name/validate`: whether that would be a good entity.
pub fn validate(read: &ReadOptions, name: &str, entity: Value) -> Reply {
    let Some(kind) = KindInfo::of(name) else { return unknown("entity", name) };
    let unknown_fields = unknown_fields(kind, &entity);
    let document = json!({ "_format_version": "3.0", name: [entity] });
    let text = to_json(&document).into_bytes();
    let input = Input::Text { name: "entity.json".to_owned(), text };
    // What is served is no matter of the schema.
    let options = config::Options { allow_unsupported: true, ..read.options() };
    let mut fields = match config::load(&input, &options) {
        Ok(loaded) => match kong_errors::fields(&loaded.findings)[name].take() {
            Value::Array(mut entries) => entries.first_mut().map(Value::take).unwrap_or_default(),
            // A dangling reference is not a schema violation.
            _ => Value::Null,
        },
        Err(error) => return Reply::bad_request(error.to_string()),
    };
    for name in unknown_fields {
        fields[name] = "unknown field".into();
    }
    match fields {
        Value::Object(fields) if !fields.is_empty() => violation(fields),
        _ => Reply::message(StatusCode::OK, "schema validation successful"),
    }
}

/// Finds keys that are allowed in an entity of a file, but are not fields of it.
fn unknown_fields(kind: &KindInfo, entity: &Value) -> Vec<&'static str> {
    kind.children().iter().map(|child| child.kind).filter(|key| entity.get(key).is_some()).collect()
}

/// Creates the response to an entity that violates its schema.
fn violation(fields: Map<String, Value>) -> Reply {
    let mut messages = Vec::new();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(Value::Array(whole)) = fields.get("@entity") {
        messages.extend(whole.iter().map(text));
    }
    let mut names: Vec<&String> = fields.keys().filter(|name| *name != "@entity").collect();
    names.sort();
    for name in names {
        match &fields[name] {
            Value::Object(inner) => {
                let mut inner: Vec<_> = inner.iter().collect();
                inner.sort_by_key(|(key, _)| *key);
                messages
                    .extend(inner.into_iter().map(|(key, value)| format!("{name}.{key}: {}", text(value))));
            }
            Value::Array(items) => {
                let kong = items.iter().enumerate().filter(|(_, item)| !item.is_null());
                messages.extend(kong.map(|(i, item)| format!("{name}.{}: {}", i + 1, text(item))));
            }
            value => messages.push(format!("{name}: {}", text(value))),
        }
    }
    let message = match messages.len() {
        1 => format!("schema violation ({})", messages[0]),
        n => format!("{n} schema violations ({})", messages.join("; ")),
    };
    Reply::error(ErrorCode::SchemaViolation, message.into(), Some(("fields", Value::Object(fields))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_converted_to_kongs_schema_language() {
        let port = json!({
            "type": ["integer", "null"], "minimum": 0, "maximum": 65535, "default": 6379, "description": "Port.",
        });
        let expected =
            json!({ "type": "integer", "default": 6379, "description": "Port.", "between": [0, 65535] });
        assert_eq!(field(&port), expected);
        let names = json!({ "type": "array", "items": { "type": "string", "minLength": 1 }, "x-set": true });
        let expected = json!({
            "type": "set", "required": true, "elements": { "type": "string", "required": true, "len_min": 1 },
        });
        assert_eq!(field(&names), expected);
    }
}
