//! What the Tab key offers in bash, asked of bash itself.

use std::{path::Path, process::Command};

/// What is offered for the last of these words, in a folder with configurations and other files.
fn offered(words: &[&str]) -> Vec<String> {
    let place = tempfile::tempdir().unwrap();
    for name in ["kong.yml", "kong.json", "notes.txt", "two words.yaml"] {
        std::fs::write(place.path().join(name), "").unwrap();
    }
    std::fs::create_dir(place.path().join("services")).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions/gatewayctl.bash");
    let drive = r#"
        source "$1"; shift
        function=$(complete -p gatewayctl | sed 's/.*-F \([^ ]*\).*/\1/')
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
        "$function" gatewayctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let ran = Command::new("bash")
        .args(["--norc", "-c", drive, "bash"])
        .arg(script)
        .args(words)
        .current_dir(place.path())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
    let mut offered: Vec<String> =
        String::from_utf8(ran.stdout).unwrap().lines().filter(|l| !l.is_empty()).map(str::to_owned).collect();
    offered.sort();
    offered
}

#[test]
fn commands_names_and_values_are_offered() {
    for (words, wanted) in [
        (&["gatewayctl", "vali"][..], &["validate"][..]),
        (&["gatewayctl", "help", "sim"], &["simulate"]),
        (&["gatewayctl", "man", "sch"], &["schema"]),
        (&["gatewayctl", "plugins", "rate"], &["rate-limiting"]),
        (&["gatewayctl", "schema", "--plugin", "rate"], &["rate-limiting"]),
        (&["gatewayctl", "explain", "weak"], &["weak-secret"]),
        (&["gatewayctl", "explain", "config/unknown-fie"], &["config/unknown-field"]),
        (&["gatewayctl", "lint", "kong.yml", "--skip", "weak"], &["weak-secret"]),
        (&["gatewayctl", "lint", "kong.yml", "--format", "sa"], &["sarif"]),
        (&["gatewayctl", "lint", "kong.yml", "--no-b"], &["--no-builtin"]),
    ] {
        assert_eq!(offered(words), wanted, "{words:?}");
    }
}

#[test]
fn files_of_configurations_and_folders_are_offered_where_a_file_is_expected() {
    let all = ["kong.json", "kong.yml", "services", "two words.yaml"];
    for command in ["validate", "lint", "diff", "serve", "simulate", "test"] {
        assert_eq!(offered(&["gatewayctl", command, ""]), all, "{command}");
        assert_eq!(offered(&["gatewayctl", command, "ser"]), ["services"], "{command}");
    }
    assert_eq!(offered(&["gatewayctl", "diff", "kong.yml", "two"]), ["two words.yaml"]);
    assert!(offered(&["gatewayctl", "plugins", ""]).iter().all(|name| !name.starts_with('-')));
}
