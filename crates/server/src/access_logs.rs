//! The access logs of the proxy and of the APIs: their settings, and the open files.

use std::{collections::BTreeMap, io, path::PathBuf, time::Duration};

use super::ServeError;
use config::{
    input,
    settings::{self, Issue, LogEscape, LogTarget, Origin, Settings},
};
use source::Level;
use telemetry::{AccessLog, Destination, Escape, Format, QueryLogging, Registry};

/// How long a stop waits for lines to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Access logs as they are set.
#[derive(Clone, Debug, Default)]
pub struct AccessLogs {
    proxy: Option<Destination>,
    admin: Option<Destination>,
    status: Option<Destination>,
}

/// Open access logs.
#[derive(Clone, Debug, Default)]
pub struct OpenLogs {
    pub proxy: Option<AccessLog>,
    pub admin: Option<AccessLog>,
    pub status: Option<AccessLog>,
}

impl AccessLogs {
    /// Reads the settings.
    ///
    /// # Errors
    /// If a format is not known or not valid.
    pub fn new(settings: &Settings) -> Result<Self, ServeError> {
        Ok(AccessLogs {
            proxy: destination(
                settings,
                ("proxy_access_log", "proxy", "kong_log_format"),
                &settings.proxy_access_log,
            )?,
            admin: destination(
                settings,
                ("admin_access_log", "admin", "combined"),
                &settings.admin_access_log,
            )?,
            status: destination(
                settings,
                ("status_access_log", "status", "combined"),
                &settings.status_access_log,
            )?,
        })
    }

    /// Opens the files and starts the threads that write them.
    ///
    /// # Errors
    /// If a file cannot be opened.
    pub fn open(
        self,
        metrics: &Registry,
        origins: &BTreeMap<&'static str, Origin>,
    ) -> Result<OpenLogs, ServeError> {
        let open = |setting: &'static str, destination: Option<Destination>| {
            let Some(destination) = destination else { return Ok(None) };
            let path = destination.path.display().to_string();
            AccessLog::open(destination, metrics).map(Some).map_err(|error| {
                let missing = error.kind() == io::ErrorKind::NotFound;
                ServeError::Setting(Issue {
                    level: Level::Error,
                    setting: setting.to_owned(),
                    origin: origins.get(setting).cloned().unwrap_or_default(),
                    message: format!("cannot open `{path}`: {}", input::io_error_reason(&error)),
                    help: missing.then(|| {
                        "create the folder; a relative path starts at the working directory".to_owned()
                    }),
                })
            })
        };
        Ok(OpenLogs {
            proxy: open("proxy_access_log", self.proxy)?,
            admin: open("admin_access_log", self.admin)?,
            status: open("status_access_log", self.status)?,
        })
    }
}

impl OpenLogs {
    fn all(&self) -> impl Iterator<Item = &AccessLog> {
        [&self.proxy, &self.admin, &self.status].into_iter().flatten()
    }

    /// Opens the paths again: a log rotation has moved the files.
    pub fn reopen(&self) {
        self.all().for_each(AccessLog::reopen);
    }

    /// Waits until the lines so far are written.
    pub fn flush(&self) {
        self.all().for_each(|log| {
            log.flush(FLUSH_TIMEOUT);
        });
    }
}

/// Reads the setting of a log, with the name of the log and of its default format.
fn destination(
    settings: &Settings,
    (setting, name, default): (&'static str, &'static str, &str),
    target: &LogTarget,
) -> Result<Option<Destination>, ServeError> {
    let LogTarget::File { path, format } = target else { return Ok(None) };
    let failed = |setting: &str, message, help| ServeError::Setting(settings.error(setting, message, help));
    let wanted = format.as_deref().unwrap_or(default);
    let custom = settings.access_log_format.as_ref().filter(|custom| custom.name == wanted);
    let format = match custom {
        Some(custom) => Format::parse(&custom.text, escape(custom.escape))
            .map_err(|error| failed("access_log_format", error.to_string(), None))?,
        None => Format::predefined(wanted).ok_or_else(|| {
            let help = format!(
                "the formats are {}, and the one that access_log_format defines",
                Format::PREDEFINED.join(", ")
            );
            failed(setting, format!("there is no format `{wanted}`"), Some(help))
        })?,
    };
    let query = match settings.access_log_query {
        settings::QueryLogging::Names => QueryLogging::Names,
        settings::QueryLogging::Full => QueryLogging::Full,
        settings::QueryLogging::Off => QueryLogging::Off,
    };
    Ok(Some(Destination { name, path: PathBuf::from(path), format: format.with_query(query) }))
}

fn escape(escape: LogEscape) -> Escape {
    match escape {
        LogEscape::Default => Escape::Default,
        LogEscape::Json => Escape::Json,
        LogEscape::None => Escape::None,
    }
}
