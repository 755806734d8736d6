//! Compilation of a JSON Schema to a [`CompiledSchema`].

use serde_json::{Map, Value};

use super::{
    CompiledSchema, ListSchema, NumberSchema, RecordSchema, SchemaKind, StringSchema, Unit, entity_checks,
    shorthand,
};
use model::rule;

/// Compiles a schema; `$ref` may refer only to its own `$defs`.
pub fn compile(schema: &Value) -> CompiledSchema {
    let none = Map::new();
    let defs = schema.get("$defs").and_then(Value::as_object).unwrap_or(&none);
    Compiler { defs }.compile(schema)
}

struct Compiler<'s> {
    defs: &'s Map<String, Value>,
}

impl Compiler<'_> {
    fn compile(&self, schema: &Value) -> CompiledSchema {
        let Some(object) = schema.as_object() else { return CompiledSchema::of(SchemaKind::Any) };
        let (object, nullable) = self.without_null(object);
        let kind = if flag(&object, "x-ignored") { SchemaKind::Any } else { self.kind(&object) };
        let mut compiled = CompiledSchema::of(kind);
        compiled.auto = flag(&object, "x-auto");
        compiled.required = !nullable && !matches!(compiled.kind, SchemaKind::Any);
        let generated = compiled.auto || matches!(compiled.kind, SchemaKind::Foreign(_));
        compiled.default = object.get("default").filter(|d| !d.is_null() && !generated).cloned();
        compiled.err = object.get("x-err").and_then(Value::as_str).map(Into::into);
        compiled.referenceable = flag(&object, "x-referenceable");
        compiled.secret = flag(&object, "x-encrypted");
        compiled.must_be = object.get("x-must-be").cloned();
        compiled.must_not_be = object.get("x-must-not-be").cloned();
        compiled
    }

    /// Resolves a reference, merges its sibling keywords, and removes null from the types.
    fn without_null(&self, object: &Map<String, Value>) -> (Map<String, Value>, bool) {
        let mut merged = object.clone();
        let mut nullable = false;
        while let Some(name) = merged.remove("$ref") {
            let target =
                name.as_str().and_then(|n| n.strip_prefix("#/$defs/")).and_then(|n| self.defs.get(n));
            if let Some(Value::Object(target)) = target {
                for (key, value) in target {
                    merged.entry(key.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        if !merged.contains_key("x-foreign")
            && let Some(Value::Array(options)) = merged.remove("anyOf")
        {
            for option in &options {
                match option.as_object() {
                    Some(o) if o.get("type").and_then(Value::as_str) == Some("null") => nullable = true,
                    Some(o) => {
                        let (inner, null) = self.without_null(o);
                        nullable |= null;
                        for (key, value) in inner {
                            merged.entry(key).or_insert(value);
                        }
                    }
                    None => {}
                }
            }
        } else if let Some(Value::Array(options)) = merged.get_mut("anyOf") {
            let before = options.len();
            options.retain(|o| o.get("type").and_then(Value::as_str) != Some("null"));
            nullable |= options.len() < before;
        }
        if let Some(Value::Array(types)) = merged.get_mut("type") {
            let before = types.len();
            types.retain(|t| t.as_str() != Some("null"));
            nullable |= types.len() < before;
            if types.len() == 1 {
                let only = types.remove(0);
                merged.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(values)) = merged.get_mut("enum") {
            values.retain(|v| !v.is_null());
        }
        (merged, nullable)
    }

    fn kind(&self, object: &Map<String, Value>) -> SchemaKind {
        if let Some(kind) = object.get("x-foreign").and_then(Value::as_str) {
            return SchemaKind::Foreign(kind.into());
        }
        let values = enumeration(object);
        let first = values.as_ref().and_then(|v| v.first());
        let named = match object.get("type") {
            Some(Value::String(name)) => Some(name.as_str()),
            _ => None,
        };
        match named {
            Some("string") => SchemaKind::Text(Box::new(text(object, values))),
            Some("integer" | "number") => SchemaKind::Number(number(object, values)),
            Some("boolean") => SchemaKind::Bool,
            Some("array") => SchemaKind::List(Box::new(self.list(object))),
            Some("object") => self.object(object),
            Some(_) => SchemaKind::Any,
            None if first.is_some_and(Value::is_string) => SchemaKind::Text(Box::new(text(object, values))),
            None if first.is_some_and(Value::is_number) => SchemaKind::Number(number(object, values)),
            None if object.contains_key("properties") => self.object(object),
            None => SchemaKind::Any,
        }
    }

    fn list(&self, object: &Map<String, Value>) -> ListSchema {
        let item = object.get("items").map_or(CompiledSchema::of(SchemaKind::Any), |i| self.compile(i));
        let strings = |v: &Value| -> Vec<Box<str>> {
            v.as_array().into_iter().flatten().filter_map(|s| s.as_str().map(Into::into)).collect()
        };
        ListSchema {
            set: flag(object, "x-set") || flag(object, "uniqueItems"),
            item,
            min: size(object, "minItems"),
            max: size(object, "maxItems"),
            length: size(object, "x-length"),
            exclusive: object
                .get("x-exclusive-sets")
                .and_then(Value::as_array)
                .map(|sets| sets.iter().map(strings).collect())
                .unwrap_or_default(),
            contains: object.get("x-contains").and_then(Value::as_str).map(Into::into),
        }
    }

    fn object(&self, object: &Map<String, Value>) -> SchemaKind {
        if !object.contains_key("properties")
            && let Some(values) = object.get("additionalProperties").filter(|v| **v != Value::Bool(false))
        {
            let key = object.get("x-key").map(|k| self.compile(k));
            let value = self.compile(values);
            return SchemaKind::Map(Box::new((key, value)));
        }
        let closed = object.contains_key("properties")
            || object.get("additionalProperties") == Some(&Value::Bool(false))
            || object.get("title").is_some();
        if !closed {
            let any = CompiledSchema::of(SchemaKind::Any);
            return SchemaKind::Map(Box::new((object.get("x-key").map(|k| self.compile(k)), any)));
        }
        let mut record = RecordSchema::default();
        if let Some(fields) = object.get("properties").and_then(Value::as_object) {
            for (name, schema) in fields {
                record.set(name, self.compile(schema));
            }
        }
        for entry in object.get("x-shorthands").and_then(Value::as_array).into_iter().flatten() {
            let mut compiled = self.compile(entry);
            compiled.required = false;
            record.shorthands.push(shorthand::compile(entry, compiled));
        }
        record.checks = entity_checks::compile(object.get("x-entity-checks"), &record.index);
        record.custom = object.get("x-custom").and_then(Value::as_str).map(Into::into);
        record.may_be_absent = may_be_absent(&record);
        SchemaKind::Record(Box::new(record))
    }
}

/// Returns whether an absent record of that schema is valid, that is, all its required fields have defaults.
pub(super) fn may_be_absent(record: &RecordSchema) -> bool {
    record.checks.is_empty()
        && record.fields.iter().all(|(_, compiled)| match &compiled.kind {
            _ if !compiled.required || compiled.auto || compiled.default.is_some() => true,
            SchemaKind::Record(inner) => inner.may_be_absent,
            _ => false,
        })
}

fn flag(object: &Map<String, Value>, key: &str) -> bool {
    object.get(key) == Some(&Value::Bool(true))
}

fn size(object: &Map<String, Value>, key: &str) -> Option<usize> {
    object.get(key).and_then(Value::as_u64).map(|n| n as usize)
}

/// Returns the values of `enum`, of `const`, or of a `oneOf` of constants, which schemars derives for documented
/// enums.
fn enumeration(object: &Map<String, Value>) -> Option<Vec<Value>> {
    if let Some(Value::Array(values)) = object.get("enum") {
        return Some(values.clone());
    }
    if let Some(value) = object.get("const") {
        return Some(vec![value.clone()]);
    }
    let options = object.get("oneOf")?.as_array()?;
    let mut values = Vec::new();
    for option in options {
        values.extend(enumeration(option.as_object()?)?);
    }
    Some(values)
}

fn text(object: &Map<String, Value>, values: Option<Vec<Value>>) -> StringSchema {
    let strings = |v: &Value| v.as_str().map(Box::from);
    let regex = |v: &Value| v.as_str().and_then(|p| regex::Regex::new(p).ok());
    let names: Vec<&str> = match object.get("x-rule") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let list = |key: &str| object.get(key).and_then(Value::as_array).into_iter().flatten();
    StringSchema {
        one_of: values.map(|v| v.iter().filter_map(strings).collect()),
        not_one_of: list("x-not-enum").filter_map(strings).collect(),
        min: size(object, "minLength").unwrap_or(1),
        max: size(object, "maxLength"),
        length: size(object, "x-length"),
        uuid: object.get("format").and_then(Value::as_str) == Some("uuid"),
        none_of: list("x-not-pattern")
            .filter_map(|entry| {
                Some((
                    regex(entry.get("pattern")?)?,
                    entry.get("err").and_then(Value::as_str).map(Into::into),
                ))
            })
            .collect(),
        pattern: object.get("pattern").and_then(regex),
        rules: names.into_iter().filter_map(rule::rule).collect(),
    }
}

fn number(object: &Map<String, Value>, values: Option<Vec<Value>>) -> NumberSchema {
    let bound = |key: &str| object.get(key).and_then(Value::as_f64);
    NumberSchema {
        integer: object.get("type").and_then(Value::as_str) == Some("integer"),
        one_of: values.map(|v| v.iter().filter_map(Value::as_f64).collect()),
        min: bound("minimum"),
        max: bound("maximum"),
        above: bound("exclusiveMinimum"),
        timestamp: flag(object, "x-timestamp"),
        unit: object.get("description").and_then(Value::as_str).and_then(|text| {
            let units = [
                ("Milliseconds", " in milliseconds", Unit::Milliseconds),
                ("Seconds", " in seconds", Unit::Seconds),
            ];
            let names =
                |(first, later, _): &(&str, &str, Unit)| text.starts_with(first) || text.contains(later);
            units.into_iter().find(names).map(|(_, _, unit)| unit)
        }),
    }
}
