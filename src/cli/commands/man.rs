//! `gatewayctl man [COMMAND]`.

use crate::{
    cli::{
        Status,
        console::{Console, Failure},
        usage,
    },
    config,
};

/// Print a manual page, in roff
///
/// `make install` puts all of them in place.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  gatewayctl man validate | man -l -\n  \
    gatewayctl man serve > gatewayctl-serve.1\n\n\
    Exit status: 0 printed, 2 there is no such command.")]
pub struct Args {
    /// The command the page is about; none for the program as a whole
    command: Option<String>,
}

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    let name = args.command.map_or_else(|| "gatewayctl".to_owned(), |c| format!("gatewayctl-{c}"));
    let Some((_, text)) = pages().into_iter().find(|(page, _)| *page == name) else {
        let (command, root) = (&name["gatewayctl-".len()..], crate::cli::command());
        let near = config::nearest(command, root.get_subcommands().map(clap::Command::get_name));
        let meant = near.map_or_else(String::new, usage::did_you_mean);
        return Err(Failure::Other(format!(
            "there is no command {command}{meant} (gatewayctl --help lists them)"
        )));
    };
    console.out(&text)?;
    Ok(Status::Clean)
}

/// All pages by name: `gatewayctl`, `gatewayctl-validate`, …
pub fn pages() -> Vec<(String, String)> {
    let mut root = crate::cli::command().disable_help_subcommand(true);
    root.build();
    let mut pages = vec![page(root.clone(), "gatewayctl".to_owned())];
    for command in root.get_subcommands() {
        pages.push(page(command.clone(), format!("gatewayctl-{}", command.get_name())));
    }
    pages
}

fn page(command: clap::Command, name: String) -> (String, String) {
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let variables: Vec<String> = command
        .get_arguments()
        .filter_map(|arg| Some((arg.get_env()?.to_str()?, arg.get_long()?)))
        .map(|(variable, flag)| format!("{variable}\nA value for --{flag}, where that is not given."))
        .collect();
    let reads_settings = command.get_arguments().any(|arg| arg.get_id() == "router_flavor");
    let man = clap_mangen::Man::new(command.clone()).title(name.as_str()).manual("gatewayctl manual");
    let mut out = Vec::new();
    // Writing to memory cannot fail.
    let _ = man.render_title(&mut out);
    let _ = man.render_name_section(&mut out);
    let _ = man.render_synopsis_section(&mut out);
    let _ = man.render_description_section(&mut out);
    let _ = man.render_options_section(&mut out);
    if command.has_subcommands() {
        let _ = man.render_subcommands_section(&mut out);
    }
    // An empty line is for `.PP` to make.
    let mut text: String = String::from_utf8_lossy(&out)
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .fold(String::new(), |text, line| text + line + "\n");
    let (mut examples, mut status, mut notes) = (String::new(), String::new(), String::new());
    for part in after.split("\n\n") {
        if let Some(lines) = part.strip_prefix("Examples:\n") {
            examples += &format!(".nf\n{}\n.fi\n", roff(lines));
        } else if let Some(rest) = part.strip_prefix("Exit status: ") {
            let (sentence, more) = rest.split_once('\n').unwrap_or((rest, ""));
            status += &format!("{}\n", roff(sentence));
            if let Some(start) = more.strip_prefix("Start with: ") {
                examples += &format!(".nf\n{}\n.fi\n", roff(start));
            }
        } else if part.contains("\n  ") {
            notes += &format!(".PP\n.nf\n{}\n.fi\n", roff(part));
        } else if !part.is_empty() {
            notes += &format!(".PP\n{}\n", roff(part));
        }
    }
    let mut environment: String =
        variables.iter().chain([&COLOURS.to_owned()]).map(|entry| tagged(entry)).collect();
    if name == "gatewayctl-diff" {
        environment += &tagged("KONG_ADMIN_TOKEN\nThe token that is shown to the admin API of --against.");
        environment += &tagged("PAGER\nThe program that shows long output on a terminal; cat for none.");
    }
    if name == "gatewayctl-serve" {
        environment += &tagged("KONG_NAME\nThe setting NAME; docs/settings.md lists all.");
    }
    let mut files = String::new();
    if reads_settings && name != "gatewayctl-serve" {
        files += &tagged(
            ".gatewayctl.yml\nSettings of a project: in the folder of the first file or one above it, up to the root of the repository; else from the current folder up.",
        );
    }
    if name == "gatewayctl-serve" {
        files += &tagged("/etc/kong/kong.conf, /etc/kong.conf\nSettings, where --conf names no other file.");
    }
    for (title, body) in [
        ("EXIT STATUS", &status),
        ("ENVIRONMENT", &environment),
        ("FILES", &files),
        ("EXAMPLES", &examples),
        ("NOTES", &notes),
    ] {
        if !body.is_empty() {
            text += &format!(".SH \"{title}\"\n{}", body.strip_prefix(".PP\n").unwrap_or(body));
        }
    }
    let others = crate::cli::COMMANDS.iter().map(|command| format!("gatewayctl-{command}"));
    let others: Vec<String> = std::iter::once("gatewayctl".to_owned())
        .chain(others)
        .filter(|other| *other != name)
        .map(|other| format!(".BR {} (1)", roff(&other)))
        .collect();
    text += &format!(".SH \"SEE ALSO\"\n{}\n", others.join(" ,\n").replace("(1) ,", "(1),"));
    (name, text)
}

/// What every command heeds.
const COLOURS: &str =
    "NO_COLOR, CLICOLOR_FORCE\nNever colour the output, and colour it anywhere; --color counts for more.";

/// A term on a line of its own, and what it stands for.
fn tagged(entry: &str) -> String {
    let (term, text) = entry.split_once('\n').unwrap_or((entry, ""));
    format!(".TP\n\\fB{}\\fR\n{}\n", roff(term), roff(text))
}

/// A text in roff: nothing in it is a request or an escape.
fn roff(text: &str) -> String {
    let line = |line: &str| {
        let line = line
            .replace('\\', "\\e")
            .replace('-', "\\-")
            .replace('`', "\\(ga")
            .replace('\'', "\\(aq")
            .replace('…', "...");
        if line.starts_with('.') { format!("\\&{line}") } else { line }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
