//! Timeouts that undo each other.

use super::{Lint, LintContext, Report, called};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/contradicting-timeouts",
    level: Some(Level::Warning),
    summary: "a timeout can never be reached, or always is",
    explanation: "A probe that may take longer than the time to the next one piles up, or is cut short. A service \
            that waits longer for a connection than for an answer has the two mixed up most of the time: \
            connecting takes milliseconds, answering seconds.",
    bad: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', connect_timeout: 90000, read_timeout: 3000}\n",
    good: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', connect_timeout: 3000, read_timeout: 90000}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    for service in context.state.services.rows() {
        let (Some(connect), Some(read)) = (service.connect_timeout, service.read_timeout) else { continue };
        let written = |field| context.node(service, &[field]).is_some();
        if connect > read && written("connect_timeout") && written("read_timeout") {
            let other = context.span(service, &["read_timeout"]).map(|s| (s, "shorter".to_owned()));
            report.with(
                context.span(service, &["connect_timeout"]),
                format!(
                    "service {} waits {connect} ms for a connection but {read} ms for an answer",
                    called(service)
                ),
                "let connect_timeout be the shorter one",
                other,
            );
        }
    }
    for upstream in context.state.upstreams.rows() {
        let active = &upstream.healthchecks.active;
        let Some(timeout) = active.timeout else { continue };
        for (kind, interval) in
            [("healthy", active.healthy.interval), ("unhealthy", active.unhealthy.interval)]
        {
            if let Some(interval) = interval.filter(|i| *i > 0.0 && *i < timeout) {
                report.at(
                    context.span(upstream, &["healthchecks", "active", kind, "interval"]),
                    format!(
                        "upstream {:?} is probed every {interval} s, but a probe may take {timeout} s",
                        upstream.name
                    ),
                    "let healthchecks.active.timeout be shorter than the interval",
                );
            }
        }
    }
}
