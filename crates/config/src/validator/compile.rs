//! Compilation of a JSON Schema to a [`CompiledSchema`].
//!
//! Everything that a schema contains must have an effect: an unknown keyword, a keyword on a type that it does not
//! apply to, or a value that cannot be compiled is an error. A constraint that is dropped would accept configurations
//! that its author meant to reject.

use serde_json::{Map, Value};

use super::{
    CompiledSchema, ListSchema, NumberSchema, RecordSchema, SchemaKind, StringSchema, Unit,
    compile_error::{CompileError, Defect, strings, value_of},
    entity_checks, shorthand,
};
use model::{
    KindInfo,
    rule::{self, Rule},
};
use plugin::EntityRule;

/// Finds the function of a custom check by its name.
pub type FindCheck<'a> = &'a dyn Fn(&str) -> Option<EntityRule>;

/// Compiles a schema; `$ref` may refer only to its own `$defs`.
///
/// # Errors
/// If a part of the schema is unknown or malformed.
pub fn compile(schema: &Value, find_check: FindCheck<'_>) -> Result<CompiledSchema, CompileError> {
    let none = Map::new();
    let defs = schema.get("$defs").and_then(Value::as_object).unwrap_or(&none);
    Compiler { defs, find_check }.compile(schema)
}

struct Compiler<'s> {
    defs: &'s Map<String, Value>,
    find_check: FindCheck<'s>,
}

/// Keywords without effect on validation.
const ANNOTATIONS: &[&str] = &["$schema", "$defs", "title", "description", "examples", "deprecated"];
/// Keywords of every type.
const COMMON: &[&str] = &[
    "type",
    "default",
    "anyOf",
    "x-auto",
    "x-ignored",
    "x-err",
    "x-encrypted",
    "x-must-be",
    "x-must-not-be",
    "x-foreign",
];
/// Keywords of strings and numbers.
const VALUES: &[&str] = &["enum", "const", "oneOf", "format"];
const TEXT: &[&str] = &[
    "minLength",
    "maxLength",
    "pattern",
    "x-rule",
    "x-not-enum",
    "x-length",
    "x-not-pattern",
    "x-referenceable",
];
const NUMBER: &[&str] = &["minimum", "maximum", "exclusiveMinimum", "x-timestamp"];
const LIST: &[&str] =
    &["items", "minItems", "maxItems", "uniqueItems", "x-set", "x-length", "x-exclusive-sets", "x-contains"];
/// `required` has no effect: schemars lists all fields that are not nullable there, which `type` says too.
/// `x-plugin-checks` belongs to the plugin's row, which compiles it.
const RECORD: &[&str] = &[
    "properties",
    "required",
    "additionalProperties",
    "x-shorthands",
    "x-entity-checks",
    "x-custom",
    "x-plugin-checks",
];
const MAP: &[&str] = &["additionalProperties", "x-key"];
/// Formats that schemars derives from the types of numbers, whose bounds are keywords of their own.
const NUMBER_FORMATS: &[&str] = &[
    "int8", "int16", "int32", "int64", "int", "uint8", "uint16", "uint32", "uint64", "uint", "float",
    "double",
];

