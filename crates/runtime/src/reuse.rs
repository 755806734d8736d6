//! What a configuration takes over from the one before it: the parts whose rows say the same.

use std::sync::Arc;

use ahash::AHashMap;
use uuid::Uuid;

use super::{ServiceEntry, Snapshot};
use model::{Plugin, Service, State, Target};
use net::tls::ClientTls;
use plugin::Instance;
use upstream::{Balancer, Destination};

/// A plugin ready to run.
#[derive(Clone)]
pub struct Built {
    pub instance: Arc<dyn Instance>,
    /// Whether it follows from its row alone.
    pub alone: bool,
}

/// The instance of an equal row that looked at nothing else.
pub fn plugin(row: &Plugin, previous: Option<&Snapshot>) -> Option<Built> {
    let previous = previous?;
    let ix = previous.state.plugins.by_id(row.id)?;
    let built = previous.plugins[ix.get()].as_ref().filter(|built| built.alone)?;
    previous.state.plugins[ix].is_built_as(row).then(|| built.clone())
}

/// The entry of an equal service with the same destination and TLS.
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
        // The others follow from the row.
        (old, new) => ![old, new].iter().any(|one| matches!(one, Destination::Balanced(_))),
    };
    (same_tls && same_destination && previous.state.services[ix].is_reached_as(row)).then(|| entry.clone())
}

/// The balancers of the upstreams, in the table's order; those of equal upstreams with equal targets go on
/// where they are.
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
            let equal = previous.state.upstreams[ix].is_balanced_as(row)
                && own.len() == theirs.len()
                && own.iter().zip(theirs).all(|(a, b)| a.target == b.target && a.weight == b.weight);
            equal.then(|| Arc::clone(&previous.balancers[ix.get()]))
        });
        same.unwrap_or_else(|| Arc::new(Balancer::new(row, own.iter().copied())))
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
