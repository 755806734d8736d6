use serde_json::json;

use super::*;
use crate::model::{KeyAuth, Service};

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
    assert!(diff(&one, &other).is_empty());
}

#[test]
fn changes_are_told_field_by_field() {
    let old = state(json!([service("a", "h"), service("gone", "h")]), json!([]));
    let new = state(json!([service("a", "i"), service("new", "h")]), json!([]));
    let changes = diff(&old, &new);
    let told: Vec<_> = changes.iter().map(|c| (c.action, c.name.as_str())).collect();
    assert_eq!(told, [(Action::Update, "a"), (Action::Delete, "gone"), (Action::Create, "new")]);
    assert_eq!(changes[0].fields.len(), 1);
    assert_eq!(changes[0].fields[0].name(), "host");
}

#[test]
fn secrets_are_masked_wherever_they_stand() {
    let consumer = "11111111-1111-1111-1111-111111111111";
    let key = |k: &str| json!([{"id": "22222222-2222-2222-2222-222222222222", "consumer": {"id": consumer}, "key": k}]);
    let changes = diff(&state(json!([]), key("s3cret-one")), &state(json!([]), key("s3cret-two")));
    assert_eq!(changes.len(), 2, "another key is another credential");
    let shown = format!("{changes:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(shown.contains(MASK));
}

#[test]
fn nameless_entities_are_told_apart_by_what_they_are_not_by_ids() {
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
    assert!(diff(&loaded(), &loaded()).is_empty());
    let told: Vec<_> = diff(&State::default(), &loaded()).iter().map(ToString::to_string).collect();
    assert_eq!(told[0], "service http://h.test:80/x");
    assert_eq!(told[1], "route (service \"http://h.test:80/x\", paths [\"/a\"])");
}
