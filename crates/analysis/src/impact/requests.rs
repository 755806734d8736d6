//! Requests whose outcome changes: samples made from the routes, and recorded ones.

use std::collections::BTreeMap;

use ahash::{AHashMap, AHashSet};
use serde::Serialize;

use super::{SampleRequest, chains::NOWHERE, identities::Identity, log::Log, outcome, side::Side};
use crate::diff::{FieldChange, Segment};
use model::{Ix, Route};

/// Requests whose outcome changes in the same facts: those of one route on each side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReroutedRequests {
    /// The route that they belonged to; `None` if no route matched.
    pub before: Option<String>,
    /// The route that they belong to.
    pub after: Option<String>,
    /// The client, where it is one that authentication identifies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The facts that change, with the values of the first example.
    pub fields: Vec<FieldChange>,
    /// How many samples.
    pub count: usize,
    /// Some of them.
    pub examples: Vec<SampleRequest>,
}

/// The outcome of a recorded request that changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fate {
    /// The request.
    pub request: SampleRequest,
    /// How often it is in the log.
    pub count: usize,
    /// The route that it belonged to.
    pub before: Option<String>,
    /// The route that it belongs to.
    pub after: Option<String>,
    /// What changes: `route`, `response`, `request`, `destination`, `limits`.
    pub why: Vec<&'static str>,
    /// The facts that change.
    pub fields: Vec<FieldChange>,
}

/// Most examples of one group.
const EXAMPLES: usize = 3;
/// Most rehearsals. Of further requests only the route is compared; [`super::reach`] and [`super::chains`] name
/// routes whose treatment changes anyway.
const REHEARSED: usize = 10_000;
/// Most different requests of a log that are rehearsed.
const RECORDED: usize = 100_000;
/// Most requests of one route that are rehearsed though they stay with it.
const REHEARSED_PER_ROUTE: usize = 64;
/// Methods, beside those that routes name, that samples around a changed route have.
const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];
/// Most values of one attribute that samples around a changed route have.
const VALUES: usize = 8;

/// Sample requests whose outcome changes, and how many samples there were.
#[derive(Debug, Default)]
pub struct Sampled {
    pub requests: Vec<ReroutedRequests>,
    pub count: usize,
}

/// Both sides, and the routes on which a request may be treated otherwise than before.
pub struct Comparison<'a, 's> {
    pub old: &'a Side<'s>,
    pub new: &'a Side<'s>,
    /// Labels of those routes.
    pub touched: AHashSet<String>,
    /// Clients that are identified as another consumer, or whose groups change.
    pub identities: Vec<Identity>,
}

/// Where a request belongs on both sides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Winners<'l> {
    before: Option<&'l str>,
    after: Option<&'l str>,
}

