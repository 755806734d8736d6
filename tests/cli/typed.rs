//! Misspelled arguments: the message names the argument and the reason, and proposes the nearest valid one.

use std::path::Path;

use super::{run, run_with};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_misspelling_is_named_with_a_suggestion() {
    for (typed, parts) in [
        ("valdate kong.yml", &["'valdate'", "'validate'"][..]),
        ("help valdate", &["'valdate'", "'validate'"]),
        ("man valdate", &["valdate", "did you mean validate?"]),
        ("validate --strct kong.yml", &["'--strct'", "'--strict'"]),
        ("validate --format jsn kong.yml", &["'--format <FORMAT>'", "'json'"]),
        ("explain weak-secrt", &["weak-secrt", "did you mean weak-secret?"]),
        ("plugins rate-limitng", &["rate-limitng", "did you mean rate-limiting?"]),
        ("schema --plugin rate-limitng", &["--plugin", "rate-limitng", "did you mean rate-limiting?"]),
        (
            "simulate examples/kong.yml GET http://a.test/ --consumer web-ap",
            &["--consumer web-ap:", "did you mean web-app?"],
        ),
        ("simulate examples/kong.yml http://a.test/ GET", &["the method comes before the URL"]),
        ("lint examples/kong.yml --only weak-secrt", &["--only weak-secrt:", "did you mean weak-secret?"]),
        ("lint examples/kong.yml --skip weak-secrt", &["--skip weak-secrt:", "did you mean weak-secret?"]),
        ("lint examples/kong.yml --rule weak-secret=of", &["--rule weak-secret=of:", "did you mean off?"]),
        ("lint examples/kong.yml --ruleset nowhere", &["--ruleset nowhere:"]),
        ("lint examples/kong.yml --config nowhere", &["--config nowhere:"]),
        ("validate examples/kong.yaml", &["examples/kong.yaml:", "did you mean examples/kong.yml?"]),
        ("lint example/kong.yml", &["example/kong.yml:", "did you mean examples/kong.yml?"]),
        ("diff examples/kong.yml examples/kog.yml", &["did you mean examples/kong.yml?"]),
        ("test examples/test", &["examples/test:", "did you mean examples/tests?"]),
        ("test examples/tests --filter nothing-like-it", &["--filter nothing-like-it:"]),
    ] {
        let words: Vec<&str> = typed.split(' ').collect();
        let ran = run(root(), &words, b"");
        assert_eq!(ran.status, 2, "{typed}\n{ran}");
        assert!(ran.err.starts_with("error: ") && ran.out.is_empty(), "{typed}\n{ran}");
        for part in parts {
            assert!(ran.err.contains(part), "{typed}: {part} is not reported\n{ran}");
        }
    }
}

#[test]
fn error_in_a_value_of_the_environment_names_the_variable() {
    let variables = [("KONG_ROUTER_FLAVOR", "expresions")];
    let ran = run_with(root(), &["validate", "examples/kong.yml"], &variables, b"");
    assert_eq!(ran.status, 2, "{ran}");
    assert!(ran.err.contains("for 'KONG_ROUTER_FLAVOR'") && ran.err.contains("'expressions'"), "{ran}");
}

#[test]
fn standard_input_stands_for_cases_and_rulesets_too() {
    let case =
        "name: a\nconfig_file: examples/kong.yml\nsteps:\n- {send: {path: /x}, expect: {status: 404}}\n";
    let ran = run(root(), &["test", "-"], case.as_bytes());
    assert_eq!(ran.status, 0, "{ran}");
    let rules = "rules: {none: {given: $.services, severity: error, then: {function: falsy}}}";
    let ran =
        run(root(), &["lint", "examples/kong.yml", "--ruleset", "-", "--only", "none"], rules.as_bytes());
    assert!(ran.status == 1 && ran.out.contains("ruleset/none"), "{ran}");
}

