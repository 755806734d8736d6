//! Kong's behaviour, case by case: `tests/conformance/<area>/*.yaml`, run as `gatewayctl test` runs them.
//!
//! `pending.txt` lists the cases that are known to fail, by reason. This test fails if a case fails that is not listed,
//! or if a listed case passes. `UPDATE=1 cargo test --test conformance` rewrites the list, and `FILTER=text` runs only
//! cases whose file or name contains the text.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "a test reads its own switches and reports"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
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

/// The cases of the list, each with its reason.
fn pending(text: &str) -> BTreeMap<String, String> {
    let mut reason = "no reason given";
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

/// Why a case fails, for the list: a plugin that is missing, or else the area.
fn reason(case: &str, failure: &Failure) -> String {
    for mismatch in &failure.mismatches {
        if let Some((_, rest)) = mismatch.seen.split_once("[plugin/not-yet]: ") {
            let name = rest.split('`').nth(1).unwrap_or_default();
            return format!("the plugin {name} is not built yet");
        }
    }
    let area = case.split(['/', ':']).next().unwrap_or_default();
    format!("{area}: answers otherwise than Kong does")
}

/// Which of them fail, and how. What fails beside others is tried again alone: a machine under load is slow.
fn failures(cases: &[LoadedCase]) -> BTreeMap<String, Box<Failure>> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let (mut failed, mut skipped) = (Vec::new(), Vec::new());
    casetest::run(
        cases,
        Plan { catalog: gatewayctl::catalog().unwrap(), jobs: cores * 2, fail_fast: false },
        |ran| match ran.verdict {
            Verdict::Passed => {}
            Verdict::Skipped(why) => skipped.push(format!("{}: {why}", key(&cases[ran.index]))),
            Verdict::Failed(failure) => failed.push((ran.index, failure)),
        },
    );
    let not_yet = |failure: &Failure| failure.mismatches.iter().any(|m| m.seen.contains("[plugin/not-yet]"));
    let (mut found, again): (Vec<_>, Vec<_>) = failed.into_iter().partition(|(_, failure)| not_yet(failure));
    let alone: Vec<LoadedCase> = again.iter().map(|(index, _)| cases[*index].clone()).collect();
    casetest::run(
        &alone,
        Plan { catalog: gatewayctl::catalog().unwrap(), jobs: cores, fail_fast: false },
        |ran| {
            if let Verdict::Failed(failure) = ran.verdict {
                found.push((again[ran.index].0, failure));
            }
        },
    );
    println!("{} cases: {} fail, {} skipped", cases.len(), found.len(), skipped.len());
    skipped.iter().for_each(|line| println!("skipped {line}"));
    found.into_iter().map(|(index, failure)| (key(&cases[index]), failure)).collect()
}

#[test]
fn the_gateway_behaves_as_kong_does() {
    let mut all = cases();
    let filter = std::env::var("FILTER").unwrap_or_default();
    all.retain(|case| key(case).contains(&filter));
    let file = root().join("pending.txt");
    let known = pending(&fs::read_to_string(&file).unwrap_or_default());
    let failed = failures(&all);
    if std::env::var_os("UPDATE").is_some() {
        assert!(filter.is_empty(), "the list is written from all cases");
        let now = failed.iter().map(|(case, failure)| {
            (case.clone(), known.get(case).cloned().unwrap_or_else(|| reason(case, failure)))
        });
        fs::write(&file, list(&now.collect())).expect("written");
        return;
    }
    let present: BTreeSet<String> = all.iter().map(key).collect();
    let mut wrong = Vec::new();
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
