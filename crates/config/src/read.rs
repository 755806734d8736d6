//! From an input to one document: files, folders and standard input read, templates filled in, older
//! versions brought up to date, several files made one, decK's keys understood.
//!
//! What the document says is not judged here; that begins with the shape.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    Input,
    dialect::{self, Dialect},
    merge,
    secret::{Hidden, SecretFields},
    substitute::{Env, Filled, parse_filled},
    version,
};
use model::KindInfo;
use source::{Document, FileId, Finding, Findings, Format, Limits, NodeId, SourceMap, Span, parse};

/// Kong takes one file whose name ends in `yaml`, `yml` or `json`; this is something else.
pub const UNKNOWN_TYPE: &str = "config/unknown-file-type";

/// An input that cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ReadError {
    #[error("{path}: {source}")]
    Io { path: String, source: io::Error },
    #[error("{path}: the folder holds no file that ends in .yaml, .yml or .json")]
    EmptyFolder { path: String },
    #[error("there is nothing to read: name a file, a folder, or `-` for standard input")]
    Nothing,
    #[error("standard input can be read only once")]
    StdinTwice,
    #[error("{path}: {reason}")]
    Pem { path: String, reason: &'static str },
}

impl ReadError {
    /// The path concerned, as the user gave it.
    pub fn path(&self) -> &str {
        match self {
            ReadError::Io { path, .. } | ReadError::EmptyFolder { path } | ReadError::Pem { path, .. } => {
                path
            }
            ReadError::Nothing | ReadError::StdinTwice => "-",
        }
    }

    /// The reason alone, without the path.
    pub fn reason(&self) -> String {
        match self {
            ReadError::Io { source, .. } => why(source),
            other => {
                let text = other.to_string();
                text.strip_prefix(&format!("{}: ", self.path())).map_or(text.clone(), str::to_owned)
            }
        }
    }
}

/// Why a file cannot be read, without the system's number for it.
pub fn why(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        std::io::ErrorKind::PermissionDenied => "reading it is not permitted".to_owned(),
        std::io::ErrorKind::IsADirectory => "this is a folder, not a file".to_owned(),
        std::io::ErrorKind::InvalidData => "this is not text in UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

/// How an input is read.
#[derive(Clone, Copy)]
pub struct ReadOptions<'a> {
    /// As Kong itself does: one file, no templates, none of decK's keys.
    pub kong_strict: bool,
    /// Which fields hold secrets.
    pub secrets: &'a SecretFields,
    /// What templates are filled with.
    pub env: Env<'a>,
    /// Bounds of the reader.
    pub limits: Limits,
}

/// An input, read.
#[derive(Debug)]
pub struct Opened {
    /// The files.
    pub sources: SourceMap,
    /// Their nodes. The root holds what all files say together; null if there is none.
    pub document: Document,
    /// The root; none if some file cannot be read as YAML or JSON.
    pub root: Option<NodeId>,
    /// What was found on the way.
    pub findings: Findings,
    /// What decK's keys said.
    pub dialect: Dialect,
    /// Places of secrets in what the gateway's own format does not know.
    pub secrets: Vec<Span>,
    filled: Vec<Filled>,
}

impl Opened {
    /// Takes values that templates were filled with out of findings. Call it once all are made.
    pub fn hide(&self, findings: &mut Findings) {
        hide(&self.filled, findings);
    }

    /// What [`hide`] needs, for who takes the rest apart.
    pub fn take_filled(&mut self) -> Vec<Filled> {
        std::mem::take(&mut self.filled)
    }
}

/// Takes values that templates were filled with out of findings.
pub fn hide(filled: &[Filled], findings: &mut Findings) {
    filled.iter().for_each(|f| f.hide(findings));
}

