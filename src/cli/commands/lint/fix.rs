//! `lint --fix`: writes what can be mended, or shows it.

use crate::{
    cli::{
        console::{Console, Failure},
        render,
    },
    config::Loaded,
    edit::{self, Fixed},
    source::{Document, Findings, Format, Limits, Span, parse},
};

/// Most rounds that leave as many findings as before: a fix may uncover another, or wait for one that it touches.
const ROUNDS: usize = 8;

/// The changes as a unified diff.
pub fn preview(loaded: &Loaded) -> String {
    let shown = edit::fix(&loaded.findings, &loaded.sources).into_iter().map(|fixed| {
        let source = loaded.sources.get(fixed.file);
        // Same length, so that the changes fit.
        let embedded = loaded.catalog.secrets().spans_of_embedded(fixed.file, source.text());
        let secrets: Vec<_> = loaded.secrets.iter().copied().chain(embedded).collect();
        edit::diff(source.name(), &render::masked(source.text(), fixed.file, &secrets), &fixed.changes)
    });
    shown.collect()
}

/// Fixes the files until no fixable finding remains; `again` loads them again after each pass. Afterwards `loaded` has
/// the content of the files on disk. The content from standard input is written to standard output.
pub fn write(
    loaded: &mut Loaded,
    console: &Console,
    again: impl Fn() -> Result<Loaded, Failure>,
) -> Result<(), Failure> {
    let mut rounds = ROUNDS;
    while rounds > 0 {
        let before = total(loaded);
        let fixes: Vec<Fixed> = edit::fix(&loaded.findings, &loaded.sources)
            .into_iter()
            .filter(|fixed| reads(loaded, fixed))
            .collect();
        if fixes.is_empty() {
            return Ok(());
        }
        for fixed in fixes {
            let name = loaded.sources.get(fixed.file).name().to_owned();
            if name == "-" {
                loaded.findings.0.retain(|f| f.fix.is_empty());
                return console.out(&fixed.text);
            }
            std::fs::write(&name, &fixed.text)
                .map_err(|error| Failure::File { path: name.clone(), error })?;
            let fixes = if fixed.count == 1 { "1 fix".to_owned() } else { format!("{} fixes", fixed.count) };
            console.err(&format!("{name}: {fixes}\n"));
        }
        *loaded = again()?;
        // One round sees a bounded number of findings: rounds count only where they mend none of those left.
        rounds -= usize::from(total(loaded) >= before);
    }
    Ok(())
}

/// How many findings there are.
fn total(loaded: &Loaded) -> usize {
    loaded.findings.0.len() + loaded.findings.omitted().total()
}

/// Whether a mended text can still be read: if not, the fix is at fault, and the file stays as it is.
fn reads(loaded: &Loaded, fixed: &Fixed) -> bool {
    let mut sources = crate::source::SourceMap::default();
    let name = loaded.sources.get(fixed.file).name();
    let file = sources.add(name, fixed.text.as_str());
    let format = Format::of_name(name).unwrap_or(Format::Yaml);
    let (mut document, mut findings) = (Document::new(Span::start_of(file)), Findings::default());
    parse(&sources, file, format, &mut document, &Limits::default(), &mut findings).is_some()
        && !findings.has_errors()
}
