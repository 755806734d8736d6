//! `gatewayctl diff OLD NEW`.

mod human;
mod json;
mod markdown;

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use clap::ValueEnum;

use super::{
    input::{self, Dialect},
    validate,
};
use crate::{
    cli::{
        Status,
        console::{Console, Failure},
        project::Project,
        remote::{self, Access},
        render,
    },
    config::{Input, Loaded},
    diff::{self, Change},
    impact::{self, Compiled, Impact, Log},
    router::Flavor,
    runtime::{Gateway, Snapshot},
    source::Level,
    store::{Clock, Stores},
};

/// Show what changes between two configurations
///
/// Compares entities by identity, not text: order, comments, formatting and written-out defaults make no
/// difference. Only changed fields are shown, and secrets are masked on both sides.
///
/// OLD and NEW are files or folders, `-` for standard input, or REVISION:PATH as `git show` takes it. With
/// --against, NEW is compared with what a running gateway serves: a gatewayctl, or a Kong.
///
/// --impact shows what the change does to traffic: sample requests are routed and rehearsed on both sides, as
/// `simulate` does, and compared in all facts; routes are named whose settings, services, upstreams, plugins or
/// credentials change; and what of it is a risk.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "gatewayctl diff [OPTIONS] OLD NEW\n       gatewayctl diff [OPTIONS] NEW --against URL"
)]
#[command(after_help = "Examples:\n  \
    gatewayctl diff old.yml new.yml\n  \
    gatewayctl diff main:kong.yml kong.yml --impact --exit-code\n  \
    gatewayctl diff kong.yml --against http://localhost:8001\n  \
    gatewayctl diff a.yml b.yml --impact --log access.log\n  \
    gatewayctl diff a.yml b.yml --format json | jq .summary\n\n\
    Exit status: 0 compared, 2 could not run; 1 with --exit-code where they differ, and where one of the \
    configurations is not valid.")]
pub struct Args {
    /// The configuration before
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The configuration after
    #[arg(value_name = "NEW", required_unless_present = "against")]
    new: Option<PathBuf>,
    /// Compare with the configuration of a running gateway: the address of its admin API
    #[arg(long, value_name = "URL", conflicts_with = "new")]
    against: Option<String>,
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    dialect: Dialect,
    /// How changes are printed
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Form,
    /// Show whole entities, not only the fields that change
    #[arg(long)]
    whole: bool,
    /// Show what the change does to traffic too
    #[arg(long)]
    impact: bool,
    /// Route and rehearse the requests of an access log (nginx's and Kong's formats, or JSON lines of the log
    /// plugins) on both sides too, and list those whose outcome changes; implies --impact
    #[arg(long, value_name = "ACCESS_LOG")]
    log: Option<PathBuf>,
    /// Host of logged requests that do not name theirs
    #[arg(long, value_name = "HOST", requires = "log")]
    log_host: Option<String>,
    /// Exit with 1 where they differ
    #[arg(long)]
    exit_code: bool,
    /// Exit with 2 where they differ, as decK does
    #[arg(long, conflicts_with = "exit_code")]
    non_zero_exit_code: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people, with colours and a pager on a terminal.
    Human,
    /// One JSON document with decK's keys: changes, summary, warnings, errors.
    Json,
    /// For a comment on a pull request.
    Markdown,
}

/// The content of a report.
struct Report<'a> {
    changes: &'a [Change],
    impact: Option<&'a Impact>,
    /// Whole entities, not only changed fields.
    whole: bool,
}

/// One of the two configurations.
struct Side {
    loaded: Loaded,
    gateway: Arc<Gateway>,
    /// Whether a running gateway reported it.
    running: bool,
}

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    if args.against.is_none() && args.access.is_given() {
        let flags = "--header, --ca-cert, --client-cert and --tls-skip-verify say how --against is reached";
        return Err(Failure::Other(format!("{flags}, and that is not given")));
    }
    let read = [Some(&args.old), args.new.as_ref(), args.log.as_ref()];
    if read.iter().flatten().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(Failure::Other("-: standard input can be read only once".to_owned()));
    }
    let log = match &args.log {
        Some(path) => Some(read_log(path, args.log_host.as_deref()).map_err(|failure| failure.of("--log"))?),
        None => None,
    };
    let is_against = args.against.is_some();
    let dialect = Project::dialect(
        &[Some(&args.old), args.new.as_ref()].map(|f| f.cloned().unwrap_or_default()),
        args.dialect,
    )?;
    let (old, new) = match (args.against, args.new) {
        (Some(url), _) => {
            let text = remote::configuration(&url, &args.access)?;
            (Input::Text { name: url, text }, input_of(&args.old)?)
        }
        (None, Some(new)) => (input_of(&args.old)?, input_of(&new)?),
        (None, None) => return Err(Failure::Other("there is nothing to compare with".to_owned())),
    };
    // Each on a core of its own: files may be large.
    let (old, new) = std::thread::scope(|scope| {
        let new = scope.spawn(|| compiled(&new, dialect));
        (compiled(&old, dialect), new.join())
    });
    let mut sides = Vec::new();
    for side in [old, new.unwrap_or_else(|panic| std::panic::resume_unwind(panic))] {
        let (loaded, gateway) = side?;
        let Some(gateway) = gateway else {
            if args.format == Form::Json {
                console.out(&json::refused(&messages(&loaded)))?;
            } else {
                validate::report(&loaded, render::Format::Human, Level::Error, console)?;
            }
            return Ok(Status::Findings);
        };
        sides.push(Side { loaded, gateway, running: sides.is_empty() && is_against });
    }
    let snapshots = [sides[0].gateway.snapshot(), sides[1].gateway.snapshot()];
    let (old, new) = (sides[0].compiled(&snapshots[0]), sides[1].compiled(&snapshots[1]));
    let changes = diff::compare(&old.rows, &new.rows);
    let impact = match args.impact || log.is_some() {
        true => Some(impact::impact(&old, &new, log.as_ref())?),
        false => None,
    };
    let report = Report { changes: &changes, impact: impact.as_ref(), whole: args.whole };
    match args.format {
        Form::Human => console.page(&human::render(&report, console.color()))?,
        Form::Json => console.out(&json::render(&report))?,
        Form::Markdown => console.out(&markdown::render(&report))?,
    }
    Ok(match (report.is_empty(), args.exit_code, args.non_zero_exit_code) {
        (true, ..) | (_, false, false) => Status::Clean,
        (_, true, _) => Status::Findings,
        (.., true) => Status::Failed,
    })
}

