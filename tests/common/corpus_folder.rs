use std::path::{Path, PathBuf};

/// The folder of real files: `CORPUS`, or `../shared/corpus` beside this repository. `None` if `CORPUS=none` says that
/// there is none here, which standard error reports.
///
/// # Panics
/// If the folder has no `manifest.tsv`: a test that compares no files must not pass unnoticed.
pub fn corpus_folder() -> Option<PathBuf> {
    let named = std::env::var_os("CORPUS");
    if named.as_deref().is_some_and(|folder| folder == "none") {
        // Not `eprintln!`, which is captured.
        let _ =
            std::io::Write::write_all(&mut std::io::stderr(), b"CORPUS=none: no real files are checked\n");
        return None;
    }
    let folder =
        named.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"), PathBuf::from);
    assert!(
        folder.join("manifest.tsv").is_file(),
        "{} has no manifest.tsv: name the folder of real files in CORPUS, or skip them with CORPUS=none",
        folder.display()
    );
    Some(folder)
}
