//! Limits by consumer on routes without authentication.

use ahash::AHashSet;

use super::{Lint, LintContext, Report, called, recognised, scope};
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/rate-limit-by-nobody",
    level: Some(Level::Note),
    summary: "a rate limit counts by consumer on a route without authentication",
    explanation: "`limit_by: consumer` or `credential` counts by address where no consumer is known, so users \
            behind one address share one limit. Add an authentication plugin, or set `limit_by: ip`. Only \
            files that set `limit_by` are reported.",
    bad: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: rate-limiting, config: {minute: 5, limit_by: consumer}}]}\n",
    good: "_format_version: '3.0'\nservices:\n- name: a\n  url: https://a.test\n  routes:\n  - {name: r, paths: [/x], plugins: [{name: rate-limiting, config: {minute: 5, limit_by: ip}}]}\n",
    run,
};

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let mut reported = AHashSet::new();
    for route in context.state.routes.rows() {
        let Some(limit) = context.effective("rate-limiting", route) else { continue };
        let place = ["config", "limit_by"];
        if context.node(limit, &place).is_none() || recognised(context, route) {
            continue;
        }
        // A dump writes every default.
        let dump = context.node(limit, &["config", "hide_client_headers"]).is_some();
        let by = limit.config.json()["limit_by"].clone();
        if (by == "consumer" || by == "credential") && !dump && reported.insert(limit.id) {
            report.at(
                context.span(limit, &place),
                format!(
                    "rate-limiting {} counts addresses: no plugin on route {} authenticates clients",
                    scope(context.state, limit),
                    called(route)
                ),
                "add an authentication plugin, or set limit_by to ip",
            );
        }
    }
}
