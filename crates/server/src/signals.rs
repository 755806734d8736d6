//! Signals of the system: `SIGHUP` loads again, `SIGUSR2` hands over, `SIGTERM`, `SIGINT` and `SIGQUIT` end.

use std::io;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Load the configuration again.
    Reload,
    /// Start the program anew and let it take over.
    Upgrade,
    /// Stop accepting, let requests end, leave. Holds the signal's name.
    End(&'static str),
}

#[cfg(unix)]
pub use unix::Signals;

#[cfg(unix)]
mod unix {
    use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

    use super::{Signal, io};

    /// The signals that concern a gateway.
    pub struct Signals {
        hangup: Stream,
        user2: Stream,
        terminate: Stream,
        interrupt: Stream,
        quit: Stream,
    }

    impl Signals {
        /// Takes the signals over from their default action.
        pub fn new() -> io::Result<Self> {
            Ok(Signals {
                hangup: signal(SignalKind::hangup())?,
                user2: signal(SignalKind::user_defined2())?,
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                quit: signal(SignalKind::quit())?,
            })
        }

        /// Waits for the next one.
        pub async fn next(&mut self) -> Signal {
            tokio::select! {
                Some(()) = self.hangup.recv() => Signal::Reload,
                Some(()) = self.user2.recv() => Signal::Upgrade,
                Some(()) = self.terminate.recv() => Signal::End("SIGTERM"),
                Some(()) = self.interrupt.recv() => Signal::End("SIGINT"),
                Some(()) = self.quit.recv() => Signal::End("SIGQUIT"),
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
            Ok(()) => Signal::End("Ctrl-C"),
            Err(_) => std::future::pending().await,
        }
    }
}
