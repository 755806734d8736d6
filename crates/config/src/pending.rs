//! What a valid configuration asks for that this gateway does not do yet, said aloud rather than served
//! silently otherwise.

use model::{Algorithm, State, Upstream};
use source::{Document, Finding, Findings};

/// An upstream asks for more than taking turns by weight.
const UPSTREAM: &str = "upstream/not-yet";

/// A warning for every upstream whose balancing or health checks are not done yet.
pub fn warn(doc: &Document, state: &State, findings: &mut Findings) {
    for upstream in state.upstreams.rows() {
        let mut wanted = Vec::new();
        if !matches!(upstream.algorithm, None | Some(Algorithm::RoundRobin)) {
            wanted.push(("algorithm", "its targets take turns by weight, whatever its `algorithm` says"));
        }
        if checks(upstream) {
            wanted.push(("healthchecks", "its targets are not checked: none of them is ever left out"));
        }
        for (field, what) in wanted {
            let message = format!("the upstream `{}` asks for what is not built yet: {what}", upstream.name);
            let mut finding = Finding::warning(UPSTREAM, message);
            if let Some(origin) = upstream.origin {
                let place = doc.entry(origin, field).map_or(origin, |entry| entry.key);
                finding = finding.at(doc.span(place), "");
            }
            findings.push(finding);
        }
    }
}

/// Whether any check of an upstream would do something.
fn checks(upstream: &Upstream) -> bool {
    let (active, passive) = (&upstream.healthchecks.active, &upstream.healthchecks.passive);
    let probes = [active.healthy.interval, active.unhealthy.interval];
    let failures =
        [passive.unhealthy.tcp_failures, passive.unhealthy.timeouts, passive.unhealthy.http_failures];
    probes.into_iter().flatten().any(|seconds| seconds > 0.0) || failures.into_iter().flatten().any(|n| n > 0)
}
