//! The loading pipeline: source text → document → validated entities → typed configuration.

use std::sync::Arc;

use super::{
    Input, LoadError, Loaded, Options,
    credential_hash::{transform, transform_displayed},
    dialect::ConsumerGroup,
    entities::{EnabledSchemas, SchemaSet},
    foreign_format,
    input::{self, ReadError, ReadOptions},
    lower::{RowInputs, lower_entities},
    resolve::resolve,
    secret,
    substitute::Env,
    swapped_key_pair, trailing_commas, unknown_tags, unsupported,
    validator::{PathStep, Validator},
    vault,
};
use model::{KindInfo, State};
use source::{Document, ErrorPathSegment, Finding, Findings, Limits, NodeId, Value};

/// Loads a configuration: parses, substitutes templates, validates, flattens, and resolves ids and references.
///
/// # Errors
/// If a file cannot be read; errors inside a file are findings.
pub fn load(input: &Input, options: &Options<'_>) -> Result<Loaded, LoadError> {
    let read = ReadOptions {
        kong_strict: options.kong_strict,
        secrets: options.catalog.secrets(),
        env: Env::Values(&|name| (options.env)(name)),
        limits: Limits::default(),
    };
    let mut opened = input::open(input, &read)?;
    let rendered = opened.take_rendered();
    let groups = std::mem::take(&mut opened.dialect.consumer_groups);
    let mut loaded = Loaded {
        catalog: options.catalog,
        sources: opened.sources,
        document: opened.document,
        root: opened.root,
        state: None,
        findings: opened.findings,
        secrets: opened.secrets,
        found: Vec::new(),
        ids: Vec::new(),
        displayed: None,
    };
    match loaded.root.filter(|&root| matches!(loaded.document.value(root), Value::Map(_))) {
        Some(root) => {
            check(&mut loaded, root, &groups, options);
            swapped_key_pair::merge(&mut loaded);
            trailing_commas::merge(&mut loaded.findings, &loaded.sources);
            unknown_tags::merge(&mut loaded);
            foreign_format::merge(&mut loaded, root);
            secret::follow_aliases(&loaded.document, &mut loaded.secrets);
        }
        // Without a root there is no schema to follow; secrets are detected by field names alone.
        None => {
            not_a_map(&mut loaded);
            let Loaded { sources, secrets, .. } = &mut loaded;
            let fields = options.catalog.secrets();
            secrets
                .extend(sources.iter().flat_map(|(file, source)| fields.spans_of_named(file, source.text())));
        }
    }
    secret::hide_quoted(&mut loaded.findings, &loaded.sources, &loaded.secrets);
    input::mask(&rendered, &mut loaded.findings);
    options.catalog.secrets().redact_findings(&mut loaded.findings);
    loaded.findings.sort();
    Ok(loaded)
}

impl From<ReadError> for LoadError {
    fn from(error: ReadError) -> Self {
        LoadError { path: error.path().to_owned(), reason: error.reason() }
    }
}

/// Reports a document that is not a map.
fn not_a_map(loaded: &mut Loaded) {
    let (Some(root), doc) = (loaded.root, &loaded.document) else { return };
    let text = "failed parsing declarative configuration: expected an object";
    let found = super::validator::messages::describe(doc.value(root));
    let help = match doc.value(root) {
        Value::Seq(_) => {
            "write it under the name of what it lists, such as `services`, beside `_format_version`"
        }
        Value::Null => "a configuration of nothing is `_format_version: \"3.0\"`",
        _ => "a configuration begins with `_format_version: \"3.0\"`",
    };
    let finding = Finding::error("config/not-a-map", format!("the document must be a map, found {found}"))
        .at(doc.span(root), "")
        .help(help)
        .kong_error(vec![ErrorPathSegment::Key("error".to_owned())], text);
    loaded.findings.push(finding);
}