#[test]
fn the_settings_of_a_project_are_found_from_its_files_and_from_its_folders() {
    let place = tempfile::tempdir().unwrap();
    let deep = place.path().join("team/gateway");
    std::fs::create_dir_all(&deep).unwrap();
    let weak = "_format_version: '3.0'\nconsumers:\n- username: u\n  keyauth_credentials: [{key: abc}]\n";
    std::fs::write(deep.join("kong.yml"), weak).unwrap();
    let settings = place.path().join("team/.gatewayctl.yml");
    std::fs::write(&settings, "files: [gateway/kong.yml]\nlint:\n  rules: {weak-secret: error}\n").unwrap();
    // The file, and the folder that the program is started in.
    for (folder, arguments) in [
        (place.path(), &["lint", "-v", "team/gateway/kong.yml"][..]),
        (&deep, &["lint", "-v", "kong.yml"]),
        (&deep, &["lint", "-v"]),
        (&place.path().join("team"), &["lint", "-v"]),
    ] {
        let ran = run(folder, arguments, b"");
        assert_eq!(ran.status, 1, "{ran}");
        assert!(ran.err.contains("settings: ") && ran.err.contains(".gatewayctl.yml"), "{ran}");
    }
    // A flag counts for more.
    let ran = run(place.path(), &["lint", "team/gateway/kong.yml", "--rule", "weak-secret=warn"], b"");
    assert_eq!(ran.status, 0, "{ran}");
    // A repository's root is the limit.
    std::fs::create_dir(deep.join(".git")).unwrap();
    let ran = run(place.path(), &["lint", "-v", "team/gateway/kong.yml"], b"");
    assert!(ran.status == 0 && ran.err.contains("settings: none"), "{ran}");
    std::fs::write(&settings, "lint:\n  rules:\n    weak-secrt: off\n").unwrap();
    let ran = run(&place.path().join("team"), &["validate"], b"");
    assert!(ran.status == 2 && ran.err.contains(".gatewayctl.yml:3:5: "), "{ran}");
}

#[test]
fn a_router_is_taken_from_flag_then_variable_then_settings() {
    let place = tempfile::tempdir().unwrap();
    let text = "_format_version: '3.0'\nservices:\n- name: s\n  host: h.test\n  routes:\n  - {name: r, expression: 'http.path == \"/a\"'}\n";
    std::fs::write(place.path().join("kong.yml"), text).unwrap();
    std::fs::write(place.path().join(".gatewayctl.yml"), "router_flavor: expressions\n").unwrap();
    let variable = [("KONG_ROUTER_FLAVOR", "traditional")];
    let flag = ["validate", "kong.yml", "--router-flavor", "expressions"];
    for (arguments, variables, status) in [
        (&["validate", "kong.yml"][..], &[][..], 0),
        (&["validate", "kong.yml"], &variable, 1),
        (&flag, &variable, 0),
        (&["simulate", "kong.yml", "GET", "http://h.test/a"], &[], 0),
        (&["diff", "kong.yml", "kong.yml"], &[], 0),
    ] {
        let ran = run_with(place.path(), arguments, variables, b"");
        assert_eq!(ran.status, status, "{arguments:?} {variables:?}\n{ran}");
    }
}

#[test]
fn version_names_the_same_kong_release_as_simulated_requests() {
    let ran = run(root(), &["version", "--format", "json"], b"");
    let version: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    let shown = run(
        root(),
        &[
            "simulate",
            "examples/plugins/key-auth.yml",
            "GET",
            "http://a.test/orders",
            "-H",
            "apikey: amy-key",
        ],
        b"",
    );
    let kong = version["kong"].as_str().unwrap();
    assert!(shown.out.contains(&format!("kong/{kong}")), "{kong}\n{shown}");
    let ran = run(root(), &["version"], b"");
    assert!(ran.status == 0 && ran.out.contains(kong), "{ran}");
}

#[test]
fn reports_and_help_say_how_findings_are_explained() {
    for command in ["validate", "lint"] {
        let help = run(root(), &[command, "--help"], b"");
        assert!(help.out.contains("`gatewayctl explain CODE`"), "{help}");
        let ran = run(root(), &[command, "-"], b"a: 1");
        assert!(ran.out.contains("`gatewayctl explain "), "{ran}");
    }
}
