//! `gatewayctl plugins [NAME]`: the table of plugins, or one plugin's manual page.

use serde_json::Value;

use crate::{
    cli::{
        Status,
        console::{Console, Failure},
        usage,
    },
    config,
    plugin::PluginDescriptor,
    registry,
};

/// List the plugins, or explain one
///
/// In the order they run. With a name: what the plugin does, and each of its settings with type, default
/// and meaning.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  gatewayctl plugins\n  gatewayctl plugins rate-limiting\n\n\
    Exit status: 0 printed, 2 there is no such plugin.")]
pub struct Args {
    /// The plugin to explain
    name: Option<String>,
}

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    let text = match args.name {
        None => table(),
        Some(name) => page(registry().find(&name).ok_or_else(|| unknown(&name))?),
    };
    console.out(&text)?;
    Ok(Status::Clean)
}

/// There is no plugin of that name: not here, or not at all.
pub fn unknown(name: &str) -> Failure {
    if config::BUNDLED.contains(&name) {
        return Failure::Other(format!("plugin {name} of Kong is not built into gatewayctl yet"));
    }
    let known = registry().descriptors().map(|e| &*e.name);
    let meant = config::nearest(name, known).map_or_else(String::new, usage::did_you_mean);
    Failure::Other(format!("there is no plugin {name}{meant} (gatewayctl plugins lists them)"))
}

/// Plugins in the order they run.
fn in_order() -> Vec<&'static PluginDescriptor> {
    let mut entries: Vec<_> = registry().descriptors().collect();
    entries.sort_by_key(|e| std::cmp::Reverse(e.priority));
    entries
}

/// First sentence of a plugin's page.
fn summary(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    let first = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    first.split_inclusive(". ").next().unwrap_or_default().trim().trim_end_matches('.').to_owned()
}

fn table() -> String {
    let mut out = String::new();
    for entry in in_order() {
        let schema = (entry.schema)();
        out += &format!("{:8} {:24} {}\n", entry.priority, entry.name, summary(schema.as_value()));
    }
    out
}

/// The table as Markdown, for the README.
pub fn markdown_table() -> String {
    let mut out = "| Priority | Plugin | What it does |\n|---:|---|---|\n".to_owned();
    for entry in in_order() {
        let schema = (entry.schema)();
        out += &format!(
            "| {} | [{name}](docs/reference/plugins/{name}.md) | {} |\n",
            entry.priority,
            summary(schema.as_value()),
            name = entry.name
        );
    }
    out
}

/// A plugin's manual page, in Markdown.
pub fn page(entry: &PluginDescriptor) -> String {
    let schema = (entry.schema)();
    let schema = schema.as_value();
    let scopes = entry.scopes;
    let on: Vec<&str> = [
        ("everywhere", scopes.global),
        ("services", scopes.service),
        ("routes", scopes.route),
        ("consumers", scopes.consumer),
    ]
    .into_iter()
    .filter_map(|(name, may)| may.then_some(name))
    .collect();
    let mut out = format!("# {}\n\n{}\n\n", entry.name, schema["description"].as_str().unwrap_or_default());
    out += &format!("Priority {}. May be attached to: {}.\n\n## Settings\n\n", entry.priority, on.join(", "));
    fields(schema, "", &mut out);
    out
}

fn fields(schema: &Value, prefix: &str, out: &mut String) {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        let mut notes = vec![kind(field)];
        if let Some(default) = field.get("default").filter(|d| !d.is_null()) {
            notes.push(format!("default `{default}`"));
        }
        if required.contains(&name.as_str()) {
            notes.push("required".to_owned());
        }
        let text = field["description"].as_str().unwrap_or_default().replace('\n', " ");
        *out += &format!("- `{path}` ({}): {text}\n", notes.join(", "));
        for record in std::iter::once(field).chain(field["anyOf"].as_array().into_iter().flatten()) {
            fields(record, &format!("{path}."), out);
        }
    }
}

/// A field's type in words.
fn kind(field: &Value) -> String {
    if let Some(values) = field["enum"].as_array() {
        let values: Vec<String> = values.iter().filter(|v| !v.is_null()).map(|v| format!("`{v}`")).collect();
        return format!("one of {}", values.join(", "));
    }
    match &field["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind(&field["items"])),
        Value::String(name) => name.clone(),
        Value::Array(names) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).filter(|n| *n != "null").collect();
            if names == ["array"] { format!("list of {}", kind(&field["items"])) } else { names.join(" or ") }
        }
        _ => field["anyOf"]
            .as_array()
            .and_then(|options| options.iter().find(|o| o["type"] != "null"))
            .map_or_else(|| "any".to_owned(), kind),
    }
}
