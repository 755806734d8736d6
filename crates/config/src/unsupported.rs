//! Warnings about valid configuration that this gateway does not implement yet.

use model::{Algorithm, State, Upstream};
use source::{Document, Finding, Findings};

/// Finding code: an upstream uses balancing or health checks that are not implemented.
const UPSTREAM: &str = "upstream/not-yet";

/// Warns about every upstream whose balancing algorithm or health checks are not implemented.
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

/// Returns whether any health check of an upstream is enabled.
fn checks(upstream: &Upstream) -> bool {
    let (active, passive) = (&upstream.healthchecks.active, &upstream.healthchecks.passive);
    let probes = [active.healthy.interval, active.unhealthy.interval];
    let failures =
        [passive.unhealthy.tcp_failures, passive.unhealthy.timeouts, passive.unhealthy.http_failures];
    probes.into_iter().flatten().any(|seconds| seconds > 0.0) || failures.into_iter().flatten().any(|n| n > 0)
}
