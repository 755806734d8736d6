//! Targets that are taken out and never come back.

use super::{Lint, LintContext, Report};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/health-check-without-recovery",
    level: Some(Level::Warning),
    summary: "passive health checks take targets out, and nothing brings them back",
    explanation: "Passive checks look at the requests of clients. A target that was taken out gets no more \
            requests, so nothing can show that it works again: it stays out until the gateway restarts. \
            Active checks with a `healthy` interval bring it back.",
    bad: "_format_version: '3.0'\nupstreams:\n- name: u\n  targets: [{target: '10.0.0.1:80'}]\n  healthchecks: {passive: {unhealthy: {http_failures: 3}}}\n",
    good: "_format_version: '3.0'\nupstreams:\n- name: u\n  targets: [{target: '10.0.0.1:80'}]\n  healthchecks:\n    passive: {unhealthy: {http_failures: 3}}\n    active: {healthy: {interval: 5, successes: 1}, unhealthy: {interval: 5, http_failures: 3}}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for upstream in context.state.upstreams.rows() {
        let bad = &upstream.healthchecks.passive.unhealthy;
        let taken_out =
            [bad.http_failures, bad.tcp_failures, bad.timeouts].iter().any(|n| n.is_some_and(|n| n > 0));
        // Probes of unhealthy targets run by the unhealthy interval and count successes.
        let active = &upstream.healthchecks.active;
        let probed =
            [active.unhealthy.interval, active.healthy.interval].iter().any(|i| i.is_some_and(|i| i > 0.0));
        if taken_out && !probed {
            report.at(
                context.span(upstream, &["healthchecks", "passive"]),
                format!("targets of upstream {:?} that fail are never tried again", upstream.name),
                "add active checks: healthchecks.active.unhealthy.interval and .healthy.successes",
            );
        }
    }
}
