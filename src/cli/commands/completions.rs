//! `gatewayctl completions SHELL`.

use clap_complete::Shell;

use crate::cli::{
    Status,
    console::{Console, Failure},
};

/// Print a completion script for a shell
///
/// Commands, flags and their values are then completed with the Tab key. Begin a new shell afterwards.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gatewayctl completions bash > ~/.local/share/bash-completion/completions/gatewayctl\n  \
    gatewayctl completions zsh > \"${fpath[1]}/_gatewayctl\"\n  \
    gatewayctl completions fish > ~/.config/fish/completions/gatewayctl.fish\n\n\
    Exit status: 0 printed, 2 there is no such shell.")]
pub struct Args {
    /// The shell
    shell: Shell,
}

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    console.out(&script(args.shell))?;
    Ok(Status::Clean)
}

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut crate::cli::command(), "gatewayctl", &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
