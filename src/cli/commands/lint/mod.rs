//! `gatewayctl lint FILES`.

mod fix;
mod rulesets;

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::{input, validate};
use crate::{
    cli::{
        Status,
        console::{Console, Failure},
        render::Format,
    },
    config::{self, Loaded},
    lint::{self, Levels, Settings, Subject, ruleset},
    source::{Findings, Level},
};

/// Give advice on declarative files
///
/// Looks at valid files for what is accepted but likely not meant: routes that never win, credentials over
/// plain HTTP, rules that undo each other. `gatewayctl explain CODE` tells the long story of a finding; a
/// comment `# gatewayctl: allow LINT` on its line, or on the line above, allows it.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gatewayctl lint kong.yml\n  \
    gatewayctl lint kong.yml --rule plain-http-upstream=off --rule weak-secret=error\n  \
    gatewayctl lint kong.yml --fix --dry-run\n  \
    gatewayctl lint kong.yml --ruleset rules.yml --fail-severity warn\n  \
    gatewayctl lint kong.yml --strict --format sarif > lint.sarif\n\n\
    Settings file (.gatewayctl.yml, or --config):\n  \
    lint:\n    rules: {plain-http-upstream: off, weak-secret: error}\n\n\
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
    /// Settings file; .gatewayctl.yml in this folder if there is one
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

/// Name of the settings file that is read without being asked for.
const SETTINGS: &str = ".gatewayctl.yml";

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    if args.each {
        return input::each(&args.input, |input| run(Args { input, each: false, ..args.clone() }, console));
    }
    let settings = settings(&args)?;
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
    let failed = linted.findings.reaches(least);
    let verdict = match failed {
        true => ("fails", "fail"),
        false if linted.findings.is_empty() => ("is clean", "are clean"),
        false => ("passes", "pass"),
    };
    let summary = validate::summary(&linted, verdict);
    if args.display_only_failures {
        linted.findings.retain_from(least);
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
    lint::mend(&mut loaded);
    if settings.builtin
        && !args.no_builtin
        && let Some(subject) = Subject::of(&loaded, args.input.dialect.router_flavor.into())
    {
        let mut found = Findings::default();
        lint::lint(&subject, &settings.levels, &mut found);
        loaded.findings.append(&mut found);
    }
    if args.no_builtin {
        match loaded.root {
            // What cannot be read cannot be checked either: those findings stay.
            None => loaded.findings.retain_from(Level::Error),
            Some(_) => loaded.findings = Findings::default(),
        }
    }
    rulesets::check(settings, &mut loaded);
    loaded.findings.sort();
    Ok(loaded)
}

/// What the flags and the settings file say; flags count for more.
fn settings(args: &Args) -> Result<Settings, Failure> {
    let open = |path: &str| std::fs::read_to_string(path).map_err(|error| config::read::why(&error));
    let other = |error: &dyn std::fmt::Display| Failure::Other(error.to_string());
    let mut settings = Settings::default();
    for path in &args.ruleset {
        let (name, text) = (path.display().to_string(), read(path)?);
        settings.add(ruleset::read(&name, &text, &open).map_err(|e| other(&e))?);
    }
    let path = args.config.clone().unwrap_or_else(|| SETTINGS.into());
    if args.config.is_some() || path.exists() {
        settings.read(&path.display().to_string(), &read(&path)?, &open).map_err(|e| other(&e))?;
    }
    flags(args, &mut settings.levels).map_err(|e| other(&e))?;
    Ok(settings)
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::File { path: path.display().to_string(), error })
}

fn flags(args: &Args, levels: &mut Levels) -> Result<(), lint::LevelError> {
    args.rule.iter().try_for_each(|rule| levels.assign(rule))?;
    args.only.iter().try_for_each(|lint| levels.only(lint))?;
    args.skip.iter().try_for_each(|lint| levels.skip(lint))
}
