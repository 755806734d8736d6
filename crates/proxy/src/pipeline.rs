//! Runs the plugins' hooks, phase by phase.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::ProxyError;
use plugin::{Chunk, Ctx, DynPlugin, Exchange, LocalReply, Phase, ShortCircuit};
use runtime::{Chain, SelectedPlugins, Snapshot};

/// State of a request in the pipeline.
#[derive(Debug)]
pub struct PipelineState {
    /// The request's context.
    pub exchange: Exchange,
    /// The plugin rows selected in the access phase, one per slot; empty before that phase.
    pub selected: SelectedPlugins,
}

/// Why the pipeline ends before the upstream is contacted.
#[derive(Debug)]
pub enum EarlyExit {
    /// A plugin's response.
    Reply(Box<LocalReply>),
    /// An error.
    Error(ProxyError),
}

impl From<ProxyError> for EarlyExit {
    fn from(error: ProxyError) -> Self {
        EarlyExit::Error(error)
    }
}

impl From<ShortCircuit> for EarlyExit {
    fn from(stop: ShortCircuit) -> Self {
        match stop {
            ShortCircuit::Respond(reply) => EarlyExit::Reply(reply),
            ShortCircuit::Fail(reason) => EarlyExit::Error(ProxyError::Plugin(reason)),
            ShortCircuit::BodyError(error) => EarlyExit::Error(error.into()),
        }
    }
}

impl PipelineState {
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
    /// If one ends the request.
    pub async fn rewrite(&mut self, snap: &Snapshot) -> Result<(), EarlyExit> {
        if snap.global.phases.contains(Phase::Rewrite) {
            for slot in &snap.global.slots {
                if let Some(plugin) = slot.select(None).and_then(|row| snap.plugin(row, Phase::Rewrite)) {
                    plugin.rewrite(Ctx { exchange: &mut self.exchange, state: &snap.state }).finish().await?;
                }
            }
        }
        Ok(())
    }

    /// Selects a plugin row for each slot, and runs the access hooks until one ends the request.
    ///
    /// # Errors
    /// If one does.
    pub async fn access(&mut self, snap: &Snapshot) -> Result<(), EarlyExit> {
        let chain = self.chain(snap);
        let mut result = Ok(());
        for slot in &chain.slots {
            let pick = slot.select(self.exchange.consumer);
            self.selected.push(pick);
            if result.is_err() || !slot.phases.contains(Phase::Access) {
                continue;
            }
            if let Some(plugin) = pick.and_then(|row| snap.plugin(row, Phase::Access)) {
                let call = Ctx { exchange: &mut self.exchange, state: &snap.state };
                result = plugin.access(call).finish().await;
            }
        }
        Ok(result?)
    }

    /// Calls `hook` with each selected plugin of the phase, in order. A panic ends the phase, not the
    /// request.
    fn for_each_selected(
        &mut self,
        snap: &Snapshot,
        phase: Phase,
        mut hook: impl FnMut(&dyn DynPlugin, Ctx<'_>),
    ) {
        let chain = self.chain(snap);
        if !chain.phases.contains(phase) {
            return;
        }
        let PipelineState { exchange, selected } = self;
        let id = exchange.id;
        let run = || {
            let slots = chain.slots.iter().enumerate();
            for (at, slot) in slots.filter(|(_, slot)| slot.phases.contains(phase)) {
                let pick = selected.get(at).copied().unwrap_or(slot.row);
                if let Some(plugin) = pick.and_then(|row| snap.plugin(row, phase)) {
                    hook(plugin, Ctx { exchange, state: &snap.state });
                }
            }
        };
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            tracing::error!(request_id = %id, "a panic ended a phase");
        }
    }

    /// Runs the header filters.
    pub fn header_filter(&mut self, snap: &Snapshot) {
        self.for_each_selected(snap, Phase::HeaderFilter, |plugin, call| plugin.header_filter(call));
    }

    /// Runs the body filters on a chunk of the response.
    pub fn body_filter(&mut self, snap: &Snapshot, chunk: &mut Chunk) {
        self.for_each_selected(snap, Phase::BodyFilter, |plugin, call| plugin.body_filter(call, chunk));
    }

    /// Runs the log hooks.
    pub fn log(&mut self, snap: &Snapshot) {
        self.for_each_selected(snap, Phase::Log, |plugin, call| plugin.log(call));
    }
}
