//! SARIF checked against the schema of its standard, on every finding that can be had from one file.

use std::path::Path;

use gatewayctl::{config::codes::CODES, lint::lints};
use serde_json::Value;

use super::{Run, run};

const SCHEMA: &str = include_str!("../fixtures/sarif/sarif-schema-2.1.0.json");

fn validator() -> jsonschema::Validator {
    // The standard's pattern of languages has a bracket that only JavaScript's lenient mode reads; we name none.
    let schema = SCHEMA.replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}$");
    let schema: Value = serde_json::from_str(&schema).expect("the schema is JSON");
    // Formats too: URIs that are none are what code scanning services stumble over.
    jsonschema::draft7::options().should_validate_formats(true).build(&schema).expect("a schema")
}

fn checked(validator: &jsonschema::Validator, ran: &Run) -> Value {
    let sarif: Value = serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}\n{ran}"));
    let faults: Vec<String> =
        validator.iter_errors(&sarif).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(faults.is_empty(), "not SARIF 2.1.0:\n{}\n{}", faults.join("\n"), ran.out);
    sarif
}

#[test]
fn what_validate_and_lint_find_is_sarif() {
    let validator = validator();
    let place = tempfile::tempdir().unwrap();
    let codes = CODES.iter().map(|c| (c.code, c.bad)).chain(lints().iter().map(|l| (l.code, l.bad)));
    let mut count_with_results = 0;
    // A name that a URI has to escape.
    for (code, bad) in codes.filter(|(_, bad)| !bad.is_empty()) {
        std::fs::write(place.path().join("my kong#1.yml"), bad).unwrap();
        let ran = run(place.path(), &["lint", "my kong#1.yml", "--format", "sarif"], b"");
        let sarif = checked(&validator, &ran);
        count_with_results +=
            usize::from(sarif["runs"][0]["results"].as_array().is_some_and(|r| !r.is_empty()));
        assert!(ran.err.is_empty(), "{code}: {ran}");
    }
    assert!(count_with_results > 60, "only {count_with_results} files had findings");
}

#[test]
fn so_is_what_is_said_of_several_files_and_of_nothing() {
    let validator = validator();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for arguments in [
        &["validate", "tests/cli/cases/validate.in/errors.yml", "tests/cli/cases/validate.in/warnings.yml"][..],
        &["validate", "tests/cli/cases/validate.in/not-yaml.yml"],
        &["validate", "examples/kong.yml"],
        &["validate", "-"],
        &["lint", "--ruleset", "tests/cli/cases/lint.in/rules.yml", "tests/cli/cases/lint.in/open.yml"],
        &["lint", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/cases/lint.in/open.yml")],
    ] {
        let ran = run(folder, &[arguments, &["--format", "sarif"]].concat(), b"services: [{nam: a}]");
        assert_ne!(ran.status, 2, "{arguments:?}\n{ran}");
        checked(&validator, &ran);
    }
}
