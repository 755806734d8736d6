//! Runs the plugins' hooks, phase by phase.

use std::panic::{AssertUnwindSafe, catch_unwind};

use smallvec::SmallVec;

use super::error::ProxyError;
use net::BodyError;
use plugin::{
    BodyFlow, Chunk, Ctx, DynPlugin, Exchange, LocalReply, Phase, ReplyStream, RequestBodyFilter,
    ShortCircuit,
};
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
    /// A plugin's response whose body is produced while it is sent.
    Stream(Box<LocalReply>, ReplyStream),
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
            ShortCircuit::Stream(reply, body) => EarlyExit::Stream(reply, body),
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

    /// Returns the selected plugins of a phase, in order.
    fn selected<'s>(&self, snap: &'s Snapshot, phase: Phase) -> SmallVec<[&'s dyn DynPlugin; 4]> {
        let slots = self.chain(snap).slots.iter().enumerate();
        slots
            .filter(|(_, slot)| slot.phases.contains(phase))
            .filter_map(|(at, slot)| self.selected.get(at).copied().unwrap_or(slot.row))
            .filter_map(|row| snap.plugin(row, phase))
            .collect()
    }

    /// Creates the plugins' filters of the request's body, in order.
    pub fn request_body_filters(&mut self, snap: &Snapshot) -> Vec<Box<dyn RequestBodyFilter>> {
        let plugins = self.selected(snap, Phase::RequestBody);
        let exchange = &mut self.exchange;
        let filter = |plugin: &dyn DynPlugin| {
            plugin.request_body(Ctx { exchange: &mut *exchange, state: &snap.state })
        };
        plugins.into_iter().filter_map(filter).collect()
    }

    /// Returns how many bytes of a response body the response hooks read.
    pub fn max_response_body_bytes(&self, snap: &Snapshot) -> usize {
        let plugins = self.selected(snap, Phase::Response);
        plugins.into_iter().map(|plugin| plugin.max_response_body_bytes()).max().unwrap_or_default()
    }

    /// Runs the response hooks until one responds instead.
    ///
    /// # Errors
    /// If one does.
    pub async fn response(&mut self, snap: &Snapshot) -> Result<(), EarlyExit> {
        for plugin in self.selected(snap, Phase::Response) {
            plugin.response(Ctx { exchange: &mut self.exchange, state: &snap.state }).finish().await?;
        }
        Ok(())
    }

    /// Calls `hook` with each selected plugin of the phase, in order.
    ///
    /// # Errors
    /// If a plugin panics: the plugins after it have not run.
    fn for_each_selected(
        &mut self,
        snap: &Snapshot,
        phase: Phase,
        mut hook: impl FnMut(&dyn DynPlugin, Ctx<'_>),
    ) -> Result<(), ProxyError> {
        let chain = self.chain(snap);
        if !chain.phases.contains(phase) {
            return Ok(());
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
        catch_unwind(AssertUnwindSafe(run)).map_err(|_| {
            tracing::error!(request_id = %id, "a panic ended a phase");
            ProxyError::Panic
        })
    }

    /// Runs the header filters.
    ///
    /// # Errors
    /// If one panics: the response may contain what it was to remove.
    pub fn header_filter(&mut self, snap: &Snapshot) -> Result<(), ProxyError> {
        self.for_each_selected(snap, Phase::HeaderFilter, |plugin, ctx| plugin.header_filter(ctx))
    }

    /// Runs the body filters on a chunk of the response. If one ends the body, the chunk is the last one for those after
    /// it. If one panics, the body is aborted: it may contain what the filter was to remove.
    pub fn body_filter(&mut self, snap: &Snapshot, chunk: &mut Chunk) -> BodyFlow {
        let mut flow = BodyFlow::Continue;
        let result = self.for_each_selected(snap, Phase::BodyFilter, |plugin, call| {
            if matches!(flow, BodyFlow::Abort(_)) {
                return;
            }
            match plugin.body_filter(call, chunk) {
                BodyFlow::Continue => {}
                BodyFlow::End => {
                    chunk.last = true;
                    flow = BodyFlow::End;
                }
                abort @ BodyFlow::Abort(_) => flow = abort,
            }
        });
        match result {
            Ok(()) => flow,
            Err(_) => BodyFlow::Abort(BodyError::Unreadable("a plugin panicked")),
        }
    }

    /// Runs the log hooks.
    pub fn log(&mut self, snap: &Snapshot) {
        // The panic has been logged, and the response has been sent.
        let _ = self.for_each_selected(snap, Phase::Log, |plugin, ctx| plugin.log(ctx));
    }
}
