//! Valid files broken at one place, as a slip of the hand does: a key misspelt, a value of another type, a key that
//! is needed taken out. The finding has to be on the line concerned.

use std::path::{Path, PathBuf};

use gatewayctl::{
    config::{Input, Options, json_schema, load},
    source::{Document, Entry, Findings, Format, Level, Limits, NodeId, SourceMap, Span, Value, parse},
};

const MUTATIONS: usize = 500;
/// Of a hundred, so many have to be found on their line.
const FOUND: usize = 95;
/// The same files and places in every run.
const SEED: u64 = 0x5eed_2026;

/// What is done to an entry of a map.
#[derive(Clone, Copy, Debug)]
enum Slip {
    Misspell,
    Retype,
    Delete,
}

/// A text with one slip in it.
struct Mutant {
    text: String,
    slip: Slip,
    key: String,
    /// Lines that a finding may be on, from 1.
    lines: Vec<usize>,
}

/// A stream of numbers that looks random (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

/// The files, all valid: the examples, and the configurations of the conformance cases.
fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for path in yaml_below(&root.join("examples")) {
        files.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
    }
    for path in yaml_below(&root.join("tests/conformance")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for (i, case) in text.split("\n---").enumerate() {
            let Some((_, rest)) = case.split_once("\nconfig:\n") else { continue };
            let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with("  "));
            let config: String = lines.map(|line| format!("{}\n", line.get(2..).unwrap_or(""))).collect();
            files.push((format!("{}, case {}", path.display(), i + 1), filled(&config)));
        }
    }
    files.retain(|(_, text)| !text.contains("&") && problems(text).is_empty());
    files
}

fn yaml_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(yaml_below(&path));
        } else if path.extension().is_some_and(|e| e == "yml" || e == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A case's names, with values in their place.
fn filled(config: &str) -> String {
    let mut out = String::new();
    let mut rest = config;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let value = match name.rsplit_once('.') {
            Some((_, "port")) => "8080",
            Some((_, "address")) => "127.0.0.1:8080",
            _ => "http://127.0.0.1:8080",
        };
        out = out + before + value;
        rest = after;
    }
    out + rest
}

/// Lines of the errors in a text, and their messages.
fn problems(text: &str) -> Vec<(usize, String)> {
    let input = Input::Text { name: "kong.yml".to_owned(), text: text.as_bytes().to_vec() };
    let loaded = load(&input, &Options::new(gatewayctl::catalog().expect("a catalog"))).unwrap();
    let errors = loaded.findings.iter().filter(|f| f.level == Level::Error);
    errors
        .map(|f| {
            (f.span().map_or(0, |s| loaded.sources.position(s).line), format!("{}: {}", f.code, f.message))
        })
        .collect()
}

struct Parsed {
    sources: SourceMap,
    document: Document,
    root: NodeId,
}

fn parsed(text: &str) -> Option<Parsed> {
    let mut sources = SourceMap::default();
    let file = sources.add("kong.yml", text);
    let (mut document, mut findings) = (Document::new(Span::start_of(file)), Findings::default());
    let root = parse(&sources, file, Format::Yaml, &mut document, &Limits::default(), &mut findings)?;
    Some(Parsed { sources, document, root })
}

/// All maps below a node with their entries.
fn maps(document: &Document, node: NodeId, found: &mut Vec<Vec<Entry>>) {
    match document.value(node) {
        Value::Map(entries) => {
            found.push(entries.to_vec());
            entries.iter().for_each(|entry| maps(document, entry.value, found));
        }
        Value::Seq(items) => items.iter().for_each(|item| maps(document, *item, found)),
        _ => {}
    }
}

/// Applies one mistake to a valid text. `None` if it does not apply at the drawn place.
fn mutant(text: &str, slip: Slip, dice: &mut Dice) -> Option<Mutant> {
    let Parsed { sources, document, root } = parsed(text)?;
    let mut all = Vec::new();
    maps(&document, root, &mut all);
    let entries = &all[dice.below(all.len())];
    let at = dice.below(entries.len().max(1));
    let entry = entries.get(at)?;
    let (key, value) = (document.span(entry.key), document.span(entry.value));
    let name = document.key_text(entry.key);
    let line = |span: Span| sources.position(span).line;
    let (start, end) = (key.start as usize, key.end as usize);
    let value_end = start + text.get(start..value.end as usize)?.trim_end().len();
    let (text, lines) = match slip {
        Slip::Misspell => {
            let letters: Vec<char> = name.chars().collect();
            if letters.len() < 3 || name.starts_with('_') {
                return None;
            }
            let i = 1 + dice.below(letters.len() - 1);
            let typed: String = match dice.below(3) {
                0 => letters.iter().enumerate().filter(|(n, _)| *n != i).map(|(_, c)| *c).collect(),
                1 => letters[..i].iter().chain(&letters[i - 1..]).collect(),
                _ => letters[..i].iter().chain(&['x']).chain(&letters[i..]).collect(),
            };
            (format!("{}{typed}{}", &text[..start], &text[end..]), vec![line(key)])
        }
        Slip::Retype => {
            let wrong = match document.value(entry.value) {
                Value::Map(_) | Value::Seq(_) => "7",
                _ => "{some: thing}",
            };
            (format!("{}: {wrong}{}", &text[..end], &text[value_end..]), vec![line(key)])
        }
        Slip::Delete => {
            let mended = match (entries.get(at + 1), at.checked_sub(1).and_then(|i| entries.get(i))) {
                (Some(next), _) => {
                    format!("{}{}", &text[..start], &text[document.span(next.key).start as usize..])
                }
                (None, Some(previous)) => {
                    let from = document.span(previous.value).end as usize;
                    let from = text[..from].trim_end().len();
                    format!("{}{}", &text[..from], &text[value_end..])
                }
                (None, None) => return None,
            };
            // The map that lacks it begins at its first key.
            let first = document.span(entries[usize::from(at == 0)].key);
            (mended, vec![line(document.span(entries[0].key)), line(first), line(key)])
        }
    };
    Some(Mutant { text, slip, key: name, lines })
}

/// Whether a key was needed: what the published schema says, checked by another engine than ours.
fn needed(text: &str, validator: &jsonschema::Validator) -> bool {
    parsed(text).is_some_and(|p| !validator.is_valid(&p.document.to_json(p.root)))
}

#[test]
fn slips_are_found_on_their_lines() {
    let validator =
        jsonschema::validator_for(&json_schema::file_schema(gatewayctl::registry())).expect("a schema");
    let files = files();
    assert!(files.len() > 300, "only {} files", files.len());
    let mut dice = Dice(SEED);
    let (mut made, mut missed) = (0, Vec::new());
    while made < MUTATIONS {
        let slip = [Slip::Misspell, Slip::Retype, Slip::Delete][made % 3];
        let (name, text) = &files[dice.below(files.len())];
        let Some(mutant) = mutant(text, slip, &mut dice) else { continue };
        if matches!(mutant.slip, Slip::Delete) && !needed(&mutant.text, &validator) {
            continue;
        }
        made += 1;
        let found = problems(&mutant.text);
        if !found.iter().any(|(line, _)| mutant.lines.contains(line)) {
            let Mutant { slip, key, lines, .. } = mutant;
            missed.push(format!("{name}: {slip:?} `{key}` on line {}: {found:?}", lines[lines.len() - 1]));
        }
    }
    // Names of headers and the like are free: a slip in one is none, and makes up what is missed.
    let report = format!("{} of {made} missed:\n{}", missed.len(), missed.join("\n"));
    assert!(missed.len() * 100 <= MUTATIONS * (100 - FOUND), "{report}");
}
