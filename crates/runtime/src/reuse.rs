//! Reuse of compiled parts of the previous snapshot whose rows are unchanged.

use std::sync::Arc;

use ahash::AHashMap;
use uuid::Uuid;

use super::{ServiceEntry, Snapshot};
use model::{PluginEntity, Service, State, Target};
use net::tls::ClientTls;
use plugin::{DynPlugin, PhaseSet};
use upstream::{Balancer, Destination};

/// A plugin instance, and whether it may be reused.
#[derive(Clone)]
pub struct BuiltPlugin {
    pub instance: Arc<dyn DynPlugin>,
    /// Phases in which it has hooks.
    pub phases: PhaseSet,
    /// Whether it depends on its row only, not on other rows.
    pub state_independent: bool,
}

/// Returns the instance of an equal row, if it depends on nothing else.
pub fn plugin(row: &PluginEntity, previous: Option<&Snapshot>) -> Option<BuiltPlugin> {
    let previous = previous?;
    let ix = previous.state.plugins.by_id(row.id)?;
    let built = previous.plugins[ix.get()].as_ref().filter(|built| built.state_independent)?;
    previous.state.plugins[ix].has_same_build(row).then(|| built.clone())
}

/// Returns the entry of an equal service with the same destination and TLS settings.
pub fn service(
    row: &Service,
    destination: &Destination,
    tls: Option<&Arc<ClientTls>>,
    previous: Option<&Snapshot>,
) -> Option<Arc<ServiceEntry>> {
    let previous = previous?;
    let ix = previous.state.services.by_id(row.id)?;
    let entry = &previous.services[ix.get()];
    let same_tls = match (&entry.tls, tls) {
        (Some(old), Some(new)) => Arc::ptr_eq(old, new),
        (old, new) => old.is_none() && new.is_none(),
    };
    let same_destination = match (&entry.destination, destination) {
        (Destination::Balanced(old), Destination::Balanced(new)) => Arc::ptr_eq(old, new),
        // Other destinations depend on the row only.
        (old, new) => ![old, new].iter().any(|one| matches!(one, Destination::Balanced(_))),
    };
    (same_tls && same_destination && previous.state.services[ix].has_same_endpoint(row))
        .then(|| entry.clone())
}

/// Creates the balancers of the upstreams, in the order of the table. Those of equal upstreams with equal targets are reused;
/// in others, targets that existed before keep their state.
pub fn balancers(state: &State, previous: Option<&Snapshot>) -> Box<[Arc<Balancer>]> {
    if state.upstreams.is_empty() {
        return Box::default();
    }
    let targets = by_upstream(state);
    let former = previous.map(|previous| (previous, by_upstream(&previous.state)));
    let one = |row: &model::Upstream| {
        let own = of(&targets, row.id);
        let same = former.as_ref().and_then(|(previous, targets)| {
            let ix = previous.state.upstreams.by_id(row.id)?;
            let theirs = of(targets, row.id);
            let is_equal = previous.state.upstreams[ix].has_same_balancing(row)
                && own.len() == theirs.len()
                && own.iter().zip(theirs).all(|(a, b)| a.target == b.target && a.weight == b.weight);
            Some((&previous.balancers[ix.get()], is_equal))
        });
        match same {
            Some((balancer, true)) => Arc::clone(balancer),
            changed => {
                let previous = changed.map(|(balancer, _)| &**balancer);
                Arc::new(Balancer::new(row, own.iter().copied(), previous))
            }
        }
    };
    state.upstreams.rows().iter().map(one).collect()
}

type ByUpstream<'s> = AHashMap<Uuid, Vec<&'s Target>>;

fn by_upstream(state: &State) -> ByUpstream<'_> {
    let mut filed = ByUpstream::new();
    for target in state.targets.rows() {
        filed.entry(target.upstream.id).or_default().push(target);
    }
    filed
}

fn of<'a, 's>(filed: &'a ByUpstream<'s>, upstream: Uuid) -> &'a [&'s Target] {
    filed.get(&upstream).map_or(&[], Vec::as_slice)
}
