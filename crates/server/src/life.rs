//! From ready to the end: what signals ask for, another process in this one's place, and the drain.

use std::{future::Future, pin::Pin};

use tokio::{
    select,
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::sleep,
};

use super::{
    Running,
    handover::{self, HandoverError},
    notify,
    reload::Ask,
    signals::{Signal, Signals},
};
use config::Input;

/// Why a gateway ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// A signal of that name.
    Signal(&'static str),
    /// That process has taken over.
    HandedOver(u32),
}

impl Running {
    /// Serves until a signal ends it or another process has taken over, and drains.
    pub(super) fn live(self, mut signals: Signals) {
        notify::tell(notify::State::Ready);
        let control = self.control.handle().clone();
        let why = match control.block_on(self.until_end(&mut signals)) {
            End::Signal(name) => {
                notify::tell(notify::State::Stopping);
                control.block_on(self.look_unready(name, &mut signals));
                name
            }
            End::HandedOver(to) => {
                notify::tell(notify::State::HandedOver(to));
                self.status.set_handed_over();
                self.leaving.iter().for_each(AbortHandle::abort);
                self.observer.handed_over(to);
                "handed over"
            }
        };
        let hurry = self.workers.hurry();
        self.control.spawn(async move {
            while !matches!(signals.next().await, Signal::End(_)) {}
            hurry.now();
        });
        self.stop(why);
    }

    async fn until_end(&self, signals: &mut Signals) -> End {
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
                    Signal::Upgrade => {
                        attempt.get_or_insert_with(|| Box::pin(self.hand_over()));
                    }
                    Signal::End(name) => return End::Signal(name),
                },
                outcome = handed_over => match outcome {
                    Ok(to) => return End::HandedOver(to),
                    Err(error) => {
                        attempt = None;
                        self.observer.not_handed_over(&error);
                    }
                },
            }
        }
    }

    /// Has the files loaded again.
    fn reload(&self) {
        let asks = self.asks.clone();
        self.control.spawn(async move {
            notify::tell(notify::State::Reloading);
            ask(&asks, true).await;
            notify::tell(notify::State::Ready);
        });
    }

    async fn hand_over(&self) -> Result<u32, HandoverError> {
        let impossible = |why| Err(HandoverError::Impossible(why));
        let Some(program) = &self.program else { return impossible("this program cannot be started again") };
        if std::process::id() == 1 {
            return impossible("this is process 1, whose end would be the end of the container");
        }
        // What is posted from here on would stay with this process: clients are asked to come again.
        let _room = self.posts.reserve().await;
        ask(&self.asks, false).await;
        let posted = self.status.posted();
        if posted.is_none() && is_standard_input(&self.input) {
            return impossible("the configuration came from standard input and cannot be read again");
        }
        let mut sockets = Vec::new();
        for (role, socket) in self.workers.sockets().iter().chain(&self.api_sockets) {
            sockets.push((*role, socket.try_clone()?));
        }
        handover::hand_over(program, sockets, posted.as_deref()).await
    }

    /// Serves on for a while, but says that requests are better sent elsewhere.
    async fn look_unready(&self, signal: &str, signals: &mut Signals) {
        self.status.set_draining();
        self.workers.take_in_the_silent();
        if self.drain_delay.is_zero() {
            return;
        }
        self.observer.unready(signal, self.drain_delay);
        let impatient = async { while !matches!(signals.next().await, Signal::End(_)) {} };
        select! {
            () = sleep(self.drain_delay) => {}
            () = impatient => {}
        }
    }
}

type Attempt<'a> = Pin<Box<dyn Future<Output = Result<u32, HandoverError>> + 'a>>;

/// Waits until nothing is being applied, with the files loaded again if so asked.
async fn ask(asks: &mpsc::Sender<Ask>, load: bool) {
    let (done, heard) = oneshot::channel();
    if asks.send(Ask { load, done }).await.is_ok() {
        // Not answered: there is nobody left who would apply anything.
        let _ = heard.await;
    }
}

/// Whether it can be read only once.
fn is_standard_input(input: &Input) -> bool {
    matches!(input, Input::Paths(paths) if paths.iter().any(|path| path.as_os_str() == "-"))
}
