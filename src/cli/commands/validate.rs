//! `gatewayctl validate FILES`.

use clap::ArgAction;

use super::input;
use crate::{
    cli::{
        Status,
        console::{Console, Failure},
        project::Project,
        render::{self, Format, Report},
    },
    config::Loaded,
    lint::Settings,
    source::Level,
};

/// Check declarative files, offline
///
/// Reads the files exactly as `serve` would: a file that validates, serves. All findings are reported in
/// one run. Several files and folders make one configuration.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gatewayctl validate kong.yml\n  \
    gatewayctl validate --strict --format json services/ consumers.yml\n  \
    deck file merge a.yml b.yml | gatewayctl validate -\n\n\
    `gatewayctl explain CODE` says what the code of a finding means.\n\n\
    Exit status: 0 clean, 1 an error was found (with --strict: or a warning), 2 could not run.")]
pub struct Args {
    #[command(flatten)]
    input: input::Files,
    /// Take each file for a configuration of its own, with a report of its own
    #[arg(long)]
    each: bool,
    /// Let warnings fail the run too
    #[arg(long)]
    strict: bool,
    /// How findings are printed, on standard output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
    /// Say nothing when all is well
    #[arg(short, long, action = ArgAction::SetTrue)]
    quiet: bool,
}

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    let project = Project::of(&args.input.files, None, Settings::default())?;
    let args = Args { input: project.complete(args.input.clone(), console)?, ..args };
    if args.each {
        return input::each(&args.input, |input| run(Args { input, each: false, ..args.clone() }, console));
    }
    let loaded = input::load(&args.input)?;
    let fails_from = if args.strict { Level::Warning } else { Level::Error };
    report(&loaded, args.format, fails_from, console)?;
    let failed = loaded.findings.has_at_least(fails_from);
    let status = if failed { Status::Findings } else { Status::Clean };
    if args.format == Format::Human && !args.quiet {
        let verdict = if status == Status::Clean {
            ("is valid", "are valid")
        } else {
            ("is not valid", "are not valid")
        };
        console.err(&format!("{}\n", summary(&loaded, verdict)));
    }
    Ok(status)
}

/// Prints the findings. Those from that level on fail the run.
pub fn report(loaded: &Loaded, format: Format, fails_from: Level, console: &Console) -> Result<(), Failure> {
    let (findings, sources, secrets) = (&loaded.findings, &loaded.sources, &loaded.secrets);
    let report = Report { findings, sources, secrets, masks: loaded.catalog.secrets(), fails_from };
    console.out(&render::render(report, format, console.color()))
}

/// One line: what was read, and what was found. The verdict is for one file and for several.
pub fn summary(loaded: &Loaded, verdict: (&str, &str)) -> String {
    let names: Vec<&str> = loaded.sources.iter().map(|(_, file)| file.name()).collect();
    let files = match names.as_slice() {
        [] => "nothing".to_owned(),
        ["-"] => "standard input".to_owned(),
        [name] => (*name).to_owned(),
        more => format!("{} files", more.len()),
    };
    let verdict = if names.len() > 1 { verdict.1 } else { verdict.0 };
    format!("{files} {verdict}{}{}", found(loaded), contents(loaded))
}

/// How much was found, in brackets: ` (1 error, 2 notes)`; empty if nothing was.
pub fn found(loaded: &Loaded) -> String {
    let found = [(Level::Error, "error"), (Level::Warning, "warning"), (Level::Note, "note")]
        .into_iter()
        .map(|(level, word)| (loaded.findings.count(level), word))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| number(n, word))
        .collect::<Vec<_>>()
        .join(", ");
    if found.is_empty() { String::new() } else { format!(" ({found})") }
}

/// How many entities there are, behind a colon: `: 1 service, 2 routes`; empty if there are none.
pub fn contents(loaded: &Loaded) -> String {
    loaded.state.as_ref().map_or_else(String::new, |state| {
        let counts = [
            (state.services.len(), "service"),
            (state.routes.len(), "route"),
            (state.consumers.len(), "consumer"),
            (state.plugins.len(), "plugin"),
            (state.upstreams.len(), "upstream"),
        ];
        let parts: Vec<String> =
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| number(*n, what)).collect();
        if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
    })
}

/// A number of things: `1 route`, `2 routes`.
fn number(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
