//! `{vault://…}` references, and the only supported vault type: environment variables.
//!
//! A referenceable field contains a reference as its whole text. It is resolved when the configuration is loaded;
//! an unresolvable reference becomes an empty string with a warning ([`resolve_or_empty`]). The caller reads the
//! environment once at start and passes it in.

use std::borrow::Cow;

use ahash::AHashMap;

use http_codec::urlencoded;
use model::State;
use source::{Document, Finding, Findings, NodeId, Value};

/// Finding code: a reference cannot be resolved; the field becomes an empty string.
pub const UNREADABLE: &str = "config/vault";

/// Parsed vault reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Vault type (`env`), or the prefix of a `vaults` entity.
    pub name: String,
    /// Resource to look up.
    pub resource: String,
    /// Member of the JSON object found there.
    pub key: Option<String>,
    /// Settings that override the vault's.
    pub config: Vec<(String, String)>,
    /// Version; 2 is the previous one.
    pub version: Option<u32>,
}

/// Error of resolution. Never contains the value found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum VaultError {
    #[error("`{0}` is not a reference such as `{{vault://env/name}}`: {1}")]
    Malformed(String, &'static str),
    #[error("there is no vault `{0}`")]
    NoVault(String),
    #[error("vaults of the kind `{0}` cannot be read here, only `env`")]
    Kind(String),
    #[error("the variable `{0}` is not set")]
    NotSet(String),
    #[error("the variable `{0}` does not hold a JSON object, so it has no `{1}`")]
    NotAnObject(String, String),
    #[error("the JSON object in the variable `{0}` has no text under `{1}`")]
    NoMember(String, String),
}

/// Vaults that references may name.
#[derive(Clone, Debug, Default)]
pub struct Vaults {
    /// The node setting `vault_env_prefix`.
    env_prefix: Option<String>,
    named: AHashMap<String, Named>,
}

#[derive(Clone, Debug)]
struct Named {
    kind: String,
    prefix: Option<String>,
}

impl Vaults {
    /// Creates the built-in vaults: `env`, with the prefix from the setting `vault_env_prefix`. As in Kong, a prefix that
    /// is no prefix of variables is ignored.
    pub fn new(env_prefix: Option<&str>) -> Self {
        let env_prefix = env_prefix.filter(|prefix| is_prefix(prefix)).map(str::to_owned);
        Vaults { env_prefix, named: AHashMap::new() }
    }

    /// Adds a `vaults` entity: its prefix, its type, and the `prefix` of its config.
    pub fn add(
        &mut self,
        prefix: impl Into<String>,
        kind: impl Into<String>,
        config_prefix: Option<impl Into<String>>,
    ) {
        let named = Named { kind: kind.into(), prefix: config_prefix.map(Into::into) };
        self.named.insert(prefix.into(), named);
    }

    /// Creates the vaults of a configuration: `env`, with the prefix from the node's setting, and every row of the
    /// `vaults` table.
    pub fn of(state: &State, env_prefix: Option<&str>) -> Self {
        let mut vaults = Vaults::new(env_prefix);
        for row in state.vaults.rows() {
            vaults.add(row.prefix.as_str(), row.name.as_str(), row.config.prefix.as_deref());
        }
        vaults
    }

    fn prefix(&self, reference: &Reference) -> Result<Option<Cow<'_, str>>, VaultError> {
        let own = match reference.name.as_str() {
            "env" => self.env_prefix.as_deref(),
            name => {
                let vault = self.named.get(name).ok_or_else(|| VaultError::NoVault(name.to_owned()))?;
                if vault.kind != "env" {
                    return Err(VaultError::Kind(vault.kind.clone()));
                }
                vault.prefix.as_deref()
            }
        };
        let given = reference.config.iter().rev().find(|(k, v)| k == "prefix" && is_prefix(v));
        Ok(given.map(|(_, v)| Cow::Owned(v.clone())).or(own.map(Cow::Borrowed)))
    }
}

/// Returns whether a text is a valid prefix of variable names: letters, digits, `_` and `-`, not starting with a
/// digit.
pub fn is_prefix(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    text.bytes().all(word) && text.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}

/// Returns whether a text has the form of a reference. Such a value skips the other checks of its field.
pub fn is_reference(text: &str) -> bool {
    text.starts_with("{vault://") && text.ends_with('}')
}