impl Side {
    fn compiled<'a>(&'a self, snapshot: &'a Snapshot) -> Compiled<'a> {
        let served = &*snapshot.state;
        let rows = diff::Side {
            catalog: self.loaded.catalog,
            written: self.loaded.displayed.as_deref().unwrap_or(served),
            served,
            document: self.loaded.root.map(|root| (&self.loaded.document, root)),
            running: self.running,
            by_value: false,
            dated: self.gateway.options.flavor == Flavor::Traditional,
        };
        Compiled { gateway: &self.gateway, snapshot, rows }
    }
}

/// Reads an input and makes the gateway that would serve it, with a clock that stands still; `None` if a finding is an
/// error.
fn compiled(input: &Input, dialect: Dialect) -> Result<(Loaded, Option<Arc<Gateway>>), Failure> {
    let stores = Stores { clock: Clock::manual(Clock::default().now()), ..Stores::default() };
    let (loaded, snapshot) = input::compiled(input, dialect, &stores)?;
    Ok((loaded, snapshot.map(|(snapshot, node)| Gateway::new(node, stores, snapshot))))
}

/// A file, a folder, standard input, or what git has of a file.
fn input_of(path: &Path) -> Result<Input, Failure> {
    let name = path.to_string_lossy();
    if path.exists() || !name.contains(':') {
        return Ok(Input::Paths(vec![path.to_owned()]));
    }
    let git = Command::new("git").args(["show", "--end-of-options", &*name]).stdin(Stdio::null()).output();
    match git {
        Ok(shown) if shown.status.success() => {
            Ok(Input::Text { name: name.into_owned(), text: shown.stdout })
        }
        Ok(shown) => {
            let why = String::from_utf8_lossy(&shown.stderr);
            Err(Failure::Other(format!("{name}: there is no such file, and git says: {}", why.trim())))
        }
        Err(error) => Err(Failure::Other(format!("{name}: there is no such file, and no git: {error}"))),
    }
}

fn read_log(path: &Path, host: Option<&str>) -> Result<Log, Failure> {
    let failed = |error| Failure::File { path: path.display().to_string(), error };
    let read = if path == Path::new("-") {
        Log::read(std::io::stdin().lock(), host)
    } else {
        Log::read(BufReader::new(File::open(path).map_err(failed)?), host)
    };
    read.map_err(|impact::LogError::Io(error)| failed(error))
}

fn messages(loaded: &Loaded) -> Vec<String> {
    let place = |f: &crate::source::Finding| {
        f.span().map_or_else(String::new, |s| format!("{}: ", loaded.sources.display_position(s)))
    };
    let errors = loaded.findings.iter().filter(|f| f.level == Level::Error);
    errors.map(|f| format!("{}{}", place(f), f.message)).collect()
}

impl Report<'_> {
    /// Whether nothing differs: neither entities nor what was found of their traffic.
    fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.impact.is_none_or(Impact::is_none)
    }

    fn count(&self, action: diff::Action) -> usize {
        self.changes.iter().filter(|c| c.action == action).count()
    }

    /// One line: how many of what.
    fn summary(&self) -> String {
        use diff::Action::{Create, Delete, Update};
        format!(
            "{} created, {} updated, {} deleted",
            self.count(Create),
            self.count(Update),
            self.count(Delete)
        )
    }
}

/// The first few of a list, and how many more there are.
fn some(list: &[String], most: usize) -> String {
    let mut text = list.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    if list.len() > most {
        text += &format!(" and {} more", list.len() - most);
    }
    text
}

/// A route, or that there is none.
fn route(label: Option<&str>) -> &str {
    label.unwrap_or("no route (404)")
}
