//! Health checks that never change anything.

use super::{Lint, LintContext, Report};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/health-check-without-effect",
    level: Some(Level::Warning),
    summary: "a health check is set up but decides nothing",
    explanation: "Active checks need an interval above 0 to probe at all, and thresholds above 0 \
            (`unhealthy.http_failures`, `tcp_failures`, `timeouts`) to take a target out. With one and \
            without the other, targets are probed for nothing, or never probed.",
    bad: "_format_version: '3.0'\nupstreams:\n- name: u\n  targets: [{target: '10.0.0.1:80'}]\n  healthchecks: {active: {healthy: {interval: 5, successes: 1}}}\n",
    good: "_format_version: '3.0'\nupstreams:\n- name: u\n  targets: [{target: '10.0.0.1:80'}]\n  healthchecks: {active: {healthy: {interval: 5, successes: 1}, unhealthy: {interval: 5, http_failures: 3}}}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for upstream in context.state.upstreams.rows() {
        let active = &upstream.healthchecks.active;
        let on = |interval: Option<f64>| interval.is_some_and(|i| i > 0.0);
        let probes = on(active.healthy.interval) || on(active.unhealthy.interval);
        let bad = &active.unhealthy;
        let limits = [bad.http_failures, bad.tcp_failures, bad.timeouts];
        let decides = limits.iter().any(|limit| limit.is_some_and(|l| l > 0));
        let place = context.span(upstream, &["healthchecks", "active"]);
        if probes && !decides {
            report.at(
                place,
                format!(
                    "upstream {:?} is probed, but no number of failures takes a target out",
                    upstream.name
                ),
                "set http_failures, tcp_failures or timeouts under healthchecks.active.unhealthy",
            );
        } else if !probes && decides {
            report.at(
                place,
                format!("upstream {:?} has thresholds for probes, but is never probed", upstream.name),
                "set an interval above 0 under healthchecks.active.healthy and .unhealthy",
            );
        }
    }
}
