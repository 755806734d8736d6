use std::sync::LazyLock;

use serde_json::json;

use super::*;
use model::{KeyAuth, Service};

fn state(services: Value, keys: Value) -> State {
    let mut state = State::default();
    for s in services.as_array().expect("a list") {
        state.services.push(serde_json::from_value::<Service>(s.clone()).expect("a service"));
    }
    for k in keys.as_array().expect("a list") {
        state.keyauth_credentials.push(serde_json::from_value::<KeyAuth>(k.clone()).expect("a key"));
    }
    state.indexed()
}

fn service(name: &str, host: &str) -> Value {
    json!({"id": uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_DNS, name.as_bytes()), "name": name, "host": host})
}

#[test]
fn a_configuration_does_not_differ_from_itself() {
    let one = state(json!([service("a", "h"), service("b", "h")]), json!([]));
    let other = state(json!([service("b", "h"), service("a", "h")]), json!([]));
    assert!(diff(&one, &other, crate::catalog()).is_empty());
}

#[test]
fn changes_are_rendered_field_by_field() {
    let old = state(json!([service("a", "h"), service("gone", "h")]), json!([]));
    let new = state(json!([service("a", "i"), service("new", "h")]), json!([]));
    let changes = diff(&old, &new, crate::catalog());
    let rendered: Vec<_> = changes.iter().map(|c| (c.action, c.name.as_str())).collect();
    assert_eq!(rendered, [(Action::Update, "a"), (Action::Delete, "gone"), (Action::Create, "new")]);
    assert_eq!(changes[0].fields.len(), 1);
    assert_eq!(changes[0].fields[0].name(), "host");
}

