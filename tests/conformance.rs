//! Kong's behaviour, case by case: `tests/conformance/<area>/*.yaml`, run as `gatewayctl test` runs them.
//!
//! `pending.txt` lists the cases that do not pass, each under its reason. A case that fails and is not in the list fails
//! this test, and so does one that is in the list and passes. `UPDATE=1 cargo test --test conformance` writes the list:
//! new cases get no reason, and the test fails until a person has written one. `FILTER=text` runs only cases whose file or
//! name contains the text.
//!
//! A case that fails is repeated alone, since its deadlines may expire on a machine under load. If it passes then, it is
//! flaky: that does not fail the test, and is reported with the first failure on standard error (and as a warning in a
//! GitHub workflow), which is not captured by the test runner.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "a test reads its own switches and reports"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use gatewayctl::casetest::{self, Failure, LoadedCase, Plan, Suite, Verdict};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

fn cases() -> Vec<LoadedCase> {
    let mut suite = Suite::default();
    for file in casetest::files(&root()).expect("the folder of cases") {
        let shown = file.strip_prefix(root()).expect("inside").display().to_string();
        suite.add_file(&file, &shown).expect("a readable file");
    }
    assert!(suite.findings.0.is_empty(), "{:?}", suite.findings);
    suite.cases
}

fn key(case: &LoadedCase) -> String {
    format!("{}: {}", case.file, case.name)
}

/// Stands in the list for a reason that is not written yet.
const NO_REASON: &str = "REASON?";

/// The cases of the list, each with its reason.
fn pending(text: &str) -> BTreeMap<String, String> {
    let mut reason = NO_REASON;
    let mut found = BTreeMap::new();
    for line in text.lines().map(str::trim_end).filter(|l| !l.is_empty()) {
        match line.strip_prefix("# ") {
            Some(words) => reason = words,
            None => drop(found.insert(line.to_owned(), reason.to_owned())),
        }
    }
    found
}

/// The list, a paragraph a reason.
fn list(pending: &BTreeMap<String, String>) -> String {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (case, reason) in pending {
        groups.entry(reason).or_default().push(case);
    }
    let paragraphs = groups.iter().map(|(reason, cases)| format!("# {reason}\n{}\n", cases.join("\n")));
    paragraphs.collect::<Vec<_>>().join("\n")
}

/// Cases that failed, and those that passed when they were repeated.
#[derive(Default)]
struct Failures {
    failed: BTreeMap<String, Box<Failure>>,
    flaky: BTreeMap<String, Box<Failure>>,
}

/// Runs the cases, and those that fail beside others once more alone.
fn run(cases: &[LoadedCase]) -> Failures {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let (mut failed, mut skipped) = (Vec::new(), Vec::new());
    casetest::run(
        cases,
        Plan { catalog: gatewayctl::catalog().expect("a catalog"), jobs: cores * 2, fail_fast: false },
        |ran| match ran.verdict {
            Verdict::Passed => {}
            Verdict::Skipped(why) => skipped.push(format!("{}: {why}", key(&cases[ran.index]))),
            Verdict::Failed(failure) => failed.push((ran.index, failure)),
        },
    );
    let not_yet = |failure: &Failure| failure.mismatches.iter().any(|m| m.seen.contains("[plugin/not-yet]"));
    let named = |(index, failure): (usize, Box<Failure>)| (key(&cases[index]), failure);
    let (final_failures, again): (Vec<_>, Vec<_>) =
        failed.into_iter().partition(|(_, failure)| not_yet(failure));
    let alone: Vec<LoadedCase> = again.iter().map(|(index, _)| cases[*index].clone()).collect();
    let mut failures = Failures {
        failed: final_failures.into_iter().map(named).collect(),
        flaky: again.into_iter().map(named).collect(),
    };
    casetest::run(
        &alone,
        Plan { catalog: gatewayctl::catalog().expect("a catalog"), jobs: cores, fail_fast: false },
        |ran| {
            if let Verdict::Failed(failure) = ran.verdict {
                let case = key(&alone[ran.index]);
                failures.flaky.remove(&case);
                failures.failed.insert(case, failure);
            }
        },
    );
    let Failures { failed, flaky } = &failures;
    println!("{} cases: {} fail, {} skipped", cases.len(), failed.len(), skipped.len());
    skipped.iter().for_each(|line| println!("skipped {line}"));
    failures.flaky.iter().for_each(|(case, failure)| report_flaky(case, failure));
    let _ = writeln!(std::io::stderr(), "conformance: {} of {} cases were flaky", flaky.len(), cases.len());
    failures
}

/// Reports a case that failed beside others and passed alone. `eprintln!` would be captured.
fn report_flaky(case: &str, failure: &Failure) {
    let _ = writeln!(std::io::stderr(), "flaky: {case}\n    failed first: {failure:?}");
    if std::env::var_os("GITHUB_ACTIONS").is_some() {
        let _ = writeln!(std::io::stdout(), "\n::warning title=flaky conformance case::{case}");
    }
}

#[test]
fn the_gateway_behaves_as_kong_does() {
    let mut all = cases();
    let filter = std::env::var("FILTER").unwrap_or_default();
    all.retain(|case| key(case).contains(&filter));
    let file = root().join("pending.txt");
    let known = pending(&fs::read_to_string(&file).unwrap_or_default());
    let Failures { failed, .. } = run(&all);
    if std::env::var_os("UPDATE").is_some() {
        assert!(filter.is_empty(), "the list is written from all cases");
        let reason = |case: &String| known.get(case).cloned().unwrap_or_else(|| NO_REASON.to_owned());
        let now = failed.keys().map(|case| (case.clone(), reason(case)));
        fs::write(&file, list(&now.collect())).expect("written");
    }
    let known = pending(&fs::read_to_string(&file).unwrap_or_default());
    let present: BTreeSet<String> = all.iter().map(key).collect();
    let mut wrong = Vec::new();
    for (case, _) in known.iter().filter(|(_, reason)| *reason == NO_REASON) {
        wrong.push(format!("{case}\n    has no reason in pending.txt: write why it does not pass"));
    }
    for (case, failure) in failed.iter().filter(|(case, _)| !known.contains_key(*case)) {
        wrong.push(format!("{case}\n    fails: {failure:?}"));
    }
    for case in known.keys().filter(|case| present.contains(*case) && !failed.contains_key(*case)) {
        wrong.push(format!("{case}\n    passes: remove it from pending.txt"));
    }
    if filter.is_empty() {
        wrong.extend(known.keys().filter(|c| !present.contains(*c)).map(|c| format!("{c}\n    is no case")));
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_list_reads_back_as_it_is_written() {
    let text = "# one reason\na: x\nb: y\n\n# other\nc: z\n";
    assert_eq!(list(&pending(text)), text);
}