impl Compiler<'_> {
    fn compile(&self, schema: &Value) -> Result<CompiledSchema, CompileError> {
        let object = match schema {
            Value::Bool(true) => return Ok(CompiledSchema::of(SchemaKind::Any)),
            Value::Object(object) => object,
            _ => return Err(Defect::NotASchema.into()),
        };
        let (object, nullable) = self.without_null(object)?;
        let ignored = flag(&object, "x-ignored")?;
        let kind = if ignored { SchemaKind::Any } else { self.kind(&object)? };
        check_keywords(&object, &kind, ignored)?;
        let mut compiled = CompiledSchema::of(kind);
        compiled.auto = flag(&object, "x-auto")?;
        compiled.required = !nullable && !matches!(compiled.kind, SchemaKind::Any);
        let generated = compiled.auto || matches!(compiled.kind, SchemaKind::Foreign(_));
        compiled.default = object.get("default").filter(|d| !d.is_null() && !generated).cloned();
        if let Some(default) = &compiled.default {
            check_default(default, &compiled.kind)?;
        }
        compiled.err = string(&object, "x-err")?.map(Into::into);
        compiled.referenceable = flag(&object, "x-referenceable")?;
        compiled.secret = flag(&object, "x-encrypted")?;
        compiled.must_be = object.get("x-must-be").cloned();
        compiled.must_not_be = object.get("x-must-not-be").cloned();
        Ok(compiled)
    }

    /// Compiles the schema below a keyword.
    fn compile_at(&self, keyword: &str, schema: &Value) -> Result<CompiledSchema, CompileError> {
        self.compile(schema).map_err(|error| error.below(keyword))
    }

    /// Resolves a reference, merges its sibling keywords, and removes null from the types.
    fn without_null(&self, object: &Map<String, Value>) -> Result<(Map<String, Value>, bool), CompileError> {
        let mut merged = object.clone();
        let mut nullable = false;
        let mut resolved = Vec::new();
        while let Some(name) = merged.remove("$ref") {
            let target =
                name.as_str().and_then(|n| n.strip_prefix("#/$defs/")).and_then(|n| self.defs.get(n));
            let Some(Value::Object(target)) = target.filter(|_| !resolved.contains(&name)) else {
                return Err(Defect::UnknownReference(name.to_string()).into());
            };
            resolved.push(name);
            for (key, value) in target {
                merged.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        let is_null = |option: &Value| option.get("type").and_then(Value::as_str) == Some("null");
        let is_foreign = merged.contains_key("x-foreign");
        if let Some(Value::Array(options)) = merged.get_mut("anyOf").filter(|_| is_foreign) {
            let before = options.len();
            options.retain(|option| !is_null(option));
            nullable |= options.len() < before;
        } else if let Some(options) = merged.remove("anyOf") {
            let options = options.as_array().ok_or_else(|| value_of("anyOf", "a list of schemas"))?;
            let mut rest = options.iter().filter(|option| !is_null(option));
            nullable |= options.iter().any(is_null);
            let (Some(option), None) = (rest.next(), rest.next()) else {
                return Err(value_of("anyOf", "one schema and null"));
            };
            let option = option.as_object().ok_or(Defect::NotASchema)?;
            let (inner, null) = self.without_null(option)?;
            nullable |= null;
            for (key, value) in inner {
                merged.entry(key).or_insert(value);
            }
        }
        if let Some(Value::Array(types)) = merged.get_mut("type") {
            let before = types.len();
            types.retain(|t| t.as_str() != Some("null"));
            nullable |= types.len() < before;
            if types.len() != 1 {
                return Err(value_of("type", "one type, or one type and null"));
            }
            let only = types.remove(0);
            merged.insert("type".to_owned(), only);
        }
        if let Some(Value::Array(values)) = merged.get_mut("enum") {
            values.retain(|v| !v.is_null());
        }
        Ok((merged, nullable))
    }

    fn kind(&self, object: &Map<String, Value>) -> Result<SchemaKind, CompileError> {
        if let Some(kind) = string(object, "x-foreign")? {
            return match KindInfo::of(kind) {
                Some(kind) => Ok(SchemaKind::Foreign(kind.key.into())),
                None => Err(Defect::UnknownKind(kind.to_owned()).into()),
            };
        }
        let values = enumeration(object)?;
        let first = values.as_ref().and_then(|v| v.first());
        Ok(match string(object, "type")? {
            Some("string") => SchemaKind::Text(Box::new(text(object, values)?)),
            Some("integer" | "number") => SchemaKind::Number(number(object, values)?),
            Some("boolean") => SchemaKind::Bool,
            Some("array") => SchemaKind::List(Box::new(self.list(object)?)),
            Some("object") => self.object(object)?,
            Some(other) => return Err(Defect::UnknownType(other.to_owned()).into()),
            None if first.is_some_and(Value::is_string) => SchemaKind::Text(Box::new(text(object, values)?)),
            None if first.is_some_and(Value::is_number) => SchemaKind::Number(number(object, values)?),
            None if object.contains_key("properties") => self.object(object)?,
            None => SchemaKind::Any,
        })
    }

    fn list(&self, object: &Map<String, Value>) -> Result<ListSchema, CompileError> {
        let exclusive = match object.get("x-exclusive-sets") {
            None => Vec::new(),
            Some(sets) => {
                let malformed = || value_of("x-exclusive-sets", "a list of lists of strings");
                let sets = sets.as_array().ok_or_else(malformed)?;
                sets.iter().map(|set| strings(set).ok_or_else(malformed)).collect::<Result<_, _>>()?
            }
        };
        Ok(ListSchema {
            set: flag(object, "x-set")? || flag(object, "uniqueItems")?,
            item: match object.get("items") {
                Some(items) => self.compile_at("items", items)?,
                None => CompiledSchema::of(SchemaKind::Any),
            },
            min: size(object, "minItems")?,
            max: size(object, "maxItems")?,
            length: size(object, "x-length")?,
            exclusive,
            contains: string(object, "x-contains")?.map(Into::into),
        })
    }

    fn object(&self, object: &Map<String, Value>) -> Result<SchemaKind, CompileError> {
        let additional = object.get("additionalProperties");
        if additional.is_some_and(|v| !v.is_boolean() && !v.is_object()) {
            return Err(value_of("additionalProperties", "a schema"));
        }
        let key = |key: &str| object.get(key).map(|schema| self.compile_at(key, schema)).transpose();
        if !object.contains_key("properties")
            && let Some(values) = additional.filter(|v| **v != Value::Bool(false))
        {
            let value = self.compile_at("additionalProperties", values)?;
            return Ok(SchemaKind::Map(Box::new((key("x-key")?, value))));
        }
        let closed = object.contains_key("properties")
            || additional == Some(&Value::Bool(false))
            || object.get("title").is_some();
        if !closed {
            return Ok(SchemaKind::Map(Box::new((key("x-key")?, CompiledSchema::of(SchemaKind::Any)))));
        }
        let mut record = RecordSchema::default();
        if let Some(fields) = object.get("properties") {
            let fields = fields.as_object().ok_or_else(|| value_of("properties", "a map of schemas"))?;
            for (name, schema) in fields {
                let compiled = self.compile_at(name, schema).map_err(|error| error.below("properties"))?;
                record.set(name, compiled);
            }
        }
        self.shorthands(object, &mut record)?;
        record.checks = entity_checks::compile(
            "x-entity-checks",
            object.get("x-entity-checks"),
            &record,
            self.find_check,
        )?;
        record.custom = match string(object, "x-custom")? {
            None => None,
            Some(name) => Some(check(self.find_check, name)?),
        };
        record.may_be_absent = may_be_absent(&record);
        Ok(SchemaKind::Record(Box::new(record)))
    }

    fn shorthands(&self, object: &Map<String, Value>, record: &mut RecordSchema) -> Result<(), CompileError> {
        let Some(entries) = object.get("x-shorthands") else { return Ok(()) };
        let entries = entries.as_array().ok_or_else(|| value_of("x-shorthands", "a list"))?;
        for (i, entry) in entries.iter().enumerate() {
            let below = |error: CompileError| error.below(&i.to_string()).below("x-shorthands");
            let (schema, own) = shorthand::split(entry).map_err(below)?;
            let mut compiled = self.compile(&Value::Object(schema)).map_err(below)?;
            compiled.required = false;
            let shorthand = shorthand::compile(&own, compiled, record).map_err(below)?;
            record.shorthands.push(shorthand);
        }
        Ok(())
    }
}

/// Finds the function of a custom check.
pub(super) fn check(find: FindCheck<'_>, name: &str) -> Result<EntityRule, CompileError> {
    find(name).ok_or_else(|| Defect::UnknownCheck(name.to_owned()).into())
}

/// Reports keywords that are unknown, or that do not apply to values of that kind.
fn check_keywords(object: &Map<String, Value>, kind: &SchemaKind, ignored: bool) -> Result<(), CompileError> {
    let own: [&[&str]; 2] = match kind {
        // A value that is not validated may have any type.
        SchemaKind::Any if ignored => return Ok(()),
        SchemaKind::Text(_) => [VALUES, TEXT],
        SchemaKind::Number(_) => [VALUES, NUMBER],
        SchemaKind::List(_) => [LIST, &[]],
        SchemaKind::Map(_) => [MAP, &[]],
        SchemaKind::Record(_) => [RECORD, &[]],
        SchemaKind::Any | SchemaKind::Bool | SchemaKind::Foreign(_) | SchemaKind::Children(..) => [&[], &[]],
    };
    for keyword in object.keys() {
        let mut known = [ANNOTATIONS, COMMON].into_iter().chain(own);
        if !known.any(|keywords| keywords.contains(&keyword.as_str())) {
            return Err(Defect::Keyword(keyword.clone()).into());
        }
    }
    let formats: &[&str] = match kind {
        SchemaKind::Text(_) => &["uuid"],
        _ => NUMBER_FORMATS,
    };
    match string(object, "format")? {
        Some(format) if !formats.contains(&format) => Err(Defect::UnknownFormat(format.to_owned()).into()),
        _ => Ok(()),
    }
}

/// Reports a default of another type than the values.
fn check_default(default: &Value, kind: &SchemaKind) -> Result<(), CompileError> {
    let (fits, expected) = match kind {
        SchemaKind::Text(_) => (default.is_string(), "a string"),
        SchemaKind::Number(_) => (default.is_number(), "a number"),
        SchemaKind::Bool => (default.is_boolean(), "a boolean"),
        SchemaKind::List(_) => (default.is_array(), "a list"),
        SchemaKind::Map(_) | SchemaKind::Record(_) => (default.is_object(), "an object"),
        SchemaKind::Any | SchemaKind::Foreign(_) | SchemaKind::Children(..) => (true, ""),
    };
    if fits { Ok(()) } else { Err(value_of("default", expected)) }
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

fn flag(object: &Map<String, Value>, key: &str) -> Result<bool, CompileError> {
    match object.get(key) {
        None => Ok(false),
        Some(value) => value.as_bool().ok_or_else(|| value_of(key, "true or false")),
    }
}

fn size(object: &Map<String, Value>, key: &str) -> Result<Option<usize>, CompileError> {
    let size = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok());
    object.get(key).map(|value| size(value).ok_or_else(|| value_of(key, "a size"))).transpose()
}

fn string<'s>(object: &'s Map<String, Value>, key: &str) -> Result<Option<&'s str>, CompileError> {
    object.get(key).map(|value| value.as_str().ok_or_else(|| value_of(key, "a string"))).transpose()
}