#[test]
fn secrets_are_masked_wherever_they_stand() {
    let consumer = "11111111-1111-1111-1111-111111111111";
    let key = |k: &str| json!([{"id": "22222222-2222-2222-2222-222222222222", "consumer": {"id": consumer}, "key": k}]);
    let changes =
        diff(&state(json!([]), key("s3cret-one")), &state(json!([]), key("s3cret-two")), crate::catalog());
    assert_eq!(changes.len(), 2, "another key is another credential");
    let shown = format!("{changes:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(shown.contains(MASK));
}

#[test]
fn nameless_entities_are_rendered_apart_by_what_they_are_not_by_ids() {
    let loaded = || {
        let id = uuid::Uuid::new_v4;
        let (service, route) = (id(), id());
        let mut state = State::default();
        let row = json!({"id": service, "host": "h.test", "path": "/x"});
        state.services.push(serde_json::from_value(row).expect("a service"));
        let row = json!({"id": route, "service": {"id": service}, "paths": ["/a"]});
        state.routes.push(serde_json::from_value(row).expect("a route"));
        state.indexed()
    };
    assert!(diff(&loaded(), &loaded(), crate::catalog()).is_empty());
    let rendered: Vec<_> =
        diff(&State::default(), &loaded(), crate::catalog()).iter().map(ToString::to_string).collect();
    assert_eq!(rendered[0], "service http://h.test:80/x");
    assert_eq!(rendered[1], "route (service \"http://h.test:80/x\", paths [\"/a\"])");
}

static CERTIFICATE: LazyLock<rcgen::CertifiedKey<rcgen::KeyPair>> =
    LazyLock::new(|| rcgen::generate_simple_self_signed(["api.test".to_owned()]).expect("a certificate"));

fn loaded(text: &str) -> config::Loaded {
    let input = config::Input::Text { name: "kong.yml".to_owned(), text: text.as_bytes().to_vec() };
    let env = |name: &str| {
        Some(match name {
            "CERT" => CERTIFICATE.cert.pem(),
            "KEY" => CERTIFICATE.signing_key.serialize_pem(),
            _ => format!("s3cret {name}"),
        })
    };
    let options = config::Options { env: &env, ..config::Options::new(crate::catalog()) };
    let loaded = config::load(&input, &options).expect("the text is read");
    assert!(loaded.state.is_some(), "{text}\n{:?}", loaded.findings);
    loaded
}

/// Changes between two texts; `running` if a running gateway reported the first.
fn between(old: &str, new: &str, running: bool) -> Vec<String> {
    let (old, new) = (loaded(old), loaded(new));
    let side = |loaded, running| Side { running, ..Side::loaded(loaded).expect("a valid file") };
    let changes = compare(&side(&old, running), &side(&new, false));
    let shown = format!("{changes:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    let fields = |c: &Change| c.fields.iter().map(FieldChange::name).collect::<Vec<_>>().join(",");
    changes.iter().map(|c| format!("{:?} {c} {}", c.action, fields(c)).trim_end().to_owned()).collect()
}

/// The text that a gateway reports that serves a file: all rows with their ids, generated texts, hashes, and vault
/// references as the file has them.
fn exported(text: &str) -> String {
    let loaded = loaded(text);
    let served = loaded.state.expect("a valid file");
    let mut file = json!({ "_format_version": "3.0", "_transform": false });
    for (kind, rows) in config::kong_errors::by_kind(served.display()).as_object().expect("kinds") {
        let rows = rows.as_object().expect("rows").values().cloned();
        file[kind] = rows
            .map(|mut row| {
                for field in ["service", "route", "consumer", "upstream", "certificate", "set"] {
                    if let Some(id) = row.get(field).and_then(|reference| reference.get("id")).cloned() {
                        row[field] = id;
                    }
                }
                row
            })
            .collect();
    }
    file.to_string()
}

const CREDENTIALS: &str = "_format_version: '3.0'
consumers:
- custom_id: nameless
  basicauth_credentials: [{username: ann, password: s3cret}]
- username: bob
  keyauth_credentials: [{}, {tags: [x]}, {key: s3cret-key}]
  jwt_secrets: [{}, {key: k, secret: s3cret}, {key: l, tags: [y]}]
  hmacauth_credentials: [{username: bob}]
  basicauth_credentials: [{username: bob, password: s3cret}, {username: ben, password: '{vault://env/p}'}]
  oauth2_credentials:
  - {name: a}
  - {name: b, client_id: b, client_secret: s3cret, hash_secret: true, redirect_uris: ['http://x.test', 'http://y.test']}
";

#[test]
fn generated_texts_and_hashes_are_no_change() {
    assert_eq!(between(CREDENTIALS, CREDENTIALS, false), [""; 0]);
    assert_eq!(between(&exported(CREDENTIALS), CREDENTIALS, true), [""; 0]);
}

#[test]
fn a_hash_and_its_plain_text_are_equal_in_an_export_too() {
    let plain = "_format_version: '3.0'
consumers:
- custom_id: c
  basicauth_credentials: [{username: joe, password: s3cret}]
  oauth2_credentials: [{name: app, client_id: cid, client_secret: s3cret, hash_secret: true}]
";
    let export = exported(plain);
    assert_eq!(between(&export, plain, false), [""; 0]);
    assert_eq!(between(plain, &export, false), [""; 0]);
    let changed = plain.replace("s3cret", "s3cret-2");
    let both = ["Update basic-auth joe password", "Update oauth2-cred cid client_secret"];
    for running in [true, false] {
        assert_eq!(between(&export, &changed, running), both);
    }
}

#[test]
fn a_written_key_and_a_generated_one_differ_between_files() {
    let with = |keys: &str| {
        format!("_format_version: '3.0'\nconsumers: [{{username: bob, keyauth_credentials: [{keys}]}}]\n")
    };
    let (written, generated) = (with("{key: s3cret}"), with("{}"));
    assert_eq!(
        between(&written, &generated, false),
        ["Create key-auth for consumer bob", "Delete key-auth for consumer bob"]
    );
    // The gateway that runs has loaded a file with one key, or this one.
    assert_eq!(between(&exported(&written), &generated, true), [""; 0]);
    assert_eq!(between(&exported(&generated), &with("{}, {}"), true), ["Create key-auth for consumer bob"]);
    assert_eq!(between(&exported(&with("{}, {}")), &generated, true), ["Delete key-auth for consumer bob"]);
}

#[test]
fn a_vault_reference_equals_the_value_that_a_running_gateway_serves() {
    let file = |username: &str| {
        format!(
            "_format_version: '3.0'\nplugins: [{{name: rate-limiting, config: {{minute: 5, policy: local, redis: {{username: '{username}'}}}}}}]\n"
        )
    };
    let referring = file("{vault://env/name}");
    assert_eq!(between(&exported(&referring), &referring, true), [""; 0]);
    assert_eq!(between(&referring, &referring, true), [""; 0], "as a Kong reports it");
    assert_eq!(between(&file("s3cret NAME"), &referring, true), [""; 0], "as a gateway that reports values");
    assert_eq!(
        between(&exported(&file("other")), &referring, true),
        ["Update plugin rate-limiting (global) config.redis.username"]
    );
}

#[test]
fn a_certificate_in_a_vault_is_the_same_in_a_file_and_in_the_gateway_that_serves_it() {
    let file = "_format_version: '3.0'
certificates:
- {cert: '{vault://env/cert}', key: '{vault://env/key}', snis: [{name: api.test}]}
";
    assert_eq!(between(file, file, false), [""; 0]);
    assert_eq!(between(&exported(file), file, true), [""; 0]);
}

#[test]
fn order_is_no_change() {
    let file = |hosts: &str, paths: &str, methods: &str, values: &str| {
        format!(
            "_format_version: '3.0'
services:
- url: http://a.test
  routes:
  - {{hosts: [{hosts}], paths: [{paths}], methods: [{methods}], headers: {{x: [{values}]}}, plugins: [{{name: jwt, config: {{header_names: [{methods}]}}}}]}}
"
        )
    };
    let (one, other) =
        (file("a, b", "/a, /b", "GET, PUT", "'1', '2'"), file("b, a", "/b, /a", "PUT, GET", "'2', '1'"));
    assert_eq!(between(&one, &other, false), [""; 0]);
    assert_eq!(between(&exported(&one), &other, true), [""; 0]);
}
