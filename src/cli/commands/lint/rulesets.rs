//! `lint --ruleset`: Spectral rulesets on the files as they are written.

use crate::{
    config::Loaded,
    lint::{Settings, ruleset},
    source::{Document, FileId, Findings, Format, Limits, Span, parse},
};

/// Adds the findings of rulesets.
pub fn check(settings: &Settings, loaded: &mut Loaded) {
    if settings.rulesets.is_empty() {
        return;
    }
    let files: Vec<FileId> = loaded.sources.iter().map(|(file, _)| file).collect();
    for file in files {
        // Parsed again: the loaded document contains defaults and the content of other files.
        let mut document = Document::new(Span::start_of(file));
        let format = Format::of_name(loaded.sources.get(file).name()).unwrap_or(Format::Yaml);
        let (sources, mut broken) = (&loaded.sources, Findings::default());
        let root = parse(sources, file, format, &mut document, &Limits::default(), &mut broken);
        let Some(root) = root else { continue };
        for rules in &settings.rulesets {
            let (levels, found) = (&settings.levels, &mut loaded.findings);
            ruleset::check(rules, levels, sources, &document, root, &loaded.secrets, found);
        }
    }
}
