//! One line on a terminal that says how far a run is.

use std::time::{Duration, Instant};

use crate::cli::console::Console;

/// Interval between updates of the line.
const UPDATE_INTERVAL: Duration = Duration::from_millis(100);
/// Characters of the bar.
const WIDTH: usize = 30;

/// The line. Nothing is printed if standard error is no terminal.
pub struct Progress<'a> {
    console: Option<&'a Console>,
    all: usize,
    done: usize,
    failed: usize,
    drawn: Option<Instant>,
}

impl<'a> Progress<'a> {
    /// A line for so many cases.
    pub fn new(console: &'a Console, all: usize) -> Self {
        let console = console.error_is_terminal().then_some(console);
        Progress { console, all, done: 0, failed: 0, drawn: None }
    }

    /// One more has ended.
    pub fn ended(&mut self, failed: bool) {
        self.done += 1;
        self.failed += usize::from(failed);
    }

    /// Draws the line, if it is time to.
    pub fn show(&mut self) {
        let Some(console) = self.console else { return };
        if self.drawn.is_some_and(|at| at.elapsed() < UPDATE_INTERVAL) {
            return;
        }
        let full = WIDTH * self.done / self.all.max(1);
        let bar = format!("{}{}", "#".repeat(full), "-".repeat(WIDTH - full));
        let failed = if self.failed == 0 { String::new() } else { format!(", {} failed", self.failed) };
        console.err(&format!("\r\u{1b}[K[{bar}] {}/{}{failed}", self.done, self.all));
        self.drawn = Some(Instant::now());
    }

    /// Takes the line away, for other output.
    pub fn clear(&mut self) {
        if let Some(console) = self.console.filter(|_| self.drawn.take().is_some()) {
            console.err("\r\u{1b}[K");
        }
    }
}
