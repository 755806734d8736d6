//! `gatewayctl serve FILES`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::ValueEnum;

use super::input;
use crate::{
    catalog,
    cli::{
        Status,
        console::{Console, Failure},
        log::Log,
        render::{self, Report},
    },
    config::{
        Input, LoadError, Loaded,
        settings::{self, DEFAULT_FILES, LogFormat, Settings, Sources},
    },
    runtime::Mock,
    server::{
        self, Observer, Read, Ready, Serve, ServeError,
        handover::{HandoverError, Program, Received},
        node,
    },
    source::Level,
};

/// Run a gateway on declarative files
///
/// Serves routes, consumers, upstreams and the plugin chain exactly as the files say. A change of the files,
/// SIGHUP or POST /config on the admin address applies a new configuration without dropping a request; a bad
/// one is reported and the running one stays. SIGTERM, SIGINT and SIGQUIT let requests in flight end; a second
/// one cuts them. SIGUSR2 starts the program anew, from the same path with the same arguments, hands the
/// listening sockets over and leaves once the new process is ready. Sockets of systemd are taken over, and it
/// is told when the gateway is ready.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every setting of Kong can be given as --set NAME=VALUE, as a variable KONG_NAME, or in a \
    kong.conf; docs/settings.md lists them. Flags win over variables, variables over the file.\n\n\
    Examples:\n  \
    gatewayctl serve kong.yml\n  \
    gatewayctl serve kong.yml --mock-upstreams --proxy-listen 127.0.0.1:8000\n  \
    KONG_PROXY_LISTEN='0.0.0.0:80, 0.0.0.0:443 http2 ssl' gatewayctl serve /etc/kong --set headers=off\n\n\
    Exit status: 0 ended by a signal, 1 the configuration is not valid, 2 could not start."
)]
pub struct Args {
    /// Files or folders; several make one configuration, - is standard input [default: setting declarative_config]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Refuse what Kong refuses although decK takes it (`_info`, `${{ env "X" }}`, references by {name: x})
    #[arg(long)]
    kong_strict: bool,
    /// Run without settings that are not built yet, such as policy redis of rate-limiting, and warn at every start
    #[arg(long)]
    allow_unsupported: bool,
    /// Apply changes of the files as they happen; this is the default
    #[arg(long, overrides_with = "no_watch")]
    watch: bool,
    /// Load only at the start, on SIGHUP and on POST /config
    #[arg(long)]
    no_watch: bool,
    /// A kong.conf to read settings from
    #[arg(short = 'c', long = "conf", value_name = "FILE")]
    conf: Option<PathBuf>,
    /// Where requests are accepted, comma-separated: ADDR:PORT [ssl] [http2] [reuseport] ..., or off
    /// [default: 0.0.0.0:8000, 0.0.0.0:8443 http2 ssl]
    #[arg(long, value_name = "LISTEN")]
    proxy_listen: Option<String>,
    /// Where the admin API is served, or off [default: 127.0.0.1:8001]
    #[arg(long, value_name = "LISTEN")]
    admin_listen: Option<String>,
    /// Where TCP, TLS and UDP routes are served [default: off]
    #[arg(long, value_name = "LISTEN")]
    stream_listen: Option<String>,
    /// traditional_compatible, traditional or expressions [default: traditional_compatible]
    #[arg(long, value_name = "FLAVOR")]
    router_flavor: Option<String>,
    /// How the order of routes is computed: original (as Kong 3.9 does) or strict (as it is documented)
    #[arg(long, value_name = "HOW")]
    route_match_calculation: Option<String>,
    /// Worker threads [default: auto, one to a core]
    #[arg(long, value_name = "N")]
    workers: Option<String>,
    /// Any other setting
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// Answer for upstreams with a built-in echo: for those that do not resolve, or for all
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "unresolved")]
    mock_upstreams: Option<MockUpstreams>,
    /// How long requests in flight may take to end after a signal, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain: u64,
    /// How long connections are still accepted after a signal while /status/ready says 503 already, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    drain_delay: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum MockUpstreams {
    /// Services whose host does not resolve, and upstreams without targets.
    Unresolved,
    /// All services.
    All,
}

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    let received = Received::take(input::environment("LISTEN_FDNAMES").as_deref());
    let mock = match args.mock_upstreams {
        None => Mock::Off,
        Some(MockUpstreams::Unresolved) => Mock::Unresolved,
        Some(MockUpstreams::All) => Mock::All,
    };
    let settings = settings(&args, console)?;
    let could_not = |error: ServeError| Failure::Other(error.to_string());
    let read = Read {
        catalog: catalog(),
        kong_strict: args.kong_strict,
        flavor: node::flavor(&settings),
        env: Arc::new(input::environment),
        plugin_enabled: enabled(&settings),
        allow_unsupported: args.allow_unsupported,
    };
    let serve = Serve::new(&settings, input_of(args.files, &settings), read, mock).map_err(could_not)?;
    let serve = Serve {
        watch: !args.no_watch,
        drain: Duration::from_secs(args.drain),
        drain_delay: Duration::from_secs(args.drain_delay),
        received,
        program: program(),
        ..serve
    };
    let _log = Log::start(&settings, console.error_color());
    let json = settings.log_format == LogFormat::Json;
    let printer = Arc::new(Printer { color: console.error_color(), json });
    match server::run(serve, printer) {
        Ok(()) => Ok(Status::Clean),
        Err(ServeError::Refused) => Ok(Status::Findings),
        Err(error) => Err(could_not(error)),
    }
}

