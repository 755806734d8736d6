//! Fixes for what the reading of a file complains about: texts without quotes, fields with a new name, files
//! of an older format version. Only what is surely meant the same is mended.

use ahash::{AHashMap, AHashSet};

use config::{Loaded, version::CURRENT};
use source::{Document, Edit, FileId, Findings, Format, Limits, NodeId, SourceMap, Span, Value, parse};

/// Adds fixes to the findings of reading.
pub fn autofix(loaded: &mut Loaded) {
    let mut texts: AHashMap<FileId, Option<Written>> = AHashMap::new();
    let wanted: Vec<(usize, Span)> = (loaded.findings.iter().enumerate())
        .filter(|(_, f)| {
            matches!(f.code, "config/wrong-type" | "config/deprecated-field" | "config/old-format")
        })
        .filter_map(|(i, f)| Some((i, f.span()?)))
        .collect();
    let mut done: AHashSet<Span> = AHashSet::new();
    for (i, span) in wanted {
        let written = texts.entry(span.file).or_insert_with(|| Written::read(&loaded.sources, span.file));
        let Some(written) = written else { continue };
        let finding = &loaded.findings.0[i];
        let edits = match finding.code {
            "config/wrong-type" if finding.help.as_deref() == Some("put it in quotes") => {
                quoted(loaded.sources.snippet(span)).map(|text| vec![Edit::Replace { span, text }])
            }
            "config/deprecated-field" if !done.contains(&span) => {
                written.renamed(&loaded.sources, span, &mut done)
            }
            "config/old-format" => old_format(loaded, written, span),
            _ => None,
        };
        if let Some(edits) = edits {
            loaded.findings.0[i].fix = edits;
        }
    }
}

/// A plain scalar in quotes.
fn quoted(raw: &str) -> Option<String> {
    let plain = !raw.is_empty() && raw.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._:".contains(&b));
    plain.then(|| format!("'{raw}'"))
}

/// A file as it is written, before anything is filled in.
struct Written {
    document: Document,
    root: NodeId,
}

impl Written {
    fn read(sources: &SourceMap, file: FileId) -> Option<Written> {
        let source = sources.get(file);
        // What a template puts in has no place in the file.
        if source.text().contains("${{") {
            return None;
        }
        let mut document = Document::new(Span::start_of(file));
        let format = Format::of_name(source.name()).unwrap_or(Format::Yaml);
        let root = parse(sources, file, format, &mut document, &Limits::default(), &mut Findings::default())?;
        Some(Written { document, root })
    }

    /// The map that has a key at that place.
    fn map_of(&self, key: Span) -> Option<NodeId> {
        let mut open = vec![self.root];
        while let Some(node) = open.pop() {
            let span = self.document.span(node);
            if node != self.root && (key.start < span.start || key.end > span.end) {
                continue;
            }
            match self.document.value(node) {
                Value::Map(entries) if entries.iter().any(|e| self.document.span(e.key) == key) => {
                    return Some(node);
                }
                Value::Map(entries) => open.extend(entries.iter().map(|e| e.value)),
                Value::Seq(items) => open.extend(items),
                _ => {}
            }
        }
        None
    }

    /// Moves all `redis_…` fields of a map under a new `redis`.
    fn renamed(&self, sources: &SourceMap, key: Span, done: &mut AHashSet<Span>) -> Option<Vec<Edit>> {
        const OLD: &str = "redis_";
        let map = self.map_of(key)?;
        if self.document.get(map, "redis").is_some() {
            return None;
        }
        let old: Vec<(Span, Span, &str)> = (self.document.entries(map).iter())
            .filter_map(|e| {
                let name = self.document.str(e.key)?.strip_prefix(OLD)?;
                Some((self.document.span(e.key), self.document.span(e.value), name))
            })
            .collect();
        let simple = |(key, value, _): &(Span, Span, &str)| {
            key.file == value.file && key.end <= value.start && !sources.snippet(*value).contains('\n')
        };
        if !old.iter().all(simple) || !old.iter().any(|(at, ..)| *at == key) {
            return None;
        }
        done.extend(old.iter().map(|(key, ..)| *key));
        let source = sources.get(key.file);
        let (first, ..) = *old.first()?;
        let flow = source.text()[..self.document.span(map).start as usize + 1].ends_with('{');
        let fields = old.iter().map(|(_, value, name)| format!("{name}: {}", sources.snippet(*value).trim()));
        let text = if flow {
            format!("redis: {{{}}}", fields.collect::<Vec<_>>().join(", "))
        } else {
            let indent = " ".repeat(source.position(first.start).column + 1);
            fields.fold("redis:".to_owned(), |text, field| format!("{text}\n{indent}{field}"))
        };
        let whole = |(key, value, _): &(Span, Span, &str)| Span { end: value.end, ..*key };
        let mut edits = vec![Edit::Replace { span: whole(&old[0]), text }];
        edits.extend(old[1..].iter().map(|entry| Edit::Remove { span: whole(entry) }));
        Some(edits)
    }
}

/// The version, and each path that is read differently, as 3.0 writes them.
fn old_format(loaded: &Loaded, written: &Written, version: Span) -> Option<Vec<Edit>> {
    let state = loaded.state.as_ref()?;
    let mut now: AHashMap<Span, &str> = AHashMap::new();
    for route in state.routes.rows() {
        let Some(paths) = route.origin.and_then(|node| loaded.document.get(node, "paths")) else { continue };
        for &item in loaded.document.items(paths) {
            let Some(text) = loaded.document.str(item) else { continue };
            now.insert(loaded.document.span(item), text);
        }
    }
    let mut edits = vec![Edit::Replace { span: version, text: format!("'{CURRENT}'") }];
    let mut open = vec![written.root];
    while let Some(node) = open.pop() {
        match written.document.value(node) {
            Value::Map(entries) => open.extend(entries.iter().map(|e| e.value)),
            Value::Seq(items) => open.extend(items),
            Value::Str(old) => {
                let span = written.document.span(node);
                if let Some(new) = now.remove(&span).filter(|new| **new != **old) {
                    edits.push(Edit::Replace { span, text: format!("'{}'", new.replace('\'', "''")) });
                }
            }
            _ => {}
        }
    }
    edits[1..].sort_by_key(|edit| {
        let (Edit::Replace { span, .. } | Edit::Remove { span }) = edit;
        *span
    });
    Some(edits)
}
