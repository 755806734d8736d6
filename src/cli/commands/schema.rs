//! `gatewayctl schema [--plugin NAME]`.

use crate::{
    cli::{
        Status,
        console::{Console, Failure},
    },
    config::json_schema,
    registry,
};

/// Print the JSON Schema of the file format, or of one plugin's settings
///
/// The schema is the one that files are checked against. Editors with the YAML language server use it
/// for completion: begin a file with `# yaml-language-server: $schema=PATH`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gatewayctl schema > kong.schema.json\n  \
    gatewayctl schema --plugin rate-limiting\n\n\
    Exit status: 0 printed, 2 there is no such plugin.")]
pub struct Args {
    /// Only the settings of this plugin
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
}

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    let schema = match args.plugin {
        None => json_schema::file_schema(registry()),
        Some(name) => json_schema::plugin_schema(registry(), &name)
            .ok_or_else(|| super::plugins::unknown(&name).of("--plugin:"))?,
    };
    console.out(&format!("{schema:#}\n"))?;
    Ok(Status::Clean)
}
