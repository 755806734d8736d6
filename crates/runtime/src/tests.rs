//! Tests of compilation and reuse.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Options, Snapshot, compile};
use config::{self, Input};
use model::{Service, State};
use store::Stores;

fn options() -> Options {
    Options { registry: crate::catalog().registry().clone(), ..Options::default() }
}

const ID: &str = "00000000-0000-0000-0000-00000000000";

fn state(service: Value, paths: &[&str]) -> Arc<State> {
    let mut state = State::default();
    let mut row = json!({ "id": format!("{ID}1"), "name": "s", "host": "a.test", "port": 80 });
    row.as_object_mut().expect("an object").extend(service.as_object().expect("an object").clone());
    state.services.push(serde_json::from_value::<Service>(row).expect("a service"));
    let route = json!({ "id": format!("{ID}2"), "service": { "id": format!("{ID}1") }, "paths": paths });
    state.routes.push(serde_json::from_value(route).expect("a route"));
    Arc::new(state.indexed())
}

fn compiled(state: Arc<State>, previous: Option<&Snapshot>) -> Snapshot {
    let (snapshot, errors) = compile(state, &options(), &Stores::default(), previous);
    assert!(errors.is_empty(), "{errors:?}");
    snapshot
}

#[test]
fn only_a_change_of_routes_rebuilds_the_router() {
    let first = compiled(state(json!({}), &["/a"]), None);
    let shared = |service, paths: &[&str]| {
        Arc::ptr_eq(&first.router, &compiled(state(service, paths), Some(&first)).router)
    };
    assert!(shared(json!({}), &["/a"]), "nothing has changed");
    assert!(
        shared(json!({ "host": "b.test", "retries": 1 }), &["/a"]),
        "routes do not see where services are"
    );
    assert!(!shared(json!({}), &["/b"]), "another path");
    assert!(!shared(json!({ "enabled": false }), &["/a"]), "a disabled service has no routes");
}

/// Loads and compiles a text, reusing parts of a previous snapshot.
fn read(text: &str, stores: &Stores, previous: Option<&Snapshot>) -> Snapshot {
    let input = Input::Text { name: "kong.yml".to_owned(), text: text.as_bytes().to_vec() };
    let loaded = config::load(&input, &config::Options::new(crate::catalog())).expect("it can be read");
    let state = loaded.state.unwrap_or_else(|| panic!("{:?}", loaded.findings));
    let (snapshot, errors) = compile(state, &options(), stores, previous);
    assert!(errors.is_empty(), "{errors:?}");
    snapshot
}

const TEXT: &str = r#"
_format_version: "3.0"
services:
- name: plain
  url: http://plain.test
- name: balanced
  host: pool
- name: secret
  url: https://secret.test
upstreams:
- name: pool
  targets:
  - target: 10.0.0.1:80
- name: other
  targets:
  - target: 10.0.0.2:80
plugins:
- name: correlation-id
  config:
    header_name: X-Id
- name: key-auth
  service: plain
"#;

#[test]
fn parts_with_equal_rows_are_reused() {
    let stores = Stores::default();
    let first = read(TEXT, &stores, None);
    // Another order, and an additional service.
    let more = TEXT.replace("services:\n", "services:\n- name: new\n  url: https://new.test\n");
    let second = read(&more, &stores, Some(&first));
    let service = |snapshot: &Snapshot, name: &str| {
        Arc::clone(snapshot.service(snapshot.state.services.by_name(name).expect("a service")))
    };
    for name in ["plain", "balanced", "secret"] {
        assert!(Arc::ptr_eq(&service(&first, name), &service(&second, name)), "{name}");
    }
    let tls = |snapshot: &Snapshot, name: &str| service(snapshot, name).tls.clone().expect("TLS");
    assert!(Arc::ptr_eq(&tls(&first, "secret"), &tls(&second, "new")), "TLS settings");
    let plugin = |snapshot: &Snapshot, at: usize| {
        let built = snapshot.plugins[at].as_ref().expect("it was built");
        Arc::clone(&built.instance)
    };
    assert!(Arc::ptr_eq(&plugin(&first, 0), &plugin(&second, 0)), "its row is the same");
    assert!(!Arc::ptr_eq(&plugin(&first, 1), &plugin(&second, 1)), "it depends on the consumers");
}

#[test]
fn parts_with_changed_rows_are_rebuilt() {
    let stores = Stores::default();
    let first = read(TEXT, &stores, None);
    let changed = |from: &str, to: &str| {
        let text = TEXT.replace(from, to);
        assert_ne!(text, TEXT, "{from}");
        let second = read(&text, &stores, Some(&first));
        let same = |at: usize| Arc::ptr_eq(&first.services[at], &second.services[at]);
        let balancers = [0, 1].map(|at| Arc::ptr_eq(&first.balancers[at], &second.balancers[at]));
        let header = match (&first.plugins[0], &second.plugins[0]) {
            (Some(old), Some(new)) => Arc::ptr_eq(&old.instance, &new.instance),
            _ => false,
        };
        ([0, 1, 2].map(same), balancers, header)
    };
    assert_eq!(changed("plain.test", "x.test"), ([false, true, true], [true, true], true));
    assert_eq!(changed("10.0.0.1", "10.0.0.3"), ([true, false, true], [false, true], true));
    assert_eq!(changed("10.0.0.2", "10.0.0.3"), ([true, true, true], [true, false], true));
    assert_eq!(changed("host: pool", "host: other"), ([true, false, true], [true, true], true));
    assert_eq!(changed("host: pool", "host: free.test"), ([true, false, true], [true, true], true));
    assert_eq!(
        changed("secret.test", "secret.test\n  tls_verify: true"),
        ([true, true, false], [true, true], true)
    );
    assert_eq!(changed("X-Id", "X-Other"), ([true, true, true], [true, true], false));
}

#[test]
fn an_unchanged_certificate_is_not_parsed_again() {
    let stores = Stores::default();
    let pair = || {
        let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).expect("a certificate");
        let text = |pem: &str| pem.replace('\n', "\\n");
        let (cert, key) = (text(&made.cert.pem()), text(&made.signing_key.serialize_pem()));
        format!("- cert: \"{cert}\"\n  key: \"{key}\"\n  snis:\n")
    };
    let (one, other) = (pair(), pair());
    let text = |a: &str| {
        format!("_format_version: \"3.0\"\ncertificates:\n{a}  - name: a.test\n{one}  - name: b.test\n")
    };
    let first = read(&text(&other), &stores, None);
    let second = read(&text(&pair()), &stores, Some(&first));
    let shown =
        |snapshot: &Snapshot, name: &str| snapshot.certificates.find(Some(name), &[]).expect("one is shown");
    assert!(Arc::ptr_eq(&shown(&first, "b.test"), &shown(&second, "b.test")));
    assert!(!Arc::ptr_eq(&shown(&first, "a.test"), &shown(&second, "a.test")));
}
