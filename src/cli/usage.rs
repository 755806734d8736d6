//! Messages for a command line that is not valid: the wrong argument, the reason, and the nearest valid one.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::console::Failure;
use crate::config;

/// Completes clap's error: suggests the command that was likely meant, also after `help`, and names the
/// environment variable if a value came from one and not from a flag.
pub fn completed(
    mut error: clap::Error,
    root: &clap::Command,
    arguments: &[OsString],
    environment: &dyn Fn(&str) -> Option<String>,
) -> clap::Error {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    match error.kind() {
        #[cfg(not(feature = "serve"))]
        ErrorKind::InvalidSubcommand
            if matches!(text(ContextKind::InvalidSubcommand).as_deref(), Some("serve" | "test")) =>
        {
            let reason =
                "this gatewayctl was built without the feature `serve`, which `serve` and `test` need";
            return root.clone().error(ErrorKind::InvalidSubcommand, reason);
        }
        ErrorKind::InvalidSubcommand if error.get(ContextKind::SuggestedSubcommand).is_none() => {
            let typed = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            if let Some(near) = config::nearest(&typed, root.get_subcommands().map(clap::Command::get_name)) {
                let near = ContextValue::Strings(vec![near.to_owned()]);
                error.insert(ContextKind::SuggestedSubcommand, near);
            }
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let (argument, value) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue));
            // Only what is built can be shown as clap shows it.
            let mut root = root.clone();
            root.build();
            let known = root.get_subcommands().flat_map(clap::Command::get_arguments);
            let variable = known
                .filter(|known| argument.as_ref().is_some_and(|argument| known.to_string() == *argument))
                .find_map(|known| Some((known.get_env()?.to_str()?, format!("--{}", known.get_long()?))))
                .filter(|(name, flag)| {
                    let typed = |a: &OsString| a.to_string_lossy().starts_with(flag.as_str());
                    environment(name) == value && !arguments.iter().any(typed)
                });
            if let Some((name, _)) = variable {
                error.insert(ContextKind::InvalidArg, ContextValue::String(name.to_owned()));
            }
        }
        _ => {}
    }
    error
}

/// Refuses a value: `argument` is the flag, or nothing where the value stands for itself.
pub fn unknown<'a>(
    argument: &str,
    value: &str,
    why: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Failure {
    let meant = config::nearest(value, known).map_or_else(String::new, did_you_mean);
    let gap = if argument.is_empty() { "" } else { " " };
    Failure::Other(format!("{argument}{gap}{value}: {why}{meant}"))
}

/// The end of a message that proposes something.
pub fn did_you_mean(near: impl std::fmt::Display) -> String {
    format!("; did you mean {near}?")
}

/// The end of a message about a file that is not there: the nearest one that is.
pub fn similar(path: &str) -> String {
    if path == "-" {
        return String::new();
    }
    near_path(Path::new(path)).map_or_else(String::new, |near| did_you_mean(near.display()))
}

/// The same path with the first of its parts that is not there replaced by the nearest name in that folder.
fn near_path(path: &Path) -> Option<PathBuf> {
    let missing = path.ancestors().take_while(|p| !p.as_os_str().is_empty() && !p.exists()).last()?;
    let (folder, name) = (missing.parent()?, missing.file_name()?.to_str()?);
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = std::fs::read_dir(listed).ok()?.flatten().take(10_000);
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    let near = folder.join(config::nearest(name, names.iter().map(String::as_str))?);
    let rest = path.strip_prefix(missing).ok()?;
    let near = if rest.as_os_str().is_empty() { near } else { near.join(rest) };
    near.exists().then_some(near)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn said(arguments: &[&str], variable: Option<&str>) -> String {
        let error = Cli::try_parse_from(arguments).expect_err("refused");
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let environment = |_: &str| variable.map(str::to_owned);
        completed(error, &crate::cli::command(), &arguments, &environment).to_string()
    }

    #[test]
    fn a_command_after_help_is_proposed_as_one_before_it_is() {
        for arguments in [&["gatewayctl", "validat"][..], &["gatewayctl", "help", "validat"]] {
            assert!(said(arguments, None).contains("'validate'"), "{arguments:?}");
        }
    }

    #[test]
    fn a_value_names_the_variable_only_where_it_came_from_there() {
        let typed = ["gatewayctl", "validate", "--router-flavor", "expresions", "a.yml"];
        assert!(said(&typed, Some("expresions")).contains("for '--router-flavor <FLAVOR>'"));
        // As if it came from the variable: what is typed differs from what clap was given.
        let error = Cli::try_parse_from(typed).expect_err("refused");
        let error = completed(error, &crate::cli::command(), &[], &|_| Some("expresions".to_owned()));
        assert!(error.to_string().contains("for 'KONG_ROUTER_FLAVOR'"), "{error}");
    }

    #[test]
    fn the_nearest_file_is_found_at_any_depth() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = place.path().join("gateways");
        std::fs::create_dir(&folder).expect("made");
        std::fs::write(folder.join("kong.yml"), "").expect("written");
        assert_eq!(near_path(&folder.join("kong.yaml")), Some(folder.join("kong.yml")));
        assert_eq!(near_path(&place.path().join("gateway/kong.yml")), Some(folder.join("kong.yml")));
        assert_eq!(near_path(&place.path().join("gateway/other.yml")), None);
        assert_eq!(near_path(&folder.join("something-else.txt")), None);
    }
}
