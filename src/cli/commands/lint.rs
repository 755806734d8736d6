//! `gatewayctl lint FILES`.

use super::{input, validate};
use crate::{
    cli::{
        Status,
        console::{Console, Failure},
        render::Format,
    },
    lint::{self, Levels, Subject},
    source::{Findings, Level},
};

/// Give advice on declarative files
///
/// Looks at valid files for what is accepted but likely not meant: routes that never win, credentials over
/// plain HTTP, rules that undo each other. `gatewayctl explain CODE` tells the long story of a finding.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gatewayctl lint kong.yml\n  \
    gatewayctl lint kong.yml --strict --format json\n\n\
    Exit status: 0 clean, 1 an error was found (with --strict: or a warning), 2 could not run.")]
pub struct Args {
    #[command(flatten)]
    input: input::Files,
    /// Let warnings fail the run too
    #[arg(long)]
    strict: bool,
    /// How findings are printed, on standard output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    let mut loaded = input::load(&args.input)?;
    if let Some(subject) = Subject::of(&loaded, args.input.dialect.router_flavor.into()) {
        let mut found = Findings::default();
        lint::lint(&subject, &Levels::default(), &mut found);
        loaded.findings.0.append(&mut found.0);
        loaded.findings.sort();
    }
    validate::report(&loaded, args.format, console)?;
    let failed = loaded.findings.has_errors() || args.strict && loaded.findings.count(Level::Warning) > 0;
    Ok(if failed { Status::Findings } else { Status::Clean })
}
