//! The paths where a change of the inputs is visible: every folder in which a path component is looked up.
//!
//! Paths are resolved as the kernel does it, link by link, so that replacing a link in the path, a folder or a file is
//! the same case: a change of a name in a watched folder. Folders among the inputs are traversed as [`config`] reads
//! them: at every depth, without names that start with a dot and without links to folders.

use std::{
    collections::{BTreeSet, HashSet},
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};

/// Most symbolic links followed in one path; the limit of Linux.
const MAX_LINKS: usize = 40;

/// The names, files and folders on which the content of the inputs depends.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Folders to watch, by their real paths; a folder precedes its content.
    pub folders: BTreeSet<PathBuf>,
    /// The files, by their real paths. They are watched themselves because a write through another hard link, or from
    /// outside of a container into which one file is mounted, is reported for the file only.
    pub files: BTreeSet<PathBuf>,
    /// The files to read, as the inputs name them, in the order of reading.
    pub sources: Vec<PathBuf>,
    /// An input is absent, or a folder without files.
    pub incomplete: bool,
    /// Path components of the inputs, each with the real path of its folder.
    names: HashSet<PathBuf>,
    /// Folders of which all files are inputs.
    trees: HashSet<PathBuf>,
    /// The folders of the files, by their real paths.
    file_folders: HashSet<PathBuf>,
}

impl Places {
    /// Resolves the inputs in their present state.
    pub fn of(inputs: &[PathBuf]) -> Self {
        let mut places = Places::default();
        for input in inputs {
            let found = match places.follow(input) {
                Some(real) if real.is_dir() => places.add_tree(&real, input),
                Some(real) => places.add_file(real, input),
                None => false,
            };
            places.incomplete |= !found;
        }
        places
    }

    /// Whether the configuration consists of several files, which tools replace one after another.
    pub fn has_several(&self) -> bool {
        !self.trees.is_empty() || self.sources.len() > 1
    }

    /// Whether an event for this path may change the content of the inputs. `is_structural`: the event is about the name,
    /// not the content.
    pub fn affects(&self, path: &Path, is_structural: bool) -> bool {
        let in_tree = || {
            path.parent().is_some_and(|folder| self.trees.contains(folder))
                && !is_hidden(path)
                && (is_structural || has_known_extension(path))
        };
        self.names.contains(path)
            || self.files.contains(path)
            || (is_structural && self.folders.contains(path))
            || in_tree()
    }

    /// Whether the path is in the folder of an input file, where tools write the file that they rename over it.
    pub fn is_beside_a_file(&self, path: &Path) -> bool {
        path.parent().is_some_and(|folder| self.file_folders.contains(folder) || self.trees.contains(folder))
    }

    /// Resolves a path and records every component. `None` if it does not exist.
    fn follow(&mut self, path: &Path) -> Option<PathBuf> {
        let mut at = PathBuf::new();
        let mut remaining = reversed_components(&std::path::absolute(path).ok()?);
        let mut links = 0;
        while let Some(part) = remaining.pop() {
            match Path::new(&part).components().next() {
                Some(Component::Normal(name)) => {
                    let next = at.join(name);
                    self.folders.insert(at.clone());
                    self.names.insert(next.clone());
                    match fs::read_link(&next) {
                        Ok(_) if links == MAX_LINKS => return None,
                        Ok(target) => {
                            links += 1;
                            remaining.append(&mut reversed_components(&target));
                        }
                        Err(_) => at = next.symlink_metadata().is_ok().then_some(next)?,
                    }
                }
                Some(Component::ParentDir) => {
                    at.pop();
                }
                Some(Component::CurDir) | None => {}
                // A root or a drive replaces the path so far.
                Some(_) => at = at.join(&part),
            }
        }
        Some(at)
    }

    /// Adds a regular file. Pipes and devices are skipped: they can be read only once, by the loader.
    fn add_file(&mut self, real: PathBuf, source: &Path) -> bool {
        let is_file = real.is_file();
        if is_file {
            self.file_folders.extend(real.parent().map(Path::to_path_buf));
            self.files.insert(real);
            self.sources.push(source.to_path_buf());
        }
        is_file
    }

