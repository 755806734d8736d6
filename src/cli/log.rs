//! The log of a running gateway: each event one line on standard error.

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    Layer, filter::Targets, fmt, layer::SubscriberExt as _, registry, util::SubscriberInitExt as _,
};

use crate::config::settings::{LogFormat, LogLevel, Settings};

/// Lines that wait for standard error. A worker never waits for it: further lines are lost and counted.
const MAX_WAITING_LINES: usize = 16 * 1024;

/// Writes the lines that still wait when it is dropped.
pub struct Log {
    _writer: WorkerGuard,
    lost: ErrorCounter,
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
            .with_target(env!("CARGO_CRATE_NAME"), level)
            .with_default(level.min(LevelFilter::WARN));
        if let Err(error) = registry().with(lines.with_filter(filter)).try_init() {
            tracing::warn!("logging was started before: {error}");
        }
        Log { _writer: guard, lost }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let lost = self.lost.dropped_lines();
        if lost > 0 {
            tracing::warn!(lost, "lines of the log were lost: standard error was not read fast enough");
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
