//! Everything in the repository that is written from the code: schemas, manual pages, completion scripts,
//! reference pages, and the tables of the README. `tests/generated.rs` compares them with what is committed.

use clap_complete::Shell;

use super::commands::{completions, explain, man, plugins as plugins_command};
use crate::{
    config::{json_schema, settings},
    registry,
};

/// The files by path from the root of the repository. A path that ends in `#name` is the part of the file
/// between the markers `<!-- name: … -->` and `<!-- end -->`.
pub fn artefacts() -> Vec<(String, String)> {
    let registry = registry();
    let mut files =
        vec![("schemas/kong.schema.json".to_owned(), pretty(&json_schema::file_schema(registry)))];
    #[cfg(feature = "serve")]
    files.push(("schemas/test.schema.json".to_owned(), pretty(&crate::casetest::schema())));
    for entry in registry.descriptors() {
        let name = &*entry.name;
        let schema = json_schema::plugin_schema(registry, name).unwrap_or_default();
        files.push((format!("schemas/plugins/{name}.json"), pretty(&schema)));
        files.push((format!("docs/reference/plugins/{name}.md"), plugins_command::page(entry)));
    }
    for (name, page) in man::pages() {
        files.push((format!("man/{name}.1"), page));
    }
    for (shell, name) in [
        (Shell::Bash, "gatewayctl.bash"),
        (Shell::Zsh, "_gatewayctl"),
        (Shell::Fish, "gatewayctl.fish"),
        (Shell::PowerShell, "_gatewayctl.ps1"),
        (Shell::Elvish, "gatewayctl.elv"),
    ] {
        files.push((format!("completions/{name}"), completions::script(shell)));
    }
    files.extend(command_pages());
    files.push(("docs/settings.md".to_owned(), settings::reference()));
    files.push(("docs/reference/codes.md".to_owned(), explain::reference()));
    files.extend(explain::lint_pages());
    files.push(("README.md#commands".to_owned(), commands()));
    files.push(("README.md#plugins".to_owned(), plugins_command::markdown_table()));
    files
}

/// JSON with a line a value and a line end, as editors and git like it.
fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

/// The commands as a Markdown table.
fn commands() -> String {
    let mut out = "| Command | What it does |\n|---|---|\n".to_owned();
    for command in super::command().get_subcommands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let name = command.get_name();
        out += &format!("| [`{name}`](docs/reference/commands/{name}.md) | {about} |\n");
    }
    out
}

/// A page for each command: what `--help` prints, on a screen of 100 columns.
fn command_pages() -> Vec<(String, String)> {
    let mut root = super::command().term_width(100).disable_help_subcommand(true);
    root.build();
    let page = |command: &clap::Command| {
        let name = command.get_name();
        let help = command.clone().render_long_help().to_string();
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        let text = format!("# gatewayctl {name}\n\n```text\n{}\n```\n", help.join("\n").trim_end());
        (format!("docs/reference/commands/{name}.md"), text)
    };
    root.get_subcommands().map(page).collect()
}
