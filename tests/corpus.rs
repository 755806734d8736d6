//! Real files and the verdict each should get. The files are not part of this repository, because they have licences and
//! owners of their own: `CORPUS=<folder>` names a folder with a `manifest.tsv` (file, origin, format version, group,
//! expected verdict, …). Without it `../shared/corpus` is used; `CORPUS=none` skips the tests.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "a test reads its own switches and reports"
)]

#[path = "common/corpus_folder.rs"]
mod corpus_folder;

use corpus_folder::corpus_folder;
use gatewayctl::config::{Input, Loaded, Options, load};
use gatewayctl::diff::{Side, compare};
use gatewayctl::router::Flavor;
use gatewayctl::server;
use gatewayctl::source::{Level, to_yaml};

/// Values for templates, so that files which need some can be read.
fn env(name: &str) -> Option<String> {
    Some(match name {
        "DECK_MOCKBIN_ENABLED" => "true".to_owned(),
        "DECK_WRITE_TIMEOUT" => "777".to_owned(),
        _ => "value".to_owned(),
    })
}

#[test]
fn real_files_differ_neither_from_themselves_nor_from_what_a_gateway_reports_that_serves_them() {
    let Some(folder) = corpus_folder() else { return };
    let manifest = std::fs::read_to_string(folder.join("manifest.tsv")).expect("a manifest");
    let (mut compared, mut wrong) = (0, Vec::new());
    for line in manifest.lines().skip(1) {
        let Some(file) = line.split('\t').next() else { continue };
        let Ok(text) = std::fs::read(folder.join(file)) else { continue };
        let flavor =
            if line.contains("expressions router") { Flavor::Expressions } else { Flavor::default() };
        let read = |name: &str, text: &[u8]| -> Option<Loaded> {
            let input = Input::Text { name: name.to_owned(), text: text.to_vec() };
            load(
                &input,
                &Options { flavor, env: &env, ..Options::new(gatewayctl::catalog().expect("a catalog")) },
            )
            .ok()
        };
        let loaded = [read(file, &text), read(file, &text)];
        let [Some(one), Some(other)] = &loaded else { continue };
        let Some(state) = &one.state else { continue };
        if String::from_utf8_lossy(&text).contains("{vault://") {
            // The values that references lead to here need not be valid.
            continue;
        }
        let Some(reported) = read("reported", to_yaml(&server::configuration_document(state)).as_bytes())
        else {
            continue;
        };
        let changes = |old: &Loaded, running: bool| -> Vec<String> {
            let Some(old) = Side::loaded(old) else {
                return vec![format!("not valid: {:?}", old.findings)];
            };
            let Some(new) = Side::loaded(other) else { return vec!["it is not valid any more".to_owned()] };
            let changes = compare(&Side { running, ..old }, &new);
            let fields =
                |c: &gatewayctl::diff::Change| -> Vec<String> { c.fields.iter().map(|f| f.name()).collect() };
            changes.iter().map(|c| format!("{:?} {c} {:?}", c.action, fields(c))).collect()
        };
        compared += 1;
        for (old, running) in [(one, false), (&reported, true)] {
            let found = changes(old, running);
            if !found.is_empty() {
                wrong.push(format!("{file}, running {running}: {found:#?}"));
            }
        }
    }
    println!("{compared} files compared\n{}", wrong.join("\n"));
    assert!(wrong.is_empty() && compared > 0, "{} of {compared} differ", wrong.len());
}

#[test]
fn real_files_get_their_verdict() {
    let Some(folder) = corpus_folder() else { return };
    let manifest = std::fs::read_to_string(folder.join("manifest.tsv")).expect("a manifest");
    let (mut right, mut wrong, mut waiting, mut other, mut elsewhere) = (0, Vec::new(), 0, 0, Vec::new());
    for line in manifest.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, _, _, _, expected, ..] = columns[..] else { continue };
        let flavor =
            if columns[5].contains("expressions router") { Flavor::Expressions } else { Flavor::default() };
        let options =
            Options { flavor, env: &env, ..Options::new(gatewayctl::catalog().expect("a catalog")) };
        let path = folder.join(file);
        let Ok(text) = std::fs::read(&path) else { continue };
        // What was posted to the admin API had no name that says which notation it is in.
        let name = if file.contains("04-admin_api") { "POST /config" } else { file };
        let input = Input::Text { name: name.to_owned(), text };
        let loaded = match load(&input, &options) {
            Ok(loaded) => loaded,
            Err(e) => {
                wrong.push(format!("{file}: {expected}: {e}"));
                continue;
            }
        };
        let errors: Vec<_> = loaded.findings.iter().filter(|f| f.level == Level::Error).collect();
        let not_yet = errors.iter().any(|f| f.code == "plugin/not-yet");
        let real: Vec<_> = errors.iter().filter(|f| f.code != "plugin/not-yet").collect();
        let shown = || {
            real.iter()
                .take(3)
                .map(|f| {
                    let at = f.span().map_or(String::new(), |s| loaded.sources.display_position(s));
                    format!("{at} {} {} ({})", f.code, f.message, f.path.as_deref().unwrap_or(""))
                })
                .collect::<Vec<_>>()
                .join("\n      ")
        };
        match expected.split(':').next() {
            Some("valid") if real.is_empty() => {
                right += 1;
                waiting += usize::from(not_yet);
            }
            Some("valid") => wrong.push(format!("{file}: valid, but\n      {}", shown())),
            Some("invalid") if real.is_empty() && not_yet => waiting += 1,
            Some("invalid") if real.is_empty() => wrong.push(format!("{file}: {expected}, but accepted")),
            Some("invalid") => {
                right += 1;
                let place = expected.split(':').nth(1).unwrap_or_default().trim();
                let met = |path: &str| {
                    path == place
                        || path.starts_with(&format!("{place}."))
                        || path.starts_with(&format!("{place}["))
                };
                if !real.iter().any(|f| f.path.as_deref().is_some_and(met)) {
                    elsewhere.push(format!("{file}: {expected}\n      {}", shown()));
                }
                if std::env::var("SHOW").is_ok() {
                    println!("{file}: {expected}\n      {}", shown());
                }
            }
            _ => {
                other += 1;
                if std::env::var("SHOW").is_ok() {
                    println!("{file}: {expected}\n      {}", shown());
                }
            }
        }
    }
    println!("{right} right ({waiting} wait for plugins), {} wrong, {other} without a verdict", wrong.len());
    println!("{}", wrong.join("\n"));
    println!("{} refused for another reason than the one noted:\n{}", elsewhere.len(), elsewhere.join("\n"));
    assert!(
        wrong.is_empty() && right > 0,
        "{} files got the wrong verdict, {right} the right one",
        wrong.len()
    );
}
