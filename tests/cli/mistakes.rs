//! Mistakes that people make, one a file, and what `validate` prints about each: the cause alone, at its place, in the
//! words of the file, with what to write instead.

use std::path::Path;

use super::run_with;

/// The same for all, so that templates have values.
const VARIABLES: &[(&str, &str)] = &[("DECK_PORT", "eighty"), ("WRONG_CERT", "none")];

#[test]
fn every_mistake_is_reported_by_its_cause_with_help() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/mistakes");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "yml" || end == "json"));
    files.sort();
    assert!(!files.is_empty());
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let mut arguments = vec!["validate", name];
        if name.starts_with("expression-") {
            arguments.extend(["--router-flavor", "expressions"]);
        }
        let ran = run_with(&folder, &arguments, VARIABLES, b"");
        insta::with_settings!({ snapshot_path => "mistakes", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, ran.to_string());
        });
    }
}
