//! Loading of [`Settings`] from a file, environment variables and flags, with a list of issues.

use std::{collections::BTreeMap, fmt};

use super::{
    consistency::{self, Conflict},
    known::{ALIASES, ignored_names, ignored_reason, matches_actual_behaviour, unsupported_reason},
    table::{ROWS, Row, Settings},
    value::{BadValue, CipherSuite, TlsVersion},
};
use crate::{nearest, vault};
use source::Level;

/// Kong's default configuration files, in search order.
pub const DEFAULT_FILES: &[&str] = &["/etc/kong/kong.conf", "/etc/kong.conf"];

/// Sources of settings, in ascending precedence.
#[derive(Clone, Debug, Default)]
pub struct Sources<'a> {
    /// Name and content of a `kong.conf`.
    pub file: Option<(&'a str, &'a str)>,
    /// Environment variables. Those without the prefix `KONG_` are used only by `{vault://env/…}` in values.
    pub environment: Vec<(String, String)>,
    /// Flags as name and value; the name with dashes or underscores, without the leading two dashes.
    pub flags: Vec<(String, String)>,
    /// Arguments of `--set` as name and value. They take precedence over individual flags.
    pub set: Vec<(String, String)>,
}

/// Origin of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// File and line (from 1).
    File(String, usize),
    /// Environment variable.
    Variable(String),
    /// Flag, with its dashes.
    Flag(String),
    /// `--set` with that name.
    Set(String),
    /// Default value.
    #[default]
    Default,
}

/// Problem with a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Severity; an error prevents the start.
    pub level: Level,
    /// Name of the setting as given, or its own name if it was found missing.
    pub setting: String,
    /// Origin of the value.
    pub origin: Origin,
    /// Reason; never contains a secret.
    pub message: String,
    /// Suggested correction.
    pub help: Option<String>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(name, line) => write!(f, "{name}:{line}"),
            Origin::Variable(name) | Origin::Flag(name) => f.write_str(name),
            Origin::Set(name) => write!(f, "--set {name}"),
            Origin::Default => f.write_str("default"),
        }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            // The name of a variable or flag already identifies the setting.
            Origin::Variable(_) | Origin::Flag(_) | Origin::Set(_) => {
                write!(f, "{}: {}", self.origin, self.message)?;
            }
            Origin::File(..) => write!(f, "{}: {}: {}", self.origin, self.setting, self.message)?,
            Origin::Default => write!(f, "{}: {}", self.setting, self.message)?,
        }
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// Setting as given by a source, not yet parsed.
struct RawSetting {
    name: String,
    value: String,
    origin: Origin,
}

/// Loads the settings. An invalid value keeps the default and produces an error; an unknown or ignored setting
/// produces a warning or a note.
pub fn load(sources: &Sources<'_>) -> (Settings, Vec<Issue>) {
    let mut loading = Loading { sources, issues: Vec::new(), winners: BTreeMap::new() };
    if let Some((name, text)) = sources.file {
        let given = loading.read_file(name, text);
        loading.take(given);
    }
    loading.take(variables(&sources.environment));
    loading.take(flags(&sources.flags));
    loading.take(set(&sources.set));

    let mut settings = Settings::default();
    for row in ROWS {
        if let Some(given) = loading.winners.remove(row.name) {
            loading.assign(&mut settings, row, &given);
            settings.origins.insert(row.name, given.origin.clone());
            loading.winners.insert(row.name, given);
        }
    }
    loading.check(&settings);
    (settings, loading.issues)
}

fn variables(environment: &[(String, String)]) -> Vec<RawSetting> {
    let mut given: Vec<RawSetting> = environment
        .iter()
        .filter_map(|(variable, value)| {
            let name = variable.strip_prefix("KONG_")?;
            let upper = !name.is_empty() && !name.bytes().any(|b| b.is_ascii_lowercase());
            upper.then(|| RawSetting {
                name: name.to_ascii_lowercase(),
                value: value.clone(),
                origin: Origin::Variable(variable.clone()),
            })
        })
        .collect();
    given.sort_by(|a, b| a.name.cmp(&b.name));
    given
}