    /// Adds a folder and its content; returns whether it contains a file.
    fn add_tree(&mut self, real: &Path, source: &Path) -> bool {
        self.folders.insert(real.to_path_buf());
        self.trees.insert(real.to_path_buf());
        let mut entries: Vec<_> = fs::read_dir(real).into_iter().flatten().flatten().collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut found = false;
        for entry in entries {
            let (path, source) = (entry.path(), source.join(entry.file_name()));
            let Ok(kind) = entry.file_type() else { continue };
            if is_hidden(&path) {
                continue;
            }
            if kind.is_dir() {
                found |= self.add_tree(&path, &source);
            } else if has_known_extension(&path) {
                let real = if kind.is_symlink() { self.follow(&path) } else { Some(path) };
                found |= real.is_some_and(|real| self.add_file(real, &source));
            }
        }
        found
    }
}

/// Splits a path into its components, in reverse order.
fn reversed_components(path: &Path) -> Vec<OsString> {
    path.components().rev().map(|part| part.as_os_str().to_owned()).collect()
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn has_known_extension(path: &Path) -> bool {
    matches!(path.extension().and_then(|extension| extension.to_str()), Some("yaml" | "yml" | "json"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use config::{self, Input};

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let real = folder.path().canonicalize().expect("a real path");
        (folder, real)
    }

    fn write(path: &Path) {
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, "_format_version: \"3.0\"\n").expect("written");
    }

    #[test]
    fn every_path_component_of_a_file_is_watched() {
        let (_folder, root) = folder();
        write(&root.join("releases/1/kong/kong.yml"));
        symlink("releases/1", root.join("current")).expect("a link");
        symlink(root.join("current/kong"), root.join("etc")).expect("a link");
        let places = Places::of(&[root.join("./etc/../kong/kong.yml")]);
        for name in ["etc", "current", "releases", "releases/1", "releases/1/kong/kong.yml"] {
            assert!(places.affects(&root.join(name), true), "{name}");
        }
        for folder in ["", "releases", "releases/1", "releases/1/kong"] {
            assert!(
                places.folders.contains(&root.join(folder).components().collect::<PathBuf>()),
                "{folder}"
            );
        }
        assert!(!places.affects(&root.join("releases/2"), true));
        assert!(!places.incomplete);
        assert_eq!(places.sources, [root.join("./etc/../kong/kong.yml")]);
        assert!(places.files.contains(&root.join("releases/1/kong/kong.yml")));
    }

    #[test]
    fn an_absent_file_is_watched_for_at_the_last_existing_folder() {
        let (_folder, root) = folder();
        let places = Places::of(&[root.join("a/b/kong.yml")]);
        assert!(places.incomplete);
        assert!(places.affects(&root.join("a"), true));
        symlink("loop", root.join("loop")).expect("a link");
        assert!(Places::of(&[root.join("loop")]).incomplete);
    }

    #[test]
    fn the_files_of_a_folder_are_those_that_the_loader_reads() {
        let (_folder, root) = folder();
        for file in ["a.yml", "b/c.yaml", "b/d/e.json", ".hidden/f.yml", ".g.yml", "h.txt", "b/ayml"] {
            write(&root.join(file));
        }
        fs::create_dir(root.join("empty")).expect("made");
        symlink("b", root.join("link")).expect("a link");
        symlink(".hidden/f.yml", root.join("linked.yml")).expect("a link");
        let loaded = config::load(&Input::Paths(vec![root.clone()]), &config::Options::new(crate::catalog()));
        let loaded = loaded.expect("a folder that can be read");
        let read: Vec<PathBuf> = loaded.sources.iter().map(|(_, file)| PathBuf::from(file.name())).collect();
        let places = Places::of(std::slice::from_ref(&root));
        assert_eq!(places.sources, read);
        assert!(places.folders.contains(&root.join("empty")), "a file may appear in it");
        assert!(places.affects(&root.join(".hidden/f.yml"), false), "a link leads to it");
        assert!(places.affects(&root.join("b/new.yml"), false));
        assert!(places.affects(&root.join("b/new"), true), "it may be a folder");
        assert!(!places.affects(&root.join("b/notes.txt"), false));
        assert!(!places.affects(&root.join("b/.kong.yml.swp"), true));
    }

    #[test]
    fn a_pipe_is_not_read() {
        let (_folder, root) = folder();
        let made = std::process::Command::new("mkfifo").arg(root.join("pipe.yml")).status();
        assert!(made.expect("mkfifo").success());
        assert!(Places::of(&[root.join("pipe.yml")]).sources.is_empty());
    }
}
