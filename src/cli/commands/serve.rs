//! `gatewayctl serve FILES`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use clap::ValueEnum;

use super::input;
use crate::{
    cli::{
        Status,
        console::{Console, Failure},
        render::{self, Report},
    },
    config::{Input, LoadError, Loaded},
    proxy::Listener,
    runtime::{Mock, Options},
    server::{self, Observer, Read, Ready, Serve, ServeError},
    source::Level,
};

/// Run a gateway on declarative files
///
/// Serves routes, consumers, upstreams and the plugin chain exactly as the files say. A change of the files,
/// SIGHUP or POST /config on the admin address applies a new configuration without dropping a request; a bad
/// one is reported and the running one stays. SIGTERM, SIGINT and SIGQUIT let requests in flight end.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gatewayctl serve kong.yml\n  \
    gatewayctl serve kong.yml --mock-upstreams --proxy-listen 127.0.0.1:8000\n  \
    KONG_PROXY_LISTEN='0.0.0.0:80, 0.0.0.0:443 http2 ssl' gatewayctl serve /etc/kong\n\n\
    Exit status: 0 ended by a signal, 1 the configuration is not valid, 2 could not start.")]
pub struct Args {
    #[command(flatten)]
    input: input::Args,
    /// Apply changes of the files as they happen; this is the default
    #[arg(long, overrides_with = "no_watch")]
    watch: bool,
    /// Load only at the start, on SIGHUP and on POST /config
    #[arg(long)]
    no_watch: bool,
    /// Where requests are accepted, comma-separated: ADDR:PORT [ssl] [http2] [reuseport] ..., or off
    #[arg(
        long,
        value_name = "LISTEN",
        env = "KONG_PROXY_LISTEN",
        default_value = "0.0.0.0:8000, 0.0.0.0:8443 http2 ssl"
    )]
    proxy_listen: String,
    /// Where the admin API is served, or off
    #[arg(long, value_name = "LISTEN", env = "KONG_ADMIN_LISTEN", default_value = "127.0.0.1:8001")]
    admin_listen: String,
    /// Answer for upstreams with a built-in echo: for those that do not resolve, or for all
    #[arg(long, value_name = "WHICH", num_args = 0..=1, require_equals = true, default_missing_value = "unresolved")]
    mock_upstreams: Option<MockUpstreams>,
    /// How long requests in flight may take to end after a signal, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum MockUpstreams {
    /// Services whose host does not resolve, and upstreams without targets.
    Unresolved,
    /// All services.
    All,
}

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    let mock = match args.mock_upstreams {
        None => Mock::Off,
        Some(MockUpstreams::Unresolved) => Mock::Unresolved,
        Some(MockUpstreams::All) => Mock::All,
    };
    let dialect = args.input.dialect;
    let options = Options { flavor: dialect.router_flavor.into(), mock, ..Options::default() };
    let serve = Serve {
        input: Input::Paths(args.input.files),
        read: Read {
            kong_strict: dialect.kong_strict,
            flavor: dialect.router_flavor.into(),
            env: Arc::new(input::environment),
        },
        options,
        listeners: listeners(&args.proxy_listen)?,
        admin: listeners(&args.admin_listen)?.into_iter().map(|l| l.address).collect(),
        watch: !args.no_watch,
        drain: Duration::from_secs(args.drain),
    };
    let printer = Arc::new(Printer { color: console.error_color() });
    match server::run(serve, printer) {
        Ok(()) => Ok(Status::Clean),
        Err(ServeError::Refused) => Ok(Status::Findings),
        Err(error) => Err(Failure::Other(error.to_string())),
    }
}

fn listeners(text: &str) -> Result<Vec<Listener>, Failure> {
    let mut found = Vec::new();
    for part in text.split(',').map(str::trim).filter(|p| !p.is_empty() && *p != "off") {
        let mut words = part.split_whitespace();
        let address: SocketAddr = words
            .next()
            .and_then(|a| a.parse().ok())
            .ok_or_else(|| Failure::Other(format!("{part:?} is not ADDR:PORT [ssl] [http2] ...")))?;
        let mut listener = Listener::plain(address);
        for word in words {
            match word {
                "ssl" => listener.tls = true,
                "http2" => listener.http2 = true,
                "proxy_protocol" => listener.proxy_protocol = true,
                _ => {}
            }
        }
        found.push(listener);
    }
    Ok(found)
}

/// Tells on standard error what the gateway does.
struct Printer {
    color: bool,
}

impl Printer {
    fn line(&self, text: &str) {
        Console::new(Some(self.color)).err(&format!("{text}\n"));
    }

    fn findings(&self, loaded: &Loaded) {
        let report =
            Report { findings: &loaded.findings, sources: &loaded.sources, secrets: &loaded.secrets };
        Console::new(Some(self.color)).err(&render::render(report, render::Format::Human, self.color));
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

    fn refused(&self, loaded: &Loaded) {
        self.findings(loaded);
        let errors = loaded.findings.count(Level::Error);
        let noun = if errors == 1 { "error" } else { "errors" };
        self.line(&format!("the configuration is refused: {errors} {noun}; what ran before goes on"));
    }

    fn unreadable(&self, error: &LoadError) {
        self.line(&format!("the configuration cannot be read: {error}; what ran before goes on"));
    }

    fn draining(&self, signal: &str, limit: Duration) {
        self.line(&format!("{signal}: no new requests; those in flight have {} s to end", limit.as_secs()));
    }

    fn ended(&self, cut: usize) {
        if cut > 0 {
            self.line(&format!("{cut} connections were cut"));
        }
    }
}
