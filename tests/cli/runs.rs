//! Runs that a case file cannot describe: standard input, ports, and rules that hold for all commands.

use std::{net::TcpListener, path::Path};

use super::run;

const GOOD: &str = "_format_version: '3.0'\nservices:\n- {name: a, url: https://a.test}\n";

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The commands, as the program itself lists them.
fn commands() -> Vec<String> {
    gatewayctl::cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect()
}

#[test]
fn standard_input_is_a_file_too() {
    let ran = run(here(), &["validate", "-"], GOOD.as_bytes());
    assert_eq!(ran.status, 0, "{ran}");
    let ran = run(here(), &["validate", "-"], br#"{"_format_version": "3.0", "services": [{"name": "a"}]}"#);
    assert_eq!(ran.status, 1, "{ran}");
    assert!(ran.out.contains("config/missing-field"), "{ran}");
    let ran = run(here(), &["diff", "-", "examples/kong.yml", "--exit-code"], GOOD.as_bytes());
    assert_eq!(ran.status, 1, "{ran}");
}

#[test]
fn input_of_any_kind_is_answered_with_findings() {
    for input in
        [&b""[..], b"\0\xff", b": [", b"[]", b"3", b"a: &a [*a]", b"- - - -", b"{{{{", b"%YAML 9.9\n---"]
    {
        let ran = run(here(), &["validate", "-"], input);
        assert_eq!(ran.status, 1, "{:?}\n{ran}", String::from_utf8_lossy(input));
        assert!(ran.out.contains('/'), "no code for {:?}\n{ran}", String::from_utf8_lossy(input));
    }
}

#[test]
fn every_command_has_help_with_examples() {
    for command in commands() {
        let ran = run(here(), &[&command, "--help"], b"");
        assert_eq!(ran.status, 0, "{command}\n{ran}");
        assert!(ran.err.is_empty(), "{command}\n{ran}");
        assert!(ran.out.contains("Examples:\n  gatewayctl "), "{command} has no examples\n{ran}");
        assert!(ran.out.contains("Exit status:"), "{command} does not say its exit status\n{ran}");
    }
}

#[test]
fn every_command_refuses_an_unknown_flag() {
    for command in commands() {
        let ran = run(here(), &[&command, "--no-such-flag"], b"");
        assert_eq!(ran.status, 2, "{command}\n{ran}");
        assert!(ran.out.is_empty() && ran.err.starts_with("error: unexpected argument"), "{command}\n{ran}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    for command in commands() {
        let ran = run(here(), &["man", &command], b"");
        assert_eq!(ran.status, 0, "{command}\n{ran}");
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "EXIT STATUS",
            "ENVIRONMENT",
            "EXAMPLES",
            "SEE ALSO",
        ] {
            let heading = [format!(".SH {section}\n"), format!(".SH \"{section}\"\n")];
            assert!(heading.iter().any(|heading| ran.out.contains(heading)), "{command}: {section}\n{ran}");
        }
    }
}

#[test]
fn every_shell_gets_completions_that_know_all_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = run(here(), &["completions", shell], b"");
        assert_eq!(ran.status, 0, "{shell}\n{ran}");
        for command in commands() {
            assert!(ran.out.contains(&command), "{shell} does not know {command}");
        }
    }
}

#[test]
fn every_plugin_has_a_page_and_a_schema() {
    for entry in gatewayctl::registry().descriptors() {
        let page = run(here(), &["plugins", &entry.name], b"");
        assert_eq!(page.status, 0, "{page}");
        assert!(page.out.contains("## Settings"), "{page}");
        let schema = run(here(), &["schema", "--plugin", &entry.name], b"");
        let schema: serde_json::Value = serde_json::from_str(&schema.out).expect("JSON");
        assert_eq!(schema["type"], "object", "{}", entry.name);
    }
}

#[test]
fn serve_reports_a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = run(
        here(),
        &[
            "serve",
            "examples/kong.yml",
            "--mock-upstreams",
            "--admin-listen",
            "off",
            "--proxy-listen",
            &address,
        ],
        b"",
    );
    assert_eq!(ran.status, 2, "{ran}");
    assert!(ran.err.contains(&address), "the address is not named\n{ran}");
}