fn flags(flags: &[(String, String)]) -> Vec<RawSetting> {
    let given = |(flag, value): &(String, String)| RawSetting {
        name: flag.replace('-', "_"),
        value: value.clone(),
        origin: Origin::Flag(format!("--{}", flag.replace('_', "-"))),
    };
    flags.iter().map(given).collect()
}

fn set(arguments: &[(String, String)]) -> Vec<RawSetting> {
    let given = |(name, value): &(String, String)| RawSetting {
        name: name.replace('-', "_"),
        value: value.clone(),
        origin: Origin::Set(name.clone()),
    };
    arguments.iter().map(given).collect()
}

impl Settings {
    /// Builds an error about a setting, with the origin of its value.
    pub fn error(&self, name: &str, message: impl Into<String>, help: Option<String>) -> Issue {
        let origin = self.origins.get(name).cloned().unwrap_or_default();
        Issue { level: Level::Error, setting: name.to_owned(), origin, message: message.into(), help }
    }
}

fn row(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

fn canonical(name: &str) -> Option<&'static str> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, setting)| *setting);
    row(alias.unwrap_or(name)).map(|row| row.name)
}

struct Loading<'a, 'b> {
    sources: &'b Sources<'a>,
    issues: Vec<Issue>,
    winners: BTreeMap<&'static str, RawSetting>,
}

impl Loading<'_, '_> {
    fn issue(&mut self, level: Level, given: &RawSetting, message: impl Into<String>, help: Option<String>) {
        let (setting, origin) = (given.name.clone(), given.origin.clone());
        self.issues.push(Issue { level, setting, origin, message: message.into(), help });
    }

    /// Applies one source: its values override those of previous sources. A setting's own name takes precedence
    /// over its aliases.
    fn take(&mut self, mut level: Vec<RawSetting>) {
        level.sort_by_key(|given| row(&given.name).is_some());
        for given in level {
            match canonical(&given.name) {
                // An empty value counts as absent, except where it clears a value.
                Some(name) if given.value.is_empty() && row(name).is_some_and(|r| !r.empty) => {}
                Some(name) => {
                    self.winners.insert(name, given);
                }
                None => self.unknown(&given),
            }
        }
    }

    fn unknown(&mut self, given: &RawSetting) {
        if let Some(why) = ignored_reason(&given.name) {
            let level = if matches_actual_behaviour(&given.name, &given.value) {
                Level::Note
            } else {
                Level::Warning
            };
            return self.issue(level, given, format!("has no effect: {why}"), None);
        }
        let names = ROWS.iter().map(|row| row.name).chain(ALIASES.iter().map(|(alias, _)| *alias));
        // Orchestrators add variables of their own, which must not be reported as misspelt.
        let is_variable = matches!(given.origin, Origin::Variable(_));
        let meaningless = ignored_names().map(|(name, _)| name).filter(|name| !name.ends_with('*'));
        let near = nearest(&given.name, names.chain(meaningless.filter(|_| !is_variable)));
        let shown = |name: &str| match given.origin {
            Origin::Variable(_) => format!("KONG_{}", name.to_ascii_uppercase()),
            Origin::Flag(_) => format!("--{}", name.replace('_', "-")),
            Origin::Set(_) => format!("--set {name}"),
            _ => name.to_owned(),
        };
        let help = near.map(|name| format!("did you mean `{}`?", shown(name)));
        let level = match given.origin {
            // For example KONG_PROXY_SERVICE_HOST.
            Origin::Variable(_) if near.is_none() => return,
            Origin::Flag(_) | Origin::Set(_) => Level::Error,
            _ => Level::Warning,
        };
        self.issue(level, given, "is not a setting", help);
    }