impl<'a> Comparison<'a, '_> {
    /// Routes samples of the routes of both sides on both, and rehearses those whose outcome may change.
    pub fn sampled(&self) -> Sampled {
        let mut seen = AHashSet::new();
        let mut groups: BTreeMap<(Winners<'a>, Vec<String>), ReroutedRequests> = BTreeMap::new();
        let mut rehearsed: AHashMap<Winners<'a>, usize> = AHashMap::new();
        let mut budget = REHEARSED;
        for (side, other) in [(self.old, self.new), (self.new, self.old)] {
            for (ix, route) in side.rows.routes.iter() {
                let label = side.label(ix);
                let mut probes = SampleRequest::of(route);
                if self.touched.contains(label) || other.by_label(label).is_none() {
                    probes.extend(self.around(&probes, label));
                }
                for probe in probes {
                    if !seen.insert(probe.clone()) {
                        continue;
                    }
                    let (winners, routes) = self.route(&probe);
                    let done = rehearsed.entry(winners).or_default();
                    let most = if winners.before == winners.after { REHEARSED_PER_ROUTE } else { EXAMPLES };
                    let mut fields = Vec::new();
                    if self.may_differ(winners) && *done < most && budget > 0 {
                        *done += 1;
                        budget -= 1;
                        fields = outcome::differing(&probe, None, (self.old, routes.0), (self.new, routes.1));
                    }
                    if winners.before == winners.after && fields.is_empty() {
                        continue;
                    }
                    // Requests that another route gets are one group, whatever else differs.
                    let facts = match winners.before == winners.after {
                        true => fields.iter().map(FieldChange::name).collect(),
                        false => Vec::new(),
                    };
                    let moved = groups.entry((winners, facts)).or_insert_with(|| ReroutedRequests {
                        before: winners.before.map(str::to_owned),
                        after: winners.after.map(str::to_owned),
                        client: None,
                        fields,
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
        let mut requests: Vec<ReroutedRequests> = groups.into_values().collect();
        let mut count = seen.len();
        for identity in &self.identities {
            for route in identity.routes(self.old, self.new) {
                let Some(probe) = SampleRequest::of(&self.new.rows.routes[route]).into_iter().next() else {
                    continue;
                };
                count += 1;
                requests.extend(self.identified(identity, probe));
            }
        }
        Sampled { requests, count }
    }

    /// Returns a request of a client that is identified as another consumer, if its outcome changes.
    fn identified(&self, identity: &Identity, probe: SampleRequest) -> Option<ReroutedRequests> {
        let (winners, routes) = self.route(&probe);
        let consumers = identity.on((self.old, routes.0), (self.new, routes.1));
        let fields = outcome::differing(&probe, Some(consumers), (self.old, routes.0), (self.new, routes.1));
        (!fields.is_empty()).then(|| ReroutedRequests {
            before: winners.before.map(str::to_owned),
            after: winners.after.map(str::to_owned),
            client: Some(identity.client.clone()),
            fields,
            count: 1,
            examples: vec![probe],
        })
    }

    /// Requests beside those that a route was written for: with methods, hosts and schemes that the other side's route
    /// of that name has or lacks, with a longer path, and without its headers.
    fn around(&self, probes: &[SampleRequest], label: &str) -> Vec<SampleRequest> {
        let mut methods: Vec<String> = METHODS.map(str::to_owned).to_vec();
        let mut hosts = vec!["gateway.test".to_owned()];
        for side in [self.old, self.new] {
            let Some(route) = side.by_label(label).map(|ix| &side.rows.routes[ix]) else { continue };
            methods.extend(route.methods.iter().flat_map(|set| set.iter()).take(VALUES).cloned());
            hosts.extend(SampleRequest::of(route).into_iter().filter_map(|probe| probe.host).take(VALUES));
        }
        let mut found = Vec::new();
        let [old, new] =
            [self.old, self.new].map(|side| side.by_label(label).map(|ix| &side.rows.routes[ix]));
        if let (Some(old), Some(new)) = (old, new) {
            found.extend(SampleRequest::at_boundaries(old, new));
            found.extend(SampleRequest::at_boundaries(new, old));
        }
        for probe in probes.iter().take(VALUES) {
            found.extend(
                methods.iter().map(|method| SampleRequest { method: method.clone(), ..probe.clone() }),
            );
            found
                .extend(hosts.iter().map(|host| SampleRequest { host: Some(host.clone()), ..probe.clone() }));
            found.push(SampleRequest { https: !probe.https, ..probe.clone() });
            // A prefix is matched in the middle of a segment too.
            found.push(SampleRequest { path: format!("{}more", probe.path), ..probe.clone() });
            if !probe.headers.is_empty() {
                found.push(SampleRequest { headers: Vec::new(), ..probe.clone() });
            }
        }
        found
    }

    fn route(&self, probe: &SampleRequest) -> (Winners<'a>, (Option<Ix<Route>>, Option<Ix<Route>>)) {
        let routes = (self.old.ask(probe), self.new.ask(probe));
        let (old, new) = (self.old, self.new);
        let winners =
            Winners { before: routes.0.map(|ix| old.label(ix)), after: routes.1.map(|ix| new.label(ix)) };
        (winners, routes)
    }

    /// Whether the outcome of a request of these routes can differ.
    fn may_differ(&self, winners: Winners<'_>) -> bool {
        winners.before != winners.after || self.touched.contains(winners.before.unwrap_or(NOWHERE))
    }

    /// Recorded requests whose outcome changes, alike ones together, the most frequent first; and how many belong to
    /// changed routes but were too many to be rehearsed.
    pub fn fates(&self, log: &Log) -> (Vec<Fate>, usize) {
        let mut counts: BTreeMap<&SampleRequest, usize> = BTreeMap::new();
        log.requests.iter().for_each(|request| *counts.entry(request).or_default() += 1);
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut budget = RECORDED;
        let mut unrehearsed = 0;
        let mut fates = Vec::new();
        for (request, count) in counts {
            let (winners, routes) = self.route(request);
            if !self.may_differ(winners) {
                continue;
            }
            let mut why = Vec::new();
            if winners.before != winners.after {
                why.push("route");
            }
            let mut fields = Vec::new();
            if budget > 0 {
                budget -= 1;
                fields = outcome::differing(request, None, (self.old, routes.0), (self.new, routes.1));
            } else if why.is_empty() {
                unrehearsed += count;
            }
            if why.is_empty() {
                fields.iter().for_each(|field| why.push(part(field)));
                why.sort_unstable();
                why.dedup();
            }
            if !why.is_empty() {
                fates.push(Fate {
                    request: request.clone(),
                    count,
                    before: winners.before.map(str::to_owned),
                    after: winners.after.map(str::to_owned),
                    why,
                    fields,
                });
            }
        }
        (fates, unrehearsed)
    }
}

/// Which part of an outcome a fact belongs to.
fn part(field: &FieldChange) -> &'static str {
    let mut keys = field.path.iter().filter_map(|segment| match segment {
        Segment::Key(key) => Some(key.as_str()),
        Segment::Index(_) => None,
    });
    match keys.find(|key| *key != "after_authentication") {
        Some("outcome" | "response_headers" | "body") => "response",
        Some("method" | "path" | "query" | "host" | "headers") => "request",
        Some(
            "retries" | "connect_timeout" | "write_timeout" | "read_timeout" | "request_buffering"
            | "response_buffering",
        ) => "limits",
        _ => "destination",
    }
}
