//! Files of every kind of entity from which optional fields are left out at random, and whose sets are turned: they do
//! not differ from themselves, nor from what a gateway reports that serves them.

use std::path::Path;

use proptest::{collection::vec, prelude::*};
use serde_json::Value;

use super::bodies::{self, read};

/// A file with every kind of entity, as JSON.
fn all_kinds() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/cases/diff.in/kinds.yml");
    let text = std::fs::read_to_string(path).unwrap();
    let loaded = read("kong.yml", text.as_bytes());
    let mut file = loaded.document.to_json(loaded.root.unwrap());
    let key_pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----";
    for (kind, rows) in [
        (
            "key_sets",
            serde_json::json!([{"name": "set", "keys": [{"kid": "k", "name": "n", "pem": {"public_key": key_pem}}]}]),
        ),
        (
            "plugins",
            serde_json::json!([{"name": "jwt", "instance_name": "j", "tags": ["b", "a"], "config": {"header_names": ["b", "a"]}}]),
        ),
        (
            "services",
            serde_json::json!([{
                "name": "full", "host": "pool", "port": 81, "path": "/p", "retries": 1, "connect_timeout": 1,
                "write_timeout": 2, "read_timeout": 3, "tags": ["b", "a"],
                "routes": [{
                    "name": "full", "protocols": ["https", "http"], "methods": ["PUT", "GET"], "hosts": ["b.test", "a.test"],
                    "paths": ["/b", "/a", "~/c$"], "headers": {"x-b": ["2", "1"], "x-a": ["1"]}, "strip_path": false,
                    "preserve_host": true, "regex_priority": 3, "path_handling": "v1", "request_buffering": false,
                    "response_buffering": false, "https_redirect_status_code": 301, "snis": ["b.test", "a.test"],
                }],
            }]),
        ),
    ] {
        let list = file[kind].as_array_mut();
        match list {
            Some(list) => list.extend(rows.as_array().unwrap().iter().cloned()),
            None => file[kind] = rows,
        }
    }
    file
}

/// Leaves out the fields whose turn it is, and turns lists around.
fn thin(value: &mut Value, drop: &mut impl FnMut() -> bool) {
    match value {
        Value::Object(map) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            for key in keys {
                if !key.starts_with('_') && drop() {
                    map.shift_remove(&key);
                } else if let Some(inner) = map.get_mut(&key) {
                    thin(inner, drop);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| thin(item, drop)),
        _ => {}
    }
}

/// Turns around the lists of which no order is kept.
fn turn(value: &mut Value) {
    const SETS: [&str; 7] = ["tags", "methods", "hosts", "paths", "protocols", "snis", "header_names"];
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match inner {
                    Value::Array(items)
                        if SETS.contains(&key.as_str()) && items.iter().all(Value::is_string) =>
                    {
                        items.reverse()
                    }
                    inner => turn(inner),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(turn),
        _ => {}
    }
}

#[test]
fn the_file_of_all_kinds_is_valid() {
    let file = all_kinds();
    let loaded = read("kong.json", file.to_string().as_bytes());
    assert!(loaded.state.is_some(), "{:?}", loaded.findings);
    let mut turned = file;
    turn(&mut turned);
    let turned = read("kong.json", turned.to_string().as_bytes());
    bodies::assert_equal(&loaded, &turned, false, "order");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_file_leaves_out_is_no_difference(dropped in vec(0..100u8, 400), percent in 0..20u8) {
        let mut file = all_kinds();
        let mut turns = dropped.iter().cycle();
        thin(&mut file, &mut || turns.next().is_some_and(|at| *at < percent));
        bodies::dump(file.to_string().as_bytes());
    }
}

#[test]
fn each_field_left_out_alone_is_no_difference() {
    let file = all_kinds();
    let (mut fields, mut valid) = (1, 0);
    for left_out in 0.. {
        if left_out >= fields {
            break;
        }
        let (mut thinned, mut at) = (file.clone(), 0);
        thin(&mut thinned, &mut || {
            at += 1;
            at == left_out + 1
        });
        fields = fields.max(at);
        let text = thinned.to_string();
        valid += usize::from(read("kong.json", text.as_bytes()).state.is_some());
        bodies::dump(text.as_bytes());
    }
    assert!(valid > fields / 2, "only {valid} of {fields} files are valid");
}
