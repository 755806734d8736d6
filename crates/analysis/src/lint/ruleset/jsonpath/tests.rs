//! The spellings of rulesets, and the standard's compliance tests where a checkout has them beside it.

use serde_json::{Value as Json, json};

use super::parse;

fn find(text: &str, json: &Json) -> Vec<String> {
    let query = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    query.find(json).iter().map(|path| path.join("/")).collect()
}

#[test]
fn spellings_of_rulesets_are_understood() {
    let json = json!({"services": [
        {"name": "a-1", "x-team": "red", "routes": [{"paths": ["/x"]}]},
        {"name": "b", "routes": [], "retries": 5},
    ]});
    let find = |text: &str| find(text, &json);
    assert_eq!(find("$.services[*].name"), ["services/0/name", "services/1/name"]);
    assert_eq!(find("$.services[*].x-team"), ["services/0/x-team"]);
    assert_eq!(find("$..x-team^"), ["services/0"]);
    assert_eq!(find("$.services[*]^"), ["services"], "once, though it has two children");
    assert_eq!(
        find("$.services[*][name,retries]"),
        ["services/0/name", "services/1/name", "services/1/retries"]
    );
    assert_eq!(find("$.services[?(@.name === 'b')].name"), ["services/1/name"]);
    assert_eq!(find("$.services[?(@.routes.length > 0)]"), ["services/0"]);
    assert_eq!(find("$.services[?(@.x-team)]"), ["services/0"]);
    assert_eq!(
        find("$.services[*][?(@property === 'x-team' || @property.match(/^ret/))]"),
        ["services/0/x-team", "services/1/retries",]
    );
    assert_eq!(find("$.services[?(@property == 1)]"), ["services/1"]);
    assert_eq!(find("$.services[?(@property)]"), ["services/1"], "0 is no truth");
    assert_eq!(find("$.services[1][?(@property)]").len(), 3);
    assert_eq!(
        find("$.services[*][?(@property.length === 6)]"),
        ["services/0/x-team", "services/0/routes", "services/1/routes"]
    );
    assert_eq!(find("$.services[1][?(@property.indexOf('r') === -1)]^"), ["services/1"]);
    assert_eq!(find("$.services[*][?(@property.indexOf('r') === 0)]").len(), 3);
    assert_eq!(find("$.services[?(@.name.indexOf('-') !== -1)]"), ["services/0"]);
    let keys = parse("$.services[*]~").expect("an expression");
    assert!(keys.keys && keys.find(&json).len() == 2);
}

#[test]
fn texts_and_expressions_are_taken_as_they_are_written() {
    let json = json!([{"host": "api.my-host.com", "path": "v1", "n": 10}, {"host": "API", "path": r"v\d/a.length", "n": 2}]);
    let find = |text: &str| find(text, &json);
    assert_eq!(find("$[?(@.host == 'api.my-host.com')]"), ["0"]);
    assert_eq!(find("$[?(@.host.match(/^api/i))]"), ["0", "1"]);
    assert_eq!(find("$[?(!@.host.match(/^api/))]"), ["1"]);
    assert_eq!(find(r"$[?(@.path =~ /^v\d$/)]"), ["0"]);
    assert_eq!(find(r"$[?search(@.path, '^v\\d')]"), ["0"]);
    assert_eq!(find(r"$[?(@.path == 'v\\d/a.length')]"), ["1"]);
    assert_eq!(find(r"$[?(@.path.match(/[/]a\.length/))]"), ["1"]);
    assert_eq!(find(r"$[?(@.path.match(/\/a/) && @.n === 2)]"), ["1"]);
    assert_eq!(find("$[?(@.n =~ /^1/)]"), ["0"], "numbers match as they are written");
}

#[test]
fn what_is_wrong_has_a_place() {
    let fault = |text: &str| parse(text).expect_err("a fault");
    assert_eq!(fault("$.["), "expected a name at character 3");
    assert_eq!(fault("$[?(@.a =~ /b)]"), "expected the end of a regular expression, \"/\" at character 13");
    assert_eq!(fault("$[?lenght(@.a) > 1]"), "there is no function \"lenght\" at character 4");
    assert_eq!(fault("$[?(@property.slice(1) == 'a')]"), "@property.slice is not supported at character 14");
    assert_eq!(fault("$[?@[*] == 1]"), "this finds more than one value at character 4");
    assert!(parse(&format!("$[?{}@.a{}]", "(".repeat(1000), ")".repeat(1000))).is_err());
}

#[test]
fn the_compliance_tests_of_the_standard_pass() {
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/jsonpath/cts.json");
    let tests = std::fs::read_to_string(tests).expect("the fixture");
    let tests: Json = serde_json::from_str(&tests).expect("JSON");
    let mut wrong = Vec::new();
    for test in tests["tests"].as_array().expect("a list") {
        let (name, selector) =
            (test["name"].as_str().expect("a name"), test["selector"].as_str().expect("a text"));
        let query = parse(selector);
        if test["invalid_selector"] == true {
            if query.is_ok() {
                wrong.push(format!("{name}: {selector} is accepted"));
            }
            continue;
        }
        let query = match query {
            Ok(query) => query,
            Err(why) => {
                wrong.push(format!("{name}: {selector}: {why}"));
                continue;
            }
        };
        let document = &test["document"];
        let found: Vec<Json> = query
            .find(document)
            .iter()
            .map(|path| {
                let step = |value: Json, step: &String| match &value {
                    Json::Array(items) => items[step.parse::<usize>().expect("an index")].clone(),
                    map => map[step].clone(),
                };
                path.iter().fold(document.clone(), step)
            })
            .collect();
        let found = Json::Array(found);
        let results = test["results"].as_array().cloned().unwrap_or_else(|| vec![test["result"].clone()]);
        if !results.contains(&found) {
            wrong.push(format!("{name}: {selector}: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
