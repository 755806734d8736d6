//! `gatewayctl schema [--plugin NAME]`.

use serde_json::Value;

use crate::{
    cli::{
        Status,
        console::{Console, Failure},
    },
    plugin::Entry,
    plugins,
};

/// Print the JSON Schema of the file format, or of one plugin's settings
///
/// The schema is the one that files are checked against. Editors that speak the YAML language server use it
/// for completion: begin a file with `# yaml-language-server: $schema=PATH`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gatewayctl schema > kong.schema.json\n  \
    gatewayctl schema --plugin rate-limiting")]
pub struct Args {
    /// Only the settings of this plugin
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
}

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    let schema = match args.plugin {
        None => file(),
        Some(name) => match plugins::find(&name) {
            Some(entry) => plugin(entry),
            None => {
                return Err(Failure::Other(format!(
                    "there is no plugin {name}; gatewayctl plugins lists them"
                )));
            }
        },
    };
    console.out(&format!("{schema:#}\n"))?;
    Ok(Status::Clean)
}

/// Schema of the file format.
pub fn file() -> Value {
    crate::config::schema::file_schema()
}

/// Schema of a plugin's settings.
pub fn plugin(entry: &Entry) -> Value {
    crate::config::schema::plugin_schema(entry.name).unwrap_or_default()
}
