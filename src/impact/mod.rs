//! What a change of configuration does to traffic: which requests go elsewhere, whose plugins change, where
//! services lead now, and what of it is a risk.
//!
//! Both configurations are asked, as machines: with sample requests made from their routes, and with those
//! of an access log. Leaves printing to the command line, and what changed in the text to `diff`.

mod chains;
mod destinations;
mod log;
mod requests;
mod risk;
mod side;

use serde::Serialize;

pub use crate::router::Probe;
pub use chains::{ChainChange, Changed};
pub use destinations::{Destination, DestinationChange, Share};
pub use log::{Log, LogError};
pub use requests::{Fate, Moved};
pub use risk::{Risk, Severity};

use crate::runtime::Snapshot;
use side::Side;

/// What a change does to traffic.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Impact {
    /// Routes that appear.
    pub appearing: Vec<String>,
    /// Routes that vanish.
    pub vanishing: Vec<String>,
    /// Requests that another route gets now, or none.
    pub requests: Vec<Moved>,
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

/// Recorded requests, asked of both sides.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Replayed {
    /// Requests read.
    pub requests: usize,
    /// Lines that hold no request.
    pub unreadable: usize,
    /// Requests whose fate changes, alike ones together, the most frequent first.
    pub changed: Vec<Fate>,
}

impl Impact {
    /// Whether traffic stays as it is.
    pub fn is_none(&self) -> bool {
        self.appearing.is_empty()
            && self.vanishing.is_empty()
            && self.requests.is_empty()
            && self.chains.is_empty()
            && self.destinations.is_empty()
            && self.replayed.as_ref().is_none_or(|r| r.changed.is_empty())
    }
}

/// Compares what two machines do with requests, those of a log too if there is one.
pub fn impact(old: &Snapshot, new: &Snapshot, log: Option<&Log>) -> Impact {
    let (old, new) = (Side::new(old), Side::new(new));
    let only = |one: &Side<'_>, other: &Side<'_>| -> Vec<String> {
        one.labels.iter().filter(|label| other.by_label(label).is_none()).cloned().collect()
    };
    let requests = requests::moved(&old, &new);
    let (chains, mut risks) = chains::changes(&old, &new);
    let destinations = destinations::changes(&old, &new);
    risks.extend(requests.iter().filter_map(risk::of_request));
    risks.extend(destinations.iter().flat_map(risk::of_destination));
    risks.sort_by(|a, b| (a.severity, &a.what, &a.whom).cmp(&(b.severity, &b.what, &b.whom)));
    risks.dedup();
    let replayed = log.map(|log| Replayed {
        requests: log.requests.len(),
        unreadable: log.unreadable,
        changed: requests::fates(log, &old, &new, &chains, &destinations),
    });
    Impact {
        appearing: only(&new, &old),
        vanishing: only(&old, &new),
        requests,
        chains,
        destinations,
        risks,
        replayed,
    }
}

#[cfg(test)]
mod tests;
