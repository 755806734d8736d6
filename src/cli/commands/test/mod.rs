//! `gatewayctl test FILES`.

mod progress;
mod report;

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Instant,
};

use clap::ValueEnum;

use self::{progress::Progress, report::Report};
use crate::{
    casetest::{self, Plan, Suite, Verdict},
    catalog,
    cli::{
        Status,
        console::{Console, Failure},
        render,
    },
    source::Level,
};

/// Run unit tests of a gateway configuration
///
/// A case names a configuration, mock upstreams, requests, and what they must come to. It runs against the engine
/// that serves, in this process, with the mocks on loopback: nothing else is started, and no other host is asked.
/// docs/testing.md has the format; schemas/test.schema.json lets editors check it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gatewayctl test tests/\n  \
    gatewayctl test tests/auth.yaml --filter 'missing key' --verbose\n  \
    gatewayctl test tests/ --format junit > results.xml\n\n\
    Exit status: 0 all cases pass, 1 one fails, 2 could not run (a file that cannot be read, or no case).")]
pub struct Args {
    /// Case files, or folders of them (*.yaml, *.yml); - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Run only cases whose file or name contains this; may be given more than once
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Cases at a time [default: two to a core]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Begin no case after one has failed
    #[arg(long)]
    fail_fast: bool,
    /// How results are printed, on standard output
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
    /// Name the cases that pass too, and show the whole answer of those that fail
    #[arg(short, long)]
    verbose: bool,
    /// List the cases instead of running them
    #[arg(long)]
    list: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: what differs in cases that fail.
    Human,
    /// One JSON document.
    Json,
    /// JUnit's XML, which CI systems read.
    Junit,
}

pub fn run(args: Args, console: &Console) -> Result<Status, Failure> {
    let mut suite = read(&args.files)?;
    if suite.findings.has_errors() {
        // Kong has no words for what is wrong with a case.
        suite.findings.0.iter_mut().for_each(|finding| finding.kong_errors.clear());
        let (findings, sources) = (&suite.findings, &suite.sources);
        let masks = catalog()?.secrets();
        let report = render::Report { findings, sources, secrets: &[], masks, fails_from: Level::Error };
        console.err(&render::render(report, render::Format::Human, console.error_color()));
        return Err(Failure::Other("there are cases that cannot be read".to_owned()));
    }
    let mut cases = suite.cases;
    if cases.is_empty() {
        let files: Vec<String> = args.files.iter().map(|file| file.display().to_string()).collect();
        return Err(Failure::Other(format!("there are no cases in {}", files.join(", "))));
    }
    cases.retain(|case| {
        args.filter.is_empty()
            || args.filter.iter().any(|text| format!("{} {}", case.file, case.name).contains(text.as_str()))
    });
    if cases.is_empty() {
        let texts: Vec<&str> = args.filter.iter().map(String::as_str).collect();
        return Err(Failure::Other(format!(
            "--filter {}: no case has that in its file or name (--list lists them)",
            texts.join(" --filter ")
        )));
    }
    if args.list {
        let lines: String =
            cases.iter().map(|case| format!("{}:{}: {}\n", case.file, case.line, case.name)).collect();
        console.out(&lines)?;
        return Ok(Status::Clean);
    }
    // A case waits more than it works.
    let cores = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
    let plan = Plan {
        catalog: catalog()?,
        jobs: args.jobs.map_or(cores * 2, NonZeroUsize::get),
        fail_fast: args.fail_fast,
    };
    let begun = Instant::now();
    let mut report = Report::new(&cases, args.format, args.verbose, console.color());
    let mut progress = Progress::new(console, cases.len());
    let mut printed = Ok(());
    casetest::run(&cases, plan, |ran| {
        progress.ended(matches!(ran.verdict, Verdict::Failed(_)));
        let text = report.add(ran);
        if !text.is_empty() && printed.is_ok() {
            progress.clear();
            printed = console.out(&text);
        }
        progress.show();
    });
    progress.clear();
    printed?;
    console.out(&report.end(begun.elapsed()))?;
    Ok(if report.failed() == 0 { Status::Clean } else { Status::Findings })
}

fn read(paths: &[PathBuf]) -> Result<Suite, Failure> {
    let mut suite = Suite::default();
    for path in paths {
        if path.as_os_str() == "-" {
            let failed = |error| Failure::File { path: "-".to_owned(), error };
            let text = std::io::read_to_string(std::io::stdin()).map_err(failed)?;
            suite.add(&text, "-", Path::new(""));
            continue;
        }
        let failed = |path: &PathBuf, error| Failure::File { path: path.display().to_string(), error };
        for file in casetest::files(path).map_err(|error| failed(path, error))? {
            suite.add_file(&file, &file.display().to_string()).map_err(|error| failed(&file, error))?;
        }
    }
    Ok(suite)
}
