//! Requests that other routes get now: samples made from the routes, and recorded ones.

use std::collections::BTreeMap;

use ahash::{AHashMap, AHashSet};
use serde::Serialize;

use super::{
    Probe,
    chains::ChainChange,
    destinations::DestinationChange,
    log::Log,
    side::{Side, service_label},
};

/// Requests that went to one route and go to another, or to none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moved {
    /// The route that had them; none if nobody did.
    pub before: Option<String>,
    /// The route that gets them.
    pub after: Option<String>,
    /// How many samples say so.
    pub count: usize,
    /// Some of them.
    pub examples: Vec<Probe>,
}

/// What becomes of a recorded request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fate {
    /// The request.
    pub request: Probe,
    /// How often it was made.
    pub count: usize,
    /// The route that had it.
    pub before: Option<String>,
    /// The route that gets it.
    pub after: Option<String>,
    /// Why it is listed: `route`, `plugins`, `destination`.
    pub why: Vec<&'static str>,
}

/// Most examples shown for one move.
const EXAMPLES: usize = 3;

/// Asks both sides for samples of the routes of both.
pub fn moved(old: &Side<'_>, new: &Side<'_>) -> Vec<Moved> {
    let mut asked = AHashSet::new();
    let mut found: BTreeMap<(Option<&str>, Option<&str>), Moved> = BTreeMap::new();
    for side in [old, new] {
        for route in side.state().routes.rows() {
            for probe in Probe::of(route) {
                if !asked.insert(probe.clone()) {
                    continue;
                }
                let before = old.ask(&probe).map(|ix| old.label(ix));
                let after = new.ask(&probe).map(|ix| new.label(ix));
                if before == after {
                    continue;
                }
                let moved = found.entry((before, after)).or_insert_with(|| Moved {
                    before: before.map(str::to_owned),
                    after: after.map(str::to_owned),
                    count: 0,
                    examples: Vec::new(),
                });
                moved.count += 1;
                if moved.examples.len() < EXAMPLES {
                    moved.examples.push(probe);
                }
            }
        }
    }
    found.into_values().collect()
}

/// Asks both sides for recorded requests; names those whose fate changes.
pub fn fates(
    log: &Log,
    old: &Side<'_>,
    new: &Side<'_>,
    chains: &[ChainChange],
    destinations: &[DestinationChange],
) -> Vec<Fate> {
    let mut counts: AHashMap<&Probe, usize> = AHashMap::new();
    log.requests.iter().for_each(|request| *counts.entry(request).or_default() += 1);
    let rechained: AHashSet<&str> =
        chains.iter().filter(|c| c.consumer.is_none()).flat_map(|c| &c.routes).map(String::as_str).collect();
    let redirected: AHashSet<&str> = destinations.iter().map(|d| d.service.as_str()).collect();
    let mut fates = Vec::new();
    for (request, count) in counts {
        let (before, after) = (old.ask(request), new.ask(request));
        let labels = (before.map(|ix| old.label(ix)), after.map(|ix| new.label(ix)));
        let service = after.and_then(|ix| new.service_of(ix)).map(service_label);
        let mut why = Vec::new();
        if labels.0 != labels.1 {
            why.push("route");
        } else if labels.1.is_some_and(|label| rechained.contains(label)) {
            why.push("plugins");
        }
        if service.is_some_and(|s| redirected.contains(s.as_str())) {
            why.push("destination");
        }
        if !why.is_empty() {
            fates.push(Fate {
                request: request.clone(),
                count,
                before: labels.0.map(str::to_owned),
                after: labels.1.map(str::to_owned),
                why,
            });
        }
    }
    fates.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.request.cmp(&b.request)));
    fates
}
