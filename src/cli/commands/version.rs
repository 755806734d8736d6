//! `gatewayctl version`.

use std::env::consts::{ARCH, OS};

use clap::ValueEnum;
use serde_json::json;

use crate::cli::{
    Status,
    console::{Console, Failure},
};

/// Print the version, and the Kong that it follows
///
/// What a report of a bug needs: version, commit, platform. `--version` prints the version alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  gatewayctl version\n  gatewayctl version --format json\n\n\
    Exit status: 0 printed.")]
pub struct Args {
    /// How it is printed
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// One JSON document.
    Json,
}

/// The version of Kong whose behaviour is implemented.
const KONG_VERSION: &str = "3.9.3";

/// The commit that the binary was built from, if the build sets it.
const COMMIT: Option<&str> = option_env!("GATEWAYCTL_COMMIT");

/// The C library that the binary is linked with, on targets with several.
const LIBC: &str = if cfg!(target_env = "musl") {
    "-musl"
} else if cfg!(target_env = "gnu") {
    "-gnu"
} else {
    ""
};

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    let (version, target) = (env!("CARGO_PKG_VERSION"), format!("{ARCH}-{OS}{LIBC}"));
    let text = match args.format {
        Format::Human => {
            let commit = COMMIT.map_or_else(String::new, |commit| format!("commit  {commit}\n"));
            format!("gatewayctl {version}\n{commit}target  {target}\nkong    {KONG_VERSION}\n")
        }
        Format::Json => {
            let json =
                json!({ "version": version, "commit": COMMIT, "target": target, "kong": KONG_VERSION });
            format!("{json:#}\n")
        }
    };
    console.out(&text)?;
    Ok(Status::Clean)
}
