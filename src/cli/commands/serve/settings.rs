//! The node's settings, from a `kong.conf`, the environment and the flags.

use std::path::Path;

use super::Args;
use crate::{
    cli::{
        commands::input,
        console::{Console, Failure},
    },
    config::settings::{self, DEFAULT_FILES, Issue, Settings, Sources},
    source::Level,
};

/// Loads the settings, and returns warnings with them. Errors are printed.
pub fn load(args: &Args, console: &Console) -> Result<(Settings, Vec<Issue>), Failure> {
    let file = match &args.conf {
        Some(path) => Some((path.clone(), read(path)?)),
        None => {
            DEFAULT_FILES.iter().find_map(|path| Some((path.into(), std::fs::read_to_string(path).ok()?)))
        }
    };
    let name = file.as_ref().map(|(path, _)| path.display().to_string());
    let mut flags = Vec::new();
    for (name, value) in [
        ("proxy_listen", &args.proxy_listen),
        ("admin_listen", &args.admin_listen),
        ("stream_listen", &args.stream_listen),
        ("router_flavor", &args.router_flavor),
        ("route_match_calculation", &args.route_match_calculation),
        ("workers", &args.workers),
    ] {
        flags.extend(value.iter().map(|value| (name.to_owned(), value.clone())));
    }
    let mut set = Vec::new();
    for setting in &args.settings {
        let Some((name, value)) = setting.split_once('=') else {
            return Err(Failure::Other(format!("--set {setting}: write it as NAME=VALUE")));
        };
        set.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let (settings, mut issues) = settings::load(&Sources {
        file: name.as_deref().zip(file.as_ref()).map(|(name, (_, text))| (name, text.as_str())),
        environment: input::whole_environment(),
        flags,
        set,
    });
    if issues.iter().any(|issue| issue.level == Level::Error) {
        issues.iter().for_each(|issue| console.err(&format!("{}: {issue}\n", issue.level.as_str())));
        return Err(Failure::Other("the settings are not valid".to_owned()));
    }
    issues.extend(files_win(args, &settings));
    Ok((settings, issues))
}

/// A configuration that a setting names and the arguments replace.
fn files_win(args: &Args, settings: &Settings) -> Option<Issue> {
    let name = ["declarative_config", "declarative_config_string"]
        .into_iter()
        .find(|name| settings.show(name).is_some_and(|value| !value.is_empty()))
        .filter(|_| !args.files.is_empty())?;
    let message = "has no effect: files are given as arguments";
    Some(Issue { level: Level::Warning, ..settings.error(name, message, None) })
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::File { path: path.display().to_string(), error })
}
