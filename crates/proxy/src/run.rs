//! Running a chain of plugins for a phase.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::fault::Fault;
use plugin::{Call, Chunk, Exchange, Instance, Reply, Stop};
use runtime::{Chain, Picks, Snapshot};

/// A request on its way: its memory, and the plugins chosen for it.
#[derive(Debug)]
pub struct Flow {
    /// The request's memory.
    pub exchange: Exchange,
    /// The rows chosen in the access phase, a slot each; empty if it did not get that far.
    pub picks: Picks,
}

/// Why the path of a request ends before the upstream.
#[derive(Debug)]
pub enum Early {
    /// A plugin's answer.
    Reply(Box<Reply>),
    /// A failure.
    Fault(Fault),
}

impl From<Fault> for Early {
    fn from(fault: Fault) -> Self {
        Early::Fault(fault)
    }
}

impl From<Stop> for Early {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Reply(reply) => Early::Reply(reply),
            Stop::Fault(reason) => Early::Fault(Fault::Plugin(reason)),
            Stop::Body(error) => Early::Fault(error.into()),
        }
    }
}

impl Flow {
    /// The chain that applies: the route's, or the global one.
    pub fn chain<'s>(&self, snap: &'s Snapshot) -> &'s Chain {
        match self.exchange.route() {
            Some(route) => &snap.route(route).chain,
            None => &snap.global,
        }
    }

    /// Runs the rewrite hooks of the global chain.
    ///
    /// # Errors
    /// When one ends the request.
    pub async fn rewrite(&mut self, snap: &Snapshot) -> Result<(), Early> {
        if snap.global.phases.rewrite {
            for slot in &snap.global.slots {
                if let Some(plugin) = slot.pick(None).and_then(|row| snap.plugin(row)) {
                    plugin
                        .rewrite(Call { exchange: &mut self.exchange, state: &snap.state })
                        .finish()
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Chooses a row for each slot and runs the access hooks until one ends the request.
    ///
    /// # Errors
    /// When one does.
    pub async fn access(&mut self, snap: &Snapshot) -> Result<(), Early> {
        let chain = self.chain(snap);
        let mut end = Ok(());
        for slot in &chain.slots {
            let pick = slot.pick(self.exchange.consumer);
            self.picks.push(pick);
            if end.is_err() || !slot.phases.access {
                continue;
            }
            if let Some(plugin) = pick.and_then(|row| snap.plugin(row)) {
                let call = Call { exchange: &mut self.exchange, state: &snap.state };
                end = plugin.access(call).finish().await;
            }
        }
        Ok(end?)
    }

    /// Calls `hook` with each plugin that was chosen, in order. A panic ends the phase, not the request.
    fn each(
        &mut self,
        snap: &Snapshot,
        takes_part: impl Fn(&plugin::PhaseSet) -> bool,
        mut hook: impl FnMut(&dyn Instance, Call<'_>),
    ) {
        let chain = self.chain(snap);
        if !takes_part(&chain.phases) {
            return;
        }
        let Flow { exchange, picks } = self;
        let id = exchange.id;
        let run = || {
            for (at, slot) in chain.slots.iter().enumerate().filter(|(_, slot)| takes_part(&slot.phases)) {
                let pick = picks.get(at).copied().unwrap_or(slot.row);
                if let Some(plugin) = pick.and_then(|row| snap.plugin(row)) {
                    hook(plugin, Call { exchange, state: &snap.state });
                }
            }
        };
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            tracing::error!(request_id = %id, "a panic ended a phase");
        }
    }

    /// Runs the header filters.
    pub fn header_filter(&mut self, snap: &Snapshot) {
        self.each(snap, |phases| phases.header_filter, |plugin, call| plugin.header_filter(call));
    }

    /// Runs the body filters on a piece of the answer.
    pub fn body_filter(&mut self, snap: &Snapshot, chunk: &mut Chunk) {
        self.each(snap, |phases| phases.body_filter, |plugin, call| plugin.body_filter(call, chunk));
    }

    /// Runs the log hooks.
    pub fn log(&mut self, snap: &Snapshot) {
        self.each(snap, |phases| phases.log, |plugin, call| plugin.log(call));
    }
}
