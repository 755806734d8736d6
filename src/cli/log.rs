//! The log of a running gateway: each event one line on standard error.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    Layer, filter::Targets, fmt, layer::SubscriberExt as _, registry, util::SubscriberInitExt as _,
};

use crate::config::settings::{LogFormat, LogLevel, Settings};

/// Lines that wait for standard error. A worker never waits for it: further lines are lost and counted.
const MAX_WAITING_LINES: usize = 16 * 1024;

/// How often lost lines are reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// The crates of this program, whose events are logged at the level that is set.
const CRATES: [&str; 17] = [
    env!("CARGO_CRATE_NAME"),
    "analysis",
    "casetest",
    "config",
    "http_codec",
    "model",
    "net",
    "plugin",
    "plugins",
    "proxy",
    "router",
    "runtime",
    "server",
    "source",
    "store",
    "telemetry",
    "upstream",
];

/// Writes the lines that still wait when it is dropped.
pub struct Log {
    _writer: WorkerGuard,
    /// Ends the thread that reports lost lines.
    _reporter: mpsc::Sender<()>,
}

impl Log {
    /// Starts logging as the settings say. Called once a process.
    pub fn start(settings: &Settings, color: bool) -> Log {
        let (writer, guard) = NonBlockingBuilder::default()
            .lossy(true)
            .buffered_lines_limit(MAX_WAITING_LINES)
            .thread_name("log")
            .finish(std::io::stderr());
        let lost = writer.error_counter();
        let lines = fmt::layer().with_writer(writer);
        let lines = match settings.log_format {
            LogFormat::Text => lines.with_ansi(color).with_target(false).boxed(),
            LogFormat::Json => lines.json().flatten_event(true).with_target(false).boxed(),
        };
        let level = level(settings.log_level);
        // What libraries note below a warning is about themselves.
        let filter = Targets::new()
            .with_targets(CRATES.map(|name| (name, level)))
            .with_default(level.min(LevelFilter::WARN));
        if let Err(error) = registry().with(lines.with_filter(filter)).try_init() {
            tracing::warn!("logging was started before: {error}");
        }
        let (reporter, ended) = mpsc::channel();
        thread::spawn(move || report_lost(&lost, &ended));
        Log { _writer: guard, _reporter: reporter }
    }
}

/// Reports lines that were lost since the last report, until the other end of the channel is dropped.
fn report_lost(lost: &ErrorCounter, ended: &mpsc::Receiver<()>) {
    let mut reported = 0;
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(REPORT_INTERVAL) {
        let all = lost.dropped_lines();
        if all > reported {
            let lines = all - reported;
            tracing::warn!(lines, "lines of the log were lost: standard error was not read fast enough");
            reported = all;
        }
    }
}

/// nginx's levels, as far as they differ here.
fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info | LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Crit | LogLevel::Alert | LogLevel::Emerg => LevelFilter::ERROR,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::CRATES;

    #[test]
    fn every_crate_of_the_workspace_is_logged_at_the_level_that_is_set() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
        let library = |name: String| if name == "http" { "http_codec".to_owned() } else { name };
        let mut crates: BTreeSet<String> = fs::read_dir(folder)
            .expect("the folder of crates")
            .map(|entry| library(entry.expect("an entry").file_name().to_string_lossy().into_owned()))
            .collect();
        crates.insert(env!("CARGO_CRATE_NAME").to_owned());
        assert_eq!(CRATES.map(str::to_owned).into_iter().collect::<BTreeSet<_>>(), crates);
    }
}
