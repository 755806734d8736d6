//! `gatewayctl explain CODE`.

use crate::cli::{
    Status,
    console::{Console, Failure},
};

/// Tell the long story of a finding's code
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  gatewayctl explain config/unknown-field\n  gatewayctl explain")]
pub struct Args {
    /// The code; without one, all codes are listed
    code: Option<String>,
}

pub fn run(args: Args, _console: &Console) -> Result<Status, Failure> {
    Err(Failure::Other(format!("there is no code {:?}", args.code)))
}
