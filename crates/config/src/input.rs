//! Reading an input into one document: files, folders and standard input, template substitution, upgrade of old
//! format versions, merging, and decK's extensions.
//!
//! Schema validation follows in `shape`.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    Input,
    dialect::{self, Dialect},
    merge,
    secret::{Hidden, SecretFields},
    substitute::{Env, Rendered, parse_rendered},
    version,
};
use model::KindInfo;
use source::{Document, FileId, Finding, Findings, Format, Limits, NodeId, SourceMap, Span, parse};

/// Finding code: Kong accepts only one file whose name ends in `yaml`, `yml` or `json`.
pub const UNKNOWN_TYPE: &str = "config/unknown-file-type";

/// I/O error of an input.
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
    /// Returns the path as given by the user.
    pub fn path(&self) -> &str {
        match self {
            ReadError::Io { path, .. } | ReadError::EmptyFolder { path } | ReadError::Pem { path, .. } => {
                path
            }
            ReadError::Nothing | ReadError::StdinTwice => "-",
        }
    }

    /// Returns the reason without the path.
    pub fn reason(&self) -> String {
        match self {
            ReadError::Io { source, .. } => io_error_reason(source),
            other => {
                let text = other.to_string();
                text.strip_prefix(&format!("{}: ", self.path())).map_or(text.clone(), str::to_owned)
            }
        }
    }
}

/// Formats an I/O error without its OS error number.
pub fn io_error_reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        std::io::ErrorKind::PermissionDenied => "reading it is not permitted".to_owned(),
        std::io::ErrorKind::IsADirectory => "this is a folder, not a file".to_owned(),
        std::io::ErrorKind::InvalidData => "this is not text in UTF-8".to_owned(),
        _ => error.to_string(),
    }
}

/// Options of reading.
#[derive(Clone, Copy)]
pub struct ReadOptions<'a> {
    /// Kong's behaviour: one file, no templates, no decK extensions.
    pub kong_strict: bool,
    /// Secret fields.
    pub secrets: &'a SecretFields,
    /// Values of templates.
    pub env: Env<'a>,
    /// Parser limits.
    pub limits: Limits,
}

/// Input that was read and merged.
#[derive(Debug)]
pub struct Opened {
    /// The source files.
    pub sources: SourceMap,
    /// Their nodes, merged below the root.
    pub document: Document,
    /// Merged root; `None` if a file is invalid YAML or JSON.
    pub root: Option<NodeId>,
    /// Findings so far.
    pub findings: Findings,
    /// Information from decK's keys.
    pub dialect: Dialect,
    /// Spans of secrets outside the gateway's own format.
    pub secrets: Vec<Span>,
    rendered: Vec<Rendered>,
}

impl Opened {
    /// Masks substituted template values in findings. To be called once all findings are complete.
    pub fn mask(&self, findings: &mut Findings) {
        mask(&self.rendered, findings);
    }

    /// Takes the data that [`mask`] needs, for a caller that destructures the rest.
    pub fn take_rendered(&mut self) -> Vec<Rendered> {
        std::mem::take(&mut self.rendered)
    }
}

/// Masks substituted template values in findings.
pub fn mask(rendered: &[Rendered], findings: &mut Findings) {
    rendered.iter().for_each(|f| f.mask(findings));
}

/// Reads an input up to schema validation.
///
/// # Errors
/// If a file or folder cannot be read; errors inside a file are findings.
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
    let (mut roots, mut rendered, mut whole) = (Vec::new(), Vec::new(), true);
    for (file, format) in files {
        let Some(file) = file else {
            whole = false;
            continue;
        };
        let root = if options.kong_strict {
            parse(&sources, file, format, &mut doc, &options.limits, &mut findings)
        } else {
            let (env, limits) = (options.env, &options.limits);
            let (root, fill) = parse_rendered(&sources, file, format, env, &mut doc, limits, &mut findings);
            rendered.extend(fill);
            root
        };
        whole &= root.is_some();
        roots.extend(root);
    }
    let dialect = Dialect::default();
    let mut opened =
        Opened { sources, document: doc, root: None, findings, dialect, secrets: Vec::new(), rendered };
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
            doc.clear_interner();
        }
    }
    Ok(opened)
}

/// Returns the spans of secrets that schema validation does not reach: top-level keys that are not entity kinds
/// (most are removed by the decK dialect), and entries overridden by a duplicate key.
fn foreign_secrets(doc: &Document, root: NodeId, secrets: &SecretFields) -> Vec<Span> {
    let mut hidden = Hidden::new(secrets);
    let known = |key: NodeId| doc.str(key).is_some_and(|key| KindInfo::of(key).is_some());
    let foreign = doc.entries(root).iter().filter(|entry| !known(entry.key));
    foreign.chain(doc.replaced()).for_each(|entry| hidden.entry(doc, entry.key, entry.value));
    hidden.spans
}

type File = (Option<FileId>, Format);

/// Reads files and folders into the source map. Folders are searched recursively for names that end in `.yaml`,
/// `.yml` or `.json`, in sorted order. Names that start with a dot are skipped, which also avoids reading the
/// target folders of a Kubernetes volume twice.
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
        // A file named as JSON that contains YAML is treated as YAML.
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

/// Reads a file in chunks: many kernels do not preempt a thread inside a system call, and requests may be waiting
/// for its core.
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

/// Returns the PEM text of a setting: the content of the named file, the text itself, or base64 of it.
///
/// # Errors
/// If it is none of these. The message never contains the text.
pub fn pem(source: &str) -> Result<Vec<u8>, ReadError> {
    use base64::Engine;
    const BEGIN: &str = "-----BEGIN ";
    if source.contains(BEGIN) {
        return Ok(source.as_bytes().to_vec());
    }
    // A text longer than any path is base64; a shorter one may be either.
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