    fn assign(&mut self, settings: &mut Settings, row: &Row, given: &RawSetting) {
        let mut value = given.value.clone();
        if vault::is_reference(&value) {
            // The prefix itself cannot be a reference.
            let prefix = self.winners.get("vault_env_prefix").map(|prefix| prefix.value.trim());
            let vaults = vault::Vaults::new(prefix);
            let lookup = |name: &str| {
                self.sources.environment.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
            };
            match vault::resolve(&value, &vaults, &lookup) {
                Ok(secret) => {
                    value = secret;
                    settings.references.insert(row.name, given.value.clone());
                }
                Err(error) => return self.issue(Level::Error, given, error.to_string(), None),
            }
        }
        if let Some(Err(BadValue { message, help })) = settings.assign(row.name, value.trim()) {
            let secret = row.secret || value != given.value;
            let message = match secret {
                true if row.secret => format!("the value is not {}", row.form),
                true => "the value cannot be read".to_owned(),
                false => message,
            };
            return self.issue(Level::Error, given, message, help.filter(|_| !secret));
        }
        if let Some(why) =
            unsupported_reason(row.name).filter(|_| !matches_actual_behaviour(row.name, &given.value))
        {
            self.issue(Level::Warning, given, format!("has no effect yet: {why}"), None);
        }
    }