/// How this program was started. Its path as it was given, not what a link in it led to then: the next one may
/// lie elsewhere.
fn program() -> Option<Program> {
    let mut arguments = std::env::args_os();
    let given = PathBuf::from(arguments.next()?);
    let path = match given.components().count() {
        1 => {
            let folders = input::environment("PATH").unwrap_or_default();
            let found = std::env::split_paths(&folders).map(|folder| folder.join(&given));
            found.into_iter().find(|path| path.is_file()).or_else(|| std::env::current_exe().ok())?
        }
        _ => std::path::absolute(given).ok()?,
    };
    Some(Program { path, arguments: arguments.collect() })
}

/// Which plugins those settings switch on.
fn enabled(settings: &Settings) -> Arc<dyn Fn(&str) -> bool + Send + Sync> {
    let settings = settings.clone();
    Arc::new(move |name| settings.allows_plugin(name))
}

/// The node's settings, from the file, the environment and the flags.
fn settings(args: &Args, console: &Console) -> Result<Settings, Failure> {
    let file = match &args.conf {
        Some(path) => Some((path.clone(), read(path)?)),
        None => {
            DEFAULT_FILES.iter().find_map(|path| Some((path.into(), std::fs::read_to_string(path).ok()?)))
        }
    };
    let name = file.as_ref().map(|(path, _)| path.display().to_string());
    let mut flags = Vec::new();
    for (name, value) in [
        ("proxy_listen", &args.proxy_listen),
        ("admin_listen", &args.admin_listen),
        ("stream_listen", &args.stream_listen),
        ("router_flavor", &args.router_flavor),
        ("route_match_calculation", &args.route_match_calculation),
        ("nginx_worker_processes", &args.workers),
    ] {
        flags.extend(value.iter().map(|value| (name.to_owned(), value.clone())));
    }
    for setting in &args.settings {
        let Some((name, value)) = setting.split_once('=') else {
            return Err(Failure::Other(format!("--set {setting}: write it as NAME=VALUE")));
        };
        flags.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let (settings, issues) = settings::load(&Sources {
        file: name.as_deref().zip(file.as_ref()).map(|(name, (_, text))| (name, text.as_str())),
        environment: input::whole_environment(),
        flags,
    });
    let mut failed = false;
    for issue in &issues {
        failed |= issue.level == Level::Error;
        console.err(&format!("{}: {issue}\n", issue.level.word()));
    }
    let idle = settings::without_effect(&settings);
    if !idle.is_empty() {
        console.err(&format!("warning: settings that change nothing yet: {}\n", idle.join(", ")));
    }
    if failed { Err(Failure::Other("the settings are not valid".to_owned())) } else { Ok(settings) }
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::File { path: path.display().to_string(), error })
}

