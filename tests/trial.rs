//! `trial`: tests of a configuration in a file, its hosts mocked, its minutes passed by turning the clock.

use std::{path::Path, time::Duration};

use gatewayctl::casetest::{self, Plan, Ran, Suite, Verdict};

fn run(text: &str) -> Vec<Ran> {
    let mut suite = Suite::default();
    suite.add(text, "some.yaml", &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trial"));
    assert!(suite.findings.0.is_empty(), "{:?}", suite.findings);
    let mut all = Vec::new();
    casetest::run(
        &suite.cases,
        Plan { catalog: gatewayctl::catalog().expect("a catalog"), jobs: 4, fail_fast: false },
        |ran| all.push(ran),
    );
    all.sort_by_key(|ran| ran.index);
    all
}

#[test]
fn a_configuration_in_a_file_is_tested_with_its_hosts_mocked_and_no_minute_is_waited_for() {
    for ran in run(include_str!("trial/gateway.test.yaml")) {
        assert!(matches!(ran.verdict, Verdict::Passed), "case {}: {:?}", ran.index + 1, ran.verdict);
        assert!(ran.took < Duration::from_secs(30), "case {} waited {:?}", ran.index + 1, ran.took);
    }
}

#[test]
fn failure_has_step_line_and_all_mismatches() {
    let ran = run(
        "name: x\nconfig_file: kong.yml\nsteps:\n- {wait: 0}\n- send: {path: /users}\n  expect: {status: 200, \
                   headers: {X-A: b}}\n",
    );
    let [Ran { verdict: Verdict::Failed(failure), .. }] = ran.as_slice() else { panic!("it fails: {ran:?}") };
    assert_eq!((failure.step, failure.line, failure.action.as_str()), (Some(2), 5, "send GET /users"));
    let differs: Vec<_> =
        failure.mismatches.iter().map(|m| (m.what.as_str(), m.expected.as_str(), m.seen.as_str())).collect();
    assert_eq!(differs, [("status", "200", "401"), ("header X-A", "\"b\"", "nothing")]);
}

#[test]
fn a_configuration_that_should_be_refused_and_serves_is_a_failure() {
    let ran = run(
        "config_file: kong.yml\nrefused: {contains: x}\n---\nconfig: {services: 1}\n---\nconfig: {services: 1, \
                   _format_version: '3.0'}\nrefused: {contains: services}\n",
    );
    let passed: Vec<bool> = ran.iter().map(|ran| matches!(ran.verdict, Verdict::Passed)).collect();
    assert_eq!(passed, [false, false, true], "{ran:?}");
}

#[test]
fn the_example_passes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut suite = Suite::default();
    for file in casetest::files(&root.join("examples/tests")).expect("the folder of examples") {
        suite.add_file(&file, &file.display().to_string()).expect("a readable file");
    }
    assert!(suite.findings.0.is_empty() && !suite.cases.is_empty(), "{:?}", suite.findings);
    casetest::run(
        &suite.cases,
        Plan { catalog: gatewayctl::catalog().expect("a catalog"), jobs: 4, fail_fast: false },
        |ran| {
            assert!(matches!(ran.verdict, Verdict::Passed), "case {}: {:?}", ran.index + 1, ran.verdict);
        },
    );
}

#[test]
fn every_case_follows_the_published_schema() {
    let schema = jsonschema::validator_for(&casetest::schema()).expect("a schema");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    let mut count = 0;
    for folder in ["examples/tests", "tests/trial", "tests/conformance"] {
        for file in casetest::files(&root.join(folder)).expect("a folder of cases") {
            let mut suite = Suite::default();
            suite.add_file(&file, &file.display().to_string()).expect("a readable file");
            for case in &suite.cases {
                count += 1;
                let faults = schema.iter_errors(&case.raw).map(|e| format!("{}: {e}", e.instance_path()));
                wrong.extend(faults.map(|fault| format!("{}:{}: {fault}", case.file, case.line)));
            }
        }
    }
    assert!(count > 1000, "only {count} cases");
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}