/// Returns the values of `enum`, of `const`, or of a `oneOf` of constants, which schemars derives for documented
/// enums.
fn enumeration(object: &Map<String, Value>) -> Result<Option<Vec<Value>>, CompileError> {
    if let Some(values) = object.get("enum") {
        let values = values.as_array().ok_or_else(|| value_of("enum", "a list"))?;
        return Ok(Some(values.clone()));
    }
    if let Some(value) = object.get("const") {
        return Ok(Some(vec![value.clone()]));
    }
    let Some(options) = object.get("oneOf") else { return Ok(None) };
    let malformed = || value_of("oneOf", "a list of constants");
    let mut values = Vec::new();
    for option in options.as_array().ok_or_else(malformed)? {
        let option = option.as_object().ok_or_else(malformed)?;
        values.extend(enumeration(option)?.ok_or_else(malformed)?);
    }
    Ok(Some(values))
}

fn regex(keyword: &str, value: &Value) -> Result<regex::Regex, CompileError> {
    let pattern = value.as_str().ok_or_else(|| value_of(keyword, "a regular expression"))?;
    regex::Regex::new(pattern).map_err(|error| Defect::Pattern(error).into())
}

fn text(object: &Map<String, Value>, values: Option<Vec<Value>>) -> Result<StringSchema, CompileError> {
    let names = match object.get("x-rule") {
        None => Vec::new(),
        Some(Value::String(name)) => vec![Box::from(name.as_str())],
        Some(names) => strings(names).ok_or_else(|| value_of("x-rule", "the names of rules"))?,
    };
    let none_of = match object.get("x-not-pattern") {
        None => Vec::new(),
        Some(entries) => {
            let malformed = || value_of("x-not-pattern", "a list of `{pattern, err}`");
            let entries = entries.as_array().ok_or_else(malformed)?;
            let entry = |entry: &Value| {
                let entry = entry.as_object().ok_or_else(malformed)?;
                let pattern = entry.get("pattern").ok_or_else(malformed)?;
                if entry.keys().any(|key| key != "pattern" && key != "err") {
                    return Err(malformed());
                }
                Ok((regex("x-not-pattern", pattern)?, string(entry, "err")?.map(Into::into)))
            };
            entries.iter().map(entry).collect::<Result<_, CompileError>>()?
        }
    };
    let texts = |keyword: &'static str, values: &Value| {
        strings(values).ok_or_else(|| value_of(keyword, "a list of strings"))
    };
    Ok(StringSchema {
        one_of: values.map(|values| texts("enum", &Value::Array(values))).transpose()?,
        not_one_of: object
            .get("x-not-enum")
            .map(|values| texts("x-not-enum", values))
            .transpose()?
            .unwrap_or_default(),
        min: size(object, "minLength")?.unwrap_or(1),
        max: size(object, "maxLength")?,
        length: size(object, "x-length")?,
        uuid: string(object, "format")? == Some("uuid"),
        none_of,
        pattern: object.get("pattern").map(|pattern| regex("pattern", pattern)).transpose()?,
        rules: names.iter().map(|name| rule_of(name)).collect::<Result<_, _>>()?,
    })
}

