//! Examples run as they are written: those of `--help`, and those at the head of the files in `examples/`.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::Run;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a line of a shell in a folder, where `gatewayctl` is this build.
fn shell(folder: &Path, line: &str) -> Run {
    let program = Path::new(env!("CARGO_BIN_EXE_gatewayctl")).parent().unwrap();
    let path = std::env::join_paths(
        [program.to_owned(), folder.join("bin")].into_iter().chain(std::env::split_paths(env!("PATH"))),
    );
    let ended = Command::new("bash")
        .args(["-o", "pipefail", "-c", line])
        .current_dir(folder)
        .env("PATH", path.unwrap())
        .env("HOME", folder)
        .env("fpath", folder)
        .env_remove("KONG_ROUTER_FLAVOR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Run { status: ended.status.code().unwrap(), out: text(&ended.stdout), err: text(&ended.stderr) }
}

/// A folder with all that examples of `--help` name: made of `examples/`, in a repository whose branch `main` has the
/// first version, with programs of others that do nothing or little.
fn playground() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let to = |name: &str| {
        let path = place.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    let kong = std::fs::read_to_string(root().join("examples/kong.yml")).unwrap();
    let changed = kong.replace("/api/v1/users", "/api/v2/users");
    assert_ne!(kong, changed);
    for (name, text) in [
        ("kong.yml", kong.as_str()),
        ("old.yml", &kong),
        ("new.yml", &changed),
        ("a.yml", &kong),
        ("b.yml", &changed),
        ("services/services.yml", &kong),
        ("consumers.yml", "_format_version: '3.0'\nconsumers:\n- username: client\n"),
        ("rules.yml", "rules: {names: {given: $.services, then: {function: truthy}}}\n"),
        ("access.log", "127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] \"GET /api/v1/users HTTP/1.1\" 200 1\n"),
        ("bin/deck", "#!/bin/sh\ncat a.yml\n"),
        ("bin/man", "#!/bin/sh\ncat\n"),
        ("bin/jq", "#!/bin/sh\ncat\n"),
    ] {
        std::fs::write(to(name), text).unwrap();
    }
    for program in ["deck", "man", "jq"] {
        use std::os::unix::fs::PermissionsExt;
        let path = to(&format!("bin/{program}"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let cases = std::fs::read_to_string(root().join("examples/tests/kong.test.yaml")).unwrap();
    std::fs::write(to("tests/kong.test.yaml"), &cases).unwrap();
    let case = "name: missing key\nconfig_file: ../kong.yml\nsteps:\n- {send: {path: /api/v1/users}, expect: {status: 401}}\n";
    std::fs::write(to("tests/auth.yaml"), case).unwrap();
    for folder in [".local/share/bash-completion/completions", ".config/fish/completions"] {
        std::fs::create_dir_all(place.path().join(folder)).unwrap();
    }
    let git = "git init -q -b main . && git add kong.yml && \
               git -c user.name=a -c user.email=a@example.com commit -q -m first";
    let made = shell(place.path(), git);
    assert_eq!(made.status, 0, "{made}");
    place
}

/// The examples of a command's `--help`.
fn examples(command: &clap::Command) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (_, after) = help.split_once("Examples:\n").unwrap_or_default();
    let lines = after.lines().take_while(|line| line.starts_with("  "));
    lines.map(|line| line.trim().to_owned()).collect()
}

/// Examples that are to find something, by how they begin.
const FIND: [&str; 2] = [
    "gatewayctl lint kong.yml --ruleset rules.yml --fail-severity warn",
    "gatewayctl lint kong.yml --strict",
];

#[test]
fn every_example_of_help_runs() {
    let place = playground();
    let mut wrong = String::new();
    for command in gatewayctl::cli::command().get_subcommands() {
        for line in examples(command) {
            // A server does not end, and --against asks one: their arguments are read alone.
            if line.contains("gatewayctl serve") || line.contains("--against") {
                let (_, words) = line.split_once("gatewayctl ").unwrap();
                let words = std::iter::once("gatewayctl").chain(words.split_whitespace());
                if let Err(error) = gatewayctl::cli::command().try_get_matches_from(words) {
                    let _ = writeln!(wrong, "{line}\n{error}");
                }
                continue;
            }
            let ran = shell(place.path(), &line);
            let wanted = i32::from(FIND.iter().any(|find| line.starts_with(find)));
            if ran.status != wanted {
                let _ = writeln!(wrong, "{line}\nstatus {wanted} was expected: {ran}");
            }
        }
    }
    assert!(wrong.is_empty(), "examples that do not run:\n{wrong}");
}

/// The lines at the head of a file that run the program: the command, and what it prints by `# =>`.
fn heads() -> Vec<(PathBuf, String, Option<String>)> {
    let mut files = Vec::new();
    for folder in ["examples", "examples/plugins"] {
        let entries = std::fs::read_dir(root().join(folder)).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()));
    }
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for line in text.lines().take_while(|line| line.starts_with('#')) {
            if let Some(command) = line.strip_prefix("#   ").filter(|line| line.starts_with("gatewayctl ")) {
                let (command, gives) = match command.split_once("  # => ") {
                    Some((command, gives)) => (command, Some(gives.to_owned())),
                    None => (command, None),
                };
                found.push((file.clone(), command.to_owned(), gives));
            }
        }
    }
    found
}

#[test]
fn every_example_file_says_what_it_does_to_a_request() {
    let heads = heads();
    assert!(heads.len() >= 13, "{} lines are found", heads.len());
    for (file, command, gives) in heads {
        let ran = shell(root(), &command);
        assert_eq!(ran.status, 0, "{}: {command}\n{ran}", file.display());
        let gives = gives.unwrap_or_default();
        assert!(ran.out.contains(&gives), "{}: {command}\nis said to print {gives:?}\n{ran}", file.display());
    }
}
