//! Signals: `SIGHUP` reloads, `SIGUSR1` opens the access logs again, `SIGUSR2` hands over, `SIGTERM`, `SIGINT` and `SIGQUIT` terminate.

use std::io;

/// The action that a signal requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Reload the configuration.
    Reload,
    /// Open the access logs again.
    ReopenLogs,
    /// Start a new process and hand over to it.
    Upgrade,
    /// Drain and exit. Contains the name of the signal.
    Terminate(&'static str),
}

#[cfg(unix)]
pub use unix::Signals;

#[cfg(unix)]
mod unix {
    use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

    use super::{Signal, io};

    /// Streams of the handled signals.
    pub struct Signals {
        hangup: Stream,
        user1: Stream,
        user2: Stream,
        terminate: Stream,
        interrupt: Stream,
        quit: Stream,
    }

    impl Signals {
        /// Installs handlers in place of the default actions.
        pub fn new() -> io::Result<Self> {
            Ok(Signals {
                hangup: signal(SignalKind::hangup())?,
                user1: signal(SignalKind::user_defined1())?,
                user2: signal(SignalKind::user_defined2())?,
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                quit: signal(SignalKind::quit())?,
            })
        }

        /// Waits for the next signal.
        pub async fn next(&mut self) -> Signal {
            tokio::select! {
                Some(()) = self.hangup.recv() => Signal::Reload,
                Some(()) = self.user1.recv() => Signal::ReopenLogs,
                Some(()) = self.user2.recv() => Signal::Upgrade,
                Some(()) = self.terminate.recv() => Signal::Terminate("SIGTERM"),
                Some(()) = self.interrupt.recv() => Signal::Terminate("SIGINT"),
                Some(()) = self.quit.recv() => Signal::Terminate("SIGQUIT"),
            }
        }
    }
}

#[cfg(not(unix))]
pub struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub fn new() -> io::Result<Self> {
        Ok(Signals)
    }

    pub async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Signal::Terminate("Ctrl-C"),
            Err(_) => std::future::pending().await,
        }
    }
}