#[test]
fn every_example_is_valid_and_says_which_schema_it_follows() {
    let mut files = vec![here().join("examples/kong.yml")];
    files.extend(std::fs::read_dir(here().join("examples/plugins")).unwrap().map(|e| e.unwrap().path()));
    for file in files {
        let name = file.to_str().unwrap();
        let ran = run(here(), &["validate", "--strict", name], b"");
        assert_eq!(ran.status, 0, "{ran}");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# yaml-language-server: $schema="), "{name} does not name its schema");
    }
}

#[test]
fn output_has_colour_only_on_a_terminal_or_on_request() {
    let plain = run(here(), &["validate", "-"], b"a: 1");
    assert!(!plain.out.contains('\u{1b}'), "{plain}");
    let painted = run(here(), &["--color", "always", "validate", "-"], b"a: 1");
    assert!(painted.out.contains('\u{1b}'), "{painted}");
}

#[test]
fn excerpt_of_a_very_long_line_has_only_the_place() {
    let service = r#"{"name":"a","host":"h.test","retries":1},"#;
    let text = format!(
        r#"{{"_format_version":"3.0","services":[{0}{{"nam":"b","host":"h"}},{0}{{"name":"c","host":"h"}}]}}"#,
        service.repeat(2000)
    );
    let ran = run(here(), &["validate", "-"], text.as_bytes());
    assert_eq!(ran.status, 1, "{}", ran.err);
    assert!(ran.out.contains(r#"{"nam":"b","host":"h"}"#), "the place is not shown");
    let wide = ran.out.lines().map(str::len).max().unwrap_or(0);
    assert!(wide < 3000, "a line of {wide} bytes is printed");
}

#[test]
fn excerpts_contain_no_control_sequences_of_the_file() {
    let text = "_format_version: '3.0'\nservices:\n- {name: \"\\e[2Ja\", nam: \u{202e}x, \"\\e[31m\": 1, host: h}\n# \u{9b}31m\n";
    let ran = run(here(), &["validate", "-"], text.as_bytes());
    assert_eq!(ran.status, 1, "{ran}");
    assert!(!ran.out.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{:?}", ran.out);
}

#[test]
fn standard_input_is_read_once() {
    for arguments in
        [&["diff", "-", "-"][..], &["diff", "-", "examples/kong.yml", "--log", "-"], &["validate", "-", "-"]]
    {
        let ran = run(here(), arguments, GOOD.as_bytes());
        assert!(ran.status == 2 && ran.err.contains("only once"), "{arguments:?}\n{ran}");
    }
}

#[test]
fn each_file_is_looked_at_though_one_is_not_there() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("bad.yml"), "services: 1").unwrap();
    let ran = run(place.path(), &["validate", "--each", "nowhere.yml", "bad.yml"], b"");
    assert!(ran.status == 2 && ran.out.contains("bad.yml") && ran.err.contains("nowhere.yml"), "{ran}");
}

#[test]
fn a_file_with_more_errors_than_are_listed_is_refused_in_every_form() {
    let place = tempfile::tempdir().unwrap();
    let fields = |n: usize| (0..n).map(|i| format!("\"k{i}\": 1")).collect::<Vec<_>>().join(", ");
    let of_another = format!("{{\"name\": \"x\", \"version\": \"1\", \"scripts\": {{}}, {}}}", fields(300));
    let ours = format!("{{\"_format_version\": \"3.0\", {}}}", fields(300));
    for (name, text, errors, listed) in [("other.json", of_another, 1, 1), ("ours.json", ours, 300, 200)] {
        std::fs::write(place.path().join(name), text).unwrap();
        for command in ["validate", "lint"] {
            for format in ["human", "json", "sarif", "github", "gitlab", "junit"] {
                let ran = run(place.path(), &[command, "--format", format, name], b"");
                assert_eq!(ran.status, 1, "{command} {format} {name}: {ran}");
                let has_count = match format {
                    "human" => ran.err.contains(&format!("({errors} error")),
                    "json" => {
                        ran.out.contains(&format!("\"errors\": {listed}"))
                            || ran.out.contains(&format!("\"errors\": {errors}"))
                    }
                    "junit" => ran.out.contains(&format!("failures=\"{listed}\"")),
                    _ => true,
                };
                assert!(has_count, "{command} {format} {name}: {}", ran.err);
            }
        }
    }
}
