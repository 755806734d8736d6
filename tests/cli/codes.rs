//! A bad file for every code that a finding can have, and what is said about it. The files are the examples of
//! `gatewayctl explain`, so that what is explained there is what happens; codes that no single file can earn have
//! a folder in `bad/`.

use std::path::{Path, PathBuf};

use gatewayctl::{config::codes::CODES, lint::lints};

use super::run;

/// Codes that no file earns by itself or at any time, and why.
const NEVER: &[(&str, &str)] = &[
    ("config/unreadable", "would be a gap in the schema, and none is known"),
    ("lint/certificate-expires-soon", "depends on the day; tested beside the lint, with a clock"),
    ("source/more-findings", "takes more than 200 findings; tested in runs.rs"),
    ("test/case", "is about cases, which `test` reads; tested in cases/test.trycmd"),
    ("plugin/not-enabled", "depends on a node's settings; tested in crates/config/src/tests.rs"),
];

/// Codes that are reported only with certain arguments.
const ARGUMENTS: &[(&str, &[&str])] = &[
    ("config/bad-expression", &["validate", "--router-flavor", "expressions", "."]),
    ("config/unknown-file-type", &["validate", "--kong-strict", "kong.conf"]),
];

/// A code's bad example and its good one.
fn examples() -> Vec<(&'static str, &'static str, &'static str)> {
    let codes = CODES.iter().map(|c| (c.code, c.bad, c.good));
    codes.chain(lints().iter().map(|l| (l.code, l.bad, l.good))).collect()
}

/// The folder of a code in `bad/`: `config/duplicate` is in `bad/config-duplicate`.
fn folder(code: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/bad").join(code.replace('/', "-"))
}

#[test]
fn every_code_is_reported_for_its_example_and_matches_its_snapshot() {
    let place = tempfile::tempdir().unwrap();
    let (mut without, mut unfound) = (Vec::new(), Vec::new());
    let never = |code: &str| NEVER.iter().any(|(never, _)| *never == code);
    for (code, bad, _) in examples().into_iter().filter(|(code, ..)| !never(code)) {
        let folder = folder(code);
        let at = if folder.is_dir() {
            folder
        } else if !bad.is_empty() {
            let at = place.path().join(code);
            std::fs::create_dir_all(&at).unwrap();
            // What begins like JSON is about JSON.
            let name = if bad.starts_with('{') { "kong.json" } else { "kong.yml" };
            std::fs::write(at.join(name), bad).unwrap();
            at
        } else {
            without.push(code);
            continue;
        };
        let arguments =
            ARGUMENTS.iter().find(|(c, _)| *c == code).map_or(&["lint", "."][..], |(_, given)| given);
        let ran = run(&at, arguments, b"");
        if !ran.out.contains(code) || ran.status == 2 {
            unfound.push(format!("{code}: {ran}"));
            continue;
        }
        insta::with_settings!({ snapshot_path => "codes", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(code.replace('/', "-"), ran.to_string());
        });
    }
    assert!(
        without.is_empty(),
        "codes without a bad file (add tests/cli/bad/CODE/):\n{}",
        without.join("\n")
    );
}

#[test]
fn every_good_example_is_free_of_what_it_puts_right() {
    let place = tempfile::tempdir().unwrap();
    for (code, _, good) in examples().into_iter().filter(|(.., good)| !good.is_empty()) {
        std::fs::write(place.path().join("kong.yml"), good).unwrap();
        let ran = run(place.path(), &["lint", "kong.yml"], b"");
        assert_eq!(ran.status, 0, "{code}: the good example has errors:\n{ran}");
        assert!(!ran.out.contains(code), "{code}: the good example earns it too:\n{ran}");
    }
}

#[test]
fn every_code_in_the_source_is_explained() {
    let known: Vec<&str> = examples().iter().map(|(code, ..)| *code).collect();
    let pattern =
        regex::Regex::new(r#""((?:config|source|deck|plugin|upstream|lint|test)/[a-z][a-z-]+)""#).unwrap();
    let mut folders = vec![
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("crates"),
    ];
    let mut unknown = std::collections::BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                // Tests beside the code make up codes.
                let text = text.split("#[cfg(test)]").next().unwrap_or_default();
                let codes = pattern.captures_iter(text).map(|found| found[1].to_owned());
                unknown.extend(codes.filter(|code| !known.contains(&code.as_str())));
            }
        }
    }
    unknown.remove("lint/docs");
    assert!(unknown.is_empty(), "codes that `explain` does not know: {unknown:?}");
}

#[test]
fn every_code_is_explained() {
    let list = run(Path::new("."), &["explain"], b"");
    for (code, ..) in examples() {
        assert!(list.out.contains(code), "{code} is not listed");
        let page = run(Path::new("."), &["explain", code], b"");
        assert_eq!(page.status, 0, "{code}:\n{page}");
        assert!(page.out.len() > code.len() + 40, "{code} is explained in too few words:\n{page}");
    }
}
