//! `gatewayctl serve FILES`.

mod printer;
mod settings;

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::ValueEnum;

use self::printer::Printer;
use super::{input, validate};
use crate::{
    catalog,
    cli::{
        Status,
        console::{Console, Failure},
        log::Log,
        render::Format,
    },
    config::{
        Input,
        settings::{LogFormat, Settings},
    },
    runtime::Mock,
    server::{
        self, CheckReport, ReadOptions, ServeError, ServeOptions,
        handover::{ExecSpec, InheritedState},
        node,
    },
    source::Level,
};

/// Run a gateway on declarative files
///
/// Serves routes, consumers, upstreams and the plugin chain exactly as the files say. A change of the files,
/// SIGHUP or POST /config on the admin address applies a new configuration without dropping a request; a bad
/// one is reported and the running one stays. SIGTERM, SIGINT and SIGQUIT let requests in flight end; a second
/// one cuts them. SIGUSR1 opens the access logs again. SIGUSR2 starts the program again, from the same path with the same arguments, hands the
/// listening sockets over and exits once the new process is ready. Sockets of systemd are used, and systemd
/// is notified when the gateway is ready.
///
/// With --check it does everything that precedes listening (settings, files, certificates, references to
/// vaults, plugins), prints the warnings that the log would have, and exits: it opens no socket and writes
/// nothing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every setting of Kong can be given as --set NAME=VALUE, as a variable KONG_NAME, or in a \
    kong.conf; docs/settings.md lists them. Flags win over variables, variables over the file.\n\n\
    Examples:\n  \
    gatewayctl serve kong.yml\n  \
    gatewayctl serve --check kong.yml\n  \
    gatewayctl serve kong.yml --mock-upstreams --proxy-listen 127.0.0.1:8000\n  \
    KONG_PROXY_LISTEN='0.0.0.0:80, 0.0.0.0:443 http2 ssl' gatewayctl serve /etc/kong --set headers=off\n\n\
    Exit status: 0 ended by a signal, or valid with --check; 1 the configuration is not valid; 2 could not start."
)]
pub struct Args {
    /// Files or folders; several make one configuration, - is standard input [default: setting declarative_config]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Check that a start with these settings and files would succeed, and end
    #[arg(long)]
    check: bool,
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
    let received = match args.check {
        true => InheritedState::default(),
        false => InheritedState::from_env(input::environment("LISTEN_FDNAMES").as_deref()),
    };
    let mock = match args.mock_upstreams {
        None => Mock::Off,
        Some(MockUpstreams::Unresolved) => Mock::Unresolved,
        Some(MockUpstreams::All) => Mock::All,
    };
    let (settings, issues) = settings::load(&args, console)?;
    let could_not = |error: ServeError| Failure::Other(error.to_string());
    let read = ReadOptions {
        catalog: catalog()?,
        kong_strict: args.kong_strict,
        flavor: node::flavor(&settings),
        env: Arc::new(input::environment),
        vault_env_prefix: settings.vault_env_prefix.clone(),
        plugin_enabled: enabled(&settings),
        allow_unsupported: args.allow_unsupported,
    };
    let serve =
        ServeOptions::new(&settings, input_of(args.files, &settings), read, mock).map_err(could_not)?;
    if args.check {
        issues.iter().for_each(|issue| console.err(&format!("{}: {issue}\n", issue.level.as_str())));
        return check(server::check(serve).map_err(could_not)?, console);
    }
    let serve = ServeOptions {
        watch: !args.no_watch,
        drain: Duration::from_secs(args.drain),
        drain_delay: Duration::from_secs(args.drain_delay),
        inherited: received,
        exec: program(),
        ..serve
    };
    let _log = Log::start(&settings, console.error_color());
    for issue in &issues {
        match issue.level {
            Level::Note => tracing::info!("{issue}"),
            Level::Warning | Level::Error => tracing::warn!("{issue}"),
        }
    }
    let json = settings.log_format == LogFormat::Json;
    let printer = Arc::new(Printer::new(console.error_color(), json));
    match server::run(serve, printer) {
        Ok(()) => Ok(Status::Clean),
        Err(ServeError::Refused) => Ok(Status::Findings),
        Err(error) => Err(could_not(error)),
    }
}

/// Reports what a check came to.
fn check(checked: CheckReport, console: &Console) -> Result<Status, Failure> {
    let CheckReport { loaded, is_valid, warnings } = checked;
    validate::report(&loaded, Format::Human, Level::Error, console)?;
    warnings.iter().for_each(|warning| console.err(&format!("warning: {warning}\n")));
    let verdict = if is_valid { "configuration is valid" } else { "configuration is not valid" };
    let (found, contents) = (validate::found(&loaded), validate::contents(&loaded));
    console.err(&format!("{verdict}{found}{contents}\n"));
    Ok(if is_valid { Status::Clean } else { Status::Findings })
}

/// How this program was started. Its path as it was given, not what a link in it led to then: the next one may
/// lie elsewhere.
fn program() -> Option<ExecSpec> {
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
    Some(ExecSpec { path, arguments: arguments.collect() })
}

/// Which plugins those settings switch on.
fn enabled(settings: &Settings) -> Arc<dyn Fn(&str) -> bool + Send + Sync> {
    let settings = settings.clone();
    Arc::new(move |name| settings.allows_plugin(name))
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
        (None, None) => server::empty_configuration(),
    }
}