/// Lowers a document to rows: schema validation, ids and references, typed rows.
fn check(loaded: &mut Loaded, root: NodeId, groups: &[ConsumerGroup], options: &Options<'_>) {
    let Loaded { document: doc, findings, .. } = loaded;
    let schemas = options.catalog.schemas(options.flavor);
    let resolver = EnabledSchemas { schemas, plugin: options.plugin_enabled };
    let mut validator = Validator::new(doc, findings, &resolver, options.catalog.secrets());
    validator.record(schemas.file(), Some(root));
    check_groups(&mut validator, schemas, groups);
    let (found, references) = (validator.found, validator.references);
    loaded.secrets.append(&mut validator.secrets);
    loaded.secrets.append(&mut validator.hidden.spans);

    let mut later = Findings::default();
    let resolved = resolve(doc, &found, &mut later);
    let now = now();
    let read_rows = |doc: &mut Document, findings: &mut Findings| {
        let Options { catalog, flavor, allow_unsupported, .. } = *options;
        let registry = catalog.registry();
        lower_entities(
            RowInputs { doc, found: &found, resolved: &resolved, now, flavor, allow_unsupported, registry },
            findings,
        )
    };
    let mut state = read_rows(doc, findings);
    let mut written = None;
    if !references.is_empty() && !findings.has_errors() {
        // The served state contains the resolved values; the document, and its displayed form, the references.
        let vaults = vault::Vaults::of(&state, options.vault_env_prefix);
        let (texts, unread) = vault::fill_in(doc, &references, &vaults, options.env, findings);
        let mut unusable = Findings::default();
        let served = read_rows(doc, &mut unusable);
        vault::put_back(doc, texts);
        vault::report(doc, &references, &unread, &vaults, &unusable, findings);
        written = Some(Arc::new(std::mem::replace(&mut state, served)));
    }
    if findings.has_errors() {
        // Kong checks duplicates and references only in an otherwise valid document; its response must not contain
        // these.
        later.0.iter_mut().for_each(|finding| finding.kong_errors.clear());
    }
    findings.append(&mut later);
    loaded.found = found;
    loaded.ids = resolved.ids;
    if loaded.findings.has_errors() {
        return;
    }
    let doc = &loaded.document;
    unsupported::warn(doc, &state, &mut loaded.findings);
    let transforms = doc.get(root, "_transform").is_none_or(|n| *doc.value(n) != Value::Bool(false));
    loaded.displayed.clone_from(&written);
    if transforms && needs_transform(&state) {
        loaded.displayed.get_or_insert_with(|| Arc::new(state.clone()));
        transform(&mut state);
        written = written.map(|written| Arc::new(transform_displayed(&written, &state)));
    }
    if let Some(written) = written {
        state.set_displayed(written);
    }
    loaded.state = Some(Arc::new(state));
}

/// Validates the settings of plugins nested in consumer groups. Plugins that are not available here are skipped.
fn check_groups(validator: &mut Validator<'_>, schemas: SchemaSet, groups: &[ConsumerGroup]) {
    let Some(kind) = KindInfo::number("plugins") else { return };
    for group in groups {
        for (i, &plugin) in group.own_plugins.iter().enumerate() {
            let name = validator.doc.get(plugin, "name").and_then(|name| validator.doc.str(name));
            if name.is_some_and(|name| schemas.has_plugin(name)) {
                let path = [
                    PathStep::Field("consumer_groups"),
                    PathStep::Item(group.index),
                    PathStep::Field("plugins"),
                    PathStep::Item(i + 1),
                ];
                validator.validate_unloaded(kind, &path, plugin);
            }
        }
    }
}

fn needs_transform(state: &State) -> bool {
    !(state.basicauth_credentials.is_empty()
        && state.ca_certificates.is_empty()
        && state.oauth2_credentials.is_empty())
}

/// Returns the Unix time in seconds, with millisecond precision.
fn now() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0.0, |d| (d.as_secs_f64() * 1000.0).round() / 1000.0)
}
