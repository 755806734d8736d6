//! Phases: the moments of a request at which plugins run.

use std::{future::Future, pin::Pin};

use bytes::Bytes;

use super::{Exchange, Plugin, Reply};
use model::State;
use net::BodyError;

/// What a hook is handed: the request's whole memory, and the configuration's data.
pub struct Call<'a> {
    /// One request's memory.
    pub exchange: &'a mut Exchange,
    /// The configuration.
    pub state: &'a State,
}

/// Why a hook ends the access phase. The chain's later phases still run.
#[derive(Debug)]
pub enum Stop {
    /// A decision: this is the answer.
    Reply(Box<Reply>),
    /// A failure: the client gets a 500 that says nothing more, the log gets the reason.
    Fault(String),
    /// The request's body could not be read: the client gets the response that its error calls for.
    Body(BodyError),
}

impl From<BodyError> for Stop {
    fn from(error: BodyError) -> Self {
        Stop::Body(error)
    }
}

impl From<Reply> for Stop {
    fn from(reply: Reply) -> Self {
        Stop::Reply(Box::new(reply))
    }
}

/// How a hook ended.
pub type Outcome = Result<(), Stop>;

/// How far a hook got: done, or waiting. Only a wait that really happens pays for a boxed future.
pub enum Step<'a> {
    /// Done.
    Now(Outcome),
    /// Waiting for something.
    Wait(Pin<Box<dyn Future<Output = Outcome> + 'a>>),
}

impl<'a> Step<'a> {
    /// Waits for a future.
    pub fn wait(future: impl Future<Output = Outcome> + 'a) -> Self {
        Step::Wait(Box::pin(future))
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// When the hook stopped the request.
    pub async fn finish(self) -> Outcome {
        match self {
            Step::Now(outcome) => outcome,
            Step::Wait(future) => future.await,
        }
    }
}

/// A method that runs before the upstream is asked.
pub enum Hook<P: 'static> {
    /// Does not run.
    None,
    /// Never waits.
    Sync(fn(&P, Call<'_>) -> Outcome),
    /// May wait.
    Async(for<'a> fn(&'a P, Call<'a>) -> Step<'a>),
}

/// A piece of the answer's body on its way to the client.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The bytes; a hook may replace, keep back or add to them.
    pub data: Bytes,
    /// Whether nothing follows.
    pub last: bool,
}

/// Which methods of a plugin run, and when. What is absent never enters a chain.
pub struct Phases<P: 'static> {
    /// Before routing; only global uses run.
    pub rewrite: Hook<P>,
    /// After routing, before the upstream is asked.
    pub access: Hook<P>,
    /// The answer's head is there, its body is not.
    pub header_filter: Option<fn(&P, Call<'_>)>,
    /// Each piece of the answer's body, the last one marked.
    pub body_filter: Option<fn(&P, Call<'_>, &mut Chunk)>,
    /// All is over.
    pub log: Option<fn(&P, Call<'_>)>,
}

impl<P> Phases<P> {
    /// No phase at all.
    pub const NONE: Self =
        Phases { rewrite: Hook::None, access: Hook::None, header_filter: None, body_filter: None, log: None };
}

/// Which phases a plugin takes part in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct PhaseSet {
    pub rewrite: bool,
    pub access: bool,
    pub header_filter: bool,
    pub body_filter: bool,
    pub log: bool,
}

/// A built plugin whose type is forgotten.
pub trait Instance: Send + Sync {
    /// Which phases it takes part in.
    fn phases(&self) -> PhaseSet;
    /// Runs the rewrite hook.
    fn rewrite<'a>(&'a self, call: Call<'a>) -> Step<'a>;
    /// Runs the access hook.
    fn access<'a>(&'a self, call: Call<'a>) -> Step<'a>;
    /// Runs the header filter.
    fn header_filter(&self, call: Call<'_>);
    /// Runs the body filter.
    fn body_filter(&self, call: Call<'_>, chunk: &mut Chunk);
    /// Runs the log hook.
    fn log(&self, call: Call<'_>);
}

impl<P: Plugin> Instance for P {
    fn phases(&self) -> PhaseSet {
        let p = &P::PHASES;
        PhaseSet {
            rewrite: !matches!(p.rewrite, Hook::None),
            access: !matches!(p.access, Hook::None),
            header_filter: p.header_filter.is_some(),
            body_filter: p.body_filter.is_some(),
            log: p.log.is_some(),
        }
    }

    fn rewrite<'a>(&'a self, call: Call<'a>) -> Step<'a> {
        run(&P::PHASES.rewrite, self, call)
    }

    fn access<'a>(&'a self, call: Call<'a>) -> Step<'a> {
        run(&P::PHASES.access, self, call)
    }

    fn header_filter(&self, call: Call<'_>) {
        if let Some(hook) = P::PHASES.header_filter {
            hook(self, call);
        }
    }

    fn body_filter(&self, call: Call<'_>, chunk: &mut Chunk) {
        if let Some(hook) = P::PHASES.body_filter {
            hook(self, call, chunk);
        }
    }

    fn log(&self, call: Call<'_>) {
        if let Some(hook) = P::PHASES.log {
            hook(self, call);
        }
    }
}

fn run<'a, P>(hook: &Hook<P>, plugin: &'a P, call: Call<'a>) -> Step<'a> {
    match hook {
        Hook::None => Step::Now(Ok(())),
        Hook::Sync(method) => Step::Now(method(plugin, call)),
        Hook::Async(method) => method(plugin, call),
    }
}