/// Finds a rule of texts.
pub(super) fn rule_of(name: &str) -> Result<Rule, CompileError> {
    rule::rule(name).ok_or_else(|| Defect::UnknownRule(name.to_owned()).into())
}

fn number(object: &Map<String, Value>, values: Option<Vec<Value>>) -> Result<NumberSchema, CompileError> {
    let bound = |key: &str| {
        object.get(key).map(|value| value.as_f64().ok_or_else(|| value_of(key, "a number"))).transpose()
    };
    let one_of = |values: Vec<Value>| {
        let numbers: Option<_> = values.iter().map(Value::as_f64).collect();
        numbers.ok_or_else(|| value_of("enum", "a list of numbers"))
    };
    Ok(NumberSchema {
        integer: string(object, "type")? == Some("integer"),
        one_of: values.map(one_of).transpose()?,
        min: bound("minimum")?,
        max: bound("maximum")?,
        above: bound("exclusiveMinimum")?,
        timestamp: flag(object, "x-timestamp")?,
        unit: object.get("description").and_then(Value::as_str).and_then(|text| {
            let units = [
                ("Milliseconds", " in milliseconds", Unit::Milliseconds),
                ("Seconds", " in seconds", Unit::Seconds),
            ];
            let names =
                |(first, later, _): &(&str, &str, Unit)| text.starts_with(first) || text.contains(later);
            units.into_iter().find(names).map(|(_, _, unit)| unit)
        }),
    })
}