    /// Parses lines of `key = value`. An unescaped `#` starts a comment; a trailing backslash continues the line.
    fn read_file(&mut self, name: &str, text: &str) -> Vec<RawSetting> {
        let mut given: Vec<RawSetting> = Vec::new();
        let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let mut line = line.trim().to_owned();
            if line.is_empty() || line.starts_with('#') || line.starts_with(';') {
                continue;
            }
            while let Some(start) = line.strip_suffix('\\') {
                let next = lines.next().map(|(_, next)| next.trim()).unwrap_or_default();
                line = format!("{start}{next}");
            }
            let line = without_comment(&line);
            let origin = Origin::File(name.to_owned(), number + 1);
            let Some((key, value)) = line.split_once('=') else {
                let wrong = RawSetting { name: line.trim().to_owned(), value: String::new(), origin };
                let help = Some("write `name = value`, or `#` in front of a comment".to_owned());
                self.issue(Level::Error, &wrong, "is not a setting with a value", help);
                continue;
            };
            let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
            let entry = RawSetting { name: key, value, origin };
            if let Some(i) = given.iter().position(|g| g.name == entry.name) {
                let first = given.remove(i);
                let message = format!("is given twice; the one at {} is not used", first.origin);
                self.issue(Level::Warning, &entry, message, None);
            }
            given.push(entry);
        }
        given
    }

    /// Runs the checks across settings.
    fn check(&mut self, settings: &Settings) {
        let pairs = [
            ("ssl_cert", settings.ssl_cert.len(), settings.ssl_cert_key.len()),
            ("admin_ssl_cert", settings.admin_ssl_cert.len(), settings.admin_ssl_cert_key.len()),
            ("status_ssl_cert", settings.status_ssl_cert.len(), settings.status_ssl_cert_key.len()),
            (
                "client_ssl_cert",
                settings.client_ssl_cert.iter().count(),
                settings.client_ssl_cert_key.iter().count(),
            ),
        ];
        for (name, certificates, keys) in pairs {
            if certificates != keys {
                let message = format!("{certificates} of them, but {keys} in `{name}_key`");
                self.push_issue(
                    Level::Error,
                    name,
                    message,
                    "give each certificate its key, in the same order",
                );
            }
        }
        if !(0.0..=1.0).contains(&settings.tracing_sampling_rate) {
            let message = format!("`{}` is not a share of requests", settings.tracing_sampling_rate);
            self.push_issue(Level::Error, "tracing_sampling_rate", message, "write a number from 0 to 1");
        }
        self.check_tracing(settings);
        let buffers = settings.large_client_header_buffers.split_once(char::is_whitespace);
        let readable = buffers.is_some_and(|(count, size)| {
            count.parse::<u32>().is_ok_and(|n| n > 0)
                && <super::Size as super::Setting>::parse(size.trim()).is_ok()
        });
        if !readable {
            let message = format!("`{}` is not a count and a size", settings.large_client_header_buffers);
            self.push_issue(
                Level::Error,
                "large_client_header_buffers",
                message,
                "write for instance `4 8k`",
            );
        }
        let old = [TlsVersion::V10, TlsVersion::V11];
        let custom = settings.ssl_cipher_suite == CipherSuite::Custom;
        if custom && settings.ssl_protocols.iter().any(|v| old.contains(v)) {
            let message = "nothing older than TLS 1.2 is offered";
            self.push_issue(Level::Warning, "ssl_protocols", message, "leave out `TLSv1` and `TLSv1.1`");
        }
        if custom && settings.tls_versions().is_empty() {
            self.push_issue(Level::Error, "ssl_protocols", "no version is left", "write `TLSv1.2 TLSv1.3`");
        }
        if settings.real_ip_header != "proxy_protocol"
            && http::HeaderName::try_from(settings.real_ip_header.as_str()).is_err()
        {
            let message = format!("`{}` is not the name of a header", settings.real_ip_header);
            self.push_issue(Level::Error, "real_ip_header", message, "write for instance `X-Forwarded-For`");
        }
        for (name, listeners) in [
            ("proxy_listen", &settings.proxy_listen),
            ("admin_listen", &settings.admin_listen),
            ("status_listen", &settings.status_listen),
            ("stream_listen", &settings.stream_listen),
        ] {
            let for_clients = matches!(name, "proxy_listen" | "stream_listen");
            if listeners.0.iter().any(|l| l.deferred && (l.udp || !for_clients)) {
                let message = "`deferred` has no meaning here: it is for connections of clients";
                self.push_issue(Level::Note, name, message, "leave it out");
            }
            if listeners.0.iter().any(|l| l.udp) && name != "stream_listen" {
                self.push_issue(
                    Level::Error,
                    name,
                    "HTTP is not served over UDP",
                    "`udp` belongs in `stream_listen`",
                );
            }
        }
        if self.issues.iter().any(|issue| issue.level == Level::Error) {
            return;
        }
        let conflicts = consistency::check(settings, &|name| self.winners.contains_key(name));
        for Conflict { level, setting, message, help } in conflicts {
            self.push_issue(level, setting, message, &help);
        }
    }

    fn check_tracing(&mut self, settings: &Settings) {
        const KINDS: &[&str] = &[
            "all",
            "off",
            "request",
            "db_query",
            "dns_query",
            "router",
            "http_client",
            "balancer",
            "plugin_rewrite",
            "plugin_access",
            "plugin_header_filter",
        ];
        let kinds = &settings.tracing_instrumentations;
        for kind in kinds.iter().filter(|k| !KINDS.contains(&k.as_str())) {
            let help = match nearest(kind, KINDS.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the kinds are {}", KINDS.join(", ")),
            };
            self.push_issue(
                Level::Error,
                "tracing_instrumentations",
                format!("`{kind}` is not a kind of span"),
                &help,
            );
        }
        if kinds.len() > 1 && kinds.iter().any(|k| k == "off") {
            let message = "`off` stands beside other kinds";
            self.push_issue(
                Level::Error,
                "tracing_instrumentations",
                message,
                "write `off` alone, or leave it out",
            );
        }
    }

    fn push_issue(&mut self, level: Level, name: &str, message: impl Into<String>, help: &str) {
        let origin = self.winners.get(name).map_or(Origin::Default, |given| given.origin.clone());
        let help = Some(help.to_owned());
        self.issues.push(Issue { level, setting: name.to_owned(), origin, message: message.into(), help });
    }
}

/// Returns the line up to an unescaped `#`; `\#` becomes `#`.
fn without_comment(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'#') => {
                chars.next();
                kept.push('#');
            }
            '#' => break,
            _ => kept.push(c),
        }
    }
    kept
}