/// Parses a reference.
///
/// # Errors
/// If the vault or resource is missing, or the version is not a number.
pub fn parse(text: &str) -> Result<Reference, VaultError> {
    let malformed = |why| VaultError::Malformed(text.to_owned(), why);
    if !is_reference(text) {
        return Err(malformed("it does not begin with `{vault://` or does not end with `}`"));
    }
    let url = &text["{vault://".len()..text.len() - 1];
    let (url, version) = match url.split_once('#') {
        Some((url, version)) => {
            (url, Some(version.parse().map_err(|_| malformed("the version after `#` is not a number"))?))
        }
        None => (url, None),
    };
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let (name, path) = path.split_once('/').unwrap_or((path, ""));
    if name.is_empty() {
        return Err(malformed("it names no vault"));
    }
    let folder = path.ends_with('/');
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (resource, key) = match parts.as_slice() {
        [] => return Err(malformed("it names nothing in the vault")),
        [resource] => ((*resource).to_owned(), None),
        all if folder => (all.join("/"), None),
        [first @ .., last] => (first.join("/"), Some(unescape(last))),
    };
    Ok(Reference {
        name: name.to_owned(),
        resource: unescape(&resource),
        key,
        config: urlencoded::arguments(query.as_bytes())
            .map(|argument| {
                let value = argument.value_text().unwrap_or_default();
                (argument.name_text().into_owned(), value.into_owned())
            })
            .collect(),
        version,
    })
}

/// Resolves a reference. `env` looks up an environment variable.
///
/// # Errors
/// If the reference is malformed, names an unknown vault, or has no value.
pub fn resolve(
    text: &str,
    vaults: &Vaults,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, VaultError> {
    let reference = parse(text)?;
    let variable = variable(&reference, vaults)?;
    let Some(value) = env(&variable) else { return Err(VaultError::NotSet(variable)) };
    let Some(key) = reference.key else { return Ok(value) };
    match serde_json::from_str(&value) {
        Ok(serde_json::Value::Object(mut members)) => match members.remove(&key) {
            Some(serde_json::Value::String(member)) => Ok(member),
            _ => Err(VaultError::NoMember(variable, key)),
        },
        _ => Err(VaultError::NotAnObject(variable, key)),
    }
}

/// Returns the name of the environment variable.
fn variable(reference: &Reference, vaults: &Vaults) -> Result<String, VaultError> {
    let prefix = vaults.prefix(reference)?;
    let mut variable = format!("{}{}", prefix.unwrap_or_default(), reference.resource);
    variable = variable.replace('-', "_").to_ascii_uppercase();
    if reference.version == Some(2) {
        variable.push_str("_PREVIOUS");
    }
    Ok(variable)
}

/// Resolves a field's value: plain text as is, a reference to its value, or to an empty string with the reason for
/// a warning.
pub fn resolve_or_empty<'a>(
    text: &'a str,
    vaults: &Vaults,
    env: &dyn Fn(&str) -> Option<String>,
) -> (Cow<'a, str>, Option<VaultError>) {
    if !is_reference(text) {
        return (Cow::Borrowed(text), None);
    }
    match resolve(text, vaults, env) {
        Ok(value) => (Cow::Owned(value), None),
        Err(error) => (Cow::Borrowed(""), Some(error)),
    }
}

/// Replaces references by their values, or by an empty string with a warning. Returns the original values for
/// [`put_back`], and the references that failed.
pub fn fill_in(
    doc: &mut Document,
    references: &[NodeId],
    vaults: &Vaults,
    env: &dyn Fn(&str) -> Option<String>,
    findings: &mut Findings,
) -> (Vec<(NodeId, Value)>, Vec<NodeId>) {
    let (mut written, mut unread) = (Vec::new(), Vec::new());
    for &node in references {
        let Some(text) = doc.str(node).filter(|text| is_reference(text)).map(str::to_owned) else { continue };
        let (value, error) = resolve_or_empty(&text, vaults, env);
        if let Some(error) = error {
            unread.push(node);
            let finding = Finding::warning(UNREADABLE, format!("{error}; the field counts as empty"));
            findings.push(finding.at(doc.span(node), "cannot be read"));
        }
        written.push((node, doc.value(node).clone()));
        doc.set(node, Value::Str(value.into_owned().into()));
    }
    (written, unread)
}

