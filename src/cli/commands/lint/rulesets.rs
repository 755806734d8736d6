//! `lint --ruleset`: Spectral rulesets on the files as they are written.

use std::path::PathBuf;

use crate::{
    cli::console::Failure,
    config::Loaded,
    lint::{Settings, ruleset},
    source::{Document, FileId, Findings, Format, Limits, Span, parse},
};

/// Adds the findings of rulesets.
pub fn check(files: &[PathBuf], settings: &Settings, loaded: &mut Loaded) -> Result<(), Failure> {
    let names = files.iter().map(|path| path.display().to_string()).chain(settings.rulesets.iter().cloned());
    for name in names {
        let open = |path: &str| std::fs::read_to_string(path).map_err(|error| error.to_string());
        let rules = ruleset::read(&name, &open).map_err(|error| Failure::Other(error.to_string()))?;
        let files: Vec<FileId> = loaded.sources.iter().map(|(file, _)| file).collect();
        for file in files {
            // Anew: the document at hand has defaults and the content of other files in it.
            let mut document = Document::new(Span::start_of(file));
            let format = Format::of_name(loaded.sources.get(file).name()).unwrap_or(Format::Yaml);
            let (sources, mut broken) = (&loaded.sources, Findings::default());
            let root = parse(sources, file, format, &mut document, &Limits::default(), &mut broken);
            if let Some(root) = root {
                let found = &mut loaded.findings;
                ruleset::check(&rules, sources, &document, root, &loaded.secrets, found);
            }
        }
    }
    Ok(())
}
