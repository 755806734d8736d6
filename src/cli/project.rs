//! A project's settings of the command line: `.gatewayctl.yml`, found up the tree. What it says counts less than a
//! variable of the environment, and that less than a flag.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    commands::input::{Dialect, Files},
    console::{Console, Failure},
};
use crate::{
    config,
    lint::{Settings, ruleset},
};

/// Name of the settings file that is read without being asked for.
const SETTINGS: &str = ".gatewayctl.yml";

/// A settings file and its content. Empty if there is no file.
pub struct Project {
    path: Option<PathBuf>,
    pub settings: Settings,
}

impl Project {
    /// What holds for those files: the settings file named by `--config`, else the nearest one above the first of
    /// them, else above the current folder. It is read into `settings`, which may hold rulesets already.
    ///
    /// # Errors
    /// When it cannot be read, or is not right: then with its line.
    pub fn of(files: &[PathBuf], config: Option<&Path>, mut settings: Settings) -> Result<Self, Failure> {
        let path = config.map(Path::to_owned).or_else(|| find(files));
        if let Some(path) = &path {
            let text = text_of(config.map_or("", |_| "--config"), path)?;
            let read = settings.read(&path.display().to_string(), &text, &open);
            read.map_err(|error| Failure::Other(error.to_string()))?;
        }
        Ok(Project { path, settings })
    }

    /// The same for a command that takes no part of it but how files are read.
    ///
    /// # Errors
    /// As [`Project::of`].
    pub fn dialect(files: &[PathBuf], dialect: Dialect) -> Result<Dialect, Failure> {
        let project = Project::of(files, None, Settings::default())?;
        Ok(dialect.or_flavor(project.settings.router_flavor))
    }

    /// The files and how they are read, with what was left out taken from the settings file.
    ///
    /// # Errors
    /// When no file is named here or there.
    pub fn complete(&self, mut input: Files, console: &Console) -> Result<Files, Failure> {
        if input.verbose {
            console.err(&match &self.path {
                Some(path) => format!("settings: {}\n", path.display()),
                None => format!("settings: none, there is no {SETTINGS} from here up\n"),
            });
        }
        if input.files.is_empty() {
            input.files.extend(self.settings.files.iter().map(PathBuf::from));
        }
        if input.files.is_empty() {
            return Err(Failure::Other(format!(
                "no FILE is given, and no {SETTINGS} has `files`: name a file, a folder, or - for standard input"
            )));
        }
        input.dialect = input.dialect.or_flavor(self.settings.router_flavor);
        Ok(input)
    }
}

/// A ruleset that a settings file or another ruleset names.
pub fn open(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| config::input::io_error_reason(&error))
}

/// Adds the rulesets that flags name.
///
/// # Errors
/// When one cannot be read.
pub fn add_rulesets(settings: &mut Settings, rulesets: &[PathBuf]) -> Result<(), Failure> {
    for path in rulesets {
        let (name, text) = (path.display().to_string(), text_of("--ruleset", path)?);
        settings.add(ruleset::read(&name, &text, &open).map_err(|error| Failure::Other(error.to_string()))?);
    }
    Ok(())
}

/// The text of a file that a flag names; `-` is standard input.
fn text_of(flag: &str, path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().lock().read_to_string(&mut text).map(|_| text),
        _ => std::fs::read_to_string(path),
    };
    read.map_err(|error| Failure::File { path: path.display().to_string(), error }.of(flag))
}

/// Finds the settings file for those files. Its path is relative to the current folder if it is below that folder.
fn find(files: &[PathBuf]) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let first = files.iter().find(|file| file.exists());
    let beside = first.map(|file| if file.is_dir() { file.as_path() } else { file.parent().unwrap_or(file) });
    let beside = beside.map(|folder| here.join(folder));
    let found = beside.iter().chain([&here]).find_map(|folder| up(folder))?;
    let here = here.canonicalize().unwrap_or(here);
    Some(found.strip_prefix(here).map(Path::to_owned).unwrap_or(found))
}

/// The settings file in that folder, or in the nearest above it, within the repository it is in.
fn up(folder: &Path) -> Option<PathBuf> {
    for folder in folder.canonicalize().ok()?.ancestors() {
        let file = folder.join(SETTINGS);
        if file.is_file() {
            return Some(file);
        }
        if folder.join(".git").exists() {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_settings_file_counts_and_none_outside_of_the_repository() {
        let place = tempfile::tempdir().expect("a folder");
        let root = place.path().canonicalize().expect("a path");
        let deep = root.join("repository/team/gateway");
        std::fs::create_dir_all(&deep).expect("made");
        std::fs::create_dir(root.join("repository/.git")).expect("made");
        std::fs::write(root.join(SETTINGS), "").expect("written");
        assert_eq!(up(&deep), None);
        for folder in ["repository", "repository/team"] {
            let file = root.join(folder).join(SETTINGS);
            std::fs::write(&file, "").expect("written");
            assert_eq!(up(&deep), Some(file));
        }
    }
}
