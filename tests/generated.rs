//! Generated files are current: schemas, manual pages, completions, reference pages, the
//! README's tables. `UPDATE=1 cargo test --test generated` (or `make docs`) writes them.

#![allow(clippy::disallowed_methods, reason = "a test reads its own switch")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The part of a text between two markers, and where it stands.
fn part<'a>(text: &'a str, name: &str) -> Option<(usize, usize, &'a str)> {
    let start = text.find(&format!("<!-- {name}:"))?;
    let start = start + text[start..].find("-->\n")? + 4;
    let end = start + text[start..].find("<!-- end -->")?;
    Some((start, end, &text[start..end]))
}

#[test]
fn generated_files_are_current() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut stale = Vec::new();
    for (name, wanted) in gatewayctl::cli::artefacts() {
        let (path, section) = match name.split_once('#') {
            Some((path, section)) => (root().join(path), Some(section)),
            None => (root().join(&name), None),
        };
        let there = fs::read_to_string(&path).unwrap_or_default();
        let wanted = match section {
            None => wanted,
            Some(section) => {
                let (start, end, _) = part(&there, section).unwrap_or_else(|| panic!("{name}: no markers"));
                format!("{}{wanted}{}", &there[..start], &there[end..])
            }
        };
        if there == wanted {
            continue;
        }
        if update {
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(&path, wanted).expect("written");
        } else {
            stale.push(name);
        }
    }
    assert!(stale.is_empty(), "stale, run `make docs`:\n{}", stale.join("\n"));
}

/// What the README shows of the program: a section, and the run that prints it.
const SHOWN: [(&str, &[&str]); 2] =
    [("error", &["validate", "kong.yml"]), ("impact", &["diff", "before.yml", "after.yml", "--impact"])];

#[test]
fn the_readme_shows_what_the_program_prints() {
    let path = root().join("README.md");
    let mut text = fs::read_to_string(&path).expect("a page");
    for (section, arguments) in SHOWN {
        let run = Command::new(env!("CARGO_BIN_EXE_gatewayctl"))
            .args(arguments)
            .current_dir(root().join("tests/fixtures/readme"))
            .output()
            .expect("run");
        let printed = String::from_utf8(run.stdout).expect("text");
        let (start, end, _) = part(&text, section).unwrap_or_else(|| panic!("{section}: no markers"));
        let wanted = format!("```text\n$ gatewayctl {}\n{}\n```\n", arguments.join(" "), printed.trim_end());
        text = format!("{}{wanted}{}", &text[..start], &text[end..]);
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).expect("written");
    }
    assert_eq!(fs::read_to_string(&path).expect("a page"), text, "stale, run `make docs`");
}

#[test]
fn nothing_generated_is_left_over() {
    let wanted: BTreeSet<PathBuf> =
        gatewayctl::cli::artefacts().into_iter().map(|(name, _)| root().join(name)).collect();
    let mut left = Vec::new();
    for folder in [
        "schemas",
        "schemas/plugins",
        "man",
        "completions",
        "docs/reference/plugins",
        "docs/reference/commands",
        "docs/lints",
    ] {
        for entry in fs::read_dir(root().join(folder)).into_iter().flatten().flatten() {
            if entry.path().is_file() && !wanted.contains(&entry.path()) {
                left.push(entry.path().display().to_string());
            }
        }
    }
    assert!(left.is_empty(), "no longer generated, delete:\n{}", left.join("\n"));
}

#[test]
fn every_plugin_has_an_example_and_every_example_a_plugin() {
    let examples: BTreeSet<String> = fs::read_dir(root().join("examples/plugins"))
        .expect("examples/plugins")
        .flatten()
        .filter_map(|e| Path::new(&e.file_name()).file_stem().map(|s| s.to_string_lossy().into_owned()))
        .collect();
    let plugins: BTreeSet<String> =
        gatewayctl::registry().descriptors().map(|e| e.name.to_string()).collect();
    assert_eq!(examples, plugins);
}

/// Where the links of a Markdown text lead, those to other hosts and within the page left out.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next());
    targets.filter(|target| !target.is_empty() && !target.contains(':') && !target.contains('\n')).collect()
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut pages: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].iter().map(|name| root().join(name)).collect();
    for folder in ["docs", "docs/lints", "docs/reference"] {
        for entry in fs::read_dir(root().join(folder)).into_iter().flatten().flatten() {
            pages.extend(Some(entry.path()).filter(|path| path.extension().is_some_and(|e| e == "md")));
        }
    }
    let mut dead = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).expect("a page");
        let folder = page.parent().expect("a folder");
        let lost = links(&text).into_iter().filter(|target| !folder.join(target).exists());
        dead.extend(lost.map(|target| format!("{}: {target}", page.display())));
    }
    assert!(dead.is_empty(), "links that lead nowhere:\n{}", dead.join("\n"));
}
