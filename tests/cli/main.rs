//! The program as its users meet it: arguments in, standard output, standard error and exit status out.
//!
//! `cases/` holds runs of the program, one file a command (trycmd), each in the folder `.in` of the same name.
//! What cannot be written down there (standard input, ports, files made on the way) is in `runs.rs`; a bad file
//! for every code of a finding in `codes.rs`; a file for each common mistake in `mistakes.rs`; what editors make of the
//! schema in `editor.rs`; examples of `--help` and of files in `examples.rs`; the Tab key in
//! `completing.rs`; what is typed wrongly in `typed.rs`.
//!
//! After a change that is meant: `TRYCMD=overwrite INSTA_UPDATE=always cargo test --test cli`, and read the diff.
#![allow(clippy::unwrap_used)]

mod against;
mod codes;
mod completing;
mod editor;
mod examples;
mod mistakes;
mod packaging;
mod plugged;
mod runs;
mod sarif;
mod secrets;
mod typed;

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

#[test]
fn every_case_prints_what_is_written_down() {
    // A run that should have failed but serves instead is ended by the limit.
    trycmd::TestCases::new().timeout(std::time::Duration::from_secs(60)).case("tests/cli/cases/*.trycmd");
}

/// What a run came to, as a snapshot shows it.
struct Run {
    status: i32,
    out: String,
    err: String,
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "status {}\n--- stdout\n{}--- stderr\n{}", self.status, self.out, self.err)
    }
}

/// Runs the program in a folder, with a text on standard input.
fn run(folder: &Path, arguments: &[&str], input: &[u8]) -> Run {
    run_with(folder, arguments, &[], input)
}

/// The same with variables of the environment.
fn run_with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)], input: &[u8]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gatewayctl"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("KONG_ROUTER_FLAVOR")
        .env_remove("KONG_ADMIN_TOKEN")
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may end without reading; that is not this test's concern.
    let _ = child.stdin.take().unwrap().write_all(input);
    let ended = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Run {
        status: ended.status.code().expect("an exit status"),
        out: text(ended.stdout),
        err: text(ended.stderr),
    }
}
