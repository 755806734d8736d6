//! `gatewayctl diff OLD NEW`.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::{Value, json};

use super::{
    input::{self, Dialect},
    validate,
};
use crate::{
    cli::{
        Status,
        console::{Console, Failure},
        render::{self},
    },
    config::Loaded,
    diff::{self, Action, Change},
};

/// Show what changes between two configurations
///
/// Compares entities by identity, not text: order, comments, formatting and written-out defaults make no
/// difference. Secrets are masked on both sides.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gatewayctl diff old.yml new.yml\n  \
    git show main:kong.yml | gatewayctl diff - kong.yml --exit-code\n  \
    gatewayctl diff a.yml b.yml --format json | jq .summary\n\n\
    Exit status: 0 compared, 2 could not run; 1 with --exit-code where they differ, and where one of the \
    files is not valid.")]
pub struct Args {
    /// The configuration before: a file, a folder, or - for standard input
    old: PathBuf,
    /// The configuration after
    new: PathBuf,
    #[command(flatten)]
    dialect: Dialect,
    /// How changes are printed
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Form,
    /// Exit with 1 where they differ
    #[arg(long)]
    exit_code: bool,
    /// Exit with 2 where they differ, as decK does
    #[arg(long, conflicts_with = "exit_code")]
    non_zero_exit_code: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people: changed fields only.
    Human,
    /// One JSON document with decK's keys: changes, summary, warnings, errors.
    Json,
}

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    let mut sides = Vec::new();
    for file in [args.old, args.new] {
        let loaded = input::load_files(vec![file], args.dialect)?;
        if loaded.state.is_none() {
            if args.format == Form::Json {
                console.out(&format!("{:#}\n", document(&[], &messages(&loaded))))?;
            } else {
                validate::report(&loaded, render::Format::Human, console)?;
            }
            return Ok(Status::Findings);
        }
        sides.push(loaded);
    }
    let states: Vec<_> = sides.iter().filter_map(|s| s.state.as_ref()).collect();
    let changes = diff::diff(states[0], states[1]);
    match args.format {
        Form::Human => console.out(&human(&changes, console.color()))?,
        Form::Json => console.out(&format!("{:#}\n", document(&changes, &[])))?,
    }
    Ok(match (changes.is_empty(), args.exit_code, args.non_zero_exit_code) {
        (true, ..) | (_, false, false) => Status::Clean,
        (_, true, _) => Status::Findings,
        (.., true) => Status::Failed,
    })
}

fn messages(loaded: &Loaded) -> Vec<String> {
    let place = |f: &crate::source::Finding| {
        f.span().map_or_else(String::new, |s| format!("{}: ", loaded.sources.locate(s)))
    };
    loaded
        .findings
        .iter()
        .filter(|f| f.level == crate::source::Level::Error)
        .map(|f| format!("{}{}", place(f), f.message))
        .collect()
}

fn human(changes: &[Change], color: bool) -> String {
    if changes.is_empty() {
        return "No changes.\n".to_owned();
    }
    let paint =
        |code: &str, text: String| if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text };
    let mut out = String::new();
    for change in changes {
        let (sign, code) = match change.action {
            Action::Create => ('+', "32"),
            Action::Update => ('~', "33"),
            Action::Delete => ('-', "31"),
        };
        out += &paint(code, format!("{sign} {change}"));
        out.push('\n');
        for field in &change.fields {
            out += &format!("    {}: ", field.name());
            out += &paint("31", field.old.to_string());
            out += " -> ";
            out += &paint("32", field.new.to_string());
            out.push('\n');
        }
    }
    let count = |action| changes.iter().filter(|c| c.action == action).count();
    out += &format!(
        "\n{} created, {} updated, {} deleted\n",
        count(Action::Create),
        count(Action::Update),
        count(Action::Delete)
    );
    out
}

/// The document with decK's keys.
fn document(changes: &[Change], errors: &[String]) -> Value {
    let of = |action: Action| -> Vec<Value> {
        changes
            .iter()
            .filter(|c| c.action == action)
            .map(|c| {
                let mut item = json!({
                    "name": c.name, "kind": c.singular(), "body": { "old": c.old, "new": c.new },
                });
                if action == Action::Update {
                    item["fields"] = json!(c.fields);
                }
                item
            })
            .collect()
    };
    let (creating, updating, deleting) = (of(Action::Create), of(Action::Update), of(Action::Delete));
    json!({
        "summary": {
            "creating": creating.len(), "updating": updating.len(), "deleting": deleting.len(),
            "total": changes.len(),
        },
        "changes": { "creating": creating, "updating": updating, "deleting": deleting },
        "warnings": [],
        "errors": errors,
    })
}
