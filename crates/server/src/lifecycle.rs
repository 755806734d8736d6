//! The lifecycle after the start: signals, handover to another process, and the drain.
//!
//! ```text
//!           SIGHUP: reload
//!             .------.
//!             v      |
//!  ready --> Serving --- SIGTERM, SIGINT, SIGQUIT --> Unready (drain delay) --> Draining --> stopped
//!             |   ^                                                                ^
//!     SIGUSR2 v   | error                                                          |
//!          handover attempt ---- new process ready: READY=1 -----------------------'
//! ```

use std::{future::Future, pin::Pin};

use tokio::{
    select,
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::sleep,
};

use super::{
    ServerHandle,
    handover::{self, HandoverError},
    reload::Barrier,
    sd_notify,
    signals::{Signal, Signals},
};
use config::Input;

/// Why a gateway stops.
#[derive(Clone, Copy, Debug)]
enum StopReason {
    /// A termination signal, by its name.
    Signal(&'static str),
    /// The process with this id took over.
    HandedOver(u32),
}

impl ServerHandle {
    /// Runs until a termination signal or a handover, then drains.
    pub(super) fn run_until_shutdown(self, mut signals: Signals) {
        sd_notify::notify(sd_notify::State::Ready);
        let control = self.control.handle().clone();
        let why = match control.block_on(self.wait_for_stop(&mut signals)) {
            StopReason::Signal(name) => {
                sd_notify::notify(sd_notify::State::Stopping);
                control.block_on(self.fail_readiness(name, &mut signals));
                name
            }
            StopReason::HandedOver(to) => {
                sd_notify::notify(sd_notify::State::HandedOver(to));
                self.status.set_handed_over();
                self.stopped_on_handover.iter().for_each(AbortHandle::abort);
                self.observer.handed_over(to);
                "handed over"
            }
        };
        let hurry = self.workers.force_shutdown_handle();
        let logs = self.logs.clone();
        self.control.spawn(async move {
            loop {
                match signals.next().await {
                    Signal::Terminate(_) => break,
                    Signal::ReopenLogs => logs.reopen(),
                    Signal::Reload | Signal::Upgrade => {}
                }
            }
            hurry.trigger();
        });
        self.stop(why);
    }

    async fn wait_for_stop(&self, signals: &mut Signals) -> StopReason {
        let mut attempt: Option<Attempt<'_>> = None;
        loop {
            let handed_over = async {
                match &mut attempt {
                    Some(attempt) => attempt.await,
                    None => std::future::pending().await,
                }
            };
            select! {
                signal = signals.next() => match signal {
                    Signal::Reload => self.reload(),
                    Signal::ReopenLogs => self.logs.reopen(),
                    Signal::Upgrade => {
                        attempt.get_or_insert_with(|| Box::pin(self.hand_over()));
                    }
                    Signal::Terminate(name) => return StopReason::Signal(name),
                },
                outcome = handed_over => match outcome {
                    Ok(to) => return StopReason::HandedOver(to),
                    Err(error) => {
                        attempt = None;
                        self.observer.handover_failed(&error);
                    }
                },
            }
        }
    }

    /// Reloads the files.
    fn reload(&self) {
        let barriers = self.barriers.clone();
        self.control.spawn(async move {
            sd_notify::notify(sd_notify::State::Reloading);
            wait_for_barrier(&barriers, true).await;
            sd_notify::notify(sd_notify::State::Ready);
        });
    }

    async fn hand_over(&self) -> Result<u32, HandoverError> {
        let impossible = |why| Err(HandoverError::Impossible(why));
        let Some(program) = &self.program else { return impossible("this program cannot be started again") };
        if std::process::id() == 1 {
            return impossible("this is process 1, whose end would be the end of the container");
        }
        // Reserving the only slot makes POST /config fail with 429: a configuration accepted now would be lost with
        // this process.
        let _slot = self.apply_requests.reserve().await;
        wait_for_barrier(&self.barriers, false).await;
        let posted = self.status.posted();
        if posted.is_none() && is_stdin(&self.input) {
            return impossible("the configuration came from standard input and cannot be read again");
        }
        let mut sockets = Vec::new();
        for (role, socket) in self.workers.sockets().iter().chain(&self.api_sockets) {
            sockets.push((*role, socket.try_clone()?));
        }
        handover::hand_over(program, sockets, posted.as_deref()).await
    }

    /// Fails readiness probes for the drain delay while requests are still served.
    async fn fail_readiness(&self, signal: &str, signals: &mut Signals) {
        self.status.set_draining();
        self.workers.disable_defer_accept();
        if self.drain_delay.is_zero() {
            return;
        }
        self.observer.readiness_failed(signal, self.drain_delay);
        let second_signal = async { while !matches!(signals.next().await, Signal::Terminate(_)) {} };
        select! {
            () = sleep(self.drain_delay) => {}
            () = second_signal => {}
        }
    }
}

type Attempt<'a> = Pin<Box<dyn Future<Output = Result<u32, HandoverError>> + 'a>>;

/// Waits until no configuration is being applied, after reloading the files if `load` is set.
async fn wait_for_barrier(barriers: &mpsc::Sender<Barrier>, load: bool) {
    let (done, reached) = oneshot::channel();
    if barriers.send(Barrier { load, done }).await.is_ok() {
        // An error means that the reloader has stopped: nothing is applied any more.
        let _ = reached.await;
    }
}

/// Whether the input is standard input, which can be read only once.
fn is_stdin(input: &Input) -> bool {
    matches!(input, Input::Paths(paths) if paths.iter().any(|path| path.as_os_str() == "-"))
}
