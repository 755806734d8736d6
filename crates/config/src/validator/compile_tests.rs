//! Every schema of the program compiles, and a schema with an error does not.

use serde_json::{Value, json};

use super::{CompileError, compile};

fn error_of(schema: &Value) -> Option<String> {
    let find_check = |name: &str| crate::rules::find(name);
    compile(schema, &find_check)
        .err()
        .map(|CompileError { pointer, defect, .. }| format!("{pointer}: {defect}"))
}

#[test]
fn every_schema_of_entities_and_plugins_compiles() {
    let registry = plugins::registry();
    let find_check = |name: &str| crate::rules::find(name).or_else(|| registry.rule(name));
    let entities = model::KINDS.iter().map(|kind| (kind.key, (kind.schema)()));
    let settings = registry.descriptors().map(|entry| (&*entry.name, (entry.schema)()));
    for (name, schema) in entities.chain(settings) {
        assert_eq!(compile(schema.as_value(), &find_check).err(), None, "{name}");
    }
    // The whole of them, with routes of each flavor, and checks of plugins that cover their rows.
    assert!(crate::Catalog::new(registry).is_ok());
}

#[test]
fn a_schema_with_an_error_does_not_compile() {
    let record = |key: &str, value: Value| {
        let mut schema = json!({ "type": "object", "properties": {
            "a": { "type": "string" }, "b": { "type": ["object", "null"], "properties": { "c": { "type": "integer" } } },
        } });
        schema[key] = value;
        schema
    };
    let check = |check: Value| record("x-entity-checks", json!([check]));
    let shorthand = |shorthand: Value| record("x-shorthands", json!([shorthand]));
    for (schema, error) in [
        // Schemas.
        (json!("string"), ": a schema is an object or true"),
        (json!(false), ": a schema is an object or true"),
        (json!({ "type": "text" }), ": there is no type `text`"),
        (json!({ "type": 1 }), ": `type` must be a string"),
        (json!({ "type": ["string", "integer"] }), ": `type` must be one type, or one type and null"),
        (json!({ "type": [] }), ": `type` must be one type, or one type and null"),
        (
            json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] }),
            ": `anyOf` must be one schema and null",
        ),
        (json!({ "anyOf": [true, { "type": "null" }] }), ": a schema is an object or true"),
        (json!({ "allOf": [{ "type": "string" }] }), ": the keyword `allOf` is unknown here"),
        (json!({ "type": "string", "x-rules": "name" }), ": the keyword `x-rules` is unknown here"),
        (json!({ "$ref": "#/$defs/a" }), ": the reference \"#/$defs/a\" cannot be resolved"),
        (
            json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/a" } } }),
            ": the reference \"#/$defs/a\" cannot be resolved",
        ),
        (json!({ "x-foreign": "service" }), ": there is no kind of entity `service`"),
        (json!({ "type": "string", "x-encrypted": "true" }), ": `x-encrypted` must be true or false"),
        (json!({ "type": "string", "x-err": 1 }), ": `x-err` must be a string"),
        (json!({ "type": "string", "default": 1 }), ": `default` must be a string"),
        // Strings.
        (json!({ "type": "string", "maximum": 1 }), ": the keyword `maximum` is unknown here"),
        (json!({ "type": "string", "format": "uri" }), ": there is no format `uri` for values of this type"),
        (json!({ "type": "string", "x-rule": "nmae" }), ": there is no rule `nmae`"),
        (json!({ "type": "string", "x-rule": ["name", "nmae"] }), ": there is no rule `nmae`"),
        (json!({ "type": "string", "x-rule": 1 }), ": `x-rule` must be the names of rules"),
        (json!({ "type": "string", "minLength": -1 }), ": `minLength` must be a size"),
        (json!({ "type": "string", "enum": ["a", 1] }), ": `enum` must be a list of strings"),
        (json!({ "type": "string", "enum": "a" }), ": `enum` must be a list"),
        (json!({ "oneOf": [{ "type": "string" }] }), ": `oneOf` must be a list of constants"),
        (json!({ "type": "string", "x-not-enum": [1] }), ": `x-not-enum` must be a list of strings"),
        (json!({ "type": "string", "pattern": 1 }), ": `pattern` must be a regular expression"),
        (
            json!({ "type": "string", "x-not-pattern": ["a"] }),
            ": `x-not-pattern` must be a list of `{pattern, err}`",
        ),
        (
            json!({ "type": "string", "x-not-pattern": [{ "pattern": "a", "error": "b" }] }),
            ": `x-not-pattern` must be a list of `{pattern, err}`",
        ),
        // Numbers.
        (json!({ "type": "integer", "pattern": "a" }), ": the keyword `pattern` is unknown here"),
        (json!({ "type": "integer", "minimum": "1" }), ": `minimum` must be a number"),
        (json!({ "type": "integer", "enum": [1, "2"] }), ": `enum` must be a list of numbers"),
        (
            json!({ "type": "integer", "format": "uuid" }),
            ": there is no format `uuid` for values of this type",
        ),
        (json!({ "type": "integer", "default": "1" }), ": `default` must be a number"),
        (json!({ "type": "boolean", "enum": [true] }), ": the keyword `enum` is unknown here"),
        // Lists and maps.
        (json!({ "type": "array", "items": { "type": "text" } }), "/items: there is no type `text`"),
        (json!({ "type": "array", "minLength": 1 }), ": the keyword `minLength` is unknown here"),
        (
            json!({ "type": "array", "x-exclusive-sets": ["a"] }),
            ": `x-exclusive-sets` must be a list of lists of strings",
        ),
        (json!({ "type": "array", "x-contains": 1 }), ": `x-contains` must be a string"),
        (
            json!({ "type": "object", "additionalProperties": "a" }),
            ": `additionalProperties` must be a schema",
        ),
        (
            json!({ "type": "object", "additionalProperties": { "type": "text" } }),
            "/additionalProperties: there is no type `text`",
        ),
        (json!({ "type": "object", "x-key": { "type": "text" } }), "/x-key: there is no type `text`"),
        // Records.
        (json!({ "properties": [] }), ": `properties` must be a map of schemas"),
        (json!({ "properties": { "a/b": { "type": "text" } } }), "/properties/a~1b: there is no type `text`"),
        (record("x-key", json!({ "type": "string" })), ": the keyword `x-key` is unknown here"),
        (record("x-custom", json!("nothing")), ": there is no check `nothing`"),
        // Checks.
        (record("x-entity-checks", json!({})), ": `x-entity-checks` must be a list of checks"),
        (check(json!("a")), "/x-entity-checks/0: `check` must be an object"),
        (
            check(json!({ "at_least_one_of": [] })),
            "/x-entity-checks/0: `at_least_one_of` must be a list of fields",
        ),
        (
            check(json!({ "at_least_one_of": ["a", 1] })),
            "/x-entity-checks/0: `at_least_one_of` must be a list of fields",
        ),
        (check(json!({ "at_least_one_of": ["z"] })), "/x-entity-checks/0: the record has no field `z`"),
        (check(json!({ "distinct": ["a", "b.z"] })), "/x-entity-checks/0: the record has no field `b.z`"),
        (check(json!({ "distinct": ["a.c"] })), "/x-entity-checks/0: the record has no field `a.c`"),
        (
            check(json!({ "distinct": ["a"], "err": "x" })),
            "/x-entity-checks/0: the keyword `err` is unknown here",
        ),
        (check(json!({ "one_of": ["a"] })), "/x-entity-checks/0: `if` must be a field"),
        (check(json!({ "custom": "nothing" })), "/x-entity-checks/0: there is no check `nothing`"),
        (check(json!({ "custom": "jwk", "always": false })), "/x-entity-checks/0: `always` must be true"),
        (
            check(json!({ "if": "a", "then": "b" })),
            "/x-entity-checks/0: `if` must be followed by one condition",
        ),
        (
            check(json!({ "if": "a", "is": 1, "above": 1, "then": "b", "required": true })),
            "/x-entity-checks/0: `if` must be followed by one condition",
        ),
        (
            check(json!({ "if": "a", "is": 1, "then": "b" })),
            "/x-entity-checks/0: `then` must be followed by a consequence",
        ),
        (
            check(json!({ "if": "a", "is": 1, "required": true })),
            "/x-entity-checks/0: `then` must be a field",
        ),
        (
            check(json!({ "if": "a", "in": "b", "then": "b", "eq": 1 })),
            "/x-entity-checks/0: `in` must be a list",
        ),
        (
            check(json!({ "if": "a", "above": "1", "then": "b", "eq": 1 })),
            "/x-entity-checks/0: `above` must be a number",
        ),
        (
            check(json!({ "if": "a", "is": 1, "then": "b", "required": false })),
            "/x-entity-checks/0: `required` must be true",
        ),
        (
            check(json!({ "if": "a", "is": 1, "then": "b", "requires": true })),
            "/x-entity-checks/0: the keyword `requires` is unknown here",
        ),
        (
            check(json!({ "if": "a", "is": 1, "then": "b", "rule": "nmae" })),
            "/x-entity-checks/0: there is no rule `nmae`",
        ),
        (
            check(json!({ "if": "a", "is": 1, "then": "b", "length": "1" })),
            "/x-entity-checks/0: `length` must be a size",
        ),
        (
            check(json!({ "if": "a", "is": 1, "then_at_least_one_of": ["b"], "else": [] })),
            "/x-entity-checks/0: `else` must be an object",
        ),
        (
            check(json!({ "if": "a", "is": 1, "then_at_least_one_of": ["b"], "else": { "is": 2 } })),
            "/x-entity-checks/0: `then_at_least_one_of` must be a list of fields",
        ),
        // Shorthands.
        (
            shorthand(json!({ "type": "string", "to": ["a"] })),
            "/x-shorthands/0: `name` must be the name of the shorthand",
        ),
        (
            shorthand(json!({ "name": "s", "type": "string" })),
            "/x-shorthands/0: `to` must be a list of fields",
        ),
        (
            shorthand(json!({ "name": "s", "type": "text", "to": ["a"] })),
            "/x-shorthands/0: there is no type `text`",
        ),
        (
            shorthand(json!({ "name": "s", "type": "string", "to": ["b.z"] })),
            "/x-shorthands/0: the record has no field `b.z`",
        ),
        (
            shorthand(json!({ "name": "s", "type": "string", "rule": "url" })),
            "/x-shorthands/0: there is no expansion `url`",
        ),
        (
            shorthand(json!({ "name": "s", "type": "string", "to": ["a"], "depracated": true })),
            "/x-shorthands/0: the keyword `depracated` is unknown here",
        ),
    ] {
        assert_eq!(error_of(&schema).as_deref(), Some(error), "{schema}");
    }
    let pattern = error_of(&json!({ "type": "string", "pattern": "(" }));
    assert!(pattern.is_some_and(|error| error.starts_with(": the pattern does not compile: ")));
    assert_eq!(error_of(&check(json!({ "if": "a", "is": 1, "then": "b.c", "required": true }))), None);
}
