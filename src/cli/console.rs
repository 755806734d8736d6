//! Standard output and error: the only place that prints.

use std::{
    io::{self, IsTerminal, Write},
    process::{Command, Stdio},
};

use super::{Status, usage};
use crate::config;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file could not be read or written.
    #[error("{path}: {}{}", config::input::io_error_reason(error), usage::similar(path))]
    File {
        /// The file, as the user gave it.
        path: String,
        /// The system's reason.
        error: io::Error,
    },
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// The program has a schema that does not compile.
    #[error("this program cannot check configurations: {0}")]
    Schema(#[from] config::CompileError),
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// Adds the flag whose value causes the failure. An empty flag adds nothing.
    pub fn of(self, flag: &str) -> Self {
        if flag.is_empty() { self } else { Failure::Other(format!("{flag} {self}")) }
    }
}

/// Where a command's output goes.
#[derive(Debug)]
pub struct Console {
    /// Colour forced on or off; none decides by what the output is.
    color: Option<bool>,
}

impl Console {
    /// A console that colours always, never, or as the terminal and the environment say.
    pub fn new(color: Option<bool>) -> Self {
        Console { color }
    }

    /// Whether standard output takes colour.
    pub fn color(&self) -> bool {
        self.color.unwrap_or_else(|| is_colored(io::stdout().is_terminal(), &variable))
    }

    /// Whether standard error takes colour.
    pub fn error_color(&self) -> bool {
        self.color.unwrap_or_else(|| is_colored(io::stderr().is_terminal(), &variable))
    }

    /// Whether standard error is a terminal, on which a line can be overwritten.
    #[cfg(feature = "serve")]
    pub fn error_is_terminal(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// Writes to standard output. A reader that has closed the pipe (`| head`) is no failure.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn out(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        }
    }

    /// Writes to standard output, through the user's pager (`PAGER`, or `less` that ends by itself where all
    /// fits) if that is a terminal. Without a pager it is simply printed.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn page(&self, text: &str) -> Result<(), Failure> {
        if io::stdout().is_terminal() && pager(text).is_some() {
            return Ok(());
        }
        self.out(text)
    }

    /// Writes to standard error; what cannot be written there is lost.
    pub fn err(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Reports why a command could not run.
    pub fn failed(&self, failure: &Failure) -> Status {
        let label = if self.error_color() { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
        self.err(&format!("{label}: {failure}\n"));
        Status::Failed
    }
}

/// Shows a text in the pager. `None` if no pager is available or wanted.
#[allow(clippy::disallowed_methods, reason = "the console owns the terminal's conventions")]
fn pager(text: &str) -> Option<()> {
    let command = std::env::var("PAGER").unwrap_or_else(|_| "less".to_owned());
    let mut words = command.split_whitespace();
    let program = words.next().filter(|program| *program != "cat")?;
    let mut pager = Command::new(program);
    pager.args(words).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        // End where all fits on the screen, keep colours, leave the screen as it is.
        pager.env("LESS", "FRX");
    }
    let mut child = pager.spawn().ok()?;
    if let Some(mut input) = child.stdin.take() {
        // The reader may end before the text does.
        let _ = input.write_all(text.as_bytes());
    }
    child.wait().ok().map(|_| ())
}

/// Whether output is coloured: `NO_COLOR` forbids it, `CLICOLOR_FORCE` asks for it anywhere, and else a terminal that
/// can gets it.
fn is_colored(terminal: bool, variable: &dyn Fn(&str) -> Option<String>) -> bool {
    let given = |name| variable(name).filter(|value| !value.is_empty());
    if given("NO_COLOR").is_some() {
        return false;
    }
    if given("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    terminal && given("TERM").is_none_or(|term| term != "dumb") && given("CLICOLOR").is_none_or(|v| v != "0")
}

#[allow(clippy::disallowed_methods, reason = "the console owns the terminal's conventions")]
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_follows_the_conventions_of_terminals() {
        for (terminal, variables, colored) in [
            (true, &[][..], true),
            (false, &[], false),
            (true, &[("NO_COLOR", "1")], false),
            (true, &[("NO_COLOR", "")], true),
            (false, &[("CLICOLOR_FORCE", "1")], true),
            (false, &[("CLICOLOR_FORCE", "0")], false),
            (false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
            (true, &[("TERM", "dumb")], false),
            (true, &[("TERM", "xterm"), ("CLICOLOR", "0")], false),
        ] {
            let variable =
                |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(is_colored(terminal, &variable), colored, "{variables:?}");
        }
    }
}