/// Reads an input up to the point where its shape is judged.
///
/// # Errors
/// When a file or folder cannot be read; what is wrong inside one is a finding.
pub fn open(input: &Input, options: &ReadOptions<'_>) -> Result<Opened, ReadError> {
    let mut sources = SourceMap::default();
    let mut findings = Findings::default();
    let files = match input {
        Input::Text { name, text } => {
            let format = Format::of_name(name).unwrap_or_default();
            let file = sources.add_bytes(name, text.clone(), &mut findings);
            vec![(file, format)]
        }
        Input::Paths(paths) => {
            read(paths, options.kong_strict, &mut io::stdin().lock(), &mut sources, &mut findings)?
        }
    };
    let first = sources.iter().next().map_or(FileId(0), |(file, _)| file);
    let mut doc = Document::new(Span::start_of(first));
    let (mut roots, mut filled, mut whole) = (Vec::new(), Vec::new(), true);
    for (file, format) in files {
        let Some(file) = file else {
            whole = false;
            continue;
        };
        let root = if options.kong_strict {
            parse(&sources, file, format, &mut doc, &options.limits, &mut findings)
        } else {
            let (env, limits) = (options.env, &options.limits);
            let (root, fill) = parse_filled(&sources, file, format, env, &mut doc, limits, &mut findings);
            filled.extend(fill);
            root
        };
        whole &= root.is_some();
        roots.extend(root);
    }
    let dialect = Dialect::default();
    let mut opened =
        Opened { sources, document: doc, root: None, findings, dialect, secrets: Vec::new(), filled };
    if whole {
        let (doc, findings) = (&mut opened.document, &mut opened.findings);
        version::apply(doc, &roots, findings);
        if let Some(root) = merge::merge(doc, &roots, findings) {
            doc.set_root(root);
            opened.root = Some(root);
            opened.secrets = foreign_secrets(doc, root, options.secrets);
            if !options.kong_strict {
                opened.dialect = dialect::apply(doc, findings);
            }
            doc.forget_texts();
        }
    }
    Ok(opened)
}

/// Places of secrets in what no schema is walked along: keys at the top that are no kind of entity, most of which
/// decK's dialect takes out, and values whose key is given again.
fn foreign_secrets(doc: &Document, root: NodeId, secrets: &SecretFields) -> Vec<Span> {
    let mut hidden = Hidden::new(secrets);
    let known = |key: NodeId| doc.str(key).is_some_and(|key| KindInfo::of(key).is_some());
    let foreign = doc.entries(root).iter().filter(|entry| !known(entry.key));
    foreign.chain(doc.replaced()).for_each(|entry| hidden.entry(doc, entry.key, entry.value));
    hidden.spans
}

type File = (Option<FileId>, Format);

/// Reads files and the files of folders into the map. Folders are searched at every depth for names that
/// end in `.yaml`, `.yml` or `.json`, in order; names that begin with a dot are passed over, which is
/// also how the folders behind a Kubernetes volume are not read twice.
fn read(
    paths: &[PathBuf],
    kong_strict: bool,
    stdin: &mut dyn Read,
    sources: &mut SourceMap,
    findings: &mut Findings,
) -> Result<Vec<File>, ReadError> {
    let mut files = Vec::new();
    let mut stdin = Some(stdin);
    for path in paths {
        if path.as_os_str() == "-" {
            let mut bytes = Vec::new();
            let reader = stdin.take().ok_or(ReadError::StdinTwice)?;
            reader
                .read_to_end(&mut bytes)
                .map_err(|source| ReadError::Io { path: "-".to_owned(), source })?;
            files.push((sources.add_bytes("-", bytes, findings), Format::Auto));
            continue;
        }
        let io = |source| ReadError::Io { path: path.display().to_string(), source };
        if std::fs::metadata(path).map_err(io)?.is_dir() && !kong_strict {
            let mut inside = Vec::new();
            search(path, &mut inside)?;
            if inside.is_empty() {
                return Err(ReadError::EmptyFolder { path: path.display().to_string() });
            }
            for file in inside {
                files.push(add(&file, kong_strict, sources, findings)?);
            }
        } else {
            files.push(add(path, kong_strict, sources, findings)?);
        }
    }
    match files.len() {
        0 => Err(ReadError::Nothing),
        1 => Ok(files),
        n if kong_strict => {
            let message = format!("{n} files are given, but Kong reads only one");
            findings
                .push(Finding::error(UNKNOWN_TYPE, message).help("make them one with `gatewayctl merge`"));
            Ok(files)
        }
        _ => Ok(files),
    }
}