/// Restores the references that [`fill_in`] replaced.
pub fn put_back(doc: &mut Document, written: Vec<(NodeId, Value)>) {
    written.into_iter().for_each(|(node, value)| doc.set(node, value));
}

/// Reports values of references that their fields reject, without repeating the values, which the reasons in
/// `unusable` contain. References that failed have been reported already.
pub fn report(
    doc: &Document,
    references: &[NodeId],
    unread: &[NodeId],
    vaults: &Vaults,
    unusable: &Findings,
    findings: &mut Findings,
) {
    for reason in unusable.iter().filter(|f| f.level == source::Level::Error) {
        let Some(place) = reason.span() else { continue };
        let inside = |node: &&NodeId| {
            let span = doc.span(**node);
            span.file == place.file && span.start >= place.start && span.end <= place.end
        };
        if unread.iter().any(|node| inside(&node)) {
            continue;
        }
        let node = references.iter().find(inside).copied();
        let place = node.map_or(place, |node| doc.span(node));
        let named = node
            .and_then(|node| doc.str(node))
            .and_then(|text| variable(&parse(text).ok()?, vaults).ok())
            .map(|name| format!("the value comes from the environment variable `{name}`"));
        let message = "what the reference stands for cannot be used here";
        let mut finding = Finding::error(UNREADABLE, message).at(place, "");
        finding.help = named;
        finding.path = reason.path.clone();
        findings.push(finding);
    }
}

