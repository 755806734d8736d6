//! `gatewayctl man [COMMAND]`.

use crate::cli::{
    Status,
    console::{Console, Failure},
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
        return Err(Failure::Other(format!(
            "there is no command {:?}; gatewayctl --help lists them",
            &name[11..]
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
    let mut out = Vec::new();
    let man = clap_mangen::Man::new(command).title(name.as_str()).manual("gatewayctl manual");
    // Writing to memory cannot fail.
    let _ = man.render(&mut out);
    (name, String::from_utf8_lossy(&out).into_owned())
}
