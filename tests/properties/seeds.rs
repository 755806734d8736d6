//! Every fuzz target on the committed seeds (`fuzz/seeds`), without a fuzzer.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use crate::targets::TARGETS;

/// More would make clones slow: what a fuzzer finds beyond these is kept in `fuzz/corpus`, which is not committed.
const MAX_SEED_BYTES: u64 = 300_000;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_target_holds_on_its_seeds() {
    let mut failed = Vec::new();
    for target in TARGETS {
        let seeds = files(&fuzz().join("seeds").join(target.seeds));
        assert!(!seeds.is_empty(), "no seeds for {}", target.name);
        for seed in seeds {
            let input = fs::read(&seed).unwrap();
            if catch_unwind(AssertUnwindSafe(|| (target.run)(&input))).is_err() {
                failed.push(format!("{} on {}", target.name, seed.display()));
            }
        }
    }
    assert!(failed.is_empty(), "the panics are above:\n{}", failed.join("\n"));
}

#[test]
fn the_table_names_every_target_and_every_folder_of_seeds() {
    let stems = |folder: &str| -> BTreeSet<String> {
        let stem = |path: PathBuf| path.file_stem().and_then(OsStr::to_str).map(str::to_owned).unwrap();
        files(&fuzz().join(folder)).into_iter().map(stem).collect()
    };
    let table = |text: fn(&crate::targets::Target) -> &str| -> BTreeSet<String> {
        TARGETS.iter().map(|target| text(target).to_owned()).collect()
    };
    assert_eq!(stems("fuzz_targets"), table(|target| target.name));
    assert_eq!(stems("seeds"), table(|target| target.seeds));
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for target in TARGETS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{}.rs\"", target.name)), "{}", target.name);
    }
}

#[test]
fn the_seeds_are_small() {
    let folders = files(&fuzz().join("seeds"));
    let size: u64 =
        folders.iter().flat_map(|folder| files(folder)).map(|file| file.metadata().unwrap().len()).sum();
    assert!(size < MAX_SEED_BYTES, "{size} bytes");
}