fn unescape(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        let value = match name {
            "FOO" => "plain",
            "FOO_PREVIOUS" => "older",
            "X_FOO" => "with prefix",
            "PG" => r#"{"username":"u","port":5432,"a/b":"slash"}"#,
            "SSL_CERT/KEY" => "folder",
            "MY_SECRET_NAME" => "dashes",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn get(text: &str) -> Result<String, VaultError> {
        let mut vaults = Vaults::default();
        vaults.add("my-env", "env", Some("x_"));
        vaults.add("my-hcv", "hcv", None::<String>);
        resolve(text, &vaults, &env)
    }

    #[test]
    fn a_reference_is_recognised_by_prefix_and_suffix() {
        assert!(is_reference("{vault://env/a}") && is_reference("{vault://}"));
        assert!(!is_reference("{vault:/env/a}") && !is_reference(" {vault://env/a}") && !is_reference("x"));
    }

    #[test]
    fn all_parts_of_a_reference_are_parsed() {
        let reference = parse("{vault://env/ce%72t/key?prefix=SSL_&x=1#1}").expect("reads");
        assert_eq!((reference.name.as_str(), reference.resource.as_str()), ("env", "cert"));
        assert_eq!((reference.key.as_deref(), reference.version), (Some("key"), Some(1)));
        assert_eq!(
            reference.config,
            [("prefix".to_owned(), "SSL_".to_owned()), ("x".to_owned(), "1".to_owned())]
        );
    }

    #[test]
    fn names_become_upper_case_with_underscores() {
        assert_eq!(get("{vault://env/foo}").as_deref(), Ok("plain"));
        assert_eq!(get("{vault://env/my-secret-name}").as_deref(), Ok("dashes"));
    }

    #[test]
    fn the_prefix_comes_from_the_reference_or_the_vault_or_the_setting() {
        assert_eq!(get("{vault://env/foo?prefix=x_}").as_deref(), Ok("with prefix"));
        assert_eq!(get("{vault://my-env/foo}").as_deref(), Ok("with prefix"));
        assert_eq!(
            get("{vault://env/foo?prefix=1}").as_deref(),
            Ok("plain"),
            "a wrong prefix is passed over"
        );
        let vaults = Vaults::new(Some("X_"));
        assert_eq!(resolve("{vault://env/foo}", &vaults, &env).as_deref(), Ok("with prefix"));
    }

    #[test]
    fn version_two_is_the_previous_value() {
        assert_eq!(get("{vault://env/foo#2}").as_deref(), Ok("older"));
        assert_eq!(get("{vault://env/foo#1}").as_deref(), Ok("plain"));
    }

    #[test]
    fn the_last_segment_is_a_member_unless_a_slash_follows() {
        assert_eq!(get("{vault://env/pg/username}").as_deref(), Ok("u"));
        assert_eq!(get("{vault://env/pg/a%2Fb}").as_deref(), Ok("slash"));
        assert_eq!(get("{vault://env/ssl-cert/key/}").as_deref(), Ok("folder"));
        assert_eq!(get("{vault://env/pg/port}"), Err(VaultError::NoMember("PG".into(), "port".into())));
        assert_eq!(get("{vault://env/foo/a}"), Err(VaultError::NotAnObject("FOO".into(), "a".into())));
    }

    #[test]
    fn unresolvable_references_report_a_reason() {
        assert_eq!(get("{vault://env/none}"), Err(VaultError::NotSet("NONE".into())));
        assert_eq!(get("{vault://other/a}"), Err(VaultError::NoVault("other".into())));
        assert_eq!(get("{vault://my-hcv/a}"), Err(VaultError::Kind("hcv".into())));
        for text in
            ["x", "{vault://}", "{vault://env}", "{vault://env/}", "{vault:///a}", "{vault://env/a#b}"]
        {
            assert!(matches!(get(text), Err(VaultError::Malformed(..))), "{text}");
        }
    }

    #[test]
    fn a_failed_reference_becomes_an_empty_string() {
        let vaults = Vaults::default();
        assert_eq!(resolve_or_empty("text", &vaults, &env), (Cow::Borrowed("text"), None));
        let (value, error) = resolve_or_empty("{vault://env/none}", &vaults, &env);
        assert_eq!(value, "");
        assert_eq!(error, Some(VaultError::NotSet("NONE".into())));
    }

    fn load(yaml: &str) -> crate::Loaded {
        load_with(yaml, None)
    }

    fn load_with(yaml: &str, vault_env_prefix: Option<&str>) -> crate::Loaded {
        let input = crate::Input::Text { name: "kong.yml".to_owned(), text: yaml.into() };
        let env = |name: &str| match name {
            "X_CERT" => Some("hunter2".to_owned()),
            "SECRET" => Some("s3cret".to_owned()),
            _ => None,
        };
        let options = crate::Options {
            kong_strict: true,
            env: &env,
            vault_env_prefix,
            ..crate::Options::new(crate::catalog())
        };
        crate::load(&input, &options).expect("text at hand")
    }

    #[test]
    fn the_state_contains_the_value_and_the_document_the_reference() {
        let loaded = load(
            "_format_version: '3.0'\nplugins:\n- name: rate-limiting\n  config: {minute: 1, redis: {host: h, password: '{vault://env/secret}'}}\n",
        );
        assert!(loaded.findings.0.is_empty(), "{:?}", loaded.findings);
        let json = loaded.document.to_json(loaded.root.expect("a root")).to_string();
        assert!(json.contains("{vault://env/secret}") && !json.contains("s3cret"));
        let password = |state: &State| state.plugins.rows()[0].config.json()["redis"]["password"].clone();
        assert_eq!(password(&loaded.displayed.expect("differs from what is served")), "{vault://env/secret}");
        assert_eq!(password(&loaded.state.expect("served")), "s3cret");
    }

    #[test]
    fn the_prefix_of_the_node_applies_to_the_built_in_vault() {
        let text = "_format_version: '3.0'\nplugins:\n- name: rate-limiting\n  config: {minute: 1, redis: {host: h, password: '{vault://env/cert}'}}\n";
        let password = |prefix: Option<&str>| {
            let state = load_with(text, prefix).state.expect("served");
            state.plugins.rows()[0].config.json()["redis"]["password"].clone()
        };
        assert_eq!(
            (password(Some("X_")), password(Some("1_")), password(None)),
            ("hunter2".into(), "".into(), "".into())
        );
    }

    #[test]
    fn a_failed_reference_is_a_warning() {
        let loaded = load(
            "_format_version: '3.0'\nvaults: [{name: env, prefix: my-env, config: {prefix: X_}}]\nplugins:\n- name: rate-limiting\n  config: {minute: 1, redis: {host: h, username: '{vault://my-env/cert}', password: '{vault://env/cert}'}}\n",
        );
        let found: Vec<_> = loaded.findings.iter().map(|f| (f.code, f.level)).collect();
        assert_eq!(found, [(UNREADABLE, source::Level::Warning)], "{:?}", loaded.findings);
        let redis = loaded.state.expect("served").plugins.rows()[0].config.json()["redis"].clone();
        assert_eq!((&redis["username"], &redis["password"]), (&"hunter2".into(), &"".into()));
    }
}
