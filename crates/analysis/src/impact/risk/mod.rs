//! What deserves a second look: protection that is lost, limits that loosen, and requests that were served and are
//! refused.

mod chain;
mod rows;

use serde::Serialize;

pub use chain::of_chain;
pub use plugin::Severity;
pub use rows::{of_causes, of_destination, of_request};

/// Something that deserves a second look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Risk {
    /// How bad.
    pub severity: Severity,
    /// What happens, in words.
    pub what: String,
    /// Routes or services concerned.
    pub targets: Vec<String>,
    /// The consumer whose requests it concerns; `None` if it concerns all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
}

/// Risks of alike words as one.
pub fn merged(risks: Vec<Risk>) -> Vec<Risk> {
    let mut merged: Vec<Risk> = Vec::new();
    for risk in risks {
        let like =
            |r: &&mut Risk| (r.severity, &r.what, &r.consumer) == (risk.severity, &risk.what, &risk.consumer);
        match merged.iter_mut().find(like) {
            Some(held) => held.targets.extend(risk.targets),
            None => merged.push(risk),
        }
    }
    for risk in &mut merged {
        risk.targets.sort();
        risk.targets.dedup();
    }
    // A risk of all requests is not repeated for each consumer.
    let general: Vec<_> = merged.iter().filter(|r| r.consumer.is_none()).map(|r| r.what.clone()).collect();
    merged.retain(|r| r.consumer.is_none() || !general.contains(&r.what));
    merged
}