fn add(
    path: &Path,
    kong_strict: bool,
    sources: &mut SourceMap,
    findings: &mut Findings,
) -> Result<File, ReadError> {
    let name = path.display().to_string();
    let bytes = read_file(path).map_err(|source| ReadError::Io { path: name.clone(), source })?;
    let known = Format::of_name(&name);
    let file = sources.add_bytes(name.as_str(), bytes, findings);
    let format = match known {
        Some(format) if kong_strict => format,
        // A file may hold YAML under the name of JSON; then it is YAML.
        Some(Format::Yaml) => Format::Yaml,
        Some(_) => Format::Auto,
        None => {
            if let (true, Some(file)) = (kong_strict, file) {
                let finding = Finding::error(UNKNOWN_TYPE, format!("{name}: unknown file type"))
                    .at(Span::start_of(file), "")
                    .help("Kong takes names that end in yaml, yml or json");
                findings.push(finding);
            }
            Format::Auto
        }
    };
    Ok((file, format))
}

/// A whole file, read in pieces: many a kernel lets no other thread onto a core within a call, and requests may
/// wait for this one.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    const PIECE: u64 = 64 << 10;
    let mut file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    let size = file.metadata().map_or(0, |meta| usize::try_from(meta.len()).unwrap_or(usize::MAX));
    bytes.try_reserve_exact(size)?;
    while file.by_ref().take(PIECE).read_to_end(&mut bytes)? > 0 {}
    Ok(bytes)
}

fn search(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    let io = |source| ReadError::Io { path: folder.display().to_string(), source };
    let mut entries = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect::<io::Result<Vec<_>>>())
        .map_err(io)?;
    entries.sort();
    for path in entries {
        let hidden = path.file_name().is_none_or(|n| n.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        let link = path.symlink_metadata().map_err(io)?.is_symlink();
        let meta = std::fs::metadata(&path).map_err(io)?;
        let ending = path.extension().and_then(|e| e.to_str());
        if meta.is_dir() && !link {
            search(&path, files)?;
        } else if meta.is_file() && matches!(ending, Some("yaml" | "yml" | "json")) {
            files.push(path);
        }
    }
    Ok(())
}

/// The PEM text that a setting names: the content of that file, the text itself, or the text in base64.
///
/// # Errors
/// When it is none of these. The message never holds the text itself.
pub fn pem(source: &str) -> Result<Vec<u8>, ReadError> {
    use base64::Engine;
    const BEGIN: &str = "-----BEGIN ";
    if source.contains(BEGIN) {
        return Ok(source.as_bytes().to_vec());
    }
    // What is longer than any path is base64; a shorter text may be either.
    if source.len() < 4096 && Path::new(source).exists() {
        let io = |error| ReadError::Io { path: source.to_owned(), source: error };
        return std::fs::read(source).map_err(io);
    }
    let packed: String = source.split_ascii_whitespace().collect();
    let decoded = base64::engine::general_purpose::STANDARD.decode(packed).ok();
    match decoded.filter(|d| memchr::memmem::find(d, BEGIN.as_bytes()).is_some()) {
        Some(pem) => Ok(pem),
        None => {
            let path =
                if source.contains('/') && source.len() < 256 { source } else { "a certificate or key" };
            Err(ReadError::Pem {
                path: path.to_owned(),
                reason: "neither a file, nor PEM, nor base64 of PEM",
            })
        }
    }
}

#[cfg(test)]
mod tests;
