//! Random pairs of configurations and requests: where `simulate` differs between the two, `diff --impact` names the
//! route.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Stdio},
};

use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::{Value, json};

/// Choices that a configuration is made of.
const CHOICES: usize = 3 * 11 + 8;
const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];
const HOSTS: [&str; 3] = ["a.test", "b.test", "x.c.test"];
const PATHS: [&str; 5] = ["/", "/x", "/x/y", "/x/ymore", "/v1/z"];

/// A configuration; each choice decides one thing, so that configurations with most choices alike are alike.
fn configuration(choices: &[u8]) -> Value {
    let mut choices = choices.iter().copied();
    let mut next = |most: u8| choices.next().unwrap_or_default() % most;
    let plugin = |choice: u8| -> Option<Value> {
        Some(match choice {
            1 => json!({"name": "key-auth"}),
            2 => json!({"name": "request-termination", "config": {"status_code": 503}}),
            3 => {
                json!({"name": "request-transformer", "config": {"add": {"headers": ["x-a:b"], "querystring": ["q:1"]}}})
            }
            4 => {
                json!({"name": "request-transformer", "config": {"replace": {"uri": "/replaced"}, "http_method": "PUT"}})
            }
            5 => json!({"name": "ip-restriction", "config": {"deny": ["127.0.0.1"]}}),
            6 => json!({"name": "redirect", "config": {"location": "https://other.test/"}}),
            7 => json!({"name": "rate-limiting", "config": {"minute": 5, "policy": "local"}}),
            _ => return None,
        })
    };
    let mut services = vec![
        json!({"name": "one", "url": "http://one.test/base", "routes": []}),
        json!({"name": "two", "url": "https://two.test", "routes": []}),
    ];
    services[0]["retries"] = json!(next(2));
    services[0]["path"] = [json!("/base"), Value::Null, json!("/base/")][usize::from(next(3))].clone();
    services[0]["enabled"] = json!(next(8) != 0);
    services[1]["port"] = json!([443, 8443][usize::from(next(2))]);
    services[1]["plugins"] = plugin(next(20)).into_iter().collect();
    let global: Vec<Value> = plugin(next(30)).into_iter().collect();
    let consumer = next(4) != 0;
    let balanced = next(4) == 0;
    for number in 0..3 {
        let mut route = json!({"name": format!("r{number}")});
        let [path, host, method, strip, preserve, protocols, own] =
            [next(6), next(5), next(4), next(2), next(2), next(4), next(16)];
        route["paths"] = match path {
            0 => json!(["/"]),
            1 => json!(["/x"]),
            2 => json!(["/x/y"]),
            3 => json!(["~/v\\d+"]),
            4 => json!(["/x", "/v1"]),
            _ => Value::Null,
        };
        route["hosts"] = match host {
            0 => json!(["a.test"]),
            1 => json!(["a.test", "b.test"]),
            2 => json!(["*.c.test"]),
            _ => Value::Null,
        };
        route["methods"] = match method {
            0 => json!(["GET"]),
            1 => json!(["POST", "GET"]),
            _ => Value::Null,
        };
        route["strip_path"] = json!(strip == 0);
        route["preserve_host"] = json!(preserve == 0);
        route["protocols"] =
            [json!(["http", "https"]), json!(["https"]), json!(["http"]), json!(["http", "https"])]
                [usize::from(protocols)]
            .clone();
        route["plugins"] = plugin(own).into_iter().collect();
        if ["paths", "hosts", "methods"].iter().all(|field| route[*field].is_null()) {
            route["paths"] = json!(["/"]);
        }
        let (service, is_there, priority, header) = (next(3), next(8) != 0, next(2), next(6));
        if header == 0 {
            route["headers"] = json!({"x-version": ["2"]});
        }
        route["regex_priority"] = json!(priority);
        if is_there && let Some(routes) = services[usize::from(service) % 2]["routes"].as_array_mut() {
            routes.push(route);
        }
    }
    let mut file = json!({"_format_version": "3.0", "services": services, "plugins": global});
    if consumer {
        file["consumers"] = json!([{"username": "amy", "keyauth_credentials": [{"key": "amys-key"}]}]);
    }
    if balanced {
        file["upstreams"] = json!([{"name": "one.test", "targets": [{"target": "10.0.0.1:80"}]}]);
    }
    file
}

fn run(folder: &Path, arguments: &[&str]) -> Value {
    let ended = Command::new(env!("CARGO_BIN_EXE_gatewayctl"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ended.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{arguments:?}: {text}{}", String::from_utf8_lossy(&ended.stderr)))
}

/// What `simulate` knows of a request, without lines of the file, generated ids and the routes that do not match.
fn simulated(folder: &Path, file: &str, request: &[&str]) -> Value {
    let mut known = run(folder, &[&["simulate", file, "--format", "json"], request].concat());
    if let Some(known) = known.as_object_mut() {
        known.remove("lost");
    }
    without_volatile(&mut known);
    known
}

fn without_volatile(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("at");
            // The id of a key that is written without one is generated.
            map.remove("X-Credential-Identifier");
            map.values_mut().for_each(without_volatile);
        }
        Value::Array(items) => items.iter_mut().for_each(without_volatile),
        _ => {}
    }
}

/// The routes that an impact names.
fn named(impact: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |value: &Value| found.extend(value.as_str().map(str::to_owned));
    for list in ["appearing", "vanishing"] {
        impact[list].as_array().into_iter().flatten().for_each(&mut add);
    }
    for list in ["routes", "chains"] {
        for change in impact[list].as_array().into_iter().flatten() {
            change["routes"].as_array().into_iter().flatten().for_each(&mut add);
        }
    }
    for moved in impact["requests"].as_array().into_iter().flatten() {
        add(&moved["before"]);
        add(&moved["after"]);
    }
    found
}

proptest! {
    // Each case runs the program a dozen times.
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_route_whose_requests_are_simulated_otherwise_is_named(
        choices in vec(any::<u8>(), CHOICES),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
        requests in vec((any::<Index>(), any::<Index>(), any::<Index>(), any::<bool>(), any::<bool>(), any::<bool>()), 5),
    ) {
        let mut changed = choices.clone();
        for (at, choice) in changes {
            changed[at.index(CHOICES)] = choice;
        }
        let folder = tempfile::tempdir().unwrap();
        for (name, choices) in [("old.json", &choices), ("new.json", &changed)] {
            std::fs::write(folder.path().join(name), configuration(choices).to_string()).unwrap();
        }
        let report = run(folder.path(), &["diff", "old.json", "new.json", "--impact", "--format", "json"]);
        let named = named(&report["impact"]);
        for (method, host, path, tls, has_key, has_header) in requests {
            let scheme = if tls { "https" } else { "http" };
            let url = format!("{scheme}://{}{}", HOSTS[host.index(HOSTS.len())], PATHS[path.index(PATHS.len())]);
            let mut request = vec![METHODS[method.index(METHODS.len())], &url];
            if has_key {
                request.extend(["-H", "apikey: amys-key"]);
            }
            if has_header {
                request.extend(["-H", "x-version: 2"]);
            }
            let (old, new) = (simulated(folder.path(), "old.json", &request), simulated(folder.path(), "new.json", &request));
            if old == new {
                continue;
            }
            let route = |known: &Value| known["route"]["name"].as_str().unwrap_or("(no route)").to_owned();
            let (before, after) = (route(&old), route(&new));
            prop_assert!(
                named.contains(&before) || named.contains(&after),
                "{request:?} {before} -> {after}, but only {named:?} are named\n{old:#}\n{new:#}\n{report:#}",
            );
        }
    }
}
