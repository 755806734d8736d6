//! Tests of the machine.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Options, Snapshot, compile};
use crate::{
    model::{Service, State},
    store::Stores,
};

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

fn machine(state: Arc<State>, previous: Option<&Snapshot>) -> Snapshot {
    let (snapshot, problems) = compile(state, &Options::default(), &Stores::default(), previous);
    assert!(problems.is_empty(), "{problems:?}");
    snapshot
}

#[test]
fn only_a_change_of_routes_makes_a_new_router() {
    let first = machine(state(json!({}), &["/a"]), None);
    let shared = |service, paths: &[&str]| {
        Arc::ptr_eq(&first.router, &machine(state(service, paths), Some(&first)).router)
    };
    assert!(shared(json!({}), &["/a"]), "nothing has changed");
    assert!(
        shared(json!({ "host": "b.test", "retries": 1 }), &["/a"]),
        "routes do not see where services are"
    );
    assert!(!shared(json!({}), &["/b"]), "another path");
    assert!(!shared(json!({ "enabled": false }), &["/a"]), "a disabled service has no routes");
}
