//! The table of entities agrees with the types that it describes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{KINDS, KindInfo, Role, State};

/// The fields of a kind's schema, each with its own schema: that of what is not null.
fn fields(kind: &KindInfo) -> Vec<(String, Value)> {
    let schema = (kind.schema)().to_value();
    let fields = schema["properties"].as_object().unwrap_or_else(|| panic!("{kind:?} has no fields"));
    let plain = |schema: &Value| {
        let options = schema["anyOf"].as_array().filter(|_| schema.get("x-foreign").is_none());
        let is_null = |option: &&Value| option["type"] == "null";
        options.and_then(|options| options.iter().find(|option| !is_null(option))).unwrap_or(schema).clone()
    };
    fields.iter().map(|(name, schema)| (name.clone(), plain(schema))).collect()
}

fn names<'a>(kind: &KindInfo, wanted: impl Fn(&str, &Value) -> bool + 'a) -> BTreeSet<String> {
    fields(kind).into_iter().filter(|(name, schema)| wanted(name, schema)).map(|(name, _)| name).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn tables_and_entries_have_the_same_order() {
    for (number, (table, kind)) in State::default().tables().into_iter().zip(KINDS).enumerate() {
        assert_eq!((table.info().key, kind.number), (kind.key, number));
    }
}

#[test]
fn referenced_kinds_precede_those_that_refer_to_them() {
    for kind in KINDS {
        for foreign in kind.foreign {
            assert!(KindInfo::number(foreign.kind).is_some_and(|number| number < kind.number), "{kind:?}");
        }
    }
}

#[test]
fn references_labels_and_generated_texts_are_those_of_the_schema() {
    for kind in KINDS {
        let foreign: BTreeSet<String> =
            kind.foreign.iter().map(|f| format!("{}: {}", f.field, f.kind)).collect();
        let in_schema = fields(kind)
            .into_iter()
            .filter_map(|(name, schema)| Some(format!("{name}: {}", schema["x-foreign"].as_str()?)));
        assert_eq!(foreign, in_schema.collect(), "{kind:?}");
        let tags = names(kind, |name, _| name == "tags");
        assert_eq!(tags, kind.tags.into_iter().map(str::to_owned).collect(), "{kind:?}");
        // Ids and times are set too, but have no text that a file would have to repeat.
        let is_text = |schema: &Value| {
            let types = &schema["type"];
            types == "string" || types.as_array().is_some_and(|types| types.contains(&"string".into()))
        };
        let generated = |_: &str, schema: &Value| {
            schema["x-auto"] == true && is_text(schema) && schema["format"] != "uuid"
        };
        assert_eq!(names(kind, generated), set(kind.generated), "{kind:?}");
    }
}

#[test]
fn fields_that_an_entry_names_exist() {
    for kind in KINDS {
        let known = names(kind, |_, _| true);
        let comparison = kind.comparison.iter().flat_map(|c| c.key.iter().chain(c.unordered));
        let main = Some(&kind.main_field).filter(|_| !matches!(kind.role, Role::RuntimeData(_)));
        let named = kind.name.iter().chain(kind.unique).chain(comparison).chain(main);
        for field in named {
            assert!(known.contains(*field), "{kind:?} has no {field}");
        }
    }
}

#[test]
fn a_credential_belongs_to_a_consumer_and_has_a_secret_or_a_name() {
    for kind in KINDS.iter().filter(|kind| matches!(kind.role, Role::Credential(_))) {
        assert!(kind.foreign.iter().any(|f| (f.field, f.kind) == ("consumer", "consumers")), "{kind:?}");
        assert!(kind.name.is_some() && kind.admin.is_some() && kind.comparison.is_some(), "{kind:?}");
        assert!(!names(kind, |_, schema| schema["x-encrypted"] == true).is_empty(), "{kind:?} has no secret");
    }
}

#[test]
fn names_are_used_once() {
    let mut seen = BTreeSet::new();
    let mut paths = BTreeSet::new();
    for kind in KINDS {
        assert!(seen.insert(kind.key), "two kinds are named {}", kind.key);
        assert!(kind.admin.is_none_or(|admin| paths.insert(admin.path)), "{kind:?}");
    }
    let other_names = KINDS.iter().flat_map(|kind| kind.other_names);
    let twice: Vec<&&str> = other_names.filter(|name| !seen.insert(name)).collect();
    // A list of keys at top level, and what users call the keys of the plugin `key-auth`.
    assert_eq!(twice, [&"keys"]);
}