/// The files named, else what the settings name, else an empty configuration, as in Kong.
fn input_of(files: Vec<PathBuf>, settings: &Settings) -> Input {
    if !files.is_empty() {
        return Input::Paths(files);
    }
    match (&settings.declarative_config, &settings.declarative_config_string) {
        (Some(path), _) => Input::Paths(vec![path.into()]),
        (None, Some(text)) => {
            Input::Text { name: "declarative_config_string".to_owned(), text: text.0.clone().into_bytes() }
        }
        (None, None) => server::nothing(),
    }
}

/// Writes on standard error what the gateway does: for people, or as events of the log where that is JSON.
struct Printer {
    color: bool,
    json: bool,
}

impl Printer {
    fn line(&self, text: &str) {
        match self.json {
            true => tracing::info!("{text}"),
            false => Console::new(Some(self.color)).err(&format!("{text}\n")),
        }
    }

    /// What an operator has to act on.
    fn alarm(&self, text: &str) {
        match self.json {
            true => tracing::error!("{text}"),
            false => self.line(text),
        }
    }

    fn findings(&self, loaded: &Loaded) {
        let report = Report {
            findings: &loaded.findings,
            sources: &loaded.sources,
            secrets: &loaded.secrets,
            fails_from: Level::Error,
        };
        if !self.json {
            Console::new(Some(self.color)).err(&render::render(report, render::Format::Human, self.color));
            return;
        }
        // Rendered first, for what is masked and bounded there.
        let rendered = serde_json::from_str(&render::render(report, render::Format::Json, false));
        let Ok(serde_json::Value::Object(rendered)) = rendered else { return };
        for finding in rendered.get("findings").and_then(|findings| findings.as_array()).into_iter().flatten()
        {
            let text = |name: &str| finding[name].as_str();
            let place = &finding["place"];
            let (code, file, line) = (text("code"), place["file"].as_str(), place["line"].as_u64());
            let message = text("message").unwrap_or_default();
            match text("level") {
                Some("error") => tracing::error!(code, file, line, "{message}"),
                Some("warning") => tracing::warn!(code, file, line, "{message}"),
                _ => tracing::info!(code, file, line, "{message}"),
            }
        }
    }
}

impl Observer for Printer {
    fn ready(&self, ready: &Ready<'_>) {
        self.findings(ready.loaded);
        let list = |addresses: &[SocketAddr]| {
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let admin = if ready.admin.is_empty() {
            String::new()
        } else {
            format!(", admin API on {}", list(ready.admin))
        };
        self.line(&format!(
            "serving on {}{admin}, ready after {} ms",
            list(ready.proxy),
            ready.took.as_millis()
        ));
    }

    fn reloaded(&self, loaded: &Loaded, generation: u64, took: Duration) {
        self.findings(loaded);
        self.line(&format!("reloaded in {} ms: generation {generation}", took.as_millis()));
    }

    fn refused(&self, loaded: &Loaded, running: bool) {
        self.findings(loaded);
        let errors = loaded.findings.count(Level::Error);
        let noun = if errors == 1 { "error" } else { "errors" };
        let then = if running { "what ran before goes on" } else { "nothing is served" };
        self.alarm(&format!("the configuration is refused: {errors} {noun}; {then}"));
    }

    fn unreadable(&self, error: &LoadError) {
        self.alarm(&format!("the configuration cannot be read: {error}; what ran before goes on"));
    }

    fn draining(&self, signal: &str, limit: Duration) {
        self.line(&format!("{signal}: no new requests; those in flight have {} s to end", limit.as_secs()));
    }

    fn unready(&self, signal: &str, delay: Duration) {
        self.line(&format!(
            "{signal}: not ready from now on; connections are accepted for {} s",
            delay.as_secs()
        ));
    }

    fn handed_over(&self, to: u32) {
        self.line(&format!("process {to} serves now"));
    }

    fn not_handed_over(&self, error: &HandoverError) {
        self.line(&format!("no hand-over: {error}; this process serves on"));
    }

    fn ended(&self, cut: usize) {
        if cut > 0 {
            self.line(&format!("{cut} connections were cut"));
        }
    }
}
