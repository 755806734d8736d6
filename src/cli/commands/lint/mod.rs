//! `gatewayctl lint FILES`.

mod fix;
mod rulesets;

use std::path::PathBuf;

use clap::ValueEnum;

use super::{input, validate};
use crate::{
    cli::{
        Status,
        console::{Console, Failure},
        project::{self, Project},
        render::Format,
    },
    config::Loaded,
    lint::{self, Levels, LintContext, Settings},
    source::{Findings, Level},
};

/// Give advice on declarative files
///
/// Looks at valid files for what is accepted but likely not meant: routes that never win, credentials over
/// plain HTTP, rules that undo each other. `gatewayctl explain CODE` explains a finding; a
/// comment `# gatewayctl: allow LINT` on its line, or on the line above, allows it.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gatewayctl lint kong.yml\n  \
    gatewayctl lint kong.yml --rule plain-http-upstream=off --rule weak-secret=error\n  \
    gatewayctl lint kong.yml --fix --dry-run\n  \
    gatewayctl lint kong.yml --ruleset rules.yml --fail-severity warn\n  \
    gatewayctl lint kong.yml --strict --format sarif > lint.sarif\n\n\
    Settings file (.gatewayctl.yml here or in a folder above, or --config):\n  \
    files: [kong.yml]\n  \
    router_flavor: traditional_compatible\n  \
    lint:\n    rules: {plain-http-upstream: off, weak-secret: error}\n    rulesets: [rules.yml]\n\n\
    Exit status: 0 clean, 1 an error was found (with --strict: or a warning), 2 could not run.")]
pub struct Args {
    #[command(flatten)]
    input: input::Files,
    /// Set the level of a lint: off, info, warn or error
    #[arg(long, value_name = "LINT=LEVEL")]
    rule: Vec<String>,
    /// Run no lints but these
    #[arg(long, value_name = "LINT", value_delimiter = ',')]
    only: Vec<String>,
    /// Do not run these lints
    #[arg(long, value_name = "LINT", value_delimiter = ',')]
    skip: Vec<String>,
    /// Settings file [default: the nearest .gatewayctl.yml above the first FILE, else above this folder]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the rules of a Spectral ruleset too
    #[arg(long, value_name = "FILE")]
    ruleset: Vec<PathBuf>,
    /// Leave out built-in lints and the checks of `validate`; the file may be of any kind
    #[arg(long, requires = "ruleset")]
    no_builtin: bool,
    /// Take each file for a configuration of its own, with a report of its own
    #[arg(long)]
    each: bool,
    /// Let warnings fail the run too
    #[arg(long)]
    strict: bool,
    /// The least level that fails the run
    #[arg(short = 'F', long, value_name = "LEVEL", conflicts_with = "strict")]
    fail_severity: Option<Severity>,
    /// Show only what fails the run
    #[arg(short = 'D', long)]
    display_only_failures: bool,
    /// How findings are printed, on standard output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
    /// Say nothing when all is well
    #[arg(short, long)]
    quiet: bool,
    /// Mend in the files what can be mended safely, then report what is left
    #[arg(long)]
    fix: bool,
    /// Show what --fix would change, as a diff, and change nothing
    #[arg(long, visible_alias = "diff")]
    dry_run: bool,
}

/// Levels as decK and Spectral name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Severity {
    Error,
    Warn,
    Info,
    Hint,
}

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    let mut settings = Settings::default();
    project::add_rulesets(&mut settings, &args.ruleset)?;
    let mut project = Project::of(&args.input.files, args.config.as_deref(), settings)?;
    let args = Args { input: project.complete(args.input.clone(), console)?, ..args };
    if args.each {
        return input::each(&args.input, |input| run(Args { input, each: false, ..args.clone() }, console));
    }
    flags(&args, &mut project.settings.levels)?;
    let settings = project.settings;
    let mut linted = look(&args, &settings)?;
    if args.dry_run {
        console.out(&fix::preview(&linted))?;
    } else if args.fix {
        fix::write(&mut linted, console, || look(&args, &settings))?;
    }
    let least = match args.fail_severity {
        Some(Severity::Warn) => Level::Warning,
        Some(Severity::Info | Severity::Hint) => Level::Note,
        Some(Severity::Error) => Level::Error,
        None if args.strict => Level::Warning,
        None => Level::Error,
    };
    let failed = linted.findings.has_at_least(least);
    let verdict = match failed {
        true => ("fails", "fail"),
        false if linted.findings.is_empty() => ("is clean", "are clean"),
        false => ("passes", "pass"),
    };
    let summary = validate::summary(&linted, verdict);
    if args.display_only_failures {
        linted.findings.retain_at_least(least);
    }
    if !args.dry_run {
        validate::report(&linted, args.format, least, console)?;
        if args.format == Format::Human && !args.quiet {
            console.err(&format!("{summary}\n"));
        }
    }
    Ok(if failed { Status::Findings } else { Status::Clean })
}

/// Reads the files and runs the lints.
fn look(args: &Args, settings: &Settings) -> Result<Loaded, Failure> {
    let mut loaded = input::load(&args.input)?;
    lint::autofix(&mut loaded);
    if settings.builtin
        && !args.no_builtin
        && let Some(subject) = LintContext::of(&loaded, args.input.dialect.flavor())
    {
        let mut found = Findings::default();
        lint::lint(&subject, &settings.levels, &mut found);
        loaded.findings.append(&mut found);
    }
    if args.no_builtin {
        match loaded.root {
            // What cannot be read cannot be checked either: those findings stay.
            None => loaded.findings.retain_at_least(Level::Error),
            Some(_) => loaded.findings = Findings::default(),
        }
    }
    rulesets::check(settings, &mut loaded);
    loaded.findings.sort();
    Ok(loaded)
}

/// What flags say of lints; they count for more than the settings file.
fn flags(args: &Args, levels: &mut Levels) -> Result<(), Failure> {
    let wrong =
        |flag: &str, value: &str, error: lint::LevelError| Failure::Other(format!("{flag} {value}: {error}"));
    for rule in &args.rule {
        levels.assign(rule).map_err(|error| wrong("--rule", rule, error))?;
    }
    for lint in &args.only {
        levels.only(lint).map_err(|error| wrong("--only", lint, error))?;
    }
    for lint in &args.skip {
        levels.skip(lint).map_err(|error| wrong("--skip", lint, error))?;
    }
    Ok(())
}
