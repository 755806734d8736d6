//! What a change of configuration does to traffic: which requests have another outcome, whose plugins change, which
//! routes depend on what changed, where services lead, and what of it is a risk.
//!
//! Two methods complete each other. Rows and chains are compared, which is exact: a route that is not named there treats
//! the requests that belong to it as before. Sample requests made from the routes, and those of an access log, are routed
//! and rehearsed on both sides, which shows examples and what becomes of them. Leaves printing to the command line, and
//! what changed in the text to `diff`.

mod chains;
mod destinations;
mod identities;
mod log;
mod outcome;
mod reach;
mod requests;
mod risk;
mod side;

use std::io;

use serde::Serialize;

pub use chains::{ChainChange, Changed};
pub use destinations::{Destination, DestinationChange, Share};
pub use log::{Log, LogError};
pub use reach::{Cause, RouteChange};
pub use requests::{Fate, ReroutedRequests};
pub use risk::{Risk, Severity};
pub use router::SampleRequest;
pub use side::Compiled;

use crate::diff::{self, Change};
use requests::{Comparison, Sampled};
use side::Side;

/// What a change does to traffic.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Impact {
    /// Requests that were routed on both sides.
    pub sampled: usize,
    /// Routes that only the new configuration has.
    pub appearing: Vec<String>,
    /// Routes that only the old configuration has.
    pub vanishing: Vec<String>,
    /// Sampled requests whose outcome changes.
    pub requests: Vec<ReroutedRequests>,
    /// Routes whose requests depend on a changed entity.
    pub routes: Vec<RouteChange>,
    /// Routes whose plugins change.
    pub chains: Vec<ChainChange>,
    /// Services whose requests are sent elsewhere.
    pub destinations: Vec<DestinationChange>,
    /// What of all this deserves a second look, the worst first.
    pub risks: Vec<Risk>,
    /// What becomes of recorded requests; only where there is a log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replayed: Option<Replayed>,
}

/// Recorded requests, routed and rehearsed on both sides.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Replayed {
    /// Requests read.
    pub requests: usize,
    /// Lines that hold no request.
    pub unreadable: usize,
    /// Requests of changed routes that were too many to be rehearsed.
    pub unrehearsed: usize,
    /// Requests whose outcome changes, alike ones together, the most frequent first.
    pub changed: Vec<Fate>,
}

impl Impact {
    /// Whether no difference was found. Samples do not prove that there is none.
    pub fn is_none(&self) -> bool {
        self.appearing.is_empty()
            && self.vanishing.is_empty()
            && self.requests.is_empty()
            && self.routes.is_empty()
            && self.chains.is_empty()
            && self.destinations.is_empty()
            && self.replayed.as_ref().is_none_or(|r| r.changed.is_empty())
    }
}

/// Compares what two configurations do with requests, those of a log too if there is one.
///
/// # Errors
/// When the system gives no event loop to rehearse requests in.
pub fn impact(old: &Compiled<'_>, new: &Compiled<'_>, log: Option<&Log>) -> io::Result<Impact> {
    let (mut old, mut new) = (*old, *new);
    let mut changes = diff::compare(&old.rows, &new.rows);
    if changes.iter().any(|change| change.kind.key == "vaults") {
        // The same reference may lead to another value now.
        (old.rows.by_value, new.rows.by_value) = (true, true);
        changes = diff::compare(&old.rows, &new.rows);
    }
    let (old, new) = (Side::new(&old, &new)?, Side::new(&new, &old)?);
    Ok(compared(&old, &new, &changes, log))
}

fn compared(old: &Side<'_>, new: &Side<'_>, changes: &[Change], log: Option<&Log>) -> Impact {
    let only = |one: &Side<'_>, other: &Side<'_>| -> Vec<String> {
        one.labels.iter().filter(|label| other.by_label(label).is_none()).cloned().collect()
    };
    let routes = reach::changes(changes, old, new);
    let (chains, mut risks) = chains::changes(old, new);
    let destinations = destinations::changes(old, new);
    let chained = chains.iter().flat_map(|change| &change.routes);
    let touched = routes.iter().flat_map(|change| &change.routes).chain(chained).cloned().collect();
    let comparison = Comparison { old, new, touched, identities: identities::changed(changes, old, new) };
    let Sampled { requests, count } = comparison.sampled();
    risks.extend(requests.iter().filter_map(risk::of_request));
    risks.extend(routes.iter().flat_map(risk::of_causes));
    risks.extend(destinations.iter().flat_map(risk::of_destination));
    risks.sort_by(|a, b| (a.severity, &a.what, &a.targets).cmp(&(b.severity, &b.what, &b.targets)));
    risks.dedup();
    let replayed = log.map(|log| {
        let (changed, unrehearsed) = comparison.fates(log);
        Replayed { requests: log.requests.len(), unreadable: log.unreadable, unrehearsed, changed }
    });
    Impact {
        sampled: count,
        appearing: only(new, old),
        vanishing: only(old, new),
        requests,
        routes,
        chains,
        destinations,
        risks,
        replayed,
    }
}

#[cfg(test)]
mod tests;
