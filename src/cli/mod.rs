//! The command line: the tree of arguments, and which command runs. A command is a file in `commands/`
//! with its arguments and a `run`; here it is one variant.

mod code_docs;
mod commands;
mod console;
mod generate;
#[cfg(feature = "serve")]
mod log;
mod project;
mod remote;
mod render;
mod usage;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use console::Console;
pub use generate::artefacts;

/// How a run ended, as the exit status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing to complain about: 0.
    Clean,
    /// It ran, and found something: 1.
    Findings,
    /// It could not run: 2.
    Failed,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        ExitCode::from(match status {
            Status::Clean => 0,
            Status::Findings => 1,
            Status::Failed => 2,
        })
    }
}

/// Checks, compares and runs Kong-style declarative gateway files.
///
/// The engine that judges a file in CI is the one that serves it in production: what validates, serves.
#[derive(Debug, Parser)]
#[command(name = "gatewayctl", version, max_term_width = 100, propagate_version = true)]
#[command(
    after_help = "`gatewayctl explain CODE` says what the code of a finding means.\n\nExit status: 0 clean, 1 findings, 2 could not run.\n\
    Start with: gatewayctl validate kong.yml && gatewayctl serve kong.yml"
)]
struct Cli {
    /// When to colour the output; `auto` does on a terminal, unless NO_COLOR is set, and where CLICOLOR_FORCE is.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: When,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Validate(commands::validate::Args),
    Lint(commands::lint::Args),
    Diff(commands::diff::Args),
    #[cfg(feature = "serve")]
    Serve(commands::serve::Args),
    Simulate(commands::simulate::Args),
    #[cfg(feature = "serve")]
    Test(commands::test::Args),
    Explain(commands::explain::Args),
    Plugins(commands::plugins::Args),
    Schema(commands::schema::Args),
    Completions(commands::completions::Args),
    Man(commands::man::Args),
    Version(commands::version::Args),
}

/// Names of the commands, in their order.
const COMMANDS: &[&str] = &[
    "validate",
    "lint",
    "diff",
    #[cfg(feature = "serve")]
    "serve",
    "simulate",
    #[cfg(feature = "serve")]
    "test",
    "explain",
    "plugins",
    "schema",
    "completions",
    "man",
    "version",
];

/// Runs the program on this process's arguments.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no failures; anything else could not run.
            let status = if error.use_stderr() { Status::Failed } else { Status::Clean };
            let arguments: Vec<_> = std::env::args_os().collect();
            let environment = &commands::input::environment;
            let _ = usage::completed(error, &command(), &arguments, environment).print();
            return status.into();
        }
    };
    let console = Console::new(match cli.color {
        When::Auto => None,
        When::Always => Some(true),
        When::Never => Some(false),
    });
    let ended = match cli.command {
        Command::Validate(args) => commands::validate::run(args, &console),
        Command::Lint(args) => commands::lint::run(args, &console),
        Command::Diff(args) => commands::diff::run(args, &console),
        #[cfg(feature = "serve")]
        Command::Serve(args) => commands::serve::run(args, &console),
        Command::Simulate(args) => commands::simulate::run(args, &console),
        #[cfg(feature = "serve")]
        Command::Test(args) => commands::test::run(args, &console),
        Command::Explain(args) => commands::explain::run(args, &console),
        Command::Plugins(args) => commands::plugins::run(args, &console),
        Command::Schema(args) => commands::schema::run(args, &console),
        Command::Completions(args) => commands::completions::run(args, &console),
        Command::Man(args) => commands::man::run(args, &console),
        Command::Version(args) => commands::version::run(args, &console),
    };
    match ended {
        Ok(status) => status.into(),
        Err(failure) => console.failed(&failure).into(),
    }
}

/// The tree of arguments, for what is generated from it.
pub fn command() -> clap::Command {
    Cli::command()
}
